/* The SQLite back-end: how a directory becomes an open store.
 *
 * Owns: revhook.lock, the making of revhook.db, the settings of the writing connection, the words
 * of everything that can go wrong before the service runs.
 *
 * Happy path: make the directory (0700), lock, make the file (0600), see that it is ours and not
 * newer, apply what is missing of the schema, read the clock and the counters, prepare the
 * statements.
 *
 * Failure modes: each with a sentence that names the file and says what to do. Whatever was opened
 * is closed again; a new directory or an empty file may stay behind.
 *
 * Refuses: to open a directory that another process has open (the kernel lifts the lock of one that
 * died), a newer schema, a database that is not its own: nothing is written to those. To change the
 * mode of a directory that was there before. */
#include "store/store_sqlite.h"

#include "store/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 8192,
    LIST_STEP = 1024, /* a millisecond of work; see list_pace */
    TYPE_STEP = 512,  /* likewise: a step writes a page for each type of each organisation */
    LIST_LAG = 1024,  /* most deliveries have ended by then and need not be moved in the index */
    WRITER_WAIT_MS = 2000 /* for somebody who looks at the file with other tools */
};

/* A complaint about opening. */
struct trouble {
    char *error;
    size_t bytes;
};

static enum store_result trouble_errno(const struct trouble *to, const char *what, const char *path)
{
    int reason = errno;
    snprintf(to->error, to->bytes, "cannot %s %s: %s", what, path, strerror(reason));
    return reason == ENOSPC || reason == EDQUOT ? STORE_FULL : STORE_FAILED;
}

/* Makes the directory if it is missing and gives its absolute name in `root` (of PATH_MAX bytes).
 */
static enum store_result open_directory(const char *directory, char *root, const struct trouble *to)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return trouble_errno(to, "make the directory", directory);
    if (realpath(directory, root) == NULL)
        return trouble_errno(to, "open the directory", directory);
    struct stat status;
    if (stat(root, &status) != 0)
        return trouble_errno(to, "open the directory", root);
    if (!S_ISDIR(status.st_mode)) {
        snprintf(to->error, to->bytes, "%s is not a directory", root);
        return STORE_FAILED;
    }
    return STORE_OK;
}

static enum store_result locked(int lock, const char *root, const struct trouble *to)
{
    char text[32] = "";
    ssize_t got = pread(lock, text, sizeof text - 1, 0);
    long pid = got > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        snprintf(to->error, to->bytes,
                 "%s is in use by process %ld; stop that one, or use another directory", root, pid);
    else
        snprintf(to->error, to->bytes,
                 "%s is in use by another process; stop that one, or use another directory", root);
    return STORE_LOCKED;
}

/* What root makes in a directory of somebody else's is his: else the service, which runs as him,
 * could not open it. SQLite does the same with its log. */
static void give_to_owner(int file, const char *root)
{
    struct stat status;
    if (geteuid() == 0 && stat(root, &status) == 0 && status.st_uid != 0 &&
        fchown(file, status.st_uid, status.st_gid) != 0)
        return; /* told when he opens it */
}

/* The lock goes with the descriptor: the kernel lifts it whichever way the process ends. The file
 * stays. */
static enum store_result take_lock(struct sqlite_store *s, const char *root,
                                   const struct trouble *to)
{
    char path[PATH_MAX + 16], text[32];
    snprintf(path, sizeof path, "%s/revhook.lock", root);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return trouble_errno(to, "open", path);
    give_to_owner(s->lock, root);
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? locked(s->lock, root, to) : trouble_errno(to, "lock", path);
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(s->lock, 0) != 0 || pwrite(s->lock, text, (size_t)length, 0) != length)
        return trouble_errno(to, "write", path);
    return STORE_OK;
}

/* Makes the file before SQLite does, so that nobody else may read it; the log and its index take
 * over its mode. */
static enum store_result make_file(struct sqlite_store *s, const char *root,
                                   const struct trouble *to)
{
    size_t bytes = strlen(root) + sizeof "/revhook.db";
    s->path = store_alloc(bytes);
    snprintf(s->path, bytes, "%s/revhook.db", root);
    int file = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return trouble_errno(to, "open", s->path);
    give_to_owner(file, root);
    close(file);
    int directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || fsync(directory) != 0) {
        enum store_result result = trouble_errno(to, "sync", root);
        if (directory >= 0)
            close(directory);
        return result;
    }
    close(directory);
    return STORE_OK;
}

static enum store_result trouble_sqlite(struct sqlite_store *s, const char *what,
                                        const struct trouble *to)
{
    int code = sqlite3_errcode(s->db);
    snprintf(to->error, to->bytes, "cannot %s %s: %s", what, s->path, sqlite3_errmsg(s->db));
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? STORE_CORRUPT
                                                           : store_sqlite_result(s->db);
}

/* What the writing connection needs beyond sqlite_connect; only for a database that is known to be
 * ours. */
static int configure(struct sqlite_store *s)
{
    char sql[256];
    snprintf(
        sql, sizeof sql,
        "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864;"
        "PRAGMA cache_size = -16384",
        PAGE_BYTES);
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    sqlite3_wal_hook(s->db, sqlite_note_log, s);
    return code;
}

static enum store_result read_meta(struct sqlite_store *s, const struct trouble *to)
{
    sqlite3_stmt *meta = NULL;
    static const char sql[] =
        "SELECT mono_ms, wall_us, boot, next_event, next_delivery, listed, typed,"
        " (SELECT coalesce(max(key), 0) + 1 FROM event),"
        " (SELECT coalesce(max(key), 0) + 1 FROM delivery) FROM meta WHERE id = 1";
    int code = sqlite3_prepare_v2(s->db, sql, -1, &meta, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(meta);
    if (code != SQLITE_ROW) {
        enum store_result result = trouble_sqlite(s, "read", to);
        if (code == SQLITE_DONE) { /* every store has this row */
            snprintf(to->error, to->bytes, "cannot read %s: its table meta is empty", s->path);
            result = STORE_CORRUPT;
        }
        sqlite3_finalize(meta);
        return result;
    }
    s->base.last = (struct instant){sqlite3_column_int64(meta, 0), sqlite3_column_int64(meta, 1)};
    struct store_bytes boot = sqlite_bytes(meta, 2);
    snprintf(s->base.boot, sizeof s->base.boot, "%.*s", (int)boot.bytes, boot.at);
    s->next_event = sqlite3_column_int64(meta, 3);
    s->next_delivery = sqlite3_column_int64(meta, 4);
    s->listed = sqlite3_column_int64(meta, 5);
    s->typed = sqlite3_column_int64(meta, 6);
    if (s->next_event < sqlite3_column_int64(meta, 7)) /* somebody has written by hand */
        s->next_event = sqlite3_column_int64(meta, 7);
    if (s->next_delivery < sqlite3_column_int64(meta, 8))
        s->next_delivery = sqlite3_column_int64(meta, 8);
    s->next_event_committed = s->next_event;
    s->next_delivery_committed = s->next_delivery;
    sqlite3_finalize(meta);
    return STORE_OK;
}

static enum store_result open_database(struct sqlite_store *s, const struct trouble *to)
{
    if (sqlite_connect(s->path, SQLITE_OPEN_READWRITE, &s->db) != SQLITE_OK)
        return trouble_sqlite(s, "open", to);
    sqlite3_busy_timeout(s->db, WRITER_WAIT_MS);
    char why[200];
    int version = 0;
    enum store_result result = store_schema_version(s->db, &version, why, sizeof why);
    if (result == STORE_OK) {
        if (configure(s) != SQLITE_OK)
            return trouble_sqlite(s, "set up", to);
        result = store_migrate(s->db, version, why, sizeof why);
    }
    if (result != STORE_OK) {
        snprintf(to->error, to->bytes, "cannot open %s: %s", s->path, why);
        return result;
    }
    result = read_meta(s, to);
    if (result != STORE_OK)
        return result;
    if (sqlite_prepare_all(s->db, sqlite_write_sql, s->statements, WRITE_COUNT) != SQLITE_OK)
        return trouble_sqlite(s, "read", to);
    return STORE_OK;
}

enum store_result store_open_sqlite(const struct store_options *options, struct store **store,
                                    char *error, size_t error_bytes)
{
    struct trouble to = {error, error_bytes};
    char root[PATH_MAX];
    struct sqlite_store *s = store_alloc(sizeof *s);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* no count, so no lock, around each allocation */
    s->lock = -1;
    s->answer_bytes_max = options->answer_bytes_max;
    s->list_step = LIST_STEP;
    s->list_lag = LIST_LAG;
    s->type_step = TYPE_STEP;
    *store = NULL;
    enum store_result result = open_directory(options->directory, root, &to);
    if (result == STORE_OK)
        result = take_lock(s, root, &to);
    if (result == STORE_OK)
        result = make_file(s, root, &to);
    if (result == STORE_OK)
        result = open_database(s, &to);
    if (result != STORE_OK) {
        sqlite_close(&s->base);
        return result;
    }
    s->base.ops = &sqlite_ops;
    *store = &s->base;
    return STORE_OK;
}
