/*
 * test_sign.c - signatures against vectors that were computed by other programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "dispatcher/secret.h"
#include "dispatcher/sign.h"

static const char secret[] = "MTIzNDU2Nzg5MGFiY2RlZg=="; /* decodes to 1234567890abcdef */
static const char body[] =
    "{\"id\":\"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123:event/abcdef\","
    "\"webhook_id\":\"don:integration:dvrv-us-1:devo/1H79gci4u:webhook/123\","
    "\"timestamp\":\"2022-08-01T12:00:00.123456Z\",\"type\":\"verify\","
    "\"verify\":{\"challenge\":\"DlrVaK7zRyZWwbJhj5dZHDlrVaK7Jhj5dZZjH\"}}";

#define STRING_HEX     "acde1898df630d91ee7a354db3841e305da3a6b1c14576bfb9c50385df4cb241"
#define STRING_BASE64  "rN4YmN9jDZHuejVNs4QeMF2jprHBRXa/ucUDhd9MskE="
#define DECODED_HEX    "9b869bbf088c6e83efa18dc8d5c8c95806b740ca0164c48b49a8f8c9988a35b3"
#define DECODED_BASE64 "m4abvwiMboPvoY3I1cjJWAa3QMoBZMSLSaj4yZiKNbM="

static void expect(struct signer *signer, struct sign_form form, const char *key, const char *text,
                   const char *want)
{
    char got[SIGN_TEXT_BYTES];

    assert_true(signer_sign(signer, &form, key, text, strlen(text), got));
    assert_string_equal(got, want);
}

static void test_vectors(void **state)
{
    static const struct {
        struct sign_form form;
        const char *want;
    } rows[] = {
        {{SIGN_HEX, SIGN_KEY_STRING, false}, STRING_HEX},
        {{SIGN_HEX, SIGN_KEY_STRING, true}, "sha256=" STRING_HEX},
        {{SIGN_BASE64, SIGN_KEY_STRING, false}, STRING_BASE64},
        {{SIGN_BASE64, SIGN_KEY_STRING, true}, "sha256=" STRING_BASE64},
        {{SIGN_HEX, SIGN_KEY_BASE64, false}, DECODED_HEX},
        {{SIGN_HEX, SIGN_KEY_BASE64, true}, "sha256=" DECODED_HEX},
        {{SIGN_BASE64, SIGN_KEY_BASE64, false}, DECODED_BASE64},
        {{SIGN_BASE64, SIGN_KEY_BASE64, true}, "sha256=" DECODED_BASE64},
    };
    struct signer *signer = signer_create();

    (void)state;
    assert_non_null(signer);
    assert_int_equal(strlen(body), 263);
    for (int round = 0; round < 3; round++) { /* with and without a change of key in between */
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            expect(signer, rows[i].form, secret, body, rows[i].want);
            expect(signer, rows[i].form, secret, body, rows[i].want);
        }
    }
    signer_destroy(signer);
}

static void test_default_form(void **state)
{
    struct signer *signer = signer_create();

    (void)state;
    expect(signer, (struct sign_form){0}, secret, body, STRING_HEX);
    signer_destroy(signer);
}

/* Known answers of RFC 4231 (case 2) and of the empty body. */
static void test_known_answers(void **state)
{
    struct signer *signer = signer_create();
    struct sign_form hex = {0};

    (void)state;
    expect(signer, hex, "Jefe", "what do ya want for nothing?",
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    expect(signer, hex, "Jefe", "",
           "923598ca6d64af2a5dba79dcd021a8a0fe5c5f557519adaaf0ad532d4506dd30");
    signer_destroy(signer);
}

static void test_secret_that_is_not_base64(void **state)
{
    struct signer *signer = signer_create();
    struct sign_form decoded = {.key = SIGN_KEY_BASE64};
    struct sign_form string = {.key = SIGN_KEY_STRING};
    char a[SIGN_TEXT_BYTES];
    char b[SIGN_TEXT_BYTES];

    (void)state;
    assert_true(signer_sign(signer, &decoded, "your-webhook-secret", body, strlen(body), a));
    assert_true(signer_sign(signer, &string, "your-webhook-secret", body, strlen(body), b));
    assert_string_equal(a, b);
    assert_true(signer_sign(signer, &decoded, secret, body, strlen(body), b));
    assert_string_not_equal(a, b);
    signer_destroy(signer);
}

/* Keys that are the beginning of one another, one after the other in the same signer. */
static void test_keys_are_not_mixed_up(void **state)
{
    static const char *const keys[] = {"12345678", "123456789", "12345678",
                                       "1234567x", "12345678",  "12345678901234567890123456789012",
                                       "12345678"};
    struct signer *one = signer_create();
    struct sign_form form = {0};
    char got[SIGN_TEXT_BYTES];
    char want[SIGN_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct signer *fresh = signer_create();

        assert_true(signer_sign(fresh, &form, keys[i], body, strlen(body), want));
        assert_true(signer_sign(one, &form, keys[i], body, strlen(body), got));
        assert_string_equal(got, want);
        signer_destroy(fresh);
    }
    signer_destroy(one);
    signer_destroy(NULL);
}

static void test_longest_secret_and_text(void **state)
{
    struct signer *signer = signer_create();
    struct sign_form form = {SIGN_HEX, SIGN_KEY_BASE64, true};
    char key[SECRET_BYTES_MAX + 1];
    char text[SIGN_TEXT_BYTES];

    (void)state;
    memset(key, 'A', SECRET_BYTES_MAX);
    key[SECRET_BYTES_MAX] = '\0';
    assert_true(signer_sign(signer, &form, key, body, strlen(body), text));
    assert_int_equal(strlen(text), SIGN_TEXT_BYTES - 1);
    signer_destroy(signer);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(sign_equal("abc", 3, "abc", 3));
    assert_true(sign_equal("", 0, "", 0));
    assert_true(sign_equal("a\0b", 3, "a\0b", 3));
    assert_false(sign_equal("a\0b", 3, "a\0c", 3));
    assert_false(sign_equal("abc", 3, "abd", 3));
    assert_false(sign_equal("abc", 3, "xbc", 3));
    assert_false(sign_equal("abc", 3, "abcd", 4));
    assert_false(sign_equal("abcd", 4, "abc", 3));
    assert_false(sign_equal("", 0, "a", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_default_form),
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_secret_that_is_not_base64),
        cmocka_unit_test(test_keys_are_not_mixed_up),
        cmocka_unit_test(test_longest_secret_and_text),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
