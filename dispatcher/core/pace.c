/* A cap for each party and stretch of time, see pace.h. */
#include "core/pace.h"

#include <assert.h>
#include <string.h>

_Static_assert((PACE_PARTIES & (PACE_PARTIES - 1)) == 0, "places are found by masking");

void pace_init(struct pace *pace, unsigned limit)
{
    memset(pace, 0, sizeof(*pace));
    pace->limit = limit;
}

static bool is_over(const struct pace_party *entry, mono_ms now)
{
    return entry->party == 0 || now - entry->since >= PACE_WINDOW_MS;
}

/* The place of a party: its own, or the one that is free or gets free first. */
static struct pace_party *find(struct pace *pace, uint64_t party, mono_ms now)
{
    struct pace_party *found = NULL;
    for (unsigned i = 0; i < PACE_PROBES; i++) {
        struct pace_party *entry = &pace->parties[(party + i) & (PACE_PARTIES - 1)];
        if (entry->party == party)
            return entry;
        if (!found ||
            (!is_over(found, now) && (is_over(entry, now) || entry->since < found->since)))
            found = entry;
    }
    return found;
}

mono_ms pace_take(struct pace *pace, uint64_t party, mono_ms now)
{
    assert(party != 0);
    if (pace->limit == 0)
        return now;
    struct pace_party *entry = find(pace, party, now);
    if (is_over(entry, now))
        *entry = (struct pace_party){party, now, 0};
    if (entry->party != party || entry->count >= pace->limit)
        return entry->since + PACE_WINDOW_MS;
    entry->count++;
    return now;
}
