/* The runs against the service, see bench.h.
 *
 * Owns: what a run starts, in which order; what its counters mean; and that everything that was
 * accepted arrives in the end: a rate with losses is none.
 *
 * Failure modes: a part that does not start ends the run, and the bench says so; what was lost,
 * refused or signed wrongly is counted in bench->faults and told. Refuses: to go on after a signal.
 */
#include "tools/bench/group.h"

#include "tools/bench/child.h"

#include <stdio.h>

#define FIRST_MS       60000
#define IDLE_MS        150
#define ARRIVE_MS      15000
#define ARRIVE_STEP_MS 20

/* ---- figures ---- */

static void add(struct stage *stage, enum figure figure, double value)
{
    sample_add(&stage->measured->figures[figure], value);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* Of one that was stopped in between they would be those of the stops. */
static void add_latency(struct stage *stage)
{
    struct histogram *well = &stage->sink->well;
    histogram_merge(&stage->measured->latency, well);
    add(stage, FIGURE_P50_MS, ms(histogram_at(well, 0.5)));
    add(stage, FIGURE_P90_MS, ms(histogram_at(well, 0.9)));
    add(stage, FIGURE_P99_MS, ms(histogram_at(well, 0.99)));
    add(stage, FIGURE_P999_MS, ms(histogram_at(well, 0.999)));
    add(stage, FIGURE_LATE_P99_MS, ms(histogram_at(&stage->publisher->late, 0.99)));
}

static void add_figures(struct stage *stage)
{
    const struct look *done = &stage->done;
    double seconds = (double)done->at_ns / 1e9;
    double each_us = done->count > 0 ? 1 / ((double)done->count * 1e3) : 0;
    double all = (double)usage_total(&done->worker), sink = (double)usage_total(&done->sink),
           publisher = (double)usage_total(&done->publisher);
    double ours = all + sink + publisher;
    double others = stage->bench->processors - ((double)done->idle_ns + ours) / (double)done->at_ns;
    add(stage, FIGURE_RATE, (double)done->count / seconds);
    add(stage, FIGURE_BY_CPU, stage->bench->processors * 1e6 / (ours * each_us));
    add(stage, FIGURE_CPU_US, all * each_us);
    for (int i = 0; i < PART_COUNT; i++)
        add(stage, (enum figure)(FIGURE_CPU_FIRST_PART_US + i),
            (double)done->worker.ns[i] * each_us);
    add(stage, FIGURE_SINK_US, sink * each_us);
    add(stage, FIGURE_PUBLISHER_US, publisher * each_us);
    add(stage, FIGURE_OTHERS_CORES, others > 0 ? others : 0);
    if (done->commits > 0)
        add(stage, FIGURE_EVENTS_PER_COMMIT, done->events / done->commits);
    add(stage, FIGURE_RSS_MB, usage_rss_peak_mb(stage->worker_pid));
    if (!stage->in_turn)
        add_latency(stage);
}

/* ---- the end: everything that was accepted has arrived, and nothing else ---- */

static void fault(struct stage *stage, const char *what, unsigned long count)
{
    if (count == 0 || child_stopped())
        return;
    fprintf(stderr, "  fault: %s: %lu %s\n", stage->name, count, what);
    stage->bench->faults++;
}

/* Waits until everything that was accepted has arrived, but for what failed (no answer within 3 s)
 * and is sent again half a minute later. That happens on a busy machine; nothing is lost, but it is
 * told. */
static void await_arrivals(struct stage *stage, unsigned long promised)
{
    static const char *const names[] = {"attempts_failed_total"};
    unsigned long arrived = 0, failed = 0;
    for (int i = 0; i < ARRIVE_MS / ARRIVE_STEP_MS; i++) {
        arrived = atomic_load(&stage->sink->arrivals);
        if (arrived >= promised)
            break;
        double told;
        service_metrics(&stage->service, 1, names, &told);
        failed = told > 0 ? (unsigned long)told : 0;
        if (arrived + failed >= promised || !child_pause(ARRIVE_STEP_MS))
            break;
    }
    if (failed > 0)
        fprintf(stderr, "  %s: %lu attempts failed; they wait for their retry\n", stage->name,
                failed);
    fault(stage, "deliveries of accepted events have not arrived",
          promised > arrived + failed ? promised - arrived - failed : 0);
    fault(stage, "deliveries arrived that nobody was promised",
          arrived > promised ? arrived - promised : 0);
}

static void end_publisher(struct stage *stage)
{
    const struct publisher_board *publisher = stage->publisher;
    fault(stage, "publisher did not end", child_wait(stage->publisher_pid, 10000) != 0);
    stage->publisher_pid = -1;
    if (stage->load.hanging == 0 && stage->service.port != 0)
        await_arrivals(stage, atomic_load(&publisher->accepted) * load_fan_out(&stage->load));
    if (atomic_load(&publisher->failed) > 0)
        fprintf(stderr, "  the last unexpected status was %d\n", atomic_load(&publisher->status));
    fault(stage, "events were refused with 429 or 503", atomic_load(&publisher->refused));
    fault(stage, "events were not accepted", atomic_load(&publisher->failed));
}

static bool end_run(struct stage *stage)
{
    if (stage->publisher_pid > 0)
        end_publisher(stage);
    if (stage->service.port != 0)
        fault(stage, "signatures were wrong", atomic_load(&stage->sink->signatures_bad));
    fault(stage, "requests could not be read", atomic_load(&stage->sink->unreadable));
    if (child_stopped())
        return false;
    add_figures(stage); /* what was still on its way belongs to the latencies, too */
    return true;
}

/* ---- the beginning ---- */

static bool publish(struct stage *stage)
{
    struct publisher_board *board = stage->publisher;
    uint64_t request = (uint64_t)stage->load.batch * load_fan_out(&stage->load);
    board->load = stage->load;
    board->arrivals = &stage->sink->arrivals;
    board->backlog_max = request * 3 > stage->load.backlog ? request * 3 : stage->load.backlog;
    board->port_count = 1;
    if (stage->service.port != 0) {
        snprintf(board->host, sizeof(board->host), "127.0.0.1");
        board->ports[0] = stage->service.port;
        snprintf(board->head, sizeof(board->head),
                 "POST /events.publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                 "application/json\r\n");
        board->tokens = true;
    }
    stage->publisher_pid = publisher_start(board);
    return stage->publisher_pid > 0;
}

static bool set(struct stage *stage, struct bench *bench, const struct run_row *row,
                struct measured *measured)
{
    bool good = stage_set(stage, bench, row->plan.name);
    stage->warm_ms = row->warm_ms;
    stage->load = row->load;
    stage->begin = row->load.pending > 0 ? NULL : publish;
    stage->end = end_run;
    stage->measured = measured;
    return good;
}

/* Sink, store and daemon. */
static bool start(struct stage *stage)
{
    if (!stage_start_sink(stage) ||
        !service_prepare(&stage->service, &stage->load, stage->sink->ports))
        return false;
    stage->worker_pid = service_start(&stage->service);
    return stage->worker_pid > 0;
}

/* Nothing is published: what waited in the store is sent. */
static bool await_first(struct stage *stage)
{
    for (int i = 0; atomic_load(&stage->sink->first_ns) == 0; i++)
        if (!child_pause(1) || i == FIRST_MS)
            return false;
    add(stage, FIGURE_READY_MS, stage->service.ready_ms);
    add(stage, FIGURE_FIRST_MS, ms(atomic_load(&stage->sink->first_ns) - stage->service.began_ns));
    return true;
}

/* How much memory it takes before anything is published. */
static bool add_idle(struct stage *stage)
{
    if (!child_pause(IDLE_MS))
        return false;
    add(stage, FIGURE_RSS_IDLE_MB, usage_rss_mb(stage->worker_pid));
    return true;
}

bool run_open(struct stage *stage, struct bench *bench, enum run run)
{
    bool good = set(stage, bench, &run_rows[run], &bench->runs[run]);
    stage->events_per_commit = run == RUN_batches ? bench->events_per_commit : NULL;
    return good && start(stage) && (stage->begin != NULL ? add_idle(stage) : await_first(stage));
}

/* ---- another service ---- */

static const struct run_row peer_row = {.plan = {.name = "peer"},
                                        .warm_ms = 1000,
                                        .load = {.orgs = 1,
                                                 .types = 1,
                                                 .endpoints = 1,
                                                 .batch = 1,
                                                 .connections = 32,
                                                 .backlog = 4000,
                                                 .event_bytes = 1024}};

bool run_open_own(struct stage *stage, struct bench *bench)
{
    return set(stage, bench, &peer_row, &bench->own_like_peer) && start(stage) && add_idle(stage);
}

bool run_open_peer(struct stage *stage, struct bench *bench)
{
    bool good = set(stage, bench, &peer_row, &bench->peer_run);
    stage->sink->port = bench->peer.sink_port;
    snprintf(stage->publisher->host, sizeof(stage->publisher->host), "%s", bench->peer.host);
    snprintf(stage->publisher->head, sizeof(stage->publisher->head), "%s", bench->peer.head);
    stage->publisher->ports[0] = bench->peer.port;
    stage->publisher->frame = bench->peer.body;
    return good && stage_start_sink(stage);
}
