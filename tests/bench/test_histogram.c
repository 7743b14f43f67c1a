/* Histograms and samples: what a percentile may be off by, and how rounds are compared. */
#include "tools/bench/histogram.h"
#include "tools/bench/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct histogram histogram, other;

static int empty(void **state)
{
    (void)state;
    histogram = other = (struct histogram){0};
    return 0;
}

/* An upper bound, at most one step of its power of two too high. */
static void assert_about(uint64_t told, uint64_t true_value)
{
    assert_true(told >= true_value);
    assert_true(told <= true_value + true_value / HISTOGRAM_STEPS + 1);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(histogram_at(&histogram, 0.99), 0);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns <= 100; ns++)
        histogram_add(&histogram, ns / 2);
    assert_int_equal(histogram_at(&histogram, 0.5), 25);
    assert_int_equal(histogram_at(&histogram, 1), 50);
    assert_int_equal(histogram_at(&histogram, 0), 0);
}

static void test_one_value_is_told_as_it_is(void **state)
{
    (void)state;
    histogram_add(&histogram, 1234567);
    assert_int_equal(histogram_at(&histogram, 0.5), 1234567);
    assert_int_equal(histogram_at(&histogram, 0.999), 1234567);
}

static void test_percentiles_of_a_ramp(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i * 1000);
    assert_about(histogram_at(&histogram, 0.5), 50000000);
    assert_about(histogram_at(&histogram, 0.9), 90000000);
    assert_about(histogram_at(&histogram, 0.99), 99000000);
    assert_about(histogram_at(&histogram, 0.999), 99900000);
    assert_int_equal(histogram_at(&histogram, 1), 100000000);
}

static void test_every_power_of_two(void **state)
{
    (void)state;
    for (unsigned power = 0; power < 41; power++)
        for (int off = -1; off <= 1; off++) {
            uint64_t ns = (UINT64_C(1) << power) + (uint64_t)off;
            histogram = (struct histogram){0};
            histogram_add(&histogram, ns);
            histogram_add(&histogram, UINT64_C(1) << 42);
            assert_about(histogram_at(&histogram, 0.5), ns);
        }
}

static void test_ends_ascend(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
        assert_true(histogram_end(i) > histogram_end(i - 1));
}

static void test_values_beyond_the_last_bucket(void **state)
{
    (void)state;
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, 5);
    assert_int_equal(histogram.count, 2);
    assert_int_equal(histogram_at(&histogram, 0.5), 5);
    assert_int_equal(histogram.largest_ns, UINT64_MAX);
}

static void test_merge(void **state)
{
    (void)state;
    for (int i = 0; i < 90; i++)
        histogram_add(&histogram, 10);
    for (int i = 0; i < 10; i++)
        histogram_add(&other, 5000);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.count, 100);
    assert_int_equal(histogram_at(&histogram, 0.9), 10);
    assert_int_equal(histogram_at(&histogram, 0.91), 5000);
}

static struct sample sample_of(const double *values, unsigned count)
{
    struct sample sample = {0};
    for (unsigned i = 0; i < count; i++)
        sample_add(&sample, values[i]);
    return sample;
}

static void test_sample(void **state)
{
    (void)state;
    const double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};
    struct sample none = {0}, three = sample_of(odd, 3), four = sample_of(even, 4);
    assert_true(sample_median(&none) == 0 && sample_least(&none) == 0 && sample_most(&none) == 0);
    assert_true(sample_median(&three) == 2 && sample_least(&three) == 1 &&
                sample_most(&three) == 3);
    assert_true(sample_median(&four) == 2.5);
    assert_true(three.values[0] == 3); /* the order of the rounds is kept */
}

static void test_ratio_is_taken_round_by_round(void **state)
{
    (void)state;
    const double a[] = {8, 40, 10}, b[] = {16, 80, 0};
    struct sample top = sample_of(a, 3), bottom = sample_of(b, 3), ratio;
    ratio = sample_ratio(&top, &bottom);
    assert_int_equal(ratio.count, 2); /* the third has nothing to be divided by */
    assert_true(ratio.values[0] == 0.5 && ratio.values[1] == 0.5);
    bottom.count = 1;
    ratio = sample_ratio(&top, &bottom);
    assert_int_equal(ratio.count, 1);
    assert_true(ratio.values[0] == 0.5); /* of the round that both had */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing, empty),
        cmocka_unit_test_setup(test_small_values_are_exact, empty),
        cmocka_unit_test_setup(test_one_value_is_told_as_it_is, empty),
        cmocka_unit_test_setup(test_percentiles_of_a_ramp, empty),
        cmocka_unit_test_setup(test_every_power_of_two, empty),
        cmocka_unit_test(test_ends_ascend),
        cmocka_unit_test_setup(test_values_beyond_the_last_bucket, empty),
        cmocka_unit_test_setup(test_merge, empty),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_ratio_is_taken_round_by_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
