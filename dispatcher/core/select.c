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
 * Speed. The limits would allow thousands of POSTs at once, each over a connection of its own. Who
 * answers at once is served better over a few connections that are warm, and with less work; and
 * who is short of time would only fall further behind. So only young_max POSTs may be young: begun
 * a moment ago, to a quick webhook, and not answered yet. Quick is a webhook that answered at once
 * within the last second, for how long an answer takes otherwise may be this machine's fault; and
 * one of which nothing is known. Of what is left to be begun, a quick webhook takes at most half.
 * Slow ones, far away, are not held back. One that lets attempts time out, or has some overdue and
 * is silent, hangs: its POSTs begin a few at a time, or they would end in waves, each with a
 * connection to be closed and another to be made. Each speed has a ring of its own, so that nobody
 * is held up by those of another.
 *
 * A run begins no more POSTs than it is told to; the rest is due at once, in the next run. */
#include "core/parts.h"

#include <limits.h>

#define SHARE_OF_FREE 8
#define QUICK_MS      3    /* an answer within this time came at once */
#define SILENT_MS     100  /* without one, a webhook that has so many overdue ... */
#define OVERDUE_MAX   4    /* ... hangs */
#define SLOW_AFTER_MS 1000 /* without one, it is not quick any more */

static struct webhook **ring_of(struct core *core, const struct webhook *webhook)
{
    return &core->rings[webhook->speed];
}

static void ring_add(struct core *core, struct webhook *webhook)
{
    struct webhook **ring = ring_of(core, webhook);
    if (!*ring) {
        webhook->ring_prev = webhook->ring_next = webhook;
        *ring = webhook;
    } else { /* before the head: last in turn */
        webhook->ring_next = *ring;
        webhook->ring_prev = (*ring)->ring_prev;
        webhook->ring_prev->ring_next = webhook;
        webhook->ring_next->ring_prev = webhook;
    }
    webhook->on_ring = true;
}

static void ring_remove(struct core *core, struct webhook *webhook)
{
    struct webhook **ring = ring_of(core, webhook);
    if (!webhook->on_ring)
        return;
    if (webhook->ring_next == webhook) {
        *ring = NULL;
    } else {
        webhook->ring_prev->ring_next = webhook->ring_next;
        webhook->ring_next->ring_prev = webhook->ring_prev;
        if (*ring == webhook)
            *ring = webhook->ring_next;
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

static void set_speed(struct core *core, struct webhook *webhook, enum speed speed)
{
    bool listed = webhook->on_ring;
    if (speed == webhook->speed)
        return;
    ring_remove(core, webhook);
    webhook->speed = (uint8_t)speed;
    if (listed)
        ring_add(core, webhook);
}

static void leave_young(struct core *core, struct delivery *delivery)
{
    delivery->webhook->young -= delivery->young;
    core->young -= delivery->young;
    delivery->young = false;
}

void select_overdue(struct core *core, struct delivery *delivery)
{
    struct webhook *webhook = delivery->webhook;
    leave_young(core, delivery);
    if (webhook->speed == SPEED_QUICK && webhook->in_flight - webhook->young >= OVERDUE_MAX &&
        core->now.mono - webhook->quick_at > SILENT_MS)
        set_speed(core, webhook, SPEED_HANGING);
}

void select_answered(struct core *core, struct delivery *delivery)
{
    struct webhook *webhook = delivery->webhook;
    leave_young(core, delivery);
    if (delivery->facts.duration_ms <= QUICK_MS)
        webhook->quick_at = core->now.mono;
    if (core->now.mono - webhook->quick_at <= SLOW_AFTER_MS)
        set_speed(core, webhook, SPEED_QUICK);
    else
        set_speed(core, webhook,
                  delivery->facts.outcome == OUTCOME_timeout ? SPEED_HANGING : SPEED_SLOW);
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
    delivery->young = webhook->speed == SPEED_QUICK;
    webhook->young += delivery->young;
    core->young += delivery->young;
    emit(update, EFFECT_START, webhook, delivery);
    backlog_want(core, webhook, update);
    select_place(core, webhook);
}

/* How many POSTs may begin to webhooks of a speed, as far as that depends on what is in flight. */
static unsigned room_of(const struct core *core, enum speed speed)
{
    unsigned room = core->config.in_flight_max - core->in_flight,
             young_max = core->config.young_max;
    if (speed != SPEED_QUICK || young_max == 0)
        return room;
    unsigned young = core->young < young_max ? young_max - core->young : 0;
    return young < room ? young : room;
}

static bool may_start(const struct core *core, const struct webhook *webhook)
{
    unsigned share = (core->config.in_flight_max - core->in_flight) / SHARE_OF_FREE;
    if (webhook->in_flight >= (share > 0 ? share : 1))
        return false;
    return webhook->speed != SPEED_QUICK || webhook->young < (room_of(core, SPEED_QUICK) + 1) / 2;
}

/* Goes round one of the rings and begins at most `most` POSTs, which it takes off; false if the
 * update has no room left. */
static bool run_ring(struct core *core, enum speed speed, unsigned *most, struct update *update)
{
    struct webhook **ring = &core->rings[speed];
    const struct webhook *first_refused = NULL; /* once round without a start is enough */
    while (*ring && *ring != first_refused && *most > 0 && room_of(core, speed) > 0) {
        struct webhook *webhook = *ring;
        if (!update_has_room(update))
            return false;
        *ring = webhook->ring_next;
        if (may_start(core, webhook)) {
            start(core, webhook, update);
            --*most;
            first_refused = NULL;
        } else if (!first_refused) {
            first_refused = webhook;
        }
    }
    return true;
}

bool select_run(struct core *core, const struct core_event *run, struct update *update)
{
    unsigned left = run->starts_max > 0 ? run->starts_max : UINT_MAX;
    bool room = true;
    core->starts_left = core->hanging_left = false;
    core->turn = (core->turn + 1) % SPEED_COUNT;
    for (unsigned i = 0; i < SPEED_COUNT && room; i++) {
        enum speed speed = (enum speed)((core->turn + i) % SPEED_COUNT);
        unsigned most = left;
        if (speed == SPEED_HANGING && run->hanging_starts_max < most)
            most = run->hanging_starts_max;
        unsigned before = most;
        room = run_ring(core, speed, &most, update);
        left -= before - most;
        if (left == 0)
            core->starts_left |= core->rings[speed] != NULL;
        else if (speed == SPEED_HANGING)
            core->hanging_left = most == 0 && core->rings[speed] != NULL;
    }
    return room;
}
