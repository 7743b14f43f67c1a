/* What the http*.c files share; the only header that includes h2o.h. */
#ifndef REVHOOK_SERVER_HTTP_INSIDE_H
#define REVHOOK_SERVER_HTTP_INSIDE_H

#include "server/http.h"
#include "server/peers.h"

#include <h2o.h>
#include <h2o/http1.h>
#include <pthread.h>
#include <semaphore.h>

_Static_assert(H2O_USE_LIBUV == 0,
               "h2o.h must describe the library with its own event loop: -DH2O_USE_LIBUV=0");

/* An open socket to a client: one that libh2o drives, or one that lingers. */
struct connection {
    struct http *http;
    h2o_socket_t *sock;
    struct peer *peer;
    struct connection *prev, *next;
    size_t answer_bytes; /* of the answer that is going out */
    bool cut_off;        /* shut down for what it held */
};

struct http {
    struct http_options options;
    pthread_t thread;
    sem_t started, paused;
    sem_t told; /* to end, by one who is not waking the loop any more */

    /* The loop's thread alone. */
    h2o_loop_t *loop;
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener; /* NULL: no more connections are taken */
    bool listening;         /* the listener is being read */
    h2o_timeout_t accept_retry, answer_timeout, linger_timeout;
    h2o_timeout_entry_t accept_retry_entry;
    h2o_timeout_t memory_timeout; /* http_memory.c's, with the two below */
    h2o_timeout_entry_t memory_entry;
    int64_t memory_logged_ms;
    struct peers *peers;
    struct connection *connections;
    unsigned connection_count;
    unsigned request_count;         /* given to `handle` and not gone yet */
    int64_t full_logged_ms;         /* when the cap was logged last */
    int64_t address_full_logged_ms; /* when that of one address was */
    bool stopping;
    int64_t stop_at_ms;

    /* Between threads. */
    pthread_mutex_t lock;
    struct http_job *jobs, **jobs_end;
    h2o_multithread_receiver_t receiver;
    h2o_multithread_message_t wake; /* on its way while `jobs` is not empty */
};

/* Puts a socket on the list of connections, and takes it off again when it is closed. False if its
 * address holds as many as it may: the socket is still the caller's to close. */
bool http_connection_add(struct http *http, h2o_socket_t *sock);

/* The connection of a request, as long as its socket is open. */
struct connection *http_connection_of(h2o_req_t *req);

/* Whether a line that was logged at `*logged_ms` (0: never) may be logged again; then it is now. */
bool http_log_again(int64_t *logged_ms);

/* ---- http_memory.c ---- */

/* Keeps what all connections hold together under memory_max, from a connection's coming on until
 * none is left. */
void http_memory_watch(struct http *http);
void http_memory_start(struct http *http);
void http_memory_end(struct http *http);

/* Sets up the handler that makes requests of ours, and the filter that gives libh2o's own error
 * answers our form. */
void http_request_register(struct http *http, h2o_hostconf_t *host);

/* Keeps the client's socket open for a moment after libh2o has closed it, and reads what the client
 * still sends. Without it a client that is still sending when it is refused would see a reset
 * instead of the answer. */
void http_linger(struct http *http, h2o_req_t *req);

#endif
