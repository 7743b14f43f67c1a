/* What a ceiling that works in a process of its own shares with the bench. */
#ifndef REVHOOK_BENCH_WORKER_H
#define REVHOOK_BENCH_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

struct worker_board {
    /* asked */
    atomic_bool paused; /* begin no more until it is taken back */
    atomic_bool stop;   /* begin no more, end */
    bool scan; /* h2o: make each body canonical, as the service must before it takes events */
    unsigned answers; /* h2o: so many in one, each as long as the service's for an event */
    /* told */
    atomic_int port; /* h2o: where it listens; 0: not yet */
    atomic_ulong done, failed;
    atomic_ulong under_way; /* curl: requests */
};

#endif
