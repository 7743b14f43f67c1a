/* The publisher of a bench: one process, bare epoll, some connections with a request under way on
 * each. Also the bare HTTP client whose cost is one of the ceilings. */
#ifndef REVHOOK_BENCH_PUBLISHER_H
#define REVHOOK_BENCH_PUBLISHER_H

#include "tools/bench/histogram.h"
#include "tools/bench/load.h"

#include <stdatomic.h>
#include <sys/types.h>

/* What it shares with the bench. */
struct publisher_board {
    /* asked */
    struct load load;
    char host[64];                      /* an address, "127.0.0.1" */
    uint16_t ports[LOAD_ENDPOINTS_MAX]; /* connection n goes to ports[n % port_count] */
    unsigned port_count;
    char head[2048]; /* request line and headers, each with its line end, but for Content-Length */
    bool tokens;     /* with the token of the organisation */
    const char *frame;            /* NULL, or the body of another service (load.h) */
    const atomic_ulong *arrivals; /* of the sink */
    uint64_t backlog_max;         /* deliveries: no request begins while so many have not arrived */
    atomic_bool paused;           /* begin no more until it is taken back */
    atomic_bool stop;             /* begin no more, wait for what is under way, end */
    /* told */
    atomic_ulong sent;         /* events sent (begun) */
    atomic_ulong accepted;     /* events answered 2xx */
    atomic_ulong refused;      /* events answered 429 or 503 */
    atomic_ulong failed;       /* events answered otherwise, or whose connection broke */
    atomic_int status;         /* of the last such answer; 0: none came */
    struct histogram late;     /* by schedule: from when an event was due to when it was sent */
    struct histogram answered; /* from when a request was due to its complete answer */
};

/* Starts it; `board` is shared memory with what is asked filled in. -1 after printing what is
 * wrong. */
pid_t publisher_start(struct publisher_board *board);

#endif
