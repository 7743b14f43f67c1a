/* A server of its own for each test, over real sockets on 127.0.0.1, and a client that says bytes
 * and hears answers. */
#ifndef REVHOOK_TESTS_SERVER_HTTP_FIXTURE_H
#define REVHOOK_TESTS_SERVER_HTTP_FIXTURE_H

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

static inline void answer_text(struct http_request *request, const char *text)
{
    struct json_out out = {0};
    json_out_bytes(&out, text, strlen(text));
    http_answer(request, 200, "text/plain", &out);
}

static inline void run_later(struct http_job *job)
{
    struct later *later = (struct later *)job;
    if (later->request != NULL)
        answer_text(later->request, "later");
    free(later);
}

static inline void *post_later(void *data)
{
    struct later *later = data;
    http_post(later->http, &later->job);
    return NULL;
}

static inline void count_after(void *ctx, int64_t number)
{
    atomic_fetch_add(&((struct world *)ctx)->after_count, (int)number);
}

static inline void handle(void *ctx, struct http_request *request)
{
    struct world *world = ctx;
    int64_t retry_after_s = http_rate(request, 0);
    if (retry_after_s > 0) {
        http_answer_header_number(request, "x-wait", retry_after_s);
        answer_text(request, "wait");
    } else if (text_is(request->path, "/later")) {
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

static inline void on_pause(void *ctx)
{
    ((struct world *)ctx)->paused = true;
}

/* What tests set of the options; the others are the same for all. */
static inline int start_with(void **state, const struct http_options *set)
{
    struct world *world = calloc(1, sizeof(*world));
    char url[300], error[512];
    struct http_options options = {
        .request_bytes_max = BODY_MAX,
        .memory_max = set->memory_max ? set->memory_max : SIZE_MAX,
        .connections_max = CAP,
        .connections_per_address_max =
            set->connections_per_address_max ? set->connections_per_address_max : CAP,
        .address_requests_per_minute = set->address_requests_per_minute,
        .close_after_body = set->close_after_body,
        .request_timeout_ms = set->request_timeout_ms ? set->request_timeout_ms : 300,
        .response_timeout_ms = set->response_timeout_ms ? set->response_timeout_ms : 300,
        .handle = handle,
        .pause = on_pause,
        .ctx = world,
    };
    log_setup(false, LOG_LEVEL_error);
    options.listener = http_listen("127.0.0.1:0", "http", url, sizeof(url), error, sizeof(error));
    assert_true(options.listener >= 0);
    world->port = atoi(strrchr(url, ':') + 1);
    world->http = http_start(&options, error, sizeof(error));
    assert_non_null(world->http);
    *state = world;
    return 0;
}

static inline int start(void **state)
{
    return start_with(state, &(struct http_options){0});
}

static inline int stop(void **state)
{
    struct world *world = *state;
    if (world->http != NULL)
        http_stop(world->http, 1000);
    free(world);
    return 0;
}

/* A connection whose reads end after 5 s at the latest. */
static inline int dial(const struct world *world)
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

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads one answer with a Content-Length into `text`, with a final zero; false if the connection
 * ended before. */
static inline bool hear(int fd, char text[LINE_BYTES])
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
static inline bool is_closed(int fd)
{
    static char rest[1 << 16];
    ssize_t got;
    while ((got = recv(fd, rest, sizeof(rest), 0)) > 0)
        continue;
    return got == 0 || errno == ECONNRESET;
}

#endif
