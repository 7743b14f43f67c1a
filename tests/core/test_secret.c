/*
 * test_secret.c - random text, the rule for secrets, base64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dispatcher/secret.h"

/*
 * The program's own RAND_bytes takes the place of the crypto library's: the system's random source,
 * or one that counts from 0 to 255, or one that fails.
 */
static enum { SOURCE_SYSTEM, SOURCE_COUNTS, SOURCE_FAILS } source;
static unsigned char next_byte;

int RAND_bytes(unsigned char *out, int bytes)
{
    switch (source) {
    case SOURCE_SYSTEM: return getrandom(out, (size_t)bytes, 0) == bytes;
    case SOURCE_FAILS: return 0;
    case SOURCE_COUNTS: break;
    }
    for (int i = 0; i < bytes; i++) {
        out[i] = next_byte++;
    }
    return 1;
}

static void test_random_text_form(void **state)
{
    (void)state;
    for (size_t chars = 0; chars <= 200; chars++) {
        char *text = malloc(chars + 1);

        assert_non_null(text);
        assert_int_equal(secret_random_text(text, chars), 0);
        assert_int_equal(strlen(text), chars);
        assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789"),
                         chars);
        free(text);
    }
}

static void test_random_text_differs(void **state)
{
    static char texts[1000][33];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(secret_random_text(texts[i], 32), 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(texts[i], texts[j]);
        }
    }
}

/* Over all 256 values of a byte each character comes exactly four times: no bias. */
static void test_random_text_is_uniform(void **state)
{
    char text[4 * 62 + 1];
    unsigned counts[256] = {0};

    (void)state;
    source = SOURCE_COUNTS;
    next_byte = 248; /* the eight that must not count come first */
    assert_int_equal(secret_random_text(text, 4 * 62), 0);
    source = SOURCE_SYSTEM;
    for (size_t i = 0; i < 4 * 62; i++) {
        counts[(unsigned char)text[i]]++;
    }
    for (int c = 0; c < 256; c++) {
        assert_true(counts[c] == 0 || counts[c] == 4);
    }
}

static void test_random_source_fails(void **state)
{
    char text[33] = "not empty";
    uint64_t number;

    (void)state;
    source = SOURCE_FAILS;
    assert_int_equal(secret_random_text(text, 32), -1);
    assert_string_equal(text, "");
    assert_int_equal(secret_random_numbers(&number, 1), -1);
    source = SOURCE_SYSTEM;
}

static void test_random_numbers(void **state)
{
    uint64_t all_or = 0;
    uint64_t all_and = UINT64_MAX;
    uint64_t numbers[20];

    (void)state;
    for (int i = 0; i < 200; i++) {
        if (i % 20 == 0)
            assert_int_equal(secret_random_numbers(numbers, 20), 0);
        all_or |= numbers[i % 20];
        all_and &= numbers[i % 20];
    }
    assert_true(all_or == UINT64_MAX);
    assert_true(all_and == 0);
}

static void test_secret_rule(void **state)
{
    static const struct {
        const char *secret;
        bool acceptable;
    } rows[] = {
        {"", false},
        {"1234567", false},
        {"12345678", true},
        {"your-webhook-secret", true},
        {"p\xc3\xa4ssw\xc3\xb6rt", true},
        {"12345678901234567890123456789012", true},
        {"123456789012345678901234567890123", false},             /* 33 bytes, not base64 */
        {"MTIzNDU2Nzg5MGFiY2RlZg==", true},                       /* 16 bytes */
        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3", true},           /* 27 bytes in 36 */
        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=", true},   /* 32 bytes in 44 */
        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", false},  /* 33 bytes in 44 */
        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI", false},   /* without its padding */
        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMT-=", false},  /* the URL alphabet */
        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw\nTI=", false}, /* a line feed */
        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (secret_acceptable(rows[i].secret, strlen(rows[i].secret)) != rows[i].acceptable) {
            fail_msg("%s", rows[i].secret);
        }
    }
    assert_false(secret_acceptable("1234\0"
                                   "5678",
                                   9));
}

/* What we generate is a text of 32 bytes and base64 of 24 at once. */
static void test_generated_satisfies_both_readings(void **state)
{
    char secret[SECRET_GENERATED_CHARS + 1];
    uint8_t decoded[SECRET_BYTES_MAX];
    size_t bytes;

    (void)state;
    assert_int_equal(secret_random_text(secret, SECRET_GENERATED_CHARS), 0);
    assert_true(secret_acceptable(secret, SECRET_GENERATED_CHARS));
    assert_true(secret_decode_base64(secret, SECRET_GENERATED_CHARS, decoded, &bytes));
    assert_int_equal(bytes, 24);
}

static void test_base64(void **state)
{
    static const struct {
        const char *text;
        const char *decoded; /* NULL: refused */
    } rows[] = {
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"+/+/", "\xfb\xff\xbf"},
        {"Zh==", "f"},
        {"", NULL},
        {"Z", NULL},
        {"Zg", NULL},
        {"Zg=", NULL},
        {"Z===", NULL},
        {"====", NULL},
        {"Zg==Zg==", NULL},
        {"Zm9=v", NULL},
        {"Z=9v", NULL},
        {"Zm9v ", NULL},
        {" Zm9", NULL},
        {"Zm-_", NULL},
        {"Zm9v====", NULL},
        {"Zm8\xc3\xa9", NULL},
    };
    uint8_t out[SECRET_BYTES_MAX];
    size_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool ok = secret_decode_base64(rows[i].text, strlen(rows[i].text), out, &bytes);

        if (ok != (rows[i].decoded != NULL)) {
            fail_msg("%s", rows[i].text);
        }
        if (ok) {
            assert_int_equal(bytes, strlen(rows[i].decoded));
            assert_memory_equal(out, rows[i].decoded, bytes);
        }
    }
    assert_false(
        secret_decode_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 60,
                             out, &bytes)); /* 45 bytes */
}

static void test_wipe(void **state)
{
    char text[16] = "secret";

    (void)state;
    secret_wipe(text, sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++) {
        assert_int_equal(text[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_text_form),
        cmocka_unit_test(test_random_text_differs),
        cmocka_unit_test(test_random_text_is_uniform),
        cmocka_unit_test(test_random_source_fails),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_secret_rule),
        cmocka_unit_test(test_generated_satisfies_both_readings),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_wipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
