/* libh2o with nothing behind it, see ceiling_h2o.h.
 *
 * Owns: the least that a service does which takes events by libh2o: the request, the strict scan of
 * its body, an answer as long as the service's. No store, no other thread. */
#include "tools/bench/ceiling_h2o.h"

#include "core/canon.h"
#include "tools/bench/child.h"
#include "tools/revhook/revhook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <h2o.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(H2O_USE_LIBUV == 0, "compile with -DH2O_USE_LIBUV=0");

#define STEP_MS 200 /* between two looks whether it is to end */

static struct {
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    struct worker_board *board;
    char *canonical;
    size_t canonical_bytes;
    struct canon_key *keys;
    size_t keys_max;
} server;

static const char answer_of_one[] =
    "{\"id\":\"don:integration:dvrv-us-1:devo/dev0:event/4gq8Xk2pQw\",\"type\":\"account_created\","
    "\"created_date\":\"2026-01-01T00:00:00.000Z\",\"deliveries\":1},";

static bool scan(h2o_iovec_t body)
{
    size_t keys = canon_keys_max(body.len);
    if (server.canonical_bytes < body.len * 2) {
        server.canonical_bytes = body.len * 2;
        server.canonical = realloc(server.canonical, server.canonical_bytes);
        server.keys = realloc(server.keys, keys * sizeof(server.keys[0]));
        server.keys_max = keys;
    }
    struct canon canon = {.in = body.base,
                          .in_bytes = body.len,
                          .out = server.canonical,
                          .out_capacity_bytes = server.canonical_bytes,
                          .keys = server.keys,
                          .keys_max = server.keys_max};
    return canon_document(&canon) == CANON_OK;
}

static int on_post(h2o_handler_t *handler, h2o_req_t *request)
{
    (void)handler;
    size_t bytes = (sizeof(answer_of_one) - 1) * server.board->answers;
    char *answer = h2o_mem_alloc_pool(&request->pool, bytes);
    request->res.status = server.board->scan && !scan(request->entity) ? 400 : 202;
    request->res.reason = "Accepted";
    request->res.content_length = bytes;
    for (unsigned i = 0; i < server.board->answers; i++)
        memcpy(answer + i * (sizeof(answer_of_one) - 1), answer_of_one, sizeof(answer_of_one) - 1);
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_send_inline(request, answer, bytes);
    atomic_fetch_add_explicit(&server.board->done, 1, memory_order_relaxed);
    return 0;
}

static void on_connection(h2o_socket_t *listener, const char *error)
{
    h2o_socket_t *socket = error == NULL ? h2o_evloop_socket_accept(listener) : NULL;
    if (socket != NULL)
        h2o_accept(&server.accept, socket);
}

static int serve(void *argument)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    server.board = argument;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return 1;
    h2o_config_init(&server.config);
    server.config.http1.upgrade_to_http2 = 0;
    server.config.max_request_entity_size = 64 << 20;
    h2o_hostconf_t *host =
        h2o_config_register_host(&server.config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_post;
    h2o_context_init(&server.context, h2o_evloop_create(), &server.config);
    server.accept.ctx = &server.context;
    server.accept.hosts = server.config.hosts;
    h2o_socket_t *listener =
        h2o_evloop_socket_create(server.context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_connection);
    atomic_store(&server.board->port, ntohs(address.sin_port));
    while (!child_stopped() &&
           (h2o_evloop_run(server.context.loop, STEP_MS) == 0 || errno == EINTR))
        continue;
    return child_stopped() ? 0 : 1;
}

pid_t ceiling_h2o_start(struct worker_board *board)
{
    pid_t pid = child_fork(serve, board);
    for (int i = 0; pid > 0 && i < 1000 && atomic_load(&board->port) == 0; i++)
        if (!child_pause(5))
            break;
    if (pid > 0 && atomic_load(&board->port) != 0)
        return pid;
    refused("the h2o ceiling does not start");
    child_end(pid, 0);
    return -1;
}
