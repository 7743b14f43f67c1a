/* The SQLite back-end: its connections, its transactions and its log.
 *
 * Owns: the directory with revhook.db and revhook.lock; the one connection that writes and
 * checkpoints; the counters of keys; when the write-ahead log is carried into the database.
 *
 * Happy path: a transaction is BEGIN IMMEDIATE, verbs, the clock and the counters into `meta`,
 * COMMIT: one fsync (synchronous=FULL) for as many verbs as the caller put into it. store_tend
 * carries the log over in passive steps, between commits. Every statement is prepared once.
 *
 * Why one connection for both: SQLite before 3.51.3 can corrupt a database if one connection resets
 * the log at the very moment when another one checkpoints it. Debian 12 has 3.40.1. So nobody else
 * writes or checkpoints: readers are read-only, no connection checkpoints by itself or when it is
 * closed, and the lock keeps a second process out. For the same reason the database is not mapped
 * into memory.
 *
 * Failure modes: a full disk is STORE_FULL, anything else of the medium STORE_FAILED; either way
 * the transaction is rolled back and the store goes on when the medium does. Where the commit
 * itself failed, its pages may stand in the log though SQLite has forgotten them, and would be
 * found after a crash: they are overwritten at once, so that what was refused has not happened (if
 * the medium refuses that too, they may come back until the next commit). A commit that the loss of
 * power interrupts is there afterwards wholly or not at all; one that is not may still come,
 * wholly, with a second loss before the next commit (tests/crash/judge.c tells how). A damaged file
 * is noticed where SQLite notices it.
 *
 * Refuses: to open anything (store_sqlite_open.c) and to know what a row means. */
#include "store/store_sqlite.h"

#include "store/migrate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOG_PAGES_STEP = 1024 /* the log may grow by 8 MiB between two checkpoints */
};

/* ---- connections ---- */

int sqlite_connect(const char *path, int flags, sqlite3 **db)
{
    int code = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return code;
    sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sqlite3_exec(
        *db,
        "PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;"
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF; PRAGMA foreign_keys = OFF",
        NULL, NULL, NULL);
}

int sqlite_prepare_all(sqlite3 *db, const char *const *sql, sqlite3_stmt **statements,
                       unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int code =
            sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

void sqlite_finalize_all(sqlite3_stmt **statements, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sqlite3_finalize(statements[i]);
}

enum store_result sqlite_write_failed(struct sqlite_store *s)
{
    int reason = sqlite3_system_errno(s->db);
    bool told = sqlite3_errcode(s->db) == SQLITE_IOERR && reason != 0;
    store_set_error(&s->base, "%s (SQLite %d)%s%s", sqlite3_errmsg(s->db),
                    sqlite3_extended_errcode(s->db), told ? ": " : "",
                    told ? strerror(reason) : "");
    return store_sqlite_result(s->db);
}

enum store_result sqlite_run(struct sqlite_store *s, enum sqlite_write statement)
{
    enum store_result result = STORE_OK;
    if (sqlite3_step(s->statements[statement]) != SQLITE_DONE)
        result = sqlite_write_failed(s);
    sqlite3_reset(s->statements[statement]);
    return result;
}

/* ---- transactions ---- */

static enum store_result sqlite_begin(struct store *store)
{
    return sqlite_run(sqlite_of(store), WRITE_BEGIN);
}

static enum store_result sqlite_commit(struct store *store, struct instant now, const char *boot)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *meta = s->statements[WRITE_META];
    sqlite3_bind_int64(meta, 1, now.mono);
    sqlite3_bind_int64(meta, 2, now.wall);
    sqlite3_bind_text(meta, 3, boot, -1, SQLITE_STATIC);
    sqlite3_bind_int64(meta, 4, s->next_event);
    sqlite3_bind_int64(meta, 5, s->next_delivery);
    enum store_result result = sqlite_run(s, WRITE_META);
    if (result != STORE_OK)
        return result;
    result = sqlite_run(s, WRITE_COMMIT);
    s->commit_failed = result != STORE_OK;
    if (result != STORE_OK)
        return result;
    int64_t accepted = s->next_delivery - s->next_delivery_committed;
    s->commit_rows = accepted > s->commit_rows ? accepted : s->commit_rows - s->commit_rows / 16;
    s->next_event_committed = s->next_event;
    s->next_delivery_committed = s->next_delivery;
    return STORE_OK;
}

static enum store_result write_listed(struct sqlite_store *s, int64_t listed)
{
    sqlite3_bind_int64(s->statements[WRITE_LISTED], 1, listed);
    return sqlite_run(s, WRITE_LISTED);
}

/* Puts a transaction that changes nothing in the place of the one whose commit has failed. A page
 * is only written if it was changed in between. */
static void overwrite_refused(struct sqlite_store *s)
{
    s->commit_failed = false;
    if (sqlite_run(s, WRITE_BEGIN) != STORE_OK)
        return;
    if (write_listed(s, s->listed + 1) != STORE_OK || write_listed(s, s->listed) != STORE_OK ||
        sqlite_run(s, WRITE_COMMIT) != STORE_OK)
        if (!sqlite3_get_autocommit(s->db))
            sqlite_run(s, WRITE_ROLLBACK);
}

static void sqlite_rollback(struct store *store)
{
    struct sqlite_store *s = sqlite_of(store);
    if (!sqlite3_get_autocommit(s->db)) /* some failures have rolled it back already */
        sqlite_run(s, WRITE_ROLLBACK);
    assert(sqlite3_get_autocommit(s->db));
    if (s->commit_failed)
        overwrite_refused(s);
    s->next_event = s->next_event_committed;
    s->next_delivery = s->next_delivery_committed;
}

int sqlite_note_log(void *ctx, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    ((struct sqlite_store *)ctx)->log_pages = pages;
    return SQLITE_OK;
}

/* What fails stays in the log, and the next step tries again. */
static enum store_result checkpoint(struct sqlite_store *s)
{
    s->log_pages_tended = s->log_pages;
    if (sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
        return STORE_OK;
    return sqlite_write_failed(s);
}

/* The log begins again from its start by itself once all of it has been carried over and no reader
 * needs it; the number of its pages falls then. While a reader stands in the way it goes on
 * growing, and is tried again after the next 8 MiB. */
static enum store_result sqlite_tend(struct store *store)
{
    struct sqlite_store *s = sqlite_of(store);
    enum store_result carried = STORE_OK;
    if (s->log_pages < s->log_pages_tended)
        s->log_pages_tended = 0;
    if (s->log_pages - s->log_pages_tended >= LOG_PAGES_STEP)
        carried = checkpoint(s);
    enum store_result listed = sqlite_list_step(s);
    return carried != STORE_OK ? carried : listed;
}

/* ---- life ---- */

void sqlite_close(struct store *store)
{
    struct sqlite_store *s = sqlite_of(store);
    if (s->db != NULL) {
        if (s->base.ops != NULL)
            checkpoint(s);
        sqlite_finalize_all(s->statements, WRITE_COUNT);
        int code = sqlite3_close(s->db);
        assert(code == SQLITE_OK);
        (void)code;
    }
    if (s->lock >= 0)
        close(s->lock);
    free(s->path);
    free(s);
}

const struct store_ops sqlite_ops = {
    .close = sqlite_close,
    .reader_open = sqlite_reader_open,
    .reader_close = sqlite_reader_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .webhook_insert = sqlite_webhook_insert,
    .webhook_configure = sqlite_webhook_configure,
    .webhook_status = sqlite_webhook_status,
    .webhook_look = sqlite_webhook_look,
    .webhook_walk = sqlite_webhook_walk,
    .webhook_reseal = sqlite_webhook_reseal,
    .seal_put = sqlite_seal_put,
    .seal_get = sqlite_seal_get,
    .scrub = sqlite_scrub,
    .settle = sqlite_settle,
    .accept = sqlite_accept,
    .object_get = sqlite_object_get,
    .object_remove = sqlite_object_remove,
    .idempotency_find = sqlite_idempotency_find,
    .idempotency_insert = sqlite_idempotency_insert,
    .org_insert = sqlite_org_insert,
    .token_insert = sqlite_token_insert,
    .token_revoke = sqlite_token_revoke,
    .org_revoke = sqlite_org_revoke,
    .token_forget = sqlite_token_forget,
    .org_count = sqlite_org_count,
    .record = sqlite_record,
    .reopen = sqlite_reopen,
    .pending_after = sqlite_pending_after,
    .purge = sqlite_purge,
    .recover = sqlite_recover,
    .open_count = sqlite_open_count,
    .tend = sqlite_tend,
    .webhook_get = sqlite_webhook_get,
    .webhook_key = sqlite_webhook_key,
    .webhook_list = sqlite_webhook_list,
    .event_get = sqlite_event_get,
    .event_list = sqlite_event_list,
    .delivery_list = sqlite_delivery_list,
    .delivery_get = sqlite_delivery_get,
    .attempt_list = sqlite_attempt_list,
    .org_list = sqlite_org_list,
    .token_list = sqlite_token_list,
};
