/* The front of the store: what every back-end has in common (for readers see store_reader.c).
 *
 * Owns: the order of calls (begin, verbs, commit or rollback; readers closed before the store), the
 * result that a broken transaction keeps giving, the newest commit's clock, the texts of errors.
 *
 * Happy path: check the order, check what the caller may get wrong, call the back-end's op.
 *
 * Failure modes: an op that fails for want of space or for a fault of the medium breaks its
 * transaction; from then on each verb gives the same result without reaching the back-end, until
 * store_rollback. A commit that fails is such an op too. Calls out of order are faults of the
 * program: they stop it.
 *
 * Refuses: policy, SQL, and to remember rows. The one thing that it decides is what becomes of
 * deliveries that were in flight when their webhook was deleted and the service stopped before they
 * ended: nobody else will ever ask for them, so they are ended at the next start, as the contract
 * says of every queued delivery of a deleted webhook. */
#include "store/store_ops.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *store_alloc(size_t bytes)
{
    void *block = calloc(1, bytes);
    if (block == NULL) {
        fprintf(stderr, "store: out of memory (%zu bytes)\n", bytes);
        abort();
    }
    return block;
}

bool store_bytes_equal(struct store_bytes a, struct store_bytes b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.at, b.at, a.bytes) == 0);
}

void store_set_error(struct store *store, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(store->error, sizeof store->error, format, arguments);
    va_end(arguments);
}

const char *store_error(const struct store *store)
{
    return store->error;
}

/* ---- life ---- */

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    assert(!store->visiting);
    assert(__atomic_load_n(&store->readers, __ATOMIC_ACQUIRE) == 0);
    if (store->writing)
        store_rollback(store);
    store->ops->close(store);
}

enum store_result store_last_commit(struct store *store, struct instant *last, char boot[64])
{
    *last = store->last;
    memcpy(boot, store->boot, sizeof store->boot);
    return STORE_OK;
}

/* ---- writing ---- */

enum store_result store_begin(struct store *store)
{
    assert(!store->writing && !store->visiting);
    enum store_result result = store->ops->begin(store);
    if (result != STORE_OK)
        return result;
    store->writing = true;
    store->broken = STORE_OK;
    return STORE_OK;
}

/* Whether a writing verb may go on; otherwise it returns store->broken. */
bool store_sound(const struct store *store)
{
    assert(store->writing && !store->visiting);
    return store->broken == STORE_OK;
}

/* Breaks the transaction if a verb has failed. */
enum store_result store_done(struct store *store, enum store_result result)
{
    assert(result != STORE_LOCKED && result != STORE_NEWER && result != STORE_CORRUPT);
    if (result == STORE_FULL || result == STORE_FAILED)
        store->broken = result;
    return result;
}

enum store_result store_commit(struct store *store, struct instant now, const char *boot)
{
    assert(strlen(boot) < sizeof store->boot);
    if (!store_sound(store))
        return store->broken;
    enum store_result result = store_done(store, store->ops->commit(store, now, boot));
    if (result != STORE_OK)
        return result;
    store->writing = false;
    store->last = now;
    memset(store->boot, 0, sizeof store->boot);
    memcpy(store->boot, boot, strnlen(boot, sizeof store->boot - 1));
    return STORE_OK;
}

void store_rollback(struct store *store)
{
    assert(!store->visiting);
    if (!store->writing)
        return;
    store->ops->rollback(store);
    store->writing = false;
    store->broken = STORE_OK;
}

enum store_result store_webhook_insert(struct store *store, struct store_webhook *row)
{
    assert(row->id.bytes > 0 && row->id.bytes <= STORE_WEBHOOK_ID_BYTES_MAX && row->org.bytes > 0);
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->webhook_insert(store, row));
}

enum store_result store_webhook_configure(struct store *store, const struct store_webhook *row)
{
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->webhook_configure(store, row));
}

enum store_result store_webhook_status(struct store *store, int64_t webhook,
                                       const struct webhook_status *status)
{
    assert(status->state < WEBHOOK_STATE_COUNT && status->reason < REASON_COUNT);
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->webhook_status(store, webhook, status));
}

enum store_result store_webhook_look(struct store *store, int64_t webhook,
                                     bool (*visit)(void *ctx, const struct store_webhook *row),
                                     void *ctx)
{
    if (!store_sound(store))
        return store->broken;
    store->visiting = true;
    enum store_result result = store->ops->webhook_look(store, webhook, visit, ctx);
    store->visiting = false;
    return store_done(store, result);
}

static bool terminal(unsigned state)
{
    return state == DELIVERY_DELIVERED || state == DELIVERY_FAILED || state == DELIVERY_DROPPED;
}

enum store_result store_settle(struct store *store, int64_t webhook, enum delivery_state state,
                               enum reason reason, const int64_t *except, size_t except_count,
                               uint64_t *settled)
{
    assert(terminal(state) && (size_t)reason < REASON_COUNT);
    uint64_t count = 0;
    if (!store_sound(store))
        return store->broken;
    enum store_result result = store_done(
        store, store->ops->settle(store, webhook, state, reason, except, except_count, &count));
    if (settled != NULL)
        *settled = result == STORE_OK ? count : 0;
    return result;
}

enum store_result store_accept(struct store *store, struct store_event *event,
                               const struct store_target *targets, uint32_t target_count)
{
    assert(event->type < EVENT_TYPE_COUNT && event->org.bytes > 0);
    assert(event->salt <= INT64_MAX);
    assert(event->object_alias == 0 || event->object != 0);
    assert(event->object == 0 || event->object_alias != event->object);
    for (uint32_t i = 0; i < target_count; i++) {
        bool open = targets[i].due != MONO_NEVER;
        assert(open ? targets[i].state == DELIVERY_PENDING : terminal(targets[i].state));
        assert(targets[i].reason < REASON_COUNT);
    }
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->accept(store, event, targets, target_count));
}

enum store_result store_object_get(struct store *store, int64_t number,
                                   bool (*visit)(void *ctx, const struct store_object *row),
                                   void *ctx)
{
    if (!store_sound(store))
        return store->broken;
    store->visiting = true;
    enum store_result result = store->ops->object_get(store, number, visit, ctx);
    store->visiting = false;
    return store_done(store, result);
}

enum store_result store_object_remove(struct store *store, int64_t number)
{
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->object_remove(store, number));
}

enum store_result store_idempotency_find(struct store *store, struct store_bytes org,
                                         struct store_bytes key, mono_ms now,
                                         struct store_idempotency *found)
{
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->idempotency_find(store, org, key, now, found));
}

enum store_result store_idempotency_insert(struct store *store, struct store_bytes org,
                                           struct store_bytes key,
                                           const struct store_idempotency *row)
{
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->idempotency_insert(store, org, key, row));
}

enum store_result store_record(struct store *store, const struct store_record *record)
{
    bool open = record->due != MONO_NEVER;
    assert(open ? record->state == DELIVERY_PENDING : terminal(record->state));
    assert(record->reason < REASON_COUNT && record->attempt.outcome < OUTCOME_COUNT);
    assert(record->attempt.answer.bytes <= STORE_ANSWER_BYTES_MAX);
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->record(store, record));
}

enum store_result store_reopen(struct store *store, int64_t delivery, mono_ms due)
{
    assert(due != MONO_NEVER);
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->reopen(store, delivery, due));
}

enum store_result store_purge(struct store *store, wall_us before_us, mono_ms now, unsigned limit,
                              unsigned *removed)
{
    *removed = 0;
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->purge(store, before_us, now, limit, removed));
}

enum store_result store_pending_after(struct store *store, int64_t webhook, mono_ms due,
                                      int64_t key, unsigned limit,
                                      bool (*visit)(void *ctx, const struct store_pending *row),
                                      void *ctx, bool *more)
{
    assert(!store->visiting);
    *more = false;
    if (store->writing && store->broken != STORE_OK)
        return store->broken;
    store->visiting = true;
    enum store_result result =
        store->ops->pending_after(store, webhook, due, key, limit, visit, ctx, more);
    store->visiting = false;
    return store->writing ? store_done(store, result) : result;
}

/* ---- at start, and house-keeping ---- */

struct recovery {
    bool (*visit)(void *ctx, const struct store_webhook *row, bool has_open);
    void *ctx;
    int64_t *orphaned; /* deleted webhooks with open deliveries */
    size_t count, capacity;
};

static bool find_orphaned(void *ctx, const struct store_webhook *row, bool has_open)
{
    struct recovery *recovery = ctx;
    if (row->status.state != WEBHOOK_DELETED || !has_open)
        return true;
    if (recovery->count == recovery->capacity) {
        size_t capacity = recovery->capacity * 2 + 16;
        int64_t *grown = store_alloc(capacity * sizeof *grown);
        if (recovery->count > 0)
            memcpy(grown, recovery->orphaned, recovery->count * sizeof *grown);
        free(recovery->orphaned);
        recovery->orphaned = grown;
        recovery->capacity = capacity;
    }
    recovery->orphaned[recovery->count++] = row->key;
    return true;
}

static bool hide_deleted(void *ctx, const struct store_webhook *row, bool has_open)
{
    struct recovery *recovery = ctx;
    return row->status.state == WEBHOOK_DELETED || recovery->visit(recovery->ctx, row, has_open);
}

static void settle_orphaned(struct store *store, const struct recovery *recovery)
{
    char boot[64];
    memcpy(boot, store->boot, sizeof boot);
    enum store_result result = store_begin(store);
    for (size_t i = 0; i < recovery->count && result == STORE_OK; i++)
        result = store_settle(store, recovery->orphaned[i], DELIVERY_DROPPED,
                              REASON_webhook_deleted, NULL, 0, NULL);
    if (result == STORE_OK)
        result = store_commit(store, store->last, boot);
    if (result != STORE_OK)
        store_rollback(store);
}

enum store_result
store_recover(struct store *store,
              bool (*visit)(void *ctx, const struct store_webhook *row, bool has_open), void *ctx)
{
    assert(!store->writing && !store->visiting);
    struct recovery recovery = {.visit = visit, .ctx = ctx};
    store->visiting = true;
    enum store_result result = store->ops->recover(store, find_orphaned, &recovery);
    store->visiting = false;
    if (result == STORE_OK && recovery.count > 0)
        settle_orphaned(store, &recovery);
    free(recovery.orphaned);
    if (result != STORE_OK)
        return result;
    store->visiting = true;
    result = store->ops->recover(store, hide_deleted, &recovery);
    store->visiting = false;
    return result;
}

enum store_result store_open_count(struct store *store, uint64_t *count)
{
    assert(!store->writing && !store->visiting);
    *count = 0;
    return store->ops->open_count(store, count);
}

enum store_result store_tend(struct store *store)
{
    assert(!store->writing && !store->visiting);
    return store->ops->tend(store);
}
