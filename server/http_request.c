/* Requests and answers: where libh2o's request becomes ours, and our answer becomes libh2o's.
 *
 * Owns: struct http_request, which lives in the request's pool and whose dispose callback is the
 * guard: it runs exactly once, when the answer is out or the connection is gone, and from then on
 * nobody holds a pointer to the request. Happy path: on_req fills the struct and calls `handle`;
 * http_answer hands status, headers and body to libh2o; the guard frees the body.
 *
 * Failure modes: a client that does not take its answer within response_timeout_ms has its socket
 * shut down (the library has no such limit); what libh2o answers by itself (a body over the limit,
 * broken chunks, an unknown Expect) is turned into an error of our form by a filter, and the socket
 * lingers so that the client gets to read it.
 *
 * Refuses: to answer twice. While a request is held a client's disconnect is not seen; the answer
 * is dropped when it is written. */
#include "server/http_inside.h"

#include "dispatcher/clock.h"
#include "dispatcher/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct answer_timer {
    h2o_timeout_entry_t entry;
    struct http_request *request;
};

struct handler {
    h2o_handler_t super;
    struct http *http;
};

struct filter {
    h2o_filter_t super;
    struct http *http;
};

/* Tells our answers from those of the library. */
static h2o_generator_t our_generator = {NULL, NULL};

const char *http_reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Request Entity Too Large";
    case 417: return "Expectation Failed";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Unknown";
    }
}

/* ---- the request ---- */

struct connection *http_connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data; /* http.c's */
}

static void on_request_gone(void *data)
{
    struct http_request *request = data;
    request->http->request_count--;
    if (request->holder != NULL)
        *request->holder = NULL;
    if (request->timer != NULL)
        h2o_timeout_unlink(&request->timer->entry);
    if (request->answer.at != NULL)
        http_connection_of(request->req)->answer_bytes = 0;
    json_out_free(&request->answer);
    if (request->after != NULL)
        request->after(request->after_ctx, request->after_number);
}

/* The path of a target. A server takes a whole URL, too, which is what proxies are sent (RFC 9112,
 * 3.2.2); nothing here goes by its host. */
static struct text path_of(struct text target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (unsigned i = 0; i < 2; i++) {
        size_t bytes = strlen(schemes[i]);
        if (target.bytes < bytes || strncasecmp(target.at, schemes[i], bytes) != 0)
            continue;
        const char *path = memchr(target.at + bytes, '/', target.bytes - bytes);
        return path != NULL ? (struct text){path, target.bytes - (size_t)(path - target.at)}
                            : (struct text){"/", 1};
    }
    return target;
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    struct http *http = ((struct handler *)self)->http;
    struct http_request *request =
        h2o_mem_alloc_shared(&req->pool, sizeof(*request), on_request_gone);
    size_t path_bytes = req->input.query_at == SIZE_MAX ? req->input.path.len : req->input.query_at;
    *request = (struct http_request){
        .method = {req->input.method.base, req->input.method.len},
        .path = path_of((struct text){req->input.path.base, path_bytes}),
        .body = {req->entity.base, req->entity.base == NULL ? 0 : req->entity.len},
        .http = http,
        .req = req,
        .began_ms = clock_span_ms(),
    };
    if (path_bytes < req->input.path.len)
        request->query = (struct text){req->input.path.base + path_bytes + 1,
                                       req->input.path.len - path_bytes - 1};
    http->request_count++;
    http->options.handle(http->options.ctx, request);
    return 0;
}

/* The library takes off the blanks before a value, not those behind it. */
static struct text without_blanks(struct text value)
{
    while (value.bytes > 0 &&
           (value.at[value.bytes - 1] == ' ' || value.at[value.bytes - 1] == '\t'))
        value.bytes--;
    return value;
}

struct text http_header(const struct http_request *request, const char *name)
{
    const h2o_headers_t *headers = &request->req->headers;
    size_t bytes = strlen(name);
    for (size_t i = 0; i < headers->size; i++) {
        const h2o_header_t *header = &headers->entries[i];
        if (header->name->len == bytes && memcmp(header->name->base, name, bytes) == 0)
            return without_blanks((struct text){header->value.base, header->value.len});
    }
    return (struct text){NULL, 0};
}

int64_t http_rate(const struct http_request *request, int64_t now_s)
{
    const struct connection *connection = http_connection_of(request->req);
    return peers_take(request->http->peers, connection->peer, now_s).retry_after_s;
}

void http_hold(struct http_request *request, struct http_request **holder)
{
    assert(request->holder == NULL && request->status == 0);
    request->holder = holder;
    *holder = request;
}

void http_after(struct http_request *request, void (*after)(void *ctx, int64_t number), void *ctx,
                int64_t number)
{
    assert(request->after == NULL);
    request->after = after;
    request->after_ctx = ctx;
    request->after_number = number;
}

/* ---- the answer ---- */

static void on_answer_timeout(h2o_timeout_entry_t *entry)
{
    struct http_request *request =
        H2O_STRUCT_FROM_MEMBER(struct answer_timer, entry, entry)->request;
    h2o_socket_t *sock = request->req->conn->callbacks->get_socket(request->req->conn);
    /* libh2o sees the write fail, and closes. */
    if (sock != NULL)
        shutdown(h2o_socket_get_fd(sock), SHUT_RDWR);
}

static void start_timer(struct http_request *request)
{
    struct answer_timer *timer = h2o_mem_alloc_pool(&request->req->pool, sizeof(*timer));
    *timer = (struct answer_timer){.entry = {.cb = on_answer_timeout}, .request = request};
    request->timer = timer;
    h2o_timeout_link(request->http->loop, &request->http->answer_timeout, &timer->entry);
}

static void log_request(const struct http_request *request)
{
    char method[16], path[200];
    if (!log_wanted(LOG_request))
        return;
    snprintf(method, sizeof(method), "%.*s",
             (int)(request->method.bytes < 16 ? request->method.bytes : 15), request->method.at);
    snprintf(path, sizeof(path), "%.*s",
             (int)(request->path.bytes < 200 ? request->path.bytes : 199), request->path.at);
    LOG(request, LOG_TEXT("method", method), LOG_TEXT("path", path),
        LOG_NUMBER("status", request->status),
        LOG_NUMBER("duration_ms", clock_span_ms() - request->began_ms));
}

void http_answer_header(struct http_request *request, const char *name, const char *value)
{
    h2o_iovec_t copy = h2o_strdup(&request->req->pool, value, SIZE_MAX);
    h2o_add_header_by_str(&request->req->pool, &request->req->res.headers, name, strlen(name), 0,
                          NULL, copy.base, copy.len);
}

void http_answer_header_number(struct http_request *request, const char *name, int64_t number)
{
    char value[24];
    snprintf(value, sizeof(value), "%" PRId64, number);
    http_answer_header(request, name, value);
}

void http_answer(struct http_request *request, int status, const char *content_type,
                 struct json_out *body)
{
    h2o_req_t *req = request->req;
    bool head = text_is(request->method, "HEAD");
    h2o_iovec_t bytes;
    assert(request->status == 0);
    request->status = status;
    if (request->holder != NULL)
        *request->holder = NULL;
    request->holder = NULL;
    request->answer = *body;
    memset(body, 0, sizeof(*body));
    log_request(request);

    bytes = h2o_iovec_init(request->answer.at, request->answer.bytes);
    req->res.status = status;
    req->res.reason = http_reason(status);
    req->res.content_length = bytes.len;
    http_connection_of(req)->answer_bytes = bytes.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                   strlen(content_type));
    /* With any other method than GET there may have been a body that this library did not see. */
    if (request->http->context.shutdown_requested ||
        (request->http->options.close_after_body &&
         (req->entity.base != NULL || !text_is(request->method, "GET"))))
        req->http1_is_persistent = 0;
    start_timer(request);
    h2o_start_response(req, &our_generator);
    h2o_send(req, &bytes, head || bytes.len == 0 ? 0 : 1, H2O_SEND_STATE_FINAL);
}

/* ---- errors that the library answers ---- */

struct error_stream {
    h2o_ostream_t super;
    struct http *http;
    char body[200];
    size_t body_bytes;
    bool sent;
};

static void on_error_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                          h2o_send_state_t state)
{
    struct error_stream *stream = (struct error_stream *)self;
    h2o_iovec_t bytes = h2o_iovec_init(stream->body, stream->body_bytes);
    (void)bufs, (void)count;
    http_linger(stream->http, req);
    h2o_ostream_send_next(self, req, &bytes, stream->sent ? 0 : 1, state);
    stream->sent = true;
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct http *http = ((struct filter *)self)->http;
    struct error_stream *stream;
    int bytes;
    if (req->_generator == &our_generator) {
        h2o_setup_next_ostream(req, slot);
        return;
    }
    stream = (struct error_stream *)h2o_add_ostream(req, sizeof(*stream), slot);
    stream->super.do_send = on_error_send;
    stream->http = http;
    stream->sent = false;
    if (req->res.status == 413)
        bytes =
            snprintf(stream->body, sizeof(stream->body),
                     "{\"message\":\"%s\",\"type\":\"request_entity_too_large\",\"max_bytes\":%zu}",
                     http_reason(413), http->options.request_bytes_max);
    else
        bytes = snprintf(stream->body, sizeof(stream->body),
                         "{\"message\":\"%s\",\"type\":\"bad_request\",\"detail\":\"%s\"}",
                         http_reason(req->res.status),
                         req->res.status == 417 ? "unknown Expect header"
                                                : "the request is not framed as HTTP/1.1");
    stream->body_bytes = (size_t)bytes;
    req->res.reason = http_reason(req->res.status);
    req->res.content_length = stream->body_bytes;
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                   H2O_STRLIT("application/json"), 1);
    h2o_setup_next_ostream(req, &stream->super.next);
}

void http_request_register(struct http *http, h2o_hostconf_t *host)
{
    struct handler *handler =
        (struct handler *)h2o_create_handler(&host->fallback_path, sizeof(*handler));
    struct filter *filter =
        (struct filter *)h2o_create_filter(&host->fallback_path, sizeof(*filter));
    handler->http = http;
    handler->super.on_req = on_req;
    filter->http = http;
    filter->super.on_setup_ostream = on_setup_ostream;
}
