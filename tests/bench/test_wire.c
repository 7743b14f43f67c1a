/* Where messages end on the wire, and the texts of events: stamps and sizes. */
#include "tools/bench/load.h"
#include "tools/bench/wire.h"

#include "core/canon.h"
#include "core/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

static ssize_t length_of(const char *text, size_t *head)
{
    return wire_length(text, strlen(text), head);
}

static void test_length(void **state)
{
    (void)state;
    size_t head;
    assert_int_equal(length_of(POST "hello", &head), strlen(POST) + 5);
    assert_int_equal(head, strlen(POST));
    assert_int_equal(length_of(POST "hello and more", &head), strlen(POST) + 5);
    assert_int_equal(length_of(POST "hell", &head), 0);
    assert_int_equal(length_of("POST / HTTP/1.1\r\nContent-Le", &head), 0);
    assert_int_equal(length_of("HTTP/1.1 200 OK\r\n\r\n", &head), 19);
    assert_int_equal(length_of("HTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\n\r\nok", &head), 39);
    assert_int_equal(length_of("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", &head),
                     -1);
    /* The word in another header, or in the body, is none. */
    assert_int_equal(length_of("HTTP/1.1 200 OK\r\nX: content-length: 9\r\n\r\n", &head), 41);
}

static void test_chunked(void **state)
{
    (void)state;
    static const char whole[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n";
    size_t head;
    assert_int_equal(length_of(whole, &head), sizeof(whole) - 1);
    for (size_t bytes = 0; bytes < sizeof(whole) - 1; bytes++)
        assert_int_equal(wire_length(whole, bytes, &head), 0);
    assert_int_equal(
        length_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n", &head), -1);
}

static void test_status(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
    assert_int_equal(wire_status(answer, sizeof(answer) - 1), 503);
    assert_int_equal(wire_status("POST / HTTP/1.1\r\n\r\n", 19), 0);
    assert_int_equal(wire_status("HTTP", 4), 0);
}

/* Every event is as long as asked for, canonical, and what the catalogue asks of its type. */
static void test_events(void **state)
{
    (void)state;
    static const unsigned sizes[] = {1024, 4096, 65536};
    for (unsigned i = 0; i < LOAD_TYPES_MAX; i++)
        for (unsigned k = 0; k < 3; k++) {
            char *event = load_event(i, sizes[k]), *payload = load_payload(i, sizes[k]);
            struct catalogue_problem problem;
            const struct canon_span span = {payload, strlen(payload)};
            assert_int_equal(strlen(event), sizes[k]);
            assert_non_null(strstr(event, payload));
            assert_int_equal(catalogue_check(load_type(i), span, &problem), CATALOGUE_OK);
            free(event);
            free(payload);
        }
}

static void test_types_differ(void **state)
{
    (void)state;
    struct event_set seen = {{0}};
    for (unsigned i = 0; i < LOAD_TYPES_MAX; i++) {
        assert_false(event_set_has(&seen, load_type(i)));
        event_set_add(&seen, load_type(i));
        assert_true(event_type_publishable(load_type(i)));
    }
    assert_false(event_set_has(&seen, load_type_unused()));
    assert_int_equal(load_type(LOAD_TYPES_MAX), load_type(0));
}

static void test_stamps(void **state)
{
    (void)state;
    const struct load load = {
        .orgs = 1, .types = 50, .endpoints = 100, .batch = 7, .event_bytes = 1024};
    struct request_text request = load_request(&load, 45);
    assert_int_equal(request.stamp_count, 7);
    for (unsigned i = 0; i < 7; i++)
        load_stamp(request.text + request.stamps[i], 1000 + i);
    assert_int_equal(load_stamp_in(request.text, request.bytes), 1000);
    assert_int_equal(
        load_stamp_in(request.text + request.stamps[0], request.bytes - request.stamps[0]), 1001);
    assert_int_equal(load_stamp_in("{\"type\":\"verify\"}", 17), 0);
    assert_int_equal(load_fan_out(&load), 2);
    request_text_free(&request);
}

static void test_frame(void **state)
{
    (void)state;
    const struct load load = {
        .orgs = 1, .types = 1, .endpoints = 1, .batch = 1, .event_bytes = 1024};
    struct request_text request =
        load_request_framed(&load, "{\"t\":\"{type}\",\"p\":{payload},\"again\":{event}}", 0);
    char *event = load_event(0, 1024);
    assert_int_equal(strncmp(request.text, "{\"t\":\"account_created\",\"p\":{\"account\":", 37),
                     0);
    assert_non_null(strstr(request.text, event));
    assert_int_equal(strlen(request.text), request.bytes);
    assert_int_equal(request.stamp_count, 2);
    free(event);
    request_text_free(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),       cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_status),       cmocka_unit_test(test_events),
        cmocka_unit_test(test_types_differ), cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
