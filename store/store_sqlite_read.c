/* The SQLite back-end: readers.
 *
 * Owns: read-only connections, one for each reader; the decoding of events, deliveries and
 * attempts.
 *
 * Happy path: bind, step, visit, reset. Lists over events and deliveries are in
 * store_sqlite_list.c, which finds the keys of a page and has each row visited here.
 *
 * Failure modes: STORE_FAILED with its text; the reader stays usable.
 *
 * Refuses: to write. The file is opened read-only, and the connection never checkpoints. */
#include "store/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>

enum { READER_WAIT_MS = 500 };

struct store_reader *sqlite_reader_open(struct store *store, char *error, size_t error_bytes)
{
    struct sqlite_reader *r = store_alloc(sizeof *r);
    if (sqlite_connect(sqlite_of(store)->path, SQLITE_OPEN_READONLY, &r->db) == SQLITE_OK &&
        sqlite_prepare_all(r->db, sqlite_read_sql, r->statements, READ_COUNT) == SQLITE_OK) {
        sqlite3_busy_timeout(r->db, READER_WAIT_MS);
        return &r->base;
    }
    /* Without a connection, which is for want of memory, the text says that. */
    snprintf(error, error_bytes, "the store cannot be opened for reading: %s (SQLite %d)",
             sqlite3_errmsg(r->db), sqlite3_extended_errcode(r->db));
    sqlite_reader_close(&r->base);
    return NULL;
}

void sqlite_reader_close(struct store_reader *reader)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    sqlite_finalize_all(r->statements, READ_COUNT);
    sqlite3_close(r->db);
    free(r->keys);
    free(r);
}

static enum store_result sqlite_read_failed(struct sqlite_reader *r)
{
    store_reader_set_error(&r->base, "%s (SQLite %d)", sqlite3_errmsg(r->db),
                           sqlite3_extended_errcode(r->db));
    return STORE_FAILED;
}

static enum store_result unknown_word(struct sqlite_reader *r, const char *what, int64_t key)
{
    store_reader_set_error(&r->base, "%s %lld has a word that this program does not know", what,
                           (long long)key);
    return STORE_FAILED;
}

enum store_result sqlite_read_finish(struct sqlite_reader *r, enum sqlite_read statement, int code)
{
    enum store_result result =
        code == SQLITE_ROW || code == SQLITE_DONE ? STORE_OK : sqlite_read_failed(r);
    sqlite3_reset(r->statements[statement]);
    return result;
}

/* ---- webhooks ---- */

static enum store_result webhook_find(struct sqlite_reader *r, struct store_bytes org,
                                      struct store_bytes id, struct store_webhook *row)
{
    sqlite3_stmt *get = r->statements[READ_WEBHOOK_GET];
    sqlite_bind_text(get, 1, org);
    sqlite_bind_text(get, 2, id);
    int code = sqlite3_step(get);
    if (code == SQLITE_DONE)
        return STORE_NOT_FOUND;
    if (code != SQLITE_ROW)
        return sqlite_read_failed(r);
    return sqlite_webhook_row(get, row) ? STORE_OK : unknown_word(r, "webhook", row->key);
}

enum store_result sqlite_webhook_get(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, store_visit_webhook *visit, void *ctx)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    struct store_webhook row;
    enum store_result result = webhook_find(r, org, id, &row);
    if (result == STORE_OK && row.status.state == WEBHOOK_DELETED)
        result = STORE_NOT_FOUND;
    if (result == STORE_OK)
        visit(ctx, &row);
    sqlite3_reset(r->statements[READ_WEBHOOK_GET]);
    return result;
}

enum store_result sqlite_webhook_key(struct store_reader *reader, struct store_bytes org,
                                     struct store_bytes id, int64_t *key)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    struct store_webhook row;
    enum store_result result = webhook_find(r, org, id, &row);
    if (result == STORE_OK)
        *key = row.key;
    sqlite3_reset(r->statements[READ_WEBHOOK_GET]);
    return result;
}

enum store_result sqlite_webhook_list(struct store_reader *reader, struct store_bytes org,
                                      store_visit_webhook *visit, void *ctx)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    sqlite3_stmt *list = r->statements[READ_WEBHOOK_LIST];
    enum store_result unknown = STORE_OK;
    int code;
    sqlite_bind_text(list, 1, org);
    while ((code = sqlite3_step(list)) == SQLITE_ROW) {
        struct store_webhook row;
        if (!sqlite_webhook_row(list, &row)) {
            unknown = unknown_word(r, "webhook", row.key);
            break;
        }
        if (!visit(ctx, &row))
            break;
    }
    enum store_result result = sqlite_read_finish(r, READ_WEBHOOK_LIST, code);
    return result != STORE_OK ? result : unknown;
}

/* ---- events ---- */

enum store_result sqlite_event_visit(struct sqlite_reader *r, struct store_bytes org, int64_t key,
                                     const uint64_t *salt, store_visit_event *visit, void *ctx,
                                     bool *go_on)
{
    sqlite3_stmt *get = r->statements[READ_EVENT_GET];
    sqlite3_bind_int64(get, 1, key);
    int code = sqlite3_step(get);
    enum store_result result = STORE_NOT_FOUND;
    if (code == SQLITE_ROW) {
        int type = sqlite_event_type(get, 3);
        struct store_event row = {.key = key,
                                  .salt = (uint64_t)sqlite3_column_int64(get, 1),
                                  .org = sqlite_bytes(get, 2),
                                  .type = type,
                                  .created_us = sqlite3_column_int64(get, 4),
                                  .first_delivery = sqlite3_column_int64(get, 5),
                                  .delivery_count = (uint32_t)sqlite3_column_int64(get, 6)};
        if ((salt == NULL || row.salt == *salt) && store_bytes_equal(row.org, org)) {
            row.payload = sqlite_bytes(get, 7);
            result = type < 0 ? unknown_word(r, "event", key) : STORE_OK;
            if (result == STORE_OK)
                *go_on = visit(ctx, &row);
        }
    }
    enum store_result end = sqlite_read_finish(r, READ_EVENT_GET, code);
    return end != STORE_OK ? end : result;
}

enum store_result sqlite_event_get(struct store_reader *reader, struct store_bytes org, int64_t key,
                                   uint64_t salt, store_visit_event *visit, void *ctx)
{
    bool go_on;
    return sqlite_event_visit(sqlite_reader_of(reader), org, key, &salt, visit, ctx, &go_on);
}

/* ---- deliveries ---- */

static bool delivery_row(sqlite3_stmt *get, struct store_delivery *row)
{
    struct store_bytes webhook_state = sqlite_bytes(get, 6);
    int type = sqlite_event_type(get, 4), reason = sqlite_reason(get, 8);
    int state = webhook_state_from_name(webhook_state.at, webhook_state.bytes);
    bool redelivery = sqlite3_column_type(get, 11) != SQLITE_NULL;
    *row = (struct store_delivery){.key = sqlite3_column_int64(get, 0),
                                   .event = sqlite3_column_int64(get, 1),
                                   .webhook = sqlite3_column_int64(get, 2),
                                   .salt = (uint64_t)sqlite3_column_int64(get, 3),
                                   .type = type,
                                   .webhook_id = sqlite_bytes(get, 5),
                                   .webhook_state = (uint8_t)state,
                                   .state = (uint8_t)sqlite3_column_int(get, redelivery ? 11 : 7),
                                   .reason = (uint8_t)reason,
                                   .attempt_count = (uint8_t)sqlite3_column_int(get, 9),
                                   .redelivery = redelivery,
                                   .due = sqlite_due(get, 10),
                                   .created_us = sqlite3_column_int64(get, 12)};
    return type >= 0 && reason >= 0 && state >= 0 && row->state < DELIVERY_STATE_COUNT;
}

enum store_result sqlite_delivery_visit(struct sqlite_reader *r, struct store_bytes org,
                                        int64_t key, const uint64_t *salt,
                                        store_visit_delivery *visit, void *ctx, bool *go_on)
{
    sqlite3_stmt *get = r->statements[READ_DELIVERY_GET];
    sqlite3_bind_int64(get, 1, key);
    int code = sqlite3_step(get);
    enum store_result result = STORE_NOT_FOUND;
    if (code == SQLITE_ROW) {
        struct store_delivery row;
        bool known = delivery_row(get, &row);
        if ((salt == NULL || row.salt == *salt) && store_bytes_equal(sqlite_bytes(get, 13), org)) {
            result = known ? STORE_OK : unknown_word(r, "delivery", key);
            if (result == STORE_OK)
                *go_on = visit(ctx, &row);
        }
    }
    enum store_result end = sqlite_read_finish(r, READ_DELIVERY_GET, code);
    return end != STORE_OK ? end : result;
}

enum store_result sqlite_delivery_get(struct store_reader *reader, struct store_bytes org,
                                      int64_t key, uint64_t salt, store_visit_delivery *visit,
                                      void *ctx)
{
    bool go_on;
    return sqlite_delivery_visit(sqlite_reader_of(reader), org, key, &salt, visit, ctx, &go_on);
}

enum store_result sqlite_attempt_list(struct store_reader *reader, int64_t delivery,
                                      store_visit_attempt *visit, void *ctx)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    sqlite3_stmt *list = r->statements[READ_ATTEMPTS];
    enum store_result unknown = STORE_OK;
    int code;
    sqlite3_bind_int64(list, 1, delivery);
    while ((code = sqlite3_step(list)) == SQLITE_ROW) {
        int outcome = OUTCOME_acknowledged;
        if (sqlite3_column_type(list, 2) != SQLITE_NULL) {
            struct store_bytes word = sqlite_bytes(list, 2);
            outcome = outcome_from_name(word.at, word.bytes);
        }
        struct store_attempt row = {.n = (uint32_t)sqlite3_column_int64(list, 0),
                                    .redelivery = sqlite3_column_int(list, 1) != 0,
                                    .outcome = (uint8_t)outcome,
                                    .http_status = (uint16_t)sqlite3_column_int(list, 3),
                                    .started_us = sqlite3_column_int64(list, 4),
                                    .duration_ms = sqlite3_column_int64(list, 5),
                                    .answer = sqlite_bytes(list, 6)};
        if (outcome < 0) {
            unknown = unknown_word(r, "an attempt of delivery", delivery);
            break;
        }
        if (!visit(ctx, &row))
            break;
    }
    enum store_result result = sqlite_read_finish(r, READ_ATTEMPTS, code);
    return result != STORE_OK ? result : unknown;
}
