/* Rate limits at chosen times. */
#include "server/ratelimit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOON = 1700000000 };

static void expect(struct ratelimit *ratelimit, int64_t now_s, bool allowed, int64_t remaining,
                   int64_t reset_s)
{
    struct ratelimit_verdict verdict = ratelimit_take(ratelimit, now_s);
    assert_int_equal(verdict.allowed, allowed);
    assert_int_equal(verdict.limit, ratelimit->limit);
    assert_int_equal(verdict.remaining, remaining);
    assert_int_equal(verdict.reset_s, reset_s);
    assert_int_equal(verdict.retry_after_s, allowed ? 0 : reset_s - now_s);
}

static void the_first_request_opens_a_window(void **state)
{
    (void)state;
    struct ratelimit ratelimit = {.limit = 3};
    expect(&ratelimit, NOON, true, 2, NOON + 60);
    expect(&ratelimit, NOON + 10, true, 1, NOON + 60);
    expect(&ratelimit, NOON + 59, true, 0, NOON + 60);
    expect(&ratelimit, NOON + 59, false, 0, NOON + 60);
}

static void waiting_as_told_is_enough(void **state)
{
    (void)state;
    struct ratelimit ratelimit = {.limit = 1};
    for (int64_t late = 0; late < 60; late++) {
        int64_t began = NOON + late * 1000;
        expect(&ratelimit, began, true, 0, began + 60);
        struct ratelimit_verdict verdict = ratelimit_take(&ratelimit, began + late);
        assert_false(verdict.allowed);
        assert_int_equal(verdict.retry_after_s, 60 - late);
        assert_false(ratelimit_take(&ratelimit, verdict.reset_s - 1).allowed);
        assert_true(ratelimit_take(&ratelimit, began + late + verdict.retry_after_s).allowed);
        ratelimit = (struct ratelimit){.limit = 1};
    }
}

static void refused_requests_do_not_count(void **state)
{
    (void)state;
    struct ratelimit ratelimit = {.limit = 2};
    expect(&ratelimit, NOON, true, 1, NOON + 60);
    expect(&ratelimit, NOON, true, 0, NOON + 60);
    for (int i = 0; i < 1000; i++)
        expect(&ratelimit, NOON + 30, false, 0, NOON + 60);
    expect(&ratelimit, NOON + 60, true, 1, NOON + 120);
}

static void a_window_after_a_rest_begins_with_its_first_request(void **state)
{
    (void)state;
    struct ratelimit ratelimit = {.limit = 2};
    expect(&ratelimit, NOON, true, 1, NOON + 60);
    expect(&ratelimit, NOON + 3601, true, 1, NOON + 3661);
    expect(&ratelimit, NOON + 3660, true, 0, NOON + 3661);
}

static void a_clock_that_steps_back_shuts_nobody_out(void **state)
{
    (void)state;
    struct ratelimit ratelimit = {.limit = 1};
    expect(&ratelimit, NOON, true, 0, NOON + 60);
    expect(&ratelimit, NOON, false, 0, NOON + 60);
    expect(&ratelimit, NOON - 3600, true, 0, NOON - 3540);
    expect(&ratelimit, NOON - 3599, false, 0, NOON - 3540);
    expect(&ratelimit, 0, true, 0, 60); /* 1970, and no less a time than others */
    expect(&ratelimit, 1, false, 0, 60);
}

/* However requests come, no window has more than the limit, and none is refused while there is
 * room. */
static void no_window_lets_more_through_than_its_limit(void **state)
{
    (void)state;
    struct ratelimit ratelimit = {.limit = 50};
    uint32_t random = 7;
    int64_t now = NOON, reset = 0, in_window = 0;
    for (int i = 0; i < 100000; i++) {
        random = random * 1664525 + 1013904223;
        now += (random >> 24) < 200 ? 0 : (random >> 16) % 7;
        struct ratelimit_verdict verdict = ratelimit_take(&ratelimit, now);
        if (verdict.reset_s != reset) {
            assert_true(now >= reset);
            reset = verdict.reset_s;
            in_window = 0;
        }
        assert_true(now < reset && now >= reset - 60);
        assert_int_equal(verdict.allowed, in_window < 50);
        in_window += verdict.allowed;
        assert_int_equal(verdict.remaining, 50 - in_window);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_request_opens_a_window),
        cmocka_unit_test(waiting_as_told_is_enough),
        cmocka_unit_test(refused_requests_do_not_count),
        cmocka_unit_test(a_window_after_a_rest_begins_with_its_first_request),
        cmocka_unit_test(a_clock_that_steps_back_shuts_nobody_out),
        cmocka_unit_test(no_window_lets_more_through_than_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
