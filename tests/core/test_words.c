/* Words: every enum value has its word and is found by it; the event types stand in alphabetical
 * order, as the search needs. */
#include "core/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_event_type_is_found_by_its_word(void **state)
{
    (void)state;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        const char *name = event_type_name(type);
        assert_int_equal(event_type_from_name(name, strlen(name)), type);
        assert_int_equal(event_type_from_name(name, strlen(name) - 1), -1);
        assert_int_equal(event_type_publishable(type), strcmp(name, "verify") != 0);
        if (type > 0)
            assert_true(strcmp(event_type_name(type - 1), name) < 0);
    }
}

static void every_other_word_is_found(void **state)
{
    (void)state;
    for (int i = 0; i < WEBHOOK_STATE_COUNT; i++)
        assert_int_equal(
            webhook_state_from_name(webhook_state_name(i), strlen(webhook_state_name(i))), i);
    for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
        assert_int_equal(
            delivery_state_from_name(delivery_state_name(i), strlen(delivery_state_name(i))), i);
    for (int i = 0; i < REASON_COUNT; i++)
        assert_int_equal(reason_from_name(reason_name(i), strlen(reason_name(i))), i);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        assert_int_equal(outcome_from_name(outcome_name(i), strlen(outcome_name(i))), i);
    for (int i = 0; i < SCOPE_COUNT; i++)
        assert_int_equal(scope_from_name(scope_name(i), strlen(scope_name(i))), i);
}

static void what_is_no_word_is_not_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "work", "work_created_", "Work_created", "zzz", "\xff"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(event_type_from_name(wrong[i], strlen(wrong[i])), -1);
    assert_int_equal(event_type_from_name("verify\0", 7), -1);
    assert_int_equal(delivery_state_from_name("", 0), -1);
    assert_string_equal(event_type_name(EVENT_TYPE_COUNT), "?");
    assert_string_equal(reason_text(REASON_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_type_is_found_by_its_word),
        cmocka_unit_test(every_other_word_is_found),
        cmocka_unit_test(what_is_no_word_is_not_found),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
