/* The HTTP server against clients that are many, slow, large, or wrong: its limits, each seen from
 * outside. */
#include "http_fixture.h"

static void connections_over_the_cap_wait(void **state)
{
    char text[LINE_BYTES];
    int fds[CAP], next;
    for (int i = 0; i < CAP; i++) {
        fds[i] = dial(*state);
        say(fds[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(hear(fds[i], text));
    }
    next = dial(*state); /* the kernel accepts it, the server does not yet */
    say(next, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 3; i++) { /* three rounds of the loop without a look at the newcomer */
        say(fds[1], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(hear(fds[1], text));
    }
    assert_int_equal(recv(next, text, 1, MSG_DONTWAIT), -1);
    close(fds[0]);
    assert_true(hear(next, text));
    for (int i = 1; i < CAP; i++)
        close(fds[i]);
    close(next);
}

/* Refused as one too many: told so, or a reset where it has sent something already. */
static void assert_refused(int fd)
{
    char text[LINE_BYTES];
    assert_true(hear(fd, text));
    assert_non_null(strstr(text, "HTTP/1.1 429 "));
    assert_non_null(strstr(text, "Retry-After: 1\r\n"));
    assert_true(is_closed(fd));
    close(fd);
}

static int start_with_two_an_address(void **state)
{
    return start_with(state, &(struct http_options){.connections_per_address_max = 2});
}

static void connections_of_one_address_beyond_its_cap_are_closed(void **state)
{
    char text[LINE_BYTES];
    int fds[2];
    for (int round = 0; round < 3; round++) { /* what is closed is free again */
        for (int i = 0; i < 2; i++) {
            fds[i] = dial(*state);
            say(fds[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_true(hear(fds[i], text));
            assert_non_null(strstr(text, "HTTP/1.1 200 OK"));
        }
        assert_refused(dial(*state));
        assert_refused(dial(*state));
        for (int i = 0; i < 2; i++) {
            say(fds[i], "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            assert_true(hear(fds[i], text));
            assert_true(is_closed(fds[i]));
            close(fds[i]);
        }
    }
}

static int start_with_three_a_minute(void **state)
{
    return start_with(state, &(struct http_options){.address_requests_per_minute = 3});
}

static void requests_of_one_address_are_counted_over_its_connections(void **state)
{
    char text[LINE_BYTES];
    for (int i = 0; i < 5; i++) {
        int fd = dial(*state);
        say(fd, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_true(hear(fd, text));
        assert_int_equal(strstr(text, "x-wait: 60\r\n") != NULL, i >= 3);
        assert_true(is_closed(fd));
        close(fd);
    }
}

static void idle_and_slow_requests_are_cut_off(void **state)
{
    int idle = dial(*state), slow = dial(*state);
    say(slow, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    assert_true(is_closed(idle));
    assert_true(is_closed(slow));
    close(idle);
    close(slow);
}

static void a_body_over_the_limit_is_refused_in_our_form_and_the_answer_arrives(void **state)
{
    char text[LINE_BYTES];
    static char piece[65536];
    const char *error = "{\"message\":\"Request Entity Too "
                        "Large\",\"type\":\"request_entity_too_large\",\"max_bytes\":1048576}";
    int fd = dial(*state);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
    assert_true(hear(fd, text));
    assert_non_null(strstr(text, "HTTP/1.1 413 "));
    assert_non_null(strstr(text, error));
    assert_non_null(strstr(text, "application/json"));
    assert_null(strstr(text, "text/plain"));
    for (int i = 0; i < 16; i++) /* it goes on sending, as clients do that have begun */
        assert_true(send(fd, piece, sizeof(piece), MSG_NOSIGNAL) > 0);
    assert_int_equal(recv(fd, text, LINE_BYTES, 0), 0); /* an end, not a reset */
    close(fd);

    fd = dial(*state);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 17; i++) {
        say(fd, "10000\r\n");
        send(fd, piece, sizeof(piece), MSG_NOSIGNAL);
        say(fd, "\r\n");
    }
    assert_true(hear(fd, text));
    assert_non_null(strstr(text, error));
    assert_true(is_closed(fd));
    close(fd);
}

static void broken_framing_is_refused_in_our_form(void **state)
{
    static const char *const heads[] = {
        "Transfer-Encoding: gzip\r\n\r\n",
        "Content-Length: x\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Content-Length: 1\r\nExpect: the unexpected\r\n\r\n",
    };
    char text[LINE_BYTES];
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        int fd = dial(*state);
        say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\n");
        say(fd, heads[i]);
        assert_true(hear(fd, text));
        assert_non_null(strstr(text, "\"type\":\"bad_request\""));
        close(fd);
    }
}

static void a_body_at_the_limit_is_taken(void **state)
{
    static char body[BODY_MAX], back[BODY_MAX + LINE_BYTES];
    size_t bytes = 0, sent = 0;
    int fd = dial(*state);
    memset(body, 'b', sizeof(body));
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\nExpect: "
            "100-continue\r\n\r\n");
    assert_true(recv(fd, back, sizeof("HTTP/1.1 100 Continue\r\n\r\n") - 1, MSG_WAITALL) > 0);
    while (sent < sizeof(body)) {
        ssize_t wrote = send(fd, body + sent, sizeof(body) - sent, MSG_NOSIGNAL);
        assert_true(wrote > 0);
        sent += (size_t)wrote;
    }
    while (bytes < BODY_MAX) {
        ssize_t got = recv(fd, back + bytes, sizeof(back) - bytes, 0);
        assert_true(got > 0);
        bytes += (size_t)got;
    }
    assert_memory_equal(strstr(back, "\r\n\r\n") + 4, body, 1000);
    close(fd);
}

/* Asks for an answer that is larger than all buffers, takes `bytes` of it every 20 ms, and waits to
 * be cut off. */
static void assert_cut_off(struct world *world, size_t bytes)
{
    static char taken[1 << 14];
    int fd = dial(world);
    int64_t began_ms = clock_span_ms();
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    while (atomic_load(&world->after_count) == 0 && clock_span_ms() - began_ms < 5000) {
        poll(NULL, 0, 20);
        if (bytes > 0)
            assert_true(recv(fd, taken, bytes, MSG_DONTWAIT) != 0);
    }
    assert_int_equal(atomic_load(&world->after_count), 100);
    assert_true(clock_span_ms() - began_ms >= 250);
    close(fd);
}

static void a_client_that_does_not_take_its_answer_is_cut_off(void **state)
{
    assert_cut_off(*state, 0);
}

static void a_client_that_sips_its_answer_is_cut_off(void **state)
{
    assert_cut_off(*state, 1 << 14);
}

static int start_with_little_memory(void **state)
{
    return start_with(state, &(struct http_options){.memory_max = BODY_MAX,
                                                    .request_timeout_ms = 60000,
                                                    .response_timeout_ms = 60000});
}

/* A connection that has sent `bytes` of a request of 1 MiB. */
static int half_sent(const struct world *world, size_t bytes)
{
    static char piece[BODY_MAX];
    int fd = dial(world);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
    for (size_t sent = 0; sent < bytes;) {
        ssize_t wrote = send(fd, piece + sent, bytes - sent, MSG_NOSIGNAL);
        assert_true(wrote > 0);
        sent += (size_t)wrote;
    }
    return fd;
}

static void assert_open(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void who_holds_most_is_cut_off_when_all_hold_too_much(void **state)
{
    struct world *world = *state;
    char text[LINE_BYTES];
    int small = half_sent(*state, 100000), large = half_sent(*state, 400000);
    int larger = half_sent(*state, 700000), reader = dial(*state);
    assert_true(is_closed(larger));
    say(reader, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(hear(reader, text));
    assert_open(small);
    assert_open(large);
    say(reader, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"); /* an answer counts, too */
    /* Nothing of it is read before: it would be over before the server looks. */
    for (int i = 0; i < 5000 && atomic_load(&world->after_count) < 101; i++)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&world->after_count), 101);
    assert_true(is_closed(reader));
    close(small);
    close(large);
    close(larger);
    close(reader);
}

static void http2_is_not_spoken(void **state)
{
    char text[LINE_BYTES];
    int fd = dial(*state);
    say(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_true(is_closed(fd));
    close(fd);
    fd = dial(*state);
    say(fd, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
            "h2c\r\nHTTP2-Settings: "
            "AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
    assert_true(hear(fd, text));
    assert_non_null(strstr(text, "HTTP/1.1 200 OK"));
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connections_over_the_cap_wait, start, stop),
        cmocka_unit_test_setup_teardown(connections_of_one_address_beyond_its_cap_are_closed,
                                        start_with_two_an_address, stop),
        cmocka_unit_test_setup_teardown(requests_of_one_address_are_counted_over_its_connections,
                                        start_with_three_a_minute, stop),
        cmocka_unit_test_setup_teardown(idle_and_slow_requests_are_cut_off, start, stop),
        cmocka_unit_test_setup_teardown(
            a_body_over_the_limit_is_refused_in_our_form_and_the_answer_arrives, start, stop),
        cmocka_unit_test_setup_teardown(broken_framing_is_refused_in_our_form, start, stop),
        cmocka_unit_test_setup_teardown(a_body_at_the_limit_is_taken, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_take_its_answer_is_cut_off, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_client_that_sips_its_answer_is_cut_off, start, stop),
        cmocka_unit_test_setup_teardown(who_holds_most_is_cut_off_when_all_hold_too_much,
                                        start_with_little_memory, stop),
        cmocka_unit_test_setup_teardown(http2_is_not_spoken, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
