/* The receiver of a bench: one process, one thread, bare epoll, as cheap as a receiver can be, so
 * that what is measured is the sender. */
#ifndef REVHOOK_BENCH_SINK_H
#define REVHOOK_BENCH_SINK_H

#include "tools/bench/histogram.h"
#include "tools/bench/load.h"

#include <stdatomic.h>
#include <sys/types.h>

/* What the sink and the others share. The sink writes what it counts, the bench what it asks. */
struct sink_board {
    /* asked */
    unsigned endpoints;
    unsigned hanging;            /* the last ones: half of them never answer, half drip */
    bool tls;                    /* with the certificate and key in these files */
    char certificate[4200];      /* PEM, both in one */
    unsigned port;               /* of the first endpoint; 0: any free one */
    atomic_ulong record_from_ns; /* latencies of events sent from then on go into the histograms */
    /* told */
    atomic_bool ready;
    char error[256];
    uint16_t ports[LOAD_ENDPOINTS_MAX];
    atomic_ulong connections; /* accepted */
    atomic_ulong arrivals;    /* event POSTs with a complete body */
    atomic_ulong verifies;
    atomic_ulong first_ns; /* when the first of them had arrived; 0: none yet */
    atomic_ulong unreadable;
    atomic_ulong signatures_good, signatures_bad; /* of every 64th */
    struct histogram well, hanging_ones; /* from send to arrival, by the kind of endpoint */
};

/* Starts it. `board` is shared memory with what is asked filled in. Waits until it listens. -1
 * after printing what is wrong. */
pid_t sink_start(struct sink_board *board);

#endif
