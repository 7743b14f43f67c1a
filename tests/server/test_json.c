/* Bodies and query strings as trees: what is JSON, the order of the checks, and the paths in
 * errors; and JSON text written. */
#include "server/json.h"
#include "server/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct tree_field pair_fields[] = {
    {.name = "name", .kind = CANON_STRING, .required = true},
    {.name = "value", .kind = CANON_STRING, .required = true},
    {0},
};

static const struct tree_field lists_fields[] = {
    {.name = "add", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = "set", .kind = CANON_ARRAY, .element = CANON_OBJECT, .fields = pair_fields},
    {0},
};

static const struct tree_field fields[] = {
    {.name = "id", .kind = CANON_STRING, .required = true},
    {.name = "limit", .kind = CANON_NUMBER},
    {.name = "flag", .kind = CANON_BOOL},
    {.name = "status", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = "headers", .kind = CANON_ARRAY, .element = CANON_OBJECT, .fields = pair_fields},
    {.name = "lists", .kind = CANON_OBJECT, .fields = lists_fields},
    {0},
};

/* The error of a body as JSON text, or "" if it passes; the caller's to free. */
static char *verdict(const char *body)
{
    struct json_t *root = NULL;
    struct json_out out = {0};
    struct error error;
    if (tree_read(text_of(body), 64, &root, &error) && tree_check(root, fields, &error))
        json_out_bytes(&out, "", 0);
    else
        error_render(&out, &error);
    json_out_bytes(&out, "", 1);
    tree_free(root);
    return out.at;
}

static void assert_verdict(const char *body, const char *expected)
{
    char *seen = verdict(body);
    if (strcmp(seen, expected) != 0)
        print_error("%s\n  saw      %s\n  expected %s\n", body, seen, expected);
    assert_string_equal(seen, expected);
    free(seen);
}

#define BAD "{\"message\":\"Bad Request\",\"type\":"

static void right_requests_pass(void **state)
{
    (void)state;
    assert_verdict("{\"id\":\"x\"}", "");
    assert_verdict(
        "{\"id\":\"\",\"limit\":1e2,\"flag\":false,\"status\":[],\"headers\":[],\"lists\":{}}", "");
    assert_verdict("{\"id\":\"x\",\"headers\":[{\"value\":\"v\",\"name\":\"n\"}]}", "");
    assert_verdict("{\"id\":\"x\",\"limit\":123456789012345678901234567890}", "");
}

static void kinds_are_checked_at_every_depth(void **state)
{
    static const struct {
        const char *body, *expected;
    } cases[] = {
        {"[]", BAD "\"unexpected_json_type\",\"actual\":\"array\",\"expected\":\"object\",\"field_"
                   "name\":\"\"}"},
        {"null", BAD "\"unexpected_json_type\",\"actual\":\"null\",\"expected\":\"object\",\"field_"
                     "name\":\"\"}"},
        {"\"x\"", BAD "\"unexpected_json_type\",\"actual\":\"string\",\"expected\":\"object\","
                      "\"field_name\":\"\"}"},
        {"7", BAD "\"unexpected_json_type\",\"actual\":\"number\",\"expected\":\"object\",\"field_"
                  "name\":\"\"}"},
        {"{\"id\":null}", BAD "\"unexpected_json_type\",\"actual\":\"null\",\"expected\":"
                              "\"string\",\"field_name\":\"id\"}"},
        {"{\"id\":12345678901234567890123}", BAD "\"unexpected_json_type\",\"actual\":\"number\","
                                                 "\"expected\":\"string\",\"field_name\":\"id\"}"},
        {"{\"limit\":true}", BAD "\"unexpected_json_type\",\"actual\":\"bool\",\"expected\":"
                                 "\"number\",\"field_name\":\"limit\"}"},
        {"{\"status\":[\"a\",{}]}", BAD "\"unexpected_json_type\",\"actual\":\"object\","
                                        "\"expected\":\"string\",\"field_name\":\"status[1]\"}"},
        {"{\"headers\":[{\"name\":[]}]}",
         BAD "\"unexpected_json_type\",\"actual\":\"array\",\"expected\":\"string\",\"field_name\":"
             "\"headers[0].name\"}"},
        {"{\"lists\":{\"set\":[{},7]}}",
         BAD "\"unexpected_json_type\",\"actual\":\"number\",\"expected\":\"object\",\"field_"
             "name\":\"lists.set[1]\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_verdict(cases[i].body, cases[i].expected);
}

static void kind_beats_unknown_beats_missing_over_the_whole_request(void **state)
{
    (void)state;
    assert_verdict("{\"bogus\":1,\"limit\":\"5\"}",
                   BAD "\"unexpected_json_type\",\"actual\":\"string\",\"expected\":\"number\","
                       "\"field_name\":\"limit\"}");
    assert_verdict("{\"headers\":[{\"name\":\"n\"},{\"bogus\":1}]}",
                   BAD "\"invalid_field\",\"field_name\":\"bogus\"}");
    assert_verdict("{\"bogus\":1}", BAD "\"invalid_field\",\"field_name\":\"bogus\"}");
    assert_verdict("{\"lists\":{\"nope\":1}}", BAD "\"invalid_field\",\"field_name\":\"nope\"}");
    assert_verdict("{}", BAD "\"missing_required_field\",\"field_name\":\"id\"}");
    assert_verdict("{\"id\":\"x\",\"headers\":[{\"name\":\"n\"}]}",
                   BAD "\"missing_required_field\",\"field_name\":\"headers[0].value\"}");
}

static void what_is_not_json_is_a_parse_error(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "{\"id\":\"x\",}",
        "{\"id\":\"x\",\"id\":\"x\"}",
        "{\"id\":\"x\",\"\\u0069d\":\"x\"}",
        "{\"id\":\"\\ud800\"}",
        "{\"id\":01}",
        "{\"id\":\"\xff\"}",
        "{\"id\":1e400}",
        "{\"a\\u0000b\":1}",
        "{} {}",
        "\xef\xbb\xbf{}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char *seen = verdict(bodies[i]);
        static const char expected[] = BAD "\"parse_error\",\"detail\":\"";
        if (strncmp(seen, expected, sizeof(expected) - 1) != 0)
            print_error("%s: %s\n", bodies[i], seen);
        assert_int_equal(strncmp(seen, expected, sizeof(expected) - 1), 0);
        free(seen);
    }
}

static void nesting_is_limited(void **state)
{
    char body[600];
    struct json_t *root;
    struct error error;
    (void)state;
    for (int depth = 63; depth <= 65; depth++) {
        memset(body, '[', (size_t)depth);
        memset(body + depth, ']', (size_t)depth);
        bool good = tree_read((struct text){body, (size_t)depth * 2}, 64, &root, &error);
        assert_int_equal(good, depth <= 64);
        tree_free(root);
    }
}

static void many_keys_and_growing_numbers_need_more_room(void **state)
{
    struct json_out body = {0};
    struct json_t *root;
    struct error error;
    char key[16];
    (void)state;
    json_out_object(&body);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        json_out_key(&body, key);
        json_out_json(&body, text_of("1e20"));
    }
    json_out_object_end(&body);
    assert_true(tree_read((struct text){body.at, body.bytes}, 64, &root, &error));
    assert_non_null(tree_member(root, "k4999"));
    tree_free(root);
    json_out_free(&body);
}

static void integers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", true, 0},      {"-0", true, 0},
        {"100", true, 100},  {"1e2", true, 100},
        {"-7", true, -7},    {"1.5", false, 0},
        {"1e300", false, 0}, {"9223372036854775808", false, 0},
        {"3.0", true, 3},    {"9007199254740991", true, 9007199254740991},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_t *root;
        struct error error;
        char body[64];
        int64_t value = 77;
        snprintf(body, sizeof(body), "{\"n\":%s}", cases[i].text);
        assert_true(tree_read(text_of(body), 64, &root, &error));
        assert_int_equal(tree_integer(tree_member(root, "n"), &value), cases[i].good);
        if (cases[i].good)
            assert_int_equal(value, cases[i].value);
        tree_free(root);
    }
}

/* ---- queries ---- */

static void decoding(void **state)
{
    char out[64];
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""}, {"a+b%20c", "a b c"}, {"%2F%2f", "//"}, {"%C3%A9", "\xc3\xa9"}, {"a%3Db", "a=b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t bytes = query_decode(out, text_of(cases[i].text));
        assert_true(text_is((struct text){out, bytes}, cases[i].expected));
    }
    assert_int_equal(query_decode(out, text_of("%")), SIZE_MAX);
    assert_int_equal(query_decode(out, text_of("%2")), SIZE_MAX);
    assert_int_equal(query_decode(out, text_of("a%zz")), SIZE_MAX);
}

static void assert_statuses(const char *query, const char *const *expected)
{
    struct json_t *root;
    struct error error;
    assert_true(query_read(text_of(query), fields, &root, &error));
    const struct json_t *array = tree_member(root, "status");
    size_t count = 0;
    for (; expected[count] != NULL; count++) {
        assert_true(count < tree_count(array));
        assert_true(text_is(tree_text(tree_element(array, count)), expected[count]));
    }
    assert_int_equal(tree_count(array), count);
    tree_free(root);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void arrays_in_every_form_that_clients_send(void **state)
{
    (void)state;
    assert_statuses("status=active", WORDS("active"));
    assert_statuses("status=%22active%22", WORDS("active"));
    assert_statuses("status=%22active%22,%22unverified%22", WORDS("active", "unverified"));
    assert_statuses("status=%22active%22%2C%22unverified%22", WORDS("active", "unverified"));
    assert_statuses("status%5B%5D=active&status%5B%5D=unverified", WORDS("active", "unverified"));
    assert_statuses("status[]=active&status=unverified,inactive",
                    WORDS("active", "unverified", "inactive"));
    assert_statuses("&&status=a&", WORDS("a"));
    assert_statuses("status=", WORDS(NULL));
    assert_statuses("status", WORDS(NULL));
    assert_statuses("status[]=&status=a&status=", WORDS("a"));
    assert_statuses("status=%22%22", WORDS(""));
    assert_statuses("status=,", WORDS("", ""));
}

static void single_values(void **state)
{
    struct json_t *root;
    struct error error;
    int64_t limit;
    (void)state;
    assert_true(query_read(text_of("id=don:x%2Fy=z&limit=50"), fields, &root, &error));
    assert_true(tree_check(root, fields, &error));
    assert_true(text_is(tree_text(tree_member(root, "id")), "don:x/y=z"));
    assert_true(tree_integer(tree_member(root, "limit"), &limit));
    assert_int_equal(limit, 50);
    tree_free(root);

    assert_true(query_read(text_of("id=x&limit=many"), fields, &root, &error));
    assert_false(tree_check(root, fields, &error));
    assert_int_equal(error.type, ERROR_unexpected_json_type);
    tree_free(root);

    assert_true(query_read(text_of("id=x&name%5B%5D=1"), fields, &root, &error));
    assert_false(tree_check(root, fields, &error));
    assert_int_equal(error.type, ERROR_invalid_field);
    assert_string_equal(error.field, "name[]");
    tree_free(root);
}

static void bad_queries(void **state)
{
    static const char *const bad[] = {"id=%", "id=a&id=b", "%zz=1", "id=%ff", "status=%ff"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_t *root;
        struct error error;
        assert_false(query_read(text_of(bad[i]), fields, &root, &error));
        assert_int_equal(error.type, ERROR_value_not_permitted);
        assert_non_null(error.reason);
        assert_null(root);
    }
}

/* ---- writing ---- */

static void written_text_is_as_json_stringify_prints_it(void **state)
{
    struct json_out out = {0};
    (void)state;
    json_out_object(&out);
    json_out_pair_text(&out, "a", (struct text){"\0\b\t\n\f\r\x1f\"\\/\x7f", 11});
    json_out_pair_string(&out, "b", "\xc3\xa9\xf0\x9f\x98\x80<&>");
    json_out_pair_string(&out, "c", "\xff\xc3|\xed\xa0\x80|\xf4\x90\x80\x80|\xc0\xaf|\xe2\x82");
    json_out_key(&out, "d");
    json_out_array(&out);
    json_out_number(&out, INT64_MIN);
    json_out_null(&out);
    json_out_bool(&out, true);
    json_out_object(&out);
    json_out_object_end(&out);
    json_out_array(&out);
    json_out_array_end(&out);
    json_out_json(&out, text_of("{\"raw\":1}"));
    json_out_array_end(&out);
    json_out_object_end(&out);
    json_out_bytes(&out, "", 1);
#define R "\xef\xbf\xbd"
    assert_string_equal(out.at, "{\"a\":\"\\u0000\\b\\t\\n\\f\\r\\u001f\\\"\\\\/"
                                "\x7f\",\"b\":\"\xc3\xa9\xf0\x9f\x98\x80<&>\","
                                "\"c\":\"" R R "|" R R R "|" R R R R "|" R R "|" R R
                                "\",\"d\":[-9223372036854775808,null,true,{},[],{\"raw\":1}]}");
    json_out_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_requests_pass),
        cmocka_unit_test(kinds_are_checked_at_every_depth),
        cmocka_unit_test(kind_beats_unknown_beats_missing_over_the_whole_request),
        cmocka_unit_test(what_is_not_json_is_a_parse_error),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(many_keys_and_growing_numbers_need_more_room),
        cmocka_unit_test(integers),
        cmocka_unit_test(decoding),
        cmocka_unit_test(arrays_in_every_form_that_clients_send),
        cmocka_unit_test(single_values),
        cmocka_unit_test(bad_queries),
        cmocka_unit_test(written_text_is_as_json_stringify_prints_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
