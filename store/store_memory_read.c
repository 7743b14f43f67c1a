/* The reading half of the memory back-end.
 *
 * Owns: nothing; it looks at the tables of store_memory.c. For readers it looks at committed
 * versions only, so that a transaction under way does not show.
 *
 * Happy path: walk the table from the newest row to the oldest, visit what matches. Failure modes:
 * none.
 *
 * Refuses: to change a row, and to be quick: the order of the answer is right because every row is
 * looked at. */
#include "store/store_memory_rows.h"

#include <assert.h>

static const struct memory_store *behind(const struct store_reader *reader)
{
    return (const struct memory_store *)reader->store;
}

/* ---- for the writing thread ---- */

enum store_result memory_recover(struct store *store, store_visit_recover *visit, void *ctx)
{
    const struct memory_store *m = memory(store);
    for (int64_t key = 1; key < memory_table_next(&m->webhooks); key++) {
        bool open = (uint64_t)key <= m->open_capacity && m->open[key - 1].count > 0;
        if (!visit(ctx, memory_table_current(&m->webhooks, key), open))
            break;
    }
    return STORE_OK;
}

enum store_result memory_open_count(struct store *store, uint64_t *count)
{
    const struct memory_store *m = memory(store);
    for (size_t i = 0; i < m->open_capacity; i++)
        *count += m->open[i].count;
    return STORE_OK;
}

/* ---- webhooks ---- */

static const struct store_webhook *find_webhook(const struct memory_store *m,
                                                struct store_bytes org, struct store_bytes id)
{
    const struct store_webhook *row;
    for (int64_t key = 1; (row = memory_table_committed(&m->webhooks, key)) != NULL; key++)
        if (store_bytes_equal(row->org, org) && store_bytes_equal(row->id, id))
            return row;
    return NULL;
}

enum store_result memory_webhook_get(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, store_visit_webhook *visit, void *ctx)
{
    const struct store_webhook *row = find_webhook(behind(reader), org, id);
    if (row == NULL || row->status.state == WEBHOOK_DELETED)
        return STORE_NOT_FOUND;
    visit(ctx, row);
    return STORE_OK;
}

enum store_result memory_webhook_key(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, int64_t *key)
{
    const struct store_webhook *row = find_webhook(behind(reader), org, id);
    if (row == NULL)
        return STORE_NOT_FOUND;
    *key = row->key;
    return STORE_OK;
}

enum store_result memory_webhook_list(struct store_reader *reader, struct store_bytes org,
                                      store_visit_webhook *visit, void *ctx)
{
    const struct memory_store *m = behind(reader);
    const struct store_webhook *row;
    for (int64_t key = 1; (row = memory_table_committed(&m->webhooks, key)) != NULL; key++) {
        if (!store_bytes_equal(row->org, org) || row->status.state == WEBHOOK_DELETED)
            continue;
        if (!visit(ctx, row))
            break;
    }
    return STORE_OK;
}

/* ---- events ---- */

enum store_result memory_event_get(struct store_reader *reader, struct store_bytes org, int64_t key,
                                   uint64_t salt, store_visit_event *visit, void *ctx)
{
    const struct store_event *row = memory_table_committed(&behind(reader)->events, key);
    if (row == NULL || row->salt != salt || !store_bytes_equal(row->org, org))
        return STORE_NOT_FOUND;
    visit(ctx, row);
    return STORE_OK;
}

/* The newest key of a table that is below `before`; 0 if there is none. */
static int64_t newest(const struct memory_table *table, int64_t before)
{
    int64_t last = (int64_t)table->count_committed;
    return before <= last ? before - 1 : last;
}

enum store_result memory_event_list(struct store_reader *reader, struct store_bytes org,
                                    int64_t before, int type, unsigned limit,
                                    store_visit_event *visit, void *ctx)
{
    const struct memory_table *events = &behind(reader)->events;
    for (int64_t key = newest(events, before); key > 0 && limit > 0; key--) {
        const struct store_event *row = memory_table_committed(events, key);
        if (row == NULL || !store_bytes_equal(row->org, org) ||
            (type >= 0 && row->type != (enum event_type)type))
            continue;
        if (!visit(ctx, row))
            break;
        limit--;
    }
    return STORE_OK;
}

/* ---- deliveries ---- */

/* What `row` looks like from outside. */
static struct store_delivery shown(const struct memory_store *m, const struct memory_delivery *row)
{
    const struct store_event *event = memory_table_committed(&m->events, row->event);
    const struct store_webhook *webhook = memory_table_committed(&m->webhooks, row->webhook);
    return (struct store_delivery){.key = row->key,
                                   .event = row->event,
                                   .webhook = row->webhook,
                                   .salt = event->salt,
                                   .type = event->type,
                                   .webhook_id = webhook->id,
                                   .webhook_state = webhook->status.state,
                                   .state = row->state,
                                   .reason = row->reason,
                                   .attempt_count = row->attempt_count,
                                   .redelivery = row->redelivery,
                                   .due = row->due,
                                   .created_us = event->created_us};
}

static bool in_org(const struct memory_store *m, int64_t event, struct store_bytes org)
{
    return store_bytes_equal(
        ((const struct store_event *)memory_table_committed(&m->events, event))->org, org);
}

static bool matches(const struct store_delivery_filter *filter, const struct store_delivery *row)
{
    if (filter->webhook != 0 && filter->webhook != row->webhook)
        return false;
    if (filter->event != 0 && filter->event != row->event)
        return false;
    if (filter->state < 0)
        return true;
    if (row->due == MONO_NEVER)
        return filter->state == row->state;
    bool held = row->webhook_state == WEBHOOK_UNVERIFIED;
    return filter->state == (held ? DELIVERY_HELD : DELIVERY_PENDING);
}

enum store_result memory_delivery_list(struct store_reader *reader,
                                       const struct store_delivery_filter *filter,
                                       store_visit_delivery *visit, void *ctx)
{
    const struct memory_store *m = behind(reader);
    unsigned limit = filter->limit;
    for (int64_t key = newest(&m->deliveries, filter->before); key > 0 && limit > 0; key--) {
        const struct memory_delivery *row = memory_table_committed(&m->deliveries, key);
        if (row == NULL || !in_org(m, row->event, filter->org))
            continue;
        struct store_delivery out = shown(m, row);
        if (!matches(filter, &out))
            continue;
        if (!visit(ctx, &out))
            break;
        limit--;
    }
    return STORE_OK;
}

enum store_result memory_delivery_get(struct store_reader *reader, struct store_bytes org,
                                      int64_t key, uint64_t salt, store_visit_delivery *visit,
                                      void *ctx)
{
    const struct memory_store *m = behind(reader);
    const struct memory_delivery *row = memory_table_committed(&m->deliveries, key);
    if (row == NULL || !in_org(m, row->event, org))
        return STORE_NOT_FOUND;
    struct store_delivery out = shown(m, row);
    if (out.salt != salt)
        return STORE_NOT_FOUND;
    visit(ctx, &out);
    return STORE_OK;
}

enum store_result memory_attempt_list(struct store_reader *reader, int64_t delivery,
                                      store_visit_attempt *visit, void *ctx)
{
    const struct memory_store *m = behind(reader);
    const struct memory_delivery *row = memory_table_committed(&m->deliveries, delivery);
    if (row == NULL)
        return STORE_OK;
    const struct store_attempt *attempts[STORE_ATTEMPTS_MAX]; /* they are linked from the newest */
    unsigned count = row->attempt_count;
    int64_t place = row->newest_attempt;
    for (unsigned i = count; i > 0; i--) {
        const struct memory_attempt *attempt = memory_table_committed(&m->attempts, place);
        attempts[i - 1] = &attempt->row;
        place = attempt->before;
    }
    assert(place == 0);
    for (unsigned i = 0; i < count; i++)
        if (!visit(ctx, attempts[i]))
            break;
    return STORE_OK;
}
