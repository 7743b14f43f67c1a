/* How often something may happen to one party in a stretch of time: a cap on verify requests to one
 * host, so that webhooks which anybody may create cannot be used to flood a stranger.
 *
 * Owns: who was counted since when. A stretch of PACE_WINDOW_MS begins with the first request after
 * the one before is over; in each a party gets at most `limit`. What comes on top is told when to
 * ask again, and is not counted, so those who wait take nothing from each other and the debt never
 * grows. Refuses: to know what a party is (a number made by the caller), clocks, memory of its own,
 * locks.
 *
 * Room: PACE_PARTIES at once. A party is looked for in PACE_PROBES places; where all of those are
 * taken by others whose stretch is not over, it has to wait for the first of them that gets free.
 * So a party may wait although it need not, but none ever gets more than the limit. */
#ifndef REVHOOK_CORE_PACE_H
#define REVHOOK_CORE_PACE_H

#include "core/types.h"

#define PACE_WINDOW_MS 60000
#define PACE_PARTIES   8192 /* a power of two */
#define PACE_PROBES    8

struct pace_party {
    uint64_t party; /* 0: nobody */
    mono_ms since;  /* when the stretch began */
    unsigned count; /* in it */
};

struct pace {
    unsigned limit; /* 0: none */
    struct pace_party parties[PACE_PARTIES];
};

/* Makes it ready; nothing to free. */
void pace_init(struct pace *pace, unsigned limit);

/* Asks for one at `now`: `now` if it may be, and then it is counted; else a later time, at which to
 * ask again. `party` is any number but 0, of which every bit is as good as random. Time that goes
 * back is taken as standing still. */
mono_ms pace_take(struct pace *pace, uint64_t party, mono_ms now);

#endif
