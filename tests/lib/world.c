/* The world of world.h: a shell in one thread, and a model of the store.
 *
 * Happy path: something happens outside ─▶ world_feed() steps the core ─▶ carry_out() starts POSTs,
 * and puts what is to be committed into the line `ops` ─▶ world_commit() writes the front of that
 * line to the rows and puts what the core must hear into the line `reports` ─▶ world_report() feeds
 * the front of that. Failure modes: a rule of world_check.c broken, or a leak, stops the program.
 * Refuses: to know any rule of delivery beyond what a store and a shell have to know. */
#include "tests/lib/world_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct core_config world_config(void)
{
    return (struct core_config){
        .retry_delays_ms = {30000, 180000},
        .retry_count = 2,
        .in_flight_max = 2048,
        .in_flight_per_webhook_max = 32,
        .degrade_after = 5,
        .verify_window_ms = 180000,
        .verify_offsets_ms = {0, 5000, 15000, 30000, 60000, 100000, 140000, 175000},
        .verify_offset_count = 8,
        .probe_delay_min_ms = 30000,
        .probe_delay_max_ms = 600000,
        .degraded_max_ms = 432000000,
        .window_max = 1024,
        .memory_max = 25000,
    };
}

/* ---- the transcript ---- */

void world_put(struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof(world->text) - world->text_bytes;
    int bytes = vsnprintf(world->text + world->text_bytes, room, format, args);
    va_end(args);
    if (bytes > 0 && (size_t)bytes < room)
        world->text_bytes += (size_t)bytes;
    else /* full: a test that reads it has emptied it before; the others do not care */
        world->text[world->text_bytes] = '\0';
}

void world_put_time(struct world *world, mono_ms at)
{
    world_put(world, "%lld", (long long)(at / 1000));
    if (at % 1000)
        world_put(world, ".%03d", (int)(at % 1000));
}

void world_put_line(struct world *world, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    world_put_time(world, world->now.mono);
    world_put(world, " %s\n", line);
}

const char *world_text(struct world *world)
{
    world->text[world->text_bytes] = '\0';
    world->text_bytes = 0;
    return world->text;
}

/* ---- memory ---- */

struct delivery *world_allocate(struct world *world, const struct world_row *row)
{
    struct world_delivery *made = calloc(1, sizeof(*made));
    assert(made && row->webhook->core);
    made->delivery.key = row->key;
    made->delivery.webhook = row->webhook->core;
    made->delivery.due = row->due;
    made->delivery.attempt_count = row->attempt_count;
    made->delivery.redelivery = row->redelivery;
    made->delivery.weight = world->weigh ? world->weigh(row->key) : 1;
    made->next = world->deliveries;
    if (made->next)
        made->next->prev = made;
    world->deliveries = made;
    return &made->delivery;
}

void world_free_delivery(struct world *world, struct delivery *delivery)
{
    struct world_delivery *made = (struct world_delivery *)(void *)delivery;
    if (made->prev)
        made->prev->next = made->next;
    else
        world->deliveries = made->next;
    if (made->next)
        made->next->prev = made->prev;
    free(made);
}

struct world_row *world_row(struct world *world, int64_t key)
{
    assert(key > 0 && key <= world->row_count);
    return &world->rows[key];
}

static struct world_webhook *webhook_of(struct world *world, const struct webhook *core)
{
    assert(core->key > 0 && core->key <= (int64_t)world->webhook_count);
    struct world_webhook *webhook = world->webhooks[core->key - 1];
    assert(webhook->core == core);
    return webhook;
}

/* ---- effects ---- */

static struct world_op *add_op(struct world *world, const struct core_effect *effect)
{
    struct world_op *op = calloc(1, sizeof(*op));
    assert(op);
    op->kind = effect->kind;
    op->step = world->steps;
    op->webhook = webhook_of(world, effect->webhook);
    *world->ops_end = op;
    world->ops_end = &op->next;
    return op;
}

static void want_record(struct world *world, const struct core_effect *effect)
{
    const struct delivery *delivery = effect->delivery;
    struct world_op *op = add_op(world, effect);
    struct world_row *row = world_row(world, delivery->key);
    assert(row->known && row->flying && !row->post);
    bool open = delivery->state == DELIVERY_PENDING || delivery->state == DELIVERY_HELD;
    op->row = row;
    op->state = delivery->state;
    op->reason = delivery->reason;
    op->due = open ? delivery->due : MONO_NEVER;
    row->flying = false;
    row->known = open;
    row->known_due = op->due;
}

static void want_change(struct world *world, const struct core_effect *effect)
{
    struct world_op *op = add_op(world, effect);
    assert(effect->webhook->changing);
    op->status = effect->webhook->proposed;
    op->command = effect->command;
    op->settle = effect->settle;
    for (const struct delivery *d = effect->webhook->flight; d; d = d->flight_next) {
        assert(op->except_count < WORLD_FLIGHT_MAX);
        op->except[op->except_count++] = d->key;
    }
}

static void want_refill(struct world *world, const struct core_effect *effect)
{
    struct world_op *op = add_op(world, effect);
    op->due = effect->webhook->frontier_due;
    op->key = effect->webhook->frontier_key;
    op->limit = effect->limit;
    world->refills++;
}

static void start_post(struct world *world, const struct core_effect *effect)
{
    struct world_row *row = world_row(world, effect->delivery->key);
    world_check_start(world, row, effect->webhook, effect->delivery);
    row->flying = true;
    row->post = effect->delivery;
    row->posted_at = world->now.mono;
    row->posts++;
    world->posts++;
    world->round++;
    world_put_line(world, "post d%lld", (long long)row->key);
}

static void start_verify(struct world *world, const struct core_effect *effect)
{
    struct world_webhook *webhook = webhook_of(world, effect->webhook);
    webhook->verify_seq = effect->verify_seq;
    webhook->verify_open = true;
    webhook->verify_count++;
    world_put_line(world, "verify w%lld", (long long)webhook->key);
}

static void forget_webhook(struct world *world, const struct core_effect *effect)
{
    struct world_webhook *webhook = webhook_of(world, effect->webhook);
    world_check_forget(world, effect);
    world_put_line(world, "forget w%lld", (long long)webhook->key);
    free(webhook->core);
    webhook->core = NULL;
}

static void carry_out(struct world *world, const struct core_effect *effect)
{
    switch (effect->kind) {
    case EFFECT_RECORD: want_record(world, effect); break;
    case EFFECT_CHANGE: want_change(world, effect); break;
    case EFFECT_NOTE: add_op(world, effect)->status = effect->webhook->status; break;
    case EFFECT_REFILL: want_refill(world, effect); break;
    case EFFECT_START: start_post(world, effect); break;
    case EFFECT_VERIFY: start_verify(world, effect); break;
    case EFFECT_FORGET:
        world_check_forget(world, effect);
        world_free_delivery(world, effect->delivery);
        break;
    case EFFECT_SETTLED: assert(webhook_of(world, effect->webhook)); break;
    case EFFECT_FORGET_WEBHOOK: forget_webhook(world, effect); break;
    }
}

void world_feed(struct world *world, struct core_event event)
{
    do {
        event.now = world->now;
        if (event.kind == EVENT_RUN)
            event.starts_max = world->starts_max,
            event.hanging_starts_max = world->hanging_starts_max;
        world->steps++;
        core_step(&world->core, &event, &world->update);
        for (unsigned i = 0; i < world->update.count; i++)
            carry_out(world, &world->update.effects[i]);
        event = (struct core_event){.kind = EVENT_RUN};
    } while (world->update.more);
    world_check(world);
}

/* Feeds an event that came from outside. */
void world_happen(struct world *world, struct core_event event)
{
    world_feed(world, event);
    if (!world->held)
        world_drain(world);
}
