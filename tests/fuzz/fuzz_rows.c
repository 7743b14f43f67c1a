/*
 * fuzz_rows.c - a store whose file was damaged: cells that hold something else, or bytes that
 * changed.
 *
 * A small store is made once. Each input damages a copy: with an even first byte it is a list of
 * cells and what to write into them, through SQLite; else of offsets in the file and bytes. Then
 * the store is opened as at a start, recovered, and read by every verb that lists. Checked for
 * every input:
 *   - opening ends well, or says why in words;
 *   - whatever is visited has states, reasons, outcomes and types that this program knows, spans
 *     that can be read to their end, and order where order is promised;
 *   - recovering a second time ends as the first time and visits the same rows;
 *   - of a webhook that is visited a configuration is made, or refused; nothing else happens;
 *   - where only cells were damaged, an event that is accepted and committed can be read back.
 */
#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatcher/hook.h"
#include "store/store.h"
#include "tests/fuzz/fuzz.h"

static char directory[64], path[96];
static uint8_t *whole; /* the file of the undamaged store */
static size_t whole_bytes;

static struct store_bytes bytes_of(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

/* ---- the undamaged store ---- */

static enum store_result open_store(struct store **store, char error[256])
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

static struct store_event event_row(void)
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
        struct store_event event = event_row();
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
    assert(open_store(&store, error) == STORE_OK);
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

/* ---- damage ---- */

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

static void damage(const uint8_t *data, size_t bytes, bool by_cells)
{
    size_t at = 1;
    FILE *file = fopen(path, "wb");
    assert(file != NULL && fwrite(whole, 1, whole_bytes, file) == whole_bytes);
    for (; !by_cells && at + 4 <= bytes; at += 4) {
        size_t offset = (data[at] << 16 | data[at + 1] << 8 | data[at + 2]) % whole_bytes;
        fseek(file, (long)offset, SEEK_SET);
        fputc(data[at + 3], file);
    }
    fclose(file);
    if (!by_cells)
        return;
    sqlite3 *db;
    assert(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous=OFF; BEGIN", NULL, NULL, NULL);
    while (at + 4 <= bytes)
        at += damage_cell(db, data + at, bytes - at);
    assert(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    assert(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

/* ---- reading ---- */

/* What a listing has shown. */
struct seen {
    uint64_t hash;
    int64_t key;
    mono_ms due;
};

static void add(struct seen *seen, const void *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        seen->hash = (seen->hash ^ ((const uint8_t *)at)[i]) * UINT64_C(0x100000001b3);
}

static void look_webhook(struct seen *seen, const struct store_webhook *row)
{
    const struct store_bytes *texts[] = {&row->id,      &row->org,      &row->partition,
                                         &row->url,     &row->target,   &row->secret,
                                         &row->headers, &row->signature};
    assert(row->status.state < WEBHOOK_STATE_COUNT && row->status.reason < REASON_COUNT);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        add(seen, texts[i]->at, texts[i]->bytes);
    add(seen, &row->key, sizeof(row->key));
    add(seen, &row->status.state, sizeof(row->status.state));
    struct webhook_config *config = webhook_config_from_row(row, "don:x");
    assert(config == NULL || config->header_count <= WEBHOOK_HEADERS_MAX);
    webhook_config_drop(config);
}

static bool see_recovered(void *context, const struct store_webhook *row, bool has_open)
{
    assert(row->status.state != WEBHOOK_DELETED);
    look_webhook(context, row);
    add(context, &has_open, sizeof(has_open));
    return true;
}

static bool see_webhook(void *context, const struct store_webhook *row)
{
    look_webhook(context, row);
    return true;
}

static bool see_event(void *context, const struct store_event *row)
{
    struct seen *seen = context;
    assert((unsigned)row->type < EVENT_TYPE_COUNT);
    assert(seen->key == 0 || row->key < seen->key);
    seen->key = row->key;
    add(seen, row->payload.at, row->payload.bytes);
    return true;
}

static bool see_delivery(void *context, const struct store_delivery *row)
{
    struct seen *seen = context;
    assert(row->state < DELIVERY_STATE_COUNT && row->reason < REASON_COUNT);
    assert(row->webhook_state < WEBHOOK_STATE_COUNT && (unsigned)row->type < EVENT_TYPE_COUNT);
    assert(seen->key == 0 || row->key < seen->key);
    seen->key = row->key;
    add(seen, row->webhook_id.at, row->webhook_id.bytes);
    return true;
}

static bool see_attempt(void *context, const struct store_attempt *row)
{
    assert(row->outcome < OUTCOME_COUNT);
    add(context, row->answer.at, row->answer.bytes);
    return true;
}

static bool see_pending(void *context, const struct store_pending *row)
{
    struct seen *seen = context;
    assert((unsigned)row->type < EVENT_TYPE_COUNT && row->due != MONO_NEVER);
    assert(row->due > seen->due || (row->due == seen->due && row->key > seen->key));
    seen->due = row->due;
    seen->key = row->key;
    add(seen, row->payload.at, row->payload.bytes);
    return true;
}

static void read_lists(struct store_reader *reader)
{
    struct store_bytes org = bytes_of("dev0");
    struct seen seen = {0};
    store_webhook_list(reader, org, see_webhook, &seen);
    for (int type = -1; type <= EVENT_work_created; type += EVENT_work_created + 1) {
        seen.key = 0;
        store_event_list(reader, org, 0, type, 100, see_event, &seen);
    }
    for (int state = -1; state < DELIVERY_STATE_COUNT; state++) {
        struct store_delivery_filter filter = {.org = org, .state = state, .limit = 100};
        if (state == DELIVERY_IN_FLIGHT) /* nothing that a store knows */
            continue;
        seen.key = 0;
        store_delivery_list(reader, &filter, see_delivery, &seen);
    }
    for (int64_t key = 1; key <= 12; key++)
        store_attempt_list(reader, key, see_attempt, &seen);
}

/* An event that is accepted now is there afterwards. */
static void accept_one(struct store *store, struct store_reader *reader, bool must_hold)
{
    struct store_event event = event_row();
    struct store_target target = {1, 5000, DELIVERY_PENDING, REASON_none};
    struct seen seen = {0};
    bool accepted =
        store_begin(store) == STORE_OK && store_accept(store, &event, &target, 1) == STORE_OK &&
        store_commit(store, (struct instant){2000, 1700000000000001}, "boot-1") == STORE_OK;
    if (!accepted) {
        store_rollback(store);
        return;
    }
    enum store_result result =
        store_event_get(reader, bytes_of("dev0"), event.key, event.salt, see_event, &seen);
    assert(!must_hold || (result == STORE_OK && seen.key == event.key));
}

static void read_store(struct store *store, bool by_cells)
{
    struct seen first = {0}, second = {0};
    enum store_result result = store_recover(store, see_recovered, &first);
    assert(store_recover(store, see_recovered, &second) == result);
    assert(!by_cells || first.hash == second.hash);
    for (int64_t webhook = 1; webhook <= WEBHOOK_STATE_COUNT; webhook++) {
        struct seen seen = {.due = INT64_MIN};
        bool more;
        store_pending_after(store, webhook, INT64_MIN, 0, 100, see_pending, &seen, &more);
    }
    struct store_reader *reader = store_reader_open(store);
    if (reader != NULL) {
        read_lists(reader);
        accept_one(store, reader, by_cells);
    }
    store_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct store *store;
    char error[256] = "";
    if (bytes < 5)
        return 0;
    if (whole == NULL)
        make_store();
    bool by_cells = data[0] % 2 == 0;
    remove_all();
    damage(data, bytes, by_cells);
    if (open_store(&store, error) != STORE_OK) {
        assert(store == NULL && error[0] != '\0');
        return 0;
    }
    read_store(store, by_cells);
    store_close(store);
    return 0;
}
