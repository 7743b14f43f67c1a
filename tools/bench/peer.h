/* Another service that is measured beside this one. */
#ifndef REVHOOK_BENCH_PEER_H
#define REVHOOK_BENCH_PEER_H

#include "tools/revhook/revhook.h"

#include <stdint.h>

struct peer {
    const char *name; /* NULL: none */
    char host[64];    /* an IPv4 address */
    uint16_t port;
    char head[2048];  /* as in publisher_board */
    const char *body; /* a frame, see load.h */
    unsigned sink_port;
};

/* Reads --peer, --url, --header, --body and --sink-port. Without --peer peer->name stays NULL.
 * False after printing what is wrong. */
bool peer_read(struct peer *peer, const struct cli *cli);

#endif
