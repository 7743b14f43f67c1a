/*
 * egress.c - which addresses may be dialled.
 *
 * Owns the list of address ranges that are not public. An address is brought to one form first
 * (IPv4 inside of ::ffff:0:0/96 is IPv4), then looked up: loopback if the policy allows it, the
 * ranges below, everything in IPv6 outside of 2000::/3, and at last the addresses of this host. The
 * ranges follow the IANA special-purpose address registries, with what those call reachable but
 * no webhook can be served from (relays, AS112), and the one public address that clouds use for
 * a service of their own. What is not listed is allowed.
 *
 * The sender asks for every address just before it connects, so a name that resolves to something
 * else later, and a redirect or proxy inside of libcurl, meet the same judgement. This file opens
 * no connection and resolves no name; URLs are judged in egress_url.c.
 */
#include "dispatcher/egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

struct range {
    uint8_t first[16];
    uint8_t bits; /* length of the prefix, counted from the start of the 16 bytes */
    const char *why;
};

#define MAPPED_BITS 96
/* clang-format off */
#define IN(network, kind) "the address is in " network " (" kind ")"
#define V4(a, b, c, d, bits, why)                                                                  \
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, MAPPED_BITS + (bits), why}
#define V6(a, b, c, bits, why)                                                                     \
    {{(a) >> 8, (a) & 0xff, (b) >> 8, (b) & 0xff, (c) >> 8, (c) & 0xff}, bits, why}

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
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, IN("::1", "loopback")},
    V6(0xfc00, 0, 0, 7, IN("fc00::/7", "private")),
    V6(0xfe80, 0, 0, 10, IN("fe80::/10", "link-local")),
    V6(0xff00, 0, 0, 8, IN("ff00::/8", "multicast")),
    V6(0x0000, 0, 0, 0, "the address is outside of 2000::/3 (not public)"),
};
/* clang-format on */

static const struct range mapped = V4(0, 0, 0, 0, 0, NULL);
static const struct range loopback_v4 = V4(127, 0, 0, 0, 8, NULL);
static const struct range loopback_v6 = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, NULL};
static const struct range global_v6 = V6(0x2000, 0, 0, 3, NULL);

static bool range_contains(const struct range *range, const struct egress_address *address)
{
    unsigned whole = range->bits / 8;
    unsigned rest = range->bits % 8;

    if (memcmp(range->first, address->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (range->first[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
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

/* False for other families than IPv4 and IPv6. */
static bool address_of(const struct sockaddr *from, struct egress_address *to)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, from, sizeof(in));
        memcpy(to->bytes, mapped.first, 12);
        memcpy(to->bytes + 12, &in.sin_addr, 4);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, from, sizeof(in6));
        memcpy(to->bytes, &in6.sin6_addr, 16);
        return true;
    }
    return false;
}

/* Why the address may not be dialled, or NULL if it may. */
static const char *judge(const struct egress_policy *policy, const struct egress_address *address)
{
    const char *why;

    if (policy->allow_loopback &&
        (range_contains(&loopback_v4, address) || range_contains(&loopback_v6, address))) {
        return NULL;
    }
    if (!range_contains(&mapped, address) && !range_contains(&global_v6, address)) {
        return find_range(not_global, sizeof(not_global) / sizeof(not_global[0]), address);
    }
    why = find_range(denied, sizeof(denied) / sizeof(denied[0]), address);
    for (size_t i = 0; why == NULL && i < policy->own_count; i++) {
        if (memcmp(policy->own[i].bytes, address->bytes, sizeof(address->bytes)) == 0) {
            why = "the address is one of this host";
        }
    }
    return why;
}

bool egress_allowed(const struct egress_policy *policy, const struct sockaddr *address,
                    const char **why)
{
    struct egress_address one_form;
    const char *text = "the address is neither IPv4 nor IPv6";

    if (address_of(address, &one_form)) {
        text = judge(policy, &one_form);
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
        if (at->ifa_addr == NULL || !address_of(at->ifa_addr, &address)) {
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
