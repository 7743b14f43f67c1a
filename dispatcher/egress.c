/*
 * egress.c - which addresses may be dialled.
 *
 * Owns the list of address ranges that are not public. An address is brought to one form first
 * (IPv4 inside of ::ffff:0:0/96 is IPv4), then looked up: what the operator allows, the addresses
 * of this host, the ranges below, and everything in IPv6 outside of 2000::/3. The ranges follow the
 * IANA special-purpose address registries, with what those call reachable but no webhook can be
 * served from (relays, AS112), and the one public address that clouds use for a service of their
 * own. What is not listed is allowed.
 *
 * The sender asks for every address just before it connects, so a name that resolves to something
 * else later, and a redirect inside of libcurl, meet the same judgement; a proxy is never used.
 * This file opens no connection and resolves no name; URLs are judged in egress_url.c, lists of
 * networks are read in egress_network.c.
 */
#include "dispatcher/egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

struct range {
    struct egress_network network;
    const char *why;
};

#define MAPPED_BITS 96
/* clang-format off */
#define IN(network, kind) "the address is in " network " (" kind ")"
#define V4(a, b, c, d, bits, why)                                                                  \
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, MAPPED_BITS + (bits)}, why}
#define V6(a, b, c, bits, why)                                                                     \
    {{{(a) >> 8, (a) & 0xff, (b) >> 8, (b) & 0xff, (c) >> 8, (c) & 0xff}, bits}, why}

static const struct range denied[] = {
    V4(0, 0, 0, 0, 8, IN("0.0.0.0/8", "this network")),
    V4(10, 0, 0, 0, 8, IN("10.0.0.0/8", "private")),
    V4(100, 64, 0, 0, 10, IN("100.64.0.0/10", "shared by carriers")),
    V4(127, 0, 0, 0, 8, IN("127.0.0.0/8", "loopback")),
    V4(168, 63, 129, 16, 32, IN("168.63.129.16", "a cloud's own service")),
    V4(169, 254, 0, 0, 16, IN("169.254.0.0/16", "link-local")),
    V4(172, 16, 0, 0, 12, IN("172.16.0.0/12", "private")),
    V4(192, 0, 0, 0, 24, IN("192.0.0.0/24", "reserved for protocols")),
    V4(192, 0, 2, 0, 24, IN("192.0.2.0/24", "for documentation")),
    V4(192, 31, 196, 0, 24, IN("192.31.196.0/24", "AS112")),
    V4(192, 52, 193, 0, 24, IN("192.52.193.0/24", "for multicast tunnels")),
    V4(192, 88, 99, 0, 24, IN("192.88.99.0/24", "for 6to4 relays")),
    V4(192, 168, 0, 0, 16, IN("192.168.0.0/16", "private")),
    V4(192, 175, 48, 0, 24, IN("192.175.48.0/24", "AS112")),
    V4(198, 18, 0, 0, 15, IN("198.18.0.0/15", "for benchmarks")),
    V4(198, 51, 100, 0, 24, IN("198.51.100.0/24", "for documentation")),
    V4(203, 0, 113, 0, 24, IN("203.0.113.0/24", "for documentation")),
    V4(224, 0, 0, 0, 4, IN("224.0.0.0/4", "multicast")),
    V4(240, 0, 0, 0, 4, IN("240.0.0.0/4", "reserved")),
    V6(0x2001, 0x0000, 0, 23, IN("2001::/23", "reserved for protocols")),
    V6(0x2001, 0x0db8, 0, 32, IN("2001:db8::/32", "for documentation")),
    V6(0x2002, 0x0000, 0, 16, IN("2002::/16", "6to4")),
    V6(0x3fff, 0x0000, 0, 20, IN("3fff::/20", "for documentation")),
    V6(0x2620, 0x004f, 0x8000, 48, IN("2620:4f:8000::/48", "AS112")),
};

/* Outside of 2000::/3 everything is denied; these only have a better text. */
static const struct range not_global[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128}, IN("::1", "loopback")},
    V6(0xfc00, 0, 0, 7, IN("fc00::/7", "private")),
    V6(0xfe80, 0, 0, 10, IN("fe80::/10", "link-local")),
    V6(0xff00, 0, 0, 8, IN("ff00::/8", "multicast")),
    V6(0x0000, 0, 0, 0, "the address is outside of 2000::/3 (not public)"),
};
/* clang-format on */

static const struct range mapped = V4(0, 0, 0, 0, 0, NULL);
static const struct range loopback_v4 = V4(127, 0, 0, 0, 8, NULL);
static const struct range loopback_v6 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128},
                                         NULL};
static const struct range global_v6 = V6(0x2000, 0, 0, 3, NULL);

static bool range_contains(const struct range *range, const struct egress_address *address)
{
    return egress_network_has(&range->network, address);
}

/* The text of the first of `count` ranges that contains the address, or NULL. */
static const char *find_range(const struct range *ranges, size_t count,
                              const struct egress_address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (range_contains(&ranges[i], address)) {
            return ranges[i].why;
        }
    }
    return NULL;
}

static bool is_own(const struct egress_policy *policy, const struct egress_address *address)
{
    for (size_t i = 0; i < policy->own_count; i++) {
        if (memcmp(policy->own[i].bytes, address->bytes, sizeof(address->bytes)) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether one of the networks, none shorter than `bits_min`, has the address. */
static bool is_listed(const struct egress_networks *networks, unsigned bits_min,
                      const struct egress_address *address)
{
    for (size_t i = 0; i < networks->count; i++) {
        if (networks->at[i].bits >= bits_min && egress_network_has(&networks->at[i], address)) {
            return true;
        }
    }
    return false;
}

/* Why the address may not be dialled, or NULL if it may. A network that is allowed need not be
 * meant with this host in it; an address that is allowed by itself is. */
static const char *judge(const struct egress_policy *policy, const struct egress_address *address)
{
    if (policy->allow_loopback &&
        (range_contains(&loopback_v4, address) || range_contains(&loopback_v6, address))) {
        return NULL;
    }
    if (is_listed(&policy->allowed, 128, address)) {
        return NULL;
    }
    if (is_own(policy, address)) {
        return "the address is one of this host";
    }
    if (is_listed(&policy->allowed, 0, address)) {
        return NULL;
    }
    if (!range_contains(&mapped, address) && !range_contains(&global_v6, address)) {
        return find_range(not_global, sizeof(not_global) / sizeof(not_global[0]), address);
    }
    return find_range(denied, sizeof(denied) / sizeof(denied[0]), address);
}

bool egress_allowed(const struct egress_policy *policy, bool http, const struct sockaddr *address,
                    const char **why)
{
    struct egress_address one_form;
    const char *text = "the address is neither IPv4 nor IPv6";

    if (egress_address_of(address, &one_form)) {
        text = judge(policy, &one_form);
        if (text == NULL && http && !policy->allow_http &&
            !is_listed(&policy->http, 0, &one_form)) {
            text = "the scheme must be https for this address";
        }
    }
    if (why != NULL) {
        *why = text;
    }
    return text == NULL;
}

int egress_own_addresses(struct egress_address *list, size_t max)
{
    struct ifaddrs *interfaces;
    struct egress_address address;
    int count = 0;

    if (getifaddrs(&interfaces) != 0) {
        return -1;
    }
    for (const struct ifaddrs *at = interfaces; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr == NULL || !egress_address_of(at->ifa_addr, &address)) {
            continue;
        }
        if ((size_t)count < max) {
            list[count] = address;
        }
        count++;
    }
    freeifaddrs(interfaces);
    return count;
}
