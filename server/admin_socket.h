/* The socket between a running daemon and `revhookd admin`: a request, one JSON object, up to the
 * end of what is sent; an answer likewise. */
#ifndef REVHOOK_SERVER_ADMIN_SOCKET_H
#define REVHOOK_SERVER_ADMIN_SOCKET_H

#include "dispatcher/json_out.h"

#define ADMIN_PATIENCE_MS 5000 /* for the whole of a request, and for an answer to be taken */

/* Binds admin.sock (0600) in the data directory, in place of one that a daemon before has left:
 * only for who holds the directory's lock, and before threads are started. On success the
 * descriptor, not blocking. On error -1, and `error` says why. */
int admin_socket_listen(const char *directory, char *error, size_t error_bytes);

/* Removes it again. */
void admin_socket_remove(const char *directory);

/* Whether the other side runs as the same user as this process, or as root. */
bool admin_socket_is_ours(int connection);

/* Connects. -1 with errno: ENOENT, ENOTDIR or ECONNREFUSED where no daemon runs; EAGAIN where it
 * does not get to it within ADMIN_PATIENCE_MS. */
int admin_socket_connect(const char *directory);

/* How long to wait for the other side. */
struct admin_wait {
    int64_t patience_ms; /* in all */
    int stop;            /* no longer than until this can be read; -1: nothing */
};

/* Reads to the end of what the other side sends, at most `bytes_max`. False if that is not to be
 * had; errno says why. */
bool admin_socket_read(int connection, struct json_out *in, size_t bytes_max,
                       struct admin_wait wait);

/* Sends all of it, and the end; likewise. */
bool admin_socket_write(int connection, struct text bytes, struct admin_wait wait);

#endif
