/* The reference back-end: the contract of store.h in plain C, for tests and the simulator.
 *
 * Owns: eight tables (store_memory_table.h) and, for each webhook, its open deliveries in the order
 * of (due, key).
 *
 * Happy path: a verb copies the row that it changes, changes the copy and puts it in place. Commit
 * and rollback are the tables'. Reading goes through the committed versions, newest to oldest, and
 * looks at every row on its way.
 *
 * Failure modes: only those that a test asks for (store_memory_fail), and a payload too large for
 * the memory there is.
 *
 * Refuses: to be quick with many rows, to be used by more than one thread, to outlive the process.
 */
#include "store/store_memory.h"

#include "store/store_memory_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum store_result memory_medium(struct store *store)
{
    struct memory_store *m = memory(store);
    if (m->fail_times == 0)
        return STORE_OK;
    if (m->fail_after > 0) {
        m->fail_after--;
        return STORE_OK;
    }
    m->fail_times--;
    store_set_error(store, m->fail_result == STORE_FULL
                               ? "no space left (asked for by a test)"
                               : "the medium failed (asked for by a test)");
    return m->fail_result;
}

/* ---- transactions ---- */

static enum store_result memory_begin(struct store *store)
{
    return memory_medium(store);
}

static enum store_result memory_commit(struct store *store, struct instant now, const char *boot)
{
    (void)now;
    (void)boot; /* the front keeps them */
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    m->seal = m->next_seal;
    memory_table_commit(&m->webhooks);
    memory_table_commit(&m->events);
    memory_table_commit(&m->deliveries);
    memory_table_commit(&m->attempts);
    memory_table_commit(&m->objects);
    memory_table_commit(&m->idempotency);
    memory_table_commit(&m->orgs);
    memory_table_commit(&m->tokens);
    return STORE_OK;
}

static void memory_rollback(struct store *store)
{
    struct memory_store *m = memory(store);
    m->next_seal = m->seal;
    memory_table_rollback(&m->webhooks);
    memory_table_rollback(&m->events);
    memory_table_rollback(&m->deliveries);
    memory_table_rollback(&m->attempts);
    memory_table_rollback(&m->objects);
    memory_table_rollback(&m->idempotency);
    memory_table_rollback(&m->orgs);
    memory_table_rollback(&m->tokens);
}

/* ---- webhooks ---- */

struct store_webhook *memory_webhook_copy(const struct store_webhook *row)
{
    size_t bytes = row->id.bytes + row->org.bytes + row->partition.bytes + row->url.bytes +
                   row->target.bytes + row->secret.bytes + row->headers.bytes +
                   row->signature.bytes + row->created_by.bytes + row->modified_by.bytes;
    struct store_webhook *copy = store_alloc(sizeof *copy + bytes);
    *copy = *row;
    char *end = (char *)(copy + 1);
    memory_keep(&copy->id, &end);
    memory_keep(&copy->org, &end);
    memory_keep(&copy->partition, &end);
    memory_keep(&copy->url, &end);
    memory_keep(&copy->target, &end);
    memory_keep(&copy->secret, &end);
    memory_keep(&copy->headers, &end);
    memory_keep(&copy->signature, &end);
    memory_keep(&copy->created_by, &end);
    memory_keep(&copy->modified_by, &end);
    return copy;
}

static enum store_result memory_webhook_insert(struct store *store, struct store_webhook *row)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    for (int64_t key = 1; key < memory_table_next(&m->webhooks); key++) {
        const struct store_webhook *other = memory_table_current(&m->webhooks, key);
        if (store_bytes_equal(other->id, row->id))
            return STORE_CONFLICT;
    }
    row->key = memory_table_next(&m->webhooks);
    memory_table_add(&m->webhooks, memory_webhook_copy(row));
    return STORE_OK;
}

static enum store_result memory_webhook_configure(struct store *store,
                                                  const struct store_webhook *row)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct store_webhook *old = memory_table_current(&m->webhooks, row->key);
    if (old == NULL)
        return STORE_NOT_FOUND;
    struct store_webhook new = *old;
    new.url = row->url;
    new.target = row->target;
    new.secret = row->secret;
    new.headers = row->headers;
    new.signature = row->signature;
    new.event_types = row->event_types;
    new.modified_us = row->modified_us;
    new.modified_by = row->modified_by;
    memory_table_replace(&m->webhooks, row->key, memory_webhook_copy(&new));
    return STORE_OK;
}

static enum store_result memory_webhook_status(struct store *store, int64_t webhook,
                                               const struct webhook_status *status)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct store_webhook *old = memory_table_current(&m->webhooks, webhook);
    if (old == NULL)
        return STORE_NOT_FOUND;
    struct store_webhook *new = memory_webhook_copy(old);
    new->status = *status;
    memory_table_replace(&m->webhooks, webhook, new);
    return STORE_OK;
}

static enum store_result memory_webhook_look(struct store *store, int64_t webhook,
                                             store_visit_webhook *visit, void *ctx)
{
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct store_webhook *row = memory_table_current(&memory(store)->webhooks, webhook);
    if (row == NULL)
        return STORE_NOT_FOUND;
    visit(ctx, row);
    return STORE_OK;
}

/* ---- idempotency ---- */

static int64_t idempotency_place(struct memory_store *m, struct store_bytes org,
                                 struct store_bytes key)
{
    for (int64_t place = 1; place < memory_table_next(&m->idempotency); place++) {
        const struct memory_idempotency *row = memory_table_current(&m->idempotency, place);
        if (row != NULL && store_bytes_equal(row->org, org) && store_bytes_equal(row->key, key))
            return place;
    }
    return 0;
}

static enum store_result memory_idempotency_find(struct store *store, struct store_bytes org,
                                                 struct store_bytes key, mono_ms now,
                                                 struct store_idempotency *found)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct memory_idempotency *row =
        memory_table_current(&m->idempotency, idempotency_place(m, org, key));
    if (row == NULL || row->row.expires <= now)
        return STORE_NOT_FOUND;
    *found = row->row;
    return STORE_OK;
}

static enum store_result memory_idempotency_insert(struct store *store, struct store_bytes org,
                                                   struct store_bytes key,
                                                   const struct store_idempotency *row)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    struct memory_idempotency *copy = store_alloc(sizeof *copy + org.bytes + key.bytes);
    *copy = (struct memory_idempotency){org, key, *row};
    char *end = (char *)(copy + 1);
    memory_keep(&copy->org, &end);
    memory_keep(&copy->key, &end);
    int64_t place = idempotency_place(m, org, key);
    if (place == 0)
        memory_table_add(&m->idempotency, copy);
    else
        memory_table_replace(&m->idempotency, place, copy);
    return STORE_OK;
}

/* ---- life ---- */

static void memory_close(struct store *store)
{
    struct memory_store *m = memory(store);
    memory_table_free(&m->webhooks);
    memory_table_free(&m->events);
    memory_table_free(&m->deliveries);
    memory_table_free(&m->attempts);
    memory_table_free(&m->objects);
    memory_object_free(m);
    memory_table_free(&m->idempotency);
    memory_table_free(&m->orgs);
    memory_table_free(&m->tokens);
    for (size_t i = 0; i < m->open_capacity; i++)
        free(m->open[i].entries);
    free(m->open);
    free(m);
}

static enum store_result memory_tend(struct store *store)
{
    (void)store; /* nothing grows that a commit does not free */
    return STORE_OK;
}

static struct store_reader *memory_reader_open(struct store *store, char *error, size_t error_bytes)
{
    (void)store;
    (void)error;
    (void)error_bytes;
    return store_alloc(sizeof(struct store_reader));
}

static void memory_reader_close(struct store_reader *reader)
{
    free(reader);
}

static const struct store_ops memory_ops = {
    .close = memory_close,
    .reader_open = memory_reader_open,
    .reader_close = memory_reader_close,
    .begin = memory_begin,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .webhook_insert = memory_webhook_insert,
    .webhook_configure = memory_webhook_configure,
    .webhook_status = memory_webhook_status,
    .webhook_look = memory_webhook_look,
    .webhook_walk = memory_webhook_walk,
    .webhook_reseal = memory_webhook_reseal,
    .seal_put = memory_seal_put,
    .seal_get = memory_seal_get,
    .scrub = memory_scrub,
    .settle = memory_settle,
    .accept = memory_accept,
    .object_get = memory_object_get,
    .object_remove = memory_object_remove,
    .idempotency_find = memory_idempotency_find,
    .idempotency_insert = memory_idempotency_insert,
    .org_insert = memory_org_insert,
    .token_insert = memory_token_insert,
    .token_revoke = memory_token_revoke,
    .org_revoke = memory_org_revoke,
    .token_forget = memory_token_forget,
    .org_count = memory_org_count,
    .record = memory_record,
    .reopen = memory_reopen,
    .pending_after = memory_pending_after,
    .purge = memory_purge,
    .recover = memory_recover,
    .open_count = memory_open_count,
    .tend = memory_tend,
    .webhook_get = memory_webhook_get,
    .webhook_key = memory_webhook_key,
    .webhook_list = memory_webhook_list,
    .event_get = memory_event_get,
    .event_list = memory_event_list,
    .delivery_list = memory_delivery_list,
    .delivery_get = memory_delivery_get,
    .attempt_list = memory_attempt_list,
    .org_list = memory_org_list,
    .token_list = memory_token_list,
};

enum store_result store_open_memory(struct store **store)
{
    struct memory_store *m = store_alloc(sizeof *m);
    m->base.ops = &memory_ops;
    m->deliveries.moved = memory_delivery_moved;
    m->deliveries.ctx = m;
    m->objects.moved = memory_object_moved;
    m->objects.ctx = m;
    memory_org_first(m);
    *store = &m->base;
    return STORE_OK;
}

void store_memory_crash(struct store *store)
{
    assert(store->ops == &memory_ops);
    store_rollback(store);
}

void store_memory_fail(struct store *store, unsigned calls, unsigned times,
                       enum store_result result)
{
    assert(store->ops == &memory_ops && (result == STORE_FULL || result == STORE_FAILED));
    struct memory_store *m = memory(store);
    m->fail_after = calls;
    m->fail_times = times;
    m->fail_result = result;
}
