/* How much of a backlog is in memory. It is measured by weight, so that a few large events take the
 * place of many small ones.
 *
 * Owns: the queue of each webhook, ordered by (due, key), and the frontier behind which its open
 * deliveries are in the store alone. Refuses: to lose one. Whatever is forgotten here is open in
 * the store, with the due time that the store was told.
 *
 * The invariant. While a webhook is `spilled`, every open delivery of it up to (frontier_due,
 * frontier_key) is in memory or in flight, and none behind. While it is not, all are. Reports from
 * the store come in the order of its commits, and a refill is read at its place in that order; so
 * what was accepted before it is in its answer, and what is accepted after it is reported after it.
 * The one thing that could fall between is a retry, forgotten here after a refill was asked for and
 * before its answer came: then the answer is stale, is thrown away, and the question is asked
 * again. */
#include "core/parts.h"

#define WINDOW_SMALL 64 /* per webhook, when memory is short */

static unsigned window(const struct core *core)
{
    return core->weight < core->config.memory_max ? core->config.window_max : WINDOW_SMALL;
}

static bool behind(const struct webhook *webhook, mono_ms due, int64_t key)
{
    return webhook->spilled && (due != webhook->frontier_due ? due > webhook->frontier_due
                                                             : key > webhook->frontier_key);
}

static void queue_push(struct core *core, struct webhook *webhook, struct delivery *delivery)
{
    heap_insert(&webhook->queue, &delivery->node, delivery->due, delivery->key);
    assert(delivery->weight > 0);
    webhook->queued++;
    core->queued++;
    webhook->weight += delivery->weight;
    core->weight += delivery->weight;
}

struct delivery *backlog_take(struct core *core, struct webhook *webhook)
{
    struct heap_node *node = heap_min(&webhook->queue);
    struct delivery *delivery = HEAP_ENTRY(node, struct delivery, node);
    heap_remove(&webhook->queue, node);
    webhook->queued--;
    core->queued--;
    webhook->weight -= delivery->weight;
    core->weight -= delivery->weight;
    return delivery;
}

void backlog_clear(struct core *core, struct webhook *webhook)
{
    struct heap_node *node = NULL;
    struct delivery_list all = {NULL, NULL};
    while ((node = heap_walk(&webhook->queue, node)))
        list_push(&all, HEAP_ENTRY(node, struct delivery, node));
    webhook->queue.root = NULL;
    core->queued -= webhook->queued;
    core->weight -= webhook->weight;
    webhook->queued = webhook->weight = 0;
    webhook->spilled = false;
    for (struct delivery *delivery; (delivery = list_pop(&all));)
        list_push(&core->gone, delivery);
}

/* Keeps the earlier half of a window that overflows, at least one; the rest is left to the store.
 */
static void trim(struct core *core, struct webhook *webhook)
{
    struct delivery_list kept = {NULL, NULL};
    unsigned half = window(core) / 2, weight = 0;
    while (webhook->queued > 0 && weight < half) {
        struct delivery *delivery = backlog_take(core, webhook);
        weight += delivery->weight;
        list_push(&kept, delivery);
    }
    webhook->frontier_due = kept.tail->due;
    webhook->frontier_key = kept.tail->key;
    backlog_clear(core, webhook);
    webhook->spilled = true;
    webhook->refill_stale = webhook->refilling;
    for (struct delivery *delivery; (delivery = list_pop(&kept));)
        queue_push(core, webhook, delivery);
}

void backlog_insert(struct core *core, struct webhook *webhook, struct delivery *delivery)
{
    if (behind(webhook, delivery->due, delivery->key)) {
        webhook->refill_stale |= webhook->refilling && delivery->attempt_count > 0;
        list_push(&core->gone, delivery);
        return;
    }
    queue_push(core, webhook, delivery);
    if (webhook->weight > window(core) && webhook->queued > 1)
        trim(core, webhook);
}

/* Many redeliveries asked for within one millisecond can put the frontier before a delivery in
 * flight: the store would still call it open. */
static bool flies_behind(const struct webhook *webhook)
{
    for (const struct delivery *delivery = webhook->flight; delivery;
         delivery = delivery->flight_next)
        if (behind(webhook, delivery->due, delivery->key))
            return true;
    return false;
}

void backlog_want(struct core *core, struct webhook *webhook, struct update *update)
{
    if (!webhook->spilled || webhook->refilling || webhook->changing ||
        webhook->status.state != WEBHOOK_ACTIVE || webhook->weight > window(core) / 4 ||
        flies_behind(webhook))
        return;
    webhook->refilling = true;
    webhook->refill_stale = false;
    webhook->refill_limit = window(core) / 2;
    core->queued += webhook->refill_limit;
    core->weight += webhook->refill_limit;
    emit(update, EFFECT_REFILL, webhook, NULL)->limit = webhook->refill_limit;
}

void backlog_refilled(struct core *core, const struct core_event *event)
{
    struct webhook *webhook = event->webhook;
    struct delivery_list rows = event->deliveries;
    assert(webhook->refilling);
    webhook->refilling = false;
    core->queued -= webhook->refill_limit;
    core->weight -= webhook->refill_limit;
    if (webhook->refill_stale) {
        for (struct delivery *delivery; (delivery = list_pop(&rows));)
            list_push(&core->gone, delivery);
        return;
    }
    webhook->spilled = event->more;
    if (rows.tail) {
        webhook->frontier_due = rows.tail->due;
        webhook->frontier_key = rows.tail->key;
    }
    for (struct delivery *delivery; (delivery = list_pop(&rows));) {
        delivery->state = DELIVERY_PENDING;
        if (webhook->status.state != WEBHOOK_ACTIVE)
            delivery_apply(delivery, DELIVERY_HOLD);
        queue_push(core, webhook, delivery);
    }
}
