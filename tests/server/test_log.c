/* Log lines: one write a line, whatever the fields hold. */
#include "dispatcher/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static int saved_stderr, reading_end;

/* stderr goes into a pipe from here. */
static void capture(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    reading_end = ends[0];
}

/* stderr is itself again; what was written is the caller's to free. */
static char *captured(void)
{
    char *text = calloc(1, 65536);
    size_t bytes = 0;
    ssize_t got;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    while ((got = read(reading_end, text + bytes, 65535 - bytes)) > 0)
        bytes += (size_t)got;
    close(reading_end);
    return text;
}

/* Whether the time at the front of a line has the form 2026-01-31T12:00:00.000Z. */
static bool has_time(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < sizeof(form) - 1; i++)
        if (form[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
            return false;
    return true;
}

static void plain_lines(void **state)
{
    (void)state;
    log_setup(false, LOG_LEVEL_info);
    capture();
    LOG(listening, LOG_TEXT("address", "http://127.0.0.1:8080"));
    LOG(stopped, LOG_NUMBER("duration_ms", -7));
    LOG(starting, LOG_TEXT("version", ""), LOG_TEXT("data", "a b=\"c\"\n\x1b[31m"),
        LOG_TEXT("clock", "\xc3\xa9\xff"));
    char *text = captured();
    assert_true(has_time(text));
    assert_non_null(strstr(text, "Z info listening address=http://127.0.0.1:8080\n"));
    assert_non_null(strstr(text, "Z info stopped duration_ms=-7\n"));
    assert_non_null(strstr(text, "Z info starting version=\"\" data=\"a "
                                 "b=\\\"c\\\"\\u000a\\u001b[31m\" clock=\"\xc3\xa9\\ufffd\"\n"));
    free(text);
}

static void json_lines_are_json(void **state)
{
    char every_byte[256];
    json_t *root, *value;
    (void)state;
    for (int i = 0; i < 255; i++)
        every_byte[i] = (char)(i + 1);
    every_byte[255] = 0;
    log_setup(true, LOG_LEVEL_info);
    capture();
    LOG(fault, LOG_TEXT("where", every_byte), LOG_TEXT("error", "x"));
    char *text = captured();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    root = json_loads(text, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(root, "event")), "fault");
    assert_true(has_time(json_string_value(json_object_get(root, "time"))));
    value = json_object_get(root, "where");
    assert_memory_equal(json_string_value(value), every_byte, 127);
    json_decref(root);
    free(text);
}

static void long_fields_are_cut_and_the_line_stays_whole(void **state)
{
    char *huge = malloc(100001);
    json_t *root;
    (void)state;
    memset(huge, 1, 100000);
    huge[100000] = 0;
    log_setup(true, LOG_LEVEL_info);
    capture();
    LOG(webhook_state, LOG_TEXT("webhook", huge), LOG_TEXT("from", huge), LOG_TEXT("to", huge),
        LOG_TEXT("reason", huge));
    char *text = captured();
    root = json_loads(text, 0, NULL);
    assert_non_null(root);
    const char *reason = json_string_value(json_object_get(root, "reason"));
    assert_true(strlen(reason) > 400 && strlen(reason) < 600);
    assert_string_equal(reason + strlen(reason) - 3, "...");
    json_decref(root);
    free(text);
    free(huge);
}

static void a_cut_does_not_split_a_character(void **state)
{
    char text[1201];
    json_t *root;
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        log_setup(true, LOG_LEVEL_info);
        capture();
        LOG(listening, LOG_TEXT("address", text));
        char *line = captured();
        root = json_loads(line, 0, NULL);
        assert_non_null(root);
        assert_null(strstr(line, "\\ufffd"));
        json_decref(root);
        free(line);
    }
}

/* The first and the last of each length, and what lies beside them: no longer form than needed, no
 * half of a pair, nothing above U+10FFFF. */
static void what_is_not_utf8_is_replaced(void **state)
{
    static const char *const good[] = {
        "\xc2\x80",     "\xdf\xbf",     "\xe0\xa0\x80",     "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xc2",
        "\xe2\x82",
        "\xe2\x28\xa1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]) + sizeof(bad) / sizeof(bad[0]); i++) {
        bool well = i < sizeof(good) / sizeof(good[0]);
        const char *text = well ? good[i] : bad[i - sizeof(good) / sizeof(good[0])];
        log_setup(true, LOG_LEVEL_info);
        capture();
        LOG(listening, LOG_TEXT("address", text));
        char *line = captured();
        json_t *root = json_loads(line, 0, NULL);
        assert_non_null(root);
        const char *told = json_string_value(json_object_get(root, "address"));
        assert_int_equal(strcmp(told, text) == 0, well);
        assert_int_equal(strstr(told, "\xef\xbf\xbd") == NULL, well); /* U+FFFD */
        json_decref(root);
        free(line);
    }
}

/* Without quotes stands only what cannot be taken for the next field. */
static void quotes_where_they_are_needed(void **state)
{
    static const char *const quoted[] = {"",     "a b",  "a=b",      "a\"b",
                                         "a\\b", "\x7f", "\xc3\xa9", "\t"};
    (void)state;
    log_setup(false, LOG_LEVEL_info);
    for (size_t i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++) {
        capture();
        LOG(listening, LOG_TEXT("address", quoted[i]));
        char *line = captured();
        assert_non_null(strstr(line, " address=\""));
        assert_string_equal(line + strlen(line) - 2, "\"\n");
        free(line);
    }
}

static void levels(void **state)
{
    (void)state;
    log_setup(false, LOG_LEVEL_warn);
    assert_false(log_wanted(LOG_request));
    assert_false(log_wanted(LOG_listening));
    assert_true(log_wanted(LOG_developer_mode));
    assert_true(log_wanted(LOG_fault));
    capture();
    LOG(listening, LOG_TEXT("address", "x"));
    char *text = captured();
    assert_string_equal(text, "");
    free(text);
    log_setup(false, LOG_LEVEL_debug);
    assert_true(log_wanted(LOG_request));
    assert_false(log_wanted(LOG_attempt_started));
    log_setup(false, LOG_LEVEL_trace);
    assert_true(log_wanted(LOG_request));
    assert_true(log_wanted(LOG_attempt_started));
}

static void fields_without_a_place_in_the_row_are_left_out(void **state)
{
    (void)state;
    log_setup(false, LOG_LEVEL_info);
    capture();
    LOG(listening, LOG_TEXT("secret", "s3cret"), LOG_TEXT("addres", "x"), LOG_TEXT("address", "y"));
    char *text = captured();
    assert_null(strstr(text, "s3cret"));
    assert_null(strstr(text, "addres="));
    assert_non_null(strstr(text, " address=y\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(long_fields_are_cut_and_the_line_stays_whole),
        cmocka_unit_test(a_cut_does_not_split_a_character),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(quotes_where_they_are_needed),
        cmocka_unit_test(levels),
        cmocka_unit_test(fields_without_a_place_in_the_row_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
