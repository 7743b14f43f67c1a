/* The start of a thread and waiting for one, see thread.h. */
#include "dispatcher/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *what,
                  char *error, size_t error_bytes)
{
    int code = pthread_create(thread, NULL, run, argument);
    if (code == 0)
        return true;
    /* EAGAIN is also what pthread_create says when its memory is refused. */
    snprintf(error, error_bytes, "cannot start the thread of %s: %s", what,
             code == EAGAIN ? "no memory for it, or too many threads (see ulimit -u)"
                            : strerror(code));
    return false;
}

void thread_wait(sem_t *posted)
{
    while (sem_wait(posted) != 0)
        continue;
}
