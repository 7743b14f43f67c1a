/* What the store shows, told to the auditor: after each commit what it changed, after a death and
 * in the end all of it.
 *
 * Owns: a reader of the store, and what was shown last. Refuses: to look at anything but the
 * store's public contract; the auditor learns nothing that the API could not answer. */
#include "tools/sim/world.h"

#include "tools/sim/audit_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ORG ((struct store_bytes){"dev0", 4})

struct observer {
    struct store_reader *reader;
    struct audit_event shown[AUDIT_WEBHOOKS]; /* by key; kind 0: never */
    uint32_t seen[AUDIT_WEBHOOKS], round;     /* by key: the last round that listed it */
    int64_t webhook_max, event_max, delivery_max;
    int64_t *webhook_of; /* by delivery */
    int64_t webhook_of_capacity;
    int64_t *redeliveries; /* asked for, not yet seen open */
    int64_t redelivery_count, redelivery_capacity;
    struct audit_event *rows; /* newest first, to be told oldest first */
    int64_t row_count, row_capacity;
    struct instant last;
    uint64_t commits; /* of this life of the process */
    uint32_t life;
};

void observe_begin(struct world *world)
{
    world->observer = hook_alloc(sizeof(*world->observer));
    world->observer->reader = store_reader_open(world->store, NULL, 0);
}

void observe_end(struct world *world)
{
    struct observer *observer = world->observer;
    store_reader_close(observer->reader);
    free(observer->webhook_of);
    free(observer->redeliveries);
    free(observer->rows);
    free(observer);
}

uint64_t observe_deliveries(const struct world *world)
{
    return (uint64_t)world->observer->delivery_max;
}

int64_t observe_webhook_of(const struct world *world, int64_t delivery)
{
    return delivery > 0 && delivery <= world->observer->delivery_max
               ? world->observer->webhook_of[delivery]
               : 0;
}

void observe_redelivery(struct world *world, int64_t delivery)
{
    struct observer *observer = world->observer;
    observer->redeliveries =
        audit_room(observer->redeliveries, observer->redelivery_count,
                   &observer->redelivery_capacity, sizeof(observer->redeliveries[0]));
    observer->redeliveries[observer->redelivery_count++] = delivery;
}

static struct audit_event *add_row(struct observer *observer)
{
    observer->rows = audit_room(observer->rows, observer->row_count, &observer->row_capacity,
                                sizeof(observer->rows[0]));
    struct audit_event *row = &observer->rows[observer->row_count++];
    *row = (struct audit_event){0};
    return row;
}

/* Tells the rows, oldest first. */
static void tell_rows(struct world *world)
{
    struct observer *observer = world->observer;
    while (observer->row_count > 0)
        world_tell(world, &observer->rows[--observer->row_count]);
}

/* ---- webhooks ---- */

static uint32_t tag_after(struct store_bytes text, char last)
{
    uint32_t tag = 0;
    size_t at = text.bytes;
    while (at > 0 && text.at[at - 1] != last)
        at--;
    for (; at < text.bytes; at++)
        tag = tag * 10 + (uint32_t)(text.at[at] - '0');
    return tag;
}

/* What the API would show of it. */
static uint32_t secret_tag(const struct store_webhook *row)
{
    struct sealed_row opened;
    enum seal_result result = seal_row_open(shell_sealer(), row, &opened);
    assert(result == SEAL_OK);
    (void)result;
    uint32_t tag = tag_after(opened.secret, '-');
    sealed_row_free(&opened);
    return tag;
}

static bool same(const struct audit_event *a, const struct audit_event *b)
{
    return a->state == b->state && a->reason == b->reason && a->generation == b->generation &&
           a->url_tag == b->url_tag && a->secret_tag == b->secret_tag && a->until == b->until &&
           a->run_since == b->run_since && a->failures == b->failures &&
           memcmp(&a->types, &b->types, sizeof(a->types)) == 0;
}

static bool see_webhook(void *context, const struct store_webhook *row)
{
    struct world *world = context;
    struct observer *observer = world->observer;
    assert(row->key < AUDIT_WEBHOOKS);
    struct audit_event event = {
        .kind = AUDIT_SHOWN_WEBHOOK,
        .webhook = row->key,
        .state = row->status.state,
        .reason = row->status.reason,
        .generation = row->status.generation,
        .failures = row->status.consecutive_failures,
        .run_since = row->status.verify_since,
        .until = row->status.verify_until,
        .url_tag = tag_after(row->url, '/'),
        .secret_tag = secret_tag(row),
        .types = row->event_types,
    };
    observer->seen[row->key] = observer->round;
    struct audit_event *old = &observer->shown[row->key];
    if (row->key > observer->webhook_max) {
        observer->webhook_max = row->key;
        world->tally->webhooks++;
    } else if (same(old, &event)) {
        return true;
    }
    if (old->kind == AUDIT_SHOWN_WEBHOOK ? old->state != event.state : true)
        disaster_watch(world, event.state);
    *old = event;
    *add_row(observer) = event;
    return true;
}

static void see_deleted(struct world *world)
{
    struct observer *observer = world->observer;
    for (int64_t key = 1; key <= observer->webhook_max; key++) {
        struct audit_event *old = &observer->shown[key];
        if (observer->seen[key] == observer->round || old->state == WEBHOOK_DELETED)
            continue;
        old->state = WEBHOOK_DELETED;
        old->reason = REASON_webhook_deleted;
        old->until = MONO_NEVER;
        disaster_watch(world, WEBHOOK_DELETED);
        *add_row(observer) = *old;
    }
}

/* ---- events and deliveries ---- */

static bool see_event(void *context, const struct store_event *row)
{
    struct observer *observer = context;
    if (row->key <= observer->event_max)
        return false;
    struct audit_event *event = add_row(observer);
    event->kind = AUDIT_SHOWN_EVENT;
    event->event = row->key;
    event->salt = row->salt;
    event->type = (uint8_t)row->type;
    event->count = row->delivery_count;
    event->number = strtoll(row->payload.at + strlen("{\"n\":"), NULL, 10);
    return true;
}

static void fill(struct audit_event *event, enum audit_kind kind, const struct store_delivery *row)
{
    event->kind = kind;
    event->delivery = row->key;
    event->event = row->event;
    event->webhook = row->webhook;
    event->type = (uint8_t)row->type;
    event->state = row->state;
    event->reason = row->reason;
    event->open = row->due != MONO_NEVER;
    event->redelivery = row->redelivery;
    event->attempts = row->attempt_count;
}

static bool see_new_delivery(void *context, const struct store_delivery *row)
{
    struct observer *observer = context;
    if (row->key <= observer->delivery_max)
        return false;
    fill(add_row(observer), AUDIT_SHOWN_DELIVERY, row);
    observer->webhook_of =
        audit_room(observer->webhook_of, row->key, &observer->webhook_of_capacity, sizeof(int64_t));
    observer->webhook_of[row->key] = row->webhook;
    return true;
}

static bool see_open_delivery(void *context, const struct store_delivery *row)
{
    fill(add_row(context), AUDIT_OPEN_DELIVERY, row);
    return true;
}

static void show_open(struct world *world, int64_t webhook)
{
    static const int open_states[] = {DELIVERY_PENDING, DELIVERY_HELD};
    for (int i = 0; i < 2; i++) {
        struct store_delivery_filter filter = {
            .org = ORG, .webhook = webhook, .state = open_states[i], .limit = UINT32_MAX};
        store_delivery_list(world->observer->reader, &filter, see_open_delivery, world->observer);
    }
    tell_rows(world);
}

struct reopened {
    struct observer *observer;
    int64_t key;
    bool open;
};

static bool see_reopened(void *context, const struct store_delivery *row)
{
    struct reopened *reopened = context;
    if (row->key == reopened->key && row->redelivery && row->due != MONO_NEVER) {
        fill(add_row(reopened->observer), AUDIT_SHOWN_DELIVERY, row);
        reopened->open = true;
    }
    return false;
}

static void show_reopened(struct world *world)
{
    struct observer *observer = world->observer;
    int64_t kept = 0;
    for (int64_t i = 0; i < observer->redelivery_count; i++) {
        struct reopened reopened = {observer, observer->redeliveries[i], false};
        struct store_delivery_filter filter = {
            .org = ORG, .state = -1, .before = reopened.key + 1, .limit = 1};
        store_delivery_list(observer->reader, &filter, see_reopened, &reopened);
        if (!reopened.open)
            observer->redeliveries[kept++] = reopened.key;
    }
    observer->redelivery_count = kept;
    tell_rows(world);
}

static void show_accepted(struct world *world)
{
    struct observer *observer = world->observer;
    store_event_list(observer->reader, ORG, 0, -1, UINT32_MAX, see_event, observer);
    if (observer->row_count == 0)
        return;
    int64_t event_max = observer->rows[0].event;
    tell_rows(world);
    observer->event_max = event_max;
    struct store_delivery_filter filter = {.org = ORG, .state = -1, .limit = UINT32_MAX};
    store_delivery_list(observer->reader, &filter, see_new_delivery, observer);
    int64_t delivery_max =
        observer->row_count > 0 ? observer->rows[0].delivery : observer->delivery_max;
    tell_rows(world);
    observer->delivery_max = delivery_max;
}

static void show_webhooks(struct world *world)
{
    struct observer *observer = world->observer;
    observer->round++;
    store_webhook_list(observer->reader, ORG, see_webhook, world);
    see_deleted(world);
    int64_t changed[AUDIT_WEBHOOKS], count = 0;
    for (int64_t i = 0; i < observer->row_count; i++)
        if (observer->rows[i].state != WEBHOOK_ACTIVE)
            changed[count++] = observer->rows[i].webhook;
    tell_rows(world);
    show_accepted(world);
    while (count > 0)
        show_open(world, changed[--count]);
}

void observe_commits(struct world *world)
{
    struct observer *observer = world->observer;
    struct instant last;
    char boot[64];
    store_last_commit(world->store, &last, boot);
    uint64_t commits = atomic_load(&world->dispatch->counters.commits_total);
    if (observer->life != world->life) /* a new process counts from 0 */
        observer->commits = 0;
    observer->life = world->life;
    if (last.mono == observer->last.mono && last.wall == observer->last.wall &&
        commits == observer->commits)
        return;
    observer->last = last;
    observer->commits = commits;
    world->tally->commits++;
    struct audit_event committed = {.kind = AUDIT_COMMITTED};
    world_tell(world, &committed);
    show_webhooks(world);
    show_reopened(world);
    struct audit_event all = {.kind = AUDIT_SHOWN_ALL};
    world_tell(world, &all);
}

/* ---- everything ---- */

static bool sum_attempt(void *context, const struct store_attempt *row)
{
    struct audit_event *event = context;
    event->redelivered += row->redelivery;
    event->acknowledged += row->outcome == OUTCOME_acknowledged; /* the word, not its meaning */
    if (row->duration_ms > event->duration_ms)
        event->duration_ms = row->duration_ms;
    return true;
}

struct listing {
    struct world *world;
    bool last;
    uint32_t events;
};

static bool keep_delivery(void *context, const struct store_delivery *row)
{
    const struct listing *listing = context;
    struct world *world = listing->world;
    fill(add_row(world->observer), AUDIT_KEPT_DELIVERY, row);
    if (listing->last) {
        world->tally->deliveries++;
        world->tally->ends[row->state][row->reason]++;
    }
    return true;
}

static bool count_event(void *context, const struct store_event *row)
{
    (void)row;
    ((struct listing *)context)->events++;
    return true;
}

void observe_all(struct world *world, bool last)
{
    struct observer *observer = world->observer;
    struct listing listing = {world, last, 0};
    struct store_delivery_filter filter = {.org = ORG, .state = -1, .limit = UINT32_MAX};
    store_delivery_list(observer->reader, &filter, keep_delivery, &listing);
    for (int64_t i = 0; i < observer->row_count; i++)
        store_attempt_list(observer->reader, observer->rows[i].delivery, sum_attempt,
                           &observer->rows[i]);
    tell_rows(world);
    store_event_list(observer->reader, ORG, 0, -1, UINT32_MAX, count_event, &listing);
    struct audit_event all = {.kind = AUDIT_KEPT_ALL, .count = listing.events};
    world_tell(world, &all);
    if (last)
        world->tally->events += listing.events;
    observer->redelivery_count = 0;
}
