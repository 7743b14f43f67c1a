/* What a bench has measured, as a table for people and as JSON, see bench.h.
 *
 * Owns: the words and columns. Only what this bench measured is shown. */
#include "tools/bench/bench.h"
#include "tools/bench/targets.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

static const char *mode_name(const struct bench *bench)
{
    if (bench->only != NULL)
        return "only";
    return bench->mode == MODE_GUARD   ? "guard"
           : bench->mode == MODE_QUICK ? "quick"
           : bench->mode == MODE_LONG  ? "long"
                                       : "full";
}

/* The processor's name from /proc/cpuinfo. */
static void processor_name(char *name, size_t room)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(name, room, "unknown processor");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(name, room, "%s", strchr(line, ':') + 2);
            break;
        }
    if (file != NULL)
        fclose(file);
}

static void today(char text[32])
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static const struct sample *figure(const struct measured *run, enum figure figure)
{
    return &run->figures[figure];
}

/* ---- the table ---- */

static void print_spread(const struct sample *sample, const char *format, int width)
{
    char text[96], one[3][24];
    snprintf(one[0], sizeof(one[0]), format, sample_median(sample));
    snprintf(one[1], sizeof(one[1]), format, sample_least(sample));
    snprintf(one[2], sizeof(one[2]), format, sample_most(sample));
    if (sample->count > 1)
        snprintf(text, sizeof(text), "%s (%s-%s)", one[0], one[1], one[2]);
    else
        snprintf(text, sizeof(text), "%s", one[0]);
    printf("%*s", width, text);
}

static void print_head(const struct bench *bench)
{
    struct utsname system;
    char processor[128], date[32];
    uname(&system);
    processor_name(processor, sizeof(processor));
    today(date);
    printf("revhook bench %s (%s), %s\n%d processors of %s, %s %s\n"
           "%u rounds (fewer of some runs), %d ms measured in each; medians (least-most)\n\n",
           REVHOOK_VERSION, mode_name(bench), date, bench->processors, processor, system.sysname,
           system.release, bench->rounds, bench->measure_ms);
}

static void print_ceilings(const struct bench *bench)
{
    printf("ceilings, each alone            CPU us each           a second, one thread"
           "         sink us\n");
    for (int i = 0; i < CEILING_COUNT; i++) {
        const struct measured_ceiling *ceiling = &bench->ceilings[i];
        if (ceiling->cpu_us.count == 0)
            continue;
        printf("  %-14s", ceiling_rows[i].plan.name);
        print_spread(&ceiling->cpu_us, "%.2f", 27);
        print_spread(&ceiling->rate, "%.0f", 31);
        if (ceiling->sink_us.count > 0)
            print_spread(&ceiling->sink_us, "%.2f", 22);
        printf("\n    %s\n", ceiling_rows[i].plan.help);
    }
    struct sample allowed = target_allowed(bench);
    if (allowed.count > 0) {
        printf("  allowed by curl + store + h2o_publish / fan-out + sink, deliveries/s:");
        print_spread(&allowed, "%.0f", 0);
        printf("\n");
    }
    printf("\n");
}

static void print_run(const char *name, const char *help, const struct measured *run)
{
    printf("  %-14s", name);
    print_spread(figure(run, FIGURE_RATE), "%.0f", 25);
    printf("%10.0f%7.1f", sample_median(figure(run, FIGURE_BY_CPU)),
           sample_median(figure(run, FIGURE_CPU_US)));
    for (int i = 0; i < PART_COUNT; i++)
        printf("%8.1f", sample_median(figure(run, (enum figure)(FIGURE_CPU_FIRST_PART_US + i))));
    printf("%6.1f%10.1f%8.0f%6.0f%8.2f\n", sample_median(figure(run, FIGURE_SINK_US)),
           sample_median(figure(run, FIGURE_PUBLISHER_US)),
           sample_median(figure(run, FIGURE_EVENTS_PER_COMMIT)),
           sample_median(figure(run, FIGURE_RSS_MB)),
           sample_median(figure(run, FIGURE_OTHERS_CORES)));
    printf("    %s\n", help);
}

static void print_runs(const struct bench *bench)
{
    bool any = false;
    for (int i = 0; i < RUN_COUNT; i++) {
        if (figure(&bench->runs[i], FIGURE_RATE)->count == 0)
            continue;
        if (!any)
            printf("%-16s%25s%10s%7s%8s%8s%8s%8s%6s%10s%8s%6s%8s\n%-16s%25s%10s%7s\n", "runs",
                   "deliveries/s", "by CPU", "CPU us", "api", "writer", "senders", "rest", "sink",
                   "publisher", "/commit", "MB", "others'", "", "", "alone", "each");
        any = true;
        print_run(run_rows[i].plan.name, run_rows[i].plan.help, &bench->runs[i]);
    }
    if (figure(&bench->peer_run, FIGURE_RATE)->count > 0) {
        print_run("revhook", "single events to one endpoint, as the peer", &bench->own_like_peer);
        print_run(bench->peer.name, "the same events and sink (its own CPU is not seen)",
                  &bench->peer_run);
    }
    if (any)
        printf("\n");
}

static void print_latency_row(const char *name, const struct measured *run)
{
    const struct histogram *all = &run->latency;
    printf("  %-14s", name);
    print_spread(figure(run, FIGURE_P50_MS), "%.2f", 21);
    print_spread(figure(run, FIGURE_P90_MS), "%.2f", 21);
    print_spread(figure(run, FIGURE_P99_MS), "%.2f", 22);
    print_spread(figure(run, FIGURE_P999_MS), "%.2f", 23);
    printf("%9.2f%9.2f%9lu\n", (double)all->largest_ns / 1e6,
           sample_median(figure(run, FIGURE_LATE_P99_MS)), (unsigned long)all->count);
}

/* Those that publish by schedule: elsewhere a latency is only the queue that was asked for. */
static void print_latencies(const struct bench *bench)
{
    bool any = false;
    for (int i = 0; i < RUN_COUNT; i++) {
        if (run_rows[i].load.rate == 0 || bench->runs[i].latency.count == 0)
            continue;
        if (!any)
            printf(
                "publish to arrival, ms                   p50                  p90               "
                "    p99                  p99.9  largest late p99   events\n");
        any = true;
        print_latency_row(run_rows[i].plan.name, &bench->runs[i]);
    }
    if (bench->peer_run.latency.count > 0) {
        print_latency_row("revhook", &bench->own_like_peer);
        print_latency_row(bench->peer.name, &bench->peer_run);
    }
    const struct measured *start = &bench->runs[RUN_pending_1m];
    if (figure(start, FIGURE_FIRST_MS)->count > 0) {
        printf("  pending_1m: listens after ");
        print_spread(figure(start, FIGURE_READY_MS), "%.0f", 0);
        printf(" ms, first arrival after ");
        print_spread(figure(start, FIGURE_FIRST_MS), "%.0f", 0);
        printf(" ms\n");
    }
    if (any)
        printf("\n");
}

static void print_targets(const struct bench *bench)
{
    char reason[TARGET_REASON_BYTES];
    printf("targets                        measured                  target       met\n");
    for (int i = 0; i < TARGET_COUNT; i++) {
        const struct target_row *row = &target_rows[i];
        struct sample value = target_value(bench, (enum target)i);
        if (value.count == 0)
            continue;
        bool met = target_met((enum target)i, &value);
        printf("  %-26s", row->name);
        print_spread(&value, "%.2f", 22);
        printf(" %-2s  %s %7.2f %-3s   %s\n    %s\n", row->unit,
               row->kind == AT_LEAST ? ">=" : "<=", row->bound, row->unit, met ? "yes" : "NO",
               row->definition);
        if (!met) {
            target_reason(bench, (enum target)i, reason);
            printf("    why not: %s\n", reason);
        }
    }
}

void report_print(const struct bench *bench)
{
    fflush(stderr);
    print_head(bench);
    print_ceilings(bench);
    print_runs(bench);
    print_latencies(bench);
    print_targets(bench);
    if (bench->faults > 0)
        printf("\n%u faults (see above): figures of those runs are not to be trusted\n",
               bench->faults);
}

/* ---- JSON ---- */

static json_t *spread_json(const struct sample *sample)
{
    json_t *values = json_array();
    for (unsigned i = 0; i < sample->count; i++)
        json_array_append_new(values, json_real(sample->values[i]));
    return json_pack("{s:f,s:f,s:f,s:o}", "median", sample_median(sample), "min",
                     sample_least(sample), "max", sample_most(sample), "rounds", values);
}

static json_t *run_json(const char *name, const char *help, const struct measured *run)
{
    json_t *row = json_pack("{s:s,s:s}", "name", name, "help", help);
    for (int i = 0; i < FIGURE_COUNT; i++)
        if (run->figures[i].count > 0)
            json_object_set_new(row, figure_rows[i].name, spread_json(&run->figures[i]));
    return row;
}

/* What is in the histogram: [upper end of the bucket in ms, how many]. */
static json_t *histogram_json(const struct histogram *histogram)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (histogram->buckets[i] > 0)
            json_array_append_new(list, json_pack("[f,i]", (double)histogram_end(i) / 1e6,
                                                  (int)histogram->buckets[i]));
    return list;
}

static json_t *runs_json(const struct bench *bench)
{
    json_t *list = json_array();
    for (int i = 0; i < RUN_COUNT; i++) {
        const struct measured *run = &bench->runs[i];
        if (figure(run, FIGURE_RATE)->count == 0)
            continue;
        json_t *row = run_json(run_rows[i].plan.name, run_rows[i].plan.help, run);
        if (run_rows[i].load.rate > 0)
            json_object_set_new(row, "histogram_ms", histogram_json(&run->latency));
        json_array_append_new(list, row);
    }
    if (figure(&bench->peer_run, FIGURE_RATE)->count > 0) {
        json_array_append_new(list,
                              run_json("own_like_peer", "as the peer", &bench->own_like_peer));
        json_array_append_new(list, run_json("peer", bench->peer.name, &bench->peer_run));
    }
    return list;
}

static json_t *ceilings_json(const struct bench *bench)
{
    json_t *list = json_array();
    for (int i = 0; i < CEILING_COUNT; i++) {
        const struct measured_ceiling *ceiling = &bench->ceilings[i];
        if (ceiling->cpu_us.count == 0)
            continue;
        json_t *row = json_pack("{s:s,s:s,s:o,s:o}", "name", ceiling_rows[i].plan.name, "help",
                                ceiling_rows[i].plan.help, "cpu_us", spread_json(&ceiling->cpu_us),
                                "rate", spread_json(&ceiling->rate));
        if (ceiling->sink_us.count > 0)
            json_object_set_new(row, "sink_us", spread_json(&ceiling->sink_us));
        json_array_append_new(list, row);
    }
    return list;
}

static void add_targets_json(const struct bench *bench, json_t *root)
{
    json_t *targets = json_array(), *ratios = json_array();
    char reason[TARGET_REASON_BYTES];
    for (int i = 0; i < TARGET_COUNT; i++) {
        const struct target_row *row = &target_rows[i];
        struct sample value = target_value(bench, (enum target)i);
        if (value.count == 0)
            continue;
        bool met = target_met((enum target)i, &value);
        json_t *target = json_pack(
            "{s:s,s:f,s:f,s:b,s:f,s:f,s:s,s:s,s:s}", "name", row->name, "value",
            sample_median(&value), "target", row->bound, "met", met, "min", sample_least(&value),
            "max", sample_most(&value), "unit", row->unit, "bound",
            row->kind == AT_LEAST ? "at least" : "at most", "definition", row->definition);
        if (!met) {
            target_reason(bench, (enum target)i, reason);
            json_object_set_new(target, "reason", json_string(reason));
        }
        json_array_append_new(targets, target);
        if (row->unit[0] == '\0')
            json_array_append_new(ratios, json_pack("{s:s,s:f,s:s}", "name", row->name, "value",
                                                    sample_median(&value), "better",
                                                    row->kind == AT_LEAST ? "higher" : "lower"));
    }
    json_object_set_new(root, "targets", targets);
    json_object_set_new(root, "ratios", ratios);
}

json_t *report_json(const struct bench *bench)
{
    struct utsname system;
    char processor[128], date[32];
    struct sample allowed = target_allowed(bench);
    uname(&system);
    processor_name(processor, sizeof(processor));
    today(date);
    json_t *root =
        json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:i},s:i,s:i,s:i,s:o,s:o}", "version", REVHOOK_VERSION,
                  "mode", mode_name(bench), "date", date, "machine", "processor", processor,
                  "kernel", system.release, "processors", bench->processors, "rounds",
                  (int)bench->rounds, "measure_ms", bench->measure_ms, "faults", (int)bench->faults,
                  "ceilings", ceilings_json(bench), "runs", runs_json(bench));
    if (allowed.count > 0)
        json_object_set_new(root, "allowed_per_second", spread_json(&allowed));
    add_targets_json(bench, root);
    return root;
}
