/* Bodies of events.publish: what is read from them, and which of several faults is told. */
#include "server/publish.h"

#include "server/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct publish_limits limits = {
    .events_max = 5,
    .event_bytes_max = 200,
    .lenient_payloads = true, /* the catalogue has tests of its own */
};

/* Reads a body; the events are printed as "type payload;", an error as its JSON. The caller's to
 * free. */
static char *reading(const char *body)
{
    struct json_out out = {0};
    struct text canonical = {NULL, 0};
    struct publish_event *events = NULL;
    uint32_t count = 0;
    bool batch = false;
    struct error error;
    if (body_canonical(text_of(body), 64, &canonical, &error) &&
        publish_read(canonical, &limits, &events, &count, &batch, &error)) {
        json_out_bytes(&out, batch ? "batch:" : "one:", batch ? 6 : 4);
        for (uint32_t i = 0; i < count; i++) {
            const char *name = event_type_name(events[i].type);
            json_out_bytes(&out, name, strlen(name));
            json_out_bytes(&out, " ", 1);
            json_out_bytes(&out, events[i].payload, events[i].payload_bytes);
            json_out_bytes(&out, ";", 1);
        }
    } else {
        error.allowed_values = NULL; /* long, and tested elsewhere */
        error_render(&out, &error);
    }
    json_out_bytes(&out, "", 1);
    free(events);
    free((char *)canonical.at);
    return out.at;
}

static void assert_reads(const char *body, const char *expected)
{
    char *seen = reading(body);
    if (strcmp(seen, expected) != 0)
        print_error("%s\n  saw      %s\n  expected %s\n", body, seen, expected);
    assert_string_equal(seen, expected);
    free(seen);
}

#define BAD            "{\"message\":\"Bad Request\",\"type\":"
#define ONE            "{\"type\":\"work_created\",\"work_created\":{}}"
#define UNKNOWN(field) BAD "\"invalid_field\",\"field_name\":\"" field "\"}"
#define MISSING(field) BAD "\"missing_required_field\",\"field_name\":\"" field "\"}"
#define KIND(field, actual, expected)                                                 \
    BAD "\"unexpected_json_type\",\"actual\":\"" actual "\",\"expected\":\"" expected \
        "\",\"field_name\":\"" field "\"}"
#define WORD(field, value) \
    BAD "\"invalid_enum_value\",\"field_name\":\"" field "\",\"value\":\"" value "\"}"

static void good_bodies(void **state)
{
    (void)state;
    assert_reads(ONE, "one:work_created {};");
    assert_reads(" { \"work_created\" : { \"a\" : 1.0 , \"b\":\"\\u00e9\" } , \"type\" : "
                 "\"work_created\" } ",
                 "one:work_created {\"a\":1,\"b\":\"\xc3\xa9\"};");
    assert_reads("{\"events\":[" ONE "]}", "batch:work_created {};");
    assert_reads("{\"events\":[" ONE ",{\"tag_created\":{\"t\":[]},\"type\":\"tag_created\"}]}",
                 "batch:work_created {};tag_created {\"t\":[]};");
    assert_reads(
        "{\"events\":[" ONE "," ONE "," ONE "," ONE "," ONE "]}",
        "batch:work_created {};work_created {};work_created {};work_created {};work_created {};");
}

static void faults_of_one_event(void **state)
{
    (void)state;
    assert_reads("[]", KIND("", "array", "object"));
    assert_reads("null", KIND("", "null", "object"));
    assert_reads("{}", MISSING("type"));
    assert_reads("{\"type\":1}", KIND("type", "number", "string"));
    assert_reads("{\"type\":\"nope\"}", WORD("type", "nope"));
    assert_reads("{\"type\":\"nope\",\"nope\":{}}", WORD("type", "nope"));
    assert_reads("{\"type\":\"nope\",\"other\":{}}", UNKNOWN("other"));
    assert_reads("{\"type\":\"verify\",\"verify\":{}}", WORD("type", "verify"));
    assert_reads("{\"type\":\"work_created\"}", MISSING("work_created"));
    assert_reads("{\"work_created\":{}}", MISSING("type"));
    assert_reads("{\"bogus\":{}}", UNKNOWN("bogus"));
    assert_reads("{\"type\":\"work_created\",\"tag_created\":{}}", UNKNOWN("tag_created"));
    assert_reads("{\"type\":\"work_created\",\"work_created\":[]}",
                 KIND("work_created", "array", "object"));
    assert_reads("{\"type\":\"work_created\",\"work_created\":{},\"id\":1}", UNKNOWN("id"));
    assert_reads("{\"type\":\"work_created\",\"work_created\":\"x\",\"id\":1}",
                 KIND("work_created", "string", "object"));
}

static void faults_of_a_batch(void **state)
{
    (void)state;
    assert_reads("{\"events\":{}}", KIND("events", "object", "array"));
    assert_reads("{\"events\":[" ONE ",7]}", KIND("events[1]", "number", "object"));
    assert_reads("{\"events\":[{}]}", MISSING("events[0].type"));
    assert_reads("{\"events\":[" ONE "],\"type\":\"work_created\"}", UNKNOWN("type"));
    assert_reads("{\"events\":[" ONE "],\"bogus\":1}", UNKNOWN("bogus"));
    assert_reads("{\"events\":[" ONE "," ONE "," ONE ",{\"type\":\"work_created\"}]}",
                 MISSING("events[3].work_created"));
    assert_reads("{\"events\":[]}",
                 BAD "\"value_not_permitted\",\"field_name\":\"events\",\"reason\":\"there must be "
                     "at least one event\"}");
    assert_reads("{\"events\":[" ONE "," ONE "," ONE "," ONE "," ONE "," ONE "]}",
                 BAD "\"value_not_permitted\",\"field_name\":\"events\",\"reason\":\"there are "
                     "more events than one "
                     "request may have\"}");
}

static void the_first_in_the_order_of_the_checks_is_told(void **state)
{
    (void)state;
    /* value, missing, unknown, kind: each later one comes before all earlier ones */
    assert_reads("{\"events\":[{\"type\":\"nope\",\"nope\":{}},{}]}", MISSING("events[1].type"));
    assert_reads("{\"events\":[{\"type\":\"nope\",\"nope\":{}},{},{\"x\":1}]}",
                 UNKNOWN("events[2].x"));
    assert_reads("{\"events\":[{\"type\":\"nope\",\"nope\":{}},{},{\"x\":1},[]]}",
                 KIND("events[3]", "array", "object"));
    assert_reads("{\"bogus\":1,\"events\":[{},3]}", KIND("events[1]", "number", "object"));
    /* of equals the first */
    assert_reads("{\"events\":[{\"a\":1},{\"b\":1}]}", UNKNOWN("events[0].a"));
    /* too many does not hide what is wrong in those beyond */
    assert_reads("{\"events\":[" ONE "," ONE "," ONE "," ONE "," ONE ",{}]}",
                 MISSING("events[5].type"));
}

static void size_is_that_of_the_canonical_event(void **state)
{
    char body[512], text[256];
    (void)state;
    memset(text, 'x', sizeof(text));
    for (int bytes = 199; bytes <= 201; bytes++) {
        int fill = bytes - (int)strlen("{\"type\":\"work_created\",\"work_created\":{\"t\":\"\"}}");
        snprintf(body, sizeof(body),
                 "{\"type\"   :\"work_created\",\"work_created\":{ \"t\":\"%.*s\"}}", fill, text);
        char *seen = reading(body);
        assert_int_equal(
            strncmp(seen, bytes <= 200 ? "one:" : "{\"message\":\"Request Entity Too Large\"", 4),
            0);
        free(seen);
    }
    snprintf(body, sizeof(body), "{\"type\":\"work_created\",\"work_created\":{\"t\":\"%.*s\"}}",
             200, text);
    assert_reads(body, "{\"message\":\"Request Entity Too "
                       "Large\",\"type\":\"request_entity_too_large\",\"max_bytes\":200}");
}

static void long_names_do_not_overflow(void **state)
{
    char body[2048], name[1024];
    (void)state;
    memset(name, 'n', sizeof(name));
    snprintf(body, sizeof(body), "{\"events\":[{\"type\":\"%.*s\",\"%.*s\":1}]}", 900, name, 901,
             name);
    char *seen = reading(body);
    assert_non_null(strstr(seen, "\"invalid_field\",\"field_name\":\"events[0].nnn"));
    assert_true(strlen(seen) < 300);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bodies),
        cmocka_unit_test(faults_of_one_event),
        cmocka_unit_test(faults_of_a_batch),
        cmocka_unit_test(the_first_in_the_order_of_the_checks_is_told),
        cmocka_unit_test(size_is_that_of_the_canonical_event),
        cmocka_unit_test(long_names_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
