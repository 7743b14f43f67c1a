/* What a back-end gives to the front (store.c), and what both share. Included by store/ alone.
 *
 * The front has checked the order of calls, so an op of the writing part is only called inside of a
 * transaction that has not failed, `rollback` only inside of one, and the ops at start only
 * outside. An op means what its verb in store.h means. When an op fails it says why with
 * store_set_error or store_reader_set_error. */
#ifndef REVHOOK_STORE_STORE_OPS_H
#define REVHOOK_STORE_STORE_OPS_H

#include "store/store.h"

typedef bool store_visit_webhook(void *ctx, const struct store_webhook *row);
typedef bool store_visit_event(void *ctx, const struct store_event *row);
typedef bool store_visit_delivery(void *ctx, const struct store_delivery *row);
typedef bool store_visit_attempt(void *ctx, const struct store_attempt *row);
typedef bool store_visit_pending(void *ctx, const struct store_pending *row);
typedef bool store_visit_object(void *ctx, const struct store_object *row);
typedef bool store_visit_org(void *ctx, const struct store_org *row);
typedef bool store_visit_token(void *ctx, const struct store_token *row);
typedef bool store_visit_recover(void *ctx, const struct store_webhook *row, bool has_open);

struct store_ops {
    void (*close)(struct store *);
    struct store_reader *(*reader_open)(struct store *, char *error, size_t error_bytes);
    void (*reader_close)(struct store_reader *);

    enum store_result (*begin)(struct store *);
    enum store_result (*commit)(struct store *, struct instant now, const char *boot);
    void (*rollback)(struct store *);

    enum store_result (*webhook_insert)(struct store *, struct store_webhook *row);
    enum store_result (*webhook_configure)(struct store *, const struct store_webhook *row);
    enum store_result (*webhook_status)(struct store *, int64_t webhook,
                                        const struct webhook_status *status);
    enum store_result (*webhook_look)(struct store *, int64_t webhook, store_visit_webhook *visit,
                                      void *ctx);
    enum store_result (*webhook_walk)(struct store *, int64_t after, unsigned limit,
                                      store_visit_webhook *visit, void *ctx);
    enum store_result (*webhook_reseal)(struct store *, int64_t webhook, struct store_bytes secret,
                                        struct store_bytes headers);
    enum store_result (*seal_put)(struct store *, struct store_bytes seal);
    enum store_result (*seal_get)(struct store *, uint8_t seal[STORE_SEAL_BYTES_MAX],
                                  size_t *bytes);
    enum store_result (*scrub)(struct store *);
    enum store_result (*settle)(struct store *, int64_t webhook, enum delivery_state state,
                                enum reason reason, const int64_t *except, size_t except_count,
                                uint64_t *settled);
    enum store_result (*accept)(struct store *, struct store_event *event,
                                const struct store_target *targets, uint32_t target_count);
    enum store_result (*object_get)(struct store *, int64_t number, store_visit_object *visit,
                                    void *ctx);
    enum store_result (*object_remove)(struct store *, int64_t number);
    enum store_result (*idempotency_find)(struct store *, struct store_bytes org,
                                          struct store_bytes key, mono_ms now,
                                          struct store_idempotency *found);
    enum store_result (*idempotency_insert)(struct store *, struct store_bytes org,
                                            struct store_bytes key,
                                            const struct store_idempotency *row);
    enum store_result (*org_insert)(struct store *, struct store_org *row);
    enum store_result (*token_insert)(struct store *, struct store_token *row);
    enum store_result (*token_revoke)(struct store *, int64_t token, wall_us revoked_us);
    enum store_result (*org_revoke)(struct store *, struct store_bytes org, wall_us revoked_us,
                                    uint64_t *tokens);
    enum store_result (*token_forget)(struct store *, wall_us before_us);
    enum store_result (*org_count)(struct store *, uint64_t *orgs, uint64_t *tokens);
    enum store_result (*record)(struct store *, const struct store_record *record);
    enum store_result (*reopen)(struct store *, int64_t delivery, mono_ms due);
    enum store_result (*pending_after)(struct store *, int64_t webhook, mono_ms due, int64_t key,
                                       unsigned limit, store_visit_pending *visit, void *ctx,
                                       bool *more);
    enum store_result (*purge)(struct store *, wall_us before_us, mono_ms now, unsigned limit,
                               unsigned *removed);

    /* Visits deleted webhooks too; the front keeps them from the caller. */
    enum store_result (*recover)(struct store *, store_visit_recover *visit, void *ctx);
    enum store_result (*open_count)(struct store *, uint64_t *count);
    enum store_result (*tend)(struct store *);

    enum store_result (*webhook_get)(struct store_reader *, struct store_bytes org,
                                     struct store_bytes id, store_visit_webhook *visit, void *ctx);
    enum store_result (*webhook_key)(struct store_reader *, struct store_bytes org,
                                     struct store_bytes id, int64_t *key);
    enum store_result (*webhook_list)(struct store_reader *, struct store_bytes org,
                                      store_visit_webhook *visit, void *ctx);
    enum store_result (*event_get)(struct store_reader *, struct store_bytes org, int64_t key,
                                   uint64_t salt, store_visit_event *visit, void *ctx);
    enum store_result (*event_list)(struct store_reader *, struct store_bytes org, int64_t before,
                                    int type, unsigned limit, store_visit_event *visit, void *ctx);
    enum store_result (*delivery_list)(struct store_reader *,
                                       const struct store_delivery_filter *filter,
                                       store_visit_delivery *visit, void *ctx);
    enum store_result (*delivery_get)(struct store_reader *, struct store_bytes org, int64_t key,
                                      uint64_t salt, store_visit_delivery *visit, void *ctx);
    enum store_result (*attempt_list)(struct store_reader *, int64_t delivery,
                                      store_visit_attempt *visit, void *ctx);
    enum store_result (*org_list)(struct store_reader *, store_visit_org *visit, void *ctx);
    enum store_result (*token_list)(struct store_reader *, store_visit_token *visit, void *ctx);
};

#define STORE_ERROR_BYTES 256

/* The part of a store that the front owns; a back-end's own struct begins with it, and its `open`
 * sets ops, last and boot. */
struct store {
    const struct store_ops *ops;
    bool writing;             /* between begin and commit or rollback */
    bool visiting;            /* a visitor is running */
    enum store_result broken; /* what this transaction failed with, or STORE_OK */
    unsigned readers;         /* open ones; atomic */
    struct instant last;      /* of the newest commit */
    char boot[64];
    char error[STORE_ERROR_BYTES];
};

struct store_reader {
    const struct store_ops *ops;
    struct store *store;
    bool visiting;
    char error[STORE_ERROR_BYTES];
};

/* Sets the text that store_error gives (cut to fit). Writing thread. */
void store_set_error(struct store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for store_reader_error. The reader's thread. */
void store_reader_set_error(struct store_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether a writing verb may go on; otherwise it returns store->broken. Stops the program outside
 * of a transaction. */
bool store_sound(const struct store *store);
/* What a writing verb ends with: breaks the transaction if the op has failed; gives `result`. */
enum store_result store_done(struct store *store, enum store_result result);

/* What a reading verb begins and ends with: while it visits, nobody else may use the reader. */
void store_reader_enter(struct store_reader *reader);
enum store_result store_reader_leave(struct store_reader *reader, enum store_result result);

/* calloc that does not fail: where a small block cannot be had the service cannot go on in a known
 * state, so the program says so and stops; started again it recovers from the store. Not for sizes
 * that a client chooses. */
void *store_alloc(size_t bytes);

/* Whether two byte strings are the same. */
bool store_bytes_equal(struct store_bytes a, struct store_bytes b);

#endif
