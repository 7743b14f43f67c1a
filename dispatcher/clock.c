/* The clock, see clock.h: the only caller of clock_gettime.
 *
 * Owns: the offset between CLOCK_BOOTTIME and the service's time line, or the standing instant of a
 * virtual clock. */
#include "dispatcher/clock.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID_BYTES 37 /* a UUID and a final zero */
#define BOOT_BYTES    64 /* boot id, space, offset: what the store keeps */

struct clock {
    bool virtual;
    char boot[BOOT_BYTES];
    int64_t offset_ms;         /* real: mono = CLOCK_BOOTTIME + offset */
    atomic_int_least64_t mono; /* virtual: where it stands */
    wall_us wall_at_mono_0;    /* virtual */
};

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

wall_us clock_wall_real(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_span_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

/* The kernel's boot id; without one (no /proc) every start counts as a new boot, which is only ever
 * late, never early. */
static void read_boot_id(char boot[BOOT_ID_BYTES])
{
    memset(boot, 0, BOOT_ID_BYTES);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t got = read(fd, boot, BOOT_ID_BYTES - 1);
    if (got < 0)
        got = 0;
    boot[got] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
    close(fd);
}

/* The offset that was in force at the last commit, if that was made in this boot. */
static bool same_boot(const char *boot_id, const char *boot, int64_t *offset_ms)
{
    size_t bytes = strlen(boot_id);
    if (bytes == 0 || strncmp(boot, boot_id, bytes) != 0 || boot[bytes] != ' ')
        return false;
    *offset_ms = strtoll(boot + bytes + 1, NULL, 10);
    return true;
}

struct clock *clock_real(struct instant last, const char *boot)
{
    struct clock *clock = calloc(1, sizeof(*clock));
    if (!clock)
        return NULL;
    char boot_id[BOOT_ID_BYTES];
    read_boot_id(boot_id);
    if (!same_boot(boot_id, boot, &clock->offset_ms)) {
        mono_ms start = last.mono;
        wall_us passed_us = clock_wall_real() - last.wall;
        if (boot[0] != '\0' && passed_us > 0)
            start += passed_us / 1000;
        clock->offset_ms = start - read_ms(CLOCK_BOOTTIME);
    }
    snprintf(clock->boot, sizeof(clock->boot), "%s %lld", boot_id, (long long)clock->offset_ms);
    return clock;
}

struct clock *clock_virtual(struct instant last, const char *boot)
{
    struct clock *clock = calloc(1, sizeof(*clock));
    if (!clock)
        return NULL;
    clock->virtual = true;
    snprintf(clock->boot, sizeof(clock->boot), "virtual");
    wall_us wall = boot[0] != '\0' ? last.wall : clock_wall_real() / 1000 * 1000;
    atomic_init(&clock->mono, last.mono);
    clock->wall_at_mono_0 = wall - last.mono * 1000;
    return clock;
}

void clock_free(struct clock *clock)
{
    free(clock);
}

struct instant clock_now(struct clock *clock)
{
    if (clock->virtual) {
        mono_ms mono = atomic_load(&clock->mono);
        return (struct instant){mono, clock->wall_at_mono_0 + mono * 1000};
    }
    return (struct instant){read_ms(CLOCK_BOOTTIME) + clock->offset_ms, clock_wall_real()};
}

void clock_set(struct clock *clock, mono_ms mono)
{
    assert(clock->virtual && mono >= atomic_load(&clock->mono));
    atomic_store(&clock->mono, mono);
}

bool clock_is_virtual(const struct clock *clock)
{
    return clock->virtual;
}

const char *clock_boot(const struct clock *clock)
{
    return clock->boot;
}
