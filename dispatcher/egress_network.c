/*
 * egress_network.c - networks as an operator writes them, and one form for all addresses.
 *
 * IPv4 stands in ::ffff:0:0/96, so one comparison of bits serves both families. A network with bits
 * behind its prefix is refused instead of cut: who writes 10.1.2.3/8 may have meant something else.
 */
#include "dispatcher/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool egress_address_of(const struct sockaddr *from, struct egress_address *to)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, from, sizeof(in));
        memcpy(to->bytes, mapped, sizeof(mapped));
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

bool egress_network_has(const struct egress_network *network, const struct egress_address *address)
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;

    if (memcmp(network->first, address->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (network->first[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

/* The number behind the slash; -1 if it is none up to `max`. */
static int read_prefix(const char *text, int max)
{
    char *end;
    long bits = strtol(text, &end, 10);

    return *text >= '0' && *text <= '9' && end - text <= 3 && *end == '\0' && bits <= max
               ? (int)bits
               : -1;
}

static bool has_bits_behind(const struct egress_network *network)
{
    for (unsigned bit = network->bits; bit < 128; bit++) {
        if (network->first[bit / 8] >> (7 - bit % 8) & 1) {
            return true;
        }
    }
    return false;
}

/* What is wrong with one network, or NULL. `text` is changed. */
static const char *read_network(char *text, struct egress_network *network)
{
    char *slash = strchr(text, '/');
    struct in_addr v4;
    int bits;

    if (slash != NULL) {
        *slash++ = '\0';
    }
    if (inet_pton(AF_INET, text, &v4) == 1) {
        bits = slash == NULL ? 32 : read_prefix(slash, 32);
        memcpy(network->first, mapped, sizeof(mapped));
        memcpy(network->first + sizeof(mapped), &v4, sizeof(v4));
        network->bits = (uint8_t)(96 + bits);
    } else if (inet_pton(AF_INET6, text, network->first) == 1) {
        bits = slash == NULL ? 128 : read_prefix(slash, 128);
        network->bits = (uint8_t)bits;
    } else {
        return "an address like 10.1.0.0 or fd00:1:: is needed, with or without /bits";
    }
    if (bits < 0) {
        return "behind the slash stands the number of bits: at most 32 for IPv4, 128 for IPv6";
    }
    return has_bits_behind(network) ? "it has bits behind its prefix; set them to zero" : NULL;
}

bool egress_read_networks(const char *text, struct egress_networks *networks, char *error,
                          size_t error_bytes)
{
    networks->count = 0;
    for (const char *at = text + strspn(text, " "); *at != '\0';) {
        size_t bytes = strcspn(at, ",");
        size_t trimmed = bytes;
        char one[64] = "";
        const char *why = "it is longer than any network";

        while (trimmed > 0 && at[trimmed - 1] == ' ') {
            trimmed--;
        }
        if (networks->count == EGRESS_NETWORKS_MAX) {
            snprintf(error, error_bytes, "more than %d networks", EGRESS_NETWORKS_MAX);
            return false;
        }
        if (trimmed < sizeof(one)) {
            memcpy(one, at, trimmed);
            why = read_network(one, &networks->at[networks->count++]);
        }
        if (why != NULL) {
            snprintf(error, error_bytes, "\"%.*s\": %s", (int)(trimmed < 63 ? trimmed : 63), at,
                     why);
            return false;
        }
        at += bytes;
        if (*at == ',') {
            at += 1 + strspn(at + 1, " ");
            if (*at == '\0') {
                snprintf(error, error_bytes, "it ends with a comma");
                return false;
            }
        }
    }
    return true;
}
