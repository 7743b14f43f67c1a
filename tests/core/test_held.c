/* Transcripts of what is held while a webhook verifies again, and of what becomes of the queue when
 * a webhook is deleted. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define expect(world, text) assert_string_equal(world_text(world), text)

/* ---- held ---- */

static void an_update_holds_and_an_echo_releases(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 3);
    world_end(world, 1, OUTCOME_timeout);
    world_advance(world, 10000);
    world_end(world, 2, OUTCOME_timeout);
    world_text(world);
    world_command(world, webhook, true, COMMAND_NONE);
    assert_int_equal(webhook->stored.generation, 2);
    assert_false(webhook->stored.verified);
    assert_int_equal(world_publish(world, webhook), 0); /* not for later */
    world_end(world, 3, OUTCOME_timeout);               /* the attempt counts, the rest is held */
    world_verified(world, webhook, OUTCOME_wrong_challenge);
    world_advance(world, 25000); /* d1 would be due at 30 */
    expect(world, "10 w1 unverified never_verified\n"
                  "10 verify w1\n"
                  "10 d3 held 40\n"
                  "15 verify w1\n");
    world_verified(world, webhook, OUTCOME_acknowledged);
    world_advance(world, 5000);
    expect(world, "35 w1 active\n"
                  "35 post d1\n" /* late by now */
                  "40 post d2\n" /* as it was planned */
                  "40 post d3\n");
    world_free(world);
}

static void the_window_ends_for_what_is_held(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 2);
    world_end(world, 1, OUTCOME_timeout);
    world_command(world, webhook, true, COMMAND_NONE);
    world_verified(world, webhook, OUTCOME_timeout);
    world_end(world, 2, OUTCOME_timeout);
    world_advance(world, 100000);
    world_command(world, webhook, true, COMMAND_NONE); /* a new window: held longer */
    world_text(world);
    world_advance(world, 180000);
    expect(world, "280 w1 unverified verify_timed_out\n"
                  "280 d1 failed webhook_unverified\n"
                  "280 d2 failed webhook_unverified\n");
    assert_int_equal(core_deadline(&world->core), MONO_NEVER);
    world_free(world);
}

static void held_then_switched_off_or_deleted(void **state)
{
    (void)state;
    for (int delete = 0; delete < 2; delete ++) {
        struct world *world = world_new(NULL);
        struct world_webhook *webhook = world_create_active(world);
        world_publish(world, webhook);
        world_end(world, 1, OUTCOME_timeout);
        world_command(world, webhook, true, COMMAND_NONE);
        world_text(world);
        world_command(world, webhook, false, delete ? COMMAND_DELETE : COMMAND_DEACTIVATE);
        expect(world, delete ? "0 w1 deleted webhook_deleted\n"
                               "0 d1 dropped webhook_deleted\n"
                               "0 forget w1\n"
                             : "0 w1 inactive deactivated\n"
                               "0 d1 dropped webhook_inactive\n");
        world_free(world);
    }
}

static void outcomes_of_an_old_generation_do_not_touch_health(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.degrade_after = 1;
    config.retry_count = 0;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 2);
    world_command(world, webhook, true, COMMAND_NONE);
    world_verified(world, webhook, OUTCOME_acknowledged);
    struct webhook_status before = webhook->stored;
    world_end(world, 1, OUTCOME_timeout);
    world_end(world, 2, OUTCOME_acknowledged);
    assert_int_equal(world_row(world, 1)->reason, REASON_attempts_exhausted);
    assert_int_equal(world_row(world, 2)->state, DELIVERY_DELIVERED);
    assert_memory_equal(&webhook->stored, &before, sizeof(before));
    world_free(world);
}

/* ---- the end ---- */

static void deleted_while_in_flight(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 34);
    world_end(world, 34 - 32, OUTCOME_acknowledged); /* d33 starts, d34 is queued */
    world_text(world);
    world_command(world, webhook, false, COMMAND_DELETE);
    assert_int_equal(world_publish(world, webhook), 0);
    expect(world, "0 w1 deleted webhook_deleted\n"
                  "0 d34 dropped webhook_deleted\n");
    assert_int_equal(world_posts_open(world, webhook), 32);
    for (int64_t key = 3; key <= 33; key++)
        world_end(world, key, OUTCOME_timeout);
    world_text(world);
    assert_non_null(webhook->core);
    world_end(world, 1, OUTCOME_acknowledged);
    expect(world, "0 d1 delivered\n"
                  "0 forget w1\n"); /* once, and last: world_check.c */
    assert_null(webhook->core);
    world_advance(world, 86400000);
    expect(world, "");
    world_free(world);
}

/* More is let go than one update holds; the webhook is still the last. */
static void deleted_with_a_long_queue(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.in_flight_per_webhook_max = 1000;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct world *world = world_new(&config);
        struct world_webhook *webhook = world_create_active(world);
        world_publish_many(world, webhook, 600);
        world_end_all(world, OUTCOME_timeout);
        if (in_flight)
            world_publish(world, webhook);
        world_command(world, webhook, false, COMMAND_DELETE);
        if (in_flight)
            world_end(world, 601, OUTCOME_timeout);
        assert_null(webhook->core);
        assert_null(world->deliveries);
        world_free(world);
    }
}

static void deleted_while_verifying(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    world_command(world, webhook, false, COMMAND_DELETE);
    expect(world, "0 verify w1\n"
                  "0 w1 deleted webhook_deleted\n"
                  "0 forget w1\n");
    world_verified(world, webhook, OUTCOME_acknowledged);
    world_advance(world, 1000000);
    expect(world, "");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_holds_and_an_echo_releases),
        cmocka_unit_test(the_window_ends_for_what_is_held),
        cmocka_unit_test(held_then_switched_off_or_deleted),
        cmocka_unit_test(outcomes_of_an_old_generation_do_not_touch_health),
        cmocka_unit_test(deleted_while_in_flight),
        cmocka_unit_test(deleted_with_a_long_queue),
        cmocka_unit_test(deleted_while_verifying),
    };
    return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
