/* The rules that hold after every step of the core, whatever a test is about.
 *
 * Owns: for each POST, that it may begin; for each thing handed back, that nothing needs it any
 * more; for the backlog, that what is open is in memory, in flight, or behind the frontier of a
 * webhook that is marked as spilled, in exactly one of these places; for the limits, that they are
 * kept and the sums are right. A broken rule stops the program. Refuses: to trust the core's own
 * counts; it counts again from its own rows. */
#include "tests/lib/world_parts.h"

#include <assert.h>

void world_check_start(struct world *world, const struct world_row *row,
                       const struct webhook *webhook, const struct delivery *delivery)
{
    const struct core_config *config = &world->core.config;
    assert(delivery->webhook == webhook && row->webhook->core == webhook);
    assert(webhook->status.state == WEBHOOK_ACTIVE);
    assert(webhook->status.verified);
    assert(!webhook->changing);
    assert(row->webhook->stored.state == WEBHOOK_ACTIVE);
    assert(row->webhook->stored.generation == webhook->status.generation);
    assert(row->known && !row->flying && !row->post);
    assert(row->known_due <= world->now.mono);
    assert(delivery->state == DELIVERY_IN_FLIGHT);
    assert(delivery->due == row->known_due);
    assert(delivery->generation == webhook->status.generation);
    assert(delivery->redelivery || delivery->attempt_count <= config->retry_count);
    assert(webhook->in_flight <= config->in_flight_per_webhook_max);
    assert(world->core.in_flight <= config->in_flight_max);
}

void world_check_forget(struct world *world, const struct core_effect *effect)
{
    bool webhook_lives = false;
    for (unsigned i = 0; i < world->webhook_count; i++)
        webhook_lives |= world->webhooks[i]->core == effect->webhook;
    assert(webhook_lives);
    if (effect->kind == EFFECT_FORGET) {
        assert(world_row(world, effect->delivery->key)->post != effect->delivery);
        return;
    }
    assert(effect->webhook->status.state == WEBHOOK_DELETED);
    assert(!effect->webhook->changing && !effect->webhook->refilling);
    for (const struct world_delivery *made = world->deliveries; made; made = made->next)
        assert(made->delivery.webhook != effect->webhook); /* the last thing that is said of it */
}

static bool is_behind(const struct webhook *webhook, const struct world_row *row)
{
    if (!webhook->spilled)
        return false;
    return row->known_due != webhook->frontier_due ? row->known_due > webhook->frontier_due
                                                   : row->key > webhook->frontier_key;
}

/* Marks what is in the queue of a webhook and counts what is in flight. */
static void mark(struct world *world, struct world_webhook *webhook)
{
    const struct webhook *core = webhook->core;
    unsigned in_flight = 0, weight = 0;
    webhook->in_queue = 0;
    for (struct heap_node *node = NULL; (node = heap_walk(&core->queue, node));) {
        const struct delivery *delivery = HEAP_ENTRY(node, struct delivery, node);
        struct world_row *row = world_row(world, delivery->key);
        assert(delivery->webhook == core);
        assert(!row->in_queue); /* not twice */
        assert(node->key == row->known_due && node->tie == row->key);
        assert(delivery->due == row->known_due);
        assert(delivery->state ==
               (core->status.state == WEBHOOK_ACTIVE ? DELIVERY_PENDING : DELIVERY_HELD));
        row->in_queue = true;
        webhook->in_queue++;
        weight += delivery->weight;
    }
    for (const struct delivery *d = core->flight; d; d = d->flight_next, in_flight++)
        assert(world_row(world, d->key)->flying && d->state == DELIVERY_IN_FLIGHT);
    assert(webhook->in_queue == core->queued);
    assert(weight == core->weight);
    assert(in_flight == core->in_flight);
    webhook->in_memory = 0;
}

static void check_rows(struct world *world)
{
    int64_t first_open = world->row_count + 1;
    for (int64_t key = world->first_open; key <= world->row_count; key++) {
        struct world_row *row = &world->rows[key];
        assert(row->opened - row->ended == (row->due != MONO_NEVER));
        if (row->known || row->due != MONO_NEVER) {
            if (first_open > key)
                first_open = key;
        }
        if (row->flying) {
            assert(row->known && !row->in_queue);
        } else if (row->known) {
            assert(row->webhook->core);
            assert(row->in_queue == !is_behind(row->webhook->core, row));
        } else {
            assert(!row->in_queue && !row->post);
        }
        row->webhook->in_memory += row->in_queue;
        row->in_queue = false;
    }
    world->first_open = first_open;
}

void world_check(struct world *world)
{
    unsigned queued = 0, in_flight = 0, young = 0, weight = 0;
    for (unsigned i = 0; i < world->webhook_count; i++)
        if (world->webhooks[i]->core)
            mark(world, world->webhooks[i]);
    check_rows(world);
    for (unsigned i = 0; i < world->webhook_count; i++) {
        const struct webhook *core = world->webhooks[i]->core;
        if (!core)
            continue;
        assert(world->webhooks[i]->in_memory == world->webhooks[i]->in_queue);
        queued += core->queued + (core->refilling ? core->refill_limit : 0);
        weight += core->weight + (core->refilling ? core->refill_limit : 0);
        in_flight += core->in_flight;
        young += core->young;
        assert(core->young <= core->in_flight);
        assert(!core->changing || (!core->on_ring && !core->on_timers));
    }
    assert(queued == world->core.queued);
    assert(weight == world->core.weight);
    assert(in_flight == world->core.in_flight);
    assert(young == world->core.young);
    assert(young <= world->core.config.young_max || world->core.config.young_max == 0);
    assert(in_flight <= world->core.config.in_flight_max);
}
