/* The SQLite back-end: what is sealed, and under which key.
 *
 * Owns: the mark of the key in `meta`, the walk over webhooks that are to be sealed again, and that
 * nothing of what stood there before stays readable in the file. Happy path: bind, step, reset.
 * Failure modes: as everywhere, by sqlite_write_failed. */
#include "store/store_sqlite.h"

#include <string.h>

enum store_result sqlite_seal_get(struct store *store, uint8_t seal[STORE_SEAL_BYTES_MAX],
                                  size_t *bytes)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *get = s->statements[WRITE_SEAL_GET];
    enum store_result result = STORE_OK;
    *bytes = 0;
    if (sqlite3_step(get) == SQLITE_ROW) {
        struct store_bytes found = sqlite_bytes(get, 0);
        if (found.bytes <= STORE_SEAL_BYTES_MAX) {
            memcpy(seal, found.at, found.bytes);
            *bytes = found.bytes;
        } else {
            store_set_error(store, "the mark of the key is longer than any is");
            result = STORE_FAILED;
        }
    } else {
        result = sqlite_write_failed(s);
    }
    sqlite3_reset(get);
    return result;
}

enum store_result sqlite_seal_put(struct store *store, struct store_bytes seal)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite_bind_blob(s->statements[WRITE_SEAL_PUT], 1, seal);
    return sqlite_run(s, WRITE_SEAL_PUT);
}

enum store_result sqlite_webhook_walk(struct store *store, int64_t after, unsigned limit,
                                      store_visit_webhook *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *walk = s->statements[WRITE_WEBHOOK_WALK];
    enum store_result result = STORE_OK;
    int code;
    sqlite3_bind_int64(walk, 1, after);
    sqlite3_bind_int64(walk, 2, limit);
    while ((code = sqlite3_step(walk)) == SQLITE_ROW) {
        struct store_webhook row;
        if (!sqlite_webhook_row(walk, &row)) {
            store_set_error(store, "webhook %lld has a word that this program does not know",
                            (long long)row.key);
            result = STORE_FAILED;
            break;
        }
        if (!visit(ctx, &row))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = sqlite_write_failed(s);
    sqlite3_reset(walk);
    return result;
}

/* What is replaced shall not stay readable in the free space of a page. */
enum store_result sqlite_webhook_reseal(struct store *store, int64_t webhook,
                                        struct store_bytes secret, struct store_bytes headers)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *update = s->statements[WRITE_WEBHOOK_RESEAL];
    if (sqlite3_exec(s->db, "PRAGMA secure_delete = ON", NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_write_failed(s);
    sqlite3_bind_int64(update, 1, webhook);
    sqlite_bind_blob(update, 2, secret);
    sqlite_bind_blob(update, 3, headers);
    enum store_result result = sqlite_run(s, WRITE_WEBHOOK_RESEAL);
    if (result == STORE_OK && sqlite3_changes(s->db) == 0)
        result = STORE_NOT_FOUND;
    sqlite3_exec(s->db, "PRAGMA secure_delete = OFF", NULL, NULL, NULL);
    return result;
}

/* Pages that were split keep old bytes between their rows, and the log keeps old pages. So the
 * table is emptied, which overwrites its pages, and filled again, and the log is emptied, too. */
enum store_result sqlite_scrub(struct store *store)
{
    struct sqlite_store *s = sqlite_of(store);
    static const char sql[] =
        "PRAGMA secure_delete = ON; BEGIN IMMEDIATE;"
        "CREATE TEMP TABLE scrubbed AS SELECT * FROM webhook;"
        "DELETE FROM webhook; INSERT INTO webhook SELECT * FROM scrubbed; COMMIT;"
        "DROP TABLE temp.scrubbed; PRAGMA secure_delete = OFF;"
        "PRAGMA wal_checkpoint(TRUNCATE)";
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return STORE_OK;
    enum store_result result = sqlite_write_failed(s);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}
