/* What a run is made of, see stage.h.
 *
 * Owns: starting and ending the parts; the figures, which are the differences between two looks at
 * the same counters, so that start and end are in none of them. At the end everything that was
 * accepted must have arrived: a rate with losses is none. */
#include "tools/bench/stage.h"

#include "tools/bench/child.h"

#include <stdio.h>
#include <unistd.h>

#define ARRIVE_MS      15000
#define ARRIVE_STEP_MS 20

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

void stage_add(struct stage *stage, enum figure figure, double value)
{
    sample_add(&stage->measured->figures[figure], value);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

void stage_add_latency(struct stage *stage)
{
    struct histogram *well = &stage->sink->well;
    histogram_merge(&stage->measured->latency, well);
    stage_add(stage, FIGURE_P50_MS, ms(histogram_at(well, 0.5)));
    stage_add(stage, FIGURE_P90_MS, ms(histogram_at(well, 0.9)));
    stage_add(stage, FIGURE_P99_MS, ms(histogram_at(well, 0.99)));
    stage_add(stage, FIGURE_P999_MS, ms(histogram_at(well, 0.999)));
    stage_add(stage, FIGURE_LATE_P99_MS, ms(histogram_at(&stage->publisher->late, 0.99)));
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
    stage_add(stage, FIGURE_RATE, arrived / seconds);
    stage_add(stage, FIGURE_BY_CPU, stage->bench->processors * 1e6 / (ours * each_us));
    stage_add(stage, FIGURE_CPU_US, (double)(all[1] - all[0]) * each_us);
    for (int i = 0; i < PART_COUNT; i++)
        stage_add(stage, (enum figure)(FIGURE_CPU_FIRST_PART_US + i),
                  (double)(to->service.ns[i] - from->service.ns[i]) * each_us);
    stage_add(stage, FIGURE_SINK_US, sink * each_us);
    stage_add(stage, FIGURE_PUBLISHER_US, publisher * each_us);
    stage_add(stage, FIGURE_OTHERS_CORES, others > 0 ? others : 0);
    if (to->commits > from->commits)
        stage_add(stage, FIGURE_EVENTS_PER_COMMIT,
                  (to->events - from->events) / (to->commits - from->commits));
    stage_add(stage, FIGURE_RSS_MB, usage_rss_peak_mb(stage->service.pid));
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

bool stage_publish(struct stage *stage)
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
void stage_settle(struct stage *stage)
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

bool stage_measure(struct stage *stage)
{
    struct look from = look_at(stage);
    if (!child_pause(stage->row->times * stage->bench->measure_ms))
        return false;
    struct look to = look_at(stage);
    add_figures(stage, &from, &to);
    return true;
}

/* Sink, store and daemon. */
bool stage_start(struct stage *stage)
{
    return stage_start_sink(stage) &&
           service_prepare(&stage->service, &stage->load, stage->sink->ports) &&
           service_start(&stage->service);
}

bool stage_set(struct stage *stage, struct bench *bench)
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

void stage_clear(struct stage *stage)
{
    child_end(stage->publisher_pid, 0);
    service_end(&stage->service);
    child_end(stage->sink_pid, 1000);
    child_remove(stage->service.folder);
    child_unshare(stage->sink, sizeof(*stage->sink));
    child_unshare(stage->publisher, sizeof(*stage->publisher));
}

/* Begins no more, and waits until all has arrived. */
bool stage_rest(struct stage *stage)
{
    const struct publisher_board *board = stage->publisher;
    const struct sink_board *sink = stage->sink;
    unsigned fan_out = load_fan_out(&stage->load);
    atomic_store(&stage->publisher->paused, true);
    for (int ms = 0; ms < ARRIVE_MS; ms++) {
        unsigned long accepted = atomic_load(&board->accepted);
        unsigned long under_way = atomic_load(&board->sent) - accepted -
                                  atomic_load(&board->refused) - atomic_load(&board->failed);
        if (under_way == 0 && atomic_load(&sink->arrivals) >= accepted * fan_out)
            break;
        if (!child_pause(1))
            return false;
    }
    return true;
}
