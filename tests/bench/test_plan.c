/* The command line of the bench, its targets and its baseline. */
#include "tools/bench/baseline.h"
#include "tools/bench/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the command line ---- */

/* The options as main.c has them, as far as plan.c looks at them. */
static const struct option_row options[] = {
    {"quick", NULL, "", false},     {"guard", NULL, "", false},    {"long", NULL, "", false},
    {"only", "A", "", false},       {"list", NULL, "", false},     {"rounds", "N", "", false},
    {"measure-ms", "N", "", false}, {"daemon", "P", "", false},    {"dir", "D", "", false},
    {"peer", "N", "", false},       {"url", "U", "", false},       {"header", "H", "", true},
    {"body", "T", "", false},       {"sink-port", "N", "", false}, {NULL, NULL, NULL, false},
};

static const struct command commands[] = {
    {"bench", "", 0, 0, "", NULL, options, NULL},
    {NULL, NULL, 0, 0, NULL, NULL, NULL, NULL},
};

static struct bench bench;

/* Reads "bench" and these words; whether they are taken. What is wrong goes to stderr. */
static bool read_words(char *const words[])
{
    char *argv[32] = {"revhook", "bench"};
    struct cli cli;
    int argc = 2;
    while (words[argc - 2] != NULL && argc < 31) {
        argv[argc] = words[argc - 2];
        argc++;
    }
    bench = (struct bench){0};
    assert_int_equal(args_parse(&cli, commands, argc, argv), ARGS_RUN);
    return plan_read(&bench, &cli);
}
#define READ(...) read_words((char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* Whether it is part of the first round. */
static bool has(const struct plan_row *row)
{
    return plan_has(&bench, row, 0, row->together);
}

static void test_modes(void **state)
{
    (void)state;
    assert_true(READ("--quick"));
    assert_int_equal(bench.mode, MODE_QUICK);
    assert_true(has(&run_rows[RUN_tls].plan));
    assert_false(has(&run_rows[RUN_rows_1m].plan));
    assert_true(READ());
    assert_int_equal(bench.mode, MODE_FULL);
    assert_true(has(&run_rows[RUN_rows_1m].plan));
    assert_false(has(&run_rows[RUN_rows_10m].plan));
    assert_true(READ("--long"));
    assert_true(has(&run_rows[RUN_rows_10m].plan));
    assert_true(has(&run_rows[RUN_batches].plan));
    assert_true(READ("--guard", "--rounds", "5", "--measure-ms=250"));
    assert_int_equal(bench.rounds, 5);
    assert_int_equal(bench.measure_ms, 250);
    assert_false(READ("--guard", "--quick"));
    assert_false(READ("--rounds", "61"));
    assert_false(READ("--rounds", "0"));
    assert_false(READ("--measure-ms", "99"));
}

static void test_only(void **state)
{
    (void)state;
    assert_true(READ("--only", "tls,hmac"));
    assert_true(has(&run_rows[RUN_tls].plan));
    assert_true(has(&ceiling_rows[CEILING_hmac].plan));
    assert_false(has(&run_rows[RUN_batches].plan));
    assert_false(
        plan_has(&bench, &ceiling_rows[CEILING_hmac].plan, 2, ALONE)); /* twice is enough */
    assert_false(plan_has(&bench, &run_rows[RUN_tls].plan, 0, WITH_BATCHES));
    assert_true(READ("--only", "curl_tls"));
    assert_false(has(&run_rows[RUN_tls].plan)); /* a part of that name */
    assert_false(READ("--only", "tls,hma"));
    assert_false(READ("--only", ""));
}

static void test_peer(void **state)
{
    (void)state;
    assert_true(READ("--peer", "other", "--url", "http://127.0.0.1:8071/api/v1/msg?x=1", "--header",
                     "Authorization: Bearer t", "--body",
                     "{\"eventType\":\"{type}\",\"payload\":{payload}}"));
    assert_string_equal(bench.peer.name, "other");
    assert_string_equal(bench.peer.host, "127.0.0.1");
    assert_int_equal(bench.peer.port, 8071);
    assert_int_equal(bench.peer.sink_port, 9900);
    assert_string_equal(bench.peer.head, "POST /api/v1/msg?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8071\r\n"
                                         "Authorization: Bearer t\r\n");
    assert_true(READ("--peer", "o", "--url", "http://localhost", "--body", "{event}", "--sink-port",
                     "4000"));
    assert_int_equal(bench.peer.port, 80);
    assert_string_equal(bench.peer.host, "127.0.0.1");
    assert_false(READ("--peer", "o"));
    assert_false(READ("--peer", "o", "--url", "http://127.0.0.1:1/"));
    assert_false(READ("--peer", "o", "--url", "http://127.0.0.1:1/", "--body", "{}"));
    assert_false(READ("--peer", "o", "--url", "https://127.0.0.1:1/", "--body", "{event}"));
    assert_false(READ("--peer", "o", "--url", "http://example.com/", "--body", "{event}"));
    assert_false(READ("--peer", "o", "--url", "http://127.0.0.1:65536/", "--body", "{event}"));
    assert_false(READ("--peer", "o", "--url", "http://127.0.0.1:1/", "--body", "{event}",
                      "--header", "none"));
    assert_false(READ("--peer", "o", "--url", "http://127.0.0.1:1/", "--body", "{event}",
                      "--header", "a: b\r\nc: d"));
    assert_false(READ("--url", "http://127.0.0.1:1/"));
}

/* ---- targets ---- */

static void put(struct sample *sample, double value)
{
    sample_add(sample, value);
}

static void test_targets(void **state)
{
    (void)state;
    bench = (struct bench){.processors = 2};
    struct sample none = target_value(&bench, TARGET_over_ceilings);
    assert_int_equal(none.count, 0); /* what was not measured is not told */
    put(&bench.runs[RUN_batches].figures[FIGURE_RATE], 45000);
    put(&bench.ceilings[CEILING_curl].cpu_us, 16);
    put(&bench.ceilings[CEILING_curl].sink_us, 10);
    put(&bench.ceilings[CEILING_curl].rate, 60000);
    put(&bench.ceilings[CEILING_store].cpu_us, 13);
    put(&bench.ceilings[CEILING_h2o_publish].cpu_us, 1);
    struct sample allowed = target_allowed(&bench);
    assert_int_equal(allowed.count, 1);
    assert_true(allowed.values[0] == 50000); /* 2 processors / 40 us */
    struct sample value = target_value(&bench, TARGET_over_ceilings);
    assert_true(sample_median(&value) == 0.9);
    assert_true(target_met(TARGET_over_ceilings, &value));
    value = target_value(&bench, TARGET_over_curl);
    assert_true(sample_median(&value) == 0.75);
    assert_false(target_met(TARGET_over_curl, &value));
    char reason[TARGET_REASON_BYTES];
    put(&bench.runs[RUN_batches].figures[FIGURE_CPU_US], 33.25);
    target_reason(&bench, TARGET_over_curl, reason);
    assert_non_null(strstr(reason, "33.2"));
}

static void test_at_most(void **state)
{
    (void)state;
    bench = (struct bench){.processors = 2};
    put(&bench.runs[RUN_latency_1000].figures[FIGURE_P99_MS], 1.5);
    struct sample value = target_value(&bench, TARGET_latency_p99_ms);
    assert_true(target_met(TARGET_latency_p99_ms, &value));
    value.values[0] = 1.51;
    assert_false(target_met(TARGET_latency_p99_ms, &value));
}

/* ---- the baseline ---- */

static json_t *report(double rate, double growth)
{
    return json_pack("{s:[{s:s,s:f,s:s},{s:s,s:f,s:s}]}", "ratios", "name", "rate", "value", rate,
                     "better", "higher", "name", "growth", "value", growth, "better", "lower");
}

static bool kept(json_t *before, json_t *now)
{
    FILE *nowhere = fopen("/dev/null", "w");
    bool good = baseline_kept(before, now, nowhere);
    fclose(nowhere);
    json_decref(before);
    json_decref(now);
    return good;
}

static void test_baseline(void **state)
{
    (void)state;
    assert_true(kept(report(1, 1), report(1, 1)));
    assert_true(kept(report(1, 1), report(2, 0.5)));
    assert_true(kept(report(1, 1), report(0.76, 1.32)));
    assert_false(kept(report(1, 1), report(0.74, 1))); /* more than 25 % less */
    assert_false(kept(report(1, 1), report(1, 1.34))); /* the same where less is better */
}

static void test_baseline_without_a_match(void **state)
{
    (void)state;
    assert_true(
        kept(report(1, 1), json_pack("{s:[{s:s,s:f}]}", "ratios", "name", "rate", "value", 0.9)));
    assert_false(kept(report(1, 1), json_pack("{s:[]}", "ratios")));
    assert_false(kept(json_pack("{s:[]}", "ratios"), report(1, 1)));
    assert_false(kept(json_object(), report(1, 1)));
    assert_false(kept(json_pack("{s:[{s:s}]}", "ratios", "name", "rate"), report(1, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_only),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_at_most),
        cmocka_unit_test(test_baseline),
        cmocka_unit_test(test_baseline_without_a_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
