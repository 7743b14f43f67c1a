/* A tuned libcurl client, see ceiling_curl.h.
 *
 * Owns: the same tricks that the service's sender may use, and none of its work: socket_action with
 * an epoll of its own, connections that stay registered while they are idle, endpoints spread over
 * several multis, easy handles used again, URLs parsed once, header nodes that are never copied.
 * Nothing is signed (that has a line of its own), no outcome is judged, no address is checked. */
#include "tools/bench/ceiling_curl.h"

#include "tools/bench/load.h"
#include "tools/bench/usage.h"
#include "tools/revhook/revhook.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHARDS      16
#define TRANSFERS   200 /* under way at once, at least one to each endpoint */
#define EVENTS_MAX  256
#define CONNECTIONS 2048L
#define FDS_MAX     8192
#define WAIT_MS     5    /* at most, for it may be paused */
#define READ_BYTES  1024 /* answers are short, and what is smaller comes from the heap cheaper */

struct client;

struct client_shard {
    struct client *client;
    CURLM *multi;
    int64_t wake_at_ms; /* -1: never */
};

struct client {
    const struct curl_plan *plan;
    int epoll_fd;
    struct client_shard shards[SHARDS];
    struct client_shard *shard_of_fd[FDS_MAX]; /* NULL: idle, or none */
    uint32_t registered[FDS_MAX];
    CURLU **urls;
    X509_STORE *store;
    struct worker_board *board;
    struct transfer *resting; /* paused when they were done */
};

struct transfer {
    CURL *easy;
    unsigned endpoint; /* always the same, so the number of connections does not grow */
    struct client_shard *shard;
    struct transfer *next; /* while it rests */
    struct curl_slist headers[3];
};

static int64_t client_ms(void)
{
    return (int64_t)(now_ns() / 1000000);
}

static void client_watch(struct client *client, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (client->registered[fd] == events)
        return;
    epoll_ctl(client->epoll_fd, client->registered[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    client->registered[fd] = events;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *per_socket)
{
    struct client_shard *shard = context;
    (void)easy;
    (void)per_socket;
    if (fd >= FDS_MAX)
        abort();
    shard->client->shard_of_fd[fd] = what == CURL_POLL_REMOVE ? NULL : shard;
    if (what != CURL_POLL_REMOVE)
        client_watch(shard->client, fd,
                     (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u));
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct client_shard *shard = context;
    (void)multi;
    shard->wake_at_ms = timeout_ms < 0 ? -1 : client_ms() + timeout_ms;
    return 0;
}

static int on_close(void *context, curl_socket_t fd)
{
    struct client *client = context;
    client->registered[fd] = 0;
    client->shard_of_fd[fd] = NULL;
    return close(fd);
}

static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static CURLcode on_ssl(CURL *easy, void *ssl_ctx, void *context)
{
    (void)easy;
    SSL_CTX_set1_cert_store(ssl_ctx, context);
    return CURLE_OK;
}

static bool set_up_transfer(struct client *client, struct transfer *transfer)
{
    CURL *easy = transfer->easy = curl_easy_init();
    struct curl_slist *nodes = transfer->headers;
    CURLcode code = easy != NULL ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    nodes[0] =
        (struct curl_slist){"X-DevRev-Signature: 0123456789abcdef0123456789abcdef0123456789ab"
                            "cdef0123456789abcdef",
                            &nodes[1]};
    nodes[1] = (struct curl_slist){"Content-Type: application/json", &nodes[2]};
    nodes[2] = (struct curl_slist){"Expect:", NULL};
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_BUFFERSIZE, (long)READ_BYTES);
    SET(CURLOPT_TIMEOUT_MS, 3000L);
    SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_USERAGENT, "revhook-bench/" REVHOOK_VERSION);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl);
    SET(CURLOPT_SSL_CTX_DATA, client->store);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
    SET(CURLOPT_CLOSESOCKETDATA, client);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, client->plan->body);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(client->plan->body));
    SET(CURLOPT_HTTPHEADER, nodes);
#undef SET
    return code == CURLE_OK;
}

static void start_transfer(struct client *client, struct transfer *transfer)
{
    atomic_fetch_add_explicit(&client->board->under_way, 1, memory_order_relaxed);
    transfer->shard = &client->shards[transfer->endpoint % SHARDS];
    curl_easy_setopt(transfer->easy, CURLOPT_CURLU, client->urls[transfer->endpoint]);
    curl_multi_add_handle(transfer->shard->multi, transfer->easy);
}

static void collect_done(struct client *client, struct client_shard *shard)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(shard->multi, &left)) != NULL;) {
        struct transfer *transfer;
        if (message->msg != CURLMSG_DONE)
            continue;
        if (message->data.result != CURLE_OK)
            atomic_fetch_add(&client->board->failed, 1);
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        curl_multi_remove_handle(shard->multi, transfer->easy);
        atomic_fetch_sub_explicit(&client->board->under_way, 1, memory_order_relaxed);
        transfer->next = client->resting;
        client->resting = transfer;
    }
}

static void start_resting(struct client *client)
{
    if (atomic_load_explicit(&client->board->paused, memory_order_relaxed))
        return;
    for (struct transfer *transfer; (transfer = client->resting) != NULL;) {
        client->resting = transfer->next;
        start_transfer(client, transfer);
    }
}

static void act(struct client *client, const struct epoll_event *event, bool touched[SHARDS])
{
    int fd = event->data.fd, running;
    struct client_shard *shard = client->shard_of_fd[fd];
    if (shard == NULL) { /* an idle connection that was closed */
        epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        client->registered[fd] = 0;
        return;
    }
    curl_multi_socket_action(shard->multi, fd,
                             (event->events & ~(uint32_t)EPOLLOUT ? CURL_CSELECT_IN : 0) |
                                 (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
                             &running);
    touched[shard - client->shards] = true;
}

static void client_turn(struct client *client)
{
    struct epoll_event events[EVENTS_MAX];
    bool touched[SHARDS] = {false};
    int64_t now = client_ms();
    int wait = WAIT_MS, running;
    for (int i = 0; i < SHARDS; i++)
        if (client->shards[i].wake_at_ms >= 0 && client->shards[i].wake_at_ms - now < wait)
            wait =
                client->shards[i].wake_at_ms > now ? (int)(client->shards[i].wake_at_ms - now) : 0;
    int count = epoll_wait(client->epoll_fd, events, EVENTS_MAX, wait);
    for (int i = 0; i < count; i++)
        act(client, &events[i], touched);
    now = client_ms();
    for (int i = 0; i < SHARDS; i++) {
        struct client_shard *shard = &client->shards[i];
        if (shard->wake_at_ms >= 0 && shard->wake_at_ms <= now) {
            shard->wake_at_ms = -1;
            curl_multi_socket_action(shard->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            touched[i] = true;
        }
        if (touched[i])
            collect_done(client, shard);
    }
    start_resting(client);
}

static bool set_up_client(struct client *client)
{
    char url[64];
    const struct curl_plan *plan = client->plan;
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->urls = calloc(plan->endpoints, sizeof(client->urls[0]));
    client->store = X509_STORE_new();
    if (client->urls == NULL || client->store == NULL || client->epoll_fd < 0 ||
        (plan->ca_file != NULL &&
         X509_STORE_load_locations(client->store, plan->ca_file, NULL) != 1))
        return false;
    for (unsigned i = 0; i < plan->endpoints; i++) {
        snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", plan->ca_file ? "https" : "http",
                 plan->ports[i]);
        client->urls[i] = curl_url();
        if (curl_url_set(client->urls[i], CURLUPART_URL, url, 0) != CURLUE_OK)
            return false;
    }
    for (int i = 0; i < SHARDS; i++) {
        struct client_shard *shard = &client->shards[i];
        *shard = (struct client_shard){client, curl_multi_init(), -1};
        curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
        curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
        curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS);
    }
    return true;
}

bool ceiling_curl(const struct curl_plan *plan, struct worker_board *board)
{
    static struct client client;
    static struct transfer transfers[LOAD_ENDPOINTS_MAX];
    unsigned count = plan->endpoints > TRANSFERS ? plan->endpoints : TRANSFERS;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client.plan = plan;
    client.board = board;
    if (!set_up_client(&client))
        return false;
    for (unsigned i = 0; i < count; i++) {
        transfers[i].endpoint = i % plan->endpoints;
        if (!set_up_transfer(&client, &transfers[i]))
            return false;
        start_transfer(&client, &transfers[i]);
    }
    while (!atomic_load_explicit(&board->stop, memory_order_relaxed))
        client_turn(&client);
    return true;
}
