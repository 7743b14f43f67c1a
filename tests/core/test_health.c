/* Transcripts of health: how a webhook degrades, what that means for its queue, and the ways back.
 */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define expect(world, text) assert_string_equal(world_text(world), text)

/* `count` deliveries in a row use up their attempts. */
static void fail_in_a_row(struct world *world, struct world_webhook *webhook, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        world_exhaust(world, world_publish(world, webhook));
}

static struct world_webhook *degraded(struct world *world)
{
    struct world_webhook *webhook = world_create_active(world);
    fail_in_a_row(world, webhook, 5);
    assert_int_equal(webhook->stored.state, WEBHOOK_DEGRADED);
    return webhook;
}

static void five_in_a_row_degrade(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    fail_in_a_row(world, webhook, 4);
    assert_int_equal(webhook->stored.state, WEBHOOK_ACTIVE);
    assert_int_equal(webhook->stored.consecutive_failures, 4);
    int64_t fifth = world_publish(world, webhook);
    world_end(world, fifth, OUTCOME_timeout);
    world_advance(world, 30000);
    world_end(world, fifth, OUTCOME_timeout);
    world_advance(world, 180000);
    world_text(world);
    world_publish_many(world, webhook, 2);
    world_end(world, 6, OUTCOME_timeout); /* waits for its second attempt */
    world_end(world, fifth, OUTCOME_timeout);
    expect(world, "1050 post d6\n"
                  "1050 post d7\n"
                  "1050 d6 pending 1080\n"
                  "1050 d5 failed attempts_exhausted\n"
                  "1050 w1 degraded deliveries_failing\n"
                  "1050 d6 failed webhook_degraded\n"
                  "1050 verify w1\n"); /* at once; d7 is in flight and runs to its end */
    world_publish(world, webhook);
    world_end(world, 7, OUTCOME_timeout);
    expect(world, "1050 d8 failed webhook_degraded\n"
                  "1050 d7 failed webhook_degraded\n");
    assert_true(webhook->stored.verified);
    world_free(world);
}

/* The change and what follows from it stand in the same step, so in the same transaction. */
static void the_queue_is_settled_in_the_step_of_the_last_outcome(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.degrade_after = 1;
    config.retry_count = 0;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 40); /* 32 in flight, 8 queued */
    world->held = true;
    world_end(world, 3, OUTCOME_timeout);
    const struct world_op *record = world->ops;
    assert_int_equal(record->kind, EFFECT_RECORD);
    assert_int_equal(record->state, DELIVERY_FAILED);
    const struct world_op *change = record->next;
    assert_int_equal(change->kind, EFFECT_CHANGE);
    assert_int_equal(change->step, record->step);
    assert_int_equal(change->settle, REASON_webhook_degraded);
    assert_false(change->command);
    assert_int_equal(change->except_count, 31);
    assert_null(change->next);
    world_drain(world);
    for (int64_t key = 33; key <= 40; key++) {
        assert_int_equal(world_row(world, key)->state, DELIVERY_FAILED);
        assert_int_equal(world_row(world, key)->posts, 0); /* without a POST */
    }
    world_free(world);
}

static void an_acknowledgement_in_between_starts_the_count_again(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    for (int round = 0; round < 3; round++) {
        fail_in_a_row(world, webhook, 4);
        assert_int_equal(webhook->stored.consecutive_failures, 4);
        world_end(world, world_publish(world, webhook), OUTCOME_acknowledged);
        assert_int_equal(webhook->stored.consecutive_failures, 0);
    }
    assert_int_equal(webhook->stored.state, WEBHOOK_ACTIVE);
    assert_true(webhook->stored.last_success_us > 0);
    fail_in_a_row(world, webhook, 5);
    assert_int_equal(webhook->stored.state, WEBHOOK_DEGRADED);
    world_free(world);
}

/* Successes are told to the store once in a while only; the one after a failure always. */
static void the_success_after_one_failure_is_stored(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    int64_t failing = world_publish(world, webhook);
    world_end(world, failing, OUTCOME_timeout);
    world_advance(world, 30000);
    world_end(world, failing, OUTCOME_timeout);
    world_advance(world, 180000);
    world_end(world, world_publish(world, webhook), OUTCOME_acknowledged); /* told just now */
    world_end(world, failing, OUTCOME_timeout);
    assert_int_equal(webhook->stored.consecutive_failures, 1);
    world_end(world, world_publish(world, webhook), OUTCOME_acknowledged);
    assert_int_equal(webhook->stored.consecutive_failures, 0);
    world_free(world);
}

/* A failed attempt that is not the last of its delivery says nothing yet. */
static void attempts_do_not_count_deliveries_do(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 20);
    world_end_all(world, OUTCOME_timeout);
    world_advance(world, 30000);
    world_end_all(world, OUTCOME_timeout);
    assert_int_equal(webhook->stored.consecutive_failures, 0);
    world_advance(world, 180000);
    world_end(world, 1, OUTCOME_timeout);
    assert_int_equal(webhook->stored.consecutive_failures, 1);
    world_free(world);
}

static void our_own_failure_does_not_hurt(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    for (int i = 0; i < 10; i++) {
        int64_t key = world_publish(world, webhook);
        world_end(world, key, OUTCOME_timeout);
        world_advance(world, 30000);
        world_end(world, key, OUTCOME_timeout);
        world_advance(world, 180000);
        world_end(world, key, OUTCOME_local_failure);
        assert_int_equal(world_row(world, key)->reason, REASON_attempts_exhausted);
    }
    assert_int_equal(webhook->stored.consecutive_failures, 0);
    assert_int_equal(webhook->stored.state, WEBHOOK_ACTIVE);
    world_free(world);
}

static void probes_then_an_echo_promotes(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = degraded(world);
    world_text(world);
    for (int i = 0; i < 7; i++) {
        world_advance(world, 3000);
        world_verified(world, webhook, OUTCOME_timeout);
        world_advance(world, core_deadline(&world->core) - world->now.mono);
    }
    expect(world, "1083 verify w1\n" /* 1050, and 30 s after the end at 1053 */
                  "1146 verify w1\n"
                  "1269 verify w1\n"
                  "1512 verify w1\n"
                  "1995 verify w1\n"
                  "2598 verify w1\n" /* ten minutes from here on */
                  "3201 verify w1\n");
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "3201 w1 active\n");
    assert_int_equal(webhook->stored.consecutive_failures, 0);
    world_end(world, world_publish(world, webhook), OUTCOME_acknowledged);
    expect(world, "3201 post d6\n"
                  "3201 d6 delivered\n");
    world_free(world);
}

static void activate_probes_at_once_and_restarts_the_backoff(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = degraded(world);
    mono_ms until = webhook->stored.verify_until;
    for (int i = 0; i < 3; i++) {
        world_verified(world, webhook, OUTCOME_timeout);
        world_advance(world, core_deadline(&world->core) - world->now.mono);
    }
    world_verified(world, webhook, OUTCOME_timeout);
    world_advance(world, 1000);
    world_text(world);
    world_command(world, webhook, false, COMMAND_ACTIVATE);
    expect(world, "1261 w1 degraded deliveries_failing\n"
                  "1261 verify w1\n");
    world_verified(world, webhook, OUTCOME_timeout);
    world_advance(world, 30000);
    expect(world, "1291 verify w1\n");
    assert_int_equal(webhook->stored.verify_until, until); /* the five days go on */
    world_free(world);
}

/* A request under way when `activate` comes is void: its echo counts for nothing. */
static void activate_while_a_probe_is_under_way(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = degraded(world);
    uint32_t old = webhook->verify_seq;
    world_command(world, webhook, false, COMMAND_ACTIVATE);
    assert_int_not_equal(webhook->verify_seq, old);
    world_text(world);
    world_verified_seq(world, webhook, old, OUTCOME_acknowledged);
    expect(world, "");
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "1050 w1 active\n");
    world_free(world);
}

static void five_days_without_an_echo(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = degraded(world);
    mono_ms begin = world->now.mono;
    world_text(world);
    while (webhook->stored.state == WEBHOOK_DEGRADED) {
        if (webhook->verify_open)
            world_verified(world, webhook, OUTCOME_timeout);
        world_advance(world, core_deadline(&world->core) - world->now.mono);
    }
    assert_int_equal(world->now.mono - begin, INT64_C(5) * 86400000);
    assert_int_equal(webhook->stored.state, WEBHOOK_INACTIVE);
    assert_int_equal(webhook->stored.reason, REASON_degraded_too_long);
    assert_int_equal(core_deadline(&world->core), MONO_NEVER);
    assert_int_equal(world_publish(world, webhook), 0);
    world_text(world);
    world_command(world, webhook, false, COMMAND_ACTIVATE); /* this generation was verified */
    expect(world, "433050 w1 active\n");
    assert_int_equal(webhook->stored.consecutive_failures, 0);
    world_free(world);
}

static void a_change_of_url_while_degraded(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = degraded(world);
    world_text(world);
    world_command(world, webhook, true, COMMAND_NONE);
    expect(world, "1050 w1 unverified never_verified\n"
                  "1050 verify w1\n");
    assert_int_equal(webhook->stored.verify_until, 1050000 + 180000); /* the window, not 5 days */
    assert_int_equal(webhook->stored.consecutive_failures, 0);
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "1050 w1 active\n");
    world_free(world);
}

/* The service stops while a probe is under way and its plan is not known to the store. */
static void a_restart_goes_on_probing(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = degraded(world);
    world_command(world, webhook, false, COMMAND_NONE); /* commits the status as it stands now */
    world_text(world);
    world_crash(world);
    expect(world, "1050 verify w1\n");
    world_verified(world, webhook, OUTCOME_timeout);
    world_advance(world, 600000);
    assert_true(webhook->verify_count >= 3);
    world_verified(world, webhook, OUTCOME_acknowledged);
    assert_int_equal(webhook->stored.state, WEBHOOK_ACTIVE);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_in_a_row_degrade),
        cmocka_unit_test(the_queue_is_settled_in_the_step_of_the_last_outcome),
        cmocka_unit_test(an_acknowledgement_in_between_starts_the_count_again),
        cmocka_unit_test(the_success_after_one_failure_is_stored),
        cmocka_unit_test(attempts_do_not_count_deliveries_do),
        cmocka_unit_test(our_own_failure_does_not_hurt),
        cmocka_unit_test(probes_then_an_echo_promotes),
        cmocka_unit_test(activate_probes_at_once_and_restarts_the_backoff),
        cmocka_unit_test(activate_while_a_probe_is_under_way),
        cmocka_unit_test(five_days_without_an_echo),
        cmocka_unit_test(a_change_of_url_while_degraded),
        cmocka_unit_test(a_restart_goes_on_probing),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
