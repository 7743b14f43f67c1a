/* Lingering close, which libh2o leaves out.
 *
 * A server that closes a socket while unread bytes stand in it makes the kernel send a reset, and a
 * client that was still sending loses the answer. So when the library refuses a request before its
 * body was read, a duplicate of the descriptor is kept: after the library's close, our side is shut
 * down for writing, and what the client still sends is read and thrown away until it closes, or
 * until linger_timeout. Such a socket counts as a connection meanwhile. */
#include "server/http_inside.h"

#include <fcntl.h>

/* In the request's pool: waits for the library to be done with the connection. */
struct linger_start {
    struct http *http;
    int fd;
};

struct lingering {
    h2o_timeout_entry_t entry;
    h2o_socket_t *sock;
};

static void end(struct lingering *linger)
{
    h2o_timeout_unlink(&linger->entry);
    h2o_socket_close(linger->sock);
    free(linger);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    end(H2O_STRUCT_FROM_MEMBER(struct lingering, entry, entry));
}

static void on_read(h2o_socket_t *sock, const char *error)
{
    if (error != NULL)
        end(sock->data);
    else
        h2o_buffer_consume(&sock->input, sock->input->size);
}

static void on_request_gone(void *data)
{
    struct linger_start *start = data;
    struct lingering *linger;
    if (start->fd < 0)
        return;
    shutdown(start->fd, SHUT_WR);
    linger = h2o_mem_alloc(sizeof(*linger));
    *linger = (struct lingering){.entry = {.cb = on_timeout}};
    linger->sock = h2o_evloop_socket_create(start->http->loop, start->fd, 0);
    linger->sock->data = linger;
    if (!http_connection_add(start->http, linger->sock)) {
        h2o_socket_close(linger->sock);
        free(linger);
        return;
    }
    h2o_timeout_link(start->http->loop, &start->http->linger_timeout, &linger->entry);
    h2o_socket_read_start(linger->sock, on_read);
}

void http_linger(struct http *http, h2o_req_t *req)
{
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
    struct linger_start *start;
    if (sock == NULL)
        return;
    start = h2o_mem_alloc_shared(&req->pool, sizeof(*start), on_request_gone);
    *start = (struct linger_start){http, fcntl(h2o_socket_get_fd(sock), F_DUPFD_CLOEXEC, 0)};
}
