/* When a token ends, as people write it. */
#ifndef REVHOOK_SERVER_EXPIRY_H
#define REVHOOK_SERVER_EXPIRY_H

#include "core/time.h"
#include "dispatcher/text.h"

/* Reads a span from `now` on ("90s", "30m", "12h", "30d"; up to ten years), a later moment in RFC
 * 3339 ("2027-01-31T00:00:00Z", "2027-01-31T01:30:00.5+01:30"), or "never" (*expires_us is 0).
 * False if it is none of them. Pure. */
bool expiry_read(struct text text, wall_us now, wall_us *expires_us);

#endif
