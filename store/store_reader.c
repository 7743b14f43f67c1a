/* The reading part of the store's front.
 *
 * Owns: the count of open readers, the rule that a visitor calls nothing of its own reader, the
 * texts of a reader's errors, and what "from the newest" means.
 *
 * Happy path: check the arguments, call the back-end's op, which visits rows. Failure modes: a
 * reader that cannot be opened is NULL; a fault of the medium is STORE_FAILED with its text, and
 * the reader goes on to be usable.
 *
 * Refuses: to write, and to know who asks: an `org` that is not the row's is told that there is no
 * such row. */
#include "store/store_ops.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void store_reader_set_error(struct store_reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->error, sizeof reader->error, format, arguments);
    va_end(arguments);
}

const char *store_reader_error(const struct store_reader *reader)
{
    return reader->error;
}

struct store_reader *store_reader_open(struct store *store, char *error, size_t error_bytes)
{
    struct store_reader *reader = store->ops->reader_open(store, error, error_bytes);
    if (reader == NULL)
        return NULL;
    reader->ops = store->ops;
    reader->store = store;
    __atomic_add_fetch(&store->readers, 1, __ATOMIC_ACQ_REL);
    return reader;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader == NULL)
        return;
    assert(!reader->visiting);
    struct store *store = reader->store;
    reader->ops->reader_close(reader);
    __atomic_sub_fetch(&store->readers, 1, __ATOMIC_ACQ_REL);
}

void store_reader_enter(struct store_reader *reader)
{
    assert(!reader->visiting);
    reader->visiting = true;
}

enum store_result store_reader_leave(struct store_reader *reader, enum store_result result)
{
    assert(result == STORE_OK || result == STORE_NOT_FOUND || result == STORE_FAILED);
    reader->visiting = false;
    return result;
}

enum store_result store_webhook_get(struct store_reader *reader, struct store_bytes org,
                                    struct store_bytes id,
                                    bool (*visit)(void *ctx, const struct store_webhook *row),
                                    void *ctx)
{
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->webhook_get(reader, org, id, visit, ctx));
}

enum store_result store_webhook_key(struct store_reader *reader, struct store_bytes org,
                                    struct store_bytes id, int64_t *key)
{
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->webhook_key(reader, org, id, key));
}

enum store_result store_webhook_list(struct store_reader *reader, struct store_bytes org,
                                     bool (*visit)(void *ctx, const struct store_webhook *row),
                                     void *ctx)
{
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->webhook_list(reader, org, visit, ctx));
}

enum store_result store_event_get(struct store_reader *reader, struct store_bytes org, int64_t key,
                                  uint64_t salt,
                                  bool (*visit)(void *ctx, const struct store_event *row),
                                  void *ctx)
{
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->event_get(reader, org, key, salt, visit, ctx));
}

enum store_result store_event_list(struct store_reader *reader, struct store_bytes org,
                                   int64_t before, int type, unsigned limit,
                                   bool (*visit)(void *ctx, const struct store_event *row),
                                   void *ctx)
{
    assert(before >= 0 && type >= -1 && type < EVENT_TYPE_COUNT);
    store_reader_enter(reader);
    return store_reader_leave(reader,
                              reader->ops->event_list(reader, org, before == 0 ? INT64_MAX : before,
                                                      type, limit, visit, ctx));
}

enum store_result store_delivery_list(struct store_reader *reader,
                                      const struct store_delivery_filter *filter,
                                      bool (*visit)(void *ctx, const struct store_delivery *row),
                                      void *ctx)
{
    assert(filter->state >= -1 && filter->state < DELIVERY_STATE_COUNT &&
           filter->state != DELIVERY_IN_FLIGHT);
    assert(filter->before >= 0);
    struct store_delivery_filter bounded = *filter;
    if (bounded.before == 0)
        bounded.before = INT64_MAX;
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->delivery_list(reader, &bounded, visit, ctx));
}

enum store_result store_delivery_get(struct store_reader *reader, struct store_bytes org,
                                     int64_t key, uint64_t salt,
                                     bool (*visit)(void *ctx, const struct store_delivery *row),
                                     void *ctx)
{
    store_reader_enter(reader);
    return store_reader_leave(reader,
                              reader->ops->delivery_get(reader, org, key, salt, visit, ctx));
}

enum store_result store_attempt_list(struct store_reader *reader, int64_t delivery,
                                     bool (*visit)(void *ctx, const struct store_attempt *row),
                                     void *ctx)
{
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->attempt_list(reader, delivery, visit, ctx));
}
