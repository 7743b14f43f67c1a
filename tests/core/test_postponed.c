/* Transcripts of verify requests whose host has had enough: they wait, and none is lost. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define expect(world, text) assert_string_equal(world_text(world), text)

/* The shell did not send the newest verify request; it may be tried again at `at`. */
static void postpone(struct world *world, struct world_webhook *webhook, mono_ms at)
{
    assert_true(webhook->verify_open);
    world_postponed(world, webhook, webhook->verify_seq, at);
}

static void it_goes_out_at_its_time_and_counts_then(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    postpone(world, webhook, 3000);
    assert_int_equal(webhook->stored.verify_count, 0);
    assert_int_equal(webhook->stored.verify_next, 3000); /* kept: a restart goes on from there */
    world_advance(world, 3000);
    expect(world, "0 verify w1\n"
                  "3 verify w1\n");
    world_verified(world, webhook, OUTCOME_timeout);
    world_advance(world, 2000);
    expect(world, "5 verify w1\n"); /* the second of the schedule, at its time */
    world_verified(world, webhook, OUTCOME_acknowledged);
    expect(world, "5 w1 active\n");
    world_free(world);
}

/* Requests whose time passed meanwhile would all go out in a row behind the one that waited. */
static void those_whose_time_passes_meanwhile_are_left_out(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    postpone(world, webhook, 60000);
    world_advance(world, 60000);
    expect(world, "0 verify w1\n"
                  "60 verify w1\n");
    world_verified(world, webhook, OUTCOME_timeout);
    world_advance(world, 39000);
    expect(world, "");
    world_advance(world, 1000);
    expect(world, "100 verify w1\n");
    world_free(world);
}

static void the_window_ends_when_it_ends(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    for (mono_ms at = 60000; at < 300000; at += 60000) {
        postpone(world, webhook, at);
        world_advance(world, 60000);
        if (!webhook->verify_open)
            break;
    }
    expect(world, "0 verify w1\n"
                  "60 verify w1\n"
                  "120 verify w1\n"
                  "180 w1 unverified verify_timed_out\n");
    assert_int_equal(webhook->stored.verify_next, MONO_NEVER);
    world_free(world);
}

/* While degraded the delay between requests doubles with each; one that was not sent is none. */
static void a_probe_that_waits_does_not_double_the_delay(void **state)
{
    (void)state;
    struct core_config config = world_config();
    config.degrade_after = 1;
    config.retry_count = 0;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_exhaust(world, world_publish(world, webhook));
    assert_int_equal(webhook->stored.state, WEBHOOK_DEGRADED);
    world_text(world);
    postpone(world, webhook, 10000);
    world_advance(world, 10000);
    postpone(world, webhook, 70000);
    world_advance(world, 60000);
    world_verified(world, webhook, OUTCOME_timeout);
    world_advance(world, 30000);
    expect(world, "10 verify w1\n"
                  "70 verify w1\n"
                  "100 verify w1\n");
    world_free(world);
}

/* Of a run that is over nothing counts, an update begins a new one. */
static void an_update_meanwhile_begins_anew(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create(world);
    uint32_t old = webhook->verify_seq;
    postpone(world, webhook, 60000);
    world_advance(world, 1000);
    world_command(world, webhook, true, COMMAND_NONE);
    world_postponed(world, webhook, old, 70000);
    world_verified(world, webhook, OUTCOME_acknowledged);
    world_text(world);
    assert_int_equal(webhook->stored.state, WEBHOOK_ACTIVE);
    world_advance(world, 100000);
    expect(world, "");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_out_at_its_time_and_counts_then),
        cmocka_unit_test(those_whose_time_passes_meanwhile_are_left_out),
        cmocka_unit_test(the_window_ends_when_it_ends),
        cmocka_unit_test(a_probe_that_waits_does_not_double_the_delay),
        cmocka_unit_test(an_update_meanwhile_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
