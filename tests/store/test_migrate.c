/* From the first version of the schema to this one: an empty store, one with data, one that cannot
 * be brought to the end. */
#include "sqlite_fixture.h"

#include "sqlite_0001.h"
#include "sqlite_0002.h"
#include "sqlite_0003.h"
#include "sqlite_0004.h"

#include <openssl/sha.h>

/* What a service of version 1 has left: a webhook of the one organisation, an event, a delivery
 * that is open and one that has ended with its attempt, an idempotency key, and a clock. */
static const char data_of_version_1[] =
    "UPDATE meta SET mono_ms = 77, wall_us = 1700000000000077, boot = 'boot-0', next_event = 3,"
    " next_delivery = 4;"
    "INSERT INTO webhook VALUES (1, 'oldhook1', 'dev0', 'https://a.example/', 'https://a.example/',"
    " x'3031323334353637', 'x-a: b' || char(10), '', 'work_created', 'active', NULL, 1, 1, 0, 1, 5,"
    " 6, 0, NULL, NULL, 7, 8, 'svcacc/1', 'svcacc/1');"
    "INSERT INTO event VALUES (2, 7, 'dev0', 'work_created', 9, 2, 2, NULL, '{\"work\":{}}');"
    "INSERT INTO delivery VALUES (2, 2, 1, 0, NULL, 0, 100, NULL, NULL),"
    " (3, 2, 1, 3, NULL, 1, NULL, NULL, NULL);"
    "INSERT INTO attempt VALUES (3, 1, 0, NULL, 200, 10, 11, 'ok');"
    "INSERT INTO idempotency VALUES ('dev0', x'6b', zeroblob(32), 2, 1, 0, 1000000);";

/* A store of version 1 in place of the one that the set-up has made. */
static void make_version_1(struct world *w, const char *data)
{
    char path[128], marks[128];
    sqlite3 *db;
    world_close(w);
    world_file(w, "revhook.db-wal", path);
    unlink(path);
    world_file(w, "revhook.db-shm", path);
    unlink(path);
    world_file(w, "revhook.db", path);
    assert_int_equal(unlink(path), 0);
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = 1",
             STORE_APPLICATION_ID);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sqlite_0001_sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, data, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, marks, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int append(void *ctx, int columns, char **values, char **names)
{
    char *end = (char *)ctx + strlen(ctx);
    (void)names;
    for (int i = 0; i < columns; i++)
        end += snprintf(end, 4096, "%s|", values[i] != NULL ? values[i] : "NULL");
    return 0;
}

/* Every table and index, with the columns of each. */
static void write_schema(struct world *w, char schema[65536])
{
    schema[0] = 0;
    assert_int_equal(
        sqlite3_exec(
            connection(w),
            "SELECT m.type, m.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk"
            " FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c"
            " ORDER BY m.type, m.name, c.cid",
            append, schema, NULL),
        SQLITE_OK);
}

static void an_empty_store_becomes_like_a_new_one(void **state)
{
    struct world *w = *state;
    static char new[65536], migrated[65536];
    write_schema(w, new);
    assert_non_null(strstr(new, "table|webhook|24|partition|"));
    make_version_1(w, "");
    world_open(w);
    write_schema(w, migrated);
    assert_string_equal(migrated, new);
    assert_int_equal(ask(connection(w), "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    assert_integrity(w);
}

static bool see_webhook(void *ctx, const struct store_webhook *row)
{
    *(int *)ctx += 1;
    assert_bytes(row->id, "oldhook1");
    assert_bytes(row->org, "dev0");
    assert_bytes(row->partition, "dvrv-us-1");
    assert_bytes(row->url, "https://a.example/");
    assert_bytes(row->secret, "01234567");
    assert_bytes(row->headers, "x-a: b\n");
    assert_bytes(row->created_by, "svcacc/1");
    assert_int_equal(row->status.state, WEBHOOK_ACTIVE);
    assert_true(event_set_has(&row->event_types, EVENT_work_created));
    return true;
}

static bool see_org(void *ctx, const struct store_org *row)
{
    *(int *)ctx += 1;
    assert_bytes(row->id, "dev0");
    return true;
}

static void assert_data_of_version_1(struct world *w)
{
    struct instant last;
    char boot[64];
    int webhooks = 0, orgs = 0;
    uint64_t open;
    assert_int_equal(store_last_commit(w->store, &last, boot), STORE_OK);
    assert_int_equal(last.mono, 77);
    assert_string_equal(boot, "boot-0");
    assert_int_equal(store_webhook_list(w->reader, org, see_webhook, &webhooks), STORE_OK);
    assert_int_equal(store_org_list(w->reader, see_org, &orgs), STORE_OK);
    assert_int_equal(webhooks, 1);
    assert_int_equal(orgs, 1);
    assert_int_equal(store_open_count(w->store, &open), STORE_OK);
    assert_int_equal(open, 1);
    assert_keys(events(w, org, 0, -1, 10), 1, INT64_C(2));
    assert_keys(events(w, org, 0, EVENT_work_created, 10), 1, INT64_C(2));
    assert_keys(events(w, org, 0, EVENT_work_updated, 10), 0);
    assert_keys(list(w, 1, 0, -1), 2, INT64_C(3), INT64_C(2));
    assert_int_equal(delivery(w, 3).state, DELIVERY_DELIVERED);
    assert_int_equal(delivery(w, 2).due, 100);
}

static void what_a_store_holds_stays(void **state)
{
    struct world *w = *state;
    struct store_idempotency found;
    make_version_1(w, data_of_version_1);
    world_open(w);
    assert_data_of_version_1(w);
    begin(w);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 78, &found), STORE_OK);
    assert_int_equal(found.first_event, 2);
    record(w, 2, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    struct store_event event = event_row(7, EVENT_work_created);
    assert_int_equal(store_accept(w->store, &event, NULL, 0), STORE_OK);
    assert_int_equal(event.key, 3); /* as the version before would have gone on */
    store_rollback(w->store);
    world_restart(w); /* and once it is migrated nothing is done again */
    assert_data_of_version_1(w);
    assert_integrity(w);
}

static void a_step_that_fails_changes_nothing(void **state)
{
    struct world *w = *state;
    char error[256] = "", path[128];
    struct store *store;
    sqlite3 *db;
    make_version_1(w, "CREATE TABLE token(in_the_way)"); /* by hand */
    assert_int_not_equal(world_try_open(w, &store, error), STORE_OK);
    assert_non_null(strstr(error, "table token already exists"));
    world_file(w, "revhook.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(ask(db, "PRAGMA user_version"), 1);
    assert_int_equal(ask(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'org'"), 0);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE token", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    world_open(w); /* the next start goes on from there */
    assert_int_equal(ask(connection(w), "PRAGMA user_version"), STORE_SCHEMA_VERSION);
}

/* A version that was applied somewhere is history: what is to be different needs a version of its
 * own, or stores that have it already are broken by the next program. */
static void versions_do_not_change(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *sha256;
    } versions[] = {
        {sqlite_0001_sql, "8c8d788f3fd1f030b65d9569a13bad1e8df23af76654ec026046ca31fb5f1ec0"},
        {sqlite_0002_sql, "dd85ca334e36413e5725427568f3124e325d7b693b720659fce01cabff9a5523"},
        {sqlite_0003_sql, "209378d193f46a211e7c949f746cc79add8ece07c31b1a0abd2401e1dd810b3a"},
        {sqlite_0004_sql, "4b4cdf46a6fd8112d3d8fc82a49e4a3835cb3a4437f1332ab0f6ab50c958e737"},
    };
    assert_int_equal(sizeof(versions) / sizeof(versions[0]), STORE_SCHEMA_VERSION);
    for (int i = 0; i < STORE_SCHEMA_VERSION; i++) {
        unsigned char digest[SHA256_DIGEST_LENGTH];
        char text[2 * SHA256_DIGEST_LENGTH + 1];
        SHA256((const unsigned char *)versions[i].sql, strlen(versions[i].sql), digest);
        for (int k = 0; k < SHA256_DIGEST_LENGTH; k++)
            snprintf(text + 2 * k, 3, "%02x", digest[k]);
        assert_string_equal(text, versions[i].sha256);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(an_empty_store_becomes_like_a_new_one),
        ONE(what_a_store_holds_stays),
        ONE(a_step_that_fails_changes_nothing),
        cmocka_unit_test(versions_do_not_change),
    };
    return cmocka_run_group_tests_name("store: migration", tests, NULL, NULL);
}
