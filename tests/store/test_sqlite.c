/* What only the SQLite store has: files, lock, versions, damage, plans, a full disk, and kill -9.
 */
#define _GNU_SOURCE
#include "fixture.h"

#include "store/migrate.h"
#include "store/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static sqlite3 *connection(struct world *w)
{
    return ((struct sqlite_store *)w->store)->db;
}

/* The first column of the first row. */
static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void assert_text(sqlite3 *db, const char *sql, const char *expected)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), expected);
    sqlite3_finalize(statement);
}

static void assert_integrity(struct world *w)
{
    assert_text(connection(w), "PRAGMA integrity_check", "ok");
}

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

static void settings_are_as_they_must_be(void **state)
{
    struct world *w = *state;
    sqlite3 *db[] = {connection(w), ((struct sqlite_reader *)w->reader)->db};
    for (int i = 0; i < 2; i++) {
        int no_checkpoint = 0;
        assert_text(db[i], "PRAGMA journal_mode", "wal");
        assert_int_equal(ask(db[i], "PRAGMA synchronous"), 2); /* FULL */
        assert_int_equal(ask(db[i], "PRAGMA page_size"), 8192);
        assert_int_equal(ask(db[i], "PRAGMA wal_autocheckpoint"), 0);
        assert_int_equal(ask(db[i], "PRAGMA mmap_size"), 0);
        assert_int_equal(ask(db[i], "PRAGMA secure_delete"), 0);
        assert_int_equal(
            sqlite3_db_config(db[i], SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &no_checkpoint),
            SQLITE_OK);
        assert_int_equal(no_checkpoint, 1);
        assert_int_equal(sqlite3_db_readonly(db[i], "main"), i);
        assert_int_equal(ask(db[i], "PRAGMA application_id"), STORE_APPLICATION_ID);
        assert_int_equal(ask(db[i], "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    }
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
    edit(w, "PRAGMA user_version = 2");
    assert_refused(w, STORE_NEWER, "newer revhook (schema 2, this program knows up to 1)");
    edit(w, "PRAGMA user_version = 1"); /* it was left alone, and the lock was given back */
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
    commit(w);
    begin(w);
    row.secret = text("");
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

/* ---- plans and the log ---- */

/* These read a table from end to end because they are asked for all of it, or walk the array in
 * their parameter. */
static bool may_scan(const char *detail)
{
    static const char *const fine[] = {"SCAN w", "SCAN delivery USING COVERING INDEX delivery_open",
                                       "SCAN json_each VIRTUAL TABLE"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        if (strncmp(detail, fine[i], strlen(fine[i])) == 0)
            return true;
    return false;
}

static void assert_plan(sqlite3 *db, const char *sql)
{
    char explain[4096];
    sqlite3_stmt *statement;
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(statement, 3);
        if (strstr(detail, "TEMP B-TREE") != NULL ||
            (strstr(detail, "SCAN") != NULL && !may_scan(detail)))
            fail_msg("%s: %s", sql, detail);
    }
    sqlite3_finalize(statement);
}

static void every_statement_uses_an_index(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < WRITE_COUNT; i++)
        assert_plan(connection(w), sqlite_write_sql[i]);
    for (int i = 0; i < READ_COUNT; i++)
        assert_plan(connection(w), sqlite_read_sql[i]);
}

static off_t log_bytes(struct world *w)
{
    char path[128];
    struct stat status;
    world_file(w, "revhook.db-wal", path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void log_begins_again(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    static char payload[100000];
    memset(payload, 'x', sizeof payload);
    for (int i = 0; i < 300; i++) { /* 30 MB */
        struct store_event event = event_row(7, EVENT_work_created);
        struct store_target target = {webhook, 50, DELIVERY_PENDING, REASON_none};
        event.payload = (struct store_bytes){payload, sizeof payload};
        begin(w);
        assert_int_equal(store_accept(w->store, &event, &target, 1), STORE_OK);
        commit(w);
    }
    assert_in_range(log_bytes(w), 1, 6 << 20);
    off_t before = log_bytes(w);
    world_close(w);
    world_open(w);
    assert_int_equal(log_bytes(w), before); /* not removed by the last close, nor by a reader's */
    assert_integrity(w);
}

/* ---- lists among many rows of others ---- */

static void walk_gives_up_and_merges(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t mine = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t first = accept_one(w, mine, 50), second = accept_one(w, mine, 50);
    struct store_webhook other = webhook_row("other", text("dev1"));
    assert_int_equal(store_webhook_insert(w->store, &other), STORE_OK);
    for (int i = 0; i < 2500; i++) {
        struct store_event event = event_row(7, EVENT_work_updated);
        struct store_target target = {other.key, 50, DELIVERY_PENDING, REASON_none};
        event.org = text("dev1");
        assert_int_equal(store_accept(w->store, &event, &target, 1), STORE_OK);
    }
    commit(w);
    struct keys deliveries = list(w, 0, 0, -1), events = {.count = 0};
    assert_int_equal(deliveries.count, 2);
    assert_int_equal(deliveries.at[0], second);
    assert_int_equal(deliveries.at[1], first);
    assert_int_equal(store_event_list(w->reader, org, 0, -1, 10, collect_event, &events), STORE_OK);
    assert_int_equal(events.count, 2);
    assert_int_equal(events.at[0], 2);
    assert_int_equal(events.at[1], 1);
}

/* ---- a full disk ---- */

static void full_disk_passes(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    char limit[64];
    snprintf(limit, sizeof limit, "PRAGMA max_page_count = %ld",
             (long)ask(connection(w), "PRAGMA page_count") + 40);
    ask(connection(w), limit);
    static char payload[20000];
    memset(payload, 'x', sizeof payload);
    enum store_result result = STORE_OK;
    unsigned kept = 0;
    for (int i = 0; i < 100 && result == STORE_OK; i++) {
        begin(w);
        for (int k = 0; k < 3 && result == STORE_OK; k++) {
            struct store_event event = event_row(7, EVENT_work_created);
            struct store_target target = {webhook, 50, DELIVERY_PENDING, REASON_none};
            event.payload = (struct store_bytes){payload, sizeof payload};
            result = store_accept(w->store, &event, &target, 1);
        }
        if (result == STORE_OK)
            result = store_commit(w->store, w->now, "boot-1");
        kept += result == STORE_OK ? 3 : 0;
    }
    assert_int_equal(result, STORE_FULL);
    assert_non_null(strstr(store_error(w->store), "full"));
    assert_int_equal(store_commit(w->store, w->now, "boot-1"), STORE_FULL);
    store_rollback(w->store);
    assert_in_range(kept, 3, 99);
    assert_int_equal(list(w, webhook, 0, -1).count, kept);
    assert_int_equal(pending(w, webhook).count, kept);
    store_tend(w->store);

    ask(connection(w), "PRAGMA max_page_count = 1000000"); /* room again: it goes on by itself */
    begin(w);
    assert_int_equal(accept_one(w, webhook, 60), kept + 1);
    commit(w);
    assert_integrity(w);
    world_restart(w);
    assert_int_equal(pending(w, webhook).count, kept + 1);
}

/* ---- readers beside the writer ---- */

struct side {
    struct store *store;
    int stop;
    unsigned reads, torn;
};

/* Every transaction inserts ten deliveries and ends the ten before, so whoever sees a whole moment
 * sees whole tens. */
static void *read_aside(void *ctx)
{
    struct side *side = ctx;
    struct store_reader *reader = store_reader_open(side->store);
    while (reader != NULL && !__atomic_load_n(&side->stop, __ATOMIC_ACQUIRE)) {
        struct keys keys = {.count = 0};
        struct store_delivery_filter filter = {
            .org = org, .state = DELIVERY_DELIVERED, .limit = 500};
        if (store_delivery_list(reader, &filter, collect_delivery, &keys) != STORE_OK ||
            keys.count % 10 != 0)
            side->torn++;
        side->reads++;
    }
    store_reader_close(reader);
    return NULL;
}

static void readers_see_whole_transactions(void **state)
{
    struct world *w = *state;
    struct side side = {.store = w->store};
    pthread_t thread;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE), before[10] = {0};
    commit(w);
    assert_int_equal(pthread_create(&thread, NULL, read_aside, &side), 0);
    for (int i = 0; i < 100; i++) {
        begin(w);
        for (int k = 0; k < 10; k++) {
            if (i > 0)
                record(w, before[k], DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
            before[k] = accept_one(w, webhook, 50);
        }
        commit(w);
    }
    __atomic_store_n(&side.stop, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(side.reads > 0);
    assert_int_equal(side.torn, 0);
}

/* ---- kill -9 ---- */

enum { KILLS = 20 };

/* Accepts, records and settles, and tells each commit's last delivery through the pipe, until it is
 * killed. */
static void write_until_killed(struct world *w, int64_t webhook, int told)
{
    char error[256];
    int64_t before = 0;
    if (world_try_open(w, &w->store, error) != STORE_OK)
        _exit(1);
    for (;;) {
        int64_t key = 0;
        if (store_begin(w->store) != STORE_OK)
            _exit(2);
        for (int i = 0; i < 20; i++) {
            struct store_event event = event_row(7, EVENT_work_created);
            struct store_target target = {webhook, 50, DELIVERY_PENDING, REASON_none};
            if (store_accept(w->store, &event, &target, 1) != STORE_OK)
                _exit(3);
            key = event.first_delivery;
            struct store_record row =
                record_row(before, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
            if (before > 0 && store_record(w->store, &row) != STORE_OK)
                _exit(4);
            before = i % 2 ? key : 0;
        }
        if (store_commit(w->store, (struct instant){key, key}, "boot-1") != STORE_OK)
            _exit(5);
        if (write(told, &key, sizeof key) != sizeof key)
            _exit(6);
        store_tend(w->store);
    }
}

/* Waits for some commits to be told, kills, and reads what else was told. */
static int64_t kill_after(pid_t child, int told, unsigned commits)
{
    int64_t key, last = 0;
    for (unsigned i = 0; i < commits; i++) {
        struct pollfd ready = {.fd = told, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 20000), 1);
        assert_int_equal(read(told, &key, sizeof key), sizeof key);
        last = key;
    }
    kill(child, SIGKILL);
    while (read(told, &key, sizeof key) == sizeof key)
        last = key;
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return last;
}

static void kill_loses_nothing_that_was_told(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    world_close(w);
    for (int i = 0; i < KILLS; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_until_killed(w, webhook, ends[1]);
        }
        close(ends[1]);
        int64_t last = kill_after(child, ends[0], (unsigned)(i * 7) % 40 + 1);
        close(ends[0]);
        world_open(w); /* the lock of the dead is lifted */
        assert_integrity(w);
        int64_t kept = ask(connection(w), "SELECT max(key) FROM delivery");
        assert_true(kept >= last);
        assert_int_equal(kept % 20, 0); /* whole transactions only */
        assert_int_equal(ask(connection(w), "SELECT count(*) FROM delivery"), kept);
        assert_int_equal(ask(connection(w), "SELECT count(*) FROM event"), kept);
        assert_int_equal(ask(connection(w), "SELECT count(*) FROM attempt"),
                         ask(connection(w), "SELECT count(*) FROM delivery WHERE state = 3"));
        struct instant clock;
        char boot[64];
        assert_int_equal(store_last_commit(w->store, &clock, boot), STORE_OK);
        assert_int_equal(clock.mono, kept);
        world_close(w);
    }
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup_sqlite, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(files_are_private),
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
        ONE(every_statement_uses_an_index),
        ONE(log_begins_again),
        ONE(walk_gives_up_and_merges),
        ONE(full_disk_passes),
        ONE(readers_see_whole_transactions),
        ONE(kill_loses_nothing_that_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
