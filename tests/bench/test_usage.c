/* What the bench reads from /proc/stat. */
#include "tools/bench/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t idle_ticks(int processors)
{
    static char text[] = "cpu  100000 200000 300000 70 400000 500000 0 0 0 0\n"
                         "cpu0 1000 2000 3000 30 4 5000 0 0 0 0\n"
                         "cpu1 1000 2000 3000 40 2 5000 0 0 0 0\n"
                         "intr 12345 1 2 3 4 5\n";
    FILE *stat = fmemopen(text, strlen(text), "r");
    assert_non_null(stat);
    uint64_t ns = usage_idle_ns(stat, processors);
    fclose(stat);
    return ns / (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void idle_is_that_of_each_processor(void **state)
{
    (void)state;
    assert_int_equal(idle_ticks(1), 34); /* not the line of all */
    assert_int_equal(idle_ticks(2), 76);
    assert_int_equal(idle_ticks(3), 76); /* there is no third */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(idle_is_that_of_each_processor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
