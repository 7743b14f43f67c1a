/* The daemon's side of `revhookd admin`. */
#ifndef REVHOOK_SERVER_ADMIN_SERVE_H
#define REVHOOK_SERVER_ADMIN_SERVE_H

#include "server/api.h"

struct admin_server;

struct admin_server_options {
    int listener; /* from admin_socket_listen; taken over, on error, too */
    const struct config *config;
    struct store *store; /* only to open readers */
    struct clock *clock;
    struct dispatch *dispatch;
    struct http *http;
    struct keys *keys;
    struct api *api; /* learns of what has changed, on the loop's thread */
};

/* Starts the thread that answers. On error NULL, and `error` says why. */
struct admin_server *admin_server_start(const struct admin_server_options *options, char *error,
                                        size_t error_bytes);

/* Ends it: what was asked is still carried out and answered, but no client is waited for. Before
 * the dispatcher and the HTTP API end. */
void admin_server_stop(struct admin_server *server);

#endif
