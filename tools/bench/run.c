/* One run against the service, see bench.h.
 *
 * Owns: the order of a run. Happy path: the parts are started, some time to settle, a look at the
 * counters, some time under load, another look, and everything that was accepted must arrive. What
 * is measured in every round is not ended between two of them, only paused.
 *
 * Failure modes: a part that does not start ends the run, and the bench says so; what was lost,
 * refused or signed wrongly is counted in bench->faults and told. Refuses: to go on after a signal.
 */
#include "tools/bench/child.h"
#include "tools/bench/stage.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_MS 60000

/* Publishes, and waits until it is as it will go on. */
static bool warm_up(struct stage *stage)
{
    /* Those that hang are connected to anew all the time. */
    bool ready = stage_publish(stage) &&
                 (stage->load.hanging > 0
                      ? child_pause(stage->row->warm_ms)
                      : sink_settle(stage->sink, stage->row->warm_ms, stage->bench->settle_ms));
    atomic_store(&stage->sink->record_from_ns, now_ns());
    return ready;
}

static bool measure_load(struct stage *stage)
{
    if (!warm_up(stage) || !stage_measure(stage))
        return false;
    stage_settle(stage); /* what is still on its way belongs to the latencies, too */
    if (child_stopped())
        return false;
    stage_add_latency(stage);
    return true;
}

/* Nothing is published: what waited in the store is sent. */
static bool measure_recovery(struct stage *stage)
{
    for (int i = 0; atomic_load(&stage->sink->first_ns) == 0; i++)
        if (!child_pause(1) || i == FIRST_MS)
            return false;
    if (!stage_measure(stage))
        return false;
    stage_add(stage, FIGURE_READY_MS, stage->service.ready_ms);
    stage_add(stage, FIGURE_FIRST_MS,
              (double)(atomic_load(&stage->sink->first_ns) - stage->service.began_ns) / 1e6);
    stage_settle(stage);
    return true;
}

/* How much memory it takes before anything is published. */
static bool add_idle(struct stage *stage)
{
    if (!child_pause(150))
        return false;
    stage_add(stage, FIGURE_RSS_IDLE_MB, usage_rss_mb(stage->service.pid));
    return true;
}

static bool play(struct stage *stage)
{
    return stage_start(stage) && (stage->load.pending > 0 ? measure_recovery(stage)
                                                          : add_idle(stage) && measure_load(stage));
}

/* ---- what is measured in every round ---- */

/* It stays open from round to round, so that rounds are short, and begins anew now and then, so
 * that its store stays small. In between its publisher is paused, and it costs nothing; connections
 * that were idle for seconds have been closed by then and are made again before it is measured. */
#define OPEN_ROUNDS 5
#define RAMP_MS     150 /* at least, until it goes on as before the pause */

static struct {
    struct stage *stage; /* NULL: not open */
    unsigned rounds;     /* measured since it was opened */
} open_runs[RUN_COUNT];

static bool open_run(struct bench *bench, enum run run)
{
    struct stage *stage = open_runs[run].stage = malloc(sizeof(*stage));
    if (stage == NULL)
        out_of_memory();
    open_runs[run].rounds = 0;
    *stage = (struct stage){
        .row = &run_rows[run], .load = run_rows[run].load, .measured = &bench->runs[run]};
    return stage_set(stage, bench) && stage_start(stage) && add_idle(stage) && warm_up(stage) &&
           stage_rest(stage);
}

static void close_run(enum run run)
{
    struct stage *stage = open_runs[run].stage;
    if (stage == NULL)
        return;
    if (!child_stopped()) {
        stage_settle(stage);
        stage_add_latency(stage);
    }
    stage_clear(stage);
    free(stage);
    open_runs[run].stage = NULL;
}

static bool measure_open(struct bench *bench, enum run run)
{
    if (open_runs[run].rounds == OPEN_ROUNDS)
        close_run(run);
    if (open_runs[run].stage == NULL && !open_run(bench, run))
        return false;
    struct stage *stage = open_runs[run].stage;
    open_runs[run].rounds++;
    atomic_store(&stage->publisher->paused, false);
    return sink_settle(stage->sink, RAMP_MS, bench->settle_ms) && stage_measure(stage) &&
           stage_rest(stage);
}

void run_close(void)
{
    for (int i = 0; i < RUN_COUNT; i++)
        close_run((enum run)i);
}

bool run_measure(struct bench *bench, enum run run)
{
    if (run_rows[run].repeats == EVERY)
        return measure_open(bench, run);
    struct stage stage = {
        .row = &run_rows[run], .load = run_rows[run].load, .measured = &bench->runs[run]};
    bool good = stage_set(&stage, bench) && play(&stage);
    stage_clear(&stage);
    return good;
}

/* ---- another service ---- */

static const struct run_row peer_row = {
    .name = "peer", .times = 1, .warm_ms = 1000, .help = "single events to one endpoint"};

static const struct load peer_load = {.orgs = 1,
                                      .types = 1,
                                      .endpoints = 1,
                                      .batch = 1,
                                      .connections = 32,
                                      .backlog = 4000,
                                      .event_bytes = 1024};

bool run_measure_peer(struct bench *bench)
{
    struct stage own = {.row = &peer_row, .load = peer_load, .measured = &bench->own_like_peer};
    struct stage other = {.row = &peer_row, .load = peer_load, .measured = &bench->peer_run};
    bool good = stage_set(&own, bench) && play(&own);
    stage_clear(&own);
    if (!good)
        return false;
    good = stage_set(&other, bench);
    other.sink->port = bench->peer.sink_port;
    snprintf(other.publisher->host, sizeof(other.publisher->host), "%s", bench->peer.host);
    snprintf(other.publisher->head, sizeof(other.publisher->head), "%s", bench->peer.head);
    other.publisher->ports[0] = bench->peer.port;
    other.publisher->frame = bench->peer.body;
    good = good && stage_start_sink(&other) && measure_load(&other);
    stage_clear(&other);
    return good;
}
