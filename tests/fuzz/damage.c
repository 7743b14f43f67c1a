/* A store that was damaged, see damage.h.
 *
 * Owns: one small store with something in every table, kept in memory as the bytes of its file; a
 * folder for the copy of each input, in memory where there is /dev/shm, which goes away with the
 * process. Refuses: to know what a store makes of the damage. */
#include "tests/fuzz/damage.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[64], path[96];
static uint8_t *whole; /* the file of the undamaged store */
static size_t whole_bytes;

enum store_result damage_open(struct store **store, char error[256])
{
    struct store_options options = {.directory = directory, .answer_bytes_max = 64};
    return store_open_sqlite(&options, store, error, 256);
}

static void add_webhook(struct store *store, enum webhook_state state)
{
    char id[16];
    snprintf(id, sizeof(id), "hook%d", state);
    struct store_webhook row = {.id = bytes_of(id),
                                .org = bytes_of("dev0"),
                                .partition = bytes_of("dvrv-us-1"),
                                .url = bytes_of("https://a.example/x"),
                                .target = bytes_of("https://a.example/x"),
                                .secret = bytes_of("first-secret"),
                                .headers = bytes_of("X-One: 1\nX-Two: two\n"),
                                .signature = bytes_of("encoding=base64"),
                                .status = {.state = (uint8_t)state,
                                           .verified = true,
                                           .generation = 1,
                                           .verify_next = MONO_NEVER,
                                           .verify_until = MONO_NEVER}};
    event_set_add(&row.event_types, EVENT_work_created);
    assert(store_webhook_insert(store, &row) == STORE_OK);
}

struct store_event damage_event_row(void)
{
    return (struct store_event){.salt = 7,
                                .org = bytes_of("dev0"),
                                .type = EVENT_work_created,
                                .payload = bytes_of("{\"work\":{\"id\":\"ISS-1\"}}"),
                                .created_us = 1700000000000000,
                                .object = 5,
                                .object_alias = 6};
}

static void fill(struct store *store)
{
    assert(store_begin(store) == STORE_OK);
    for (int state = 0; state < WEBHOOK_STATE_COUNT; state++)
        add_webhook(store, (enum webhook_state)state);
    for (int i = 0; i < 4; i++) {
        struct store_event event = damage_event_row();
        struct store_target targets[] = {{1, 1000 + i, DELIVERY_PENDING, REASON_none},
                                         {2, 1000, DELIVERY_PENDING, REASON_none},
                                         {3, MONO_NEVER, DELIVERY_FAILED, REASON_webhook_degraded}};
        struct store_record record = {.attempt = {.outcome = OUTCOME_http_status,
                                                  .http_status = 500,
                                                  .answer = bytes_of("no")},
                                      .state = DELIVERY_PENDING,
                                      .due = 31000};
        assert(store_accept(store, &event, targets, 3) == STORE_OK);
        record.delivery = event.first_delivery;
        assert(store_record(store, &record) == STORE_OK);
    }
    struct store_token token = {.org = bytes_of("dev0"), .name = bytes_of("t"), .scopes = 1};
    assert(store_token_insert(store, &token) == STORE_OK);
    assert(store_commit(store, (struct instant){1000, 1700000000000000}, "boot-1") == STORE_OK);
}

static void remove_all(void)
{
    static const char *const names[] = {"revhook.db", "revhook.db-wal", "revhook.db-shm",
                                        "revhook.lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s/%s", directory, names[i]);
        unlink(name);
    }
}

static void remove_directory(void)
{
    remove_all();
    rmdir(directory);
    free(whole);
}

static void make_store(void)
{
    struct store *store;
    char error[256];
    snprintf(directory, sizeof(directory), "%s/revhook-rows-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    snprintf(path, sizeof(path), "%s/revhook.db", directory);
    assert(damage_open(&store, error) == STORE_OK);
    fill(store);
    store_close(store);
    /* what the log holds goes into the file, so that the file alone is the store */
    sqlite3 *db;
    assert(sqlite3_open(path, &db) == SQLITE_OK);
    assert(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    FILE *file = fopen(path, "rb");
    assert(file != NULL && fseek(file, 0, SEEK_END) == 0);
    whole_bytes = (size_t)ftell(file);
    whole = malloc(whole_bytes);
    rewind(file);
    assert(whole != NULL && fread(whole, 1, whole_bytes, file) == whole_bytes);
    fclose(file);
}

static const char *const cells[] = {
    "webhook.id",
    "webhook.org",
    "webhook.url",
    "webhook.target",
    "webhook.secret",
    "webhook.headers",
    "webhook.signature",
    "webhook.event_types",
    "webhook.state",
    "webhook.reason",
    "webhook.verified",
    "webhook.generation",
    "webhook.verify_count",
    "webhook.verify_since",
    "webhook.verify_next",
    "webhook.verify_until",
    "webhook.partition",
    "webhook.consecutive_failures",
    "event.salt",
    "event.org",
    "event.type",
    "event.first_delivery",
    "event.delivery_count",
    "event.object",
    "event.payload",
    "event.created_us",
    "delivery.event",
    "delivery.webhook",
    "delivery.state",
    "delivery.reason",
    "delivery.ended",
    "delivery.due",
    "delivery.attempt_count",
    "delivery.listed",
    "attempt.outcome",
    "attempt.http_status",
    "attempt.answer",
    "attempt.duration_ms",
    "attempt.started_us",
    "object.event",
    "object.stands_for",
    "object.payload",
    "meta.mono_ms",
    "meta.next_event",
    "meta.next_delivery",
    "meta.listed",
    "meta.typed",
    "meta.boot",
    "token.scopes",
    "token.hash",
    "token.org",
    "org.id",
    "org.partition",
    "event_of_type.type",
};

/* Takes one cell off the input: which, in which row, as what kind, how many bytes; then the bytes.
 */
static size_t damage_cell(sqlite3 *db, const uint8_t *at, size_t bytes)
{
    const char *cell = cells[at[0] % (sizeof(cells) / sizeof(cells[0]))], *dot = strchr(cell, '.');
    size_t length = at[3] < bytes - 4 ? at[3] : bytes - 4;
    int64_t number = 0;
    char sql[160];
    sqlite3_stmt *statement;
    bool keyed = strncmp(cell, "webhook", 7) == 0 || strncmp(cell, "event.", 6) == 0 ||
                 strncmp(cell, "delivery", 8) == 0;
    snprintf(sql, sizeof(sql), "UPDATE OR IGNORE %.*s SET %s = ?1 %s", (int)(dot - cell), cell,
             dot + 1, keyed ? "WHERE key = ?2" : "");
    assert(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
    memcpy(&number, at + 4, length < 8 ? length : 8);
    switch (at[2] % 4) {
    case 0: sqlite3_bind_null(statement, 1); break;
    case 1: sqlite3_bind_int64(statement, 1, number); break;
    case 2:
        sqlite3_bind_text(statement, 1, (const char *)at + 4, (int)length, SQLITE_STATIC);
        break;
    default: sqlite3_bind_blob(statement, 1, at + 4, (int)length, SQLITE_STATIC);
    }
    if (keyed)
        sqlite3_bind_int64(statement, 2, at[1] % 13);
    sqlite3_step(statement); /* what a constraint does not allow cannot come to be */
    sqlite3_finalize(statement);
    return 4 + length;
}

bool damage_store(const uint8_t *data, size_t bytes)
{
    bool by_cells = data[0] % 2 == 0;
    size_t at = 1;
    if (whole == NULL)
        make_store();
    remove_all();
    FILE *file = fopen(path, "wb");
    assert(file != NULL && fwrite(whole, 1, whole_bytes, file) == whole_bytes);
    for (; !by_cells && at + 4 <= bytes; at += 4) {
        size_t offset = (data[at] << 16 | data[at + 1] << 8 | data[at + 2]) % whole_bytes;
        fseek(file, (long)offset, SEEK_SET);
        fputc(data[at + 3], file);
    }
    fclose(file);
    if (!by_cells)
        return false;
    sqlite3 *db;
    assert(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous=OFF; BEGIN", NULL, NULL, NULL);
    while (at + 4 <= bytes)
        at += damage_cell(db, data + at, bytes - at);
    assert(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    assert(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    return true;
}
