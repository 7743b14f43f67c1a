/* The targets, see targets.h.
 *
 * Owns: how each is computed from the runs and ceilings, and the words for one that is missed,
 * which are made of figures of the same bench: where the time went, and what others took. */
#include "tools/bench/targets.h"

#include <stdio.h>
#include <string.h>

const struct target_row target_rows[TARGET_COUNT] = {
#define X(name, kind, bound, unit, definition) {#name, kind, bound, unit, definition},
#include "tools/bench/targets.def"
#undef X
};

static const struct sample *figure(const struct bench *bench, enum run run, enum figure figure)
{
    return &bench->runs[run].figures[figure];
}

static struct sample ratio(const struct bench *bench, enum figure of, enum run a, enum run b)
{
    return sample_ratio(figure(bench, a, of), figure(bench, b, of));
}

/* Of all rounds together, in ms: one round has too few events for what is rare. */
static struct sample p99_of_all(const struct bench *bench, enum run run)
{
    const struct histogram *all = &bench->runs[run].latency;
    struct sample value = {0};
    if (all->count > 0)
        sample_add(&value, (double)histogram_at(all, 0.99) / 1e6);
    return value;
}

static struct sample healthy_over_without(const struct bench *bench)
{
    struct sample with = p99_of_all(bench, RUN_half_hanging), without = p99_of_all(bench, RUN_well);
    return sample_ratio(&with, &without);
}

static double at(const struct sample *sample, unsigned round)
{
    return round < sample->count ? sample->values[round] : -1;
}

struct sample target_allowed(const struct bench *bench)
{
    const struct measured_ceiling *ceilings = bench->ceilings;
    struct sample allowed = {0};
    double fan_out = load_fan_out(&run_rows[RUN_batches].load);
    for (unsigned i = 0; i < SAMPLE_MAX; i++) {
        double curl = at(&ceilings[CEILING_curl].cpu_us, i);
        double sink = at(&ceilings[CEILING_curl].sink_us, i);
        double store = at(&ceilings[CEILING_store].cpu_us, i);
        double h2o = at(&ceilings[CEILING_h2o_publish].cpu_us, i);
        if (curl < 0 || sink < 0 || store < 0 || h2o < 0)
            break;
        sample_add(&allowed, bench->processors * 1e6 / (curl + sink + store + h2o / fan_out));
    }
    return allowed;
}

static struct sample over_ceilings(const struct bench *bench)
{
    struct sample allowed = target_allowed(bench);
    return sample_ratio(figure(bench, RUN_batches, FIGURE_RATE), &allowed);
}

struct sample target_value(const struct bench *bench, enum target target)
{
    const struct sample *rate = figure(bench, RUN_batches, FIGURE_RATE);
    const struct sample *busy = figure(bench, RUN_busy, FIGURE_RSS_MB);
    switch (target) {
    case TARGET_over_ceilings: return over_ceilings(bench);
    case TARGET_over_curl: return sample_ratio(rate, &bench->ceilings[CEILING_curl].rate);
    case TARGET_single_over_batches: return ratio(bench, FIGURE_RATE, RUN_single, RUN_batches);
    case TARGET_endpoints_1000_over_100:
        return ratio(bench, FIGURE_RATE, RUN_endpoints_1000, RUN_endpoints_100);
    case TARGET_tls_over_plain: return ratio(bench, FIGURE_RATE, RUN_tls, RUN_plain);
    case TARGET_fan_out_1000_over_1:
        return ratio(bench, FIGURE_RATE, RUN_fan_out_1000, RUN_fan_out_1);
    case TARGET_cpu_rows_10m_over_10k:
        return ratio(bench, FIGURE_CPU_US, RUN_rows_10m, RUN_rows_10k);
    case TARGET_cpu_webhooks_100k_over_10:
        return ratio(bench, FIGURE_CPU_US, RUN_webhooks_100k, RUN_webhooks_10);
    case TARGET_latency_p50_ms: return *figure(bench, RUN_latency_1000, FIGURE_P50_MS);
    case TARGET_latency_p99_ms: return *figure(bench, RUN_latency_1000, FIGURE_P99_MS);
    case TARGET_latency_p999_ms: return *figure(bench, RUN_latency_1000, FIGURE_P999_MS);
    case TARGET_healthy_p99_over_without: return healthy_over_without(bench);
    case TARGET_healthy_p99_ms: return p99_of_all(bench, RUN_half_hanging);
    case TARGET_restart_first_ms: return *figure(bench, RUN_pending_1m, FIGURE_FIRST_MS);
    case TARGET_rss_idle_mb: return *figure(bench, RUN_batches, FIGURE_RSS_IDLE_MB);
    case TARGET_rss_busy_mb:
        return busy->count > 0 ? *busy : *figure(bench, RUN_batches, FIGURE_RSS_MB);
    case TARGET_rss_pending_mb: return *figure(bench, RUN_pending_1m, FIGURE_RSS_MB);
    case TARGET_COUNT: break;
    }
    return (struct sample){0};
}

bool target_met(enum target target, const struct sample *value)
{
    double median = sample_median(value), bound = target_rows[target].bound;
    return target_rows[target].kind == AT_LEAST ? median >= bound : median <= bound;
}

/* ---- reasons ---- */

#define CPU_BYTES 200 /* room for where the time of one run went */

static double middle(const struct bench *bench, enum run run, enum figure of)
{
    return sample_median(figure(bench, run, of));
}

static void tell_cpu(const struct bench *bench, enum run run, char *to, size_t room)
{
    snprintf(to, room,
             "%s: %.1f us CPU each (api %.1f, writer %.1f, senders %.1f), sink %.1f, publisher "
             "%.1f, others took %.2f processors",
             run_rows[run].plan.name, middle(bench, run, FIGURE_CPU_US),
             middle(bench, run, (enum figure)(FIGURE_CPU_FIRST_PART_US + PART_API)),
             middle(bench, run, (enum figure)(FIGURE_CPU_FIRST_PART_US + PART_WRITER)),
             middle(bench, run, (enum figure)(FIGURE_CPU_FIRST_PART_US + PART_SENDERS)),
             middle(bench, run, FIGURE_SINK_US), middle(bench, run, FIGURE_PUBLISHER_US),
             middle(bench, run, FIGURE_OTHERS_CORES));
}

/* Where the time of both runs of a ratio went, and what the ratio would be by that alone. */
static void tell_both(const struct bench *bench, enum run a, enum run b, char *to)
{
    char first[CPU_BYTES], second[CPU_BYTES];
    double below = middle(bench, b, FIGURE_BY_CPU);
    tell_cpu(bench, a, first, sizeof(first));
    tell_cpu(bench, b, second, sizeof(second));
    snprintf(to, TARGET_REASON_BYTES, "%s; %s; by CPU time alone it would be %.2f", first, second,
             below > 0 ? middle(bench, a, FIGURE_BY_CPU) / below : 0);
}

/* The same of a ratio that the tuned client has, too: its CPU with that of the sink. */
static void tell_both_and_client(const struct bench *bench, enum run a, enum run b,
                                 enum ceiling client, char *to)
{
    const struct measured_ceiling *all = bench->ceilings;
    double plain =
        sample_median(&all[CEILING_curl].cpu_us) + sample_median(&all[CEILING_curl].sink_us);
    double other = sample_median(&all[client].cpu_us) + sample_median(&all[client].sink_us);
    tell_both(bench, a, b, to);
    size_t used = strlen(to);
    if (plain > 0 && other > 0)
        snprintf(to + used, TARGET_REASON_BYTES - used, ", of the tuned client and its sink %.2f",
                 plain / other);
}

static void tell_batches(const struct bench *bench, const struct sample *limit, char *to)
{
    char first[CPU_BYTES];
    double below = sample_median(limit);
    tell_cpu(bench, RUN_batches, first, sizeof(first));
    snprintf(to, TARGET_REASON_BYTES, "%s; by CPU time alone it would be %.2f", first,
             below > 0 ? middle(bench, RUN_batches, FIGURE_BY_CPU) / below : 0);
}

/* That client has both processors for itself and the sink: no store, no intake. */
static void tell_over_curl(const struct bench *bench, const struct sample *allowed, char *to)
{
    const struct sample *client = &bench->ceilings[CEILING_curl].rate;
    tell_batches(bench, client, to);
    size_t used = strlen(to);
    if (sample_median(client) > 0)
        snprintf(to + used, TARGET_REASON_BYTES - used,
                 "; SQLite and h2o beside it allow %.2f of it",
                 sample_median(allowed) / sample_median(client));
}

static void tell_latency(const struct bench *bench, enum run run, char *to)
{
    snprintf(to, TARGET_REASON_BYTES,
             "%s: p50 %.2f, p99 %.2f, p99.9 %.2f ms; the publisher itself was up to %.2f ms late "
             "(p99); others took %.2f processors",
             run_rows[run].plan.name, middle(bench, run, FIGURE_P50_MS),
             middle(bench, run, FIGURE_P99_MS), middle(bench, run, FIGURE_P999_MS),
             middle(bench, run, FIGURE_LATE_P99_MS), middle(bench, run, FIGURE_OTHERS_CORES));
}

void target_reason(const struct bench *bench, enum target target, char reason[TARGET_REASON_BYTES])
{
    const struct sample allowed = target_allowed(bench);
    switch (target) {
    case TARGET_over_ceilings: tell_batches(bench, &allowed, reason); return;
    case TARGET_over_curl: tell_over_curl(bench, &allowed, reason); return;
    case TARGET_single_over_batches: tell_both(bench, RUN_single, RUN_batches, reason); return;
    case TARGET_endpoints_1000_over_100:
        tell_both_and_client(bench, RUN_endpoints_1000, RUN_endpoints_100, CEILING_curl_1000,
                             reason);
        return;
    case TARGET_tls_over_plain:
        tell_both_and_client(bench, RUN_tls, RUN_plain, CEILING_curl_tls, reason);
        return;
    case TARGET_fan_out_1000_over_1:
        tell_both(bench, RUN_fan_out_1000, RUN_fan_out_1, reason);
        return;
    case TARGET_cpu_rows_10m_over_10k: tell_both(bench, RUN_rows_10m, RUN_rows_10k, reason); return;
    case TARGET_cpu_webhooks_100k_over_10:
        tell_both(bench, RUN_webhooks_100k, RUN_webhooks_10, reason);
        return;
    case TARGET_latency_p50_ms:
    case TARGET_latency_p99_ms:
    case TARGET_latency_p999_ms: tell_latency(bench, RUN_latency_1000, reason); return;
    case TARGET_healthy_p99_over_without:
    case TARGET_healthy_p99_ms: tell_latency(bench, RUN_half_hanging, reason); return;
    case TARGET_restart_first_ms:
        snprintf(reason, TARGET_REASON_BYTES,
                 "of this %.0f ms until the service said that it listens; others took %.2f "
                 "processors afterwards",
                 middle(bench, RUN_pending_1m, FIGURE_READY_MS),
                 middle(bench, RUN_pending_1m, FIGURE_OTHERS_CORES));
        return;
    case TARGET_rss_idle_mb:
    case TARGET_rss_busy_mb:
    case TARGET_rss_pending_mb:
        snprintf(reason, TARGET_REASON_BYTES,
                 "resident: %.1f MB idle, %.1f MB in batches, %.1f MB with 1,000,000 due",
                 middle(bench, RUN_batches, FIGURE_RSS_IDLE_MB),
                 middle(bench, RUN_batches, FIGURE_RSS_MB),
                 middle(bench, RUN_pending_1m, FIGURE_RSS_MB));
        return;
    case TARGET_COUNT: break;
    }
    reason[0] = '\0';
}
