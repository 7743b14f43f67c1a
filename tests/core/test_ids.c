/* Public ids: the short text of (key, salt), and DONs made and taken apart. */
#include "core/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void short_text_comes_back(void **state)
{
    static const int64_t keys[] = {1, 61, 62, 3843, 123456789, IDS_KEY_END - 1};
    static const uint64_t salts[] = {0, 1, 61, 62, 56800235583};
    (void)state;
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (size_t s = 0; s < sizeof(salts) / sizeof(salts[0]); s++) {
            char text[IDS_SHORT_BYTES + 1];
            int64_t key = 0;
            uint64_t salt = 7;
            ids_short(text, keys[k], salts[s]);
            assert_int_equal(strlen(text), IDS_SHORT_BYTES);
            assert_true(ids_short_parse(text, IDS_SHORT_BYTES, &key, &salt));
            assert_int_equal(key, keys[k]);
            assert_int_equal(salt, salts[s]);
        }
    }
}

static void short_text_sorts_by_key(void **state)
{
    char before[IDS_SHORT_BYTES + 1], after[IDS_SHORT_BYTES + 1];
    (void)state;
    for (int64_t key = 1; key < 10000; key++) {
        ids_short(before, key, IDS_SALT_END - 1);
        ids_short(after, key + 1, 0);
        assert_true(strcmp(before, after) < 0);
    }
}

static void what_is_no_short_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "0000000000000",
        "000000000000000",
        "0000000100000!",
        "00000001 00000",
        "00000000abcdef", /* key 0 */
    };
    int64_t key;
    uint64_t salt;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ids_short_parse(bad[i], strlen(bad[i]), &key, &salt));
}

static void what_is_made_is_taken_apart(void **state)
{
    char webhook[IDS_DON_BYTES_MAX], event[IDS_DON_BYTES_MAX], wire[IDS_DON_BYTES_MAX],
        delivery[IDS_DON_BYTES_MAX];
    struct ids_don don;
    (void)state;
    size_t bytes = ids_webhook(webhook, "dvrv-us-1", "dev0", "aB3dE6gH");
    assert_string_equal(webhook, "don:integration:dvrv-us-1:devo/dev0:webhook/aB3dE6gH");
    assert_int_equal(bytes, strlen(webhook));
    assert_int_equal(ids_parse(webhook, bytes, &don), IDS_WEBHOOK);
    assert_int_equal(don.webhook_bytes, 8);
    assert_memory_equal(don.webhook, "aB3dE6gH", 8);
    assert_int_equal(don.org_bytes, 4);
    assert_memory_equal(don.org, "dev0", 4);
    assert_int_equal(don.partition_bytes, 9);
    assert_memory_equal(don.partition, "dvrv-us-1", 9);

    ids_event(event, "dvrv-us-1", "dev0", 63, 62);
    assert_string_equal(event, "don:integration:dvrv-us-1:devo/dev0:event/00000011000010");
    ids_wire_event(wire, webhook, 63, 62);
    assert_string_equal(
        wire, "don:integration:dvrv-us-1:devo/dev0:webhook/aB3dE6gH:event/00000011000010");
    ids_delivery(delivery, webhook, 5, 9);
    assert_string_equal(
        delivery, "don:integration:dvrv-us-1:devo/dev0:webhook/aB3dE6gH:delivery/00000005000009");
    assert_int_equal(ids_parse(event, strlen(event), &don), IDS_EVENT);
    assert_int_equal(don.key, 63);
    assert_int_equal(don.salt, 62);
    assert_null(don.webhook);
    assert_int_equal(ids_parse(wire, strlen(wire), &don), IDS_EVENT);
    assert_int_equal(don.key, 63);
    assert_non_null(don.webhook);
    assert_int_equal(ids_parse(delivery, strlen(delivery), &don), IDS_DELIVERY);
    assert_int_equal(don.key, 5);
    assert_int_equal(don.salt, 9);
}

static void the_other_event_form_is_taken(void **state)
{
    static const char text[] =
        "don:integration:dvrv-us-1:devo/dev0:webhook/aB3dE6gH:webhook_event/00000011000010";
    struct ids_don don;
    (void)state;
    assert_int_equal(ids_parse(text, sizeof(text) - 1, &don), IDS_EVENT);
    assert_int_equal(don.key, 63);
}

static void kinds(void **state)
{
    static const struct {
        const char *text;
        enum ids_kind kind;
    } cases[] = {
        {"", IDS_MALFORMED},
        {"x", IDS_MALFORMED},
        {"don:", IDS_MALFORMED},
        {"webhook-1", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0:webhook", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0:webhook/", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0/webhook/zzzzzzzz", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:rev/dev0:webhook/zzzzzzzz", IDS_MALFORMED},
        {"DON:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz", IDS_MALFORMED},
        {" don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz ", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0:webhook/zz'zz", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0:webhook/zz/zz", IDS_MALFORMED},
        {"don:integration:dvrv-us-1:devo/dev0:webhook/z:", IDS_MALFORMED},
        {"don:integration::devo/dev0:webhook/z", IDS_MALFORMED},
        {"don:DEV-1:issue:98", IDS_MALFORMED},
        {"don:core:dvrv-us-1:devo/dev0:issue/1", IDS_OTHER},
        {"don:core:dvrv-us-1:devo/dev0:issue/a.b", IDS_OTHER},
        {"don:core:dvrv-us-1:devo/dev0:issue/a+b", IDS_OTHER},
        {"don:core:dvrv-us-1:devo/dev0:issue/a-b_c", IDS_OTHER},
        {"don:core:dvrv-us-1:devo/dev0:issue/a*b", IDS_MALFORMED},
        {"don:core:dvrv-us-1:devo/dev0:webhook/zzzzzzzz", IDS_OTHER},
        {"don:identity:dvrv-us-1:devo/dev0:devu/1", IDS_OTHER},
        {"don:integration:dvrv-us-1:devo/dev0:event/abcdefghijk", IDS_OTHER},
        {"don:integration:dvrv-us-1:devo/dev0:delivery/00000005000009", IDS_OTHER},
        {"don:integration:dvrv-us-1:devo/dev0:webhook/z:event/short", IDS_OTHER},
        {"don:integration:dvrv-us-1:devo/dev0:webhook/z:event/00000005000009:x/1", IDS_OTHER},
        {"don:integration:dvrv-us-1:devo/dev0:thing/1:webhook/z", IDS_OTHER},
        {"don:integration:other-1:devo/xyz:webhook/z", IDS_WEBHOOK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ids_don don;
        enum ids_kind kind = ids_parse(cases[i].text, strlen(cases[i].text), &don);
        if (kind != cases[i].kind)
            print_error("%s: %d, expected %d\n", cases[i].text, kind, cases[i].kind);
        assert_int_equal(kind, cases[i].kind);
    }
}

static void a_zero_byte_and_great_length_are_malformed(void **state)
{
    static const char zero[] = "don:integration:dvrv-us-1:devo/dev0:webhook/zz\0zz";
    char text[IDS_DON_BYTES_MAX + 100];
    struct ids_don don;
    (void)state;
    assert_int_equal(ids_parse(zero, sizeof(zero) - 1, &don), IDS_MALFORMED);
    int head = snprintf(text, sizeof(text), "don:integration:dvrv-us-1:devo/dev0:webhook/");
    memset(text + head, 'z', sizeof(text) - (size_t)head);
    assert_int_equal(ids_parse(text, IDS_DON_BYTES_MAX - 1, &don), IDS_WEBHOOK);
    assert_int_equal(ids_parse(text, IDS_DON_BYTES_MAX, &don), IDS_MALFORMED);
}

/* Every part of an id, in memory that ends with it: nothing behind the end is looked at. */
static void every_prefix_is_read_to_its_end_alone(void **state)
{
    char whole[IDS_DON_BYTES_MAX];
    struct ids_don don;
    (void)state;
    size_t bytes = ids_event(whole, "dvrv-us-1", "dev0", 77, 5);
    for (size_t n = 1; n <= bytes; n++) {
        char *text = malloc(n);
        assert_non_null(text);
        memcpy(text, whole, n);
        enum ids_kind kind = ids_parse(text, n, &don);
        assert_true(n == bytes ? kind == IDS_EVENT : kind == IDS_MALFORMED || kind == IDS_OTHER);
        assert_int_equal(don.key, n == bytes ? 77 : 0);
        assert_int_equal(don.salt, n == bytes ? 5 : 0);
        free(text);
    }
    whole[bytes - 1] = '_'; /* a word, and no digit */
    assert_int_equal(ids_parse(whole, bytes, &don), IDS_OTHER);
    assert_int_equal(don.key, 0);
    assert_int_equal(don.salt, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_is_read_to_its_end_alone),
        cmocka_unit_test(short_text_comes_back),
        cmocka_unit_test(short_text_sorts_by_key),
        cmocka_unit_test(what_is_no_short_text_is_refused),
        cmocka_unit_test(what_is_made_is_taken_apart),
        cmocka_unit_test(the_other_event_form_is_taken),
        cmocka_unit_test(kinds),
        cmocka_unit_test(a_zero_byte_and_great_length_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
