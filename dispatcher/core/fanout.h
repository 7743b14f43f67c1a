/* Fan-out: which webhooks an event goes to, and what becomes of it for each.
 *
 * Owns: the index of event type to subscribed webhooks with their committed states. Refuses: to
 * queue, to count, to decide states. The writer holds one index and keeps it true; the memory of
 * the lists is its, too. */
#ifndef REVHOOK_CORE_FANOUT_H
#define REVHOOK_CORE_FANOUT_H

#include "core/types.h"

/* One webhook as fan-out sees it. */
struct subscriber {
    int64_t webhook;
    uint32_t org;  /* a number that stands for the organisation */
    uint8_t state; /* as committed */
    struct event_set event_types;
};

struct fanout_list {
    struct subscriber **at;
    uint32_t count, capacity;
};

struct fanout_index {
    struct fanout_list by_type[EVENT_TYPE_COUNT];
};

enum fanout_verdict {
    FANOUT_QUEUE, /* active: a delivery, due at once */
    FANOUT_FAIL,  /* degraded: a delivery that has failed with webhook_degraded, so that it can be
                     redelivered later */
    FANOUT_SKIP,  /* unverified or inactive: nothing, but it is counted */
};

/* What an event accepted now becomes for a webhook in `state`. Pure. */
enum fanout_verdict fanout_verdict(enum webhook_state state);

/* The subscribers of `type`; those of other organisations are among them: compare `org`. */
static inline const struct fanout_list *fanout_list(const struct fanout_index *index,
                                                    enum event_type type)
{
    return &index->by_type[type];
}

/* Puts a subscriber into the lists of its event types. Every one of them has room (count <
 * capacity). */
void fanout_add(struct fanout_index *index, struct subscriber *subscriber);

/* Takes it out of them. */
void fanout_remove(struct fanout_index *index, struct subscriber *subscriber);

#endif
