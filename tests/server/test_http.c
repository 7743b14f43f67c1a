/* The HTTP server: answers at once and later, clients that go away, addresses, and the end. */
#include "http_fixture.h"

static void answers_keep_the_connection(void **state)
{
    char text[LINE_BYTES];
    int fd = dial(*state);
    for (int i = 0; i < 3; i++) {
        say(fd, "GET /x?a=b HTTP/1.1\r\nHost: x\r\nX-Given: hello\r\n\r\n");
        assert_true(hear(fd, text));
        assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(text, "x-seen: hello\r\n"));
        assert_non_null(strstr(text, "\r\n\r\nnow"));
    }
    close(fd);
}

static void the_answer_to_head_has_no_body(void **state)
{
    char text[LINE_BYTES] = "";
    size_t bytes = 0;
    int fd = dial(*state);
    say(fd, "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    while (strstr(text, "\r\n\r\nnow") == NULL) {
        ssize_t got = recv(fd, text + bytes, LINE_BYTES - 1 - bytes, 0);
        assert_true(got > 0);
        bytes += (size_t)got;
        text[bytes] = 0;
    }
    assert_non_null(strstr(text, "Content-Length: 3"));
    assert_non_null(strstr(text, "\r\n\r\nHTTP/1.1 200 OK"));
    close(fd);
}

static void answers_from_another_thread(void **state)
{
    char text[LINE_BYTES];
    int fds[CAP];
    for (int i = 0; i < CAP; i++)
        fds[i] = dial(*state);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < CAP; i++)
            say(fds[i], "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        for (int i = 0; i < CAP; i++) {
            assert_true(hear(fds[i], text));
            assert_non_null(strstr(text, "\r\n\r\nlater"));
        }
    }
    for (int i = 0; i < CAP; i++)
        close(fds[i]);
}

static void a_client_that_goes_while_its_answer_is_made(void **state)
{
    char text[LINE_BYTES];
    for (int i = 0; i < 50; i++) {
        int fd = dial(*state);
        struct linger at_once = {1, 0};
        say(fd, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fd); /* a reset */
    }
    int fd = dial(*state);
    say(fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(hear(fd, text));
    close(fd);
}

static void after_is_called_once_when_the_answer_is_out(void **state)
{
    struct world *world = *state;
    char text[LINE_BYTES];
    int fd = dial(world);
    for (int i = 1; i <= 3; i++) {
        say(fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(hear(fd, text));
    }
    close(fd);
    http_stop(world->http, 1000);
    world->http = NULL;
    assert_int_equal(atomic_load(&world->after_count), 3);
}

/* The limits of time must not end what the test wants to see ended otherwise. */
static int start_patient(void **state)
{
    return start_with(state, &(struct http_options){.request_timeout_ms = 60000});
}

static void the_end_comes_whatever_clients_do(void **state)
{
    struct world *world = *state;
    char text[LINE_BYTES];
    int idle = dial(world), half = dial(world), stuck = dial(world), open = dial(world);
    say(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    say(stuck, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    say(open, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(hear(open, text));
    http_pause(world->http);
    say(open, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(hear(open, text));
    assert_non_null(strstr(text, "paused"));
    assert_non_null(strstr(text, "Connection: close"));
    int64_t began_ms = clock_span_ms();
    http_stop(world->http, 100);
    world->http = NULL;
    assert_true(clock_span_ms() - began_ms < 1000);
    assert_true(is_closed(idle));
    assert_true(is_closed(half));
    assert_true(is_closed(stuck));
    close(idle);
    close(half);
    close(stuck);
    close(open);
}

/* A socket that is bound to `address`, and listens to nobody. */
static int bound_to(const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

static void loopback_is_this_host_alone(void **state)
{
    (void)state;
    int any = bound_to("0.0.0.0"), other = bound_to("127.255.0.9");
    assert_false(http_is_loopback(any));
    assert_true(http_is_loopback(other));
    assert_false(http_is_loopback(-1));
    close(any);
    close(other);
}

static void addresses(void **state)
{
    static const char *const bad[] = {"",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      ":8080",
                                      "127.0.0.1:x",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "::1:80",
                                      "[::1]",
                                      "[::1:80",
                                      "[]:80",
                                      "127.0.0.1:123456",
                                      "no such host.invalid:80"};
    char url[300], error[512];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error[0] = 0;
        assert_int_equal(http_listen(bad[i], "http", url, sizeof(url), error, sizeof(error)), -1);
        assert_true(strlen(error) > 10);
    }
    int fd = http_listen("127.0.0.1:0", "http", url, sizeof(url), error, sizeof(error));
    assert_true(fd >= 0);
    assert_int_equal(strncmp(url, "http://127.0.0.1:", 17), 0);
    assert_true(http_is_loopback(fd));
    assert_int_equal(http_listen(url + 7, "http", url, sizeof(url), error, sizeof(error)), -1);
    assert_non_null(strstr(error, "in use (choose another with --listen)"));
    close(fd);
    fd = http_listen("[::1]:0", "http", url, sizeof(url), error, sizeof(error));
    assert_true(fd >= 0);
    assert_int_equal(strncmp(url, "http://[::1]:", 13), 0);
    assert_true(http_is_loopback(fd));
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_keep_the_connection, start, stop),
        cmocka_unit_test_setup_teardown(the_answer_to_head_has_no_body, start, stop),
        cmocka_unit_test_setup_teardown(answers_from_another_thread, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_goes_while_its_answer_is_made, start, stop),
        cmocka_unit_test_setup_teardown(after_is_called_once_when_the_answer_is_out, start, stop),
        cmocka_unit_test_setup_teardown(the_end_comes_whatever_clients_do, start_patient, stop),
        cmocka_unit_test(loopback_is_this_host_alone),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
