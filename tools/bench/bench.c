/* revhook bench: how fast, how flat, how fair, and how far from what is possible.
 *
 * Owns: the command and the order of a bench. Happy path: in every
 * round each ceiling and each run once, one after the other, so that what disturbs the machine for
 * a while disturbs all alike and ratios are taken within a round; then the report. Needs no
 * service: it starts its own, on loopback, in folders that it removes.
 *
 * Failure modes: what cannot be started or measured ends the bench with 1; a signal ends it with
 * everything that it started. A target that is missed is a figure, no failure; with --check a ratio
 * far below the baseline's is one. Refuses: to run longer than its options say, and to print a
 * figure that this very run did not measure. */
#include "tools/bench/bench.h"

#include "tools/bench/baseline.h"
#include "tools/bench/child.h"

#include <stdio.h>

/* ---- the bench ---- */

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
static void tell(unsigned round, const char *name, const char *help)
{
    if (round == 0)
        fprintf(stderr, "  %-16s %s\n", name, help);
    else
        fprintf(stderr, " %s", name);
}

/* The runs first: one of the ceilings takes its batch from them. */
static bool measure_runs(struct bench *bench, unsigned round, int first, int end)
{
    for (int i = first; i < end; i++) {
        const struct run_row *row = &run_rows[i];
        if (!plan_wants(bench, row->name, row->modes) || round >= row->repeats)
            continue;
        tell(round, row->name, row->help);
        if (!run_measure(bench, (enum run)i))
            return false;
    }
    return true;
}

static bool measure_ceilings(struct bench *bench, unsigned round)
{
    for (int i = 0; i < CEILING_COUNT; i++) {
        const struct ceiling_row *row = &ceiling_rows[i];
        if (!plan_wants(bench, row->name, row->modes) || round >= row->repeats)
            continue;
        tell(round, row->name, row->help);
        if (!ceiling_measure(bench, (enum ceiling)i))
            return false;
    }
    return true;
}

/* The ceilings come right behind the first run, which is compared with them. */
static bool measure_round(struct bench *bench, unsigned round)
{
    _Static_assert(RUN_batches == 0, "the ceilings are measured beside it");
    if (!measure_runs(bench, round, 0, 1) || !measure_ceilings(bench, round) ||
        !measure_runs(bench, round, 1, RUN_COUNT))
        return false;
    if (bench->peer.name == NULL)
        return true;
    tell(round, bench->peer.name, "single events to one endpoint, and the same here");
    return run_measure_peer(bench);
}

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
    run_close();
    child_end_all();
    int status = good ? finish(&bench, cli, baseline) : EXIT_REFUSED;
    if (child_stopped())
        fputs("revhook: stopped\n", stderr);
    json_decref(baseline);
    return status;
}
