/* revhook bench: how fast, how flat, how fair, and how far from what is possible.
 *
 * Owns: the command and the order of a bench. Happy path: in every round first what is compared,
 * in turn, slice by slice; then what has the machine for itself; after the rounds the report. Needs
 * no service: it starts its own, on loopback, in folders that it removes.
 *
 * Failure modes: what cannot be started or measured ends the bench with 1; a signal ends it with
 * everything that it started. A target that is missed is a figure, no failure; with --check a ratio
 * far below the baseline's is one. Refuses: to run longer than its options say, and to print a
 * figure that this very run did not measure. */
#include "tools/bench/bench.h"

#include "tools/bench/baseline.h"
#include "tools/bench/child.h"
#include "tools/bench/group.h"

#include <stdio.h>
#include <stdlib.h>

static void tell_round(const struct bench *bench, unsigned round)
{
    fprintf(stderr, "round %u", round + 1);
    if (bench->budget_ms == 0)
        fprintf(stderr, " of %u", bench->rounds);
    else if (round == 0)
        fprintf(stderr, ", and as many as fit into %d s", bench->budget_ms / 1000);
    fputs(round == 0 ? ":\n" : ":", stderr);
}

/* What each is, once; after that the names alone, a line for each round. */
static void tell(unsigned round, const struct plan_row *row)
{
    if (round == 0)
        fprintf(stderr, "  %-16s %s\n", row->name, row->help);
    else
        fprintf(stderr, " %s", row->name);
}

/* ---- a round ---- */

/* What is measured at a time. */
static struct group group;

static struct stage *next_stage(void)
{
    if (group.count == GROUP_MAX)
        abort(); /* runs.def puts fewer together */
    return &group.stages[group.count++];
}

static bool add_run(struct bench *bench, unsigned round, int run)
{
    tell(round, &run_rows[run].plan);
    return run_open(next_stage(), bench, (enum run)run);
}

static bool add_ceiling(struct bench *bench, unsigned round, int ceiling)
{
    tell(round, &ceiling_rows[ceiling].plan);
    return ceiling_open(next_stage(), bench, (enum ceiling)ceiling);
}

/* Measures what was opened, if all was. */
static bool measure(bool opened, unsigned round)
{
    bool good = opened && (group.count == 0 || group_measure(&group));
    if (round == 0 && group.count > 1)
        fputc('\n', stderr);
    group_clear(&group);
    return good;
}

/* The runs first: one of the ceilings takes its commits from them. */
static bool measure_together(struct bench *bench, unsigned round, enum together together)
{
    bool good = true;
    for (int i = 0; good && i < RUN_COUNT; i++)
        if (plan_has(bench, &run_rows[i].plan, round, together))
            good = add_run(bench, round, i);
    for (int i = 0; good && i < CEILING_COUNT; i++)
        if (plan_has(bench, &ceiling_rows[i].plan, round, together))
            good = add_ceiling(bench, round, i);
    return measure(good, round);
}

static bool measure_alone(struct bench *bench, unsigned round)
{
    bool good = true;
    for (int i = 0; good && i < CEILING_COUNT; i++)
        if (plan_has(bench, &ceiling_rows[i].plan, round, ALONE))
            good = measure(add_ceiling(bench, round, i), round);
    for (int i = 0; good && i < RUN_COUNT; i++)
        if (plan_has(bench, &run_rows[i].plan, round, ALONE))
            good = measure(add_run(bench, round, i), round);
    return good;
}

static bool measure_one_after_other(struct bench *bench, unsigned round)
{
    for (int times = 0; times < bench->times; times++)
        for (int i = 0; i < RUN_COUNT; i++) {
            if (!plan_has(bench, &run_rows[i].plan, round, ONE_AFTER_OTHER))
                continue;
            bool good =
                times == 0 ? add_run(bench, round, i) : run_open(next_stage(), bench, (enum run)i);
            if (!measure(good, round))
                return false;
        }
    return true;
}

/* The same load on the service and on the peer. */
static bool measure_peer(struct bench *bench, unsigned round)
{
    const struct plan_row row = {.name = bench->peer.name,
                                 .help = "single events to one endpoint, and the same here"};
    tell(round, &row);
    return measure(run_open_own(next_stage(), bench), round) &&
           measure(run_open_peer(next_stage(), bench), round);
}

static bool measure_round(struct bench *bench, unsigned round)
{
    for (enum together together = WITH_BATCHES; together < TOGETHER_COUNT; together++)
        if (!measure_together(bench, round, together))
            return false;
    return measure_alone(bench, round) && measure_one_after_other(bench, round) &&
           (bench->peer.name == NULL || measure_peer(bench, round));
}

/* ---- the bench ---- */

static bool write_json(const json_t *report, const char *file)
{
    if (json_dump_file(report, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0)
        return true;
    refused("cannot write %s", file);
    return false;
}

/* Writes what was asked for; the exit status. */
static int finish(const struct bench *bench, const struct cli *cli, const json_t *baseline)
{
    json_t *report = report_json(bench);
    const char *file = args_value(cli, "json");
    bool good = file == NULL || write_json(report, file);
    report_print(bench);
    if (baseline != NULL) {
        printf("\n");
        good = baseline_kept(baseline, report, stdout) && good;
    }
    json_decref(report);
    return good ? 0 : EXIT_REFUSED;
}

int bench_run(const struct cli *cli)
{
    static struct bench bench;
    json_t *baseline = NULL;
    json_error_t error;
    if (args_has(cli, "list")) {
        plan_print();
        return 0;
    }
    if (!plan_read(&bench, cli))
        return EXIT_USAGE;
    if (args_has(cli, "check") &&
        (baseline = json_load_file(args_value(cli, "check"), 0, &error)) == NULL)
        return refused("--check %s: %s", args_value(cli, "check"), error.text);
    bench.processors = child_begin();
    bench.events_per_commit = child_share(sizeof(*bench.events_per_commit));
    bool good = true;
    uint64_t began_ns = now_ns();
    for (unsigned round = 0; good && round < bench.rounds; round++) {
        tell_round(&bench, round);
        good = measure_round(&bench, round);
        if (round > 0)
            fputc('\n', stderr);
        uint64_t took_ms = (now_ns() - began_ns) / 1000000;
        if (bench.budget_ms > 0 && took_ms + took_ms / (round + 1) > (uint64_t)bench.budget_ms)
            bench.rounds = round + 1; /* another would take too long */
    }
    child_end_all();
    int status = good ? finish(&bench, cli, baseline) : EXIT_REFUSED;
    if (child_stopped())
        fputs("revhook: stopped\n", stderr);
    json_decref(baseline);
    return status;
}
