/* The end of the HTTP server, with whoever asked for it held up where it wakes the loop: write and
 * close of this program stand before those of the C library, for libh2o, too. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "http_fixture.h"

#include <dirent.h>
#include <dlfcn.h>

static ssize_t (*real_write)(int fd, const void *bytes, size_t count);
static int (*real_close)(int fd);

static _Thread_local bool asks_to_end;
static atomic_int woken_fd = -1; /* through which the loop is being woken */
static atomic_bool closed_meanwhile;

/* What the thread "api" of this process does, as in proc(5); 0 when it has ended. */
static char state_of_loop(void)
{
    DIR *threads = opendir("/proc/self/task");
    char path[300], line[256], state = 0;
    for (struct dirent *at; threads != NULL && (at = readdir(threads)) != NULL;) {
        snprintf(path, sizeof(path), "/proc/self/task/%s/stat", at->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL && fgets(line, sizeof(line), file) != NULL)
            sscanf(line, "%*d (api) %c", &state);
        if (file != NULL)
            fclose(file);
    }
    if (threads != NULL)
        closedir(threads);
    return state;
}

/* The loop is awake when this has written, and goes as far as it gets. */
ssize_t write(int fd, const void *bytes, size_t count)
{
    if (!asks_to_end)
        return real_write(fd, bytes, count);
    asks_to_end = false;
    woken_fd = fd;
    ssize_t written = real_write(fd, bytes, count);
    for (char state = 'R'; state != 0 && state != 'S' && !closed_meanwhile;)
        state = state_of_loop();
    woken_fd = -1;
    return written;
}

int close(int fd)
{
    if (fd == woken_fd)
        closed_meanwhile = true;
    return real_close(fd);
}

static void the_loop_is_not_torn_down_under_who_wakes_it(void **state)
{
    struct world *world = *state;
    http_pause(world->http);
    asks_to_end = true;
    http_stop(world->http, 1000);
    world->http = NULL;
    assert_false(asks_to_end); /* the loop was woken */
    assert_false(closed_meanwhile);
}

int main(void)
{
    real_write = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    real_close = (int (*)(int))dlsym(RTLD_NEXT, "close");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_loop_is_not_torn_down_under_who_wakes_it, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
