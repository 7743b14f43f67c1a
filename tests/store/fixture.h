/* What the store's tests share: a store of either back-end that can be opened, restarted and thrown
 * away, and short ways to say what is done to it. Every call that is expected to succeed is checked
 * here. */
#ifndef REVHOOK_TESTS_STORE_FIXTURE_H
#define REVHOOK_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"
#include "store/store_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    bool sqlite;
    char directory[64];
    struct store *store;
    struct store_reader *reader;
    struct instant now;
    int ids;
};

static inline struct store_bytes text(const char *at)
{
    return (struct store_bytes){at, strlen(at)};
}

static const struct store_bytes org = {"dev0", 4};

#define assert_bytes(bytes_, text_)                       \
    do {                                                  \
        struct store_bytes b_ = (bytes_);                 \
        assert_int_equal(b_.bytes, strlen(text_));        \
        assert_memory_equal(b_.at, text_, strlen(text_)); \
    } while (0)

static inline void world_file(const struct world *w, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", w->directory, name);
}

static inline enum store_result world_try_open(struct world *w, struct store **store,
                                               char error[256])
{
    struct store_options options = {.directory = w->directory,
                                    .answer_bytes_max = STORE_ANSWER_BYTES_MAX};
    return store_open_sqlite(&options, store, error, 256);
}

static inline void world_open(struct world *w)
{
    char error[256] = "";
    enum store_result result =
        w->sqlite ? world_try_open(w, &w->store, error) : store_open_memory(&w->store);
    if (result != STORE_OK)
        fail_msg("open: %s", error);
    w->reader = store_reader_open(w->store, NULL, 0);
    assert_non_null(w->reader);
}

static inline void world_close(struct world *w)
{
    store_reader_close(w->reader);
    store_close(w->store);
    w->reader = NULL;
    w->store = NULL;
}

/* The service stops and starts again: what was not committed is gone. */
static inline void world_restart(struct world *w)
{
    if (!w->sqlite) {
        store_memory_crash(w->store);
        return;
    }
    world_close(w);
    world_open(w);
}

static inline struct world *world_new(bool sqlite)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->sqlite = sqlite;
    w->now = (struct instant){1000, 1700000000000000};
    if (sqlite) {
        const char *base = getenv("TMPDIR");
        snprintf(w->directory, sizeof w->directory, "%.40s/revhook-XXXXXX",
                 base != NULL ? base : "/tmp");
        assert_non_null(mkdtemp(w->directory));
    }
    return w;
}

static inline void world_free(struct world *w)
{
    static const char *const names[] = {"revhook.db", "revhook.db-wal", "revhook.db-shm",
                                        "revhook.lock"};
    if (w->store != NULL)
        world_close(w);
    for (size_t i = 0; w->sqlite && i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        world_file(w, names[i], path);
        unlink(path);
    }
    if (w->sqlite)
        rmdir(w->directory);
    free(w);
}

static inline int setup_memory(void **state)
{
    *state = world_new(false);
    world_open(*state);
    return 0;
}

static inline int setup_sqlite(void **state)
{
    *state = world_new(true);
    world_open(*state);
    return 0;
}

static inline int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* One test over both back-ends. */
#define BOTH(test)                                            \
    {#test " (memory)", test, setup_memory, teardown, NULL},  \
    {                                                         \
#test " (sqlite)", test, setup_sqlite, teardown, NULL \
    }

static inline void begin(struct world *w)
{
    assert_int_equal(store_begin(w->store), STORE_OK);
}

static inline void commit(struct world *w)
{
    w->now.mono++;
    w->now.wall += 1000;
    assert_int_equal(store_commit(w->store, w->now, "boot-1"), STORE_OK);
    store_tend(w->store);
}

static inline struct store_webhook webhook_row(const char *id, struct store_bytes of)
{
    struct store_webhook row = {.id = text(id),
                                .org = of,
                                .url = text("https://receiver.example/hook"),
                                .target = text("https://receiver.example:443/hook"),
                                .secret = text("12345678901234567890123456789012"),
                                .status = {.state = WEBHOOK_ACTIVE,
                                           .verified = true,
                                           .generation = 1,
                                           .verify_next = MONO_NEVER,
                                           .verify_until = MONO_NEVER},
                                .created_us = 1700000000000000,
                                .modified_us = 1700000000000000};
    event_set_add(&row.event_types, EVENT_work_created);
    return row;
}

/* Inside of a transaction. */
static inline int64_t add_webhook(struct world *w, enum webhook_state state)
{
    char id[32];
    snprintf(id, sizeof id, "wh%d", ++w->ids);
    struct store_webhook row = webhook_row(id, org);
    row.status.state = state;
    assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    return row.key;
}

static inline void set_state(struct world *w, int64_t webhook, enum webhook_state state)
{
    struct webhook_status status = {
        .state = state, .generation = 1, .verify_next = MONO_NEVER, .verify_until = MONO_NEVER};
    assert_int_equal(store_webhook_status(w->store, webhook, &status), STORE_OK);
}

static inline struct store_event event_row(uint64_t salt, enum event_type type)
{
    return (struct store_event){.salt = salt,
                                .org = org,
                                .type = type,
                                .payload = text("{\"work\":{\"id\":\"ISS-1\"}}"),
                                .created_us = 1700000000000000};
}

/* An event with one delivery, due at `due`; the key of the delivery. Its salt is 7. */
static inline int64_t accept_one(struct world *w, int64_t webhook, mono_ms due)
{
    struct store_event event = event_row(7, EVENT_work_created);
    struct store_target target = {webhook, due, DELIVERY_PENDING, REASON_none};
    if (due == MONO_NEVER) {
        target.state = DELIVERY_FAILED;
        target.reason = REASON_webhook_degraded;
    }
    assert_int_equal(store_accept(w->store, &event, &target, 1), STORE_OK);
    return event.first_delivery;
}

static inline struct store_record record_row(int64_t delivery, enum delivery_state state,
                                             enum reason reason, mono_ms due)
{
    bool delivered = state == DELIVERY_DELIVERED;
    return (struct store_record){
        .delivery = delivery,
        .attempt = {.outcome = delivered ? OUTCOME_acknowledged : OUTCOME_http_status,
                    .http_status = delivered ? 200 : 500,
                    .started_us = 1700000000500000,
                    .duration_ms = 12,
                    .answer = text("ok")},
        .state = state,
        .reason = reason,
        .due = due};
}

static inline void record(struct world *w, int64_t delivery, enum delivery_state state,
                          enum reason reason, mono_ms due)
{
    struct store_record row = record_row(delivery, state, reason, due);
    assert_int_equal(store_record(w->store, &row), STORE_OK);
}

static inline bool copy_delivery(void *ctx, const struct store_delivery *row)
{
    *(struct store_delivery *)ctx = *row;
    ((struct store_delivery *)ctx)->webhook_id = (struct store_bytes){NULL, 0};
    return true;
}

/* A committed delivery with salt 7. */
static inline struct store_delivery delivery(struct world *w, int64_t key)
{
    struct store_delivery row = {0};
    assert_int_equal(store_delivery_get(w->reader, org, key, 7, copy_delivery, &row), STORE_OK);
    assert_int_equal(row.key, key);
    return row;
}

struct keys {
    int64_t at[512];
    mono_ms due[512];
    unsigned count;
    unsigned stop_after; /* 0: never */
};

static inline bool collect_delivery(void *ctx, const struct store_delivery *row)
{
    struct keys *keys = ctx;
    keys->at[keys->count++] = row->key;
    return keys->count != keys->stop_after;
}

static inline bool collect_event(void *ctx, const struct store_event *row)
{
    struct keys *keys = ctx;
    keys->at[keys->count++] = row->key;
    return keys->count != keys->stop_after;
}

static inline bool collect_pending(void *ctx, const struct store_pending *row)
{
    struct keys *keys = ctx;
    keys->due[keys->count] = row->due;
    keys->at[keys->count++] = row->key;
    return keys->count != keys->stop_after;
}

/* Open deliveries of a webhook, as the writing thread sees them. */
static inline struct keys pending(struct world *w, int64_t webhook)
{
    struct keys keys = {.count = 0};
    bool more;
    assert_int_equal(
        store_pending_after(w->store, webhook, 0, 0, 512, collect_pending, &keys, &more), STORE_OK);
    assert_false(more);
    return keys;
}

static inline struct keys list(struct world *w, int64_t webhook, int64_t event, int state)
{
    struct keys keys = {.count = 0};
    struct store_delivery_filter filter = {
        .org = org, .webhook = webhook, .event = event, .state = state, .limit = 512};
    assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &keys), STORE_OK);
    return keys;
}

static inline void assert_keys(struct keys keys, unsigned count, ...)
{
    va_list expected;
    va_start(expected, count);
    assert_int_equal(keys.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(keys.at[i], va_arg(expected, int64_t));
    va_end(expected);
}

static inline struct keys events(struct world *w, struct store_bytes of, int64_t before, int type,
                                 unsigned limit)
{
    struct keys keys = {.count = 0};
    assert_int_equal(store_event_list(w->reader, of, before, type, limit, collect_event, &keys),
                     STORE_OK);
    return keys;
}

struct attempts {
    struct store_attempt at[STORE_ATTEMPTS_MAX];
    char answers[STORE_ATTEMPTS_MAX][8];
    unsigned count;
};

static inline bool collect_attempt(void *ctx, const struct store_attempt *row)
{
    struct attempts *all = ctx;
    all->at[all->count] = *row;
    size_t bytes = row->answer.bytes < 7 ? row->answer.bytes : 7;
    memcpy(all->answers[all->count], row->answer.at, bytes);
    all->count++;
    return true;
}

static inline struct attempts *attempts(struct world *w, int64_t key)
{
    static struct attempts all;
    memset(&all, 0, sizeof all);
    assert_int_equal(store_attempt_list(w->reader, key, collect_attempt, &all), STORE_OK);
    return &all;
}

#endif
