/* The clients of the API by address, see peers.h.
 *
 * Owns: one entry for each address that holds a connection, and for the last ones that held one.
 * Happy path: the first connection of an address makes its entry; when the last one has gone the
 * entry goes to the end of the line of those that are remembered, because a client that closes
 * after every request must not begin to count anew each time.
 *
 * Failure modes: the line is full: the entry that has waited longest is forgotten, so memory stays
 * bounded by the connections that are open and `remembered_max`. No memory: the connection is
 * refused. Refuses: clocks, sockets, answers. */
#include "server/peers.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a power of two */

struct address {
    uint64_t high, low;
};

struct peer {
    struct address address;
    struct ratelimit rate;
    unsigned connections;
    struct peer *next;          /* in its bucket */
    struct peer *older, *newer; /* in the line, while it holds no connection */
};

struct peers {
    struct peers_options options;
    unsigned count, remembered;
    struct peer *oldest, *newest;
    struct peer *buckets[BUCKETS];
};

static struct address address_of(const struct sockaddr *from)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct address address = {0, 0};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof(in));
        address.low = 1 + (uint64_t)ntohl(in.sin_addr.s_addr);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        uint32_t v4;
        memcpy(&in6, from, sizeof(in6));
        memcpy(&v4, in6.sin6_addr.s6_addr + sizeof(mapped), sizeof(v4));
        if (memcmp(in6.sin6_addr.s6_addr, mapped, sizeof(mapped)) == 0)
            address.low = 1 + (uint64_t)ntohl(v4);
        else
            memcpy(&address.high, in6.sin6_addr.s6_addr, sizeof(address.high));
    }
    return address;
}

static bool is_same(const struct address *a, const struct address *b)
{
    return a->high == b->high && a->low == b->low;
}

/* Multiply and fold, keyed: which addresses collide cannot be known from outside. */
static struct peer **bucket_of(struct peers *peers, const struct address *address)
{
    uint64_t x = (address->high ^ peers->options.seed) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 32) ^ address->low ^ (peers->options.seed << 1)) * 0xd6e8feb86659fd93u;
    return &peers->buckets[(x ^ (x >> 32)) & (BUCKETS - 1)];
}

static void line_remove(struct peers *peers, struct peer *peer)
{
    *(peer->older ? &peer->older->newer : &peers->oldest) = peer->newer;
    *(peer->newer ? &peer->newer->older : &peers->newest) = peer->older;
    peer->older = peer->newer = NULL;
    peers->remembered--;
}

static void line_append(struct peers *peers, struct peer *peer)
{
    peer->older = peers->newest;
    *(peers->newest ? &peers->newest->newer : &peers->oldest) = peer;
    peers->newest = peer;
    peers->remembered++;
}

static void forget(struct peers *peers, struct peer *peer)
{
    struct peer **at = bucket_of(peers, &peer->address);
    while (*at != peer)
        at = &(*at)->next;
    *at = peer->next;
    peers->count--;
    free(peer);
}

struct peers *peers_new(const struct peers_options *options)
{
    struct peers *peers = calloc(1, sizeof(*peers));
    assert(options->per_address_max > 0);
    if (peers)
        peers->options = *options;
    return peers;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct peer *next, *peer = peers->buckets[i]; peer; peer = next) {
            next = peer->next;
            assert(peer->connections == 0);
            free(peer);
        }
    }
    free(peers);
}

struct peer *peers_enter(struct peers *peers, const struct sockaddr *address)
{
    const struct address key = address_of(address);
    struct peer **bucket = bucket_of(peers, &key), *peer = *bucket;
    while (peer && !is_same(&peer->address, &key))
        peer = peer->next;
    if (!peer) {
        peer = calloc(1, sizeof(*peer));
        if (!peer)
            return NULL;
        peer->address = key;
        peer->rate.limit = peers->options.requests_per_minute;
        peer->next = *bucket;
        *bucket = peer;
        peers->count++;
    } else if (peer->connections == 0) {
        line_remove(peers, peer);
    } else if (peer->connections >= peers->options.per_address_max) {
        return NULL;
    }
    peer->connections++;
    return peer;
}

void peers_leave(struct peers *peers, struct peer *peer)
{
    assert(peer->connections > 0);
    if (--peer->connections > 0)
        return;
    if (peer->rate.used == 0) { /* nothing to remember */
        forget(peers, peer);
        return;
    }
    line_append(peers, peer);
    if (peers->remembered > peers->options.remembered_max) {
        struct peer *oldest = peers->oldest;
        line_remove(peers, oldest);
        forget(peers, oldest);
    }
}

struct ratelimit_verdict peers_take(struct peers *peers, struct peer *peer, int64_t now_s)
{
    if (peers->options.requests_per_minute == 0)
        return (struct ratelimit_verdict){.allowed = true};
    return ratelimit_take(&peer->rate, now_s);
}

unsigned peers_count(const struct peers *peers)
{
    return peers->count;
}
