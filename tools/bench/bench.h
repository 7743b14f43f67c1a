/* What the files of `revhook bench` share: the plan of a bench, and what each run has measured. */
#ifndef REVHOOK_BENCH_BENCH_H
#define REVHOOK_BENCH_BENCH_H

#include "tools/bench/histogram.h"
#include "tools/bench/load.h"
#include "tools/bench/peer.h"
#include "tools/bench/sample.h"
#include "tools/bench/usage.h"
#include "tools/revhook/revhook.h"

#include <jansson.h>
#include <stdatomic.h>

enum mode { MODE_GUARD = 1, MODE_QUICK = 2, MODE_FULL = 4, MODE_LONG = 8 };

/* One figure of a run, or of a ceiling: measured once in each round. */
enum figure {
    FIGURE_RATE,              /* deliveries a second */
    FIGURE_BY_CPU,            /* the same if its CPU time were all, and nobody else there */
    FIGURE_CPU_US,            /* of the service, each delivery */
    FIGURE_CPU_FIRST_PART_US, /* the same by part: PART_COUNT figures from here */
    FIGURE_CPU_LAST_PART_US = FIGURE_CPU_FIRST_PART_US + PART_COUNT - 1,
    FIGURE_SINK_US,      /* of the sink, each delivery */
    FIGURE_PUBLISHER_US, /* of the publisher, each delivery */
    FIGURE_OTHERS_CORES, /* processors that other programs (or the host) took meanwhile */
    FIGURE_EVENTS_PER_COMMIT,
    FIGURE_RSS_IDLE_MB,
    FIGURE_RSS_MB, /* the most while it worked */
    FIGURE_P50_MS, /* from the time an event was due to be sent to its arrival */
    FIGURE_P90_MS,
    FIGURE_P99_MS,
    FIGURE_P999_MS,
    FIGURE_LATE_P99_MS, /* of that, what the publisher itself was late */
    FIGURE_READY_MS,    /* from the start of the program to its line */
    FIGURE_FIRST_MS,    /* from the start of the program to the first arrival */
    FIGURE_COUNT
};

struct figure_row {
    const char *name, *unit;
};
extern const struct figure_row figure_rows[FIGURE_COUNT];

/* Every run, by name: runs.def. */
enum run {
#define X(name, ...) RUN_##name,
#include "tools/bench/runs.def"
#undef X
    RUN_COUNT
};

/* The parts that nothing built of them can be faster than: ceilings.def. */
enum ceiling {
#define X(name, ...) CEILING_##name,
#include "tools/bench/ceilings.def"
#undef X
    CEILING_COUNT
};

/* What is compared is measured in turn, slice by slice; or, where it has timers of its own and
 * cannot be stopped, one after the other, several times in a round. The rest has the machine for
 * itself. */
enum together {
    ALONE,
    ONE_AFTER_OTHER,
    WITH_BATCHES,
    WITH_ENDPOINTS,
    WITH_TLS,
    WITH_FAN_OUT,
    WITH_WEBHOOKS,
    WITH_ROWS,
    TOGETHER_COUNT
};

#define ROUNDS_MAX 60
#define EVERY      ROUNDS_MAX /* rounds: in every one */
#define ALWAYS     60000      /* ms: as long as anything is measured */

/* What may be part of a round. */
struct plan_row {
    const char *name;
    unsigned modes;
    enum together together;
    unsigned repeats; /* rounds, at most */
    const char *help;
};

struct run_row {
    struct plan_row plan;
    int warm_ms; /* under load before it is measured */
    struct load load;
};
extern const struct run_row run_rows[RUN_COUNT];

struct ceiling_row {
    struct plan_row plan;
    int measure_ms_most; /* in a round */
};
extern const struct ceiling_row ceiling_rows[CEILING_COUNT];

/* What came of one run over all rounds. */
struct measured {
    struct sample figures[FIGURE_COUNT];
    struct histogram latency; /* of all rounds; of the endpoints that are well */
};

struct measured_ceiling {
    struct sample cpu_us;  /* each operation */
    struct sample rate;    /* a second, by one thread with the rest of the machine to itself */
    struct sample sink_us; /* of the sink, each request; for clients alone */
};

struct bench {
    enum mode mode;
    const char *daemon; /* program */
    const char *folder; /* for stores, logs; removed by the end */
    const char *only;   /* names of runs and ceilings, separated by commas, or NULL */
    unsigned rounds;    /* asked for; at the end: made */
    int budget_ms;      /* no round begins that would not end by then; 0: no limit */
    int measure_ms;
    int times;     /* in a round, of what is measured one after the other */
    int settle_ms; /* at most, until hardly any connections are made any more */
    int processors;
    struct peer peer;
    atomic_uint *events_per_commit; /* shared: of the service under load, 0 before */
    unsigned faults;                /* deliveries lost, refused or wrong; told with each */
    struct measured runs[RUN_COUNT];
    struct measured own_like_peer, peer_run; /* the same load on both */
    struct measured_ceiling ceilings[CEILING_COUNT];
};

/* --- plan.c */
/* Reads the options into *bench; false after printing what is wrong. */
bool plan_read(struct bench *bench, const struct cli *cli);
/* Whether a run or ceiling is part of this round (from 0), together with those. */
bool plan_has(const struct bench *bench, const struct plan_row *row, unsigned round,
              enum together together);
/* Prints the names of all runs and ceilings. */
void plan_print(void);

/* --- report.c */
void report_print(const struct bench *bench);
/* The whole as JSON, the caller's. */
json_t *report_json(const struct bench *bench);

#endif
