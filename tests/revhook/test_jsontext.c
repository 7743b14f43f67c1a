/* JSON as text: members are found and printed as they stand, and what is not JSON is nothing. */
#include "tools/revhook/jsontext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct span object_of(const char *text)
{
    return jsontext_object(text, strlen(text));
}

static void assert_member(const char *object, const char *key, const char *expected)
{
    struct span found = jsontext_member(object_of(object), key);
    if (expected == NULL) {
        assert_null(found.at);
        return;
    }
    assert_non_null(found.at);
    assert_int_equal(found.length, strlen(expected));
    assert_memory_equal(found.at, expected, found.length);
}

static void an_object_is_whole_or_nothing(void **state)
{
    static const char *const broken[] = {
        "",          "  ",   "[]",         "\"a\"",          "{",
        "{]",        "{\"a", "{\"a\\",     "{} x",           "{}}",
        "{\"a\":[}", "nul",  "{\"a\":{]}", "{\"a\":\"\\\"}", " \t\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_null(object_of(broken[i]).at);
    assert_int_equal(object_of(" \t\r\n{ } \n\t\r ").length, 3);
    assert_int_equal(object_of("{\"}\":\"\\\"{\"}").length, 11);
}

static void nesting_ends_somewhere(void **state)
{
    char text[2000];
    (void)state;
    for (int depth = 1; depth <= 600; depth += 599) {
        size_t n = 0;
        text[n++] = '{', text[n++] = '"', text[n++] = '"', text[n++] = ':';
        for (int i = 0; i < depth; i++)
            text[n++] = '[';
        for (int i = 0; i < depth; i++)
            text[n++] = ']';
        text[n++] = '}';
        assert_int_equal(jsontext_object(text, n).at != NULL, depth == 1);
    }
}

static void members_keep_their_text(void **state)
{
    static const char text[] =
        "{ \"a\" : 1e400 ,\t\"b\":\r\n{\"a\":2},\"c\":[true, \"]\"] , \"d\":\"x\"}";
    (void)state;
    assert_member(text, "a", "1e400");
    assert_member(text, "b", "{\"a\":2}");
    assert_member(text, "c", "[true, \"]\"]");
    assert_member(text, "d", "\"x\"");
    assert_member(text, "e", NULL);
    assert_member(text, "", NULL);
    assert_member("{}", "a", NULL);
    assert_member("{\"b\":1}", "a", NULL);
}

/* What is between brackets that match, but is no member, hides what comes after it. */
static void what_is_no_member_ends_the_search(void **state)
{
    static const char *const texts[] = {"{1:2,\"a\":3}",    "{\"b\" \"a\":3}",   "{\"b\"}",
                                        "{\"b\":}",         "{\"b\":1 \"a\":3}", "{,\"a\":3}",
                                        "{\"b\":1;\"a\":3}"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_member(texts[i], "a", NULL);
    assert_null(jsontext_member((struct span){NULL, 0}, "a").at);
    assert_null(jsontext_member((struct span){"{", 1}, "a").at);
    assert_null(jsontext_member((struct span){"[1]", 3}, "a").at);
    assert_null(jsontext_member((struct span){"{\"a\":[}", 7}, "a").at);
    assert_null(jsontext_member((struct span){"{\"a}", 4}, "a").at);
}

static void plain_strings(void **state)
{
    char room[4];
    (void)state;
    assert_true(jsontext_plain_string((struct span){"\"abc\"", 5}, room, sizeof(room)));
    assert_string_equal(room, "abc");
    assert_true(jsontext_plain_string((struct span){"\"\"", 2}, room, sizeof(room)));
    assert_string_equal(room, "");
    assert_false(jsontext_plain_string((struct span){"\"abcd\"", 6}, room, sizeof(room)));
    assert_false(jsontext_plain_string((struct span){"\"\\n\"", 4}, room, sizeof(room)));
    assert_false(jsontext_plain_string((struct span){"12", 2}, room, sizeof(room)));
    assert_false(jsontext_plain_string((struct span){"1", 1}, room, sizeof(room)));
    assert_false(jsontext_plain_string((struct span){NULL, 0}, room, sizeof(room)));
}

static void assert_printed(const char *text, int indent, const char *expected)
{
    char *printed = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&printed, &bytes);
    assert_non_null(to);
    jsontext_print(to, (struct span){text, text != NULL ? strlen(text) : 0}, indent);
    fclose(to);
    assert_string_equal(printed, expected);
    free(printed);
}

static void printed_in_lines_with_the_text_kept(void **state)
{
    (void)state;
    assert_printed(
        "{\"a\" :[1.0,{ }, [\n]],\"b\":\"\x1b[1m\\u001b\xc2\x9b\"}", 0,
        "{\n  \"a\": [\n    1.0,\n    {},\n    []\n  ],\n  \"b\": \"?[1m\\u001b?\"\n}\n");
    assert_printed("1e400", 2, "  1e400\n");
    assert_printed(NULL, 2, "");
    assert_printed("]\"x", 0, "\n]\"x\n"); /* not JSON: still every byte, and an end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_whole_or_nothing),
        cmocka_unit_test(nesting_ends_somewhere),
        cmocka_unit_test(members_keep_their_text),
        cmocka_unit_test(what_is_no_member_ends_the_search),
        cmocka_unit_test(plain_strings),
        cmocka_unit_test(printed_in_lines_with_the_text_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
