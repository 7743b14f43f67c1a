/*
 * listen.c - `revhook listen`: a local receiver of webhooks, to see what arrives.
 *
 * One libh2o event loop, one thread. Happy path: a verify request gets its challenge back, any
 * other POST is looked at (type, id, signature, seen before?), printed as one line and answered
 * with --status after --delay. A receiver that is made to fail by --status still verifies, so that
 * a webhook can be active and failing; --no-verify takes that away.
 *
 * Failure modes: the port is taken (told, exit 1); a body over 2 MiB (413 by the library, before
 * this code); a body that is no JSON object (printed with type "?", answered like any other); too
 * many connections (the newest are closed).
 *
 * Ends on SIGINT, SIGTERM, after --count events, or when nobody reads its output any more: it stops
 * accepting, lets answers in progress go out for up to a second, and prints a summary. Refuses to
 * take the signature for more than it is: with no --secret it says "unchecked".
 */
#include "arrival.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES_MAX  (2 * 1024 * 1024)
#define CONNECTIONS_MAX 900
#define LOOP_WAIT_MS    200
#define DRAIN_MS        1000
#define IDLE_TIMEOUT_MS 60000

/* The one receiver of the process; h2o's callbacks reach it here. */
static struct {
    const struct cli *cli;
    struct arrival_style style;
    const char *answer_body;
    long status;
    long delay_ms;
    long count; /* events after which it ends, 0 for never */
    bool echo;
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_timeout_t delay;
    h2o_socket_t *listener;
    struct seen seen;
    long connections;
    long open; /* requests whose answer has not gone out completely */
    long events;
    long good_signatures;
    long duplicates;
    long verifies;
} receiver;

static volatile sig_atomic_t stop;

/* One request until its answer is out; lives in the request's memory pool. */
struct exchange {
    h2o_timeout_entry_t timer;
    h2o_req_t *request;
    int status;
};

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved"},
        {302, "Found"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {410, "Gone"},
        {429, "Too Many Requests"},
        {502, "Bad Gateway"},
        {500, "Internal Server Error"},
        {504, "Gateway Time-out"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "As Asked For";
}

static void answer(h2o_req_t *request, int status, h2o_iovec_t body, const char *type)
{
    if (status == 204 || status == 304)
        body.len = 0;
    request->res.status = status;
    request->res.reason = reason_phrase(status);
    request->res.content_length = body.len;
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type,
                   strlen(type));
    h2o_send_inline(request, body.base, body.len);
}

static void answer_event(h2o_timeout_entry_t *timer)
{
    struct exchange *exchange = H2O_STRUCT_FROM_MEMBER(struct exchange, timer, timer);
    h2o_iovec_t body = h2o_iovec_init(receiver.answer_body, strlen(receiver.answer_body));
    answer(exchange->request, exchange->status, body, "text/plain; charset=utf-8");
}

static void exchange_end(void *memory)
{
    struct exchange *exchange = memory;
    if (h2o_timeout_is_linked(&exchange->timer))
        h2o_timeout_unlink(&exchange->timer);
    receiver.open--;
}

static void answer_challenge(h2o_req_t *request, struct span challenge)
{
    static const char head[] = "{\"challenge\":";
    h2o_iovec_t body;
    body.len = sizeof head - 1 + challenge.length + 1;
    body.base = h2o_mem_alloc_pool(&request->pool, body.len);
    memcpy(body.base, head, sizeof head - 1);
    memcpy(body.base + sizeof head - 1, challenge.at, challenge.length);
    body.base[body.len - 1] = '}';
    answer(request, 200, body, "application/json");
}

static void count_event(const struct arrival *arrival)
{
    receiver.events++;
    receiver.good_signatures += arrival->signature == SIGNATURE_OK;
    receiver.duplicates += arrival->times > 1;
    if (receiver.count > 0 && receiver.events >= receiver.count)
        stop = 1;
}

static int on_request(h2o_handler_t *handler, h2o_req_t *request)
{
    (void)handler;
    struct arrival arrival;
    struct exchange *exchange =
        h2o_mem_alloc_shared(&request->pool, sizeof *exchange, exchange_end);
    *exchange = (struct exchange){.request = request, .status = (int)receiver.status};
    exchange->timer.cb = answer_event;
    receiver.open++;
    if (!h2o_memis(request->method.base, request->method.len, H2O_STRLIT("POST"))) {
        h2o_add_header_by_str(&request->pool, &request->res.headers, H2O_STRLIT("allow"), 0, NULL,
                              H2O_STRLIT("POST"));
        answer(request, 405, h2o_iovec_init(H2O_STRLIT("webhooks come by POST\n")),
               "text/plain; charset=utf-8");
        return 0;
    }
    arrival_read(&arrival, request, &receiver.style, &receiver.seen);
    bool is_verify = arrival.challenge.at != NULL;
    bool echo = is_verify && receiver.echo;
    arrival.status = echo ? 200 : exchange->status;
    arrival.echoed = echo;
    arrival_print(&arrival, request, &receiver.style);
    if (is_verify)
        receiver.verifies++;
    else
        count_event(&arrival);
    if (echo)
        answer_challenge(request, arrival.challenge);
    else if (receiver.delay_ms > 0)
        h2o_timeout_link(receiver.context.loop, &receiver.delay, &exchange->timer);
    else
        answer_event(&exchange->timer);
    return 0;
}

static void on_close(void *data)
{
    (void)data;
    receiver.connections--;
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    if (error != NULL)
        return;
    h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
    if (socket == NULL)
        return;
    if (receiver.connections >= CONNECTIONS_MAX) {
        h2o_socket_close(socket);
        return;
    }
    receiver.connections++;
    socket->on_close.cb = on_close;
    h2o_accept(&receiver.accept, socket);
}

/* Binds and listens; returns the descriptor, or -1 after telling why not. */
static int open_port(const char *host, long port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char service[16];
    snprintf(service, sizeof service, "%ld", port);
    int error = getaddrinfo(host, service, &hints, &found);
    if (error != 0) {
        refused("cannot listen on %s: %s", host, gai_strerror(error));
        return -1;
    }
    int one = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 512) != 0) {
        refused("cannot listen on %s port %ld: %s%s", host, port, strerror(errno),
                errno == EADDRINUSE ? " (choose another with --port)" : "");
        if (fd != -1)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static void print_listening(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[64], port[8];
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    const char *open = strchr(host, ':') != NULL ? "[" : "";
    const char *shut = *open != '\0' ? "]" : "";
    printf(receiver.cli->json ? "{\"listening\":\"http://%s%s%s:%s/\"}\n"
                              : "listening on http://%s%s%s:%s/\n",
           open, host, shut, port);
    fflush(stdout);
}

static void start(int fd)
{
    h2o_config_init(&receiver.config);
    receiver.config.http1.upgrade_to_http2 = 0;
    receiver.config.http1.req_timeout = IDLE_TIMEOUT_MS;
    receiver.config.max_request_entity_size = BODY_BYTES_MAX;
    h2o_hostconf_t *host =
        h2o_config_register_host(&receiver.config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&receiver.context, h2o_evloop_create(), &receiver.config);
    receiver.accept.ctx = &receiver.context;
    receiver.accept.hosts = receiver.config.hosts;
    h2o_timeout_init(receiver.context.loop, &receiver.delay, (uint64_t)receiver.delay_ms);
    receiver.listener =
        h2o_evloop_socket_create(receiver.context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(receiver.listener, on_accept);
}

/* The loop hands over what happened; -1 with EINTR is a signal, which `stop` tells about. */
static bool turn(int wait_ms)
{
    if (h2o_evloop_run(receiver.context.loop, wait_ms) != 0 && errno != EINTR)
        return false;
    return fflush(stdout) == 0;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_summary(void)
{
    /* On a terminal the cursor stands behind the ^C. */
    if (!receiver.cli->json && isatty(STDOUT_FILENO))
        putchar('\n');
    printf(receiver.cli->json ? "{\"received\":%ld,\"verified_signatures\":%ld,"
                                "\"duplicates\":%ld,\"verify_requests\":%ld}\n"
                              : "%ld received, %ld verified signatures, %ld duplicates, "
                                "%ld verify requests\n",
           receiver.events, receiver.good_signatures, receiver.duplicates, receiver.verifies);
    fflush(stdout);
}

int listen_run(const struct cli *cli)
{
    long port = 9000;
    receiver.cli = cli;
    receiver.status = 200;
    if (!args_number(cli, "port", 0, 65535, &port) ||
        !args_number(cli, "status", 200, 599, &receiver.status) ||
        !args_number(cli, "delay", 0, 3600000, &receiver.delay_ms) ||
        !args_number(cli, "count", 1, 1000000000, &receiver.count) ||
        !signature_read(cli, &receiver.style.form))
        return EXIT_USAGE;
    const char *host = args_value(cli, "host");
    receiver.style.secret = args_value(cli, "secret");
    receiver.style.json = cli->json;
    receiver.answer_body = args_has(cli, "body") ? args_value(cli, "body") : "ok\n";
    receiver.echo = !args_has(cli, "no-verify");
    receiver.style.quiet = args_has(cli, "quiet");
    receiver.style.show_body = args_has(cli, "show-body");
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = open_port(host != NULL ? host : "127.0.0.1", port);
    if (fd == -1)
        return EXIT_REFUSED;
    start(fd);
    print_listening(fd);
    bool good = true;
    while (good && !stop)
        good = turn(LOOP_WAIT_MS);
    h2o_socket_close(receiver.listener);
    for (long end_ms = now_ms() + DRAIN_MS; good && receiver.open > 0 && now_ms() < end_ms;)
        good = turn(10);
    print_summary();
    seen_free(&receiver.seen);
    return good ? 0 : EXIT_REFUSED;
}
