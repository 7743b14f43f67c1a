/* What the files of the core share among themselves; nobody else includes this. */
#ifndef REVHOOK_CORE_PARTS_H
#define REVHOOK_CORE_PARTS_H

#include "core/core.h"

#include <assert.h>

/* ---- lists ---- */

static inline void list_push(struct delivery_list *list, struct delivery *delivery)
{
    delivery->next = NULL;
    if (list->tail)
        list->tail->next = delivery;
    else
        list->head = delivery;
    list->tail = delivery;
}

static inline struct delivery *list_pop(struct delivery_list *list)
{
    struct delivery *delivery = list->head;
    if (delivery) {
        list->head = delivery->next;
        if (!list->head)
            list->tail = NULL;
        delivery->next = NULL;
    }
    return delivery;
}

/* ---- effects ---- */

/* Every single decision needs at most so many effects; loops stop before the room is less. */
#define EFFECTS_PER_DECISION 6

static inline bool update_has_room(const struct update *update)
{
    return update->count + EFFECTS_PER_DECISION <= UPDATE_EFFECTS_MAX;
}

/* Appends an effect about `webhook` and, if not NULL, `delivery`. */
static inline struct core_effect *emit(struct update *update, enum core_effect_kind kind,
                                       struct webhook *webhook, struct delivery *delivery)
{
    assert(update->count < UPDATE_EFFECTS_MAX);
    struct core_effect *effect = &update->effects[update->count++];
    *effect = (struct core_effect){.kind = kind, .webhook = webhook, .delivery = delivery};
    return effect;
}

/* ---- schedule.c ---- */

/* When the attempt after `attempt_count` attempts is due, the last of which ended at `ended`;
 * MONO_NEVER if there is none. */
mono_ms schedule_retry(const struct core_config *config, unsigned attempt_count, mono_ms ended);
/* When verify request number `verify_count` (from 0) of a window goes out; MONO_NEVER if there is
 * none. */
mono_ms schedule_verify(const struct core_config *config, unsigned verify_count, mono_ms since);
/* When a degraded webhook is verified again after `verify_count` (from 1) failed requests, the last
 * of which ended at `ended`. */
mono_ms schedule_probe(const struct core_config *config, unsigned verify_count, mono_ms ended);

/* ---- webhook.c ---- */

/* Proposes that `event` happens to `webhook`, which is not changing. */
void webhook_propose(struct core *core, struct webhook *webhook, enum webhook_event event,
                     struct update *update);
void webhook_command(struct core *core, const struct core_event *event, struct update *update);
void webhook_committed(struct core *core, struct webhook *webhook, struct update *update);
void webhook_refused(struct core *core, struct webhook *webhook, struct update *update);
/* Ends what a webhook read at start has open but cannot have: what was in flight when it stopped
 * being active and then was cut off by the end of the service. */
void webhook_settle_rest(struct core *core, struct webhook *webhook, struct update *update);
void webhook_verified(struct core *core, const struct core_event *event, struct update *update);
void webhook_postponed(struct core *core, const struct core_event *event, struct update *update);
/* Does what the clock says is due: a verify request, the end of a window, giving up. */
void webhook_due(struct core *core, struct webhook *webhook, struct update *update);
/* When webhook_due has something to do next; MONO_NEVER if never. */
mono_ms webhook_deadline(const struct webhook *webhook);
/* Lets a deleted webhook go when nothing of it is in flight any more. */
void webhook_release(struct core *core, struct webhook *webhook, struct update *update);

/* ---- delivery.c ---- */

/* Moves a delivery by one row of delivery.def. */
void delivery_apply(struct delivery *delivery, enum delivery_event event);
/* The reason that an attempt which was not acknowledged takes from its webhook, or none. */
enum reason delivery_reason(const struct webhook_status *status);
/* Works off the outcome of an attempt. */
void delivery_ended(struct core *core, struct delivery *delivery, struct update *update);

/* ---- backlog.c ---- */

/* Takes an open delivery, in no list, into memory, or lets it go if it belongs behind the frontier.
 */
void backlog_insert(struct core *core, struct webhook *webhook, struct delivery *delivery);
void backlog_refilled(struct core *core, const struct core_event *event);
/* Asks for more from the store where the window runs low. */
void backlog_want(struct core *core, struct webhook *webhook, struct update *update);
/* Lets the whole queue in memory go: the store has settled it. */
void backlog_clear(struct core *core, struct webhook *webhook);
/* Takes the earliest delivery out of the queue. */
struct delivery *backlog_take(struct core *core, struct webhook *webhook);

/* ---- select.c ---- */

/* Puts `webhook` where it belongs after anything about it has changed: on the ring of those with
 * something to start, on the timers of those with something to do later, or neither. */
void select_place(struct core *core, struct webhook *webhook);
/* Takes it off both. */
void select_remove(struct core *core, struct webhook *webhook);
/* A POST that is young is not any more, for it is overdue. */
void select_overdue(struct core *core, struct delivery *delivery);
/* Learns from delivery->facts how soon its webhook answers. */
void select_answered(struct core *core, struct delivery *delivery);
/* Starts what may start, as far as the update has room; false if room ran out first. */
bool select_run(struct core *core, const struct core_event *run, struct update *update);

#endif
