/* What goes next: limits on what is in flight, fairness between webhooks, order within one. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void at_most_32_of_one_webhook(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 100);
    assert_int_equal(world_posts_open(world, webhook), 32);
    world_end(world, 7, OUTCOME_acknowledged);
    assert_int_equal(world_posts_open(world, webhook), 32); /* the next took its place */
    assert_non_null(world_row(world, 33)->post);
    assert_null(world_row(world, 34)->post);
    world_free(world);
}

static void first_attempts_start_in_the_order_of_acceptance(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_per_webhook_max = 3;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    int64_t next = 1; /* the next one to begin */
    for (int round = 0; round < 40; round++) {
        world_publish_many(world, webhook, 1 + round % 3);
        world_advance(world, round % 4);
        for (int64_t key = 1; key <= world->row_count; key++) {
            if (world_row(world, key)->post && (round + key) % 2)
                world_end(world, key, key % 5 ? OUTCOME_acknowledged : OUTCOME_timeout);
        }
        for (; next <= world->row_count && world_row(world, next)->posts > 0; next++)
            ;
        for (int64_t key = next; key <= world->row_count; key++)
            assert_int_equal(world_row(world, key)->posts, 0); /* none before its turn */
    }
    assert_true(next > 50);
    world_free(world);
}

static void at_most_so_many_of_all(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_max = 50;
    struct world *world = world_new(&config);
    for (int i = 0; i < 80; i++)
        world_publish_many(world, world_create_active(world), 3);
    assert_int_equal(world_posts_open(world, NULL), 50); /* world_check.c watches every step */
    world_end_all(world, OUTCOME_acknowledged);
    for (int i = 0; i < 10 && world_posts_open(world, NULL); i++) {
        assert_true(world_posts_open(world, NULL) <= 50);
        world_end_all(world, OUTCOME_acknowledged);
    }
    for (int64_t key = 1; key <= world->row_count; key++)
        assert_int_equal(world_row(world, key)->state, DELIVERY_DELIVERED);
    world_free(world);
}

/* A hundred receivers that hang, each with a long queue, do not take every slot. */
static void a_healthy_webhook_starts_among_a_hundred_hogs(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_max = 256;
    config.degrade_after = 1000000;
    struct world *world = world_new(&config);
    struct world_webhook *healthy = world_create_active(world), *hogs[100];
    for (int i = 0; i < 100; i++)
        hogs[i] = world_create_active(world);
    world->held = true; /* all of it is there before anything is chosen */
    for (int i = 0; i < 100; i++)
        world_publish_many(world, hogs[i], 8);
    world_drain(world);
    world->held = false;
    for (int round = 0; round < 3; round++) {
        assert_true(world_posts_open(world, NULL) < 256);
        for (int i = 0; i < 10; i++) {
            int64_t key = world_publish(world, healthy);
            assert_non_null(world_row(world, key)->post); /* in the very next round */
            world_end(world, key, OUTCOME_acknowledged);
        }
        world_advance(world, 3000);
        for (int64_t key = 1; key <= 800; key++)
            if (world_row(world, key)->post)
                world_end(world, key, OUTCOME_timeout);
    }
    world_free(world);
}

/* Where they came one after the other and did fill every slot, slots that become free go round. */
static void a_full_house_goes_round(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_max = 256;
    struct world *world = world_new(&config);
    struct world_webhook *healthy = world_create_active(world);
    for (int i = 0; i < 100; i++)
        world_publish_many(world, world_create_active(world), 32);
    assert_int_equal(world_posts_open(world, NULL), 256);
    int64_t key = world_publish(world, healthy);
    unsigned freed = 0;
    for (int64_t other = 1; !world_row(world, key)->post; other++) {
        assert_true(other < key);
        if (world_row(world, other)->post) {
            world_end(world, other, OUTCOME_timeout);
            freed++;
        }
    }
    assert_in_range(freed, 1, 100);
    world_free(world);
}

/* Alone, a webhook gets all that its own limit allows. */
static void alone_it_is_not_held_back(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_max = 300;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 64);
    assert_int_equal(world_posts_open(world, webhook), 32);
    world_free(world);

    config.in_flight_max = 2; /* and with next to nothing it gets on, too */
    world = world_new(&config);
    webhook = world_create_active(world);
    struct world_webhook *other = world_create_active(world);
    world_publish_many(world, webhook, 10);
    world_publish_many(world, other, 10);
    assert_int_equal(world_posts_open(world, webhook), 1);
    assert_int_equal(world_posts_open(world, other), 1);
    for (int i = 0; i < 10; i++)
        world_end_all(world, OUTCOME_acknowledged);
    for (int64_t key = 1; key <= 20; key++)
        assert_int_equal(world_row(world, key)->state, DELIVERY_DELIVERED);
    world_free(world);
}

/* When slots are scarce, webhooks take turns, one delivery each. */
static void webhooks_take_turns(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_max = 4;
    struct world *world = world_new(&config);
    struct world_webhook *webhooks[8];
    for (int i = 0; i < 8; i++)
        webhooks[i] = world_create_active(world);
    world->held = true;
    for (int i = 0; i < 8; i++)
        world_publish_many(world, webhooks[i], 4);
    world_drain(world);
    world->held = false;
    for (int round = 0; round < 8; round++) {
        assert_int_equal(world_posts_open(world, NULL), 4);
        for (int i = 0; i < 8; i++)
            assert_int_equal(world_posts_open(world, webhooks[i]), i / 4 == round % 2);
        world->held = true; /* all four end before anything is chosen */
        for (int64_t key = 1; key <= world->row_count; key++)
            if (world_row(world, key)->post)
                world_end(world, key, OUTCOME_acknowledged);
        world->held = false;
        world_drain(world);
    }
    assert_int_equal(world_posts_open(world, NULL), 0);
    world_free(world);
}

/* More follows from one event than an update holds: `more`, until all is done. */
static void more_than_one_update_holds(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_max = 20000;
    config.in_flight_per_webhook_max = 2000;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world->held = true;
    world_publish_many(world, webhook, 1000);
    while (world_report(world))
        ;
    unsigned steps = world->steps;
    world_run(world);
    assert_int_equal(world_posts_open(world, webhook), 1000);
    assert_true(world->steps - steps > 1000 / UPDATE_EFFECTS_MAX);
    world_command(world, webhook, false, COMMAND_DEACTIVATE);
    for (int64_t key = 1; key <= 1000; key++)
        world_end(world, key, key % 2 ? OUTCOME_acknowledged : OUTCOME_timeout);
    steps = world->steps;
    world_commit(world); /* every outcome has waited for this */
    world_report(world);
    assert_true(world->steps - steps > 1000 / UPDATE_EFFECTS_MAX);
    world_drain(world);
    for (int64_t key = 1; key <= 1000; key++)
        assert_int_equal(world_row(world, key)->state,
                         key % 2 ? DELIVERY_DELIVERED : DELIVERY_DROPPED);
    assert_null(world->deliveries);
    world_free(world);
}

/* A run begins a few and asks to be called again at once, in turn as before, until nothing is left
 * that may start; what is answered between the runs makes room. */
static void a_run_begins_a_few(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    world->starts_max = 4;
    struct world_webhook *first = world_create_active(world), *second = world_create_active(world);
    world->held = true;
    world_publish_many(world, first, 40);
    world_publish_many(world, second, 3);
    while (world_report(world))
        ;
    for (unsigned open = 4; open <= 32; open += 4) {
        world_run(world);
        assert_int_equal(world_posts_open(world, NULL), open);
        assert_int_equal(core_deadline(&world->core), world->now.mono);
        assert_int_equal(world_posts_open(world, second), open == 4 ? 2 : 3);
    }
    world_run(world); /* the last three slots of the first webhook */
    assert_int_equal(world_posts_open(world, first), 32);
    assert_true(core_deadline(&world->core) > world->now.mono);
    world->held = false;
    world_end(world, 1, OUTCOME_acknowledged);
    assert_non_null(world_row(world, 33)->post);
    world_free(world);
}

/* A retry that is due at once must not begin before its outcome was carried out. */
static void an_outcome_is_told_before_the_next_attempt_begins(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.retry_delays_ms[0] = config.retry_delays_ms[1] = 0;
    config.in_flight_per_webhook_max = 1000;
    config.in_flight_max = 20000;
    config.degrade_after = 1000000;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world->held = true;
    world_publish_many(world, webhook, 400);
    world_drain(world);
    world_command(world, webhook, false, COMMAND_NONE);
    for (int64_t key = 400; key > 0; key--) /* the last to be worked off are the first in turn */
        world_end(world, key, OUTCOME_timeout);
    while (world_commit(world))
        ;
    while (world_report(world))
        ;
    for (int64_t key = 1; key <= 400; key++) /* with what was told, and no run of its own */
        assert_int_equal(world_row(world, key)->posts, 2);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_32_of_one_webhook),
        cmocka_unit_test(first_attempts_start_in_the_order_of_acceptance),
        cmocka_unit_test(at_most_so_many_of_all),
        cmocka_unit_test(a_healthy_webhook_starts_among_a_hundred_hogs),
        cmocka_unit_test(a_full_house_goes_round),
        cmocka_unit_test(alone_it_is_not_held_back),
        cmocka_unit_test(webhooks_take_turns),
        cmocka_unit_test(more_than_one_update_holds),
        cmocka_unit_test(a_run_begins_a_few),
        cmocka_unit_test(an_outcome_is_told_before_the_next_attempt_begins),
    };
    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
