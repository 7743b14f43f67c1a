/* The cap on verify requests to one host: core/pace.h for all senders together.
 *
 * A host is counted by its name, when a request is about to be made, and by its address, when it is
 * about to be dialled: many names may lead to one address, and one name to many. Of an IPv6 address
 * the first 64 bits count. */
#ifndef REVHOOK_DISPATCHER_VERIFY_PACE_H
#define REVHOOK_DISPATCHER_VERIFY_PACE_H

#include "core/time.h"

#include <sys/socket.h>

struct verify_pace;

/* `limit` requests a minute of the service's clock for each host. NULL for want of memory or random
 * numbers. */
struct verify_pace *verify_pace_new(unsigned limit);
void verify_pace_free(struct verify_pace *pace); /* NULL is fine */

/* Whether a verify request may go to the host of this name, or to this address, now: `now`, and it
 * is counted; else a later time at which to ask again. Any thread. */
mono_ms verify_pace_name(struct verify_pace *pace, const char *host, mono_ms now);
mono_ms verify_pace_address(struct verify_pace *pace, const struct sockaddr *address, mono_ms now);

#endif
