/* The backlog: what is in memory and what waits in the store. tests/lib/world_check.c holds after
 * every step that each open delivery is in exactly one place; here are the situations, by hand and
 * at random. Each random world must end with every accepted delivery having ended exactly once. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct core_config small_window(void)
{
    struct core_config config = world_config();
    config.window_max = 64;
    config.in_flight_per_webhook_max = 4;
    config.degrade_after = 1000000;
    return config;
}

static void all_end(struct world *world)
{
    for (int64_t key = 1; key <= world->row_count; key++) {
        const struct world_row *row = world_row(world, key);
        assert_int_equal(row->due, MONO_NEVER);
        assert_int_equal(row->ended, row->opened);
        assert_true(row->state >= DELIVERY_DELIVERED);
    }
    assert_null(world->deliveries);
    assert_int_equal(world->core.queued, 0);
    assert_int_equal(world->core.in_flight, 0);
}

static void a_long_queue_spills_and_comes_back_in_order(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 1000);
    assert_true(webhook->core->spilled);
    assert_true(webhook->core->queued <= 64);
    for (int64_t key = 1; key <= 1000; key++) {
        assert_non_null(world_row(world, key)->post);
        if (key < 1000 - 3)
            assert_null(world_row(world, key + 4)->post);
        world_end(world, key, OUTCOME_acknowledged);
        assert_true(webhook->core->queued <= 64);
    }
    assert_false(webhook->core->spilled);
    assert_in_range(world->refills, 1000 / 32 - 3, 1000 / 32 + 3);
    all_end(world);
    world_free(world);
}

/* A window of 64: the 65th leaves the earlier half, and half a window is asked for once a quarter
 * is left. */
static void an_overflow_keeps_half_a_window(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 4); /* they fly */
    world_publish_many(world, webhook, 64);
    assert_int_equal(webhook->core->queued, 64);
    assert_false(webhook->core->spilled);
    world_publish(world, webhook);
    assert_int_equal(webhook->core->queued, 32);
    assert_true(webhook->core->spilled);
    for (int64_t key = 1; key < 16; key++) {
        world_end(world, key, OUTCOME_acknowledged);
        assert_int_equal(webhook->core->queued, 32 - key);
    }
    assert_int_equal(world->refills, 0);
    world_end(world, 16, OUTCOME_acknowledged);
    assert_int_equal(world->refills, 1);
    assert_int_equal(webhook->core->queued, 16 + 32);
    assert_true(webhook->core->spilled); /* one is left */
    world_free(world);
}

static uint32_t every_fifth_is_large(int64_t key)
{
    return key % 5 == 0 ? 100 : 1;
}

/* Large events count for many: what is in memory weighs no more than the window and one of them. */
static void large_events_take_the_place_of_many(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    world->weigh = every_fifth_is_large;
    struct world_webhook *webhook = world_create_active(world);
    for (int i = 0; i < 300; i++) {
        world_publish(world, webhook);
        assert_in_range(webhook->core->weight, 0, 64 + 100);
    }
    assert_true(webhook->core->spilled);
    for (int64_t key = 1; key <= 300; key++) {
        assert_non_null(world_row(world, key)->post); /* in order, none forgotten */
        assert_in_range(webhook->core->weight, 0, 64 + 100);
        assert_in_range(webhook->core->queued, 0, 10);
        world_end(world, key, OUTCOME_acknowledged);
    }
    all_end(world);
    assert_int_equal(world->core.weight, 0);
    world_free(world);
}

/* Retries wait behind the frontier; a newer event that is due before them is taken in. */
static void retries_behind_the_frontier(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 300);
    for (int64_t key = 1; key <= 300; key++)
        world_end(world, key, OUTCOME_timeout);
    int64_t newer = world_publish(world, webhook);
    assert_non_null(world_row(world, newer)->post);
    world_end(world, newer, OUTCOME_acknowledged);
    for (int i = 0; i < 400 && world_row(world, 300)->due != MONO_NEVER; i++) {
        world_advance(world, 1000);
        world_end_all(world, OUTCOME_acknowledged);
    }
    all_end(world);
    for (int64_t key = 1; key <= 300; key++)
        assert_int_equal(world_row(world, key)->posts, 2);
    world_free(world);
}

/* A retry let go between the question and its answer would be missing: the answer is void. */
static void a_stale_answer_is_thrown_away(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 100);
    world->held = true;
    for (int64_t key = 1; !webhook->core->refilling; key++) {
        world_end(world, key, OUTCOME_acknowledged);
        world_run(world);
    }
    while (world_commit(world)) /* the answer is on its way */
        ;
    for (int64_t key = 1; key <= 100; key++)
        if (world_row(world, key)->post)
            world_end(world, key, OUTCOME_timeout); /* due again at 30 s, behind the frontier */
    assert_true(webhook->core->refill_stale);
    world_drain(world);
    assert_true(world->stale_refills >= 1);
    world->held = false;
    for (int i = 0; i < 100; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        world_advance(world, 1000);
    }
    all_end(world);
    world_free(world);
}

/* The window overflows between the question and its answer: the frontier moves back, and the answer
 * would leave out what lies between the two. */
static bool overflow_while_refilling(unsigned count)
{
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, count);
    for (int64_t key = 1; key <= count; key++) {
        if (key == 21)
            world_advance(world, 20000);
        world_end(world, key, OUTCOME_timeout); /* the first 20 are due at 30 s, the rest at 50 */
    }
    world_advance(world, 10000);
    world->held = true;
    for (int64_t key = 1; key <= 20 && !webhook->core->refilling; key++) {
        world_end(world, key, OUTCOME_acknowledged);
        world_run(world);
    }
    bool before = webhook->core->refilling && webhook->core->frontier_due > world->now.mono;
    world_publish_many(world, webhook, 60); /* due before the frontier */
    while (world_report(world))
        ;
    assert_true(!before || webhook->core->refill_stale);
    world_drain(world);
    world->held = false;
    for (int i = 0; i < 100; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        world_advance(world, 1000);
    }
    all_end(world);
    world_free(world);
    return before;
}

static void an_overflow_makes_the_answer_stale(void **state)
{
    (void)state;
    unsigned hits = 0;
    for (unsigned count = 80; count < 144; count += 3) /* where the frontier lies depends on it */
        hits += overflow_while_refilling(count);
    assert_true(hits > 0);
}

/* Redeliveries of old events come before what was accepted in the same millisecond. When there are
 * many, the frontier ends up before a delivery in flight, which the store calls open: it must not
 * come back with a refill that was read before it ended. */
static void in_flight_behind_the_frontier(void **state)
{
    (void)state;
    struct core_config config = small_window();
    config.in_flight_per_webhook_max = 2;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 100);
    for (int64_t key = 1; key <= 100; key++)
        world_end(world, key, OUTCOME_acknowledged);
    world_publish(world, webhook);
    for (int64_t key = 1; key <= 66; key++)
        assert_true(world_redeliver(world, key));
    assert_true(webhook->core->spilled && webhook->core->frontier_key < 101);
    world->held = true;
    unsigned refills = world->refills;
    for (int64_t key = 1; key <= 66 && world_row(world, key)->post; key++) {
        world_end(world, key, OUTCOME_acknowledged);
        while (world_commit(world)) /* a refill, if asked for, has been read */
            ;
        if (world->refills == refills + 2)
            break; /* this would be the one with d101 in it */
        while (world_report(world))
            ;
        world_run(world);
    }
    world_end(world, 101, OUTCOME_acknowledged);
    world_drain(world);
    world->held = false;
    for (int i = 0; i < 100; i++)
        world_end_all(world, OUTCOME_acknowledged);
    all_end(world);
    assert_int_equal(world_row(world, 101)->posts, 1);
    assert_int_equal(world_row(world, 66)->posts, 2);
    world_free(world);
}

static void a_spilled_queue_is_settled_whole(void **state)
{
    (void)state;
    for (int refilling = 0; refilling < 2; refilling++) {
        struct core_config config = small_window();
        struct world *world = world_new(&config);
        struct world_webhook *webhook = world_create_active(world);
        world_publish_many(world, webhook, 500);
        world->held = true;
        for (int64_t key = 1; refilling && !webhook->core->refilling; key++) {
            world_end(world, key, OUTCOME_acknowledged);
            world_run(world);
        }
        world_command(world, webhook, false, COMMAND_DEACTIVATE);
        world_drain(world);
        world->held = false;
        assert_false(webhook->core->spilled);
        world_end_all(world, OUTCOME_timeout);
        all_end(world);
        assert_int_equal(world_row(world, 500)->reason, REASON_webhook_inactive);
        world_free(world);
    }
}

static void held_and_spilled_then_released(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 300);
    world_command(world, webhook, true, COMMAND_NONE);
    world_end_all(world, OUTCOME_timeout);
    unsigned posts = world->posts;
    world_advance(world, 1000);
    assert_int_equal(world->posts, posts);
    world_verified(world, webhook, OUTCOME_acknowledged);
    for (int i = 0; i < 100; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        world_advance(world, 1000);
    }
    all_end(world);
    world_free(world);
}

static void a_restart_with_a_backlog(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 300);
    for (int64_t key = 1; key <= 20; key++)
        world_end(world, key, key % 2 ? OUTCOME_acknowledged : OUTCOME_timeout);
    world_crash(world);
    assert_int_equal(world_posts_open(world, webhook), 4); /* the same that were in flight */
    assert_int_equal(world_row(world, 21)->posts, 2);
    assert_int_equal(world_row(world, 25)->posts, 0);
    for (int i = 0; i < 100; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        world_advance(world, 1000);
    }
    all_end(world);
    world_free(world);
}

/* In flight when the service stopped, and its webhook was switched off in between. */
static void a_restart_ends_what_nobody_waits_for(void **state)
{
    (void)state;
    for (int degrade = 0; degrade < 2; degrade++) {
        struct core_config config = world_config();
        config.degrade_after = 1;
        struct world *world = world_new(&config);
        struct world_webhook *webhook = world_create_active(world);
        world_publish(world, webhook);
        if (degrade)
            world_exhaust(world, world_publish(world, webhook));
        else
            world_command(world, webhook, false, COMMAND_DEACTIVATE);
        assert_int_not_equal(world_row(world, 1)->due, MONO_NEVER);
        world_crash(world);
        assert_int_equal(world_row(world, 1)->state, degrade ? DELIVERY_FAILED : DELIVERY_DROPPED);
        all_end(world);
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_queue_spills_and_comes_back_in_order),
        cmocka_unit_test(an_overflow_keeps_half_a_window),
        cmocka_unit_test(large_events_take_the_place_of_many),
        cmocka_unit_test(retries_behind_the_frontier),
        cmocka_unit_test(a_stale_answer_is_thrown_away),
        cmocka_unit_test(an_overflow_makes_the_answer_stale),
        cmocka_unit_test(in_flight_behind_the_frontier),
        cmocka_unit_test(a_spilled_queue_is_settled_whole),
        cmocka_unit_test(held_and_spilled_then_released),
        cmocka_unit_test(a_restart_with_a_backlog),
        cmocka_unit_test(a_restart_ends_what_nobody_waits_for),
    };
    return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
