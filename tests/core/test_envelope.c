/* The bytes around a payload, timestamps, and which webhook gets what. */
#include "core/envelope.h"
#include "core/fanout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define WEBHOOK "don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123"

static const struct envelope sample = {
    .event_id = WEBHOOK ":event/abcdef",
    .webhook_id = WEBHOOK,
    .timestamp = INT64_C(1659355200123456), /* 2022-08-01T12:00:00.123456Z */
};

static void an_event(void **state)
{
    (void)state;
    static const char payload[] = "{\"work\":{\"id\":\"x\",\"n\":0.1}}";
    static const char expected[] =
        "{\"id\":\"" WEBHOOK ":event/abcdef\",\"webhook_id\":\"" WEBHOOK
        "\",\"timestamp\":\"2022-08-01T12:00:00.123456Z\",\"type\":\"work_created\","
        "\"work_created\":{\"work\":{\"id\":\"x\",\"n\":0.1}}}";
    char out[sizeof(payload) + ENVELOPE_EXTRA_BYTES_MAX];
    size_t bytes = envelope_event(out, &sample, EVENT_work_created, payload, strlen(payload));
    assert_int_equal(bytes, strlen(expected));
    assert_memory_equal(out, expected, bytes);
}

static void a_payload_is_copied_byte_for_byte(void **state)
{
    (void)state;
    static const char payload[] = "{\"a\":\"\0\xff\xf0\x9f\x98\x80\"}"; /* never looked into */
    char out[sizeof(payload) + ENVELOPE_EXTRA_BYTES_MAX];
    size_t bytes = envelope_event(out, &sample, EVENT_tag_updated, payload, sizeof(payload) - 1);
    assert_memory_equal(out + bytes - sizeof(payload), payload, sizeof(payload) - 1);
    assert_int_equal(out[bytes - 1], '}');
}

/* DevRev's sample receiver reads the challenge at the top level, its guide puts it into `verify`.
 */
static void a_verify_request(void **state)
{
    (void)state;
#define HEAD                                                                \
    "{\"id\":\"" WEBHOOK ":event/abcdef\",\"webhook_id\":\"" WEBHOOK        \
    "\",\"timestamp\":\"2022-08-01T12:00:00.123456Z\",\"type\":\"verify\"," \
    "\"verify\":{\"challenge\":\"DlrVaK7\"}"
    char out[2 * 7 + ENVELOPE_EXTRA_BYTES_MAX];
    size_t bytes = envelope_verify(out, &sample, "DlrVaK7", false);
    assert_int_equal(bytes, strlen(HEAD "}"));
    assert_memory_equal(out, HEAD "}", bytes);
    bytes = envelope_verify(out, &sample, "DlrVaK7", true);
    assert_int_equal(bytes, strlen(HEAD ",\"challenge\":\"DlrVaK7\"}"));
    assert_memory_equal(out, HEAD ",\"challenge\":\"DlrVaK7\"}", bytes);
}

/* Every type, with ids as long as they may be, stays within the room that callers give. */
static void the_room_suffices(void **state)
{
    (void)state;
    char event_id[257], webhook_id[256];
    memset(event_id, 'e', sizeof(event_id) - 1);
    memset(webhook_id, 'w', sizeof(webhook_id) - 1);
    event_id[sizeof(event_id) - 1] = webhook_id[sizeof(webhook_id) - 1] = '\0';
    struct envelope envelope = {.event_id = event_id, .webhook_id = webhook_id, .timestamp = 0};
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        char *out = malloc(2 + ENVELOPE_EXTRA_BYTES_MAX); /* the sanitizer watches its end */
        assert_non_null(out);
        assert_true(envelope_event(out, &envelope, type, "{}", 2) <= 2 + ENVELOPE_EXTRA_BYTES_MAX);
        free(out);
    }
    char challenge[65];
    memset(challenge, 'c', 64);
    challenge[64] = '\0';
    char *out = malloc(2 * 64 + ENVELOPE_EXTRA_BYTES_MAX);
    assert_non_null(out);
    assert_true(envelope_verify(out, &envelope, challenge, true) <=
                2 * 64 + ENVELOPE_EXTRA_BYTES_MAX);
    free(out);
}

static void expect_timestamp(wall_us wall, const char *expected)
{
    char out[TIMESTAMP_BYTES + 1];
    memset(out, 'x', sizeof(out));
    timestamp_format(out, wall);
    assert_string_equal(out, expected);
    assert_int_equal(strlen(out), TIMESTAMP_BYTES);
}

static void timestamps_at_the_edges(void **state)
{
    (void)state;
    expect_timestamp(0, "1970-01-01T00:00:00.000000Z");
    expect_timestamp(-1, "1970-01-01T00:00:00.000000Z");
    expect_timestamp(INT64_MIN, "1970-01-01T00:00:00.000000Z");
    expect_timestamp(999999, "1970-01-01T00:00:00.999999Z");
    expect_timestamp(INT64_C(951782399999999), "2000-02-28T23:59:59.999999Z");
    expect_timestamp(INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z");
    expect_timestamp(INT64_C(951868800000000), "2000-03-01T00:00:00.000000Z");
    expect_timestamp(INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z"); /* no leap day */
    expect_timestamp(INT64_C(4107542399000000), "2100-02-28T23:59:59.000000Z");
    expect_timestamp(INT64_C(1735689599000001), "2024-12-31T23:59:59.000001Z");
    expect_timestamp(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z");
    expect_timestamp(INT64_C(253402300800000000), "9999-12-31T23:59:59.999999Z");
    expect_timestamp(INT64_MAX, "9999-12-31T23:59:59.999999Z");
}

/* Every 17th day of three centuries and a half, against the C library. */
static void timestamps_agree_with_the_library(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 130000; day += 17) {
        int64_t second = day * 86400 + day * 7919 % 86400;
        time_t time = (time_t)second;
        struct tm parts;
        char expected[64];
        assert_non_null(gmtime_r(&time, &parts));
        size_t bytes = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(expected + bytes, sizeof(expected) - bytes, ".%06dZ", (int)(day % 1000000));
        expect_timestamp(second * 1000000 + day % 1000000, expected);
    }
}

static void fan_out_goes_by_the_committed_state(void **state)
{
    (void)state;
    assert_int_equal(fanout_verdict(WEBHOOK_ACTIVE), FANOUT_QUEUE);
    assert_int_equal(fanout_verdict(WEBHOOK_DEGRADED), FANOUT_FAIL);
    assert_int_equal(fanout_verdict(WEBHOOK_UNVERIFIED), FANOUT_SKIP);
    assert_int_equal(fanout_verdict(WEBHOOK_INACTIVE), FANOUT_SKIP);
    assert_int_equal(fanout_verdict(WEBHOOK_DELETED), FANOUT_SKIP);
}

static bool lists(const struct fanout_index *index, int type, const struct subscriber *subscriber)
{
    const struct fanout_list *list = fanout_list(index, type);
    unsigned found = 0;
    for (uint32_t i = 0; i < list->count; i++)
        found += list->at[i] == subscriber;
    assert_true(found <= 1);
    return found == 1;
}

/* Random subscriptions come and go; each list holds exactly its subscribers. */
static void the_index_lists_subscribers_only(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    static struct subscriber *room[EVENT_TYPE_COUNT][COUNT];
    static struct subscriber subscribers[COUNT];
    struct fanout_index index;
    bool inside[COUNT] = {false};
    unsigned random = 1;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        index.by_type[type] = (struct fanout_list){.at = room[type], .capacity = COUNT};
    for (int step = 0; step < 600; step++) {
        random = random * 1664525u + 1013904223u;
        int i = (int)(random >> 16) % COUNT;
        if (inside[i]) {
            fanout_remove(&index, &subscribers[i]);
        } else {
            subscribers[i].event_types = (struct event_set){{0}};
            for (int type = (int)(random >> 24) % 7; type < EVENT_TYPE_COUNT; type += 1 + i % 5)
                event_set_add(&subscribers[i].event_types, type);
            fanout_add(&index, &subscribers[i]);
        }
        inside[i] = !inside[i];
        for (int type = 0; type < EVENT_TYPE_COUNT; type++)
            for (int j = 0; j < COUNT; j++)
                assert_int_equal(lists(&index, type, &subscribers[j]),
                                 inside[j] && event_set_has(&subscribers[j].event_types, type));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event),
        cmocka_unit_test(a_payload_is_copied_byte_for_byte),
        cmocka_unit_test(a_verify_request),
        cmocka_unit_test(the_room_suffices),
        cmocka_unit_test(timestamps_at_the_edges),
        cmocka_unit_test(timestamps_agree_with_the_library),
        cmocka_unit_test(fan_out_goes_by_the_committed_state),
        cmocka_unit_test(the_index_lists_subscribers_only),
    };
    return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
