/* Limits on the rate of requests.
 *
 * Owns: one counter for each token and group of routes, three numbers. Happy path: the first
 * request opens a window of 60 s; requests in it are counted up to the limit; the first one after
 * it opens the next. Fixed windows were taken over a token bucket because three numbers of the
 * answer (limit, remaining, reset) then say all there is to know: a bucket has no moment at which
 * it is full again that would not move with every request. The price is known: around the border
 * of two windows a client can make twice the limit within a minute.
 *
 * Failure modes: a wall clock that steps back behind the window's begin opens a new window, so
 * that nobody is shut out for the length of the step. Refuses: to read a clock, to answer. */
#include "server/ratelimit.h"

#include <assert.h>

struct ratelimit_verdict ratelimit_take(struct ratelimit *ratelimit, int64_t now_s)
{
    assert(ratelimit->limit > 0);
    if (ratelimit->used == 0 || now_s < ratelimit->began_s ||
        now_s >= ratelimit->began_s + RATELIMIT_WINDOW_S) {
        ratelimit->began_s = now_s;
        ratelimit->used = 0;
    }
    struct ratelimit_verdict verdict = {
        .allowed = ratelimit->used < ratelimit->limit,
        .limit = ratelimit->limit,
        .reset_s = ratelimit->began_s + RATELIMIT_WINDOW_S,
    };
    if (verdict.allowed)
        ratelimit->used++;
    else
        verdict.retry_after_s = verdict.reset_s - now_s;
    verdict.remaining = ratelimit->limit - ratelimit->used;
    return verdict;
}
