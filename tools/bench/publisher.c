/* The publisher of a bench, see publisher.h.
 *
 * Owns: when a request is sent. As fast as they are taken: a connection sends again when its answer
 * is complete, but never while more than backlog_max deliveries are on their way, so that a service
 * that takes events faster than it delivers them is not measured by its queue. By schedule: event n
 * is due at begin + n / rate, whatever happened to those before; if no connection is free it waits,
 * and its stamp is when it was due, so that what the service makes wait is not left out (no
 * coordinated omission).
 *
 * Failure modes: a broken connection counts its request as failed and is opened again; another
 * status than 2xx counts as refused or failed. Refuses: to send an event twice. */
#define _GNU_SOURCE /* epoll_pwait2 */
#include "tools/bench/publisher.h"

#include "tools/bench/child.h"
#include "tools/bench/usage.h"
#include "tools/bench/wire.h"
#include "tools/revhook/revhook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ANSWER_BYTES   (1 << 20)
#define EVENTS_MAX     128
#define PAUSED_NS      UINT64_C(5000000) /* between two looks at whether it may go on */
#define PACE_NS        500000 /* between two looks at the arrivals while too many are on their way */
#define DRAIN_NS       UINT64_C(5000000000) /* for answers after the end was asked for */
#define RETRY_AFTER_NS UINT64_C(20000000)   /* after a refusal */

/* A complete request: head, then body. */
struct ready_request {
    char *text;
    size_t bytes, head_bytes;
    struct request_text body;
};

struct connection {
    int fd; /* -1: to be opened */
    unsigned number;
    bool busy, writing;
    uint64_t due_ns;   /* when its request was due */
    uint64_t quiet_ns; /* no request before */
    char *request, *answer;
    size_t request_bytes, sent, answer_bytes;
};

struct publisher {
    struct publisher_board *board;
    int epoll_fd;
    unsigned text_count, next_text;
    struct ready_request *texts;
    struct connection *connections;
    uint64_t begin_ns, scheduled; /* by schedule: requests sent so far */
    unsigned busy;
};

/* ---- texts ---- */

static unsigned common_divisor(unsigned a, unsigned b)
{
    return b == 0 ? a : common_divisor(b, a % b);
}

/* As many different requests as it takes until they repeat. */
static void make_texts(struct publisher *publisher)
{
    const struct publisher_board *board = publisher->board;
    const struct load *load = &board->load;
    char token[128] = "";
    publisher->text_count = load->types / common_divisor(load->types, load->batch) * load->orgs;
    publisher->texts = calloc(publisher->text_count, sizeof(publisher->texts[0]));
    if (publisher->texts == NULL)
        out_of_memory();
    for (unsigned i = 0; i < publisher->text_count; i++) {
        struct ready_request *text = &publisher->texts[i];
        text->body = board->frame != NULL ? load_request_framed(load, board->frame, i)
                                          : load_request(load, i / load->orgs * load->batch);
        if (board->tokens)
            snprintf(token, sizeof(token), "Authorization: Bearer %s\r\n",
                     load_token(i % load->orgs));
        size_t room = strlen(board->head) + sizeof(token) + 64 + text->body.bytes;
        text->text = malloc(room);
        if (text->text == NULL)
            out_of_memory();
        text->head_bytes = (size_t)snprintf(text->text, room, "%s%sContent-Length: %zu\r\n\r\n",
                                            board->head, token, text->body.bytes);
        memcpy(text->text + text->head_bytes, text->body.text, text->body.bytes);
        text->bytes = text->head_bytes + text->body.bytes;
    }
}

/* ---- connections ---- */

static bool open_connection(struct publisher *publisher, struct connection *connection)
{
    const struct publisher_board *board = publisher->board;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port =
                                      htons(board->ports[connection->number % board->port_count])};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, board->host, &address.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        epoll_ctl(publisher->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    connection->fd = fd;
    return true;
}

static void drop(struct publisher *publisher, struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    connection->quiet_ns = now_ns() + RETRY_AFTER_NS;
    if (connection->busy) {
        atomic_fetch_add(&publisher->board->failed, publisher->board->load.batch);
        publisher->busy--;
    }
    connection->busy = connection->writing = false;
}

static void watch(struct publisher *publisher, struct connection *connection, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u),
                                .data.ptr = connection};
    if (connection->writing != writing)
        epoll_ctl(publisher->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    connection->writing = writing;
}

static void send_more(struct publisher *publisher, struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->request + connection->sent,
                        connection->request_bytes - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        drop(publisher, connection);
        return;
    }
    connection->sent += sent > 0 ? (size_t)sent : 0;
    watch(publisher, connection, connection->sent < connection->request_bytes);
}

/* Begins a request that was due at `due_ns`. */
static void begin(struct publisher *publisher, struct connection *connection, uint64_t due_ns)
{
    struct publisher_board *board = publisher->board;
    const struct ready_request *text = &publisher->texts[publisher->next_text];
    publisher->next_text = (publisher->next_text + 1) % publisher->text_count;
    memcpy(connection->request, text->text, text->bytes);
    for (unsigned i = 0; i < text->body.stamp_count; i++)
        load_stamp(connection->request + text->head_bytes + text->body.stamps[i], due_ns);
    connection->request_bytes = text->bytes;
    connection->sent = connection->answer_bytes = 0;
    connection->busy = true;
    connection->due_ns = due_ns;
    publisher->busy++;
    atomic_fetch_add_explicit(&board->sent, board->load.batch, memory_order_relaxed);
    send_more(publisher, connection);
}

static void judge(struct publisher *publisher, struct connection *connection, int status)
{
    struct publisher_board *board = publisher->board;
    atomic_ulong *count = &board->accepted;
    uint64_t now = now_ns();
    if (status == 429 || status == 503) {
        count = &board->refused;
        connection->quiet_ns = now + RETRY_AFTER_NS;
    } else if (status < 200 || status > 299) {
        count = &board->failed;
        connection->quiet_ns = now + RETRY_AFTER_NS;
        atomic_store(&board->status, status);
    }
    atomic_fetch_add_explicit(count, board->load.batch, memory_order_relaxed);
    histogram_add(&board->answered, now > connection->due_ns ? now - connection->due_ns : 0);
    connection->busy = false;
    publisher->busy--;
}

static void receive(struct publisher *publisher, struct connection *connection)
{
    size_t head_bytes;
    ssize_t got = recv(connection->fd, connection->answer + connection->answer_bytes,
                       ANSWER_BYTES - connection->answer_bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || !connection->busy) {
        drop(publisher, connection);
        return;
    }
    connection->answer_bytes += (size_t)got;
    ssize_t length = wire_length(connection->answer, connection->answer_bytes, &head_bytes);
    if (length > 0)
        judge(publisher, connection, wire_status(connection->answer, connection->answer_bytes));
    else if (length < 0 || connection->answer_bytes == ANSWER_BYTES)
        drop(publisher, connection);
}

/* ---- when to send ---- */

static struct connection *free_connection(struct publisher *publisher, uint64_t now)
{
    unsigned count = publisher->board->load.connections;
    for (unsigned i = 0; publisher->busy < count && i < count; i++) {
        struct connection *connection = &publisher->connections[i];
        if (!connection->busy && now >= connection->quiet_ns &&
            (connection->fd >= 0 || open_connection(publisher, connection)))
            return connection;
    }
    return NULL;
}

static bool may_send(const struct publisher_board *board)
{
    uint64_t events = atomic_load_explicit(&board->sent, memory_order_relaxed) -
                      atomic_load_explicit(&board->refused, memory_order_relaxed) -
                      atomic_load_explicit(&board->failed, memory_order_relaxed);
    uint64_t promised = events * load_fan_out(&board->load);
    return board->arrivals == NULL ||
           promised <
               board->backlog_max + atomic_load_explicit(board->arrivals, memory_order_relaxed);
}

/* Sends what may be sent now; returns for how long there is nothing to do unless an answer comes.
 */
static uint64_t send_due(struct publisher *publisher)
{
    struct publisher_board *board = publisher->board;
    const struct load *load = &board->load;
    uint64_t now = now_ns();
    if (atomic_load_explicit(&board->paused, memory_order_relaxed))
        return PAUSED_NS;
    for (struct connection *connection; (connection = free_connection(publisher, now)) != NULL;) {
        uint64_t due = now;
        if (load->rate > 0) {
            due = publisher->begin_ns +
                  (uint64_t)((double)(publisher->scheduled * load->batch) / load->rate * 1e9);
            if (due > now)
                return due - now;
            publisher->scheduled++;
            histogram_add(&board->late, now - due);
        } else if (!may_send(board)) {
            return PACE_NS;
        }
        begin(publisher, connection, due);
    }
    return publisher->busy < load->connections ? RETRY_AFTER_NS / 4 : UINT64_C(100000000);
}

static void step(struct publisher *publisher, uint64_t wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                            .tv_nsec = (long)(wait_ns % 1000000000u)};
    int count = epoll_pwait2(publisher->epoll_fd, events, EVENTS_MAX, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(publisher, connection);
        if (connection->fd >= 0 && connection->busy && events[i].events & EPOLLOUT)
            send_more(publisher, connection);
    }
}

static bool set_up(struct publisher *publisher)
{
    unsigned count = publisher->board->load.connections;
    size_t largest = 0;
    make_texts(publisher);
    for (unsigned i = 0; i < publisher->text_count; i++)
        if (publisher->texts[i].bytes > largest)
            largest = publisher->texts[i].bytes;
    publisher->connections = calloc(count, sizeof(publisher->connections[0]));
    for (unsigned i = 0; publisher->connections != NULL && i < count; i++) {
        struct connection *connection = &publisher->connections[i];
        *connection = (struct connection){
            .fd = -1, .number = i, .request = malloc(largest), .answer = malloc(ANSWER_BYTES)};
        if (connection->request == NULL || connection->answer == NULL)
            return false;
    }
    publisher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return publisher->connections != NULL && publisher->epoll_fd >= 0;
}

static int run(void *argument)
{
    struct publisher publisher = {.board = argument};
    struct publisher_board *board = argument;
    prctl(PR_SET_TIMERSLACK, 1);
    if (!set_up(&publisher))
        return 1;
    publisher.begin_ns = now_ns();
    while (!atomic_load_explicit(&board->stop, memory_order_relaxed) && !child_stopped())
        step(&publisher, send_due(&publisher));
    for (uint64_t end = now_ns() + DRAIN_NS; publisher.busy > 0 && now_ns() < end;)
        step(&publisher, PACE_NS);
    return 0;
}

pid_t publisher_start(struct publisher_board *board)
{
    pid_t pid = child_fork(run, board);
    if (pid < 0)
        refused("the publisher cannot be started: %s", strerror(errno));
    return pid;
}
