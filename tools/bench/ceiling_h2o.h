/* libh2o with nothing behind it. */
#ifndef REVHOOK_BENCH_CEILING_H2O_H
#define REVHOOK_BENCH_CEILING_H2O_H

#include "tools/bench/worker.h"

#include <sys/types.h>

/* A process that takes POSTs and answers 202. `board` is shared memory. -1 after printing what is
 * wrong. */
pid_t ceiling_h2o_start(struct worker_board *board);

#endif
