/* The SQLite back-end: webhooks and idempotency keys, as the writing thread uses them.
 *
 * Owns: the encoding of a webhook. Happy path: bind, step, reset. Failure modes: an id that was
 * used before is told by the unique index; everything else by sqlite_write_failed.
 *
 * Refuses: to forget a webhook. A deleted one keeps its row, so that its id is never used again and
 * its deliveries can still be looked at. */
#include "store/store_sqlite.h"

#include <assert.h>
#include <string.h>

/* Words of event types with spaces between them. Room: no word is longer than 39 bytes (a test
 * holds them to it). */
#define EVENT_TYPES_BYTES (EVENT_TYPE_COUNT * 40)

static struct store_bytes event_types_text(const struct event_set *set,
                                           char text[EVENT_TYPES_BYTES])
{
    size_t bytes = 0;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (!event_set_has(set, type))
            continue;
        const char *name = event_type_name(type);
        size_t length = strlen(name);
        assert(bytes + 1 + length <= EVENT_TYPES_BYTES);
        if (bytes > 0)
            text[bytes++] = ' ';
        memcpy(text + bytes, name, length);
        bytes += length;
    }
    return (struct store_bytes){text, bytes};
}

/* The parameters of the three statements over webhooks have the numbers of the columns. */
static void bind_configuration(sqlite3_stmt *statement, const struct store_webhook *row,
                               char types[EVENT_TYPES_BYTES])
{
    sqlite_bind_text(statement, 4, row->url);
    sqlite_bind_text(statement, 5, row->target);
    sqlite_bind_blob(statement, 6, row->secret);
    sqlite_bind_blob(statement, 7, row->headers);
    sqlite_bind_text(statement, 8, event_types_text(&row->event_types, types));
    sqlite3_bind_int64(statement, 21, row->modified_us);
    sqlite_bind_text(statement, 23, row->modified_by);
    sqlite_bind_text(statement, 24, row->signature);
}

static void bind_status(sqlite3_stmt *statement, const struct webhook_status *status)
{
    sqlite3_bind_text(statement, 9, webhook_state_name(status->state), -1, SQLITE_STATIC);
    sqlite_bind_reason(statement, 10, status->reason);
    sqlite3_bind_int(statement, 11, status->verified);
    sqlite3_bind_int64(statement, 12, status->generation);
    sqlite3_bind_int64(statement, 13, status->consecutive_failures);
    sqlite3_bind_int64(statement, 14, status->verify_count);
    sqlite3_bind_int64(statement, 15, status->since_us);
    sqlite3_bind_int64(statement, 16, status->last_success_us);
    sqlite3_bind_int64(statement, 17, status->verify_since);
    sqlite_bind_due(statement, 18, status->verify_next);
    sqlite_bind_due(statement, 19, status->verify_until);
}

/* ---- webhooks ---- */

enum store_result sqlite_webhook_insert(struct store *store, struct store_webhook *row)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *insert = s->statements[WRITE_WEBHOOK_INSERT];
    char types[EVENT_TYPES_BYTES];
    sqlite_bind_text(insert, 2, row->id);
    sqlite_bind_text(insert, 3, row->org);
    bind_configuration(insert, row, types);
    bind_status(insert, &row->status);
    sqlite3_bind_int64(insert, 20, row->created_us);
    sqlite_bind_text(insert, 22, row->created_by);
    sqlite_bind_text(insert, 25, row->partition);
    int code = sqlite3_step(insert);
    enum store_result result = STORE_OK;
    if (code == SQLITE_CONSTRAINT)
        result = STORE_CONFLICT;
    else if (code != SQLITE_DONE)
        result = sqlite_write_failed(s);
    else
        row->key = sqlite3_last_insert_rowid(s->db);
    sqlite3_reset(insert);
    return result;
}

/* Runs an update that is to change one row. */
static enum store_result update_one(struct sqlite_store *s, enum sqlite_write statement)
{
    enum store_result result = sqlite_run(s, statement);
    if (result == STORE_OK && sqlite3_changes(s->db) == 0)
        return STORE_NOT_FOUND;
    return result;
}

/* A secret that is replaced shall not stay readable in the free space of a page, so freed bytes are
 * overwritten here. */
enum store_result sqlite_webhook_configure(struct store *store, const struct store_webhook *row)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *update = s->statements[WRITE_WEBHOOK_CONFIGURE];
    char types[EVENT_TYPES_BYTES];
    sqlite3_bind_int64(update, 1, row->key);
    bind_configuration(update, row, types);
    if (sqlite3_exec(s->db, "PRAGMA secure_delete = ON", NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_write_failed(s);
    enum store_result result = update_one(s, WRITE_WEBHOOK_CONFIGURE);
    sqlite3_exec(s->db, "PRAGMA secure_delete = OFF", NULL, NULL, NULL);
    return result;
}

enum store_result sqlite_webhook_status(struct store *store, int64_t webhook,
                                        const struct webhook_status *status)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *update = s->statements[WRITE_WEBHOOK_STATUS];
    sqlite3_bind_int64(update, 1, webhook);
    bind_status(update, status);
    return update_one(s, WRITE_WEBHOOK_STATUS);
}

enum store_result sqlite_webhook_look(struct store *store, int64_t webhook,
                                      store_visit_webhook *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *look = s->statements[WRITE_WEBHOOK_LOOK];
    struct store_webhook row;
    enum store_result result = STORE_OK;
    sqlite3_bind_int64(look, 1, webhook);
    int code = sqlite3_step(look);
    if (code == SQLITE_DONE) {
        result = STORE_NOT_FOUND;
    } else if (code != SQLITE_ROW) {
        result = sqlite_write_failed(s);
    } else if (!sqlite_webhook_row(look, &row)) {
        store_set_error(store, "webhook %lld has a word that this program does not know",
                        (long long)webhook);
        result = STORE_FAILED;
    } else {
        visit(ctx, &row);
    }
    sqlite3_reset(look);
    return result;
}

/* ---- at start ---- */

enum store_result sqlite_recover(struct store *store, store_visit_recover *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *recover = s->statements[WRITE_RECOVER];
    enum store_result result = STORE_OK;
    int code;
    while ((code = sqlite3_step(recover)) == SQLITE_ROW) {
        struct store_webhook row;
        if (!sqlite_webhook_row(recover, &row)) {
            store_set_error(store, "webhook %lld has a word that this program does not know",
                            (long long)row.key);
            result = STORE_FAILED;
            break;
        }
        if (!visit(ctx, &row, sqlite3_column_int(recover, SQLITE_WEBHOOK_COLUMN_COUNT) != 0))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = sqlite_write_failed(s);
    sqlite3_reset(recover);
    return result;
}

/* ---- idempotency keys ---- */

enum store_result sqlite_idempotency_find(struct store *store, struct store_bytes org,
                                          struct store_bytes key, mono_ms now,
                                          struct store_idempotency *found)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *find = s->statements[WRITE_IDEMPOTENCY_FIND];
    sqlite_bind_text(find, 1, org);
    sqlite_bind_blob(find, 2, key);
    sqlite3_bind_int64(find, 3, now);
    int code = sqlite3_step(find);
    enum store_result result = code == SQLITE_DONE ? STORE_NOT_FOUND : STORE_OK;
    if (code == SQLITE_ROW) {
        struct store_bytes sum = sqlite_bytes(find, 0);
        assert(sum.bytes == sizeof found->body_sha256);
        memcpy(found->body_sha256, sum.at, sum.bytes);
        found->first_event = sqlite3_column_int64(find, 1);
        found->count = (uint32_t)sqlite3_column_int64(find, 2);
        found->batch = sqlite3_column_int(find, 3) != 0;
        found->expires = sqlite3_column_int64(find, 4);
    } else if (code != SQLITE_DONE) {
        result = sqlite_write_failed(s);
    }
    sqlite3_reset(find);
    return result;
}

enum store_result sqlite_idempotency_insert(struct store *store, struct store_bytes org,
                                            struct store_bytes key,
                                            const struct store_idempotency *row)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *insert = s->statements[WRITE_IDEMPOTENCY_INSERT];
    sqlite_bind_text(insert, 1, org);
    sqlite_bind_blob(insert, 2, key);
    sqlite_bind_blob(insert, 3,
                     (struct store_bytes){(const char *)row->body_sha256, sizeof row->body_sha256});
    sqlite3_bind_int64(insert, 4, row->first_event);
    sqlite3_bind_int64(insert, 5, row->count);
    sqlite3_bind_int(insert, 6, row->batch);
    sqlite3_bind_int64(insert, 7, row->expires);
    return sqlite_run(s, WRITE_IDEMPOTENCY_INSERT);
}
