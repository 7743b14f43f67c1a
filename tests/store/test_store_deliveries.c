/* The contract of store.h over both back-ends: what happens to a delivery. */
#include "fixture.h"

/* ---- attempts ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(record_moves_the_delivery),
        BOTH(settle_ends_all_but_the_exceptions),
        BOTH(redelivery_keeps_the_old_end_until_acknowledged),
        BOTH(attempts_are_limited),
        BOTH(pending_has_all_for_a_post),
        BOTH(pending_is_ascending_and_pages),
        BOTH(recover_finds_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
