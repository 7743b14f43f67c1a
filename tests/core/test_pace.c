/* The cap for each party and stretch of time, in virtual time. */
#include "core/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct pace pace;

/* As good as random, and never 0. */
static uint64_t party(uint64_t n)
{
    n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return (n ^ n >> 27) | 1;
}

static void so_many_in_a_minute_then_the_next(void **state)
{
    (void)state;
    pace_init(&pace, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pace_take(&pace, 7, 1000 + i), 1000 + i);
    for (int i = 0; i < 100; i++) /* those who ask in vain change nothing */
        assert_int_equal(pace_take(&pace, 7, 2000 + i), 61000);
    assert_int_equal(pace_take(&pace, 7, 60999), 61000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pace_take(&pace, 7, 61000), 61000);
    assert_int_equal(pace_take(&pace, 7, 61000), 121000);
    assert_int_equal(pace_take(&pace, 7, 900000), 900000); /* a stretch begins with its first */
    assert_int_equal(pace_take(&pace, 7, 959999), 959999);
    assert_int_equal(pace_take(&pace, 7, 959999), 959999);
    assert_int_equal(pace_take(&pace, 7, 959999), 960000);
}

static void it_begins_empty_whatever_was_there(void **state)
{
    (void)state;
    memset(&pace, 0x7f, sizeof(pace));
    pace_init(&pace, 1);
    for (uint64_t n = 0; n < PACE_PARTIES; n++)
        assert_int_equal(pace_take(&pace, n + 1, 0), 0);
}

static void parties_do_not_count_for_each_other(void **state)
{
    (void)state;
    pace_init(&pace, 1);
    for (uint64_t i = 0; i < 8; i++) /* all in the same places */
        assert_int_equal(pace_take(&pace, 5 + i * PACE_PARTIES, 10), 10);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(pace_take(&pace, 5 + i * PACE_PARTIES, 11), 60010);
}

static void no_limit_and_time_that_goes_back(void **state)
{
    (void)state;
    pace_init(&pace, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pace_take(&pace, 7, 5), 5);
    pace_init(&pace, 1);
    assert_int_equal(pace_take(&pace, 7, 1000), 1000);
    assert_int_equal(pace_take(&pace, 7, 10), 61000);
    assert_int_equal(pace_take(&pace, 7, -90000), 61000);
}

/* Where all places are taken a party waits for the one that gets free first, and none gets more
 * than the limit on the way. */
static void a_full_table_lets_nobody_have_more(void **state)
{
    (void)state;
    pace_init(&pace, 2);
    for (uint64_t i = 0; i < PACE_PROBES; i++)
        assert_int_equal(pace_take(&pace, 5 + i * PACE_PARTIES, 100 + (mono_ms)i),
                         100 + (mono_ms)i);
    uint64_t late = 5 + 99 * UINT64_C(8192);
    assert_int_equal(pace_take(&pace, late, 200), 60100);
    assert_int_equal(pace_take(&pace, late, 60099), 60100);
    assert_int_equal(pace_take(&pace, late, 60100), 60100);
    assert_int_equal(pace_take(&pace, late, 60100), 60100);
    assert_int_equal(pace_take(&pace, late, 60100), 120100);
}

/* Three times as many parties as there is room for, asking as often as they may: in each stretch of
 * a minute that begins with one of its own, no party gets more than the limit. */
static void many_parties(void **state)
{
    enum { PARTIES = 3 * PACE_PARTIES, LIMIT = 2 };
    static mono_ms since[PARTIES], again[PARTIES];
    static unsigned count[PARTIES], total[PARTIES];
    unsigned asked = 0, let = 0;
    (void)state;
    pace_init(&pace, LIMIT);
    for (int i = 0; i < PARTIES; i++) {
        since[i] = -PACE_WINDOW_MS;
        again[i] = count[i] = total[i] = 0;
    }
    for (mono_ms now = 0; now < 10 * PACE_WINDOW_MS; now += 5000) {
        for (int i = 0; i < PARTIES; i++) {
            if (again[i] > now)
                continue;
            again[i] = pace_take(&pace, party((uint64_t)i), now);
            asked++;
            if (again[i] > now)
                continue;
            let++;
            total[i]++;
            if (now - since[i] >= PACE_WINDOW_MS) {
                since[i] = now;
                count[i] = 0;
            }
            assert_true(++count[i] <= LIMIT);
        }
    }
    assert_true(let > PACE_PARTIES * LIMIT * 8); /* the room is used */
    assert_true(asked > let);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_in_a_minute_then_the_next),
        cmocka_unit_test(it_begins_empty_whatever_was_there),
        cmocka_unit_test(parties_do_not_count_for_each_other),
        cmocka_unit_test(no_limit_and_time_that_goes_back),
        cmocka_unit_test(a_full_table_lets_nobody_have_more),
        cmocka_unit_test(many_parties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
