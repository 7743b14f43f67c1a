/* The clients of the API by address: how many connections each holds, how many requests each made
 * in the minute that runs. Pure: the time is an argument, no socket is touched. One thread.
 *
 * An address is an IPv4 address (also where it is written inside IPv6) or the first 64 bits of an
 * IPv6 address, which is what one subscriber has. */
#ifndef REVHOOK_SERVER_PEERS_H
#define REVHOOK_SERVER_PEERS_H

#include "server/ratelimit.h"

#include <sys/socket.h>

struct peers;
struct peer;

struct peers_options {
    unsigned per_address_max;    /* connections that one address may hold; at least 1 */
    int64_t requests_per_minute; /* that one address may make; 0: any number */
    unsigned remembered_max;     /* addresses without a connection whose requests are remembered */
    uint64_t seed;               /* random, so that nobody can choose addresses that collide */
};

/* NULL without memory. */
struct peers *peers_new(const struct peers_options *options);

/* `peers` may be NULL. No peer may be in use any more. */
void peers_free(struct peers *peers);

/* A connection from `address` came: its peer, which is the caller's until peers_leave(). NULL if
 * the address holds as many as it may, or without memory. An address of another family than IPv4
 * and IPv6 counts as one. */
struct peer *peers_enter(struct peers *peers, const struct sockaddr *address);

/* The connection has gone. */
void peers_leave(struct peers *peers, struct peer *peer);

/* Takes one request in at `now_s` (whole Unix seconds), as ratelimit_take() does; where any number
 * is allowed it is. */
struct ratelimit_verdict peers_take(struct peers *peers, struct peer *peer, int64_t now_s);

/* How many addresses are known; for tests. */
unsigned peers_count(const struct peers *peers);

#endif
