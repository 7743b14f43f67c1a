/* What goes next: which webhook, which delivery, and whether there is a slot for it.
 *
 * Owns: the ring of webhooks that have something due, the timers of those that will, the limits on
 * what is in flight. Refuses: order between webhooks (there is none) and order by anything but
 * (due, key) within one.
 *
 * Fairness. Webhooks on the ring take turns, one delivery each. A slow receiver keeps its slots for
 * long, so turns alone would let a few slow ones take every slot: therefore no webhook may hold
 * more than an eighth of what is still free (at least one), besides its own limit. However many are
 * slow, what they hold converges so that something stays free for the others; this is the "dynamic
 * threshold" of shared-memory switches.
 *
 * Pace. A run begins no more POSTs than it is told to; the rest is due at once, in the next run.
 * How many are wise depends on what was answered, which the shell sees. */
#include "core/parts.h"

#define SHARE_OF_FREE 8

static void ring_add(struct core *core, struct webhook *webhook)
{
    if (!core->ring) {
        webhook->ring_prev = webhook->ring_next = webhook;
        core->ring = webhook;
    } else { /* before the head: last in turn */
        webhook->ring_next = core->ring;
        webhook->ring_prev = core->ring->ring_prev;
        webhook->ring_prev->ring_next = webhook;
        webhook->ring_next->ring_prev = webhook;
    }
    webhook->on_ring = true;
}

static void ring_remove(struct core *core, struct webhook *webhook)
{
    if (!webhook->on_ring)
        return;
    if (webhook->ring_next == webhook) {
        core->ring = NULL;
    } else {
        webhook->ring_prev->ring_next = webhook->ring_next;
        webhook->ring_next->ring_prev = webhook->ring_prev;
        if (core->ring == webhook)
            core->ring = webhook->ring_next;
    }
    webhook->on_ring = false;
}

static void timer_set(struct core *core, struct webhook *webhook, mono_ms at)
{
    if (webhook->on_timers) {
        if (webhook->timer.key == at)
            return;
        heap_remove(&core->timers, &webhook->timer);
        webhook->on_timers = false;
    }
    if (at != MONO_NEVER) {
        heap_insert(&core->timers, &webhook->timer, at, webhook->key);
        webhook->on_timers = true;
    }
}

void select_remove(struct core *core, struct webhook *webhook)
{
    ring_remove(core, webhook);
    timer_set(core, webhook, MONO_NEVER);
}

void select_place(struct core *core, struct webhook *webhook)
{
    if (webhook->changing) {
        select_remove(core, webhook);
        return;
    }
    mono_ms wake = webhook_deadline(webhook);
    bool ready = false;
    const struct heap_node *first = heap_min(&webhook->queue);
    if (first && webhook->status.state == WEBHOOK_ACTIVE &&
        webhook->in_flight < core->config.in_flight_per_webhook_max) {
        if (first->key <= core->now.mono)
            ready = true;
        else if (first->key < wake)
            wake = first->key;
    }
    if (ready && !webhook->on_ring)
        ring_add(core, webhook);
    else if (!ready)
        ring_remove(core, webhook);
    timer_set(core, webhook, wake);
}

static void start(struct core *core, struct webhook *webhook, struct update *update)
{
    struct delivery *delivery = backlog_take(core, webhook);
    delivery_apply(delivery, DELIVERY_START);
    delivery->generation = webhook->status.generation;
    delivery->flight_prev = NULL;
    delivery->flight_next = webhook->flight;
    if (webhook->flight)
        webhook->flight->flight_prev = delivery;
    webhook->flight = delivery;
    webhook->in_flight++;
    core->in_flight++;
    emit(update, EFFECT_START, webhook, delivery);
    backlog_want(core, webhook, update);
    select_place(core, webhook);
}

static bool may_start(const struct core *core, const struct webhook *webhook)
{
    unsigned share = (core->config.in_flight_max - core->in_flight) / SHARE_OF_FREE;
    return webhook->in_flight < (share > 0 ? share : 1);
}

bool select_run(struct core *core, unsigned starts_max, struct update *update)
{
    const struct webhook *first_refused = NULL; /* once round the ring without a start is enough */
    unsigned started = 0;
    core->starts_left = false;
    while (core->ring && core->in_flight < core->config.in_flight_max) {
        struct webhook *webhook = core->ring;
        if (webhook == first_refused)
            return true;
        core->starts_left = started > 0 && started == starts_max;
        if (core->starts_left)
            return true;
        if (!update_has_room(update))
            return false;
        core->ring = webhook->ring_next;
        if (may_start(core, webhook)) {
            start(core, webhook, update);
            started++;
            first_refused = NULL;
        } else if (!first_refused) {
            first_refused = webhook;
        }
    }
    return true;
}
