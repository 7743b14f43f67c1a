/* The inside of the SQLite back-end, shared by its files and by its own tests. Who uses a store
 * includes store.h.
 *
 * store_sqlite.c has connections and transactions, store_sqlite_open.c the opening,
 * store_sqlite_sql.c every statement, store_sqlite_rows.c the encoding of values,
 * store_sqlite_webhook.c, store_sqlite_delivery.c and store_sqlite_object.c what the writing thread
 * does, store_sqlite_read.c and store_sqlite_list.c the readers, store_sqlite_org.c both for
 * organisations and tokens. */
#ifndef REVHOOK_STORE_STORE_SQLITE_H
#define REVHOOK_STORE_STORE_SQLITE_H

#include "store/store_ops.h"

#include <sqlite3.h>

/* Statements of the writing connection. */
enum sqlite_write {
    WRITE_BEGIN,
    WRITE_META,
    WRITE_COMMIT,
    WRITE_ROLLBACK,
    WRITE_WEBHOOK_INSERT,
    WRITE_WEBHOOK_CONFIGURE,
    WRITE_WEBHOOK_LOOK,
    WRITE_WEBHOOK_WALK,
    WRITE_WEBHOOK_RESEAL,
    WRITE_SEAL_GET,
    WRITE_SEAL_PUT,
    WRITE_WEBHOOK_STATUS,
    WRITE_EVENT_INSERT,
    WRITE_DELIVERY_INSERT,
    WRITE_DELIVERY_LOOK,
    WRITE_DELIVERY_AGAIN,
    WRITE_DELIVERY_END,
    WRITE_ATTEMPT_INSERT,
    WRITE_REOPEN,
    WRITE_SETTLE,
    WRITE_PENDING_AT,
    WRITE_PENDING_BEHIND,
    WRITE_LIST,
    WRITE_LISTED,
    WRITE_TYPE,
    WRITE_TYPED,
    WRITE_OBJECT_PUT,
    WRITE_OBJECT_ALIAS,
    WRITE_OBJECT_FIND,
    WRITE_OBJECT_REMOVE,
    WRITE_ORG_INSERT,
    WRITE_ORG_COUNT,
    WRITE_TOKEN_INSERT,
    WRITE_TOKEN_LOOK,
    WRITE_TOKEN_REVOKE,
    WRITE_ORG_LOOK,
    WRITE_ORG_REVOKE,
    WRITE_TOKEN_FORGET,
    WRITE_IDEMPOTENCY_FIND,
    WRITE_IDEMPOTENCY_INSERT,
    WRITE_PURGE_FIND,
    WRITE_PURGE_ATTEMPTS,
    WRITE_PURGE_DELIVERIES,
    WRITE_PURGE_OBJECT,
    WRITE_PURGE_TYPE,
    WRITE_PURGE_EVENT,
    WRITE_PURGE_KEYS,
    WRITE_RECOVER,
    WRITE_OPEN_COUNT,
    WRITE_COUNT,
};

/* Statements of a reader. */
enum sqlite_read {
    READ_BEGIN,
    READ_END,
    READ_WEBHOOK_GET,
    READ_WEBHOOK_LIST,
    READ_WEBHOOK_STATES,
    READ_WEBHOOK_STATE,
    READ_EVENT_GET,
    READ_EVENT_WALK,
    READ_EVENT_STREAM,
    READ_EVENT_TAIL,
    READ_DELIVERY_WALK,
    READ_DELIVERY_STREAM,
    READ_DELIVERY_TAIL,
    READ_DELIVERY_OF_EVENT,
    READ_DELIVERY_GET,
    READ_ATTEMPTS,
    READ_ORGS,
    READ_TOKENS,
    READ_COUNT,
};

extern const char *const sqlite_write_sql[WRITE_COUNT];
extern const char *const sqlite_read_sql[READ_COUNT];

struct sqlite_store {
    struct store base;
    sqlite3 *db; /* the one connection that writes and checkpoints */
    sqlite3_stmt *statements[WRITE_COUNT];
    char *path; /* of revhook.db */
    int lock;   /* descriptor of revhook.lock, locked */
    uint32_t answer_bytes_max;
    int64_t next_event, next_delivery;
    int64_t next_event_committed, next_delivery_committed;
    bool commit_failed; /* the transaction's own commit; what it wrote may be in the log */
    int64_t listed;     /* deliveries up to this key are in delivery_by_state */
    int64_t list_step,
        list_lag;             /* how many get there at once, at least; how many new ones do not */
    int64_t typed, type_step; /* the same of events and event_of_type */
    int64_t commit_rows;      /* the most that a commit has accepted lately; fades */
    int log_pages;            /* in the write-ahead log, after the newest commit */
    int log_pages_tended;     /* when it was last checkpointed */
};

struct sqlite_reader {
    struct store_reader base;
    sqlite3 *db;
    sqlite3_stmt *statements[READ_COUNT];
    int64_t *keys; /* of the rows to visit, newest first */
    unsigned key_count, key_limit;
    size_t key_capacity;
};

static inline struct sqlite_store *sqlite_of(struct store *store)
{
    return (struct sqlite_store *)store;
}

static inline struct sqlite_reader *sqlite_reader_of(struct store_reader *reader)
{
    return (struct sqlite_reader *)reader;
}

/* Binds bytes as text or as a blob, without a copy: they must live until the statement is reset. */
void sqlite_bind_text(sqlite3_stmt *statement, int place, struct store_bytes bytes);
void sqlite_bind_blob(sqlite3_stmt *statement, int place, struct store_bytes bytes);
/* Binds a time that may be MONO_NEVER (NULL); a word that is NULL where it says nothing. */
void sqlite_bind_due(sqlite3_stmt *statement, int place, mono_ms due);
void sqlite_bind_reason(sqlite3_stmt *statement, int place, unsigned reason);

/* The bytes of a column; they live until the next step or reset. */
struct store_bytes sqlite_bytes(sqlite3_stmt *statement, int column);
mono_ms sqlite_due(sqlite3_stmt *statement, int column);
/* The word of a column as a number; -1 if this program does not know the word. */
int sqlite_reason(sqlite3_stmt *statement, int column);
int sqlite_event_type(sqlite3_stmt *statement, int column);

/* The columns that sqlite_webhook_row reads, in their order. */
#define SQLITE_WEBHOOK_COLUMNS                                                                  \
    "key, id, org, url, target, secret, headers, event_types, state, reason, verified, "        \
    "generation, consecutive_failures, verify_count, since_us, last_success_us, verify_since, " \
    "verify_next, verify_until, created_us, modified_us, created_by, modified_by, signature, "  \
    "partition"
#define SQLITE_WEBHOOK_COLUMN_COUNT 25

/* Reads a webhook; false if it has a word that this program does not know. Types of events that it
 * does not know are left out. */
bool sqlite_webhook_row(sqlite3_stmt *statement, struct store_webhook *row);

/* Opens a connection to `path` with what every connection needs: NULL statements are prepared from
 * `sql`. *db must be closed by the caller in either case (it may be NULL). Gives SQLite's result.
 */
int sqlite_connect(const char *path, int flags, sqlite3 **db);
int sqlite_prepare_all(sqlite3 *db, const char *const *sql, sqlite3_stmt **statements,
                       unsigned count);
void sqlite_finalize_all(sqlite3_stmt **statements, unsigned count);

/* Says in store_error what the connection failed with, and gives what that means to the caller. */
enum store_result sqlite_write_failed(struct sqlite_store *s);
/* Runs a statement that gives no rows to its end. */
enum store_result sqlite_run(struct sqlite_store *s, enum sqlite_write statement);

/* Shared between opening and the rest. sqlite_close takes a store that is only half open, too. */
extern const struct store_ops sqlite_ops;
void sqlite_close(struct store *store);
/* Called by SQLite after each commit, with the number of pages in the log. */
int sqlite_note_log(void *ctx, sqlite3 *db, const char *schema, int pages);

/* Brings the next deliveries into delivery_by_state, and the next events into event_of_type, if
 * there are enough of them. Outside of a transaction. */
enum store_result sqlite_list_step(struct sqlite_store *s);

/* The other ops. */
enum store_result sqlite_webhook_insert(struct store *store, struct store_webhook *row);
enum store_result sqlite_webhook_configure(struct store *store, const struct store_webhook *row);
enum store_result sqlite_webhook_status(struct store *store, int64_t webhook,
                                        const struct webhook_status *status);
enum store_result sqlite_webhook_look(struct store *store, int64_t webhook,
                                      store_visit_webhook *visit, void *ctx);
enum store_result sqlite_webhook_walk(struct store *store, int64_t after, unsigned limit,
                                      store_visit_webhook *visit, void *ctx);
enum store_result sqlite_webhook_reseal(struct store *store, int64_t webhook,
                                        struct store_bytes secret, struct store_bytes headers);
enum store_result sqlite_seal_put(struct store *store, struct store_bytes seal);
enum store_result sqlite_seal_get(struct store *store, uint8_t seal[STORE_SEAL_BYTES_MAX],
                                  size_t *bytes);
enum store_result sqlite_scrub(struct store *store);
enum store_result sqlite_settle(struct store *store, int64_t webhook, enum delivery_state state,
                                enum reason reason, const int64_t *except, size_t except_count,
                                uint64_t *settled);
enum store_result sqlite_accept(struct store *store, struct store_event *event,
                                const struct store_target *targets, uint32_t target_count);
enum store_result sqlite_object_get(struct store *store, int64_t number, store_visit_object *visit,
                                    void *ctx);
enum store_result sqlite_object_remove(struct store *store, int64_t number);
enum store_result sqlite_idempotency_find(struct store *store, struct store_bytes org,
                                          struct store_bytes key, mono_ms now,
                                          struct store_idempotency *found);
enum store_result sqlite_idempotency_insert(struct store *store, struct store_bytes org,
                                            struct store_bytes key,
                                            const struct store_idempotency *row);
enum store_result sqlite_record(struct store *store, const struct store_record *record);
enum store_result sqlite_reopen(struct store *store, int64_t delivery, mono_ms due);
enum store_result sqlite_pending_after(struct store *store, int64_t webhook, mono_ms due,
                                       int64_t key, unsigned limit, store_visit_pending *visit,
                                       void *ctx, bool *more);
enum store_result sqlite_purge(struct store *store, wall_us before_us, mono_ms now, unsigned limit,
                               unsigned *removed);
enum store_result sqlite_recover(struct store *store, store_visit_recover *visit, void *ctx);
enum store_result sqlite_open_count(struct store *store, uint64_t *count);

/* Makes an event, which is inserted, the last version of its object. */
enum store_result sqlite_object_put(struct sqlite_store *s, const struct store_event *event);
/* Keeps the payload of an event that is about to be removed, if it is still the last version of the
 * object of this number. */
enum store_result sqlite_object_keep(struct sqlite_store *s, int64_t number, int64_t event);

/* Ends a statement that was stepped to `code`: STORE_OK, or STORE_FAILED with its text. */
enum store_result sqlite_read_finish(struct sqlite_reader *r, enum sqlite_read statement, int code);
/* Reads one row by its key and visits it; *go_on is what the visitor gave. STORE_NOT_FOUND also
 * where `org` or, if it is not NULL, `salt` differ. */
enum store_result sqlite_event_visit(struct sqlite_reader *r, struct store_bytes org, int64_t key,
                                     const uint64_t *salt, store_visit_event *visit, void *ctx,
                                     bool *go_on);
enum store_result sqlite_delivery_visit(struct sqlite_reader *r, struct store_bytes org,
                                        int64_t key, const uint64_t *salt,
                                        store_visit_delivery *visit, void *ctx, bool *go_on);

struct store_reader *sqlite_reader_open(struct store *store, char *error, size_t error_bytes);
void sqlite_reader_close(struct store_reader *reader);
enum store_result sqlite_webhook_get(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, store_visit_webhook *visit, void *ctx);
enum store_result sqlite_webhook_key(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, int64_t *key);
enum store_result sqlite_webhook_list(struct store_reader *reader, struct store_bytes org,
                                      store_visit_webhook *visit, void *ctx);
enum store_result sqlite_event_get(struct store_reader *reader, struct store_bytes org, int64_t key,
                                   uint64_t salt, store_visit_event *visit, void *ctx);
enum store_result sqlite_event_list(struct store_reader *reader, struct store_bytes org,
                                    int64_t before, int type, unsigned limit,
                                    store_visit_event *visit, void *ctx);
enum store_result sqlite_delivery_list(struct store_reader *reader,
                                       const struct store_delivery_filter *filter,
                                       store_visit_delivery *visit, void *ctx);
enum store_result sqlite_delivery_get(struct store_reader *reader, struct store_bytes org,
                                      int64_t key, uint64_t salt, store_visit_delivery *visit,
                                      void *ctx);
enum store_result sqlite_attempt_list(struct store_reader *reader, int64_t delivery,
                                      store_visit_attempt *visit, void *ctx);

/* Ops of store_sqlite_org.c. */
enum store_result sqlite_org_insert(struct store *store, struct store_org *row);
enum store_result sqlite_token_insert(struct store *store, struct store_token *row);
enum store_result sqlite_token_revoke(struct store *store, int64_t token, wall_us revoked_us);
enum store_result sqlite_org_revoke(struct store *store, struct store_bytes org, wall_us revoked_us,
                                    uint64_t *tokens);
enum store_result sqlite_token_forget(struct store *store, wall_us before_us);
enum store_result sqlite_org_count(struct store *store, uint64_t *orgs, uint64_t *tokens);
enum store_result sqlite_org_list(struct store_reader *reader, store_visit_org *visit, void *ctx);
enum store_result sqlite_token_list(struct store_reader *reader, store_visit_token *visit,
                                    void *ctx);

#endif
