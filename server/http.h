/* The HTTP server: libh2o's event loop in a thread of its own, and requests as the API sees them.
 * Nothing outside of http*.c includes h2o.h.
 *
 * A request that arrived whole is given to `handle` on the loop's thread. It is answered with
 * http_answer, then or later; later means: another thread finished something and posted a job to
 * the loop. A client may be gone by then; http_hold keeps track of that. */
#ifndef REVHOOK_SERVER_HTTP_H
#define REVHOOK_SERVER_HTTP_H

#include "dispatcher/json_out.h"
#include "dispatcher/text.h"

#include <stdint.h>

struct http;
struct token;
struct st_h2o_req_t;
struct ssl_ctx_st;

/* One request. The texts live as long as the request. */
struct http_request {
    struct text method;
    struct text path;  /* up to the '?' */
    struct text query; /* behind the '?'; at == NULL: there is no '?' */
    struct text body;
    const struct token *token; /* routes.c's: who asks; NULL until that is known */

    /* http_request.c's own. */
    struct http *http;
    struct st_h2o_req_t *req;
    struct http_request **holder;
    void (*after)(void *ctx, int64_t number);
    void *after_ctx;
    int64_t after_number;
    struct json_out answer;
    struct answer_timer *timer;
    int64_t began_ms;
    int status; /* 0: not answered yet */
};

struct http_options {
    int listener;           /* from http_listen; http_start takes it over, on error, too */
    struct ssl_ctx_st *tls; /* from http_tls_new, taken over likewise; NULL: plain HTTP */
    size_t request_bytes_max;
    size_t memory_max; /* bytes of requests and answers that all connections hold together */
    unsigned connections_max;
    unsigned connections_per_address_max;
    int64_t address_requests_per_minute; /* of one address; 0: any number */
    bool close_after_body;       /* take no further request from a connection that carried a body */
    int64_t request_timeout_ms;  /* header and body to arrive; idle between requests */
    int64_t response_timeout_ms; /* the client to take an answer */
    /* On the loop's thread, for every request. Must answer it or hold it. */
    void (*handle)(void *ctx, struct http_request *request);
    /* On the loop's thread, when http_pause was called: the last chance to let go of what handle
     * uses. */
    void (*pause)(void *ctx);
    void *ctx;
};

/* Something to be done on the loop's thread, embedded in what it is about. */
struct http_job {
    void (*run)(struct http_job *job);
    struct http_job *next; /* http.c's */
};

/* ---- life; from the thread that starts the server ---- */

/* Binds and listens on "HOST:PORT" (an IPv6 host in brackets; port 0: the system's choice). On
 * success the descriptor, and `url` is "SCHEME://HOST:PORT" with the real port, as it can be
 * dialled. On error -1 and `error` says why. */
int http_listen(const char *address, const char *scheme, char *url, size_t url_bytes, char *error,
                size_t error_bytes);

/* What the server proves itself with: TLS 1.2 and newer, HTTP/1.1 alone, the certificate and key of
 * these files (see dispatcher/tls.h). For http_start or http_tls_replace, which take it over. NULL,
 * and `error` says why, if the files cannot be used. Any thread. */
struct ssl_ctx_st *http_tls_new(const char *cert_file, const char *key_file, char *error,
                                size_t error_bytes);

/* Waits until new connections get this certificate; open ones go on with the one they have. Only
 * for a server that was started with one. Any thread but the server's own. */
void http_tls_replace(struct http *http, struct ssl_ctx_st *tls);

/* Whether a descriptor from http_listen is bound to an address of this host alone. */
bool http_is_loopback(int listener);

/* Starts the loop's thread; requests are handled from now on. On error NULL and `error` says why.
 */
struct http *http_start(const struct http_options *options, char *error, size_t error_bytes);

/* Takes no more connections, tells clients to close theirs, calls options.pause; returns when that
 * has happened. Requests are still handled. */
void http_pause(struct http *http);

/* Ends: waits at most `patience_ms` until every answer has been taken, closes all connections,
 * joins the thread, frees. Jobs must not be posted any more. */
void http_stop(struct http *http, int64_t patience_ms);

/* Has `job->run` called on the loop's thread, once. Jobs that are posted before the loop wakes are
 * run together. Any thread. */
void http_post(struct http *http, struct http_job *job);

/* ---- requests; on the loop's thread ---- */

/* The value of a header (`name` in lower case), without blanks around it; at == NULL if it is not
 * there. Content-Length, Transfer-Encoding, Host and Expect cannot be seen. */
struct text http_header(const struct http_request *request, const char *name);

/* The request will be answered later, by whoever looks at *holder: it is set to the request now and
 * to NULL when the request goes away unanswered. Once per request. */
void http_hold(struct http_request *request, struct http_request **holder);

/* Counts the request for the address it came from, at `now_s` (whole Unix seconds). 0: within the
 * limit; else in how many seconds the next one is. Once per request. */
int64_t http_rate(const struct http_request *request, int64_t now_s);

/* Adds a header to the answer to come. `name` is a literal in lower case; `value` is copied. */
void http_answer_header(struct http_request *request, const char *name, const char *value);

/* The same with a number. */
void http_answer_header_number(struct http_request *request, const char *name, int64_t number);

/* Has `after` called once, when the answer has gone out to the client, or the client has gone. */
void http_after(struct http_request *request, void (*after)(void *ctx, int64_t number), void *ctx,
                int64_t number);

/* Answers with a status and a body, whose buffer is taken over (*body is empty afterwards).
 * `content_type` is a literal. */
void http_answer(struct http_request *request, int status, const char *content_type,
                 struct json_out *body);

/* The reason phrase of a status that we send. */
const char *http_reason(int status);

#endif
