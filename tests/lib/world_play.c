/* What happens in the world of world.h from outside: clients, publishers, receivers, time, crashes.
 *
 * Owns: the calls that tests make. Each feeds one event, or writes to the model of the store as the
 * writer would and reports it. Failure modes: a call that a real shell would never make stops the
 * program. Refuses: to look into the core but for what a shell may see. */
#include "tests/lib/world_parts.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define WALL_AT_ZERO INT64_C(1750000000000000)

struct world *world_new(const struct core_config *config)
{
    struct world *world = calloc(1, sizeof(*world));
    assert(world);
    world->rows = calloc(WORLD_ROWS_MAX + 1, sizeof(world->rows[0]));
    assert(world->rows);
    world->ops_end = &world->ops;
    world->reports_end = &world->reports;
    world->first_open = 1;
    world->hanging_starts_max = UINT_MAX;
    world->now.wall = WALL_AT_ZERO;
    struct core_config defaults = world_config();
    core_init(&world->core, config ? config : &defaults);
    return world;
}

void world_free(struct world *world)
{
    for (struct world_delivery *next, *made = world->deliveries; made; made = next) {
        next = made->next;
        free(made);
    }
    for (unsigned i = 0; i < world->webhook_count; i++) {
        free(world->webhooks[i]->core);
        free(world->webhooks[i]);
    }
    for (struct world_op *next, *op = world->ops; op; op = next) {
        next = op->next;
        free(op);
    }
    for (struct world_report *next, *report = world->reports; report; report = next) {
        next = report->next;
        free(report);
    }
    free(world->rows);
    free(world);
}

static void introduce(struct world *world, struct world_webhook *webhook, bool spilled,
                      bool answered_later)
{
    webhook->core = calloc(1, sizeof(*webhook->core));
    assert(webhook->core);
    webhook->core->key = webhook->key;
    webhook->core->status = webhook->stored;
    webhook->core->spilled = spilled;
    world_happen(world, (struct core_event){.kind = EVENT_WEBHOOK,
                                            .webhook = webhook->core,
                                            .answered_later = answered_later});
}

struct world_webhook *world_create(struct world *world)
{
    assert(world->webhook_count < WORLD_WEBHOOKS_MAX);
    struct world_webhook *webhook = calloc(1, sizeof(*webhook));
    assert(webhook);
    world->webhooks[world->webhook_count++] = webhook;
    webhook->key = world->webhook_count;
    webhook->stored = webhook_status_new(&world->core.config, world->now);
    webhook->answer_owed = true;
    introduce(world, webhook, false, true);
    if (!world->hold_answers)
        world_answer(world, webhook);
    return webhook;
}

struct world_webhook *world_create_active(struct world *world)
{
    struct world_webhook *webhook = world_create(world);
    if (world->held)
        world_drain(world);
    world_verified(world, webhook, OUTCOME_acknowledged);
    if (world->held)
        world_drain(world);
    assert(webhook->core->status.state == WEBHOOK_ACTIVE);
    world_text(world);
    return webhook;
}

static struct world_row *add_row(struct world *world, struct world_webhook *webhook)
{
    assert(world->row_count < WORLD_ROWS_MAX);
    struct world_row *row = &world->rows[++world->row_count];
    row->key = world->row_count;
    row->webhook = webhook;
    row->state = DELIVERY_PENDING;
    row->due = world->now.mono;
    row->opened = 1;
    return row;
}

/* The writer: what an event means for a webhook goes by its committed state. */
static int64_t accept(struct world *world, struct world_webhook *webhook)
{
    if (webhook->stored.state == WEBHOOK_ACTIVE) {
        struct world_row *row = add_row(world, webhook);
        world_add_report(world, EVENT_ACCEPTED, webhook)->event.delivery =
            world_allocate(world, row);
        return row->key;
    }
    if (webhook->stored.state == WEBHOOK_DEGRADED) {
        struct world_row *row = add_row(world, webhook);
        world_write_end(world, row, DELIVERY_FAILED, REASON_webhook_degraded);
        return row->key;
    }
    return 0;
}

int64_t world_publish_many(struct world *world, struct world_webhook *webhook, unsigned count)
{
    int64_t first = 0;
    for (unsigned i = 0; i < count; i++) {
        int64_t key = accept(world, webhook);
        if (i == 0)
            first = key;
    }
    if (!world->held)
        world_drain(world);
    return first;
}

int64_t world_publish(struct world *world, struct world_webhook *webhook)
{
    return world_publish_many(world, webhook, 1);
}

bool world_redeliver(struct world *world, int64_t key)
{
    struct world_row *row = world_row(world, key);
    if (row->due != MONO_NEVER || row->webhook->stored.state != WEBHOOK_ACTIVE ||
        row->attempt_count == UINT8_MAX)
        return false;
    row->due = world->now.mono;
    row->redelivery = true;
    row->opened++;
    if (row->key < world->first_open)
        world->first_open = row->key;
    world_add_report(world, EVENT_ACCEPTED, row->webhook)->event.delivery =
        world_allocate(world, row);
    if (!world->held)
        world_drain(world);
    return true;
}

void world_end_quietly(struct world *world, int64_t key, enum outcome outcome)
{
    struct world_row *row = world_row(world, key);
    struct core_event event = {.kind = EVENT_ENDED, .delivery = row->post};
    assert(row->post);
    row->post = NULL;
    event.facts.outcome = outcome;
    event.facts.started_us = world->now.wall;
    event.facts.duration_ms = world->now.mono - row->posted_at;
    world_feed(world, event);
}

void world_overdue(struct world *world, int64_t key)
{
    struct world_row *row = world_row(world, key);
    assert(row->post);
    world_happen(world, (struct core_event){.kind = EVENT_OVERDUE, .delivery = row->post});
}

void world_end(struct world *world, int64_t key, enum outcome outcome)
{
    world_end_quietly(world, key, outcome);
    if (!world->held)
        world_drain(world);
}

void world_end_all(struct world *world, enum outcome outcome)
{
    int64_t last = world->row_count;
    for (int64_t key = 1; key <= last; key++)
        if (world->rows[key].post)
            world_end(world, key, outcome);
}

void world_exhaust(struct world *world, int64_t key)
{
    struct world_row *row = world_row(world, key);
    assert(!world->held);
    for (;;) {
        world_end(world, key, OUTCOME_timeout);
        if (row->due == MONO_NEVER)
            return;
        world_advance(world, row->due - world->now.mono);
    }
}

void world_verified_seq(struct world *world, struct world_webhook *webhook, uint32_t seq,
                        enum outcome outcome)
{
    struct core_event event = {.kind = EVENT_VERIFIED, .webhook = webhook->core, .verify_seq = seq};
    event.facts.outcome = outcome;
    if (webhook->core) /* a shell drops what comes in for a webhook that is gone */
        world_happen(world, event);
}

void world_verified(struct world *world, struct world_webhook *webhook, enum outcome outcome)
{
    assert(webhook->verify_open);
    webhook->verify_open = false;
    world_verified_seq(world, webhook, webhook->verify_seq, outcome);
}

void world_postponed(struct world *world, struct world_webhook *webhook, uint32_t seq, mono_ms at)
{
    if (seq == webhook->verify_seq)
        webhook->verify_open = false;
    world_happen(
        world, (struct core_event){
                   .kind = EVENT_POSTPONED, .webhook = webhook->core, .verify_seq = seq, .at = at});
}

void world_command(struct world *world, struct world_webhook *webhook, bool changed,
                   enum webhook_command command)
{
    assert(!webhook->core->changing);
    world_happen(world, (struct core_event){.kind = EVENT_COMMAND,
                                            .webhook = webhook->core,
                                            .changed = changed,
                                            .command = command,
                                            .answered_later = true});
}

void world_answer(struct world *world, struct world_webhook *webhook)
{
    assert(webhook->answer_owed);
    webhook->answer_owed = false;
    if (webhook->core)
        world_happen(world, (struct core_event){.kind = EVENT_ANSWERED, .webhook = webhook->core});
}

void world_run(struct world *world)
{
    world->round = 0;
    world_happen(world, (struct core_event){.kind = EVENT_RUN});
}

static void move_to(struct world *world, mono_ms at)
{
    world->now.wall += (at - world->now.mono) * 1000;
    world->now.mono = at;
}

void world_advance(struct world *world, dur_ms ms)
{
    mono_ms target = world->now.mono + ms;
    for (;;) {
        mono_ms next = core_deadline(&world->core);
        if (next > target)
            break;
        if (next > world->now.mono)
            move_to(world, next);
        world_run(world);
    }
    move_to(world, target);
    world_run(world);
}

/* What a crash leaves: the rows and the stored status of each webhook. */
static void lose_memory(struct world *world)
{
    while (world->deliveries)
        world_free_delivery(world, &world->deliveries->delivery);
    for (struct world_op *op; (op = world->ops);) {
        world->ops = op->next;
        free(op);
    }
    world->ops_end = &world->ops;
    for (struct world_report *report; (report = world->reports);) {
        world->reports = report->next;
        free(report);
    }
    world->reports_end = &world->reports;
    for (unsigned i = 0; i < world->webhook_count; i++) {
        struct world_webhook *webhook = world->webhooks[i];
        free(webhook->core);
        webhook->core = NULL;
        webhook->verify_open = webhook->answer_owed = false;
    }
}

/* What the core hears of a webhook at start: whether something of it is open. */
static bool know_again(struct world *world, const struct world_webhook *webhook)
{
    bool open = false;
    for (int64_t key = 1; key <= world->row_count; key++) {
        struct world_row *row = &world->rows[key];
        if (row->webhook != webhook || row->due == MONO_NEVER)
            continue;
        row->known = open = true;
        row->known_due = row->due;
    }
    return open;
}

void world_crash(struct world *world)
{
    struct core_config config = world->core.config;
    bool held = world->held;
    lose_memory(world);
    core_init(&world->core, &config);
    for (int64_t key = 1; key <= world->row_count; key++) {
        world->rows[key].known = world->rows[key].flying = false;
        world->rows[key].post = NULL;
    }
    world->held = true;
    for (unsigned i = 0; i < world->webhook_count; i++) {
        struct world_webhook *webhook = world->webhooks[i];
        if (webhook->stored.state == WEBHOOK_DELETED) /* the store does that when it is opened */
            world_settle(world, webhook, REASON_webhook_deleted, NULL);
        else
            introduce(world, webhook, know_again(world, webhook), false);
    }
    world->held = held;
    if (!held)
        world_drain(world);
}

unsigned world_posts_open(struct world *world, const struct world_webhook *webhook)
{
    unsigned count = 0;
    for (int64_t key = 1; key <= world->row_count; key++)
        count += world->rows[key].post && (!webhook || world->rows[key].webhook == webhook);
    return count;
}
