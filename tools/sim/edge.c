/* The edge of the process: the clock, the mailboxes, the random numbers and the log lines of the
 * dispatcher, in virtual time. Each function keeps the contract of the header that declares it
 * (clock.h, mailbox.h, secret.h, log.h), and stands in for the file of the same name.
 *
 * Owns: the rule by which the service's time line goes on after a start, as clock.c has it; that
 * file itself cannot be linked, because it is the one that asks the operating system. */
#include "tools/sim/world.h"

#include "dispatcher/log.h"
#include "dispatcher/secret.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the clock ---- */

struct clock {
    int64_t offset_ms; /* mono = time since boot + offset */
    char boot[64];
};

static int64_t since_boot(void)
{
    return the_world->now_ms - the_world->boot_at_ms;
}

struct clock *clock_real(struct instant last, const char *boot)
{
    struct clock *clock = hook_alloc(sizeof(*clock));
    char id[32];
    int id_bytes = snprintf(id, sizeof(id), "boot-%u ", the_world->boot);
    if (strncmp(boot, id, (size_t)id_bytes) == 0) {
        clock->offset_ms = strtoll(boot + id_bytes, NULL, 10);
    } else {
        wall_us passed_us = world_wall(the_world) - last.wall;
        mono_ms start = last.mono + (boot[0] != '\0' && passed_us > 0 ? passed_us / 1000 : 0);
        clock->offset_ms = start - since_boot();
    }
    snprintf(clock->boot, sizeof(clock->boot), "%s%" PRId64, id, clock->offset_ms);
    return clock;
}

void clock_free(struct clock *clock)
{
    free(clock);
}

struct instant clock_now(struct clock *clock)
{
    return (struct instant){since_boot() + clock->offset_ms, world_wall(the_world)};
}

bool clock_is_virtual(const struct clock *clock)
{
    (void)clock;
    return false; /* as far as the service knows */
}

const char *clock_boot(const struct clock *clock)
{
    return clock->boot;
}

int64_t clock_span_ms(void)
{
    return the_world->now_ms + 1; /* 0 means "none" to the writer */
}

/* ---- mailboxes ---- */

bool mailbox_init(struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){.wake_fd = -1};
    return true;
}

void mailbox_destroy(struct mailbox *mailbox)
{
    assert(!mailbox->head);
}

void mailbox_send(struct mailbox *mailbox, struct mail *mail)
{
    mail->next = NULL;
    if (mailbox->tail)
        mailbox->tail->next = mail;
    else
        mailbox->head = mail;
    mailbox->tail = mail;
}

struct mail *mailbox_take(struct mailbox *mailbox)
{
    struct mail *mails = mailbox->head;
    mailbox->head = mailbox->tail = NULL;
    return mails;
}

void mailbox_wait(struct mailbox *mailbox, int timeout_ms)
{
    (void)mailbox; /* the world calls a round when there is something for it */
    (void)timeout_ms;
}

/* ---- random numbers ---- */

int secret_random_numbers(uint64_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = random_u64(&the_world->entropy);
    return 0;
}

int secret_random_text(char *out, size_t chars)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < chars; i++)
        out[i] = alphabet[random_u64(&the_world->entropy) % (sizeof(alphabet) - 1)];
    out[chars] = '\0';
    return 0;
}

/* ---- log lines ---- */

bool log_wanted(enum log_event event)
{
    if (event == LOG_store_failed)
        the_world->tally->commits_failed++;
    return event == LOG_fault;
}

void log_write(enum log_event event, const struct log_field *fields, size_t field_count)
{
    struct audit_event fault = {.kind = AUDIT_FAULT};
    assert(event == LOG_fault && field_count == 2);
    snprintf(fault.text, sizeof(fault.text), "%s: %s", fields[0].text, fields[1].text);
    world_tell(the_world, &fault);
}
