/* The HTTP server over real sockets on 127.0.0.1: answers at once and later, limits, clients that
 * misbehave, and the end. */
#include "server/http.h"

#include "dispatcher/clock.h"
#include "dispatcher/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY_MAX   (1 << 20)
#define BIG_BYTES  (64 << 20) /* more than any pair of socket buffers */
#define CAP        4
#define LINE_BYTES 8192

/* A request that another thread answers. */
struct later {
    struct http_job job; /* first */
    struct http *http;
    struct http_request *request;
};

struct world {
    struct http *http;
    int port;
    bool paused;
    atomic_int later_count, after_count;
    pthread_t thread;
};

static void answer_text(struct http_request *request, const char *text)
{
    struct json_out out = {0};
    json_out_bytes(&out, text, strlen(text));
    http_answer(request, 200, "text/plain", &out);
}

static void run_later(struct http_job *job)
{
    struct later *later = (struct later *)job;
    if (later->request != NULL)
        answer_text(later->request, "later");
    free(later);
}

static void *post_later(void *data)
{
    struct later *later = data;
    http_post(later->http, &later->job);
    return NULL;
}

static void count_after(void *ctx, int64_t number)
{
    atomic_fetch_add(&((struct world *)ctx)->after_count, (int)number);
}

static void handle(void *ctx, struct http_request *request)
{
    struct world *world = ctx;
    if (text_is(request->path, "/later")) {
        struct later *later = calloc(1, sizeof(*later));
        later->job.run = run_later;
        later->http = request->http;
        http_hold(request, &later->request);
        assert_int_equal(pthread_create(&world->thread, NULL, post_later, later), 0);
        pthread_detach(world->thread);
    } else if (text_is(request->path, "/big")) {
        struct json_out out = {malloc(BIG_BYTES), BIG_BYTES, BIG_BYTES, false};
        memset(out.at, 'x', BIG_BYTES);
        http_after(request, count_after, world, 100);
        http_answer(request, 200, "text/plain", &out);
    } else if (text_is(request->path, "/echo")) {
        struct json_out out = {0};
        json_out_bytes(&out, request->body.at, request->body.bytes);
        http_answer(request, 200, "text/plain", &out);
    } else {
        struct text given = http_header(request, "x-given");
        char value[64];
        snprintf(value, sizeof(value), "%.*s", (int)given.bytes, given.at == NULL ? "" : given.at);
        http_answer_header(request, "x-seen", value);
        http_after(request, count_after, world, 1);
        answer_text(request, world->paused ? "paused" : "now");
    }
}

static void on_pause(void *ctx)
{
    ((struct world *)ctx)->paused = true;
}

static int start(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char url[300], error[512];
    struct http_options options = {
        .request_bytes_max = BODY_MAX,
        .connections_max = CAP,
        .request_timeout_ms = 300,
        .response_timeout_ms = 300,
        .handle = handle,
        .pause = on_pause,
        .ctx = world,
    };
    log_setup(false, LOG_LEVEL_error);
    options.listener = http_listen("127.0.0.1:0", url, sizeof(url), error, sizeof(error));
    assert_true(options.listener >= 0);
    world->port = atoi(strrchr(url, ':') + 1);
    world->http = http_start(&options, error, sizeof(error));
    assert_non_null(world->http);
    *state = world;
    return 0;
}

static int stop(void **state)
{
    struct world *world = *state;
    if (world->http != NULL)
        http_stop(world->http, 1000);
    free(world);
    return 0;
}

/* A connection whose reads end after 5 s at the latest. */
static int dial(const struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)world->port)};
    struct timeval limit = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads one answer with a Content-Length into `text`, with a final zero; false if the connection
 * ended before. */
static bool hear(int fd, char text[LINE_BYTES])
{
    size_t bytes = 0;
    for (;;) {
        ssize_t got = recv(fd, text + bytes, LINE_BYTES - 1 - bytes, 0);
        if (got <= 0)
            return false;
        bytes += (size_t)got;
        text[bytes] = 0;
        const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        if (body != NULL && length != NULL &&
            bytes >= (size_t)(body + 4 - text) + strtoul(length + 16, NULL, 10))
            return true;
    }
}

/* Whether the peer has closed, or reset, the connection within 5 s, reading what is left. */
static bool is_closed(int fd)
{
    static char rest[1 << 16];
    ssize_t got;
    while ((got = recv(fd, rest, sizeof(rest), 0)) > 0)
        continue;
    return got == 0 || errno == ECONNRESET;
}

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
        assert_int_equal(http_listen(bad[i], url, sizeof(url), error, sizeof(error)), -1);
        assert_true(strlen(error) > 10);
    }
    int fd = http_listen("127.0.0.1:0", url, sizeof(url), error, sizeof(error));
    assert_true(fd >= 0);
    assert_int_equal(strncmp(url, "http://127.0.0.1:", 17), 0);
    assert_int_equal(http_listen(url + 7, url, sizeof(url), error, sizeof(error)), -1);
    assert_non_null(strstr(error, "in use"));
    close(fd);
    fd = http_listen("[::1]:0", url, sizeof(url), error, sizeof(error));
    assert_true(fd >= 0);
    assert_int_equal(strncmp(url, "http://[::1]:", 13), 0);
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
        cmocka_unit_test_setup_teardown(connections_over_the_cap_wait, start, stop),
        cmocka_unit_test_setup_teardown(idle_and_slow_requests_are_cut_off, start, stop),
        cmocka_unit_test_setup_teardown(
            a_body_over_the_limit_is_refused_in_our_form_and_the_answer_arrives, start, stop),
        cmocka_unit_test_setup_teardown(broken_framing_is_refused_in_our_form, start, stop),
        cmocka_unit_test_setup_teardown(a_body_at_the_limit_is_taken, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_take_its_answer_is_cut_off, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_client_that_sips_its_answer_is_cut_off, start, stop),
        cmocka_unit_test_setup_teardown(http2_is_not_spoken, start, stop),
        cmocka_unit_test_setup_teardown(the_end_comes_whatever_clients_do, start, stop),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
