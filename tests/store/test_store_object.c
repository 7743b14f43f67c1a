/* The contract of store.h for objects of which the last version is kept, and for the look at a
 * webhook inside of a transaction, over both back-ends. */
#include "fixture.h"

/* ---- short ways to say it ---- */

/* Inside of a transaction: an event without deliveries, created at `created_us`. */
static int64_t version_at(struct world *w, int64_t object, int64_t alias, const char *payload,
                          wall_us created_us)
{
    struct store_event event = event_row(7, EVENT_work_updated);
    event.object = object;
    event.object_alias = alias;
    event.payload = text(payload);
    event.created_us = created_us;
    assert_int_equal(store_accept(w->store, &event, NULL, 0), STORE_OK);
    return event.key;
}

static void version(struct world *w, int64_t object, int64_t alias, const char *payload)
{
    version_at(w, object, alias, payload, 100);
}

static void remove_object(struct world *w, int64_t number)
{
    assert_int_equal(store_object_remove(w->store, number), STORE_OK);
}

struct seen {
    char payload[64];
    enum event_type type;
    bool by_alias;
};

static bool see(void *ctx, const struct store_object *row)
{
    struct seen *seen = ctx;
    assert_bytes(row->org, "dev0");
    assert_in_range(row->payload.bytes, 1, sizeof seen->payload - 1);
    memcpy(seen->payload, row->payload.at, row->payload.bytes);
    seen->payload[row->payload.bytes] = 0;
    seen->type = row->type;
    seen->by_alias = row->by_alias;
    return true;
}

static bool unreachable(void *ctx, const struct store_object *row)
{
    (void)ctx;
    (void)row;
    fail();
    return true;
}

/* Inside of a transaction. */
static struct seen look(struct world *w, int64_t number)
{
    struct seen seen = {.payload = ""};
    assert_int_equal(store_object_get(w->store, number, see, &seen), STORE_OK);
    return seen;
}

#define assert_object(w, number, expected) assert_string_equal(look(w, number).payload, expected)

static void assert_none(struct world *w, int64_t number)
{
    assert_int_equal(store_object_get(w->store, number, unreachable, NULL), STORE_NOT_FOUND);
}

static unsigned purge(struct world *w, wall_us before_us)
{
    unsigned removed;
    begin(w);
    assert_int_equal(store_purge(w->store, before_us, 0, 100, &removed), STORE_OK);
    commit(w);
    return removed;
}

/* ---- objects ---- */

static void the_last_version_is_found_by_both_numbers(void **state)
{
    struct world *w = *state;
    begin(w);
    assert_none(w, 11);
    version(w, 11, -12, "{\"n\":1}");
    version(w, INT64_MIN, INT64_MAX, "{\"n\":2}");
    assert_object(w, 11, "{\"n\":1}");
    commit(w);
    world_restart(w);
    begin(w);
    assert_object(w, 11, "{\"n\":1}");
    assert_false(look(w, 11).by_alias);
    assert_object(w, -12, "{\"n\":1}");
    assert_true(look(w, -12).by_alias);
    assert_int_equal(look(w, 11).type, EVENT_work_updated);
    assert_object(w, INT64_MIN, "{\"n\":2}");
    assert_object(w, INT64_MAX, "{\"n\":2}");
    version(w, 11, -12, "{\"n\":3}");
    assert_object(w, 11, "{\"n\":3}");
    assert_object(w, -12, "{\"n\":3}");
    assert_none(w, 12);
    store_rollback(w->store);
}

static void an_alias_leads_to_the_last_version(void **state)
{
    struct world *w = *state;
    begin(w);
    version(w, 1, 2, "{\"n\":1}");
    version(w, 1, 0, "{\"n\":2}"); /* says nothing of its alias */
    assert_object(w, 2, "{\"n\":2}");
    version(w, 1, 3, "{\"n\":3}"); /* has another one; the old one goes on to lead to the object */
    assert_object(w, 3, "{\"n\":3}");
    assert_object(w, 2, "{\"n\":3}");
    version(w, 4, 3, "{\"n\":4}"); /* takes it over */
    assert_object(w, 3, "{\"n\":4}");
    assert_object(w, 1, "{\"n\":3}");
    remove_object(w, 1); /* and loses nothing when the other one goes */
    assert_none(w, 1);
    assert_none(w, 2);
    assert_object(w, 3, "{\"n\":4}");
    assert_object(w, 4, "{\"n\":4}");
    commit(w);
}

static void a_removed_object_is_gone_under_both_numbers(void **state)
{
    struct world *w = *state;
    begin(w);
    version(w, 1, 2, "{\"n\":1}");
    version(w, 3, 4, "{\"n\":2}");
    version(w, 5, 0, "{\"n\":3}");
    remove_object(w, 1);
    remove_object(w, 4); /* by its alias */
    remove_object(w, 5);
    remove_object(w, 6); /* there is none */
    commit(w);
    world_restart(w);
    begin(w);
    for (int64_t number = 1; number <= 6; number++)
        assert_none(w, number);
    version(w, 1, 2, "{\"n\":4}"); /* it comes back */
    assert_object(w, 1, "{\"n\":4}");
    assert_object(w, 2, "{\"n\":4}");
    version(w, 4, 0, "{\"n\":5}"); /* what was an alias may be an object, and the other way round */
    version(w, 7, 5, "{\"n\":6}");
    assert_object(w, 4, "{\"n\":5}");
    assert_false(look(w, 4).by_alias);
    assert_object(w, 5, "{\"n\":6}");
    assert_true(look(w, 5).by_alias);
    commit(w);
}

static void an_object_whose_number_became_an_alias_is_not_mixed_up(void **state)
{
    struct world *w = *state;
    begin(w);
    version(w, 1, 2, "{\"n\":1}");
    version(w, 3, 1, "{\"n\":2}"); /* 1 is an alias now, and 2 leads nowhere */
    assert_object(w, 1, "{\"n\":2}");
    assert_true(look(w, 1).by_alias);
    assert_none(w, 2);
    remove_object(w, 2);
    assert_object(w, 1, "{\"n\":2}");
    remove_object(w, 3);
    assert_none(w, 1);
    commit(w);
}

static void rollback_brings_the_old_version_back(void **state)
{
    struct world *w = *state;
    begin(w);
    version(w, 1, 2, "{\"n\":1}");
    version(w, 3, 4, "{\"n\":2}");
    commit(w);
    begin(w);
    version(w, 1, 2, "{\"n\":3}");
    version(w, 5, 6, "{\"n\":4}");
    remove_object(w, 3);
    assert_none(w, 4);
    version(w, 3, 0, "{\"n\":5}");
    assert_none(w, 4); /* it lost its alias when it was removed */
    store_rollback(w->store);
    begin(w);
    assert_object(w, 1, "{\"n\":1}");
    assert_object(w, 2, "{\"n\":1}");
    assert_object(w, 3, "{\"n\":2}");
    assert_object(w, 4, "{\"n\":2}");
    assert_none(w, 5);
    assert_none(w, 6);
    version(w, 5, 6, "{\"n\":6}");
    commit(w);
    begin(w);
    assert_object(w, 6, "{\"n\":6}");
    store_rollback(w->store);
}

/* ---- retention ---- */

static unsigned count_events(struct world *w)
{
    struct keys keys = {.count = 0};
    assert_int_equal(store_event_list(w->reader, org, INT64_MAX, -1, 512, collect_event, &keys),
                     STORE_OK);
    return keys.count;
}

static void retention_takes_events_and_leaves_objects(void **state)
{
    struct world *w = *state;
    begin(w);
    version_at(w, 1, 2, "{\"n\":1}", 100); /* two old versions of one object */
    version_at(w, 1, 2, "{\"n\":2}", 200);
    version_at(w, 3, 0, "{\"n\":3}", 100); /* an old one that has a young one */
    version_at(w, 3, 0, "{\"n\":4}", 900);
    version_at(w, 5, 6, "{\"n\":5}", 100); /* one that was deleted */
    remove_object(w, 5);
    version_at(w, 0, 0, "{\"n\":6}", 100); /* no version of anything */
    commit(w);
    assert_int_equal(count_events(w), 6);
    assert_int_equal(purge(w, 500), 5);
    assert_int_equal(count_events(w), 1);
    world_restart(w);
    begin(w);
    assert_object(w, 1, "{\"n\":2}");
    assert_object(w, 2, "{\"n\":2}");
    assert_true(look(w, 2).by_alias);
    assert_int_equal(look(w, 2).type, EVENT_work_updated);
    assert_object(w, 3, "{\"n\":4}");
    assert_none(w, 5);
    assert_none(w, 6);
    version_at(w, 1, 0, "{\"n\":7}", 950); /* a version after that */
    assert_object(w, 2, "{\"n\":7}");
    commit(w);
    assert_int_equal(purge(w, 1000), 2);
    assert_int_equal(count_events(w), 0);
    begin(w);
    assert_object(w, 1, "{\"n\":7}");
    assert_object(w, 2, "{\"n\":7}");
    assert_object(w, 3, "{\"n\":4}");
    remove_object(w, 2);
    assert_none(w, 1);
    commit(w);
    begin(w);
    assert_none(w, 2);
    store_rollback(w->store);
}

static void retention_that_is_rolled_back_changes_nothing(void **state)
{
    struct world *w = *state;
    unsigned removed;
    begin(w);
    version(w, 1, 2, "{\"n\":1}");
    commit(w);
    begin(w);
    assert_int_equal(store_purge(w->store, 500, 0, 10, &removed), STORE_OK);
    assert_int_equal(removed, 1);
    assert_object(w, 1, "{\"n\":1}"); /* from where it was moved to */
    store_rollback(w->store);
    assert_int_equal(count_events(w), 1);
    begin(w);
    assert_object(w, 2, "{\"n\":1}");
    store_rollback(w->store);
}

static void many_objects_stay_apart(void **state)
{
    struct world *w = *state;
    char payload[64];
    for (int round = 0; round < 3; round++) {
        begin(w);
        for (int64_t i = 1; i <= 500; i++) {
            if (i % 3 < round)
                continue;
            snprintf(payload, sizeof payload, "{\"n\":%d}", round * 1000 + (int)i);
            version(w, i * INT64_C(7919000000033), -i, payload);
        }
        if (round == 1)
            store_rollback(w->store);
        else
            commit(w);
    }
    purge(w, 500);
    begin(w);
    for (int64_t i = 1; i <= 500; i++) {
        snprintf(payload, sizeof payload, "{\"n\":%d}", (i % 3 < 2 ? 0 : 2000) + (int)i);
        assert_object(w, i * INT64_C(7919000000033), payload);
        assert_object(w, -i, payload);
    }
    store_rollback(w->store);
}

/* ---- the look at a webhook ---- */

static bool see_webhook(void *ctx, const struct store_webhook *row)
{
    *(uint8_t *)ctx = row->status.state;
    assert_bytes(row->id, "wh1");
    assert_bytes(row->org, "dev0");
    assert_bytes(row->url, "https://receiver.example/hook");
    assert_true(event_set_has(&row->event_types, EVENT_work_created));
    return true;
}

static void a_webhook_is_seen_as_the_transaction_has_it(void **state)
{
    struct world *w = *state;
    uint8_t seen = 99;
    begin(w);
    int64_t key = add_webhook(w, WEBHOOK_INACTIVE);
    assert_int_equal(store_webhook_look(w->store, key, see_webhook, &seen), STORE_OK);
    assert_int_equal(seen, WEBHOOK_INACTIVE);
    set_state(w, key, WEBHOOK_DELETED);
    assert_int_equal(store_webhook_look(w->store, key, see_webhook, &seen), STORE_OK);
    assert_int_equal(seen, WEBHOOK_DELETED);
    assert_int_equal(store_webhook_look(w->store, key + 1, see_webhook, &seen), STORE_NOT_FOUND);
    commit(w); /* not found breaks nothing */
}

static void failure_breaks_the_transaction(void **state)
{
    struct world *w = *state;
    begin(w);
    version(w, 1, 2, "{\"n\":1}");
    commit(w);
    for (int verb = 0; verb < 3; verb++) {
        uint8_t seen;
        begin(w);
        store_memory_fail(w->store, 0, 1, STORE_FAILED);
        enum store_result result = verb == 0 ? store_object_get(w->store, 1, unreachable, NULL)
                                   : verb == 1
                                       ? store_object_remove(w->store, 1)
                                       : store_webhook_look(w->store, 1, see_webhook, &seen);
        assert_int_equal(result, STORE_FAILED);
        assert_int_equal(store_object_get(w->store, 1, unreachable, NULL), STORE_FAILED);
        assert_int_equal(store_object_remove(w->store, 1), STORE_FAILED);
        assert_int_equal(store_webhook_look(w->store, 1, see_webhook, &seen), STORE_FAILED);
        store_rollback(w->store);
    }
    begin(w);
    assert_object(w, 2, "{\"n\":1}");
    store_rollback(w->store);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(the_last_version_is_found_by_both_numbers),
        BOTH(an_alias_leads_to_the_last_version),
        BOTH(a_removed_object_is_gone_under_both_numbers),
        BOTH(an_object_whose_number_became_an_alias_is_not_mixed_up),
        BOTH(rollback_brings_the_old_version_back),
        BOTH(retention_takes_events_and_leaves_objects),
        BOTH(retention_that_is_rolled_back_changes_nothing),
        BOTH(many_objects_stay_apart),
        BOTH(a_webhook_is_seen_as_the_transaction_has_it),
        cmocka_unit_test_setup_teardown(failure_breaks_the_transaction, setup_memory, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
