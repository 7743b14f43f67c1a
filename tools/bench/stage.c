/* What is measured, see stage.h.
 *
 * Owns: the processes of a stage while it is measured; the figures, which are differences between
 * two looks at the same counters, so that start and end are in none of them. Refuses: to know what
 * the counters mean (run.c, ceiling.c). */
#include "tools/bench/stage.h"

#include "tools/bench/child.h"

#include <stdio.h>

#define RAMP_MS          20  /* after it was stopped, before it is measured: caches fill */
#define SETTLED_ARRIVALS 200 /* for each new connection */
#define REST_MS          15000
#define END_MS           10000

/* ---- looks ---- */

static uint64_t machine_idle_ns(int processors)
{
    FILE *file = fopen("/proc/stat", "re");
    uint64_t ns = file != NULL ? usage_idle_ns(file, processors) : 0;
    if (file != NULL)
        fclose(file);
    return ns;
}

static struct look look_at(const struct stage *stage)
{
    static const char *const names[] = {"events_accepted_total", "commits_total"};
    double counters[2] = {0};
    struct look look = {0};
    if (stage->service.port != 0)
        service_metrics(&stage->service, 2, names, counters);
    look.events = counters[0];
    look.commits = counters[1];
    look.count = atomic_load(stage->count);
    look.at_ns = now_ns();
    look.worker = usage_of(stage->worker_pid);
    look.sink = usage_of(stage->sink_pid);
    look.publisher = usage_of(stage->publisher_pid);
    look.idle_ns = machine_idle_ns(stage->bench->processors);
    return look;
}

static void add_usage(struct usage *sum, const struct usage *from, const struct usage *to)
{
    for (int i = 0; i < PART_COUNT; i++)
        sum->ns[i] += to->ns[i] - from->ns[i];
}

static void add_look(struct look *sum, const struct look *from, const struct look *to)
{
    sum->at_ns += to->at_ns - from->at_ns;
    sum->idle_ns += to->idle_ns - from->idle_ns;
    sum->count += to->count - from->count;
    add_usage(&sum->worker, &from->worker, &to->worker);
    add_usage(&sum->sink, &from->sink, &to->sink);
    add_usage(&sum->publisher, &from->publisher, &to->publisher);
    sum->events += to->events - from->events;
    sum->commits += to->commits - from->commits;
}

/* ---- slices ---- */

static void hold(const struct stage *stage)
{
    child_hold(stage->publisher_pid);
    child_hold(stage->worker_pid);
    child_hold(stage->sink_pid);
}

/* Those that others wait for first. */
static void go_on(const struct stage *stage)
{
    child_go_on(stage->sink_pid);
    child_go_on(stage->worker_pid);
    child_go_on(stage->publisher_pid);
}

static bool begin(struct stage *stage)
{
    if (stage->begun || stage->begin == NULL)
        return true;
    stage->begun = true;
    return stage->begin(stage);
}

static void pause_load(struct stage *stage, bool paused)
{
    atomic_store(&stage->publisher->paused, paused);
    atomic_store(&stage->worker->paused, paused);
}

bool stage_slice(struct stage *stage, int ms, bool measured)
{
    pause_load(stage, false);
    go_on(stage);
    if (!begin(stage) || (stage->in_turn && !child_pause(RAMP_MS)))
        return false;
    if (measured && stage->done.at_ns == 0)
        atomic_store(&stage->sink->record_from_ns, now_ns());
    unsigned long connections = atomic_load(&stage->sink->connections);
    unsigned long arrivals = atomic_load(&stage->sink->arrivals);
    struct look from = look_at(stage);
    if (!child_pause(ms))
        return false;
    struct look to = look_at(stage);
    stage->connections = atomic_load(&stage->sink->connections) - connections;
    stage->arrivals = atomic_load(&stage->sink->arrivals) - arrivals;
    if (measured)
        add_look(&stage->done, &from, &to);
    if (stage->events_per_commit != NULL && to.commits > from.commits)
        atomic_store(stage->events_per_commit,
                     (unsigned)((to.events - from.events) / (to.commits - from.commits)));
    if (stage->in_turn)
        hold(stage);
    return true;
}

/* Requests and deliveries under way. */
static bool busy(const struct stage *stage)
{
    const struct publisher_board *publisher = stage->publisher;
    unsigned long accepted = atomic_load(&publisher->accepted);
    unsigned long answered =
        accepted + atomic_load(&publisher->refused) + atomic_load(&publisher->failed);
    unsigned long promised = stage->service.port != 0 ? accepted * load_fan_out(&stage->load) : 0;
    return atomic_load(&publisher->sent) > answered ||
           atomic_load(&stage->sink->arrivals) < promised ||
           atomic_load(&stage->worker->under_way) > 0;
}

bool stage_rest(struct stage *stage)
{
    pause_load(stage, true);
    for (int ms = 0; ms < REST_MS && busy(stage); ms++)
        if (!child_pause(1))
            return false;
    hold(stage);
    return true;
}

void stage_stop(struct stage *stage)
{
    atomic_store(&stage->publisher->stop, true);
    atomic_store(&stage->worker->stop, true);
    go_on(stage);
}

bool stage_settled(const struct stage *stage)
{
    /* Those that hang are connected to anew all the time. */
    return stage->sink_pid < 0 || stage->load.hanging > 0 ||
           (stage->arrivals > 0 && stage->connections * SETTLED_ARRIVALS <= stage->arrivals);
}

/* ---- the parts ---- */

bool stage_start_sink(struct stage *stage)
{
    struct sink_board *sink = stage->sink;
    sink->endpoints = stage->load.endpoints;
    sink->hanging = stage->load.hanging;
    sink->tls = stage->load.tls;
    atomic_store(&sink->record_from_ns, UINT64_MAX);
    if (sink->tls) {
        snprintf(sink->certificate, sizeof(sink->certificate), "%s/certificate.pem",
                 stage->service.folder);
        snprintf(stage->service.ca_file, sizeof(stage->service.ca_file), "%s", sink->certificate);
        if (!service_certificate(sink->certificate))
            return false;
    }
    stage->sink_pid = sink_start(sink);
    return stage->sink_pid > 0;
}

bool stage_set(struct stage *stage, struct bench *bench, const char *name)
{
    *stage = (struct stage){.bench = bench,
                            .name = name,
                            .measure_ms = bench->measure_ms,
                            .service = {.program = bench->daemon},
                            .worker_pid = -1,
                            .sink_pid = -1,
                            .publisher_pid = -1,
                            .each = 1};
    stage->sink = child_share(sizeof(*stage->sink));
    stage->publisher = child_share(sizeof(*stage->publisher));
    stage->worker = child_share(sizeof(*stage->worker));
    stage->count = &stage->sink->arrivals;
    if (child_folder(bench->folder, stage->service.folder, sizeof(stage->service.folder)))
        return true;
    refused("cannot make a folder in %s (see --dir)", bench->folder);
    return false;
}

void stage_clear(struct stage *stage)
{
    child_end(stage->publisher_pid, 0);
    child_end(stage->worker_pid, END_MS);
    child_end(stage->sink_pid, 1000);
    child_remove(stage->service.folder);
    child_unshare(stage->sink, sizeof(*stage->sink));
    child_unshare(stage->publisher, sizeof(*stage->publisher));
    child_unshare(stage->worker, sizeof(*stage->worker));
}
