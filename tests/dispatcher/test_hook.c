/* Configurations of webhooks: what an update makes of them; and the map of hooks. */
#include "dispatcher/hook_map.h"
#include "dispatcher/subscribers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct webhook_config *config_with(const struct webhook_header *headers, size_t count)
{
    struct create_call call = {
        .url = "https://example.com/x",
        .target = "https://example.com/x",
        .secret = "12345678",
        .headers = headers,
        .header_count = count,
    };
    event_set_add(&call.event_types, EVENT_work_created);
    struct webhook_config *config =
        webhook_config_new(&call, "don:integration:dvrv-us-1:devo/dev0:webhook/a");
    assert_non_null(config);
    return config;
}

/* Applies an update and compares the headers that come out, as "name: value\n" lines. */
static void expect_headers(struct webhook_config *config, const struct update_call *call,
                           const char *expected)
{
    bool changed;
    enum dispatch_result result;
    struct webhook_config *next = webhook_config_update(config, call, &changed, &result);
    assert_non_null(next);
    char *lines = webhook_config_header_lines(next);
    assert_string_equal(lines, expected);
    free(lines);
    webhook_config_drop(next);
}

static void headers_are_set_then_added_then_removed(void **state)
{
    (void)state;
    static const struct webhook_header two[] = {{"A", "1"}, {"B", "2"}};
    static const struct webhook_header other_case[] = {{"a", "9"}};
    static const struct webhook_header c[] = {{"C", "3"}};
    static const char *const b[] = {"b", "never there"};
    struct webhook_config *config = config_with(two, 2);
    expect_headers(config, &(struct update_call){.add_headers = c, .add_header_count = 1},
                   "A: 1\nB: 2\nC: 3\n");
    expect_headers(config, &(struct update_call){.add_headers = other_case, .add_header_count = 1},
                   "a: 9\nB: 2\n");
    expect_headers(config, &(struct update_call){.remove_headers = b, .remove_header_count = 2},
                   "A: 1\n");
    expect_headers(config, &(struct update_call){.set_headers = true}, "");
    expect_headers(config,
                   &(struct update_call){.set_headers = true,
                                         .headers = two,
                                         .header_count = 2,
                                         .add_headers = c,
                                         .add_header_count = 1,
                                         .remove_headers = b,
                                         .remove_header_count = 1},
                   "A: 1\nC: 3\n");
    webhook_config_drop(config);
}

static void nine_headers_are_refused_and_nothing_changes(void **state)
{
    (void)state;
    static const struct webhook_header eight[] = {{"h1", ""}, {"h2", ""}, {"h3", ""}, {"h4", ""},
                                                  {"h5", ""}, {"h6", ""}, {"h7", ""}, {"h8", ""}};
    static const struct webhook_header ninth[] = {{"h9", "x"}}, again[] = {{"H8", "x"}};
    struct webhook_config *config = config_with(eight, 8);
    bool changed;
    enum dispatch_result result;
    struct update_call call = {.add_headers = ninth, .add_header_count = 1};
    assert_null(webhook_config_update(config, &call, &changed, &result));
    assert_int_equal(result, DISPATCH_TOO_MANY_HEADERS);
    assert_int_equal(config->header_count, 8);
    call.add_headers = again;
    struct webhook_config *next = webhook_config_update(config, &call, &changed, &result);
    assert_non_null(next);
    assert_int_equal(next->header_count, 8);
    webhook_config_drop(next);
    webhook_config_drop(config);
}

static void only_what_stays_counts_against_the_limit(void **state)
{
    (void)state;
    static const struct webhook_header eight[] = {{"h1", ""}, {"h2", ""}, {"h3", ""}, {"h4", ""},
                                                  {"h5", ""}, {"h6", ""}, {"h7", ""}, {"h8", ""}},
                                       other[] = {{"H1", "x"}, {"i2", ""}};
    static const char *const one[] = {"I2"}, *const two[] = {"h3", "h1"};
    struct webhook_config *config = config_with(eight, 8);
    expect_headers(config,
                   &(struct update_call){.add_headers = other,
                                         .add_header_count = 2,
                                         .remove_headers = two,
                                         .remove_header_count = 2},
                   "h2: \nh4: \nh5: \nh6: \nh7: \nh8: \ni2: \n");
    expect_headers(config,
                   &(struct update_call){.set_headers = true,
                                         .headers = eight,
                                         .header_count = 8,
                                         .add_headers = other,
                                         .add_header_count = 2,
                                         .remove_headers = one,
                                         .remove_header_count = 1},
                   "H1: x\nh2: \nh3: \nh4: \nh5: \nh6: \nh7: \nh8: \n");
    webhook_config_drop(config);
}

static void only_what_differs_counts_as_changed(void **state)
{
    (void)state;
    static const struct webhook_header two[] = {{"A", "1"}, {"B", "2"}},
                                       other_case[] = {{"a", "1"}};
    struct webhook_config *config = config_with(two, 2);
    struct event_set same = {{0}}, other = {{0}};
    event_set_add(&same, EVENT_work_created);
    event_set_add(&other, EVENT_work_deleted);
    const struct {
        struct update_call call;
        bool changed;
    } rows[] = {
        {{.command = COMMAND_NONE}, false},
        {{.add_event_types = same}, false},
        {{.remove_event_types = other}, false},
        {{.add_event_types = other}, true},
        {{.set_event_types = true}, true},
        {{.set_event_types = true, .event_types = same}, false},
        {{.add_headers = two, .add_header_count = 1}, false},
        {{.set_headers = true, .headers = two, .header_count = 2}, false},
        {{.add_headers = other_case, .add_header_count = 1}, true},
        {{.secret = "12345678"}, true}, /* given, though equal: verify again */
        {{.url = "https://example.com/x", .target = "https://example.com/x"}, true},
        {{.reset_signature = true}, false},
        {{.signature = {.has_encoding = true}}, true}, /* the same as the service's, but its own */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool changed;
        enum dispatch_result result;
        struct webhook_config *next =
            webhook_config_update(config, &rows[i].call, &changed, &result);
        assert_non_null(next);
        assert_int_equal(changed, rows[i].changed);
        webhook_config_drop(next);
    }
    webhook_config_drop(config);
}

/* Applies an update and compares the signature that comes out; the new configuration is given back.
 */
static struct webhook_config *expect_signature(struct webhook_config *config,
                                               const struct update_call *call, const char *expected)
{
    bool changed;
    enum dispatch_result result;
    struct webhook_config *next = webhook_config_update(config, call, &changed, &result);
    char text[SIGN_FORM_TEXT_BYTES];
    assert_non_null(next);
    sign_own_write(&next->signature, text);
    assert_string_equal(text, expected);
    assert_int_equal(changed, call->secret || !sign_own_same(&config->signature, &next->signature));
    webhook_config_drop(config);
    return next;
}

static void an_update_replaces_parts_of_the_signature_or_resets_it(void **state)
{
    (void)state;
    const struct sign_own live = sign_own_of(SIGN_PRESET_DEVREV_LIVE), hex = {.has_encoding = true},
                          prefix = {.has_prefix = true, .form.prefix = true};
    struct webhook_config *config = config_with(NULL, 0);
    config = expect_signature(config, &(struct update_call){.add_header_count = 0}, "");
    config = expect_signature(config, &(struct update_call){.signature = live},
                              "encoding=base64 key=base64 prefix=");
    config = expect_signature(config, &(struct update_call){.signature = hex},
                              "encoding=hex key=base64 prefix=");
    config = expect_signature(config, &(struct update_call){.signature = prefix},
                              "encoding=hex key=base64 prefix=sha256=");
    config = expect_signature(config, &(struct update_call){.secret = "87654321"},
                              "encoding=hex key=base64 prefix=sha256=");
    config = expect_signature(config,
                              &(struct update_call){.reset_signature = true, .signature = prefix},
                              "prefix=sha256=");
    config = expect_signature(config, &(struct update_call){.reset_signature = true}, "");
    webhook_config_drop(config);
}

static void a_row_with_an_unknown_word_makes_no_configuration(void **state)
{
    (void)state;
    struct store_webhook row = {
        .url = {"https://example.com/x", 21},
        .target = {"https://example.com/x", 21},
        .secret = {"12345678", 8},
        .headers = {"", 0},
        .signature = {"encoding=base64 key=base64", 26},
    };
    struct webhook_config *config = webhook_config_from_row(&row, "don:x");
    assert_non_null(config);
    assert_true(config->signature.has_key && config->signature.form.key == SIGN_KEY_BASE64);
    assert_false(config->signature.has_prefix);
    webhook_config_drop(config);
    row.signature = (struct store_bytes){"encoding=base65", 15};
    assert_null(webhook_config_from_row(&row, "don:x"));
}

static void header_lines_make_the_same_configuration_again(void **state)
{
    (void)state;
    static const struct webhook_header headers[] = {{"Authorization", "Bearer a: b"},
                                                    {"X-Empty", ""}};
    struct webhook_config *config = config_with(headers, 2);
    char *lines = webhook_config_header_lines(config);
    struct store_webhook row = {
        .url = {"https://example.com/x", 21},
        .target = {"https://example.com/x", 21},
        .secret = {"12345678", 8},
        .headers = {lines, strlen(lines)},
    };
    struct webhook_config *again = webhook_config_from_row(&row, config->id);
    char *lines_again = webhook_config_header_lines(again);
    assert_string_equal(lines_again, lines);
    assert_string_equal(again->header_list[0].data, "Authorization: Bearer a: b");
    assert_string_equal(again->header_list[1].data,
                        "X-Empty;"); /* how libcurl sends an empty one */
    assert_ptr_equal(again->header_list[0].next, &again->header_list[1]);
    free(lines);
    free(lines_again);
    webhook_config_drop(again);
    webhook_config_drop(config);
}

static void the_map_finds_what_is_in_it_and_nothing_else(void **state)
{
    (void)state;
    enum { KEYS = 500 };
    static struct hook hooks[KEYS];
    bool in[KEYS] = {false};
    struct hook_map map = {NULL, 0, 0};
    uint32_t random = 1;
    assert_null(hook_map_get(&map, 1));
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        int i = (int)(random >> 8) % KEYS;
        hooks[i].core.key = i * INT64_C(7919) + 1;
        if (in[i])
            hook_map_remove(&map, hooks[i].core.key);
        else
            hook_map_put(&map, &hooks[i]);
        in[i] = !in[i];
        int k = (int)(random >> 16) % KEYS;
        assert_ptr_equal(hook_map_get(&map, k * INT64_C(7919) + 1), in[k] ? &hooks[k] : NULL);
    }
    size_t count = 0, at = 0;
    while (hook_map_next(&map, &at))
        count++;
    assert_int_equal(count, map.count);
    hook_map_free(&map);
}

static void a_failed_transaction_takes_subscribers_back(void **state)
{
    (void)state;
    struct subscribers subscribers = {0};
    struct event_set types = {{0}}, other = {{0}};
    event_set_add(&types, EVENT_work_created);
    event_set_add(&other, EVENT_work_deleted);
    struct hook *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
    a->core.key = 1;
    b->core.key = 2;
    uint32_t org = subscribers_org(&subscribers, "dev0", 4);
    subscribers_add(&subscribers, a, org, WEBHOOK_UNVERIFIED, &types);
    subscribers_commit(&subscribers);

    subscribers_add(&subscribers, b, org, WEBHOOK_UNVERIFIED, &types);
    subscribers_change(&subscribers, a, WEBHOOK_ACTIVE, &other);
    subscribers_change(&subscribers, a, WEBHOOK_DELETED, NULL);
    subscribers_rollback(&subscribers);
    assert_int_equal(subscribers.hooks.count, 1);
    assert_null(b->subscriber);
    assert_int_equal(a->subscriber->state, WEBHOOK_UNVERIFIED);
    assert_int_equal(fanout_list(&subscribers.index, EVENT_work_created)->count, 1);
    assert_int_equal(fanout_list(&subscribers.index, EVENT_work_deleted)->count, 0);

    subscribers_change(&subscribers, a, WEBHOOK_ACTIVE, NULL);
    subscribers_change(&subscribers, a, WEBHOOK_DELETED, NULL);
    subscribers_commit(&subscribers);
    assert_int_equal(subscribers.hooks.count, 0);
    assert_null(a->subscriber);
    subscribers_free(&subscribers);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_set_then_added_then_removed),
        cmocka_unit_test(nine_headers_are_refused_and_nothing_changes),
        cmocka_unit_test(only_what_stays_counts_against_the_limit),
        cmocka_unit_test(only_what_differs_counts_as_changed),
        cmocka_unit_test(an_update_replaces_parts_of_the_signature_or_resets_it),
        cmocka_unit_test(a_row_with_an_unknown_word_makes_no_configuration),
        cmocka_unit_test(header_lines_make_the_same_configuration_again),
        cmocka_unit_test(the_map_finds_what_is_in_it_and_nothing_else),
        cmocka_unit_test(a_failed_transaction_takes_subscribers_back),
    };
    return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
