/* The plan of a bench: every run, ceiling and figure there is, and which of them the options ask
 * for.
 *
 * Owns: the tables, and the reading of the command line into a struct bench. Refuses: to measure.
 */
#include "tools/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENT_BYTES 1024
#define BATCH       100
#define CONNECTIONS 4
#define BACKLOG     4000

#define G MODE_GUARD
#define Q MODE_QUICK
#define F (MODE_FULL | MODE_LONG)
#define L MODE_LONG

/* What runs.def does not say is as in most runs. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const struct run_row run_rows[RUN_COUNT] = {
#define X(name, modes, together, repeats, warm_ms, help, ...) \
    {{#name, modes, together, repeats, help},                 \
     warm_ms,                                                 \
     {.orgs = 1,                                              \
      .event_bytes = EVENT_BYTES,                             \
      .batch = BATCH,                                         \
      .connections = CONNECTIONS,                             \
      .backlog = BACKLOG,                                     \
      __VA_ARGS__}},
#include "tools/bench/runs.def"
#undef X
};
#pragma GCC diagnostic pop

const struct ceiling_row ceiling_rows[CEILING_COUNT] = {
#define X(name, modes, together, repeats, measure_ms_most, help) \
    [CEILING_##name] = {{#name, modes, together, repeats, help}, measure_ms_most},
#include "tools/bench/ceilings.def"
#undef X
};

const struct figure_row figure_rows[FIGURE_COUNT] = {
    [FIGURE_RATE] = {"deliveries_per_second", "1/s"},
    [FIGURE_BY_CPU] = {"deliveries_per_second_by_cpu", "1/s"},
    [FIGURE_CPU_US] = {"cpu_us", "us"},
    [FIGURE_CPU_FIRST_PART_US + PART_API] = {"cpu_api_us", "us"},
    [FIGURE_CPU_FIRST_PART_US + PART_WRITER] = {"cpu_writer_us", "us"},
    [FIGURE_CPU_FIRST_PART_US + PART_SENDERS] = {"cpu_senders_us", "us"},
    [FIGURE_CPU_FIRST_PART_US + PART_REST] = {"cpu_rest_us", "us"},
    [FIGURE_SINK_US] = {"sink_us", "us"},
    [FIGURE_PUBLISHER_US] = {"publisher_us", "us"},
    [FIGURE_OTHERS_CORES] = {"others_processors", ""},
    [FIGURE_EVENTS_PER_COMMIT] = {"events_per_commit", ""},
    [FIGURE_RSS_IDLE_MB] = {"rss_idle_mb", "MB"},
    [FIGURE_RSS_MB] = {"rss_peak_mb", "MB"},
    [FIGURE_P50_MS] = {"p50_ms", "ms"},
    [FIGURE_P90_MS] = {"p90_ms", "ms"},
    [FIGURE_P99_MS] = {"p99_ms", "ms"},
    [FIGURE_P999_MS] = {"p999_ms", "ms"},
    [FIGURE_LATE_P99_MS] = {"publisher_late_p99_ms", "ms"},
    [FIGURE_READY_MS] = {"ready_ms", "ms"},
    [FIGURE_FIRST_MS] = {"first_arrival_ms", "ms"},
};

/* ---- what is part of it ---- */

/* Whether `name` stands in a list with commas. */
static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

bool plan_has(const struct bench *bench, const struct plan_row *row, unsigned round,
              enum together together)
{
    bool wanted = bench->only != NULL ? listed(bench->only, row->name)
                                      : (row->modes & (unsigned)bench->mode) != 0;
    return wanted && row->together == together && round < row->repeats;
}

static bool check_only(const struct cli *cli, const char *only)
{
    char word[64];
    for (const char *at = only; at != NULL; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        bool known = false;
        snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, ","), at);
        for (int i = 0; i < RUN_COUNT; i++)
            known = known || strcmp(word, run_rows[i].plan.name) == 0;
        for (int i = 0; i < CEILING_COUNT; i++)
            known = known || strcmp(word, ceiling_rows[i].plan.name) == 0;
        if (!known) {
            usage_error(cli, "--only: there is no run or ceiling '%s'; see --list", word);
            return false;
        }
    }
    return true;
}

void plan_print(void)
{
    puts("ceilings:");
    for (int i = 0; i < CEILING_COUNT; i++)
        printf("  %-16s %s\n", ceiling_rows[i].plan.name, ceiling_rows[i].plan.help);
    puts("runs:");
    for (int i = 0; i < RUN_COUNT; i++)
        printf("  %-16s %s\n", run_rows[i].plan.name, run_rows[i].plan.help);
}

/* ---- options ---- */

/* revhookd stands beside this program unless it is told otherwise. */
static const char *find_daemon(const struct cli *cli)
{
    static char path[4200];
    const char *given = args_value(cli, "daemon");
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 16);
    if (given != NULL || bytes < 0)
        return given != NULL ? given : "revhookd";
    path[bytes] = '\0';
    char *slash = strrchr(path, '/');
    snprintf(slash != NULL ? slash + 1 : path, 16, "revhookd");
    return path;
}

static void choose_mode(struct bench *bench, const struct cli *cli)
{
    static const struct {
        const char *option;
        enum mode mode;
        unsigned rounds;
        int measure_ms, times, settle_ms, budget_ms;
    } modes[] = {{"guard", MODE_GUARD, ROUNDS_MAX, 1000, 1, 600, 20000},
                 {"quick", MODE_QUICK, ROUNDS_MAX, 800, 1, 2000, 85000},
                 {"long", MODE_LONG, 5, 4000, 2, 8000, 0},
                 {NULL, MODE_FULL, 5, 4000, 2, 8000, 0}};
    unsigned i = 0;
    while (modes[i].option != NULL && !args_has(cli, modes[i].option))
        i++;
    bench->mode = modes[i].mode;
    bench->rounds = modes[i].rounds;
    bench->measure_ms = modes[i].measure_ms;
    bench->times = modes[i].times;
    bench->settle_ms = modes[i].settle_ms;
    bench->budget_ms = args_has(cli, "rounds") ? 0 : modes[i].budget_ms;
}

bool plan_read(struct bench *bench, const struct cli *cli)
{
    choose_mode(bench, cli);
    const char *folder = getenv("TMPDIR");
    long rounds = (long)bench->rounds, measure_ms = bench->measure_ms;
    bench->daemon = find_daemon(cli);
    bench->folder = folder != NULL && *folder != '\0' ? folder : "/tmp";
    if (args_has(cli, "dir"))
        bench->folder = args_value(cli, "dir");
    bench->only = args_value(cli, "only");
    if (args_has(cli, "guard") + args_has(cli, "quick") + args_has(cli, "long") > 1) {
        usage_error(cli, "one of --guard, --quick and --long");
        return false;
    }
    if (!args_number(cli, "rounds", 1, ROUNDS_MAX, &rounds) ||
        !args_number(cli, "measure-ms", 100, 60000, &measure_ms) || !check_only(cli, bench->only) ||
        !peer_read(&bench->peer, cli))
        return false;
    bench->rounds = (unsigned)rounds;
    bench->measure_ms = (int)measure_ms;
    return true;
}
