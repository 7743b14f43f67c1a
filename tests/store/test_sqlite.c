/* What only the SQLite store has: files, lock, versions, damage, words. How it runs is in
 * test_sqlite_run.c. */
#define _GNU_SOURCE
#include "sqlite_fixture.h"

#include <fcntl.h>
#include <sys/wait.h>

/* Runs SQL on the closed store. */
static void edit(struct world *w, const char *sql)
{
    char path[128];
    sqlite3 *db;
    world_file(w, "revhook.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_refused(struct world *w, enum store_result expected, const char *words)
{
    struct store *store = (struct store *)w;
    char error[256] = "";
    assert_int_equal(world_try_open(w, &store, error), expected);
    assert_null(store);
    if (strstr(error, words) == NULL)
        fail_msg("«%s» does not say «%s»", error, words);
}

/* ---- files and settings ---- */

static void files_are_private(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"revhook.db", "revhook.db-wal", "revhook.db-shm",
                                        "revhook.lock"};
    begin(w);
    add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    struct stat status;
    for (int i = 0; i < 4; i++) {
        char path[128];
        world_file(w, names[i], path);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    char inner[128], error[256];
    struct store *store;
    world_file(w, "inner", inner);
    struct store_options options = {.directory = inner};
    assert_int_equal(store_open_sqlite(&options, &store, error, sizeof error), STORE_OK);
    store_close(store);
    assert_int_equal(stat(inner, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    for (int i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", inner, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(inner), 0);
}

static void assert_settings(sqlite3 *db, bool readonly)
{
    int no_checkpoint = 0;
    assert_text(db, "PRAGMA journal_mode", "wal");
    assert_int_equal(ask(db, "PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(ask(db, "PRAGMA temp_store"), 2);  /* MEMORY: no file outside the folder */
    assert_int_equal(ask(db, "PRAGMA page_size"), 8192);
    assert_int_equal(ask(db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(ask(db, "PRAGMA mmap_size"), 0);
    assert_int_equal(ask(db, "PRAGMA secure_delete"), 0);
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &no_checkpoint),
                     SQLITE_OK);
    assert_int_equal(no_checkpoint, 1);
    assert_int_equal(sqlite3_db_readonly(db, "main"), readonly);
    assert_int_equal(ask(db, "PRAGMA application_id"), STORE_APPLICATION_ID);
    assert_int_equal(ask(db, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
}

static void settings_are_as_they_must_be(void **state)
{
    struct world *w = *state;
    assert_settings(connection(w), false);
    assert_settings(((struct sqlite_reader *)w->reader)->db, true);
}

static void scrubbing_leaves_the_settings_as_they_were(void **state)
{
    struct world *w = *state;
    begin(w);
    add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    assert_int_equal(store_scrub(w->store), STORE_OK);
    assert_settings(connection(w), false);
}

static void second_open_is_refused(void **state)
{
    struct world *w = *state;
    char words[64];
    snprintf(words, sizeof words, "is in use by process %ld; stop that one", (long)getpid());
    assert_refused(w, STORE_LOCKED, words);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* another process */
        char error[256];
        struct store *store;
        _exit(world_try_open(w, &store, error) == STORE_LOCKED && strstr(error, words) != NULL ? 0
                                                                                               : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    begin(w); /* and nothing has happened to the first */
    add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    world_restart(w);
}

static void wrong_directories_are_refused(void **state)
{
    struct world *w = *state;
    char error[256], path[128];
    struct store *store;
    world_file(w, "revhook.db", path);
    struct store_options options = {.directory = path};
    assert_int_equal(store_open_sqlite(&options, &store, error, sizeof error), STORE_FAILED);
    assert_non_null(strstr(error, "is not a directory"));
    options.directory = "/nowhere/at/all";
    assert_int_equal(store_open_sqlite(&options, &store, error, sizeof error), STORE_FAILED);
    assert_string_equal(error,
                        "cannot make the directory /nowhere/at/all: No such file or directory");
}

/* ---- versions and damage ---- */

static void newer_schema_is_refused(void **state)
{
    struct world *w = *state;
    world_close(w);
    edit(w, "PRAGMA user_version = 5");
    assert_refused(w, STORE_NEWER, "newer revhook (schema 5, this program knows up to 4)");
    edit(w, "PRAGMA user_version = 4"); /* it was left alone, and the lock was given back */
    world_open(w);
    assert_integrity(w);
}

static void foreign_database_is_refused(void **state)
{
    struct world *w = *state;
    char path[128];
    world_close(w);
    world_file(w, "revhook.db", path);
    assert_int_equal(unlink(path), 0);
    edit(w, "CREATE TABLE songs(name)");
    assert_refused(w, STORE_CORRUPT, "not one of revhook");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_text(db, "PRAGMA journal_mode", "delete"); /* untouched */
    assert_int_equal(ask(db, "SELECT count(*) FROM sqlite_schema"), 1);
    sqlite3_close(db);
}

static void fill(struct world *w, const char *name, const char *bytes, size_t count, off_t at)
{
    char path[128];
    world_file(w, name, path);
    int file = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, count, at), count);
    close(file);
}

static void damaged_file_is_refused(void **state)
{
    struct world *w = *state;
    char noise[8192], path[128];
    memset(noise, 0x5a, sizeof noise);
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    for (int i = 0; i < 2000; i++)
        accept_one(w, webhook, 50);
    commit(w);
    world_close(w); /* carries the log over */
    world_file(w, "revhook.db", path);
    world_file(w, "revhook.db-wal", path);
    unlink(path);
    world_file(w, "revhook.db", path);
    assert_int_equal(truncate(path, 3 * 8192), 0); /* cut off */
    assert_refused(w, STORE_CORRUPT, "malformed");
    fill(w, "revhook.db", noise, sizeof noise, 0); /* not even a header */
    assert_refused(w, STORE_CORRUPT, "not a database");
}

static void unknown_words_are_told(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t key = accept_one(w, webhook, 50);
    record(w, key, DELIVERY_PENDING, REASON_none, 60);
    commit(w);
    world_close(w);
    edit(w, "UPDATE event SET type = 'moon_landed'; UPDATE attempt SET outcome = 'eaten'");
    world_open(w);
    struct keys keys = {.count = 0};
    struct store_delivery row;
    bool more;
    assert_int_equal(store_pending_after(w->store, webhook, 0, 0, 9, collect_pending, &keys, &more),
                     STORE_FAILED);
    assert_non_null(
        strstr(store_error(w->store), "event 1 has a type that this program does not know"));
    assert_int_equal(store_delivery_get(w->reader, org, key, 7, copy_delivery, &row), STORE_FAILED);
    assert_non_null(strstr(store_reader_error(w->reader), "delivery 1 has a word"));
    assert_int_equal(store_event_list(w->reader, org, 0, -1, 5, collect_event, &keys),
                     STORE_FAILED);
    assert_int_equal(store_attempt_list(w->reader, key, NULL, NULL), STORE_FAILED);
    world_close(w);
    edit(w, "UPDATE webhook SET state = 'asleep'");
    world_open(w);
    assert_int_equal(store_recover(w->store, NULL, NULL), STORE_FAILED);
    assert_int_equal(store_webhook_list(w->reader, org, NULL, NULL), STORE_FAILED);
}

static void file_reads_in_words(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE), held = add_webhook(w, WEBHOOK_UNVERIFIED);
    struct webhook_status status = {.state = WEBHOOK_INACTIVE, .reason = REASON_degraded_too_long};
    record(w, accept_one(w, webhook, 50), DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    accept_one(w, webhook, 50);
    accept_one(w, held, 50);
    accept_one(w, webhook, MONO_NEVER);
    assert_int_equal(store_webhook_status(w->store, webhook, &status), STORE_OK);
    commit(w);
    assert_text(
        connection(w),
        "SELECT group_concat(state || ' ' || reason || ' ' || type, '; ') FROM delivery_words",
        "delivered none work_created; pending none work_created; held none work_created;"
        " failed webhook_degraded work_created");
    assert_text(connection(w),
                "SELECT state || ' ' || reason || ' ' || event_types FROM webhook WHERE key = 1",
                "inactive degraded_too_long work_created");
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        assert_in_range(strlen(event_type_name(type)), 1,
                        39); /* what the encoding of a set has room for */
}

static void replaced_secret_is_overwritten(void **state)
{
    struct world *w = *state;
    begin(w);
    struct store_webhook row = webhook_row("one", org);
    row.secret = text("THE-OLD-SECRET");
    assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    add_webhook(w, WEBHOOK_ACTIVE); /* a neighbour on the page */
    commit(w);
    begin(w);
    row.secret = text("");
    row.headers =
        text("x-long: so that the row finds no room where it was, and its old place is free\n");
    assert_int_equal(store_webhook_configure(w->store, &row), STORE_OK);
    commit(w);
    assert_int_equal(ask(connection(w), "PRAGMA secure_delete"), 0); /* off again for the rest */
    world_close(w);
    char path[128];
    world_file(w, "revhook.db", path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = calloc(1, 1 << 20);
    size_t count = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    assert_null(memmem(bytes, count, "THE-OLD-SECRET", 14));
    assert_non_null(memmem(bytes, count, "receiver.example", 16));
    free(bytes);
}

static bool first_answer(void *ctx, const struct store_attempt *row)
{
    *(size_t *)ctx = row->answer.bytes;
    return false;
}

static void answers_are_cut(void **state)
{
    struct world *w = *state;
    ((struct sqlite_store *)w->store)->answer_bytes_max = 1;
    begin(w);
    int64_t key = accept_one(w, add_webhook(w, WEBHOOK_ACTIVE), 50);
    record(w, key, DELIVERY_PENDING, REASON_none, 60);
    record(w, key, DELIVERY_PENDING, REASON_none, 60);
    commit(w);
    size_t bytes = 0;
    assert_int_equal(store_attempt_list(w->reader, key, first_answer, &bytes), STORE_OK);
    assert_int_equal(bytes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(files_are_private),
        ONE(scrubbing_leaves_the_settings_as_they_were),
        ONE(settings_are_as_they_must_be),
        ONE(second_open_is_refused),
        ONE(wrong_directories_are_refused),
        ONE(newer_schema_is_refused),
        ONE(foreign_database_is_refused),
        ONE(damaged_file_is_refused),
        ONE(unknown_words_are_told),
        ONE(file_reads_in_words),
        ONE(replaced_secret_is_overwritten),
        ONE(answers_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
