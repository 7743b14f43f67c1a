/* The clock: the service's time line goes on where it stood, and is never early. */
#include "dispatcher/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

static void a_new_store_starts_at_zero(void **state)
{
    (void)state;
    struct clock *clock = clock_real((struct instant){0, 0}, "");
    struct instant now = clock_now(clock);
    assert_in_range(now.mono, 0, 1000);
    assert_in_range((now.wall - clock_wall_real()) + SECOND_US, 0, 2 * SECOND_US);
    assert_false(clock_is_virtual(clock));
    clock_free(clock);
}

static void in_the_same_boot_it_goes_on_by_boot_time_whatever_the_wall_clock_does(void **state)
{
    (void)state;
    struct clock *before = clock_real((struct instant){5000, 0}, "another boot");
    struct instant last = clock_now(before);
    char boot[64];
    snprintf(boot, sizeof(boot), "%s", clock_boot(before));
    static const wall_us steps_us[] = {0, 3600 * SECOND_US, -3600 * SECOND_US};
    for (size_t i = 0; i < sizeof(steps_us) / sizeof(steps_us[0]); i++) {
        struct instant stepped = {last.mono, last.wall + steps_us[i]};
        struct clock *after = clock_real(stepped, boot);
        mono_ms passed = clock_now(after).mono - clock_now(before).mono;
        assert_in_range(passed + 1000, 999, 2000);
        clock_free(after);
    }
    clock_free(before);
}

static void after_a_reboot_it_goes_on_by_wall_time(void **state)
{
    (void)state;
    struct instant last = {70000, clock_wall_real() - 20 * SECOND_US};
    struct clock *clock = clock_real(last, "00000000-0000-0000-0000-000000000000 123");
    assert_in_range(clock_now(clock).mono, 70000 + 20000, 70000 + 21000);
    clock_free(clock);
}

static void a_wall_clock_before_the_last_commit_waits_the_remainder_from_the_start(void **state)
{
    (void)state;
    struct instant last = {70000, clock_wall_real() + 3600 * SECOND_US};
    struct clock *clock = clock_real(last, "00000000-0000-0000-0000-000000000000 123");
    assert_in_range(clock_now(clock).mono, 70000, 71000);
    clock_free(clock);
}

static void the_virtual_clock_stands_until_it_is_moved(void **state)
{
    (void)state;
    struct clock *clock = clock_virtual((struct instant){1000, 5 * SECOND_US}, "virtual");
    assert_true(clock_is_virtual(clock));
    assert_int_equal(clock_now(clock).mono, 1000);
    assert_int_equal(clock_now(clock).wall, 5 * SECOND_US);
    clock_set(clock, 31000);
    assert_int_equal(clock_now(clock).mono, 31000);
    assert_int_equal(clock_now(clock).wall, 35 * SECOND_US);
    clock_free(clock);
}

static void a_new_virtual_clock_shows_the_real_day(void **state)
{
    (void)state;
    struct clock *clock = clock_virtual((struct instant){0, 0}, "");
    assert_in_range((clock_wall_real() - clock_now(clock).wall) + SECOND_US, SECOND_US - 1000,
                    2 * SECOND_US);
    clock_free(clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_starts_at_zero),
        cmocka_unit_test(in_the_same_boot_it_goes_on_by_boot_time_whatever_the_wall_clock_does),
        cmocka_unit_test(after_a_reboot_it_goes_on_by_wall_time),
        cmocka_unit_test(a_wall_clock_before_the_last_commit_waits_the_remainder_from_the_start),
        cmocka_unit_test(the_virtual_clock_stands_until_it_is_moved),
        cmocka_unit_test(a_new_virtual_clock_shows_the_real_day),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
