/*
 * egress.h - where the service may connect to: addresses, and the URLs of webhooks.
 *
 * Whoever may register a webhook chooses where this host sends requests. So an address is dialled
 * only if it is a public one, and that is judged on the very address of each connection, after
 * DNS. The URL check comes first and is for people: it refuses at once, with a reason, what could
 * never be dialled or could be read in two ways.
 */
#ifndef REVHOOK_DISPATCHER_EGRESS_H
#define REVHOOK_DISPATCHER_EGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define EGRESS_URL_MAX 2048 /* bytes, as given and as normalised */

/* An address in one form for both families: IPv4 as ::ffff:a.b.c.d. */
struct egress_address {
    uint8_t bytes[16];
};

/* Addresses whose first `bits` bits are those of `first`; a single one has 128. */
struct egress_network {
    uint8_t first[16];
    uint8_t bits; /* counted from the start of the 16 bytes, so IPv4 has 96 more than as written */
};

#define EGRESS_NETWORKS_MAX 64

struct egress_networks {
    struct egress_network at[EGRESS_NETWORKS_MAX];
    size_t count;
};

/* May be shared by threads as long as nobody changes it. All zero: https to public addresses. */
struct egress_policy {
    bool allow_loopback;              /* 127.0.0.0/8 and ::1, for development */
    bool allow_http;                  /* plain http to every address that may be dialled */
    struct egress_networks allowed;   /* dialled although they are not public */
    struct egress_networks http;      /* plain http to these, if they may be dialled */
    const struct egress_address *own; /* addresses of this host, dialled only where `allowed` has
                                         them one by one; the caller's */
    size_t own_count;
};

/*
 * Reads "10.1.0.0/16,fd00:1::/64,10.2.0.7": networks and single addresses, separated by commas,
 * with or without spaces around; empty text is none. False, and `error` says which is wrong and
 * why, if one is no network, has bits behind its prefix, or is one too many. Pure; any thread.
 */
bool egress_read_networks(const char *text, struct egress_networks *networks, char *error,
                          size_t error_bytes);

/* Whether the first bits of the address are those of the network. Pure; any thread. */
bool egress_network_has(const struct egress_network *network, const struct egress_address *address);

/* Brings an address to the one form; false for families other than IPv4 and IPv6. Pure. */
bool egress_address_of(const struct sockaddr *from, struct egress_address *to);

/*
 * Whether this address may be dialled, for plain http if `http`. False also for families other than
 * IPv4 and IPv6. `why` may be NULL; if given, it is set to a static text for people when the answer
 * is false, and to NULL otherwise. Ports do not matter. Pure; any thread.
 */
bool egress_allowed(const struct egress_policy *policy, bool http, const struct sockaddr *address,
                    const char **why);

/*
 * Judges the URL of a webhook and writes the form in which it is dialled: scheme and host in lower
 * case, IPv4 literals dotted, a path, non-ASCII bytes of path and query percent-encoded. A literal
 * address is judged by the policy however it is written; a name only by its form, for what it
 * resolves to may change.
 *
 * `url` needs no NUL. Returns false with *reason set to a static text for people if the URL is
 * refused; `normalised` is then unspecified. On true *reason is NULL. Any thread.
 */
bool egress_check_url(const struct egress_policy *policy, const char *url, size_t bytes,
                      char normalised[EGRESS_URL_MAX + 1], const char **reason);

/* The one reason that says nothing about the URL. */
extern const char egress_no_memory[];

/*
 * Reads the addresses of this host's interfaces. At most `max` are stored in `list`; returns how
 * many there are (which may be more), or -1 with errno set. Not pure: asks the system.
 */
int egress_own_addresses(struct egress_address *list, size_t max);

#endif
