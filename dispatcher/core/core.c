/* The step: one event in, what is to be done out.
 *
 * Owns: the order in which things are decided. Refuses: everything that core.h says the core
 * refuses.
 *
 * An event first changes what the core knows. Then whatever piled up is worked off as far as the
 * update has room: outcomes, then deliveries to be forgotten; and, only for EVENT_RUN, timers and
 * starts, so that a shell that has many events at hand feeds them all before anything is chosen. */
#include "core/parts.h"

#include <string.h>

void core_init(struct core *core, const struct core_config *config)
{
    memset(core, 0, sizeof(*core));
    core->config = *config;
    core->now.mono = INT64_MIN;
}

static void add_webhook(struct core *core, const struct core_event *event, struct update *update)
{
    struct webhook *webhook = event->webhook;
    webhook->frontier_due = INT64_MIN; /* if it is spilled, nothing is in memory yet */
    webhook->frontier_key = INT64_MIN;
    webhook->awaiting_answer = event->answered_later;
    /* Read at start, with a probe under way when the service stopped: its plan was not known to the
     * store, or was stored as it stood meanwhile. */
    if (webhook->status.state == WEBHOOK_DEGRADED && webhook->status.verify_next == MONO_NEVER)
        webhook->status.verify_next = core->now.mono;
    webhook_settle_rest(core, webhook, update);
    backlog_want(core, webhook, update);
    select_place(core, webhook);
}

static void add_delivery(struct core *core, struct delivery *delivery)
{
    assert(delivery->webhook->status.state == WEBHOOK_ACTIVE);
    delivery->state = DELIVERY_PENDING;
    backlog_insert(core, delivery->webhook, delivery);
    select_place(core, delivery->webhook);
}

static void take_event(struct core *core, const struct core_event *event, struct update *update)
{
    switch (event->kind) {
    case EVENT_WEBHOOK: add_webhook(core, event, update); break;
    case EVENT_ACCEPTED: add_delivery(core, event->delivery); break;
    case EVENT_REFILLED:
        backlog_refilled(core, event);
        backlog_want(core, event->webhook, update);
        select_place(core, event->webhook);
        break;
    case EVENT_ENDED:
        event->delivery->facts = event->facts;
        select_answered(core, event->delivery);
        list_push(&core->ended, event->delivery);
        break;
    case EVENT_OVERDUE: select_overdue(core, event->delivery); break;
    case EVENT_VERIFIED: webhook_verified(core, event, update); break;
    case EVENT_POSTPONED: webhook_postponed(core, event, update); break;
    case EVENT_COMMAND: webhook_command(core, event, update); break;
    case EVENT_COMMITTED: webhook_committed(core, event->webhook, update); break;
    case EVENT_REFUSED: webhook_refused(core, event->webhook, update); break;
    case EVENT_ANSWERED:
        event->webhook->awaiting_answer = false;
        select_place(core, event->webhook);
        break;
    case EVENT_RUN: break;
    }
}

/* Works off outcomes and what is to be forgotten; false if the update is full first. */
static bool work_off(struct core *core, struct update *update)
{
    while (core->ended.head) {
        if (!update_has_room(update))
            return false;
        delivery_ended(core, list_pop(&core->ended), update);
    }
    while (core->gone.head) {
        if (!update_has_room(update))
            return false;
        struct delivery *delivery = list_pop(&core->gone);
        emit(update, EFFECT_FORGET, delivery->webhook, delivery);
    }
    return true;
}

static bool run_timers(struct core *core, struct update *update)
{
    struct heap_node *node;
    while ((node = heap_min(&core->timers)) && node->key <= core->now.mono) {
        if (!update_has_room(update))
            return false;
        struct webhook *webhook = HEAP_ENTRY(node, struct webhook, timer);
        webhook_due(core, webhook, update);
    }
    return true;
}

void core_step(struct core *core, const struct core_event *event, struct update *update)
{
    assert(event->now.mono >= core->now.mono);
    core->now = event->now;
    update->count = 0;
    take_event(core, event, update);
    update->more = !work_off(core, update);
    if (event->kind != EVENT_RUN || update->more)
        return;
    if (update->count > 0) /* these are to be carried out before anything moves on from there: a
                              retry may be due at once */
        update->more = true;
    else
        update->more = !run_timers(core, update) || !select_run(core, event, update);
}

mono_ms core_deadline(const struct core *core)
{
    const struct heap_node *node = heap_min(&core->timers);
    if (core->starts_left)
        return core->now.mono;
    mono_ms at = node ? node->key : MONO_NEVER;
    if (core->hanging_left && at > core->now.mono + 1)
        at = core->now.mono + 1;
    return at > core->now.mono ? at : core->now.mono;
}
