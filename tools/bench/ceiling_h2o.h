/* libh2o with nothing behind it. */
#ifndef REVHOOK_BENCH_CEILING_H2O_H
#define REVHOOK_BENCH_CEILING_H2O_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct h2o_board {
    bool scan;        /* make each body canonical, as the service must before it can take events */
    unsigned answers; /* so many answers in one, each as long as the service's for an event */
    /* told */
    atomic_int port; /* 0: does not listen yet */
    atomic_ulong requests;
};

/* A process that takes POSTs and answers 202. `board` is shared memory. -1 after printing what is
 * wrong. */
pid_t ceiling_h2o_start(struct h2o_board *board);

#endif
