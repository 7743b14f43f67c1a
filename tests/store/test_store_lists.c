/* The contract of store.h over both back-ends: events, lists and their pages, idempotency keys,
 * purge. */
#include "fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(accept_keeps_every_field),  BOTH(event_list_filters_and_pages),
        BOTH(delivery_list_filters),     BOTH(delivery_list_pages),
        BOTH(idempotency_expires),       BOTH(purge_removes_old_ended_events),
        BOTH(keys_are_never_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
