/* Edges of canonical JSON that the tables of test_canon.c do not reach: what a struct held before
 * does not matter, UTF-8 that is none, and powers of two where rounding up carries over a nine. */
#include "core/canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char out[256];
static struct canon_key keys[16];

static enum canon_error run(struct canon *c, const char *text)
{
    *c = (struct canon){.in = text,
                        .in_bytes = strlen(text),
                        .out = out,
                        .out_capacity_bytes = sizeof(out),
                        .out_bytes = 99,
                        .error_offset_bytes = 99,
                        .keys = keys,
                        .keys_max = 16};
    return canon_document(c);
}

static void results_do_not_depend_on_earlier_ones(void **state)
{
    (void)state;
    struct canon c;
    assert_int_equal(run(&c, "[1"), CANON_SYNTAX);
    assert_int_equal(c.out_bytes, 0);
    assert_int_equal(c.error_offset_bytes, 2);
    assert_int_equal(run(&c, "[1]"), CANON_OK);
    assert_int_equal(c.out_bytes, 3);
    assert_int_equal(c.error_offset_bytes, 0);
}

static void an_element_has_no_key_whatever_the_item_was(void **state)
{
    (void)state;
    static const char array[] = "[1,2]";
    struct canon_item item;
    memset(&item, 0x55, sizeof(item));
    assert_true(canon_element_first((struct canon_span){array, 5}, &item));
    assert_int_equal(item.key.bytes, 0);
    assert_true(canon_element_next(&item));
    assert_int_equal(item.key.bytes, 0);
    assert_ptr_equal(item.key.at, array); /* of no bytes, but somewhere */
}

/* Each in memory that ends with it. */
static void utf8_is_told_from_what_is_none(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\x7f", true},
        {"\xc3\xa9", true},
        {"a\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80z", true},
        {"\x80", false},
        {"a\xff", false},
        {"\xc3", false},
        {"\xe2\x82", false},
        {"\xf0\x9f\x98", false},
        {"\xc0\x80", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"ok\xc3\xa9\xc3z", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t bytes = strlen(cases[i].text);
        char *copy = malloc(bytes > 0 ? bytes : 1);
        assert_non_null(copy);
        memcpy(copy, cases[i].text, bytes);
        if (canon_is_utf8(copy, bytes) != cases[i].good)
            fail_msg("case %zu", i);
        free(copy);
    }
}

/* What canon_keys_max gives is enough for any text, also for one that breaks off. */
static void there_is_room_for_the_keys_of_text_that_breaks_off(void **state)
{
    static const char text[] = "{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":";
    (void)state;
    for (size_t n = 1; n < sizeof(text); n++) {
        struct canon c = {.in = text,
                          .in_bytes = n,
                          .out = out,
                          .out_capacity_bytes = sizeof(out),
                          .keys = keys,
                          .keys_max = canon_keys_max(n)};
        assert_int_equal(canon_document(&c), CANON_SYNTAX);
    }
}

/* JavaScript prints these powers of two with one digit less, which takes a carry to find. So the 17
 * digits are not what it prints, and stay as they are. */
static void powers_of_two_that_carry(void **state)
{
    (void)state;
    static const char *const stay[] = {
        "71362384635297994e28",   /* 2^149, printed as 7.1362384635298e+44 */
        "68494042156512595e-211", /* 2^-645, as 6.84940421565126e-195 */
        "57835805874344294e206",  /* 2^740, as 5.78358058743443e+222 */
    };
    struct canon c;
    for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++) {
        assert_int_equal(run(&c, stay[i]), CANON_OK);
        assert_int_equal(c.out_bytes, strlen(stay[i]));
        assert_memory_equal(out, stay[i], c.out_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_do_not_depend_on_earlier_ones),
        cmocka_unit_test(an_element_has_no_key_whatever_the_item_was),
        cmocka_unit_test(utf8_is_told_from_what_is_none),
        cmocka_unit_test(there_is_room_for_the_keys_of_text_that_breaks_off),
        cmocka_unit_test(powers_of_two_that_carry),
    };
    return cmocka_run_group_tests_name("canon edges", tests, NULL, NULL);
}
