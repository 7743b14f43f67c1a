/* Transcripts in virtual time: a webhook from its creation to its end, and the deliveries on the
 * way. What stands in the strings is what the rules say, line by line (tests/lib/world.h tells how
 * to read them). */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define expect(world, text) assert_string_equal(world_text(world), text)

/* ---- verification ---- */

static void created_verified_active(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    expect(world, "0 verify w1\n");
    assert_int_equal(world_publish(world, webhook), 0); /* does not wait for it */
    world_advance(world, 250);
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "0.250 w1 active\n");
    assert_true(webhook->stored.verified);
    assert_int_equal(core_deadline(&world->core), MONO_NEVER);
    world_publish(world, webhook);
    expect(world, "0.250 post d1\n");
    world_end(world, 1, OUTCOME_acknowledged);
    expect(world, "0.250 d1 delivered\n");
    world_free(world);
}

/* The client is told of the webhook, and of its secret, before the first request. */
static void the_first_verify_waits_for_the_answer(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    world->hold_answers = true;
    struct world_webhook *webhook = world_create(world);
    world_advance(world, 2000);
    expect(world, "");
    world_answer(world, webhook);
    expect(world, "2 verify w1\n");
    world_verified(world, webhook, OUTCOME_wrong_challenge);
    world_advance(world, 4000); /* the times after that still count from the create call */
    expect(world, "5 verify w1\n");
    world_free(world);
}

static void a_client_that_is_never_told_does_not_stop_the_clock(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    world->hold_answers = true;
    world_create(world);
    world_advance(world, 200000);
    expect(world, "180 w1 unverified verify_timed_out\n");
    world_free(world);
}

static void no_echo_in_the_window(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    for (int i = 0; i < 8; i++) {
        world_verified(world, webhook, i % 2 ? OUTCOME_timeout : OUTCOME_wrong_challenge);
        world_advance(world, core_deadline(&world->core) - world->now.mono);
    }
    expect(world, "0 verify w1\n"
                  "5 verify w1\n"
                  "15 verify w1\n"
                  "30 verify w1\n"
                  "60 verify w1\n"
                  "100 verify w1\n"
                  "140 verify w1\n"
                  "175 verify w1\n"
                  "180 w1 unverified verify_timed_out\n");
    world_advance(world, 86400000); /* nothing more until a client does something */
    expect(world, "");
    assert_int_equal(webhook->verify_count, 8);
    world_command(world, webhook, false, COMMAND_ACTIVATE);
    expect(world, "86580 w1 unverified never_verified\n"
                  "86580 verify w1\n");
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "86580 w1 active\n");
    world_free(world);
}

/* One request at a time: the next one waits for the end of the one before. */
static void a_slow_verify_request_delays_the_next(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    world_advance(world, 7000);
    expect(world, "0 verify w1\n");
    world_verified(world, webhook, OUTCOME_timeout);
    expect(world, "7 verify w1\n");
    world_verified(world, webhook, OUTCOME_timeout);
    world_advance(world, 8000);
    expect(world, "15 verify w1\n");
    world_free(world);
}

static void an_echo_after_the_window_is_late(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    world_advance(world, 179999);
    world->held = true;
    world_text(world);
    world->now.mono += 1; /* the echo and the end of the window in the same instant */
    world_verified(world, webhook, OUTCOME_acknowledged);
    world_drain(world);
    expect(world, "180 w1 unverified verify_timed_out\n");
    world_free(world);

    world = world_new(NULL);
    webhook = world_create(world);
    world_advance(world, 179999);
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "0 verify w1\n179.999 w1 active\n");
    world_free(world);
}

/* Old challenges are void from the moment a new run begins. */
static void a_late_echo_of_an_old_generation_changes_nothing(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    uint32_t old = webhook->verify_seq;
    world_advance(world, 1000);
    world_command(world, webhook, true, COMMAND_NONE);
    expect(world, "0 verify w1\n"
                  "1 w1 unverified never_verified\n"
                  "1 verify w1\n");
    assert_int_equal(webhook->stored.generation, 2);
    assert_int_equal(webhook->stored.verify_until, 181000);
    world_verified_seq(world, webhook, old, OUTCOME_acknowledged);
    expect(world, "");
    assert_int_equal(webhook->core->status.state, WEBHOOK_UNVERIFIED);
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "1 w1 active\n");
    world_free(world);
}

/* ---- attempts ---- */

static void three_attempts_from_the_end_of_the_one_before(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish(world, webhook);
    world_advance(world, 3000);
    world_end(world, 1, OUTCOME_timeout);
    world_advance(world, 30000);
    world_advance(world, 1500);
    world_end(world, 1, OUTCOME_http_status);
    world_advance(world, 179999);
    expect(world, "0 post d1\n"
                  "3 d1 pending 33\n"
                  "33 post d1\n"
                  "34.500 d1 pending 214.500\n");
    world_advance(world, 1);
    world_advance(world, 100);
    world_end(world, 1, OUTCOME_connection_refused);
    world_advance(world, 86400000);
    expect(world, "214.500 post d1\n"
                  "214.600 d1 failed attempts_exhausted\n");
    assert_int_equal(webhook->stored.consecutive_failures, 1);
    world_free(world);
}

static void acknowledged_at_the_second_and_third_attempt(void **state)
{
    (void)state;
    for (int good = 2; good <= 3; good++) {
        struct world *world = world_new(NULL);
        int64_t key = world_publish(world, world_create_active(world));
        struct world_row *row = world_row(world, key);
        for (int i = 1; i < good; i++) {
            world_end(world, key, OUTCOME_redirect);
            world_advance(world, row->due - world->now.mono);
        }
        world_end(world, key, OUTCOME_acknowledged);
        assert_int_equal(row->state, DELIVERY_DELIVERED);
        assert_int_equal(row->attempt_count, good);
        assert_int_equal(row->posts, good);
        world_free(world);
    }
}

static void a_delivery_that_waits_does_not_block_newer_ones(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish(world, webhook);
    world_end(world, 1, OUTCOME_timeout);
    world_advance(world, 1000);
    world_publish(world, webhook);
    world_end(world, 2, OUTCOME_acknowledged);
    world_advance(world, 29000);
    expect(world, "0 post d1\n"
                  "0 d1 pending 30\n"
                  "1 post d2\n"
                  "1 d2 delivered\n"
                  "30 post d1\n");
    world_free(world);
}

/* ---- redelivery ---- */

static void a_redelivery_is_one_attempt_outside_the_schedule(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish(world, webhook);
    assert_false(world_redeliver(world, 1)); /* it is open */
    world_exhaust(world, 1);
    world_text(world);
    assert_true(world_redeliver(world, 1));
    world_end(world, 1, OUTCOME_timeout);
    world_advance(world, 86400000);
    expect(world, "210 post d1\n"
                  "210 d1 failed attempts_exhausted (redelivery)\n");
    assert_int_equal(webhook->stored.consecutive_failures, 1); /* no harm to health */
    assert_true(world_redeliver(world, 1));
    world_end(world, 1, OUTCOME_acknowledged);
    expect(world, "86610 post d1\n"
                  "86610 d1 delivered\n");
    assert_int_equal(world_row(world, 1)->attempt_count, 5);
    assert_int_equal(webhook->stored.consecutive_failures, 0); /* an acknowledgement is one */
    world_free(world);
}

static void redeliveries_that_fail_never_degrade(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish(world, webhook);
    world_end(world, 1, OUTCOME_acknowledged);
    for (int i = 0; i < 20; i++) {
        assert_true(world_redeliver(world, 1));
        world_end(world, 1, OUTCOME_timeout);
    }
    assert_int_equal(webhook->stored.state, WEBHOOK_ACTIVE);
    assert_int_equal(world_row(world, 1)->state, DELIVERY_DELIVERED); /* the old end stands */
    world_free(world);
}

/* ---- changes of state ---- */

static void a_state_says_since_when(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    wall_us created = world->now.wall;
    assert_int_equal(webhook->stored.since_us, created);
    world_advance(world, 1500);
    world_verified(world, webhook, OUTCOME_acknowledged);
    assert_int_equal(webhook->stored.state, WEBHOOK_ACTIVE);
    assert_int_equal(webhook->stored.since_us, created + 1500000);
    world_free(world);
}

/* An echo that came while a change was on its way counts once, when that is over. */
static void an_echo_during_a_change_counts_once(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.degrade_after = 1;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create(world);
    world->held = true;
    world_command(world, webhook, false, COMMAND_NONE);
    assert_true(webhook->core->changing);
    world_verified(world, webhook, OUTCOME_acknowledged);
    assert_int_equal(webhook->core->status.state, WEBHOOK_UNVERIFIED);
    world->held = false;
    world_drain(world);
    assert_int_equal(webhook->core->status.state, WEBHOOK_ACTIVE);
    int64_t key = world_publish(world, webhook);
    world_exhaust(world, key);
    assert_int_equal(webhook->core->status.state, WEBHOOK_DEGRADED);
    world_free(world);
}

/* ---- time ---- */

/* The mono line has no meaning but its order, so it may begin anywhere. */
static void time_may_begin_below_zero(void **state)
{
    (void)state;
    struct core_config config = world_config();
    struct core core;
    struct update update;
    core_init(&core, &config);
    core_step(&core, &(struct core_event){.kind = EVENT_RUN, .now.mono = -5000, .starts_max = 1},
              &update);
    assert_int_equal(update.count, 0);
    assert_int_equal(core.now.mono, -5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(created_verified_active),
        cmocka_unit_test(the_first_verify_waits_for_the_answer),
        cmocka_unit_test(a_client_that_is_never_told_does_not_stop_the_clock),
        cmocka_unit_test(no_echo_in_the_window),
        cmocka_unit_test(a_slow_verify_request_delays_the_next),
        cmocka_unit_test(an_echo_after_the_window_is_late),
        cmocka_unit_test(a_late_echo_of_an_old_generation_changes_nothing),
        cmocka_unit_test(three_attempts_from_the_end_of_the_one_before),
        cmocka_unit_test(acknowledged_at_the_second_and_third_attempt),
        cmocka_unit_test(a_delivery_that_waits_does_not_block_newer_ones),
        cmocka_unit_test(a_redelivery_is_one_attempt_outside_the_schedule),
        cmocka_unit_test(redeliveries_that_fail_never_degrade),
        cmocka_unit_test(a_state_says_since_when),
        cmocka_unit_test(an_echo_during_a_change_counts_once),
        cmocka_unit_test(time_may_begin_below_zero),
    };
    return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
