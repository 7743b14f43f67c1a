/* The rows of the memory back-end, shared by its writing half (store_memory.c) and its reading half
 * (store_memory_read.c). */
#ifndef REVHOOK_STORE_STORE_MEMORY_ROWS_H
#define REVHOOK_STORE_STORE_MEMORY_ROWS_H

#include "store/store_memory_table.h"
#include "store/store_ops.h"

#include <string.h>

/* Rows are one block each: the struct, then the bytes that it points to. */
struct memory_delivery {
    int64_t key, event, webhook;
    uint8_t state, reason; /* PENDING, or the end; the old end while a redelivery is open */
    uint8_t attempt_count;
    bool redelivery;
    mono_ms due;
    int64_t newest_attempt; /* in `attempts`, 0: none */
};

struct memory_attempt {
    struct store_attempt row;
    int64_t before; /* the one before it, 0: none */
};

struct memory_idempotency {
    struct store_bytes org, key;
    struct store_idempotency row;
};

/* What is found under a number. A payload is here only once its event is gone. A row that is
 * removed stays, empty, so that a number has one place for ever. */
struct memory_object {
    int64_t key; /* of this row */
    int64_t number;
    bool removed;
    int64_t stands_for; /* of a display id: the number of the object; 0: this is the object */
    int64_t alias;      /* the number of its display id, 0: none */
    int64_t event;      /* 0: `kept` has what was in it */
    struct store_object kept;
};

struct open_entry {
    mono_ms due;
    int64_t key;
};

struct open_list {
    struct open_entry *entries; /* ascending */
    size_t count, capacity;
};

struct memory_store {
    struct store base;
    struct memory_table webhooks, events, deliveries, attempts, objects, idempotency, orgs, tokens;
    void *object_places; /* a tree of places in `objects` by number, as the transaction sees it */
    struct open_list *open; /* of webhook k: open[k - 1], as the transaction sees it */
    size_t open_capacity;
    struct {
        uint8_t at[STORE_SEAL_BYTES_MAX];
        size_t bytes;
    } seal, next_seal; /* committed, and as the transaction has it */
    unsigned fail_after, fail_times;
    enum store_result fail_result;
};

static inline struct memory_store *memory(struct store *store)
{
    return (struct memory_store *)store;
}

/* Copies *bytes to *end, makes it point to the copy, and moves *end behind it. */
static inline void memory_keep(struct store_bytes *bytes, char **end)
{
    char *copy = *end;
    if (bytes->bytes > 0)
        memcpy(copy, bytes->at, bytes->bytes);
    bytes->at = copy;
    *end += bytes->bytes;
}

/* What the medium does to this call: STORE_OK, or what store_memory_fail asked for. */
enum store_result memory_medium(struct store *store);

/* Of the table of deliveries: keeps the lists of open ones right whatever happens to a row. */
void memory_delivery_moved(void *ctx, const void *from, const void *to);

/* Ops of store_memory_delivery.c. */
enum store_result memory_webhook_walk(struct store *store, int64_t after, unsigned limit,
                                      store_visit_webhook *visit, void *ctx);
enum store_result memory_webhook_reseal(struct store *store, int64_t webhook,
                                        struct store_bytes secret, struct store_bytes headers);
enum store_result memory_seal_put(struct store *store, struct store_bytes seal);
enum store_result memory_seal_get(struct store *store, uint8_t seal[STORE_SEAL_BYTES_MAX],
                                  size_t *bytes);
enum store_result memory_scrub(struct store *store);
/* A block with a copy of *row and all that it points to. */
struct store_webhook *memory_webhook_copy(const struct store_webhook *row);
enum store_result memory_settle(struct store *store, int64_t webhook, enum delivery_state state,
                                enum reason reason, const int64_t *except, size_t except_count,
                                uint64_t *settled);
enum store_result memory_accept(struct store *store, struct store_event *event,
                                const struct store_target *targets, uint32_t target_count);
enum store_result memory_record(struct store *store, const struct store_record *record);
enum store_result memory_reopen(struct store *store, int64_t delivery, mono_ms due);
enum store_result memory_pending_after(struct store *store, int64_t webhook, mono_ms due,
                                       int64_t key, unsigned limit, store_visit_pending *visit,
                                       void *ctx, bool *more);
enum store_result memory_purge(struct store *store, wall_us before_us, mono_ms now, unsigned limit,
                               unsigned *removed);

/* Of the table of objects: keeps the tree right whatever happens to a row. */
void memory_object_moved(void *ctx, const void *from, const void *to);
/* Frees the tree. */
void memory_object_free(struct memory_store *m);
/* Makes an event, which has its key, the last version of its object. */
void memory_object_put(struct memory_store *m, const struct store_event *event);
/* Keeps what is needed of an event that is about to be removed. */
void memory_object_keep(struct memory_store *m, const struct store_event *event);

/* Ops of store_memory_object.c. */
enum store_result memory_object_get(struct store *store, int64_t number, store_visit_object *visit,
                                    void *ctx);
enum store_result memory_object_remove(struct store *store, int64_t number);

/* Ops of store_memory_org.c, and the organisation that is there from the start. */
void memory_org_first(struct memory_store *m);
enum store_result memory_org_insert(struct store *store, struct store_org *row);
enum store_result memory_token_insert(struct store *store, struct store_token *row);
enum store_result memory_token_revoke(struct store *store, int64_t token, wall_us revoked_us);
enum store_result memory_org_revoke(struct store *store, struct store_bytes org, wall_us revoked_us,
                                    uint64_t *tokens);
enum store_result memory_token_forget(struct store *store, wall_us before_us);
enum store_result memory_org_count(struct store *store, uint64_t *orgs, uint64_t *tokens);
enum store_result memory_org_list(struct store_reader *reader, store_visit_org *visit, void *ctx);
enum store_result memory_token_list(struct store_reader *reader, store_visit_token *visit,
                                    void *ctx);

/* Ops of store_memory_read.c. */
enum store_result memory_recover(struct store *store, store_visit_recover *visit, void *ctx);
enum store_result memory_open_count(struct store *store, uint64_t *count);
enum store_result memory_webhook_get(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, store_visit_webhook *visit, void *ctx);
enum store_result memory_webhook_key(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, int64_t *key);
enum store_result memory_webhook_list(struct store_reader *reader, struct store_bytes org,
                                      store_visit_webhook *visit, void *ctx);
enum store_result memory_event_get(struct store_reader *reader, struct store_bytes org, int64_t key,
                                   uint64_t salt, store_visit_event *visit, void *ctx);
enum store_result memory_event_list(struct store_reader *reader, struct store_bytes org,
                                    int64_t before, int type, unsigned limit,
                                    store_visit_event *visit, void *ctx);
enum store_result memory_delivery_list(struct store_reader *reader,
                                       const struct store_delivery_filter *filter,
                                       store_visit_delivery *visit, void *ctx);
enum store_result memory_delivery_get(struct store_reader *reader, struct store_bytes org,
                                      int64_t key, uint64_t salt, store_visit_delivery *visit,
                                      void *ctx);
enum store_result memory_attempt_list(struct store_reader *reader, int64_t delivery,
                                      store_visit_attempt *visit, void *ctx);

#endif
