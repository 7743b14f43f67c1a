/* The contract of store.h, verb by verb, over both back-ends. What only SQLite has is in
 * test_sqlite.c; random histories that must read the same from both are in test_store_same.c. */
#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void assert_keys(struct keys keys, unsigned count, ...)
{
    va_list expected;
    va_start(expected, count);
    assert_int_equal(keys.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(keys.at[i], va_arg(expected, int64_t));
    va_end(expected);
}

/* ---- webhooks ---- */

static struct store_webhook rich_webhook(void)
{
    struct store_webhook row = webhook_row("Hce4XNX0", org);
    row.headers = text("x-api-key: k\nx-other: \xc3\xa9\n");
    row.signature = text("encoding=base64 prefix=");
    row.secret = (struct store_bytes){"a\0b\xff", 4};
    row.status = (struct webhook_status){.state = WEBHOOK_DEGRADED,
                                         .reason = REASON_deliveries_failing,
                                         .verified = true,
                                         .generation = 3,
                                         .consecutive_failures = 5,
                                         .verify_count = 2,
                                         .since_us = 1700000000000001,
                                         .last_success_us = 1700000000000002,
                                         .verify_since = 10,
                                         .verify_next = 20,
                                         .verify_until = 30};
    row.created_by = text("DEVU-1");
    row.modified_by = text("DEVU-2");
    row.modified_us = 1700000000000003;
    event_set_add(&row.event_types, EVENT_account_created);
    event_set_add(&row.event_types, EVENT_work_updated);
    return row;
}

static bool same_as_rich(void *ctx, const struct store_webhook *row)
{
    struct store_webhook rich = rich_webhook();
    assert_int_equal(row->key, *(int64_t *)ctx);
    assert_bytes(row->id, "Hce4XNX0");
    assert_bytes(row->org, "dev0");
    assert_bytes(row->url, "https://receiver.example/hook");
    assert_bytes(row->target, "https://receiver.example:443/hook");
    assert_int_equal(row->secret.bytes, 4);
    assert_memory_equal(row->secret.at, "a\0b\xff", 4);
    assert_bytes(row->headers, "x-api-key: k\nx-other: \xc3\xa9\n");
    assert_bytes(row->signature, "encoding=base64 prefix=");
    assert_memory_equal(&row->event_types, &rich.event_types, sizeof rich.event_types);
    assert_int_equal(row->status.state, WEBHOOK_DEGRADED);
    assert_int_equal(row->status.reason, REASON_deliveries_failing);
    assert_true(row->status.verified);
    assert_int_equal(row->status.generation, 3);
    assert_int_equal(row->status.consecutive_failures, 5);
    assert_int_equal(row->status.verify_count, 2);
    assert_int_equal(row->status.since_us, 1700000000000001);
    assert_int_equal(row->status.last_success_us, 1700000000000002);
    assert_int_equal(row->status.verify_since, 10);
    assert_int_equal(row->status.verify_next, 20);
    assert_int_equal(row->status.verify_until, 30);
    assert_int_equal(row->created_us, 1700000000000000);
    assert_int_equal(row->modified_us, 1700000000000003);
    assert_bytes(row->created_by, "DEVU-1");
    assert_bytes(row->modified_by, "DEVU-2");
    return true;
}

static bool same_as_rich_recovered(void *ctx, const struct store_webhook *row, bool has_open)
{
    assert_false(has_open);
    return same_as_rich(ctx, row);
}

static void webhook_keeps_every_field(void **state)
{
    struct world *w = *state;
    struct store_webhook row = rich_webhook();
    begin(w);
    assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    commit(w);
    world_restart(w);
    assert_int_equal(store_webhook_get(w->reader, org, text("Hce4XNX0"), same_as_rich, &row.key),
                     STORE_OK);
    assert_int_equal(store_webhook_list(w->reader, org, same_as_rich, &row.key), STORE_OK);
    assert_int_equal(store_recover(w->store, same_as_rich_recovered, &row.key), STORE_OK);
}

static bool unreachable_webhook(void *ctx, const struct store_webhook *row)
{
    (void)ctx;
    (void)row;
    fail();
    return false;
}

static void webhook_id_is_unique_for_ever(void **state)
{
    struct world *w = *state;
    struct store_webhook row = webhook_row("one", org), again = webhook_row("one", text("dev1"));
    begin(w);
    assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    assert_int_equal(store_webhook_insert(w->store, &again), STORE_CONFLICT);
    set_state(w, row.key, WEBHOOK_DELETED);
    assert_int_equal(store_webhook_insert(w->store, &again), STORE_CONFLICT);
    commit(w); /* a conflict does not break the transaction */
    begin(w);
    assert_int_equal(store_webhook_insert(w->store, &again), STORE_CONFLICT);
    store_rollback(w->store);
}

static void webhook_of_another_org_is_not_there(void **state)
{
    struct world *w = *state;
    int64_t key;
    begin(w);
    add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    assert_int_equal(
        store_webhook_get(w->reader, text("dev1"), text("wh1"), unreachable_webhook, NULL),
        STORE_NOT_FOUND);
    assert_int_equal(store_webhook_key(w->reader, text("dev1"), text("wh1"), &key),
                     STORE_NOT_FOUND);
    assert_int_equal(store_webhook_list(w->reader, text("dev1"), unreachable_webhook, NULL),
                     STORE_OK);
    assert_int_equal(store_webhook_get(w->reader, org, text("wh"), unreachable_webhook, NULL),
                     STORE_NOT_FOUND);
}

static bool copy_webhook(void *ctx, const struct store_webhook *row)
{
    *(struct store_webhook *)ctx = *row;
    assert_bytes(row->url, "http://b.example/");
    assert_bytes(row->target, "http://b.example:80/");
    assert_bytes(row->headers, "a: b\n");
    assert_bytes(row->signature, "key=base64");
    assert_int_equal(row->secret.bytes, 0);
    assert_bytes(row->created_by, "");
    assert_bytes(row->modified_by, "DEVU-3");
    return true;
}

static void webhook_configure_leaves_the_status(void **state)
{
    struct world *w = *state;
    begin(w);
    struct store_webhook change = webhook_row("ignored", text("ignored"));
    change.key = add_webhook(w, WEBHOOK_INACTIVE);
    change.url = text("http://b.example/");
    change.target = text("http://b.example:80/");
    change.secret = text("");
    change.headers = text("a: b\n");
    change.signature = text("key=base64");
    change.modified_by = text("DEVU-3");
    change.created_by = text("nobody");
    change.modified_us = 5;
    change.event_types = (struct event_set){{0}};
    assert_int_equal(store_webhook_configure(w->store, &change), STORE_OK);
    change.key += 1;
    assert_int_equal(store_webhook_configure(w->store, &change), STORE_NOT_FOUND);
    struct webhook_status status = {.state = WEBHOOK_ACTIVE};
    assert_int_equal(store_webhook_status(w->store, change.key, &status), STORE_NOT_FOUND);
    commit(w);
    struct store_webhook got = {0};
    assert_int_equal(store_webhook_get(w->reader, org, text("wh1"), copy_webhook, &got), STORE_OK);
    assert_int_equal(got.status.state, WEBHOOK_INACTIVE);
    assert_int_equal(got.modified_us, 5);
    assert_int_equal(got.created_us, 1700000000000000);
    assert_int_equal(got.event_types.bits[0] | got.event_types.bits[1], 0);
}

static bool count_webhook(void *ctx, const struct store_webhook *row)
{
    struct keys *keys = ctx;
    keys->at[keys->count++] = row->key;
    return keys->count != keys->stop_after;
}

static void webhook_list_is_oldest_first_without_deleted(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t a = add_webhook(w, WEBHOOK_ACTIVE), b = add_webhook(w, WEBHOOK_INACTIVE),
            c = add_webhook(w, WEBHOOK_UNVERIFIED);
    set_state(w, b, WEBHOOK_DELETED);
    commit(w);
    struct keys keys = {.count = 0}, first = {.stop_after = 1};
    assert_int_equal(store_webhook_list(w->reader, org, count_webhook, &keys), STORE_OK);
    assert_keys(keys, 2, a, c);
    assert_int_equal(store_webhook_list(w->reader, org, count_webhook, &first), STORE_OK);
    assert_keys(first, 1, a);
    int64_t key = 0;
    assert_int_equal(store_webhook_get(w->reader, org, text("wh2"), unreachable_webhook, NULL),
                     STORE_NOT_FOUND);
    assert_int_equal(store_webhook_key(w->reader, org, text("wh2"), &key), STORE_OK);
    assert_int_equal(key, b);
}

/* ---- events ---- */

static bool same_event(void *ctx, const struct store_event *row)
{
    const struct store_event *event = ctx;
    assert_int_equal(row->key, event->key);
    assert_int_equal(row->salt, event->salt);
    assert_int_equal(row->type, event->type);
    assert_int_equal(row->created_us, event->created_us);
    assert_int_equal(row->first_delivery, event->first_delivery);
    assert_int_equal(row->delivery_count, event->delivery_count);
    assert_bytes(row->org, "dev0");
    assert_int_equal(row->payload.bytes, event->payload.bytes);
    assert_memory_equal(row->payload.at, event->payload.at, row->payload.bytes);
    return true;
}

static void accept_keeps_every_field(void **state)
{
    struct world *w = *state;
    enum { LARGE = 1 << 20 };
    char *payload = malloc(LARGE);
    assert_non_null(payload);
    for (int i = 0; i < LARGE; i++)
        payload[i] = (char)('a' + i % 26);
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE), other = add_webhook(w, WEBHOOK_UNVERIFIED);
    struct store_event small = event_row(56800235583, EVENT_work_deleted),
                       large = event_row(8, EVENT_verify);
    large.payload = (struct store_bytes){payload, LARGE};
    struct store_target targets[] = {
        {webhook, 77, DELIVERY_PENDING, REASON_none},
        {other, MONO_NEVER, DELIVERY_FAILED, REASON_webhook_degraded},
        {other, MONO_NEVER, DELIVERY_DROPPED, REASON_webhook_inactive}};
    assert_int_equal(store_accept(w->store, &small, targets, 3), STORE_OK);
    assert_int_equal(store_accept(w->store, &large, NULL, 0), STORE_OK);
    assert_int_equal(large.key, small.key + 1);
    assert_int_equal(large.first_delivery, small.first_delivery + 3);
    commit(w);
    world_restart(w);
    assert_int_equal(store_event_get(w->reader, org, small.key, small.salt, same_event, &small),
                     STORE_OK);
    assert_int_equal(store_event_get(w->reader, org, large.key, large.salt, same_event, &large),
                     STORE_OK);
    assert_int_equal(store_event_get(w->reader, org, small.key, 1, same_event, &small),
                     STORE_NOT_FOUND);
    assert_int_equal(
        store_event_get(w->reader, text("dev"), small.key, small.salt, same_event, &small),
        STORE_NOT_FOUND);
    assert_int_equal(store_event_get(w->reader, org, large.key + 1, 8, same_event, &small),
                     STORE_NOT_FOUND);
    assert_int_equal(store_event_get(w->reader, org, -1, 8, same_event, &small), STORE_NOT_FOUND);
    free(payload);

    struct store_delivery got[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_delivery_get(w->reader, org, small.first_delivery + i, small.salt,
                                            copy_delivery, &got[i]),
                         STORE_OK);
        assert_int_equal(got[i].event, small.key);
        assert_int_equal(got[i].salt, small.salt);
        assert_int_equal(got[i].type, EVENT_work_deleted);
        assert_int_equal(got[i].created_us, small.created_us);
        assert_int_equal(got[i].attempt_count, 0);
        assert_false(got[i].redelivery);
        assert_int_equal(got[i].due, targets[i].due);
        assert_int_equal(got[i].state, targets[i].state);
        assert_int_equal(got[i].reason, targets[i].reason);
        assert_int_equal(got[i].webhook, targets[i].webhook);
    }
    assert_int_equal(got[0].webhook_state, WEBHOOK_ACTIVE);
    assert_int_equal(got[1].webhook_state, WEBHOOK_UNVERIFIED);
    assert_int_equal(
        store_delivery_get(w->reader, org, small.first_delivery, 9, copy_delivery, got),
        STORE_NOT_FOUND);
    assert_int_equal(store_delivery_get(w->reader, text("dev1"), small.first_delivery, small.salt,
                                        copy_delivery, got),
                     STORE_NOT_FOUND);
    assert_int_equal(store_delivery_get(w->reader, org, small.first_delivery + 3, small.salt,
                                        copy_delivery, got),
                     STORE_NOT_FOUND);
}

static struct keys events(struct world *w, struct store_bytes of, int64_t before, int type,
                          unsigned limit)
{
    struct keys keys = {.count = 0};
    assert_int_equal(store_event_list(w->reader, of, before, type, limit, collect_event, &keys),
                     STORE_OK);
    return keys;
}

static void event_list_filters_and_pages(void **state)
{
    struct world *w = *state;
    int64_t key[5];
    begin(w);
    for (int i = 0; i < 5; i++) {
        struct store_event event = event_row(7, i % 2 ? EVENT_work_updated : EVENT_work_created);
        if (i == 2)
            event.org = text("dev1");
        assert_int_equal(store_accept(w->store, &event, NULL, 0), STORE_OK);
        key[i] = event.key;
    }
    commit(w);
    assert_keys(events(w, org, 0, -1, 10), 4, key[4], key[3], key[1], key[0]);
    assert_keys(events(w, org, 0, -1, 2), 2, key[4], key[3]);
    assert_keys(events(w, org, key[3], -1, 2), 2, key[1], key[0]);
    assert_keys(events(w, org, 0, EVENT_work_created, 10), 2, key[4], key[0]);
    assert_keys(events(w, org, key[4], EVENT_work_created, 10), 1, key[0]);
    assert_keys(events(w, text("dev1"), 0, -1, 10), 1, key[2]);
    assert_keys(events(w, text("dev1"), 0, EVENT_work_updated, 10), 0);
    assert_keys(events(w, org, 0, EVENT_verify, 10), 0);
    assert_keys(events(w, org, 0, -1, 0), 0);
    /* the events of one request: first .. first + count - 1 */
    assert_keys(events(w, org, key[3] + 2, -1, 2), 2, key[4], key[3]);
    struct keys stopped = {.stop_after = 1};
    assert_int_equal(store_event_list(w->reader, org, 0, -1, 10, collect_event, &stopped),
                     STORE_OK);
    assert_keys(stopped, 1, key[4]);
}

/* ---- transactions ---- */

static void rollback_leaves_nothing(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t kept = accept_one(w, webhook, 50), done = accept_one(w, webhook, 60);
    record(w, done, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    commit(w);
    struct store_idempotency answer = {.first_event = 1, .count = 1, .expires = 1000000};

    begin(w);
    int64_t second = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t gone = accept_one(w, webhook, 70);
    set_state(w, webhook, WEBHOOK_DEGRADED);
    record(w, kept, DELIVERY_PENDING, REASON_none, 90);
    record(w, gone, DELIVERY_PENDING, REASON_none, 91);
    assert_int_equal(store_reopen(w->store, done, 95), STORE_OK);
    assert_int_equal(
        store_settle(w->store, webhook, DELIVERY_FAILED, REASON_webhook_degraded, &kept, 1, NULL),
        STORE_OK);
    unsigned removed;
    assert_int_equal(store_purge(w->store, INT64_MAX, 0, 10, &removed), STORE_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(store_idempotency_insert(w->store, org, text("k"), &answer), STORE_OK);
    /* readers see nothing of it */
    assert_int_equal(delivery(w, kept).due, 50);
    assert_keys(list(w, 0, 0, -1), 2, done, kept);
    store_rollback(w->store);

    assert_keys(pending(w, webhook), 1, kept);
    assert_keys(list(w, 0, 0, -1), 2, done, kept);
    assert_int_equal(delivery(w, kept).attempt_count, 0);
    assert_int_equal(delivery(w, kept).webhook_state, WEBHOOK_ACTIVE);
    assert_int_equal(delivery(w, done).state, DELIVERY_DELIVERED);
    assert_int_equal(delivery(w, done).due, MONO_NEVER);
    begin(w);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 0, &answer), STORE_NOT_FOUND);
    assert_int_equal(add_webhook(w, WEBHOOK_ACTIVE),
                     second); /* a key that was forgotten is given again */
    assert_int_equal(accept_one(w, webhook, 70), gone);
    commit(w);
    assert_keys(list(w, webhook, 0, DELIVERY_PENDING), 2, gone, kept);
}

static void restart_keeps_what_was_committed(void **state)
{
    struct world *w = *state;
    struct instant last;
    char boot[64];
    assert_int_equal(store_last_commit(w->store, &last, boot), STORE_OK);
    assert_string_equal(boot, "");
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t kept = accept_one(w, webhook, 50);
    commit(w);
    begin(w);
    accept_one(w, webhook, 60);
    world_restart(w);
    assert_keys(pending(w, webhook), 1, kept);
    assert_int_equal(store_last_commit(w->store, &last, boot), STORE_OK);
    assert_string_equal(boot, "boot-1");
    assert_int_equal(last.mono, w->now.mono);
    assert_int_equal(last.wall, w->now.wall);
    begin(w);
    assert_int_equal(store_commit(w->store, (struct instant){-5, 9}, ""),
                     STORE_OK); /* also an empty one */
    world_restart(w);
    assert_int_equal(store_last_commit(w->store, &last, boot), STORE_OK);
    assert_string_equal(boot, "");
    assert_int_equal(last.mono, -5);
    assert_int_equal(last.wall, 9);
}

/* ---- attempts ---- */

struct attempts {
    struct store_attempt at[STORE_ATTEMPTS_MAX];
    char answers[STORE_ATTEMPTS_MAX][8];
    unsigned count;
};

static bool collect_attempt(void *ctx, const struct store_attempt *row)
{
    struct attempts *all = ctx;
    all->at[all->count] = *row;
    size_t bytes = row->answer.bytes < 7 ? row->answer.bytes : 7;
    memcpy(all->answers[all->count], row->answer.at, bytes);
    all->count++;
    return true;
}

static struct attempts *attempts(struct world *w, int64_t key)
{
    static struct attempts all;
    memset(&all, 0, sizeof all);
    assert_int_equal(store_attempt_list(w->reader, key, collect_attempt, &all), STORE_OK);
    return &all;
}

static void record_moves_the_delivery(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t key = accept_one(w, webhook, 50), other = accept_one(w, webhook, 51);
    struct store_record first = record_row(key, DELIVERY_PENDING, REASON_none, 30050);
    char long_answer[STORE_ANSWER_BYTES_MAX];
    memset(long_answer, 0xfe, sizeof long_answer);
    first.attempt.answer = (struct store_bytes){long_answer, sizeof long_answer};
    first.attempt.outcome = OUTCOME_timeout;
    first.attempt.http_status = 0;
    assert_int_equal(store_record(w->store, &first), STORE_OK);
    assert_keys(pending(w, webhook), 2, other, key); /* seen by this transaction at its new place */
    commit(w);
    assert_int_equal(delivery(w, key).due, 30050);
    assert_int_equal(delivery(w, key).state, DELIVERY_PENDING);
    assert_int_equal(delivery(w, key).attempt_count, 1);

    begin(w);
    record(w, key, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    record(w, other, DELIVERY_FAILED, REASON_attempts_exhausted, MONO_NEVER);
    struct store_record wrong =
        record_row(key, DELIVERY_FAILED, REASON_attempts_exhausted, MONO_NEVER);
    assert_int_equal(store_record(w->store, &wrong), STORE_CONFLICT);
    wrong.delivery = other + 1;
    assert_int_equal(store_record(w->store, &wrong), STORE_NOT_FOUND);
    commit(w);
    world_restart(w);
    assert_int_equal(pending(w, webhook).count, 0);
    assert_int_equal(delivery(w, key).state, DELIVERY_DELIVERED);
    assert_int_equal(delivery(w, key).attempt_count, 2);
    assert_int_equal(delivery(w, key).due, MONO_NEVER);
    assert_int_equal(delivery(w, other).state, DELIVERY_FAILED);
    assert_int_equal(delivery(w, other).reason, REASON_attempts_exhausted);

    const struct attempts *all = attempts(w, key);
    assert_int_equal(all->count, 2);
    assert_int_equal(all->at[0].n, 1);
    assert_int_equal(all->at[0].outcome, OUTCOME_timeout);
    assert_int_equal(all->at[0].http_status, 0);
    assert_int_equal(all->at[0].started_us, 1700000000500000);
    assert_int_equal(all->at[0].duration_ms, 12);
    assert_int_equal(all->at[0].answer.bytes, sizeof long_answer);
    assert_false(all->at[0].redelivery);
    assert_string_equal(all->answers[0], "\xfe\xfe\xfe\xfe\xfe\xfe\xfe");
    assert_int_equal(all->at[1].n, 2);
    assert_int_equal(all->at[1].outcome, OUTCOME_acknowledged);
    assert_int_equal(all->at[1].http_status, 200);
    assert_string_equal(all->answers[1], "ok");
    assert_int_equal(attempts(w, other + 1)->count, 0);
}

/* ---- settle ---- */

static void settle_ends_all_but_the_exceptions(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE), other = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t old = accept_one(w, webhook, 40); /* delivered, then asked for again */
    record(w, old, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    assert_int_equal(store_reopen(w->store, old, 45), STORE_OK);
    int64_t flying = accept_one(w, webhook, 50), queued = accept_one(w, webhook, 60),
            flying2 = accept_one(w, webhook, 60);
    int64_t elsewhere = accept_one(w, other, 60);
    commit(w);

    begin(w);
    int64_t late = accept_one(w, webhook, 70); /* accepted in the same transaction */
    int64_t except[] = {flying2, flying, 999};
    uint64_t settled = 99;
    assert_int_equal(store_settle(w->store, webhook, DELIVERY_FAILED, REASON_webhook_degraded,
                                  except, 3, &settled),
                     STORE_OK);
    assert_int_equal(settled, 3);
    assert_keys(pending(w, webhook), 2, flying, flying2);
    commit(w);
    assert_keys(pending(w, webhook), 2, flying, flying2);
    assert_keys(pending(w, other), 1, elsewhere);
    assert_int_equal(delivery(w, queued).state, DELIVERY_FAILED);
    assert_int_equal(delivery(w, queued).reason, REASON_webhook_degraded);
    assert_int_equal(delivery(w, queued).due, MONO_NEVER);
    assert_int_equal(delivery(w, late).state, DELIVERY_FAILED);
    assert_int_equal(delivery(w, old).state, DELIVERY_DELIVERED);
    assert_int_equal(delivery(w, old).reason, REASON_none);
    assert_int_equal(delivery(w, old).due, MONO_NEVER);
    assert_false(delivery(w, old).redelivery);
    assert_int_equal(delivery(w, flying).state, DELIVERY_PENDING);

    begin(w);
    assert_int_equal(
        store_settle(w->store, webhook, DELIVERY_DROPPED, REASON_webhook_deleted, NULL, 0, NULL),
        STORE_OK);
    assert_int_equal(store_settle(w->store, webhook, DELIVERY_DROPPED, REASON_webhook_deleted, NULL,
                                  0, &settled),
                     STORE_OK);
    assert_int_equal(settled, 0);
    assert_int_equal(
        store_settle(w->store, 77, DELIVERY_DROPPED, REASON_webhook_deleted, NULL, 0, &settled),
        STORE_OK);
    assert_int_equal(settled, 0);
    commit(w);
    assert_int_equal(delivery(w, flying).state, DELIVERY_DROPPED);
    assert_int_equal(delivery(w, queued).state, DELIVERY_FAILED);
}

/* ---- redelivery ---- */

static void redelivery_keeps_the_old_end_until_acknowledged(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t key = accept_one(w, webhook, MONO_NEVER);
    int64_t open = accept_one(w, webhook, 50);
    assert_int_equal(store_reopen(w->store, open, 60), STORE_CONFLICT);
    assert_int_equal(store_reopen(w->store, open + 1, 60), STORE_NOT_FOUND);
    record(w, open, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    assert_int_equal(store_reopen(w->store, key, 60), STORE_OK);
    assert_int_equal(store_reopen(w->store, key, 60), STORE_CONFLICT);
    commit(w);
    assert_true(delivery(w, key).redelivery);
    assert_int_equal(delivery(w, key).state, DELIVERY_FAILED);
    assert_int_equal(delivery(w, key).reason, REASON_webhook_degraded);
    assert_int_equal(delivery(w, key).due, 60);
    assert_keys(list(w, 0, 0, DELIVERY_PENDING), 1, key); /* shown as open, not under its old end */
    assert_keys(list(w, 0, 0, DELIVERY_FAILED), 0);

    begin(w); /* held meanwhile, then not acknowledged: the old end stands, whatever the record says
               */
    struct store_record miss = record_row(key, DELIVERY_PENDING, REASON_none, 70);
    miss.attempt.redelivery = true;
    assert_int_equal(store_record(w->store, &miss), STORE_OK);
    commit(w);
    assert_true(delivery(w, key).redelivery);
    assert_int_equal(delivery(w, key).state, DELIVERY_FAILED);
    assert_int_equal(delivery(w, key).due, 70);
    begin(w);
    miss = record_row(key, DELIVERY_DROPPED, REASON_webhook_inactive, MONO_NEVER);
    miss.attempt.redelivery = true;
    assert_int_equal(store_record(w->store, &miss), STORE_OK);
    commit(w);
    world_restart(w);
    assert_false(delivery(w, key).redelivery);
    assert_int_equal(delivery(w, key).state, DELIVERY_FAILED);
    assert_int_equal(delivery(w, key).reason, REASON_webhook_degraded);
    assert_int_equal(delivery(w, key).due, MONO_NEVER);
    assert_int_equal(delivery(w, key).attempt_count, 2);
    assert_true(attempts(w, key)->at[1].redelivery);

    begin(w); /* and once more, acknowledged */
    assert_int_equal(store_reopen(w->store, key, 80), STORE_OK);
    record(w, key, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    commit(w);
    assert_int_equal(delivery(w, key).state, DELIVERY_DELIVERED);
    assert_int_equal(delivery(w, key).reason, REASON_none);
    assert_false(delivery(w, key).redelivery);
}

static void attempts_are_limited(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t key = accept_one(w, webhook, MONO_NEVER);
    for (int i = 0; i < STORE_ATTEMPTS_MAX - 1; i++) {
        assert_int_equal(store_reopen(w->store, key, 60), STORE_OK);
        record(w, key, DELIVERY_FAILED, REASON_attempts_exhausted, MONO_NEVER);
    }
    assert_int_equal(store_reopen(w->store, key, 60), STORE_OK);
    record(w, key, DELIVERY_PENDING, REASON_none, 61); /* the last one kept */
    record(w, key, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    assert_int_equal(store_reopen(w->store, key, 62), STORE_CONFLICT);
    commit(w);
    assert_int_equal(delivery(w, key).attempt_count, STORE_ATTEMPTS_MAX);
    assert_int_equal(delivery(w, key).state, DELIVERY_DELIVERED);
    assert_int_equal(attempts(w, key)->count, STORE_ATTEMPTS_MAX);
    assert_int_equal(attempts(w, key)->at[STORE_ATTEMPTS_MAX - 1].n, STORE_ATTEMPTS_MAX);
}

/* ---- what is open ---- */

static bool check_pending(void *ctx, const struct store_pending *row)
{
    assert_int_equal(row->webhook, *(int64_t *)ctx);
    assert_int_equal(row->event, 1);
    assert_int_equal(row->salt, 7);
    assert_int_equal(row->type, EVENT_work_created);
    assert_int_equal(row->attempt_count, 1);
    assert_int_equal(row->due, 90);
    assert_true(row->redelivery);
    assert_bytes(row->payload, "{\"work\":{\"id\":\"ISS-1\"}}");
    return true;
}

static void pending_has_all_for_a_post(void **state)
{
    struct world *w = *state;
    bool more = true;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t key = accept_one(w, webhook, 50);
    record(w, key, DELIVERY_FAILED, REASON_attempts_exhausted, MONO_NEVER);
    assert_int_equal(store_reopen(w->store, key, 90), STORE_OK);
    assert_int_equal(
        store_pending_after(w->store, webhook, INT64_MIN, 0, 9, check_pending, &webhook, &more),
        STORE_OK);
    assert_false(more);
    commit(w);
    world_restart(w);
    assert_int_equal(
        store_pending_after(w->store, webhook, 90, key - 1, 9, check_pending, &webhook, &more),
        STORE_OK);
    assert_false(more);
}

static void pending_is_ascending_and_pages(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE), other = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t a = accept_one(w, webhook, 50), b = accept_one(w, webhook, 40),
            c = accept_one(w, webhook, 50);
    accept_one(w, other, 45);
    accept_one(w, webhook, MONO_NEVER);
    int64_t d = accept_one(w, webhook, 50), e = accept_one(w, webhook, 60);
    commit(w);
    assert_keys(pending(w, webhook), 5, b, a, c, d, e);
    assert_int_equal(pending(w, 99).count, 0);

    struct keys page = {.count = 0};
    bool more = false;
    assert_int_equal(store_pending_after(w->store, webhook, 0, 0, 2, collect_pending, &page, &more),
                     STORE_OK);
    assert_keys(page, 2, b, a);
    assert_true(more);
    page.count = 0;
    assert_int_equal(
        store_pending_after(w->store, webhook, 50, a, 2, collect_pending, &page, &more), STORE_OK);
    assert_keys(page, 2, c, d);
    assert_true(more);
    page.count = 0;
    assert_int_equal(
        store_pending_after(w->store, webhook, 50, d, 1, collect_pending, &page, &more), STORE_OK);
    assert_keys(page, 1, e);
    assert_false(more);
    page.count = 0;
    assert_int_equal(
        store_pending_after(w->store, webhook, 60, e, 5, collect_pending, &page, &more), STORE_OK);
    assert_int_equal(page.count, 0);
    assert_false(more);
    page.count = 0;
    page.stop_after = 1;
    assert_int_equal(
        store_pending_after(w->store, webhook, 50, INT64_MAX, 5, collect_pending, &page, &more),
        STORE_OK);
    assert_keys(page, 1, e);
    assert_false(more);
    page.count = 0;
    assert_int_equal(
        store_pending_after(w->store, webhook, 40, b, 5, collect_pending, &page, &more), STORE_OK);
    assert_keys(page, 1, a); /* the visitor stopped there */
    assert_true(more);
}

struct recovered {
    int64_t key[8];
    bool has_open[8];
    unsigned count;
};

static bool collect_recovered(void *ctx, const struct store_webhook *row, bool has_open)
{
    struct recovered *all = ctx;
    all->key[all->count] = row->key;
    all->has_open[all->count++] = has_open;
    return true;
}

static void recover_finds_what_is_open(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t busy = add_webhook(w, WEBHOOK_ACTIVE), idle = add_webhook(w, WEBHOOK_INACTIVE);
    int64_t gone = add_webhook(w, WEBHOOK_ACTIVE), held = add_webhook(w, WEBHOOK_UNVERIFIED);
    accept_one(w, busy, 50);
    accept_one(w, busy, 50);
    accept_one(w, idle, MONO_NEVER);
    accept_one(w, held, 50);
    int64_t flying = accept_one(w, gone, 50), again = accept_one(w, gone, MONO_NEVER);
    assert_int_equal(store_reopen(w->store, again, 60), STORE_OK);
    set_state(w, gone, WEBHOOK_DELETED); /* with two in flight, so they were not settled */
    commit(w);
    world_restart(w);
    uint64_t count = 0;
    assert_int_equal(store_open_count(w->store, &count), STORE_OK);
    assert_int_equal(count, 5);
    struct recovered all = {.count = 0};
    assert_int_equal(store_recover(w->store, collect_recovered, &all), STORE_OK);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.key[0], busy);
    assert_true(all.has_open[0]);
    assert_int_equal(all.key[1], idle);
    assert_false(all.has_open[1]);
    assert_int_equal(all.key[2], held);
    assert_true(all.has_open[2]);
    assert_int_equal(delivery(w, flying).state, DELIVERY_DROPPED);
    assert_int_equal(delivery(w, flying).reason, REASON_webhook_deleted);
    assert_int_equal(delivery(w, again).state, DELIVERY_FAILED);
    assert_int_equal(delivery(w, again).due, MONO_NEVER);
    assert_int_equal(store_open_count(w->store, &count), STORE_OK);
    assert_int_equal(count, 3);
    struct instant last;
    char boot[64];
    assert_int_equal(store_last_commit(w->store, &last, boot), STORE_OK);
    assert_int_equal(last.mono, w->now.mono); /* the clock of the last real commit stands */
    assert_string_equal(boot, "boot-1");
}

/* ---- lists ---- */

static void delivery_list_filters(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t a = add_webhook(w, WEBHOOK_ACTIVE), u = add_webhook(w, WEBHOOK_UNVERIFIED);
    struct store_event event = event_row(7, EVENT_work_created);
    struct store_target both[] = {{a, 50, DELIVERY_PENDING, 0}, {u, 50, DELIVERY_PENDING, 0}};
    assert_int_equal(store_accept(w->store, &event, both, 2), STORE_OK);
    int64_t pending_a = event.first_delivery, held_u = pending_a + 1;
    int64_t delivered_a = accept_one(w, a, 51), failed_u = accept_one(w, u, MONO_NEVER),
            dropped_a = accept_one(w, a, 52);
    record(w, delivered_a, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    record(w, dropped_a, DELIVERY_DROPPED, REASON_webhook_inactive, MONO_NEVER);
    commit(w);
    assert_keys(list(w, 0, 0, -1), 5, dropped_a, failed_u, delivered_a, held_u, pending_a);
    assert_keys(list(w, a, 0, -1), 3, dropped_a, delivered_a, pending_a);
    assert_keys(list(w, u, 0, -1), 2, failed_u, held_u);
    assert_keys(list(w, 99, 0, -1), 0);
    assert_keys(list(w, 0, event.key, -1), 2, held_u, pending_a);
    assert_keys(list(w, a, event.key, -1), 1, pending_a);
    assert_keys(list(w, 0, event.key + 1, -1), 1, delivered_a);
    assert_keys(list(w, 0, 99, -1), 0);
    assert_keys(list(w, 0, 0, DELIVERY_PENDING), 1, pending_a);
    assert_keys(list(w, 0, 0, DELIVERY_HELD), 1, held_u);
    assert_keys(list(w, 0, 0, DELIVERY_DELIVERED), 1, delivered_a);
    assert_keys(list(w, 0, 0, DELIVERY_FAILED), 1, failed_u);
    assert_keys(list(w, 0, 0, DELIVERY_DROPPED), 1, dropped_a);
    assert_keys(list(w, u, 0, DELIVERY_PENDING), 0);
    assert_keys(list(w, u, 0, DELIVERY_HELD), 1, held_u);
    assert_keys(list(w, 0, event.key, DELIVERY_HELD), 1, held_u);
    assert_keys(list(w, u, event.key, DELIVERY_PENDING), 0);
}

static void delivery_list_pages(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t a = add_webhook(w, WEBHOOK_ACTIVE), b = add_webhook(w, WEBHOOK_ACTIVE), key[6];
    for (int i = 0; i < 6; i++)
        key[i] = accept_one(w, i % 2 ? a : b, 50);
    commit(w);
    struct store_delivery_filter filter = {.org = org, .state = -1, .limit = 4};
    for (int s = -1; s <= 0; s++) { /* any state, and DELIVERY_PENDING */
        struct keys page = {.count = 0}, next = {.count = 0}, stopped = {.stop_after = 1};
        filter.state = s;
        filter.before = 0;
        assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &page),
                         STORE_OK);
        assert_keys(page, 4, key[5], key[4], key[3], key[2]);
        filter.before = key[2];
        assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &next),
                         STORE_OK);
        assert_keys(next, 2, key[1], key[0]);
        filter.before = key[5];
        assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &stopped),
                         STORE_OK);
        assert_keys(stopped, 1, key[4]);
    }
    filter.org = text("dev1");
    struct keys none = {.count = 0};
    for (filter.state = -1; filter.state <= 0; filter.state++)
        assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &none),
                         STORE_OK);
    filter.state = -1;
    filter.webhook = a;
    assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &none), STORE_OK);
    filter.event = 1;
    assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &none), STORE_OK);
    filter.org = org;
    filter.limit = 0;
    assert_int_equal(store_delivery_list(w->reader, &filter, collect_delivery, &none), STORE_OK);
    assert_int_equal(none.count, 0);
}

/* ---- idempotency and purge ---- */

static void idempotency_expires(void **state)
{
    struct world *w = *state;
    struct store_idempotency row = {.first_event = 12, .count = 3, .batch = true, .expires = 500},
                             got = {.count = 0};
    memset(row.body_sha256, 0xab, sizeof row.body_sha256);
    row.body_sha256[3] = 0;
    begin(w);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 0, &got), STORE_NOT_FOUND);
    assert_int_equal(store_idempotency_insert(w->store, org, text("k"), &row), STORE_OK);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 0, &got), STORE_OK);
    commit(w);
    world_restart(w);
    begin(w);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 499, &got), STORE_OK);
    assert_memory_equal(got.body_sha256, row.body_sha256, sizeof row.body_sha256);
    assert_int_equal(got.first_event, 12);
    assert_int_equal(got.count, 3);
    assert_true(got.batch);
    assert_int_equal(got.expires, 500);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 500, &got), STORE_NOT_FOUND);
    assert_int_equal(store_idempotency_find(w->store, text("dev1"), text("k"), 0, &got),
                     STORE_NOT_FOUND);
    assert_int_equal(store_idempotency_find(w->store, org, text("K"), 0, &got), STORE_NOT_FOUND);
    row.first_event = 99;
    row.batch = false;
    row.expires = 900;
    assert_int_equal(store_idempotency_insert(w->store, org, text("k"), &row), STORE_OK);
    commit(w);
    begin(w);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 500, &got), STORE_OK);
    assert_int_equal(got.first_event, 99);
    assert_false(got.batch);
    unsigned removed;
    assert_int_equal(store_purge(w->store, INT64_MIN, 899, 10, &removed), STORE_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(store_purge(w->store, INT64_MIN, 900, 10, &removed), STORE_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(store_idempotency_find(w->store, org, text("k"), 0, &got), STORE_NOT_FOUND);
    commit(w);
}

static void purge_removes_old_ended_events(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE), first[5];
    struct store_event event[5];
    for (int i = 0; i < 5; i++) {
        struct store_target targets[] = {{webhook, 50 + i, DELIVERY_PENDING, 0},
                                         {webhook, 50 + i, DELIVERY_PENDING, 0}};
        event[i] = event_row(7, EVENT_work_created);
        event[i].created_us =
            i == 1 ? 900 : 100; /* a young one among old ones: the clock was set back */
        assert_int_equal(store_accept(w->store, &event[i], targets, 2), STORE_OK);
        first[i] = event[i].first_delivery;
        for (int k = 0; k < 2; k++)
            if (i != 2 || k != 1) /* one delivery of event 2 stays open */
                record(w, first[i] + k, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    }
    commit(w);
    unsigned removed;
    begin(w);
    assert_int_equal(store_purge(w->store, 100, 0, 10, &removed), STORE_OK);
    assert_int_equal(removed, 0); /* not before 100 */
    assert_int_equal(store_purge(w->store, 101, 0, 2, &removed), STORE_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(store_purge(w->store, 101, 0, 2, &removed), STORE_OK);
    assert_int_equal(removed, 1);
    commit(w);
    world_restart(w);
    assert_keys(events(w, org, 0, -1, 10), 2, event[2].key, event[1].key);
    assert_keys(list(w, 0, 0, -1), 4, first[2] + 1, first[2], first[1] + 1, first[1]);
    assert_keys(list(w, webhook, 0, DELIVERY_DELIVERED), 3, first[2], first[1] + 1, first[1]);
    assert_int_equal(attempts(w, first[0])->count, 0);
    assert_int_equal(attempts(w, first[1])->count, 1);
    assert_keys(pending(w, webhook), 1, first[2] + 1);
    begin(w);
    struct store_record late = record_row(first[0], DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    assert_int_equal(store_record(w->store, &late), STORE_NOT_FOUND);
    assert_int_equal(store_reopen(w->store, first[0], 1), STORE_NOT_FOUND);
    store_rollback(w->store);
}

static void keys_are_never_used_again(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    int64_t last = accept_one(w, webhook, 50);
    record(w, last, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    commit(w);
    unsigned removed;
    begin(w);
    assert_int_equal(store_purge(w->store, INT64_MAX, 0, 10, &removed), STORE_OK);
    assert_int_equal(removed, 1);
    commit(w);
    world_restart(w);
    assert_int_equal(events(w, org, 0, -1, 10).count, 0);
    begin(w);
    assert_int_equal(accept_one(w, webhook, 50), last + 1);
    struct store_event event = event_row(7, EVENT_work_created);
    assert_int_equal(store_accept(w->store, &event, NULL, 0), STORE_OK);
    assert_int_equal(event.key, 3);
    commit(w);
}

/* ---- order of calls ---- */

static bool nested(void *ctx, const struct store_pending *row)
{
    (void)row;
    store_begin(((struct world *)ctx)->store);
    return true;
}

static void out_of_order(struct world *w, int which)
{
    struct store_record row = record_row(1, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    bool more;
    switch (which) {
    case 0: store_record(w->store, &row); break;       /* outside of a transaction */
    case 1: store_commit(w->store, w->now, ""); break; /* likewise */
    case 2: begin(w), store_begin(w->store); break;    /* begin twice */
    case 3: begin(w), store_recover(w->store, collect_recovered, NULL); break; /* inside of one */
    case 4: store_close(w->store); break;                               /* with a reader open */
    case 5: begin(w), row.due = 5, store_record(w->store, &row); break; /* ended, and due */
    case 6:
        store_pending_after(w->store, 1, 0, 0, 1, nested, w, &more);
        break;      /* a verb in a visitor */
    default: break; /* nothing wrong */
    }
}

static void wrong_order_stops_the_program(void **state)
{
    struct world *w = *state;
    begin(w);
    accept_one(w, add_webhook(w, WEBHOOK_ACTIVE), 50);
    commit(w);
    for (int which = 0; which <= 7; which++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            signal(SIGABRT, SIG_DFL);
            if (freopen("/dev/null", "w", stderr) != NULL)
                out_of_order(w, which);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (which == 7)
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("case %d went through", which);
    }
}

/* Memory only: a medium that fails on request. */
static void failure_breaks_the_transaction(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t webhook = add_webhook(w, WEBHOOK_ACTIVE);
    commit(w);
    store_memory_fail(w->store, 2, 1, STORE_FULL); /* begin and one accept go well */
    struct store_event event = event_row(7, EVENT_work_created);
    begin(w);
    accept_one(w, webhook, 50);
    assert_int_equal(store_accept(w->store, &event, NULL, 0), STORE_FULL);
    assert_string_equal(store_error(w->store), "no space left (asked for by a test)");
    assert_int_equal(store_accept(w->store, &event, NULL, 0), STORE_FULL); /* it stays broken */
    assert_int_equal(store_commit(w->store, w->now, ""), STORE_FULL);
    store_rollback(w->store);
    store_rollback(w->store); /* once more is fine */
    assert_int_equal(pending(w, webhook).count, 0);

    store_memory_fail(w->store, 2, 1, STORE_FAILED); /* the commit fails */
    begin(w);
    accept_one(w, webhook, 50);
    assert_int_equal(store_commit(w->store, w->now, ""), STORE_FAILED);
    store_rollback(w->store);
    assert_int_equal(pending(w, webhook).count, 0);
    store_memory_fail(w->store, 0, 1, STORE_FULL); /* begin fails */
    assert_int_equal(store_begin(w->store), STORE_FULL);
    store_rollback(w->store);
    begin(w);
    accept_one(w, webhook, 50);
    commit(w);
    assert_int_equal(pending(w, webhook).count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(webhook_keeps_every_field),
        BOTH(webhook_id_is_unique_for_ever),
        BOTH(webhook_of_another_org_is_not_there),
        BOTH(webhook_configure_leaves_the_status),
        BOTH(webhook_list_is_oldest_first_without_deleted),
        BOTH(accept_keeps_every_field),
        BOTH(event_list_filters_and_pages),
        BOTH(rollback_leaves_nothing),
        BOTH(restart_keeps_what_was_committed),
        BOTH(record_moves_the_delivery),
        BOTH(settle_ends_all_but_the_exceptions),
        BOTH(redelivery_keeps_the_old_end_until_acknowledged),
        BOTH(attempts_are_limited),
        BOTH(pending_has_all_for_a_post),
        BOTH(pending_is_ascending_and_pages),
        BOTH(recover_finds_what_is_open),
        BOTH(delivery_list_filters),
        BOTH(delivery_list_pages),
        BOTH(idempotency_expires),
        BOTH(purge_removes_old_ended_events),
        BOTH(keys_are_never_used_again),
        BOTH(wrong_order_stops_the_program),
        cmocka_unit_test_setup_teardown(failure_breaks_the_transaction, setup_memory, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
