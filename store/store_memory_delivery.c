/* The writing half of the memory back-end for events and deliveries.
 *
 * Owns: the order of open deliveries of each webhook. A list is derived from the rows:
 * memory_delivery_moved keeps it right whichever way a row changes, a rollback included.
 *
 * Happy path: copy the row, change the copy, put it in place. Failure modes: what memory_medium
 * says, rows that are not there or not in the state that the verb needs, and a payload too large
 * for the memory there is.
 *
 * Refuses: to decide when something is due. */
#include "store/store_memory_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- open deliveries ---- */

static size_t open_place(const struct open_list *list, mono_ms due, int64_t key)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct open_entry *entry = &list->entries[middle];
        if (entry->due < due || (entry->due == due && entry->key < key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void open_remove(struct open_list *list, const struct memory_delivery *row)
{
    size_t place = open_place(list, row->due, row->key);
    assert(place < list->count && list->entries[place].key == row->key);
    list->count--;
    memmove(&list->entries[place], &list->entries[place + 1],
            (list->count - place) * sizeof *list->entries);
}

static void open_add(struct open_list *list, const struct memory_delivery *row)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 16;
        struct open_entry *grown = store_alloc(capacity * sizeof *grown);
        if (list->count > 0)
            memcpy(grown, list->entries, list->count * sizeof *grown);
        free(list->entries);
        list->entries = grown;
        list->capacity = capacity;
    }
    size_t place = open_place(list, row->due, row->key);
    memmove(&list->entries[place + 1], &list->entries[place],
            (list->count - place) * sizeof *list->entries);
    list->entries[place] = (struct open_entry){row->due, row->key};
    list->count++;
}

/* The list of a webhook, made if there is none yet. */
static struct open_list *open_of(struct memory_store *m, int64_t webhook)
{
    assert(webhook >= 1);
    if ((uint64_t)webhook > m->open_capacity) {
        size_t capacity = (size_t)webhook * 2 + 16;
        struct open_list *grown = store_alloc(capacity * sizeof *grown);
        if (m->open_capacity > 0)
            memcpy(grown, m->open, m->open_capacity * sizeof *grown);
        free(m->open);
        m->open = grown;
        m->open_capacity = capacity;
    }
    return &m->open[webhook - 1];
}

/* Keeps the lists right whatever happens to a delivery's row. */
void memory_delivery_moved(void *ctx, const void *from, const void *to)
{
    const struct memory_delivery *old = from, *new = to;
    if (old != NULL && old->due != MONO_NEVER)
        open_remove(open_of(ctx, old->webhook), old);
    if (new != NULL &&new->due != MONO_NEVER)
        open_add(open_of(ctx, new->webhook), new);
}

/* ---- deliveries ---- */

static struct memory_delivery *delivery_copy(const struct memory_delivery *row)
{
    struct memory_delivery *copy = store_alloc(sizeof *copy);
    *copy = *row;
    return copy;
}

static bool among(const int64_t *keys, size_t count, int64_t key)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

enum store_result memory_settle(struct store *store, int64_t webhook, enum delivery_state state,
                                enum reason reason, const int64_t *except, size_t except_count,
                                uint64_t *settled)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    struct open_list *list = open_of(m, webhook);
    size_t kept = 0;
    while (kept < list->count) {
        int64_t key = list->entries[kept].key;
        if (among(except, except_count, key)) {
            kept++;
            continue;
        }
        struct memory_delivery *row = delivery_copy(memory_table_current(&m->deliveries, key));
        row->due = MONO_NEVER;
        if (!row->redelivery) {
            row->state = state;
            row->reason = reason;
        }
        row->redelivery = false;
        memory_table_replace(&m->deliveries, key, row); /* takes it from the list */
        (*settled)++;
    }
    return STORE_OK;
}

enum store_result memory_accept(struct store *store, struct store_event *event,
                                const struct store_target *targets, uint32_t target_count)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    struct store_event *copy = malloc(sizeof *copy + event->org.bytes + event->payload.bytes);
    if (copy == NULL) { /* a client chose the size, so it is no reason to stop */
        store_set_error(store, "no memory for a payload of %zu bytes", event->payload.bytes);
        return STORE_FAILED;
    }
    event->key = memory_table_next(&m->events);
    event->first_delivery = memory_table_next(&m->deliveries);
    event->delivery_count = target_count;
    *copy = *event;
    char *end = (char *)(copy + 1);
    memory_keep(&copy->org, &end);
    memory_keep(&copy->payload, &end);
    memory_table_add(&m->events, copy);
    if (event->object != 0)
        memory_object_put(m, event);
    for (uint32_t i = 0; i < target_count; i++) {
        struct memory_delivery row = {.key = event->first_delivery + i,
                                      .event = event->key,
                                      .webhook = targets[i].webhook,
                                      .state = targets[i].state,
                                      .reason = targets[i].reason,
                                      .due = targets[i].due};
        memory_table_add(&m->deliveries, delivery_copy(&row));
    }
    return STORE_OK;
}

enum store_result memory_record(struct store *store, const struct store_record *record)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct memory_delivery *old = memory_table_current(&m->deliveries, record->delivery);
    if (old == NULL)
        return STORE_NOT_FOUND;
    if (old->due == MONO_NEVER)
        return STORE_CONFLICT;
    struct memory_delivery *row = delivery_copy(old);
    if (row->attempt_count < STORE_ATTEMPTS_MAX) {
        struct memory_attempt *attempt =
            store_alloc(sizeof *attempt + record->attempt.answer.bytes);
        attempt->row = record->attempt;
        attempt->row.n = ++row->attempt_count;
        attempt->before = row->newest_attempt;
        char *end = (char *)(attempt + 1);
        memory_keep(&attempt->row.answer, &end);
        row->newest_attempt = memory_table_next(&m->attempts);
        memory_table_add(&m->attempts, attempt);
    }
    row->due = record->due;
    if (!row->redelivery || record->state == DELIVERY_DELIVERED) {
        row->state = record->state;
        row->reason = record->reason;
    }
    row->redelivery = row->redelivery && row->due != MONO_NEVER;
    memory_table_replace(&m->deliveries, record->delivery, row);
    return STORE_OK;
}

enum store_result memory_reopen(struct store *store, int64_t delivery, mono_ms due)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct memory_delivery *old = memory_table_current(&m->deliveries, delivery);
    if (old == NULL)
        return STORE_NOT_FOUND;
    if (old->due != MONO_NEVER || old->attempt_count == STORE_ATTEMPTS_MAX)
        return STORE_CONFLICT;
    struct memory_delivery *row = delivery_copy(old);
    row->redelivery = true;
    row->due = due;
    memory_table_replace(&m->deliveries, delivery, row);
    return STORE_OK;
}

enum store_result memory_pending_after(struct store *store, int64_t webhook, mono_ms due,
                                       int64_t key, unsigned limit, store_visit_pending *visit,
                                       void *ctx, bool *more)
{
    struct memory_store *m = memory(store);
    static const struct open_list none;
    bool known = webhook >= 1 && (uint64_t)webhook <= m->open_capacity;
    const struct open_list *list = known ? &m->open[webhook - 1] : &none;
    size_t place = key == INT64_MAX ? open_place(list, due, key) : open_place(list, due, key + 1);
    bool go_on = true;
    for (; place < list->count && limit > 0 && go_on; place++, limit--) {
        const struct memory_delivery *row =
            memory_table_current(&m->deliveries, list->entries[place].key);
        const struct store_event *event = memory_table_current(&m->events, row->event);
        struct store_pending pending = {.key = row->key,
                                        .event = row->event,
                                        .webhook = webhook,
                                        .due = row->due,
                                        .attempt_count = row->attempt_count,
                                        .redelivery = row->redelivery,
                                        .salt = event->salt,
                                        .type = event->type,
                                        .payload = event->payload};
        go_on = visit(ctx, &pending);
    }
    *more = place < list->count;
    return STORE_OK;
}

/* ---- purge ---- */

static bool has_open(struct memory_store *m, const struct store_event *event)
{
    for (uint32_t i = 0; i < event->delivery_count; i++) {
        const struct memory_delivery *row =
            memory_table_current(&m->deliveries, event->first_delivery + i);
        if (row->due != MONO_NEVER)
            return true;
    }
    return false;
}

static void remove_event(struct memory_store *m, const struct store_event *event)
{
    for (uint32_t i = 0; i < event->delivery_count; i++) {
        int64_t key = event->first_delivery + i;
        const struct memory_delivery *row = memory_table_current(&m->deliveries, key);
        for (int64_t attempt = row->newest_attempt, before; attempt != 0; attempt = before) {
            const struct memory_attempt *gone = memory_table_current(&m->attempts, attempt);
            before = gone->before;
            memory_table_replace(&m->attempts, attempt, NULL);
        }
        memory_table_replace(&m->deliveries, key, NULL);
    }
    if (event->object != 0)
        memory_object_keep(m, event);
    memory_table_replace(&m->events, event->key, NULL);
}

enum store_result memory_purge(struct store *store, wall_us before_us, mono_ms now, unsigned limit,
                               unsigned *removed)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    unsigned events = 0, keys = 0;
    for (int64_t key = 1; key < memory_table_next(&m->events) && events < limit; key++) {
        const struct store_event *event = memory_table_current(&m->events, key);
        if (event == NULL || event->created_us >= before_us || has_open(m, event))
            continue;
        remove_event(m, event);
        events++;
    }
    for (int64_t place = 1; place < memory_table_next(&m->idempotency) && keys < limit; place++) {
        const struct memory_idempotency *row = memory_table_current(&m->idempotency, place);
        if (row == NULL || row->row.expires > now)
            continue;
        memory_table_replace(&m->idempotency, place, NULL);
        keys++;
    }
    *removed = events > keys ? events : keys;
    return STORE_OK;
}
