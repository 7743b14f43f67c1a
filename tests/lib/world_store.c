/* A model of the store for the world of world.h, and of the writer thread in front of it.
 *
 * Owns: the rows as committed. world_commit writes what the core wanted committed, in the order in
 * which it wanted it, and queues what the core must hear of it; world_report lets it hear. Failure
 * modes: writing an end twice stops the program. Refuses: to decide anything. */
#include "tests/lib/world_parts.h"

#include <assert.h>
#include <stdlib.h>

struct world_report *world_add_report(struct world *world, enum core_event_kind kind,
                                      struct world_webhook *webhook)
{
    struct world_report *report = calloc(1, sizeof(*report));
    assert(report);
    report->event.kind = kind;
    report->event.webhook = webhook->core;
    report->webhook = webhook;
    *world->reports_end = report;
    world->reports_end = &report->next;
    return report;
}

void world_write_end(struct world *world, struct world_row *row, uint8_t state, uint8_t reason)
{
    bool stands = row->redelivery && state != DELIVERY_DELIVERED;
    if (!stands) {
        row->state = state;
        row->reason = reason;
    }
    row->due = MONO_NEVER;
    row->redelivery = false;
    row->ended++;
    assert(row->ended == row->opened);
    world_put_line(world, "d%lld %s%s%s%s", (long long)row->key, delivery_state_name(state),
                   reason ? " " : "", reason ? reason_name(reason) : "",
                   stands ? " (redelivery)" : "");
}

static void write_record(struct world *world, const struct world_op *op)
{
    struct world_row *row = op->row;
    assert(row->due != MONO_NEVER); /* it has no end yet */
    row->attempt_count++;
    if (op->due == MONO_NEVER) {
        world_write_end(world, row, op->state, op->reason);
        return;
    }
    row->due = op->due;
    world_put_time(world, world->now.mono);
    world_put(world, " d%lld %s ", (long long)row->key, delivery_state_name(op->state));
    world_put_time(world, row->due);
    world_put(world, "\n");
}

static bool in_list(int64_t key, const int64_t *keys, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

void world_settle(struct world *world, struct world_webhook *webhook, enum reason reason,
                  const struct world_op *op)
{
    bool drop = reason == REASON_webhook_inactive || reason == REASON_webhook_deleted;
    for (int64_t key = world->first_open; key <= world->row_count; key++) {
        struct world_row *row = &world->rows[key];
        if (row->webhook == webhook && row->due != MONO_NEVER &&
            !(op && in_list(key, op->except, op->except_count)))
            world_write_end(world, row, drop ? DELIVERY_DROPPED : DELIVERY_FAILED, reason);
    }
}

static void write_change(struct world *world, const struct world_op *op)
{
    struct world_webhook *webhook = op->webhook;
    if (op->command && world->refuse_count > 0) {
        world->refuse_count--;
        world_put_line(world, "w%lld refused", (long long)webhook->key);
        world_add_report(world, EVENT_REFUSED, webhook)->command = true;
        return;
    }
    webhook->stored = op->status;
    world_put_line(world, "w%lld %s%s%s", (long long)webhook->key,
                   webhook_state_name(op->status.state), op->status.reason ? " " : "",
                   op->status.reason ? reason_name(op->status.reason) : "");
    if (op->settle != REASON_none)
        world_settle(world, webhook, op->settle, op);
    struct world_report *report = world_add_report(world, EVENT_COMMITTED, webhook);
    report->command = op->command;
    report->settle = op->settle;
}

static bool is_behind(const struct world_row *row, mono_ms due, int64_t key)
{
    return row->due != due ? row->due > due : row->key > key;
}

static int by_due_and_key(const void *a, const void *b)
{
    const struct world_row *left = *(struct world_row *const *)a;
    const struct world_row *right = *(struct world_row *const *)b;
    if (left->due != right->due)
        return left->due < right->due ? -1 : 1;
    return left->key < right->key ? -1 : 1;
}

static void read_refill(struct world *world, const struct world_op *op)
{
    static struct world_row *found[WORLD_ROWS_MAX];
    size_t count = 0;
    for (int64_t key = world->first_open; key <= world->row_count; key++) {
        struct world_row *row = &world->rows[key];
        if (row->webhook == op->webhook && row->due != MONO_NEVER &&
            is_behind(row, op->due, op->key))
            found[count++] = row;
    }
    qsort(found, count, sizeof(found[0]), by_due_and_key);
    struct world_report *report = world_add_report(world, EVENT_REFILLED, op->webhook);
    struct delivery_list *list = &report->event.deliveries;
    size_t taken = 0;
    for (unsigned weight = 0; taken < count && weight < op->limit; taken++) {
        struct delivery *delivery = world_allocate(world, found[taken]);
        weight += delivery->weight;
        if (list->tail)
            list->tail->next = delivery;
        else
            list->head = delivery;
        list->tail = delivery;
    }
    report->event.more = count > taken;
}

bool world_commit(struct world *world)
{
    struct world_op *op = world->ops;
    if (!op)
        return false;
    world->ops = op->next;
    if (!world->ops)
        world->ops_end = &world->ops;
    switch (op->kind) {
    case EFFECT_RECORD: write_record(world, op); break;
    case EFFECT_CHANGE: write_change(world, op); break;
    case EFFECT_NOTE: op->webhook->stored = op->status; break;
    case EFFECT_REFILL: read_refill(world, op); break;
    default: abort();
    }
    free(op);
    return true;
}

/* What a settled queue means for what the core knows; in flight is excepted. */
static void unknow(struct world *world, const struct world_webhook *webhook)
{
    for (int64_t key = world->first_open; key <= world->row_count; key++) {
        struct world_row *row = &world->rows[key];
        if (row->webhook == webhook && !row->flying)
            row->known = false;
    }
}

bool world_report(struct world *world)
{
    struct world_report *report = world->reports;
    if (!report)
        return false;
    world->reports = report->next;
    if (!world->reports)
        world->reports_end = &world->reports;
    const struct core_event *event = &report->event;
    if (event->kind == EVENT_ACCEPTED) {
        struct world_row *row = world_row(world, event->delivery->key);
        row->known = true;
        row->known_due = event->delivery->due;
        if (row->key < world->first_open)
            world->first_open = row->key; /* settled in the store meanwhile; the core will hear */
    }
    if (event->kind == EVENT_COMMITTED && report->settle != REASON_none)
        unknow(world, report->webhook);
    if (event->kind == EVENT_REFILLED && event->webhook->refill_stale)
        world->stale_refills++;
    world_feed(world, *event);
    bool ended = event->kind == EVENT_COMMITTED || event->kind == EVENT_REFUSED;
    if (ended && report->command && report->webhook->core) {
        report->webhook->answer_owed = true;
        if (!world->hold_answers)
            world_answer(world, report->webhook);
    }
    free(report);
    return true;
}

void world_drain(struct world *world)
{
    do {
        while (world_commit(world) || world_report(world))
            ;
        world_feed(world, (struct core_event){.kind = EVENT_RUN});
    } while (world->ops || world->reports);
}
