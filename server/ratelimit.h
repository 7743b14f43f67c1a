/* How many requests a token may make in a minute: counting in fixed windows. Pure; the time is an
 * argument. */
#ifndef REVHOOK_SERVER_RATELIMIT_H
#define REVHOOK_SERVER_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATELIMIT_WINDOW_S 60

/* The requests of one token to one group of routes. Zeroed but for `limit`: ready. */
struct ratelimit {
    int64_t limit;   /* requests in a window; 0: any number */
    int64_t began_s; /* Unix seconds at which the window began */
    int64_t used;    /* requests let through in it; 0: no window is open */
};

/* What is to be said of one request. */
struct ratelimit_verdict {
    bool allowed;
    int64_t limit, remaining; /* remaining: after this request */
    int64_t reset_s;          /* Unix seconds from which on `limit` requests are free again */
    int64_t retry_after_s;    /* 0 if allowed, else until then, at least 1 */
};

/* Takes one request in at `now_s` (whole Unix seconds, rounded down). limit must not be 0. A
 * refused request does not count. */
struct ratelimit_verdict ratelimit_take(struct ratelimit *ratelimit, int64_t now_s);

#endif
