/* The receiver of receiver.h: poll over a handful of keep-alive connections, requests with
 * Content-Length only. */
#include "receiver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX   1024
#define REQUEST_BYTES_MAX 65536

struct connection {
    int fd;
    size_t bytes;
    char *request;
};

struct receiver {
    pthread_t thread;
    int listener, port, stop[2];
    atomic_int status, echo, events, verifies;
    struct connection connections[CONNECTIONS_MAX];
    int count;
};

static void answer(struct receiver *receiver, int fd, const char *body)
{
    char out[256], echo[64] = "";
    const char *challenge = strstr(body, "\"verify\":{\"challenge\":\"");
    int status = atomic_load(&receiver->status);
    if (challenge) {
        atomic_fetch_add(&receiver->verifies, 1);
        status = 200;
        if (atomic_load(&receiver->echo))
            snprintf(echo, sizeof(echo), "{\"challenge\":\"%.40s\"}",
                     challenge + strlen("\"verify\":{\"challenge\":\""));
    } else {
        atomic_fetch_add(&receiver->events, 1);
    }
    int bytes = snprintf(out, sizeof(out), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status,
                         strlen(echo), echo);
    ssize_t sent = send(fd, out, (size_t)bytes, MSG_NOSIGNAL);
    (void)sent; /* a sender that has gone is no concern of a receiver */
}

/* Answers the request at the front if it is whole; false if it is not. */
static bool take_request(struct receiver *receiver, struct connection *connection)
{
    char *end = strstr(connection->request, "\r\n\r\n");
    char *length = strstr(connection->request, "Content-Length: ");
    if (!end || !length)
        return false;
    size_t head = (size_t)(end - connection->request) + 4, body = strtoul(length + 16, NULL, 10);
    if (connection->bytes < head + body)
        return false;
    char kept = connection->request[head + body];
    connection->request[head + body] = '\0';
    answer(receiver, connection->fd, connection->request + head);
    connection->request[head + body] = kept;
    connection->bytes -= head + body;
    memmove(connection->request, connection->request + head + body, connection->bytes + 1);
    return true;
}

/* Reads what came; false if the connection is over. */
static bool readable(struct receiver *receiver, struct connection *connection)
{
    ssize_t got = read(connection->fd, connection->request + connection->bytes,
                       REQUEST_BYTES_MAX - connection->bytes);
    if (got <= 0)
        return false;
    connection->bytes += (size_t)got;
    connection->request[connection->bytes] = '\0';
    while (take_request(receiver, connection))
        continue;
    return true;
}

static void drop(struct receiver *receiver, int i)
{
    close(receiver->connections[i].fd);
    free(receiver->connections[i].request);
    receiver->connections[i] = receiver->connections[--receiver->count];
}

static void *run(void *argument)
{
    struct receiver *receiver = argument;
    for (;;) {
        struct pollfd waiting[CONNECTIONS_MAX + 2] = {{.fd = receiver->stop[0], .events = POLLIN},
                                                      {.fd = receiver->listener, .events = POLLIN}};
        int count = receiver->count;
        for (int i = 0; i < count; i++)
            waiting[i + 2] = (struct pollfd){.fd = receiver->connections[i].fd, .events = POLLIN};
        poll(waiting, (nfds_t)count + 2, -1);
        if (waiting[0].revents)
            break;
        for (int i = count - 1; i >= 0; i--)
            if (waiting[i + 2].revents && !readable(receiver, &receiver->connections[i]))
                drop(receiver, i);
        if (waiting[1].revents && receiver->count < CONNECTIONS_MAX)
            receiver->connections[receiver->count++] = (struct connection){
                accept(receiver->listener, NULL, NULL), 0, calloc(1, REQUEST_BYTES_MAX + 1)};
    }
    while (receiver->count > 0)
        drop(receiver, 0);
    return NULL;
}

struct receiver *receiver_start(void)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    atomic_init(&receiver->status, 200);
    atomic_init(&receiver->echo, 1);
    receiver->listener = socket(AF_INET, SOCK_STREAM, 0);
    bool ready = bind(receiver->listener, (struct sockaddr *)&address, bytes) == 0 &&
                 listen(receiver->listener, 128) == 0 &&
                 getsockname(receiver->listener, (struct sockaddr *)&address, &bytes) == 0 &&
                 pipe(receiver->stop) == 0 &&
                 pthread_create(&receiver->thread, NULL, run, receiver) == 0;
    assert(ready);
    (void)ready;
    receiver->port = ntohs(address.sin_port);
    return receiver;
}

void receiver_stop(struct receiver *receiver)
{
    close(receiver->stop[1]);
    pthread_join(receiver->thread, NULL);
    close(receiver->stop[0]);
    close(receiver->listener);
    free(receiver);
}

int receiver_port(const struct receiver *receiver)
{
    return receiver->port;
}

void receiver_answer(struct receiver *receiver, int status, int echo)
{
    atomic_store(&receiver->status, status);
    atomic_store(&receiver->echo, echo);
}

int receiver_events(struct receiver *receiver)
{
    return atomic_load(&receiver->events);
}

int receiver_verifies(struct receiver *receiver)
{
    return atomic_load(&receiver->verifies);
}
