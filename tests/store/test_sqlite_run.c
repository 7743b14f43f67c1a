/* The SQLite store at work: plans, the log, a full disk, readers beside the writer, kill -9. */
#include "sqlite_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- plans and the log ---- */

/* These read a table from end to end because they are asked for all of it, or walk the array in
 * their parameter. */
static bool may_scan(const char *detail)
{
    static const char *const fine[] = {"SCAN w",
                                       "SCAN delivery USING COVERING INDEX delivery_open",
                                       "SCAN json_each VIRTUAL TABLE",
                                       "SCAN org",
                                       "SCAN token",
                                       "SCAN CONSTANT ROW"};
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
    assert_in_range(log_bytes(w), 1, 9 << 20); /* 8 MiB and a commit */
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

static void step_that_fails_is_told_and_comes_again(void **state)
{
    struct world *w = *state;
    begin(w);
    accept_one(w, add_webhook(w, WEBHOOK_ACTIVE), 50);
    commit(w);
    ((struct sqlite_store *)w->store)->type_step = 1; /* one event is enough */
    assert_int_equal(sqlite3_exec(connection(w), "PRAGMA query_only = ON", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(store_tend(w->store), STORE_FAILED);
    assert_non_null(strstr(store_error(w->store), "readonly"));
    assert_int_equal(sqlite3_exec(connection(w), "PRAGMA query_only = OFF", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(ask(connection(w), "SELECT count(*) FROM event_of_type"), 0);
    assert_int_equal(store_tend(w->store), STORE_OK);
    assert_int_equal(ask(connection(w), "SELECT count(*) FROM event_of_type"), 1);
}

/* 16 events, `each` of them to a commit; how many are in event_of_type then. */
static int typed_after(struct world *w, int64_t webhook, int each)
{
    for (int i = 0; i < 16; i++) {
        if (i % each == 0)
            begin(w);
        accept_one(w, webhook, 50);
        if (i % each == each - 1) {
            commit(w);
            assert_int_equal(store_tend(w->store), STORE_OK);
        }
    }
    return ask(connection(w), "SELECT count(*) FROM event_of_type");
}

static void steps_are_longer_where_commits_are_large(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    ((struct sqlite_store *)w->store)->type_step = 10;
    assert_int_equal(typed_after(w, webhook, 16), 0); /* 20 at once now */
    assert_int_equal(typed_after(w, webhook, 1), 30); /* 10, as soon as they are small */
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
    struct store_reader *reader = store_reader_open(side->store, NULL, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(every_statement_uses_an_index),
        ONE(log_begins_again),
        ONE(walk_gives_up_and_merges),
        ONE(full_disk_passes),
        ONE(step_that_fails_is_told_and_comes_again),
        ONE(steps_are_longer_where_commits_are_large),
        ONE(readers_see_whole_transactions),
        ONE(kill_loses_nothing_that_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
