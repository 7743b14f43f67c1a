/* One run against the service, see bench.h.
 *
 * Owns: the order of a run. Happy path: a folder, a sink, a store prepared for the load, a daemon
 * on it, a publisher; some time to settle; then the figures are the differences between two looks
 * at the same counters, so that start and end are in none of them. At the end everything that was
 * accepted must have arrived: a rate with losses is none.
 *
 * Failure modes: a part that does not start ends the run, and the bench says so; what was lost,
 * refused or signed wrongly is counted in bench->faults and told. Refuses: to go on after a signal.
 */
#include "tools/bench/bench.h"
#include "tools/bench/child.h"
#include "tools/bench/publisher.h"
#include "tools/bench/service.h"
#include "tools/bench/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRIVE_MS      15000
#define ARRIVE_STEP_MS 20
#define FIRST_MS       60000

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

/* One look at everything that counts. */
struct look {
    uint64_t at_ns, busy_ns;
    uint64_t arrivals;
    struct usage service, sink, publisher;
    double events, commits;
};

/* Time that the processors of this process were not idle, the host's theft included. */
static uint64_t machine_busy_ns(int processors)
{
    char line[512];
    unsigned long long busy = 0;
    FILE *file = fopen("/proc/stat", "re");
    for (int seen = 0; file != NULL && seen < processors && fgets(line, sizeof(line), file);) {
        unsigned long long user, nice, kernel, idle, wait, irq, soft, steal;
        if (sscanf(line, "cpu%*d %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &kernel,
                   &idle, &wait, &irq, &soft, &steal) != 8)
            continue;
        busy += user + nice + kernel + irq + soft + steal;
        seen++;
    }
    if (file != NULL)
        fclose(file);
    return busy * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK));
}

static struct look look_at(const struct stage *stage)
{
    struct look look = {.events = service_metric(&stage->service, "events_accepted_total"),
                        .commits = service_metric(&stage->service, "commits_total")};
    look.arrivals = atomic_load(&stage->sink->arrivals);
    look.at_ns = now_ns();
    look.service = usage_of(stage->service.pid);
    look.sink = usage_of(stage->sink_pid);
    if (stage->publisher_pid > 0)
        look.publisher = usage_of(stage->publisher_pid);
    look.busy_ns = machine_busy_ns(stage->bench->processors);
    return look;
}

static void add(struct stage *stage, enum figure figure, double value)
{
    sample_add(&stage->measured->figures[figure], value);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

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

/* What happened between two looks. */
static void add_figures(struct stage *stage, const struct look *from, const struct look *to)
{
    double seconds = (double)(to->at_ns - from->at_ns) / 1e9;
    double arrived = (double)(to->arrivals - from->arrivals);
    double each_us = arrived > 0 ? 1 / (arrived * 1e3) : 0;
    uint64_t all[2] = {usage_total(&from->service), usage_total(&to->service)};
    double sink = (double)(usage_total(&to->sink) - usage_total(&from->sink));
    double publisher = (double)(usage_total(&to->publisher) - usage_total(&from->publisher));
    double ours = (double)(all[1] - all[0]) + sink + publisher;
    double others = ((double)(to->busy_ns - from->busy_ns) - ours) / (seconds * 1e9);
    add(stage, FIGURE_RATE, arrived / seconds);
    add(stage, FIGURE_BY_CPU, stage->bench->processors * 1e6 / (ours * each_us));
    add(stage, FIGURE_CPU_US, (double)(all[1] - all[0]) * each_us);
    for (int i = 0; i < PART_COUNT; i++)
        add(stage, (enum figure)(FIGURE_CPU_FIRST_PART_US + i),
            (double)(to->service.ns[i] - from->service.ns[i]) * each_us);
    add(stage, FIGURE_SINK_US, sink * each_us);
    add(stage, FIGURE_PUBLISHER_US, publisher * each_us);
    add(stage, FIGURE_OTHERS_CORES, others > 0 ? others : 0);
    if (to->commits > from->commits)
        add(stage, FIGURE_EVENTS_PER_COMMIT,
            (to->events - from->events) / (to->commits - from->commits));
    add(stage, FIGURE_RSS_MB, usage_rss_peak_mb(stage->service.pid));
}

/* ---- the parts ---- */

static bool start_sink(struct stage *stage)
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

static bool start_publisher(struct stage *stage)
{
    struct publisher_board *board = stage->publisher;
    uint64_t request = (uint64_t)stage->load.batch * load_fan_out(&stage->load);
    board->load = stage->load;
    board->arrivals = &stage->sink->arrivals;
    board->backlog_max = request * 3 > stage->load.backlog ? request * 3 : stage->load.backlog;
    board->port_count = 1;
    if (stage->service.pid > 0) {
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

static void fault(struct stage *stage, const char *what, unsigned long count)
{
    if (count == 0 || child_stopped())
        return;
    fprintf(stderr, "  fault: %s: %lu %s\n", stage->row->name, count, what);
    stage->bench->faults++;
}

/* Waits until everything that was accepted has arrived, but for what failed (no answer within 3 s)
 * and is sent again half a minute later. That happens on a busy machine; nothing is lost, but it is
 * told. */
static void await_arrivals(struct stage *stage, unsigned long promised)
{
    unsigned long arrived = 0, failed = 0;
    for (int i = 0; i < ARRIVE_MS / ARRIVE_STEP_MS; i++) {
        arrived = atomic_load(&stage->sink->arrivals);
        if (arrived >= promised)
            break;
        double told = service_metric(&stage->service, "attempts_failed_total");
        failed = told > 0 ? (unsigned long)told : 0;
        if (arrived + failed >= promised || !child_pause(ARRIVE_STEP_MS))
            break;
    }
    if (failed > 0)
        fprintf(stderr, "  %s: %lu attempts failed; they wait for their retry\n", stage->row->name,
                failed);
    fault(stage, "deliveries of accepted events have not arrived",
          promised > arrived + failed ? promised - arrived - failed : 0);
    fault(stage, "deliveries arrived that nobody was promised",
          arrived > promised ? arrived - promised : 0);
}

/* Everything that was accepted has arrived, and nothing else. */
static void settle(struct stage *stage)
{
    const struct publisher_board *publisher = stage->publisher;
    const struct sink_board *sink = stage->sink;
    if (stage->publisher_pid > 0) {
        atomic_store(&stage->publisher->stop, true);
        fault(stage, "publisher did not end", child_wait(stage->publisher_pid, 10000) != 0);
        stage->publisher_pid = -1;
        if (stage->load.hanging == 0 && stage->service.pid > 0)
            await_arrivals(stage, atomic_load(&publisher->accepted) * load_fan_out(&stage->load));
        if (atomic_load(&publisher->failed) > 0)
            fprintf(stderr, "  the last unexpected status was %d\n",
                    atomic_load(&publisher->status));
        fault(stage, "events were refused with 429 or 503", atomic_load(&publisher->refused));
        fault(stage, "events were not accepted", atomic_load(&publisher->failed));
    }
    if (stage->service.pid > 0)
        fault(stage, "signatures were wrong", atomic_load(&sink->signatures_bad));
    fault(stage, "requests could not be read", atomic_load(&sink->unreadable));
}

static int measure_ms(const struct stage *stage)
{
    return stage->row->times * stage->bench->measure_ms;
}

static bool measure_load(struct stage *stage)
{
    /* Those that hang are connected to anew all the time. */
    bool ready = start_publisher(stage) &&
                 (stage->load.hanging > 0
                      ? child_pause(stage->row->warm_ms)
                      : sink_settle(stage->sink, stage->row->warm_ms, stage->bench->settle_ms));
    if (!ready)
        return false;
    atomic_store(&stage->sink->record_from_ns, now_ns());
    struct look from = look_at(stage);
    if (!child_pause(measure_ms(stage)))
        return false;
    struct look to = look_at(stage);
    settle(stage); /* what is still on its way belongs to the latencies, too */
    if (child_stopped())
        return false;
    add_figures(stage, &from, &to);
    add_latency(stage);
    return true;
}

/* Nothing is published: what waited in the store is sent. */
static bool measure_recovery(struct stage *stage, uint64_t began_ns)
{
    for (int i = 0; atomic_load(&stage->sink->first_ns) == 0; i++)
        if (!child_pause(1) || i == FIRST_MS)
            return false;
    struct look from = look_at(stage);
    if (!child_pause(measure_ms(stage)))
        return false;
    struct look to = look_at(stage);
    add_figures(stage, &from, &to);
    add(stage, FIGURE_READY_MS, stage->service.ready_ms);
    add(stage, FIGURE_FIRST_MS, ms(atomic_load(&stage->sink->first_ns) - began_ns));
    settle(stage);
    return true;
}

static bool play(struct stage *stage)
{
    if (!start_sink(stage) || !service_prepare(&stage->service, &stage->load, stage->sink->ports))
        return false;
    uint64_t began_ns = now_ns();
    if (!service_start(&stage->service))
        return false;
    if (stage->load.pending > 0)
        return measure_recovery(stage, began_ns);
    if (!child_pause(150))
        return false;
    double idle_mb = usage_rss_mb(stage->service.pid);
    bool good = measure_load(stage);
    if (good)
        add(stage, FIGURE_RSS_IDLE_MB, idle_mb);
    return good;
}

static bool set_the_stage(struct stage *stage, struct bench *bench)
{
    stage->bench = bench;
    stage->service = (struct service){.program = bench->daemon, .pid = -1};
    stage->sink_pid = stage->publisher_pid = -1;
    stage->sink = child_share(sizeof(*stage->sink));
    stage->publisher = child_share(sizeof(*stage->publisher));
    if (child_folder(bench->folder, stage->service.folder, sizeof(stage->service.folder)))
        return true;
    refused("cannot make a folder in %s (see --dir)", bench->folder);
    return false;
}

static void clear_the_stage(struct stage *stage)
{
    child_end(stage->publisher_pid, 0);
    service_end(&stage->service);
    child_end(stage->sink_pid, 1000);
    child_remove(stage->service.folder);
    child_unshare(stage->sink, sizeof(*stage->sink));
    child_unshare(stage->publisher, sizeof(*stage->publisher));
}

bool run_measure(struct bench *bench, enum run run)
{
    struct stage stage = {
        .row = &run_rows[run], .load = run_rows[run].load, .measured = &bench->runs[run]};
    bool good = set_the_stage(&stage, bench) && play(&stage);
    clear_the_stage(&stage);
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
    bool good = set_the_stage(&own, bench) && play(&own);
    clear_the_stage(&own);
    if (!good)
        return false;
    good = set_the_stage(&other, bench);
    other.sink->port = bench->peer.sink_port;
    snprintf(other.publisher->host, sizeof(other.publisher->host), "%s", bench->peer.host);
    snprintf(other.publisher->head, sizeof(other.publisher->head), "%s", bench->peer.head);
    other.publisher->ports[0] = bench->peer.port;
    other.publisher->frame = bench->peer.body;
    good = good && start_sink(&other) && measure_load(&other);
    clear_the_stage(&other);
    return good;
}
