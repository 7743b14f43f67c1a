/* What every request passes: the table of routes, ids, cursors, and the bodies of errors.
 */
#include "server/cursor.h"
#include "server/id.h"
#include "server/routes.h"
#include "server/tenants.h"
#include "server/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- routes ---- */

static void routes_are_found_byte_for_byte(void **state)
{
    static const char *const good[] = {
        "/webhooks.create",
        "/webhooks.get",
        "/webhooks.list",
        "/webhooks.update",
        "/webhooks.delete",
        "/events.publish",
        "/events.get",
        "/events.list",
        "/deliveries.get",
        "/deliveries.list",
        "/clock.get",
        "/clock.advance",
        "/healthz",
        "/deliveries.redeliver",
        "/metrics",
        "/internal/webhooks.create",
        "/internal/events.publish",
    };
    static const char *const bad[] = {
        "",
        "/",
        "/webhooks",
        "/webhooks.create/",
        "/webhooks.createx",
        "/webhooks.event",
        "/internal",
        "/internal/",
        "/internal/internal/webhooks.list",
        "/internal/healthz",
        "/internal/metrics",
        "//healthz",
        "/HEALTHZ",
        "/../healthz",
        "/%68ealthz",
        "/internalwebhooks.list",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_non_null(route_find(text_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(route_find(text_of(bad[i])));
}

static int scope_of(const char *path)
{
    return route_find(text_of(path))->scope;
}

static void every_route_wants_a_scope_but_two(void **state)
{
    static const char *const open[] = {"/healthz", "/openapi.yaml"};
    size_t open_count = 0;
    (void)state;
    for (const struct route *at = routes; at->path != NULL; at++)
        open_count += at->scope == ROUTE_OPEN;
    assert_int_equal(open_count, sizeof(open) / sizeof(open[0]));
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        assert_int_equal(scope_of(open[i]), ROUTE_OPEN);
    assert_int_equal(scope_of("/metrics"), SCOPE_metrics);
    assert_int_equal(scope_of("/clock.advance"), SCOPE_manage);
    assert_true(route_find(text_of("/clock.advance"))->virtual_clock_only);
    assert_int_equal(scope_of("/events.publish"), SCOPE_publish);
    assert_int_equal(scope_of("/webhooks.create"), SCOPE_manage);
    assert_int_equal(scope_of("/webhooks.get"), SCOPE_read);
    assert_int_equal(route_find(text_of("/webhooks.create"))->methods, ROUTE_POST);
    assert_int_equal(route_find(text_of("/webhooks.get"))->methods, ROUTE_POST | ROUTE_GET);
}

static void methods(void **state)
{
    (void)state;
    assert_int_equal(route_method(text_of("GET")), ROUTE_GET);
    assert_int_equal(route_method(text_of("HEAD")), ROUTE_GET);
    assert_int_equal(route_method(text_of("POST")), ROUTE_POST);
    assert_int_equal(route_method(text_of("post")), 0);
    assert_int_equal(route_method(text_of("PUT")), 0);
    assert_int_equal(route_method(text_of("")), 0);
}

/* ---- ids ---- */

#define US   "don:integration:dvrv-us-1:devo/dev0:"
#define AN_X "00000005000009"

/* What becomes of an id: looked up as it is; looked up as one that nothing has; or an error. */
enum judged { OURS, NOBODY, WRONG };

static void ids_are_judged(void **state)
{
    static const struct {
        const char *id;
        enum ids_kind wanted;
        enum judged judged;
        int error;
    } cases[] = {
        {US "webhook/aB3dE6gH", IDS_WEBHOOK, OURS, 0},
        {US "event/" AN_X, IDS_EVENT, OURS, 0},
        {US "webhook/aB3dE6gH:event/" AN_X, IDS_EVENT, OURS, 0},
        {US "webhook/aB3dE6gH:delivery/" AN_X, IDS_DELIVERY, OURS, 0},
        {"x", IDS_WEBHOOK, WRONG, ERROR_invalid_id},
        {"webhook-1", IDS_WEBHOOK, WRONG, ERROR_invalid_id},
        {US "event/" AN_X, IDS_WEBHOOK, WRONG, ERROR_unexpected_id_type},
        {US "webhook/aB3dE6gH", IDS_EVENT, WRONG, ERROR_unexpected_id_type},
        {US "webhook/aB3dE6gH", IDS_DELIVERY, WRONG, ERROR_unexpected_id_type},
        {US "webhook/aB3dE6gH:event/" AN_X, IDS_DELIVERY, WRONG, ERROR_unexpected_id_type},
        {"don:core:dvrv-us-1:devo/dev0:event/1", IDS_EVENT, WRONG, ERROR_unexpected_id_type},
        {"don:core:dvrv-us-1:devo/dev0:issue/1", IDS_WEBHOOK, WRONG, ERROR_unexpected_id_type},
        {"don:integration:dvrv-eu-1:devo/dev0:webhook/z", IDS_WEBHOOK, NOBODY, 0},
        {"don:integration:dvrv-us-1:devo/dev1:webhook/z", IDS_WEBHOOK, NOBODY, 0},
        {"don:integration:dvrv-us-1:devo/dev1:event/" AN_X, IDS_EVENT, NOBODY, 0},
        {"don:integration:dvrv-us-1:devo/dev1:webhook/z:delivery/" AN_X, IDS_DELIVERY, NOBODY, 0},
        {US "event/abcdefghijk", IDS_EVENT, NOBODY, 0},
        {US "webhook/aB3dE6gH:delivery/7", IDS_DELIVERY, NOBODY, 0},
    };
    const struct org org = {.id = "dev0", .partition = "dvrv-us-1"};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ids_don don;
        struct error error;
        bool good = id_check(text_of(cases[i].id), "id", cases[i].wanted, &org, &don, &error);
        bool named = good && (cases[i].wanted == IDS_WEBHOOK ? don.webhook_bytes > 0 : don.key > 0);
        if (good != (cases[i].judged != WRONG) || named != (cases[i].judged == OURS))
            print_error("%s: %d %d\n", cases[i].id, good, named);
        assert_int_equal(good, cases[i].judged != WRONG);
        assert_int_equal(named, cases[i].judged == OURS);
        if (!good)
            assert_int_equal(error.type, cases[i].error);
        if (cases[i].judged == NOBODY)
            assert_int_equal(don.webhook_bytes + (size_t)don.key + (size_t)don.salt, 0);
    }
}

/* ---- cursors ---- */

static void cursors_come_back_and_are_told_from_other_text(void **state)
{
    char cursor[CURSOR_BYTES + 1];
    int64_t key;
    (void)state;
    for (int64_t i = 1; i < 100000; i = i * 3 + 1) {
        cursor_write(cursor, CURSOR_EVENTS, i);
        assert_true(cursor_read(text_of(cursor), CURSOR_EVENTS, &key));
        assert_int_equal(key, i);
        assert_false(cursor_read(text_of(cursor), CURSOR_DELIVERIES, &key));
        cursor[CURSOR_BYTES - 1] ^= 1;
        assert_false(cursor_read(text_of(cursor), CURSOR_EVENTS, &key));
    }
    assert_false(cursor_read(text_of(""), CURSOR_EVENTS, &key));
    assert_false(cursor_read(text_of("1"), CURSOR_EVENTS, &key));
    assert_false(cursor_read(text_of("00000001000000"), CURSOR_EVENTS, &key));
}

/* ---- errors ---- */

static void assert_body(const struct error *error, const char *expected)
{
    struct json_out out = {0};
    error_render(&out, error);
    json_out_bytes(&out, "", 1);
    assert_string_equal(out.at, expected);
    json_out_free(&out);
}

static void error_bodies(void **state)
{
    struct error error;
    (void)state;
    error_plain(&error, ERROR_not_found, NULL);
    assert_body(&error, "{\"message\":\"Not Found\",\"type\":\"not_found\"}");
    error_plain(&error, ERROR_bad_request, "because");
    assert_body(&error,
                "{\"message\":\"Bad Request\",\"type\":\"bad_request\",\"detail\":\"because\"}");
    error_field(&error, ERROR_invalid_field, "subtype");
    assert_body(
        &error,
        "{\"message\":\"Bad Request\",\"type\":\"invalid_field\",\"field_name\":\"subtype\"}");
    error_kind(&error, "parent_part", "array", "object");
    assert_body(
        &error,
        "{\"message\":\"Bad Request\",\"type\":\"unexpected_json_type\",\"actual\":\"array\","
        "\"expected\":\"object\",\"field_name\":\"parent_part\"}");
    error_enum(&error, "action", text_of("x\n"), words_actions);
    assert_body(&error,
                "{\"message\":\"Bad "
                "Request\",\"type\":\"invalid_enum_value\",\"allowed_values\":[\"activate\","
                "\"deactivate\"],\"field_name\":\"action\",\"value\":\"x\\n\"}");
    error_id_type(&error, "id", text_of("don:x"), "webhook");
    assert_body(
        &error,
        "{\"message\":\"Bad Request\",\"type\":\"unexpected_id_type\",\"field_name\":\"id\","
        "\"value\":\"don:x\",\"allowed_types\":[\"webhook\"]}");
    error_value(&error, "url", "no");
    assert_body(
        &error,
        "{\"message\":\"Bad "
        "Request\",\"type\":\"value_not_permitted\",\"field_name\":\"url\",\"reason\":\"no\"}");
    error_text(&error, ERROR_invalid_content_type, text_of(""));
    assert_body(&error,
                "{\"message\":\"Bad Request\",\"type\":\"invalid_content_type\",\"value\":\"\"}");
    error_too_large(&error, 1048576);
    assert_body(&error, "{\"message\":\"Request Entity Too "
                        "Large\",\"type\":\"request_entity_too_large\",\"max_bytes\":1048576}");
    error_plain(&error, ERROR_service_unavailable, NULL);
    assert_body(&error, "{\"message\":\"Service Unavailable\",\"type\":\"service_unavailable\"}");
}

static void long_values_are_cut_at_a_character(void **state)
{
    char value[1000];
    struct error error;
    (void)state;
    for (size_t i = 0; i + 2 < sizeof(value); i += 2)
        memcpy(value + i, "\xc3\xa9", 2);
    error_enum(&error, "f", (struct text){value + 1, 900},
               words_actions); /* begins in the middle of one */
    assert_true(error.value_bytes <= sizeof(error.value));
    assert_true(error.value_bytes % 2 == 1);
}

static void every_status_has_its_phrase(void **state)
{
    (void)state;
    for (int type = 0; type < ERROR_TYPE_COUNT; type++)
        assert_string_not_equal(http_reason(error_status((enum error_type)type)), "Unknown");
}

static void allowed_words(void **state)
{
    size_t all = 0, publishable = 0;
    (void)state;
    while (words_event_types[all] != NULL)
        all++;
    while (words_publishable_types[publishable] != NULL)
        publishable++;
    assert_int_equal(all, EVENT_TYPE_COUNT);
    assert_int_equal(publishable, EVENT_TYPE_COUNT - 1);
    assert_int_equal(words_find(words_publishable_types, text_of("verify")), -1);
    assert_true(words_find(words_event_types, text_of("verify")) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_found_byte_for_byte),
        cmocka_unit_test(every_route_wants_a_scope_but_two),
        cmocka_unit_test(methods),
        cmocka_unit_test(ids_are_judged),
        cmocka_unit_test(cursors_come_back_and_are_told_from_other_text),
        cmocka_unit_test(error_bodies),
        cmocka_unit_test(long_values_are_cut_at_a_character),
        cmocka_unit_test(every_status_has_its_phrase),
        cmocka_unit_test(allowed_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
