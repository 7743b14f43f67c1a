/* Objects whose last version is kept: which events tell of one, the numbers of names, what counts
 * as found, and the payload that answers a fetch. */
#include "dispatcher/object.h"

#include "core/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct canon_span span(const char *text)
{
    return (struct canon_span){text, strlen(text)};
}

static struct store_bytes bytes(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

#define assert_span(span_, text_)                         \
    do {                                                  \
        struct canon_span s_ = (span_);                   \
        assert_int_equal(s_.bytes, strlen(text_));        \
        assert_memory_equal(s_.at, text_, strlen(text_)); \
    } while (0)

/* ---- what an event tells ---- */

static void a_version_has_an_id_and_perhaps_a_display_id(void **state)
{
    (void)state;
    static const enum event_type works[] = {EVENT_work_created, EVENT_work_updated};
    static const enum event_type trackers[] = {EVENT_sla_tracker_created,
                                               EVENT_sla_tracker_updated};
    for (int i = 0; i < 2; i++) {
        struct object_told told = object_told_by(
            works[i],
            span("{\"old_work\":{\"id\":\"x\"},\"work\":{\"title\":\"t\",\"id\":\"don:1\","
                 "\"display_id\":\"ISS-1\"}}"));
        assert_int_equal(told.change, OBJECT_VERSION);
        assert_span(told.id, "don:1");
        assert_span(told.display_id, "ISS-1");
        told = object_told_by(trackers[i], span("{\"sla_tracker\":{\"id\":\"a\\\"b\"}}"));
        assert_int_equal(told.change, OBJECT_VERSION);
        assert_span(told.id, "a\\\"b");
        assert_null(told.display_id.at);
    }
}

static void a_display_id_that_is_the_id_or_no_string_is_none(void **state)
{
    (void)state;
    struct object_told told = object_told_by(
        EVENT_work_created, span("{\"work\":{\"id\":\"ISS-1\",\"display_id\":\"ISS-1\"}}"));
    assert_int_equal(told.change, OBJECT_VERSION);
    assert_null(told.display_id.at);
    told =
        object_told_by(EVENT_work_created, span("{\"work\":{\"id\":\"1\",\"display_id\":null}}"));
    assert_int_equal(told.change, OBJECT_VERSION);
    assert_null(told.display_id.at);
}

static void what_has_no_object_tells_nothing(void **state)
{
    (void)state;
    static const char *const payloads[] = {"{}",
                                           "{\"work\":null}",
                                           "{\"work\":[]}",
                                           "{\"work\":{}}",
                                           "{\"work\":{\"id\":5}}",
                                           "{\"sla_tracker\":{\"id\":\"1\"}}"};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
        assert_int_equal(object_told_by(EVENT_work_created, span(payloads[i])).change,
                         OBJECT_UNTOUCHED);
    assert_int_equal(object_told_by(EVENT_work_deleted, span("{\"id\":7}")).change,
                     OBJECT_UNTOUCHED);
}

static void a_deletion_names_what_is_gone(void **state)
{
    (void)state;
    struct object_told told =
        object_told_by(EVENT_work_deleted, span("{\"id\":\"don:1\",\"old_work\":{\"id\":\"x\"}}"));
    assert_int_equal(told.change, OBJECT_GONE);
    assert_span(told.id, "don:1");
    assert_int_equal(object_told_by(EVENT_sla_tracker_deleted, span("{\"id\":\"1\"}")).change,
                     OBJECT_GONE);
}

/* Of all types in the catalogue these six and no other. */
static void other_types_tell_nothing(void **state)
{
    (void)state;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        enum object_change expected = OBJECT_UNTOUCHED;
        if (type == EVENT_work_created || type == EVENT_work_updated ||
            type == EVENT_sla_tracker_created || type == EVENT_sla_tracker_updated)
            expected = OBJECT_VERSION;
        if (type == EVENT_work_deleted || type == EVENT_sla_tracker_deleted)
            expected = OBJECT_GONE;
        assert_int_equal(object_told_by(type, catalogue_sample(type)).change, expected);
    }
}

/* ---- numbers ---- */

/* They stand in files, so these values must never change. */
static void numbers_are_what_they_were(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t number;
    } rows[] = {
        {"ISS-12345", INT64_C(3687040636181033017)},
        {"don:core:dvrv-us-1:devo/dev0:issue/12345", INT64_C(1240830249902551097)},
        {"ISS-0", INT64_C(3687040636181020672)},
        {"ISS-00", INT64_C(2010455274074144768)},
        {"ISS-007", INT64_C(3170279436444499975)},
        {"ISS-999999999", INT64_C(3687040637181020671)},
        {"ISS-1000000000", INT64_C(3499081180702048256)},
        {"ISS-12000000003", INT64_C(2004619838374281219)},
        {"7", INT64_C(2363481967468478471)},
        {"", INT64_C(-2222079702947653297)},
        {"x", INT64_C(-700851098098221643)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(object_number(bytes("dev0"), span(rows[i].name)), rows[i].number);
        for (size_t k = 0; k < i; k++)
            assert_true(rows[k].number != rows[i].number);
    }
}

static void numbers_differ_by_name_and_organisation(void **state)
{
    (void)state;
    int64_t one = object_number(bytes("dev0"), span("ISS-1"));
    assert_true(one > 0);
    assert_true(one != object_number(bytes("dev1"), span("ISS-1")));
    assert_true(one != object_number(bytes("dev0I"), span("SS-1")));
    assert_true(one != object_number(bytes("dev0"), span("ISS-01")));
    assert_true(object_number(bytes("dev0"), span("ISS-")) < 0);
}

static void names_that_count_up_are_neighbours(void **state)
{
    (void)state;
    int64_t first = object_number(bytes("dev0"), span("don:core:p:devo/0:issue/1"));
    for (int i = 2; i < 100000; i += 997) {
        char name[64];
        snprintf(name, sizeof name, "don:core:p:devo/0:issue/%d", i);
        assert_int_equal(object_number(bytes("dev0"), span(name)), first + i - 1);
    }
}

/* ---- what counts as found ---- */

static bool found(const char *payload, const char *org, const char *name, bool by_alias)
{
    struct store_object row = {.org = bytes("dev0"),
                               .type = EVENT_work_updated,
                               .payload = bytes(payload),
                               .by_alias = by_alias};
    struct canon_span object;
    bool is = object_in_version(&row, bytes(org), span(name), &object);
    if (is)
        assert_int_equal(object.at[0], '{');
    return is;
}

static void another_object_under_the_same_number_is_not_found(void **state)
{
    (void)state;
    const char *both = "{\"work\":{\"id\":\"don:1\",\"display_id\":\"ISS-1\"}}";
    const char *one = "{\"work\":{\"id\":\"don:1\"}}";
    assert_true(found(both, "dev0", "don:1", false));
    assert_true(found(both, "dev0", "ISS-1", true));
    assert_false(found(both, "dev0", "ISS-2", true));
    assert_false(found(both, "dev0", "don:2", false));
    assert_false(found(both, "dev1", "don:1", false));
    assert_false(found(both, "dev", "don:1", false));
    assert_true(found(one, "dev0", "ISS-1", true)); /* the version says nothing to the contrary */
    assert_false(found(one, "dev0", "ISS-1", false));
    assert_false(found("{\"work\":[]}", "dev0", "don:1", false));
}

/* ---- the answer ---- */

static void the_type_is_that_of_the_version_or_of_the_name(void **state)
{
    (void)state;
    static const char tracker[] = "don:core:dvrv-us-1:devo/0:sla_tracker/7";
    assert_int_equal(object_fetched_type(EVENT_work_created, span(tracker)), EVENT_work_fetched);
    assert_int_equal(object_fetched_type(EVENT_sla_tracker_updated, span("SLA-1")),
                     EVENT_sla_tracker_fetched);
    assert_int_equal(object_fetched_type(-1, span(tracker)), EVENT_sla_tracker_fetched);
    static const char *const others[] = {"ISS-1",
                                         "x",
                                         "don:",
                                         "don",
                                         "sla_tracker/7",
                                         "dan:core:p:devo/0:sla_tracker/7",
                                         "don:core:p:devo/0:sla_tracker/",
                                         "don:core:p:devo/0:sla_tracker",
                                         "don:core:p:devo/0:sla_tracker/7:issue/1",
                                         "don:core:p:devo/0:issue/1"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(object_fetched_type(-1, span(others[i])), EVENT_work_fetched);
}

static void assert_payload(enum event_type type, const char *name, const char *object,
                           const char *expected)
{
    struct json_out out = {0};
    struct catalogue_problem problem;
    object_fetched_payload(&out, type, span(name),
                           object ? span(object) : (struct canon_span){NULL, 0});
    struct canon_span payload = {out.at, out.bytes};
    assert_span(payload, expected);
    assert_int_equal(catalogue_check(type, payload, &problem), CATALOGUE_OK);
    json_out_free(&out);
}

static void the_payload_is_as_devrev_has_it(void **state)
{
    (void)state;
    assert_payload(EVENT_work_fetched, "\"ISS-1\"", NULL,
                   "{\"id\":\"ISS-1\",\"result\":\"not_found\"}");
    assert_payload(EVENT_sla_tracker_fetched, "\"\\\"\"", NULL,
                   "{\"id\":\"\\\"\",\"result\":\"not_found\"}");
    assert_payload(EVENT_work_fetched, "\"ISS-1\"",
                   "{\"id\":\"1\",\"type\":\"issue\",\"owned_by\":[],\"title\":\"\"}",
                   "{\"id\":\"ISS-1\",\"result\":\"ok\",\"work\":{\"id\":\"1\",\"type\":\"issue\","
                   "\"owned_by\":[],"
                   "\"title\":\"\"}}");
    assert_payload(EVENT_sla_tracker_fetched, "\"1\"",
                   "{\"id\":\"1\",\"metric_target_summaries\":[]}",
                   "{\"id\":\"1\",\"result\":\"ok\",\"sla_tracker\":{\"id\":\"1\",\"metric_target_"
                   "summaries\":[]}}");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_has_an_id_and_perhaps_a_display_id),
        cmocka_unit_test(a_display_id_that_is_the_id_or_no_string_is_none),
        cmocka_unit_test(what_has_no_object_tells_nothing),
        cmocka_unit_test(a_deletion_names_what_is_gone),
        cmocka_unit_test(other_types_tell_nothing),
        cmocka_unit_test(numbers_are_what_they_were),
        cmocka_unit_test(numbers_differ_by_name_and_organisation),
        cmocka_unit_test(names_that_count_up_are_neighbours),
        cmocka_unit_test(another_object_under_the_same_number_is_not_found),
        cmocka_unit_test(the_type_is_that_of_the_version_or_of_the_name),
        cmocka_unit_test(the_payload_is_as_devrev_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
