/* A stage: one run or one ceiling with the processes that it needs, and what they have done while
 * it was measured.
 *
 * The life of a stage: opened (run.c, ceiling.c), then slices, in the first of which its load
 * begins, then its end. Between two slices all its processes are stopped (SIGSTOP), so that they go
 * on as if nothing had happened, and others have the machine. */
#ifndef REVHOOK_BENCH_STAGE_H
#define REVHOOK_BENCH_STAGE_H

#include "tools/bench/bench.h"
#include "tools/bench/publisher.h"
#include "tools/bench/service.h"
#include "tools/bench/sink.h"
#include "tools/bench/worker.h"

/* One look at everything that counts, or what happened between such looks. */
struct look {
    uint64_t at_ns, idle_ns;
    uint64_t count;
    struct usage worker, sink, publisher;
    double events, commits;
};

struct stage {
    struct bench *bench;
    const char *name;
    int warm_ms;                   /* under load, before it is measured */
    int measure_ms;                /* how long it is to be measured */
    bool (*begin)(struct stage *); /* its load; false after printing what is wrong */
    bool (*end)(struct stage *);   /* waits for what was stopped, adds the figures; as begin */
    struct load load;
    struct service service; /* its folder is the stage's; not started for ceilings */
    struct sink_board *sink;
    struct publisher_board *publisher;
    struct worker_board *worker;   /* of a ceiling */
    pid_t worker_pid;              /* what is measured: the service, or a ceiling */
    pid_t sink_pid, publisher_pid; /* -1: none, as for the worker */
    const atomic_ulong *count;     /* what is done, and by how much each of it counts */
    unsigned each;
    struct look done;                    /* of all slices measured */
    atomic_uint *events_per_commit;      /* where that is told after each slice, or NULL */
    unsigned long connections, arrivals; /* of the sink, in the last slice */
    bool in_turn;                        /* stopped between its slices: others have theirs */
    bool begun;
    struct measured *measured; /* for the figures of a run */
    enum ceiling ceiling;      /* for those of a ceiling */
};

/* An empty stage with a folder of its own. False after printing what is wrong; to be cleared in any
 * case. */
bool stage_set(struct stage *stage, struct bench *bench, const char *name);
/* Ends and removes whatever there is. */
void stage_clear(struct stage *stage);

/* The receiver that its load asks for. False after printing what is wrong. */
bool stage_start_sink(struct stage *stage);

/* Lets it work for `ms` more (the first time begins the load), and adds that to what is done if it
 * is `measured`. Then it is stopped where it is, if it is one of those in turn. False if a signal
 * asks to end, or after printing what is wrong. */
bool stage_slice(struct stage *stage, int ms, bool measured);

/* Pauses its load until the next slice, and stops it when nothing is under way: so it can stay for
 * longer than an answer may take. False if a signal asks to end. */
bool stage_rest(struct stage *stage);

/* Its load begins no more; what is under way is finished. */
void stage_stop(struct stage *stage);

/* Whether hardly any connections were made in the last slice: it is at work, and no longer
 * beginning. */
bool stage_settled(const struct stage *stage);

/* The kinds of stages. Each fills one in and starts what waits for its load. False after printing
 * what is wrong; to be cleared in any case. */

/* --- run.c: the service; or a load of single events to one endpoint on it, and on the peer */
bool run_open(struct stage *stage, struct bench *bench, enum run run);
bool run_open_own(struct stage *stage, struct bench *bench);
bool run_open_peer(struct stage *stage, struct bench *bench);
/* --- ceiling.c */
bool ceiling_open(struct stage *stage, struct bench *bench, enum ceiling ceiling);

#endif
