/* The receiver of a bench, see sink.h.
 *
 * Owns: a listener for each endpoint, connections, the answers. Happy path: read what came, find
 * the end of the request, count it, note how old its stamp is, answer 200. A challenge is echoed.
 * Of every 64th event the signature is computed anew, by another function than the service's.
 *
 * Endpoints that hang take requests and never answer, or send a byte of an answer every 200 ms,
 * each connection at times of its own, which is never complete within the service's 3 s. Failure
 * modes: a request that cannot be read is counted and its connection closed. Refuses: to answer
 * anything else than POSTs that it could read. */
#define _GNU_SOURCE /* memmem, accept4 */
#include "tools/bench/sink.h"

#include "tools/bench/child.h"
#include "tools/bench/usage.h"
#include "tools/bench/wire.h"
#include "tools/revhook/revhook.h"
#include "tools/revhook/signature.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX        256
#define FIRST_BYTES       4096
#define REQUEST_BYTES_MAX (4u << 20)
#define SIGNATURE_EVERY   64
#define DRIP_MS           200
#define BACKLOG           1024

/* A listener (capacity 0) or a connection. */
struct peer {
    int fd;
    unsigned endpoint;
    SSL *ssl; /* NULL: plain */
    char *bytes;
    size_t used, capacity;
    uint64_t drip_at_ns; /* when the next byte of its answer is due; 0: it does not drip */
    struct peer *drip_prev, *drip_next;
};

struct sink {
    struct sink_board *board;
    int epoll_fd;
    SSL_CTX *tls;
    struct peer listeners[LOAD_ENDPOINTS_MAX];
    struct peer *drip_first, *drip_last; /* in the order in which bytes are due */
};

static const char answer_ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* ---- connections that drip ---- */

static void drip_later(struct sink *sink, struct peer *peer)
{
    peer->drip_at_ns = now_ns() + DRIP_MS * UINT64_C(1000000);
    peer->drip_next = NULL;
    peer->drip_prev = sink->drip_last;
    if (sink->drip_last != NULL)
        sink->drip_last->drip_next = peer;
    else
        sink->drip_first = peer;
    sink->drip_last = peer;
}

static void drip_no_more(struct sink *sink, struct peer *peer)
{
    if (peer->drip_at_ns == 0)
        return;
    peer->drip_at_ns = 0;
    if (peer->drip_prev != NULL)
        peer->drip_prev->drip_next = peer->drip_next;
    else
        sink->drip_first = peer->drip_next;
    if (peer->drip_next != NULL)
        peer->drip_next->drip_prev = peer->drip_prev;
    else
        sink->drip_last = peer->drip_prev;
}

static void close_peer(struct sink *sink, struct peer *peer)
{
    drip_no_more(sink, peer);
    SSL_free(peer->ssl);
    close(peer->fd);
    free(peer->bytes);
    free(peer);
}

/* Answers are small and the peer waits for them: they fit into the socket or the peer is gone. */
static bool send_all(struct peer *peer, const char *at, size_t bytes)
{
    ssize_t sent = peer->ssl != NULL ? SSL_write(peer->ssl, at, (int)bytes)
                                     : send(peer->fd, at, bytes, MSG_NOSIGNAL);
    return sent == (ssize_t)bytes;
}

static ssize_t receive(struct peer *peer)
{
    size_t room = peer->capacity - peer->used;
    if (peer->ssl == NULL)
        return recv(peer->fd, peer->bytes + peer->used, room, 0);
    int got = SSL_read(peer->ssl, peer->bytes + peer->used, (int)room);
    if (got > 0)
        return got;
    int reason = SSL_get_error(peer->ssl, got);
    ERR_clear_error();
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    return 0;
}

/* ---- one request ---- */

static void check_signature(struct sink_board *board, const char *request, size_t head_bytes,
                            size_t body_bytes)
{
    static const char name[] = "x-devrev-signature: ";
    const struct sign_form form = {SIGN_HEX, SIGN_KEY_STRING, false};
    char expected[SIGNATURE_TEXT_BYTES], head[FIRST_BYTES];
    size_t n = head_bytes < sizeof(head) - 1 ? head_bytes : sizeof(head) - 1;
    for (size_t i = 0; i < n; i++)
        head[i] = (char)(request[i] >= 'A' && request[i] <= 'Z' ? request[i] | 0x20 : request[i]);
    head[n] = '\0';
    const char *at = strstr(head, name);
    signature_expected(&form, LOAD_SECRET, request + head_bytes, body_bytes, expected);
    bool good = at != NULL && strncmp(at + sizeof(name) - 1, expected, strlen(expected)) == 0;
    atomic_fetch_add_explicit(good ? &board->signatures_good : &board->signatures_bad, 1,
                              memory_order_relaxed);
}

static bool answer_challenge(struct peer *peer, const char *body, size_t bytes)
{
    static const char name[] = "\"challenge\":\"";
    const char *at = memmem(body, bytes, name, sizeof(name) - 1);
    char answer[512];
    if (at == NULL)
        return false;
    at += sizeof(name) - 1;
    size_t n = 0;
    while (at + n < body + bytes && at[n] != '"' && n < 256)
        n++;
    int length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n{\"challenge\":\"%.*s\"}",
                          n + sizeof("{\"challenge\":\"\"}") - 1, (int)n, at);
    return send_all(peer, answer, (size_t)length);
}

static void count_arrival(struct sink *sink, const struct peer *peer, const char *request,
                          size_t head_bytes, size_t body_bytes, uint64_t sent_ns)
{
    struct sink_board *board = sink->board;
    uint64_t now = now_ns();
    unsigned long before = atomic_fetch_add_explicit(&board->arrivals, 1, memory_order_relaxed);
    if (before == 0)
        atomic_store(&board->first_ns, now);
    if (before % SIGNATURE_EVERY == 0)
        check_signature(board, request, head_bytes, body_bytes);
    if (sent_ns >= atomic_load_explicit(&board->record_from_ns, memory_order_relaxed))
        histogram_add(peer->endpoint < board->endpoints - board->hanging ? &board->well
                                                                         : &board->hanging_ones,
                      now > sent_ns ? now - sent_ns : 0);
}

/* Takes one complete request; false if the connection is to be closed. */
static bool take_request(struct sink *sink, struct peer *peer, const char *request,
                         size_t head_bytes, size_t body_bytes)
{
    const char *body = request + head_bytes;
    uint64_t sent_ns = load_stamp_in(body, body_bytes);
    if (sent_ns == 0 && memmem(body, body_bytes, "\"challenge\"", 11) != NULL) {
        atomic_fetch_add_explicit(&sink->board->verifies, 1, memory_order_relaxed);
        return answer_challenge(peer, body, body_bytes);
    }
    count_arrival(sink, peer, request, head_bytes, body_bytes, sent_ns);
    unsigned well = sink->board->endpoints - sink->board->hanging;
    if (peer->endpoint < well)
        return send_all(peer, answer_ok, sizeof(answer_ok) - 1);
    if (peer->endpoint % 2 == 0 && peer->drip_at_ns == 0) {
        drip_later(sink, peer);
        return send_all(peer, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 41);
    }
    return true;
}

/* Reads what came and takes every request that is complete; false: close it. */
static bool readable(struct sink *sink, struct peer *peer)
{
    if (peer->used == peer->capacity) {
        peer->capacity = peer->capacity > 0 ? peer->capacity * 2 : FIRST_BYTES;
        peer->bytes = realloc(peer->bytes, peer->capacity);
        if (peer->bytes == NULL || peer->capacity > REQUEST_BYTES_MAX)
            return false;
    }
    ssize_t got = receive(peer);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    peer->used += (size_t)got;
    size_t at = 0, head_bytes;
    for (ssize_t length; at < peer->used; at += (size_t)length) {
        length = wire_length(peer->bytes + at, peer->used - at, &head_bytes);
        if (length < 0) {
            atomic_fetch_add(&sink->board->unreadable, 1);
            return false;
        }
        if (length == 0)
            break;
        if (!take_request(sink, peer, peer->bytes + at, head_bytes, (size_t)length - head_bytes))
            return false;
    }
    memmove(peer->bytes, peer->bytes + at, peer->used - at);
    peer->used -= at;
    /* What TLS has decrypted and not handed out does not make the socket readable again. */
    return peer->ssl == NULL || SSL_pending(peer->ssl) == 0 || readable(sink, peer);
}

/* Sends what is due; how long to wait for the next, in ms. */
static int drip(struct sink *sink)
{
    uint64_t now = now_ns();
    for (struct peer *peer; (peer = sink->drip_first) != NULL && peer->drip_at_ns <= now;) {
        drip_no_more(sink, peer);
        if (send_all(peer, "x", 1))
            drip_later(sink, peer);
        else
            close_peer(sink, peer); /* which takes it out of the epoll, too */
    }
    return sink->drip_first != NULL ? (int)((sink->drip_first->drip_at_ns - now) / 1000000) + 1
                                    : DRIP_MS;
}

/* ---- listening ---- */

static void accept_one(struct sink *sink, const struct peer *listener)
{
    int on = 1, fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer = fd >= 0 ? calloc(1, sizeof(*peer)) : NULL;
    if (peer == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    atomic_fetch_add_explicit(&sink->board->connections, 1, memory_order_relaxed);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *peer = (struct peer){.fd = fd, .endpoint = listener->endpoint};
    if (sink->tls != NULL) {
        peer->ssl = SSL_new(sink->tls);
        if (peer->ssl == NULL || SSL_set_fd(peer->ssl, fd) != 1) {
            close_peer(sink, peer);
            return;
        }
        SSL_set_accept_state(peer->ssl);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    epoll_ctl(sink->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static bool listen_all(struct sink *sink)
{
    struct sink_board *board = sink->board;
    for (unsigned i = 0; i < board->endpoints; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port =
                                          htons((uint16_t)(board->port ? board->port + i : 0)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t bytes = sizeof(address);
        int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sink->listeners[i]};
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
            bind(fd, (struct sockaddr *)&address, bytes) != 0 || listen(fd, BACKLOG) != 0 ||
            getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 ||
            epoll_ctl(sink->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            snprintf(board->error, sizeof(board->error), "cannot listen for endpoint %u: %s", i,
                     strerror(errno));
            return false;
        }
        sink->listeners[i] = (struct peer){.fd = fd, .endpoint = i};
        board->ports[i] = ntohs(address.sin_port);
    }
    return true;
}

static bool set_up_tls(struct sink *sink)
{
    const char *file = sink->board->certificate;
    sink->tls = SSL_CTX_new(TLS_server_method());
    if (sink->tls != NULL && SSL_CTX_use_certificate_chain_file(sink->tls, file) == 1 &&
        SSL_CTX_use_PrivateKey_file(sink->tls, file, SSL_FILETYPE_PEM) == 1)
        return true;
    snprintf(sink->board->error, sizeof(sink->board->error), "cannot use the certificate");
    return false;
}

static int run(void *argument)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    struct epoll_event events[EVENTS_MAX];
    if (sink == NULL)
        return 1;
    sink->board = argument;
    sink->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool good = (!sink->board->tls || set_up_tls(sink)) && listen_all(sink);
    atomic_store(&sink->board->ready, true);
    while (good && !child_stopped()) {
        int count = epoll_wait(sink->epoll_fd, events, EVENTS_MAX, drip(sink));
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            bool listener = peer >= sink->listeners && peer < sink->listeners + LOAD_ENDPOINTS_MAX;
            if (listener)
                accept_one(sink, peer);
            else if (!readable(sink, peer))
                close_peer(sink, peer);
        }
    }
    return good ? 0 : 1;
}

pid_t sink_start(struct sink_board *board)
{
    pid_t pid = child_fork(run, board);
    for (int i = 0; pid > 0 && i < 1000 && !atomic_load(&board->ready); i++)
        if (!child_pause(5))
            break;
    if (pid > 0 && atomic_load(&board->ready) && board->error[0] == '\0')
        return pid;
    refused("the sink does not start: %s", board->error[0] ? board->error : "no answer from it");
    child_end(pid, 0);
    return -1;
}
