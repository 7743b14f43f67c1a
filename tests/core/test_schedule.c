/* When: the due times of attempts, verify requests and probes, by the numbers of the rules. */
#include "core/parts.h"
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void three_attempts_at_0_30_and_180_seconds(void **state)
{
    (void)state;
    struct core_config config = world_config();
    assert_int_equal(schedule_retry(&config, 1, 1000), 31000);
    assert_int_equal(schedule_retry(&config, 2, 1000), 181000);
    assert_int_equal(schedule_retry(&config, 3, 1000), MONO_NEVER);
    assert_int_equal(schedule_retry(&config, 255, 1000), MONO_NEVER);
    config.retry_count = 0;
    assert_int_equal(schedule_retry(&config, 1, 1000), MONO_NEVER);
}

static void verify_at_eight_times_within_the_window(void **state)
{
    (void)state;
    const struct core_config config = world_config();
    static const dur_ms offsets[] = {0, 5000, 15000, 30000, 60000, 100000, 140000, 175000};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(schedule_verify(&config, i, 777), 777 + offsets[i]);
    assert_int_equal(schedule_verify(&config, 8, 777), MONO_NEVER);
    assert_int_equal(schedule_verify(&config, UINT32_MAX, 777), MONO_NEVER);
}

static void probes_30_seconds_apart_doubling_to_10_minutes(void **state)
{
    (void)state;
    struct core_config config = world_config();
    static const dur_ms delays[] = {30000, 60000, 120000, 240000, 480000, 600000, 600000};
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(schedule_probe(&config, i + 1, 5), 5 + delays[i]);
    assert_int_equal(schedule_probe(&config, UINT32_MAX, 5), 5 + 600000);
    config.probe_delay_min_ms = 86400000;
    config.probe_delay_max_ms = 100;
    assert_int_equal(schedule_probe(&config, 1, 5), 105);
}

static void a_new_webhook_has_three_minutes(void **state)
{
    (void)state;
    const struct core_config config = world_config();
    struct instant now = {.mono = 5000, .wall = 1234567};
    struct webhook_status status = webhook_status_new(&config, now);
    assert_int_equal(status.state, WEBHOOK_UNVERIFIED);
    assert_int_equal(status.reason, REASON_never_verified);
    assert_int_equal(status.generation, 1);
    assert_int_equal(status.since_us, 1234567);
    assert_int_equal(status.verify_since, 5000);
    assert_int_equal(status.verify_next, 5000);
    assert_int_equal(status.verify_until, 185000);
    assert_int_equal(status.verify_count, 0);
    assert_false(status.verified);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_attempts_at_0_30_and_180_seconds),
        cmocka_unit_test(verify_at_eight_times_within_the_window),
        cmocka_unit_test(probes_30_seconds_apart_doubling_to_10_minutes),
        cmocka_unit_test(a_new_webhook_has_three_minutes),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
