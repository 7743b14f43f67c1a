/* The form of signatures in words, and what comes of a service's form and a webhook's own parts. */
#include "dispatcher/sign_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct sign_own own_of_text(const char *text)
{
    struct sign_own own;
    assert_true(sign_own_read(&own, text, strlen(text)));
    return own;
}

static void every_choice_of_parts_survives_the_store(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned bits = 0; bits < 64; bits++) {
        struct sign_own own = {
            .has_encoding = bits & 1, .has_key = bits & 2, .has_prefix = bits & 4};
        own.form.encoding = own.has_encoding && bits & 8 ? SIGN_BASE64 : SIGN_HEX;
        own.form.key = own.has_key && bits & 16 ? SIGN_KEY_BASE64 : SIGN_KEY_STRING;
        own.form.prefix = own.has_prefix && bits & 32;
        char text[SIGN_FORM_TEXT_BYTES];
        size_t bytes = sign_own_write(&own, text);
        assert_int_equal(bytes, strlen(text));
        assert_int_equal(bytes == 0, !sign_own_any(&own));
        struct sign_own again = own_of_text(text);
        assert_true(sign_own_same(&own, &again));
        seen++;
    }
    assert_int_equal(seen, 64);
}

static void the_words_are_those_that_the_api_has(void **state)
{
    (void)state;
    struct sign_own live = sign_own_of(SIGN_PRESET_DEVREV_LIVE),
                    none = sign_own_of(SIGN_PRESET_DEFAULT);
    char text[SIGN_FORM_TEXT_BYTES];
    sign_own_write(&live, text);
    assert_string_equal(text, "encoding=base64 key=base64 prefix=");
    assert_false(sign_own_any(&none));
    live = own_of_text("prefix=sha256= key=string encoding=hex"); /* in any order */
    sign_own_write(&live, text);
    assert_string_equal(text, "encoding=hex key=string prefix=sha256=");
}

static void unknown_words_are_not_guessed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "encoding=",     "encoding",
        "encoding=hexa", "encoding=HEX",
        "key=raw",       "prefix=sha512=",
        "prefix",        "digest=sha512",
        "=hex",          "encoding=hex  key=string",
        " encoding=hex", "encoding=he",
        "keys=base64",   "encoding=hex,key",
        "\xff",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sign_own own;
        memset(&own, 1, sizeof(own));
        if (sign_own_read(&own, bad[i], strlen(bad[i])))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_false(sign_own_any(&own));
    }
}

static void own_parts_go_over_the_services(void **state)
{
    (void)state;
    static const struct {
        const char *own, *expected; /* over a service of base64, decoded key, with prefix */
    } rows[] = {
        {"", "encoding=base64 key=base64 prefix=sha256="},
        {"encoding=hex", "encoding=hex key=base64 prefix=sha256="},
        {"key=string", "encoding=base64 key=string prefix=sha256="},
        {"prefix=", "encoding=base64 key=base64 prefix="},
        {"encoding=hex key=string prefix=", "encoding=hex key=string prefix="},
    };
    const struct sign_form service = {SIGN_BASE64, SIGN_KEY_BASE64, true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sign_own own = own_of_text(rows[i].own);
        struct sign_own all = {true, true, true, sign_form_of(&service, &own)};
        char text[SIGN_FORM_TEXT_BYTES];
        sign_own_write(&all, text);
        assert_string_equal(text, rows[i].expected);
    }
}

static void merging_replaces_the_given_parts_alone(void **state)
{
    (void)state;
    static const struct {
        const char *under, *over, *expected;
    } rows[] = {
        {"", "", ""},
        {"encoding=base64", "", "encoding=base64"},
        {"", "key=base64", "key=base64"},
        {"encoding=base64 prefix=sha256=", "encoding=hex", "encoding=hex prefix=sha256="},
        {"encoding=base64", "key=string prefix=", "encoding=base64 key=string prefix="},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sign_own under = own_of_text(rows[i].under), over = own_of_text(rows[i].over),
                        merged = sign_own_merge(&under, &over);
        char text[SIGN_FORM_TEXT_BYTES];
        sign_own_write(&merged, text);
        assert_string_equal(text, rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_choice_of_parts_survives_the_store),
        cmocka_unit_test(the_words_are_those_that_the_api_has),
        cmocka_unit_test(unknown_words_are_not_guessed),
        cmocka_unit_test(own_parts_go_over_the_services),
        cmocka_unit_test(merging_replaces_the_given_parts_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
