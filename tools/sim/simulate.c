/* revhook simulate: worlds from a seed, one after the other, until enough was delivered.
 *
 * Owns: the command, the kinds of world, what is printed. On stdout stands only what the seed
 * decides: first the seed, then the counts, last the sum; so two runs can be compared byte for
 * byte. Progress and rates, which the machine decides, go to stderr.
 *
 * A world's own seed is made of the run's seed and the number of the world, so one world of a run
 * can be played again alone, with --world and, to see all of it, --trace. */
#include "tools/sim/world.h"

#include "tools/revhook/revhook.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define DELIVERIES_DEFAULT 100000

/* ---- kinds of world ---- */

/* The numbers of the documentation. */
static const struct core_config documented = {
    .retry_delays_ms = {30000, 180000},
    .retry_count = 2,
    .in_flight_max = 4096,
    .in_flight_per_webhook_max = 32,
    .degrade_after = 5,
    .verify_window_ms = 180000,
    .verify_offsets_ms = {0, 5000, 15000, 30000, 60000, 100000, 140000, 175000},
    .verify_offset_count = 8,
    .probe_delay_min_ms = 30000,
    .probe_delay_max_ms = 600000,
    .degraded_max_ms = INT64_C(432000000),
    .window_max = 1024,
    .memory_max = 50000,
};

static struct plan make_plan(uint64_t seed, uint64_t number)
{
    struct random random;
    struct plan plan = {.seed = seed ^ (number * UINT64_C(0xd1342543de82ef95))};
    random_seed(&random, plan.seed);
    plan.core = documented;
    plan.senders = (unsigned)random_between(&random, 1, 3);
    plan.webhooks_first = (unsigned)random_between(&random, 1, 6);
    plan.webhooks_max = plan.webhooks_first + (unsigned)random_between(&random, 1, 20);
    plan.deliveries = (uint64_t)random_between(&random, 300, 4000);
    plan.publish_ms = random_between(&random, 1800000, INT64_C(21600000));
    plan.receiver_mean_ms = random_between(&random, 10000, 300000);
    plan.settle_well = random_chance(&random, 50);
    plan.batch_max = 12;
    plan.calm = random_chance(&random, 20);
    if (plan.calm) {
        plan.client_mean_ms = random_between(&random, 1500, 4000);
        return plan;
    }
    plan.client_mean_ms = random_between(&random, 100, 3000);
    plan.disaster_mean_ms = random_between(&random, 1000, 100000);
    if (random_chance(&random, 50)) { /* so tight that everything waits and spills */
        plan.core.in_flight_max = (unsigned)random_between(&random, plan.senders * 2, 64);
        plan.core.in_flight_per_webhook_max = (unsigned)random_between(&random, 1, 32);
        plan.core.window_max = (unsigned)random_between(&random, 64, 200);
        plan.core.memory_max = (unsigned)random_between(&random, 64, 600);
        plan.batch_max = random_chance(&random, 50) ? 12 : 60;
    }
    if (random_chance(&random, 30))
        plan.core.degraded_max_ms = random_between(&random, 60000, 3600000);
    if (random_chance(&random, 30))
        plan.core.degrade_after = (unsigned)random_between(&random, 1, 8);
    return plan;
}

/* ---- what is printed ---- */

static const char *const fault_names[] = {
#define X(group, name, weight, help) #group " " #name,
#include "faults.def"
#undef X
};

static void print_counts(const struct tally *tally)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        printf("tried %s %" PRIu64 "\n", fault_names[i], tally->faults[i]);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (tally->outcomes[i] > 0)
            printf("outcome %s %" PRIu64 "\n", outcome_name((enum outcome)i), tally->outcomes[i]);
    for (int i = 0; i < WEBHOOK_STATE_COUNT; i++)
        printf("became %s %" PRIu64 "\n", webhook_state_name((enum webhook_state)i),
               tally->states[i]);
    for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
        for (int k = 0; k < REASON_COUNT; k++)
            if (tally->ends[i][k] > 0)
                printf("ended %s %s %" PRIu64 "\n", delivery_state_name((enum delivery_state)i),
                       reason_name((enum reason)k), tally->ends[i][k]);
    printf("calls ok %" PRIu64 ", refused %" PRIu64 ", lost %" PRIu64 "\n", tally->calls_ok,
           tally->calls_refused, tally->calls_lost);
    printf("commits %" PRIu64 ", times that they began to fail %" PRIu64 "\n", tally->commits,
           tally->commits_failed);
    printf("verify requests %" PRIu64 ", with an echo in time %" PRIu64 "\n", tally->verifies,
           tally->echoes);
    printf("%" PRIu64 " worlds, %" PRIu64 " days of virtual time, %" PRIu64 " crashes, %" PRIu64
           " webhooks, %" PRIu64 " events, %" PRIu64 " attempts\n",
           tally->worlds, tally->virtual_s / 86400, tally->crashes, tally->webhooks, tally->events,
           tally->posts);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_progress(const struct tally *tally, uint64_t wanted, double began, bool last)
{
    double took = now_s() - began;
    fprintf(stderr,
            "%s%" PRIu64 " of %" PRIu64 " deliveries, %" PRIu64 " worlds, %.1f s, %.0f a second\n",
            last ? "" : "... ", tally->deliveries, wanted, tally->worlds, took,
            took > 0 ? (double)tally->deliveries / took : 0.0);
}

/* ---- the command ---- */

static bool read_number(const struct cli *cli, const char *name, uint64_t *out)
{
    const char *text = args_value(cli, name);
    if (!text)
        return true;
    char *end;
    *out = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || text[0] == '-') {
        usage_error(cli, "--%s: \"%s\" is not a whole number", name, text);
        return false;
    }
    return true;
}

static unsigned play_number(uint64_t seed, uint64_t number, struct tally *tally, bool trace)
{
    struct plan plan = make_plan(seed, number);
    unsigned violations = world_play(&plan, tally, trace ? stdout : NULL, stdout);
    if (violations > 0)
        printf("seed %" PRIu64 ", world %" PRIu64 "; again: revhook simulate --seed %" PRIu64
               " --world %" PRIu64 " --trace\n",
               seed, number, seed, number);
    return violations;
}

int simulate_run(const struct cli *cli)
{
    uint64_t seed = (uint64_t)time(NULL), wanted = DELIVERIES_DEFAULT, number = 0;
    if (!read_number(cli, "seed", &seed) || !read_number(cli, "deliveries", &wanted) ||
        !read_number(cli, "world", &number))
        return EXIT_USAGE;
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    struct tally *tally = hook_alloc(sizeof(*tally));
    bool alone = args_value(cli, "world") != NULL, trace = args_has(cli, "trace");
    unsigned violations = 0;
    double began = now_s(), shown = began;
    if (alone)
        violations = play_number(seed, number, tally, trace);
    while (!alone && violations == 0 && tally->deliveries < wanted) {
        violations = play_number(seed, ++number, tally, trace);
        if (now_s() - shown >= 5) {
            shown = now_s();
            print_progress(tally, wanted, began, false);
        }
    }
    print_counts(tally);
    printf("%" PRIu64 " deliveries, %u violations\n", tally->deliveries, violations);
    print_progress(tally, wanted, began, true);
    free(tally);
    return violations > 0 ? EXIT_REFUSED : 0;
}
