/* The stage of a run: a sink, a store prepared for the load, a daemon on it, a publisher. */
#ifndef REVHOOK_BENCH_STAGE_H
#define REVHOOK_BENCH_STAGE_H

#include "tools/bench/bench.h"
#include "tools/bench/publisher.h"
#include "tools/bench/service.h"
#include "tools/bench/sink.h"

struct stage {
    struct bench *bench;
    const struct run_row *row;
    struct load load;
    struct service service;
    struct sink_board *sink;
    struct publisher_board *publisher;
    pid_t sink_pid, publisher_pid;
    struct measured *measured;
};

/* An empty stage with a folder of its own; bench, row, load and measured are the caller's. False
 * after printing what is wrong; to be cleared in any case. */
bool stage_set(struct stage *stage, struct bench *bench);
/* Ends and removes whatever there is. */
void stage_clear(struct stage *stage);

/* Sink, store and daemon; or the sink alone. False after printing what is wrong. */
bool stage_start(struct stage *stage);
bool stage_start_sink(struct stage *stage);
/* Begins to publish. False after printing what is wrong. */
bool stage_publish(struct stage *stage);
/* Pauses the publisher, and waits until what it sent has arrived; what has not by then is told by
 * stage_settle. False if a signal asks to end. */
bool stage_rest(struct stage *stage);
/* Ends the publisher. Everything that was accepted has arrived, and nothing else, or it is told and
 * counted as a fault. */
void stage_settle(struct stage *stage);

/* The figures of the next measure_ms, so many times as the run has it. False if a signal asks to
 * end. */
bool stage_measure(struct stage *stage);
void stage_add_latency(struct stage *stage);
void stage_add(struct stage *stage, enum figure figure, double value);

#endif
