/*
 * test_canon.c - every rule of canonical JSON as a row of a table, and the view over the result.
 *
 * What JSON.stringify prints for generated documents is compared in canon_node.mjs; here stand
 * the cases that a reader can check by eye.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/canon.h"

/* A string literal with its length, so that it may contain NUL. */
#define TEXT(literal) literal, sizeof(literal) - 1

/*
 * Runs over exact copies of input and output on the heap, so that a sanitizer sees any access
 * outside of them. The result stays valid until the next call.
 */
static enum canon_error run(const char *in, size_t in_bytes, size_t out_capacity_bytes,
                            unsigned depth_max, struct canon *c)
{
    static char *out;
    char *copy = malloc(in_bytes + (in_bytes == 0));
    size_t keys_max = canon_keys_max(in_bytes);
    struct canon_key *keys = calloc(keys_max, sizeof(*keys));
    enum canon_error error;

    free(out);
    out = malloc(out_capacity_bytes + (out_capacity_bytes == 0));
    assert_non_null(copy);
    assert_non_null(keys);
    assert_non_null(out);
    memcpy(copy, in, in_bytes);
    *c = (struct canon){.in = copy,
                        .in_bytes = in_bytes,
                        .out = out,
                        .out_capacity_bytes = out_capacity_bytes,
                        .keys = keys,
                        .keys_max = keys_max,
                        .depth_max = depth_max};
    error = canon_document(c);
    free(copy);
    free(keys);
    if (error == CANON_OK) {
        assert_true(c->out_bytes <= out_capacity_bytes);
        assert_int_equal(c->error_offset_bytes, 0);
    } else {
        assert_int_equal(c->out_bytes, 0);
        assert_true(c->error_offset_bytes <= in_bytes);
    }
    return error;
}

static void expect_bytes(const char *in, size_t in_bytes, const char *want, size_t want_bytes)
{
    struct canon c;
    enum canon_error error = run(in, in_bytes, canon_out_max(in_bytes), 0, &c);

    if (error != CANON_OK || c.out_bytes != want_bytes || memcmp(c.out, want, want_bytes) != 0) {
        fail_msg("%.*s became %.*s (%s), not %.*s", (int)in_bytes, in, (int)c.out_bytes, c.out,
                 canon_error_text(error), (int)want_bytes, want);
    }
    /* it fits exactly, and one byte less does not; canonical text stays as it is */
    assert_int_equal(run(in, in_bytes, want_bytes, 0, &c), CANON_OK);
    assert_int_equal(run(in, in_bytes, want_bytes - 1, 0, &c), CANON_TOO_LARGE);
    assert_int_equal(run(want, want_bytes, want_bytes, 0, &c), CANON_OK);
    assert_int_equal(c.out_bytes, want_bytes);
    assert_memory_equal(c.out, want, want_bytes);
}

static void expect(const char *in, const char *want)
{
    expect_bytes(in, strlen(in), want, strlen(want));
}

static void refuse_bytes(const char *in, size_t in_bytes, enum canon_error want)
{
    struct canon c;
    enum canon_error error = run(in, in_bytes, canon_out_max(in_bytes), 0, &c);

    if (error != want) {
        fail_msg("%.*s gave \"%s\", not \"%s\"", (int)in_bytes, in, canon_error_text(error),
                 canon_error_text(want));
    }
}

static void refuse(const char *in, enum canon_error want)
{
    refuse_bytes(in, strlen(in), want);
}

static void test_space_and_order(void **state)
{
    (void)state;
    expect("{}", "{}");
    expect("[]", "[]");
    expect(" \t\r\n{ \n} \r\n", "{}");
    expect("[ ]", "[]");
    expect("{ \"b\" : 1 ,\t\"a\" : [ 1 , 2 ,\n3 ] }", "{\"b\":1,\"a\":[1,2,3]}");
    expect("{\"a\":{\"a\":{\"a\":[[],{},[{}]]}},\"b\":true}",
           "{\"a\":{\"a\":{\"a\":[[],{},[{}]]}},\"b\":true}");
    expect("null", "null");
    expect(" true ", "true");
    expect("false", "false");
    expect("\"x\"", "\"x\"");
    expect(" 7 ", "7");
    expect("{\"2\":0,\"1\":0}", "{\"2\":0,\"1\":0}");
}

static void test_grammar_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "\n",
        "{",
        "[",
        "}",
        "]",
        "{]",
        "[}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,,2]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":1 b",
        "{a:1}",
        "{1:1}",
        "{'a':1}",
        "'a'",
        "{\"a\":1}}",
        "1 2",
        "{}{}",
        "[]x",
        "tru",
        "truee",
        "True",
        "nul",
        "nulll",
        "fals",
        "NaN",
        "Infinity",
        "-Infinity",
        "undefined",
        "//x\n1",
        "/**/1",
        "1//x",
        "#",
        "\xef\xbb\xbf{}",
        "\xef\xbb",
        "{}\xef",
        "\xc2\xa0 1",
        "\f1",
        "\v1",
        "[\"a\"",
        "\"",
        "\"a",
        "\"a\\",
        "\"a\\\"",
        "\"\\x\"",
        "\"\\a\"",
        "\"\\'\"",
        "\"\\0\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u123g\"",
        "\"\\u 123\"",
        "\"\\U0041\"",
        "\"\\u+123\"",
        "\"\n\"",
        "\"\t\"",
        "\"\x1f\"",
        "\"aaaaaaaaaaaaaaaaaaaaaaaa\n\"",
        "{\"a\n\":1}",
        "{\"a\":1,\"b\"",
        "{\"a\":1,",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuse(bad[i], CANON_SYNTAX);
    }
    refuse_bytes(TEXT("\0"), CANON_SYNTAX);
    refuse_bytes(TEXT("{}\0"), CANON_SYNTAX);
    refuse_bytes(TEXT("1\0"), CANON_SYNTAX);
    refuse_bytes(TEXT("\"a\0b\""), CANON_SYNTAX);
    refuse_bytes(TEXT("\"aaaaaaaaaaaa\0aaaaaaaaaaaaa\""), CANON_SYNTAX);
}

/* A document that is cut anywhere is refused (and no byte after the cut is read). */
static void test_every_prefix_refused(void **state)
{
    static const char text[] = "{\"k\\u00e9y\":[1.5e3,-0,true,false,null,\"\\ud83d\\ude00 "
                               "\xf0\x9f\x98\x80 \xc3\xa9\"],\"b\":{\"c\":{}}}";
    struct canon c;

    (void)state;
    assert_int_equal(run(text, sizeof(text) - 1, 400, 0, &c), CANON_OK);
    for (size_t bytes = 0; bytes < sizeof(text) - 1; bytes++) {
        assert_int_not_equal(run(text, bytes, 400, 0, &c), CANON_OK);
    }
}

static void test_strings(void **state)
{
    (void)state;
    expect("\"\"", "\"\"");
    expect("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    expect("\"\\u0022\\u005c\\u002f\\u0008\\u000c\\u000a\\u000d\\u0009\"",
           "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    expect("\"\\u0000\\u0001\\u001F\\u000B\"", "\"\\u0000\\u0001\\u001f\\u000b\"");
    expect("\"\\u007f\\u0041\\u0020\"", "\"\x7f"
                                        "A \"");
    expect("\"\x7f\"", "\"\x7f\"");
    expect("\"\\u0080\\u07ff\\u0800\\uffff\"", "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\"");
    expect("\"\\u00e9\\u00E9\xc3\xa9\"", "\"\xc3\xa9\xc3\xa9\xc3\xa9\"");
    expect("\"\\u2028\xe2\x80\xa9\"", "\"\xe2\x80\xa8\xe2\x80\xa9\"");
    expect("\"\\ud83d\\ude00\\uD83D\\uDE00\"", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"");
    expect("\"\\ud800\\udc00\\udbff\\udfff\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
    expect("\"\\ud7ff\\ue000\"", "\"\xed\x9f\xbf\xee\x80\x80\"");
    expect("\"\\ufeff\"", "\"\xef\xbb\xbf\"");
    expect("\"a/b<c>&'\"", "\"a/b<c>&'\"");
    expect("{\"\\u0061\\n\":\"\\u003c\"}", "{\"a\\n\":\"<\"}");
    expect("\"0123456789abcdefghijklmnopqrstuvwxyz\\\"0123456789abcdefghijklmn\"",
           "\"0123456789abcdefghijklmnopqrstuvwxyz\\\"0123456789abcdefghijklmn\"");
}

/* Each kind of special byte at each place of the eight-byte steps. */
static void test_special_byte_at_every_place(void **state)
{
    static const struct {
        const char *in;
        const char *want;
        enum canon_error error;
    } special[] = {
        {"\\u000a", "\\n", CANON_OK},       {"\\/", "/", CANON_OK},
        {"\xc3\xa9", "\xc3\xa9", CANON_OK}, {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", CANON_OK},
        {"\x7f", "\x7f", CANON_OK},         {"\n", NULL, CANON_SYNTAX},
        {"\x1f", NULL, CANON_SYNTAX},       {"\"", NULL, CANON_SYNTAX},
        {"\x80", NULL, CANON_UTF8},         {"\xff", NULL, CANON_UTF8},
    };
    char in[64];
    char want[64];

    (void)state;
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        for (int before = 0; before <= 17; before++) {
            for (int after = 0; after <= 17; after++) {
                snprintf(in, sizeof(in), "\"%.*s%s%.*s\"", before, "!#[]^~ zyxwvutsrqp",
                         special[i].in, after, "!#[]^~ zyxwvutsrqp");
                if (special[i].error != CANON_OK) {
                    refuse(in, special[i].error);
                    continue;
                }
                snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", before, "!#[]^~ zyxwvutsrqp",
                         special[i].want, after, "!#[]^~ zyxwvutsrqp");
                expect(in, want);
            }
        }
    }
}

static void test_utf8_refused(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2 ",
        "\xc2\xc2",
        "\xdf\x7f",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xe1\x80",
        "\xe1\x80 ",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xef\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80",
        "\xf0\x90\x80 ",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "a\xffz",
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "\"%s\"", bad[i]);
        refuse(text, CANON_UTF8);
        snprintf(text, sizeof(text), "{\"%s\":1}", bad[i]);
        refuse(text, CANON_UTF8);
        snprintf(text, sizeof(text), "\"%s", bad[i]); /* the input ends inside the sequence */
        refuse(text, CANON_UTF8);
    }
}

static void test_surrogates_refused(void **state)
{
    static const char *const bad[] = {
        "\"\\ud800\"",          "\"\\udbff\"",        "\"\\udc00\"",         "\"\\udfff\"",
        "\"\\ud83dx\"",         "\"\\ud83d\\n\"",     "\"\\ud83d\\ud83d\"",  "\"\\ude00\\ud83d\"",
        "\"\\ud83d\\u0041\"",   "\"\\ud83d\\ue000\"", "\"\\ud83d \\ude00\"", "{\"\\ud800\":1}",
        "\"\\ud83d\\\\ude00\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuse(bad[i], CANON_SURROGATE);
    }
}

static void test_numbers_rewritten(void **state)
{
    static const char *const rows[][2] = {
        {"0", "0"},
        {"1", "1"},
        {"-1", "-1"},
        {"42", "42"},
        {"123456789012345", "123456789012345"},
        {"-123456789012345", "-123456789012345"},
        {"1.0", "1"},
        {"-1.0", "-1"},
        {"0.0", "0"},
        {"0e5", "0"},
        {"0.000E-7", "0"},
        {"0e999999999999999999999", "0"},
        {"1e2", "100"},
        {"1E+2", "100"},
        {"1e0", "1"},
        {"100e-2", "1"},
        {"0.10", "0.1"},
        {"0.1", "0.1"},
        {"12.50", "12.5"},
        {"12.5e1", "125"},
        {"1e20", "100000000000000000000"},
        {"100000000000000000000", "100000000000000000000"},
        {"1E21", "1e+21"},
        {"1000000000000000000000", "1e+21"},
        {"1.50e21", "1.5e+21"},
        {"123e20", "1.23e+22"},
        {"1e23", "1e+23"},
        {"-1e23", "-1e+23"},
        {"0.000001", "0.000001"},
        {"1e-6", "0.000001"},
        {"0.00000123", "0.00000123"},
        {"0.0000001", "1e-7"},
        {"1.0e-7", "1e-7"},
        {"0.000000123", "1.23e-7"},
        {"-1.5E-10", "-1.5e-10"},
        {"1e100", "1e+100"},
        {"1e-100", "1e-100"},
        {"1e308", "1e+308"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
        {"17976931348623157e292", "1.7976931348623157e+308"},
        {"2.2250738585072014e-308", "2.2250738585072014e-308"},
        {"2.225073858507201e-308", "2.225073858507201e-308"},
        {"5e-324", "5e-324"},
        {"0.5e-323", "5e-324"},
        {"1e-323", "1e-323"},
        {"1e-320", "1e-320"},
        {"9007199254740992", "9007199254740992"},
        {"9007199254740991.0", "9007199254740991"},
        {"1722513600123456", "1722513600123456"},
        {"9007199254740994", "9007199254740994"},
        {"12345678901234567000", "12345678901234567000"},
        {"1234567890123456.2", "1234567890123456.2"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"3.141592653589793", "3.141592653589793"},
        {"3.1415926535897930", "3.141592653589793"},
        {"1.1754943508222875e-38", "1.1754943508222875e-38"},
        /* 2^-44: the closest decimal of 16 digits, ...801e-14, reads back as its neighbour */
        {"5.684341886080802e-14", "5.684341886080802e-14"},
        {"5684341886080802e-29", "5.684341886080802e-14"},
        {"1000e-000000000000000000000000000000000003", "1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect(rows[i][0], rows[i][1]);
    }
}

/* Numbers for which JSON.stringify would print another value stay byte for byte. */
static void test_numbers_kept(void **state)
{
    static const char *const kept[] = {
        "-0",
        "-0.0",
        "-0e1",
        "-0.000E+007",
        "1e400",
        "-1E400",
        "1e309",
        "1.7976931348623159e308",
        "1e-400",
        "2e-324",
        "1e-324",
        "1E99999999999999999999999999999999",
        "1e-99999999999999999999999999999999",
        "9007199254740993",
        "9007199254740993.0",
        "12345678901234567890",
        "18446744073709551615",
        "18446744073709551616",
        "1722513600123456789",
        "100000000000000000000000000001",
        "0.1000000000000000055511151231257827",
        "0.10000000000000001",
        "0.30000000000000001",
        "3.1415926535897931",
        "3.14159265358979323846",
        "1234567890123456.25",
        "1234567890123456.3",
        "4.9e-324",
        "4.9406564584124654e-324",
        "9.9e-324",
        "3e-324",
        "2.2250738585072011e-308",
        "5.684341886080801e-14",
        "5.6843418860808015e-14",
        "5.684341886080803e-14",
        "9.9999999999999999e22",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        expect(kept[i], kept[i]);
    }
}

static void test_numbers_refused(void **state)
{
    static const char *const bad[] = {
        "-",    "+1",  "01",   "-01",  "00",    "-00",   "0x1",    "1.",    ".5",  "-.5",
        "1.e5", "1e",  "1e+",  "1E-",  "1e1.5", "1.2.3", "1e5e5",  "--1",   "1-",  "1_000",
        "1,0",  "0 1", "1.-2", "1e 5", "- 1",   "00.5",  "0123.4", "1.0.0", "[-]", "{\"a\":-}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refuse(bad[i], CANON_SYNTAX);
    }
}

static void test_duplicate_keys(void **state)
{
    (void)state;
    refuse("{\"a\":1,\"a\":2}", CANON_DUPLICATE_KEY);
    refuse("{\"a\":1,\"b\":2,\"a\":1}", CANON_DUPLICATE_KEY);
    refuse("{\"\":1,\"\":1}", CANON_DUPLICATE_KEY);
    refuse("{\"a\":1,\"\\u0061\":2}", CANON_DUPLICATE_KEY);
    refuse("{\"\\/\":1,\"/\":2}", CANON_DUPLICATE_KEY);
    refuse("{\"\\u00e9\":1,\"\xc3\xa9\":2}", CANON_DUPLICATE_KEY);
    refuse("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", CANON_DUPLICATE_KEY);
    refuse("[{\"x\":{\"a\":{},\"a\":[]}}]", CANON_DUPLICATE_KEY);
    refuse("{\"a\":{\"b\":{\"c\":1}},\"d\":[{\"a\":1}],\"a\":0}", CANON_DUPLICATE_KEY);
    refuse("{\"work_created\":1,\"work_updated\":1,\"work_created\":1}", CANON_DUPLICATE_KEY);

    expect("{\"a\":{\"a\":{\"a\":1}}}", "{\"a\":{\"a\":{\"a\":1}}}");
    expect("[{\"a\":1},{\"a\":2}]", "[{\"a\":1},{\"a\":2}]");
    expect("{\"a\":1,\"A\":1,\"\":1,\"a \":1,\"\\u0000\":1,\"\\\\u0000\":1}",
           "{\"a\":1,\"A\":1,\"\":1,\"a \":1,\"\\u0000\":1,\"\\\\u0000\":1}");
    /* Unicode normalisation is not ours: composed and decomposed forms are two keys */
    expect("{\"\xc3\xa9\":1,\"e\xcc\x81\":1}", "{\"\xc3\xa9\":1,\"e\xcc\x81\":1}");
    /* same length, same first and last eight bytes */
    expect("{\"aaaaaaaaXbbbbbbbb\":1,\"aaaaaaaaYbbbbbbbb\":1}",
           "{\"aaaaaaaaXbbbbbbbb\":1,\"aaaaaaaaYbbbbbbbb\":1}");
    refuse("{\"aaaaaaaaXbbbbbbbb\":1,\"aaaaaaaaYbbbbbbbb\":1,\"aaaaaaaaXbbbbbbbb\":1}",
           CANON_DUPLICATE_KEY);
}

/* {"k<i>":0,...} with `count` keys; key `again` is written a second time at the end if >= 0. */
static char *many_keys(size_t count, long again, const char *format)
{
    char *text = malloc(count * 48 + 64);
    char *at = text;

    assert_non_null(text);
    *at++ = '{';
    for (size_t i = 0; i < count; i++) {
        *at++ = '"';
        at += sprintf(at, format, (unsigned)i);
        at += sprintf(at, "\":0,");
    }
    if (again >= 0) {
        *at++ = '"';
        at += sprintf(at, format, (unsigned)again);
        at += sprintf(at, "\":0,");
    }
    strcpy(at - 1, "}");
    return text;
}

/* Around the change from pairwise comparison to sorting, with the duplicate at every place. */
static void test_duplicate_keys_of_every_count(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 70; count++) {
        char *text = many_keys(count, -1, "key number %u");

        expect(text, text);
        free(text);
        for (size_t again = 0; again < count; again++) {
            text = many_keys(count, (long)again, "key number %u");
            refuse(text, CANON_DUPLICATE_KEY);
            free(text);
        }
    }
}

/* Keys made to look alike to any cheap comparison; must not take quadratic time. */
static void test_many_hostile_keys(void **state)
{
    static const char *const formats[] = {"k%u", "aaaaaaaa%06ubbbbbbbb"};

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char *text = many_keys(200000, -1, formats[i]);
        struct canon c;

        assert_int_equal(run(text, strlen(text), strlen(text), 0, &c), CANON_OK);
        assert_memory_equal(c.out, text, c.out_bytes);
        free(text);
        text = many_keys(200000, 199998, formats[i]);
        assert_int_equal(run(text, strlen(text), strlen(text), 0, &c), CANON_DUPLICATE_KEY);
        free(text);
    }
}

static void test_key_scratch(void **state)
{
    static const char text[] = "{\"a\":{\"b\":{\"c\":0},\"d\":0},\"e\":0,\"f\":[{\"g\":0}]}";
    struct canon_key keys[4];
    char out[64];
    struct canon c = {.in = text, .in_bytes = sizeof(text) - 1, .out = out, .keys = keys};

    (void)state;
    c.out_capacity_bytes = sizeof(out);
    for (c.keys_max = 0; c.keys_max < 4; c.keys_max++) {
        assert_int_equal(canon_document(&c), CANON_TOO_MANY_KEYS);
    }
    assert_int_equal(canon_document(&c), CANON_OK); /* a e f g are the most open at one moment */
    c.in = "[1,[2]]";
    c.in_bytes = 7;
    c.keys = NULL;
    c.keys_max = 0;
    assert_int_equal(canon_document(&c), CANON_OK);
}

static void test_key_scratch_bound(void **state)
{
    char text[5 * 64 + 16];
    size_t at = 0;
    struct canon c;

    (void)state;
    for (int i = 0; i < 63; i++) {
        at += (size_t)sprintf(text + at, "{\"\":");
    }
    at += (size_t)sprintf(text + at, "{\"\":0");
    for (int i = 0; i < 64; i++) {
        text[at++] = '}';
    }
    assert_true(canon_keys_max(at) >= 64);
    assert_int_equal(run(text, at, at, 0, &c), CANON_OK); /* run() gives canon_keys_max entries */
}

static void test_depth(void **state)
{
    char text[2 * CANON_DEPTH_LIMIT + 8];
    struct canon c;

    (void)state;
    for (unsigned depth = 1; depth <= CANON_DEPTH_LIMIT; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(run(text, 2 * depth, 600, depth, &c), CANON_OK);
        if (depth > 1) {
            assert_int_equal(run(text, 2 * depth, 600, depth - 1, &c), CANON_DEPTH);
            assert_int_equal(c.error_offset_bytes, depth - 1);
        }
        assert_int_equal(run(text, 2 * depth, 600, 0, &c),
                         depth <= CANON_DEPTH_DEFAULT ? CANON_OK : CANON_DEPTH);
    }
    assert_int_equal(run(TEXT("[{},{},[],[{}]]"), 99, 3, &c), CANON_OK);
    assert_int_equal(run(TEXT("[{},{},[],[{}]]"), 99, 2, &c), CANON_DEPTH);
    assert_int_equal(run(TEXT("7"), 99, 1, &c), CANON_OK);
    assert_int_equal(run(TEXT("{\"a\":{}}"), 99, 1, &c), CANON_DEPTH);
}

static void test_output_too_small(void **state)
{
    static const char text[] = "{\"a\":[1e20,\"\\u0001\\u00e9\",true,1.5],\"bcdefghijklmnop\":{}}";
    static const char want[] =
        "{\"a\":[100000000000000000000,\"\\u0001\xc3\xa9\",true,1.5],\"bcdefghijklmnop\":{}}";
    struct canon c;

    (void)state;
    for (size_t capacity = 0; capacity < sizeof(want) - 1; capacity++) {
        assert_int_equal(run(text, sizeof(text) - 1, capacity, 0, &c), CANON_TOO_LARGE);
    }
    assert_int_equal(run(text, sizeof(text) - 1, sizeof(want) - 1, 0, &c), CANON_OK);
    assert_memory_equal(c.out, want, sizeof(want) - 1);

    c.in_bytes = (size_t)CANON_IN_BYTES_MAX + 1; /* refused before a byte is read */
    assert_int_equal(canon_document(&c), CANON_TOO_LARGE);
}

static void test_output_bound(void **state)
{
    static const char *const growing[] = {
        "1e9", "1e20", "[1e20]", "[1e20,1e20,1e20,1e20,1e20]", "{\"\":1e20}", "1e-6", "0"};
    struct canon c;

    (void)state;
    for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
        size_t bytes = strlen(growing[i]);

        assert_int_equal(run(growing[i], bytes, canon_out_max(bytes), 0, &c), CANON_OK);
    }
}

static void test_error_offset(void **state)
{
    struct canon c;

    (void)state;
    run(TEXT("{\"a\":1,\"b\":tru}"), 99, 0, &c);
    assert_int_equal(c.error_offset_bytes, 11);
    run(TEXT("{\"a\":1,\"a\":2}"), 99, 0, &c);
    assert_int_equal(c.error_offset_bytes, 7);
    run(TEXT("[\"ab\xff\"]"), 99, 0, &c);
    assert_int_equal(c.error_offset_bytes, 4);
    run(TEXT("[1] x"), 99, 0, &c);
    assert_int_equal(c.error_offset_bytes, 4);
    for (int error = CANON_OK + 1; error <= CANON_TOO_MANY_KEYS; error++) {
        assert_true(strlen(canon_error_text((enum canon_error)error)) > 0);
    }
    assert_string_equal(canon_error_text(CANON_OK), "");
}

static struct canon_span span(const char *text)
{
    return (struct canon_span){text, strlen(text)};
}

static void assert_span(struct canon_span got, const char *want)
{
    if (!canon_span_equals(got, want)) {
        fail_msg("%.*s is not %s", (int)got.bytes, got.at, want);
    }
}

static void test_view_kinds(void **state)
{
    static const struct {
        const char *text;
        enum canon_kind kind;
        const char *name;
    } rows[] = {
        {"{}", CANON_OBJECT, "object"},   {"[]", CANON_ARRAY, "array"},
        {"\"\"", CANON_STRING, "string"}, {"0", CANON_NUMBER, "number"},
        {"-1", CANON_NUMBER, "number"},   {"true", CANON_BOOL, "bool"},
        {"false", CANON_BOOL, "bool"},    {"null", CANON_NULL, "null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(canon_kind(span(rows[i].text)), rows[i].kind);
        assert_string_equal(canon_kind_name(rows[i].kind), rows[i].name);
    }
}

static void test_view_members(void **state)
{
    static const char *const want[][2] = {
        {"a", "1"},
        {"b\\\"", "\"x\\\"y\\\\\""},
        {"", "[1,{\"}\":\"]\"},[]]"},
        {"o", "{\"s\":\"}{\",\"t\":{\"u\":[[\"\\\\\"]]}}"},
        {"long", "\"0123456789012345678901234567890123456789\\\\\""},
        {"t", "true"},
        {"n", "null"},
        {"last", "-1.5e+30"},
    };
    char text[512] = "{";
    struct canon_item item;
    struct canon_span value;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        sprintf(text + strlen(text), "%s\"%s\":%s", i == 0 ? "" : ",", want[i][0], want[i][1]);
    }
    strcat(text, "}");
    expect(text, text); /* it is canonical */
    for (bool more = canon_member_first(span(text), &item); more; more = canon_member_next(&item)) {
        assert_span(item.key, want[count][0]);
        assert_span(item.value, want[count][1]);
        count++;
    }
    assert_int_equal(count, sizeof(want) / sizeof(want[0]));
    assert_false(canon_member_next(&item));
    assert_true(canon_member_find(span(text), "last", &value));
    assert_span(value, "-1.5e+30");
    assert_true(canon_member_find(span(text), "", &value));
    assert_false(canon_member_find(span(text), "s", &value));
    assert_false(canon_member_find(span(text), "las", &value));
    assert_false(canon_member_find(span("{}"), "a", &value));
    assert_false(canon_member_first(span("{}"), &item));
}

static void test_view_elements(void **state)
{
    static const char *const want[] = {"[]",   "{}", "\"],\"", "12", "[[[]],{\"[\":\"]]\"}]",
                                       "false"};
    char text[256] = "[";
    struct canon_item item;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        sprintf(text + strlen(text), "%s%s", i == 0 ? "" : ",", want[i]);
    }
    strcat(text, "]");
    for (bool more = canon_element_first(span(text), &item); more;
         more = canon_element_next(&item)) {
        assert_int_equal(item.key.bytes, 0);
        assert_span(item.value, want[count]);
        count++;
    }
    assert_int_equal(count, sizeof(want) / sizeof(want[0]));
    assert_false(canon_element_next(&item));
    assert_false(canon_element_first(span("[]"), &item));
}

static void test_view_strings(void **state)
{
    (void)state;
    assert_true(canon_string_equals(span("\"verify\""), "verify"));
    assert_true(canon_string_equals(span("\"\""), ""));
    assert_false(canon_string_equals(span("\"verify\""), "verif"));
    assert_false(canon_string_equals(span("\"verif\""), "verify"));
    assert_false(canon_string_equals(span("12"), "12"));
    assert_false(canon_string_equals(span("null"), "null"));
    assert_span(canon_string_inner(span("\"a\\n\"")), "a\\n");
}

/* Strings with quotes and backslashes at every place of the eight-byte steps of the view. */
static void test_view_escapes_at_every_place(void **state)
{
    static const char *const special[] = {"\\\"", "\\\\", "\\\\\\\"", "\\u0001", "\xc3\xa9", "{}"};
    char text[128];
    char want[64];
    struct canon_item item;

    (void)state;
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        for (int before = 0; before <= 17; before++) {
            for (int after = 0; after <= 17; after++) {
                snprintf(want, sizeof(want), "[\"%.*s%s%.*s\"]", before, "[]{}![]{}![]{}!yY",
                         special[i], after, "[]{}![]{}![]{}!yY");
                snprintf(text, sizeof(text), "[%s,0]", want);
                assert_true(canon_element_first(span(text), &item));
                assert_span(item.value, want);
                assert_true(canon_element_next(&item));
                assert_span(item.value, "0");
                assert_false(canon_element_next(&item));
            }
        }
    }
}

/* Containers longer than the blocks of 64 bytes in which they are skipped, shifted byte by byte. */
static void test_view_long_containers(void **state)
{
    static const char pad[] =
        "yY|[]}{[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
        "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}";
    static const char *const inner[] = {"{}", "[[],[[]]]", "\"\\\"\"", "[{\"]\":[\"}\"]},1]"};
    char want[400];
    char text[420];
    struct canon_item item;

    (void)state;
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        for (int before = 0; before <= 140; before++) {
            snprintf(want, sizeof(want), "{\"%.*s\":%s,\"k\":[\"%.*s\"]}", before, pad, inner[i],
                     140 - before, pad);
            snprintf(text, sizeof(text), "[%s,{}]", want);
            assert_true(canon_element_first(span(text), &item));
            assert_span(item.value, want);
            assert_true(canon_element_next(&item));
            assert_span(item.value, "{}");
            assert_false(canon_element_next(&item));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_and_order),
        cmocka_unit_test(test_grammar_refused),
        cmocka_unit_test(test_every_prefix_refused),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_special_byte_at_every_place),
        cmocka_unit_test(test_utf8_refused),
        cmocka_unit_test(test_surrogates_refused),
        cmocka_unit_test(test_numbers_rewritten),
        cmocka_unit_test(test_numbers_kept),
        cmocka_unit_test(test_numbers_refused),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_duplicate_keys_of_every_count),
        cmocka_unit_test(test_many_hostile_keys),
        cmocka_unit_test(test_key_scratch),
        cmocka_unit_test(test_key_scratch_bound),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_output_too_small),
        cmocka_unit_test(test_output_bound),
        cmocka_unit_test(test_error_offset),
        cmocka_unit_test(test_view_kinds),
        cmocka_unit_test(test_view_members),
        cmocka_unit_test(test_view_elements),
        cmocka_unit_test(test_view_strings),
        cmocka_unit_test(test_view_escapes_at_every_place),
        cmocka_unit_test(test_view_long_containers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
