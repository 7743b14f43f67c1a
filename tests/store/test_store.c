/* The contract of store.h, verb by verb, over both back-ends: webhooks, transactions, the order of
 * calls. Deliveries are in test_store_deliveries.c, lists, idempotency keys and purge in
 * test_store_lists.c. What only SQLite has is in test_sqlite.c and test_sqlite_run.c; random
 * histories that must read the same from both are in test_store_same.c. */
#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- webhooks ---- */

static struct store_webhook rich_webhook(void)
{
    struct store_webhook row = webhook_row("Hce4XNX0", org);
    row.headers = text("x-api-key: k\nx-other: \xc3\xa9\n");
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
    case 0: store_record(w->store, &row); break;                  /* outside of a transaction */
    case 1: store_commit(w->store, w->now, ""); break;            /* likewise */
    case 2: begin(w), store_begin(w->store); break;               /* begin twice */
    case 3: begin(w), store_recover(w->store, NULL, NULL); break; /* inside of one */
    case 4: store_close(w->store); break;                         /* with a reader open */
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
        BOTH(rollback_leaves_nothing),
        BOTH(restart_keeps_what_was_committed),
        BOTH(wrong_order_stops_the_program),
        cmocka_unit_test_setup_teardown(failure_breaks_the_transaction, setup_memory, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
