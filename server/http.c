/* The loop's thread: connections in, jobs from other threads, and the end.
 *
 * Owns: the h2o context, the listener and its cap, the list of connections, the queue of jobs.
 * Happy path: the loop sleeps in epoll; a connection is accepted and given to libh2o; whole
 * requests come out in http_request.c; finished work of other threads comes in as jobs, all that
 * wait in one wake-up.
 *
 * Failure modes: at the cap the listener is not read, so further clients wait in the kernel's queue
 * until one of ours closes; when no descriptor is left the listener rests for a moment instead of
 * spinning. One address may hold a part of the connections; what it opens beyond is closed. libh2o
 * never ends an idle connection at a shutdown by itself: at the end every socket is shut down and
 * the loop runs on until all are gone or a deadline passes.
 *
 * Refuses: HTTP/2 (it is on by default in this library, even on plain text, and this version of it
 * lacks fixes), and to know what a request means. */
#include "server/http_inside.h"

#include "dispatcher/clock.h"
#include "dispatcher/log.h"
#include "dispatcher/secret.h"
#include "dispatcher/thread.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define ACCEPTS_AT_ONCE   16   /* so that accepting does not starve requests */
#define ACCEPT_RETRY_MS   100  /* rest when no descriptor is left */
#define LINGER_MS         2000 /* time a refused client has to stop sending */
#define FULL_LOG_EVERY_MS 60000
#define CLOSE_PATIENCE_MS 200 /* for sockets that were shut down to be closed */
#define STOPPING_CHECK_MS 10
#define SERVER_NAME       "revhook"
#define REMEMBERED_MAX    4096 /* addresses whose rate is known though they hold no connection */

/* ---- connections ---- */

static void listen_again(struct http *http);

static void on_close(void *data)
{
    struct connection *connection = data;
    struct http *http = connection->http;
    if (connection->prev != NULL)
        connection->prev->next = connection->next;
    else
        http->connections = connection->next;
    if (connection->next != NULL)
        connection->next->prev = connection->prev;
    peers_leave(http->peers, connection->peer);
    free(connection);
    http->connection_count--;
    listen_again(http);
}

bool http_connection_add(struct http *http, h2o_socket_t *sock)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC}; /* it may be gone already */
    struct peer *peer;
    struct connection *connection;
    h2o_socket_getpeername(sock, (struct sockaddr *)&address);
    peer = peers_enter(http->peers, (struct sockaddr *)&address);
    if (peer == NULL)
        return false;
    connection = h2o_mem_alloc(sizeof(*connection));
    *connection = (struct connection){http, sock, peer, NULL, http->connections, 0, false};
    if (http->connections != NULL)
        http->connections->prev = connection;
    http->connections = connection;
    http->connection_count++;
    sock->on_close.cb = on_close;
    sock->on_close.data = connection;
    http_memory_watch(http);
    return true;
}

static void stop_listening(struct http *http)
{
    if (http->listener != NULL && http->listening)
        h2o_socket_read_stop(http->listener);
    http->listening = false;
}

bool http_log_again(int64_t *logged_ms)
{
    int64_t now = clock_span_ms();
    if (*logged_ms != 0 && now - *logged_ms < FULL_LOG_EVERY_MS)
        return false;
    *logged_ms = now;
    return true;
}

/* Closes a connection that is one too many of its address. The answer is for a client that reads
 * before it sends; another one may see a reset. */
static void refuse(struct http *http, h2o_socket_t *sock)
{
    static const char answer[] =
        "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\n"
        "Content-Length: 0\r\n\r\n";
    send(h2o_socket_get_fd(sock), answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    h2o_socket_close(sock);
    if (http_log_again(&http->address_full_logged_ms))
        LOG(address_full, LOG_NUMBER("connections", http->options.connections_per_address_max));
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    struct http *http = listener->data;
    if (error != NULL)
        return;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        unsigned timeout_ms = (unsigned)http->options.response_timeout_ms;
        h2o_socket_t *sock;
        int on = 1;
        if (http->connection_count >= http->options.connections_max) {
            stop_listening(http);
            if (http_log_again(&http->full_logged_ms))
                LOG(connections_full, LOG_NUMBER("connections", http->connection_count));
            return;
        }
        sock = h2o_evloop_socket_accept(listener);
        if (sock == NULL) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                stop_listening(http);
                h2o_timeout_link(http->loop, &http->accept_retry, &http->accept_retry_entry);
            }
            return;
        }
        if (!http_connection_add(http, sock)) {
            refuse(http, sock);
            continue;
        }
        setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        /* What was written before a close and is never taken must not stay in the kernel for long
         * either. */
        setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
                   sizeof(timeout_ms));
        h2o_accept(&http->accept, sock);
    }
}

static void listen_again(struct http *http)
{
    if (http->listener == NULL || http->listening ||
        h2o_timeout_is_linked(&http->accept_retry_entry) ||
        http->connection_count >= http->options.connections_max)
        return;
    http->listening = true;
    h2o_socket_read_start(http->listener, on_accept);
}

static void on_accept_retry(h2o_timeout_entry_t *entry)
{
    listen_again(H2O_STRUCT_FROM_MEMBER(struct http, accept_retry_entry, entry));
}

/* ---- jobs ---- */

void http_post(struct http *http, struct http_job *job)
{
    bool first;
    job->next = NULL;
    pthread_mutex_lock(&http->lock);
    first = http->jobs == NULL;
    *http->jobs_end = job;
    http->jobs_end = &job->next;
    pthread_mutex_unlock(&http->lock);
    if (first)
        h2o_multithread_send_message(&http->receiver, &http->wake);
}

static void on_wake(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct http *http = H2O_STRUCT_FROM_MEMBER(struct http, receiver, receiver);
    struct http_job *job, *next;
    /* The message is free before the list is empty: who finds it empty may send again. */
    while (!h2o_linklist_is_empty(messages))
        h2o_linklist_unlink(messages->next);
    pthread_mutex_lock(&http->lock);
    job = http->jobs;
    http->jobs = NULL;
    http->jobs_end = &http->jobs;
    pthread_mutex_unlock(&http->lock);
    for (; job != NULL; job = next) {
        next = job->next;
        job->run(job);
    }
}

/* ---- the thread ---- */

static void set_up(struct http *http)
{
    h2o_hostconf_t *host;
    /* The library would keep a large body in a file below /tmp, where events have no business. */
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX;
    h2o_config_init(&http->config);
    http->config.http1.upgrade_to_http2 = 0;
    http->config.http1.req_timeout = (uint64_t)http->options.request_timeout_ms;
    http->config.handshake_timeout = (uint64_t)http->options.request_timeout_ms;
    http->config.max_request_entity_size = http->options.request_bytes_max;
    http->config.server_name = h2o_iovec_init(H2O_STRLIT(SERVER_NAME));
    host = h2o_config_register_host(&http->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    http_request_register(http, host);

    http->loop = h2o_evloop_create();
    h2o_context_init(&http->context, http->loop, &http->config);
    h2o_timeout_init(http->loop, &http->accept_retry, ACCEPT_RETRY_MS);
    h2o_timeout_init(http->loop, &http->answer_timeout,
                     (uint64_t)http->options.response_timeout_ms);
    h2o_timeout_init(http->loop, &http->linger_timeout, LINGER_MS);
    http_memory_start(http);
    http->accept_retry_entry.cb = on_accept_retry;
    http->accept = (h2o_accept_ctx_t){
        .ctx = &http->context, .hosts = http->config.hosts, .ssl_ctx = http->options.tls};
    h2o_multithread_register_receiver(http->context.queue, &http->receiver, on_wake);

    http->listener =
        h2o_evloop_socket_create(http->loop, http->options.listener, H2O_SOCKET_FLAG_DONT_READ);
    http->listener->data = http;
    listen_again(http);
}

static void close_listener(struct http *http)
{
    stop_listening(http);
    if (http->listener != NULL)
        h2o_socket_close(http->listener);
    http->listener = NULL;
}

static void tear_down(struct http *http)
{
    int64_t until_ms = clock_span_ms() + CLOSE_PATIENCE_MS;
    close_listener(http);
    if (h2o_timeout_is_linked(&http->accept_retry_entry))
        h2o_timeout_unlink(&http->accept_retry_entry);
    for (struct connection *at = http->connections; at != NULL; at = at->next)
        shutdown(h2o_socket_get_fd(at->sock), SHUT_RDWR);
    while (http->connection_count > 0 && clock_span_ms() < until_ms)
        h2o_evloop_run(http->loop, STOPPING_CHECK_MS);
    if (http->connection_count > 0)
        return; /* something still refers to the context; the process ends now anyway */
    h2o_multithread_unregister_receiver(http->context.queue, &http->receiver);
    h2o_timeout_dispose(http->loop, &http->accept_retry);
    h2o_timeout_dispose(http->loop, &http->answer_timeout);
    h2o_timeout_dispose(http->loop, &http->linger_timeout);
    http_memory_end(http);
    h2o_context_dispose(&http->context);
    h2o_config_dispose(&http->config);
    h2o_evloop_run(http->loop, 0); /* frees the sockets that were closed */
    h2o_evloop_destroy(http->loop);
}

static void *run(void *data)
{
    struct http *http = data;
    prctl(PR_SET_NAME, "api"); /* for top, perf and `revhook bench` */
    set_up(http);
    sem_post(&http->started);
    /* The loop returns -1 when a signal interrupts it; there is nothing to do about it. */
    while (!http->stopping)
        h2o_evloop_run(http->loop, INT32_MAX);
    while (http->request_count > 0 && clock_span_ms() < http->stop_at_ms)
        h2o_evloop_run(http->loop, STOPPING_CHECK_MS);
    thread_wait(&http->told); /* until then somebody may be at the descriptor that wakes the loop */
    tear_down(http);
    return NULL;
}

/* NULL without memory, or without random numbers. */
static struct peers *make_peers(const struct http_options *options)
{
    struct peers_options peers = {
        .per_address_max = options->connections_per_address_max,
        .requests_per_minute = options->address_requests_per_minute,
        .remembered_max = REMEMBERED_MAX,
    };
    return secret_random_numbers(&peers.seed, 1) == 0 ? peers_new(&peers) : NULL;
}

struct http *http_start(const struct http_options *options, char *error, size_t error_bytes)
{
    struct http *http = calloc(1, sizeof(*http));
    bool started = false;
    if (http != NULL && (http->peers = make_peers(options)) != NULL) {
        http->options = *options;
        http->jobs_end = &http->jobs;
        pthread_mutex_init(&http->lock, NULL);
        sem_init(&http->started, 0, 0);
        sem_init(&http->paused, 0, 0);
        sem_init(&http->told, 0, 0);
        started = thread_start(&http->thread, run, http, "the HTTP API", error, error_bytes);
    } else {
        snprintf(error, error_bytes, "no memory or no random numbers for the HTTP API");
    }
    if (!started) {
        close(options->listener);
        if (http != NULL)
            peers_free(http->peers);
        SSL_CTX_free(options->tls);
        free(http);
        return NULL;
    }
    thread_wait(&http->started);
    return http;
}

/* ---- the end ---- */

struct ending {
    struct http_job job;
    struct http *http;
    int64_t patience_ms;
};

static void do_pause(struct http_job *job)
{
    struct http *http = ((struct ending *)job)->http;
    close_listener(http);
    /* Not h2o_context_request_shutdown(): that starts HTTP/2 timers, which would outlive the
     * context. */
    http->context.shutdown_requested = 1;
    http->options.pause(http->options.ctx);
    sem_post(&http->paused);
}

void http_pause(struct http *http)
{
    struct ending ending = {{do_pause, NULL}, http, 0};
    http_post(http, &ending.job);
    thread_wait(&http->paused);
}

static void do_stop(struct http_job *job)
{
    struct ending *ending = (struct ending *)job;
    ending->http->stop_at_ms = clock_span_ms() + ending->patience_ms;
    ending->http->stopping = true;
}

void http_stop(struct http *http, int64_t patience_ms)
{
    struct ending ending = {{do_stop, NULL}, http, patience_ms};
    http_post(http, &ending.job);
    sem_post(&http->told);
    pthread_join(http->thread, NULL);
    SSL_CTX_free(http->accept.ssl_ctx); /* counted: connections that are left hold it, too */
    if (http->connection_count > 0)
        return; /* see tear_down */
    pthread_mutex_destroy(&http->lock);
    sem_destroy(&http->started);
    sem_destroy(&http->paused);
    sem_destroy(&http->told);
    peers_free(http->peers);
    free(http);
}
