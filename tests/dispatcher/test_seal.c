/* Sealing: what opens, and that nothing else does. */
#include "dispatcher/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct seal_key keys[] = {{1, "key one"}, {2, "key two"}, {2, "another key two"}};

static struct store_bytes text(const char *at)
{
    return (struct store_bytes){at, strlen(at)};
}

static struct store_webhook webhook(const char *secret, const char *headers)
{
    return (struct store_webhook){.id = text("abc123"),
                                  .secret = text(secret),
                                  .headers = text(headers),
                                  .status = {.generation = 7}};
}

/* The row as the store has it. */
static struct store_webhook sealed_of(struct sealer *sealer, const struct store_webhook *row,
                                      struct sealed_row *sealed)
{
    struct store_webhook stored = *row;
    seal_row(sealer, row, sealed);
    stored.secret = sealed->secret;
    stored.headers = sealed->headers;
    return stored;
}

static enum seal_result opens(struct sealer *sealer, const struct store_webhook *stored)
{
    struct sealed_row opened;
    enum seal_result result = seal_row_open(sealer, stored, &opened);
    if (result != SEAL_OK) {
        assert_int_equal(opened.secret.bytes, 0);
        assert_int_equal(opened.headers.bytes, 0);
    }
    sealed_row_free(&opened);
    return result;
}

static void what_was_sealed_opens(void **state)
{
    static const char *const secrets[] = {"8 bytes!", "a secret of the webhook of 32 by", ""};
    static const char *const headers[] = {"", "x-api-key: value\n", "a: \nb: c\n"};
    struct sealer *sealer = sealer_new(keys, 2);
    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct store_webhook row = webhook(secrets[i % 3], headers[i / 3]);
        struct sealed_row sealed, opened;
        struct store_webhook stored = sealed_of(sealer, &row, &sealed);
        assert_int_equal(stored.secret.bytes > 0, row.secret.bytes > 0);
        assert_int_equal(seal_row_open(sealer, &stored, &opened), SEAL_OK);
        assert_int_equal(opened.secret.bytes, row.secret.bytes);
        assert_memory_equal(opened.secret.at, row.secret.at, row.secret.bytes);
        assert_int_equal(opened.headers.bytes, row.headers.bytes);
        assert_memory_equal(opened.headers.at, row.headers.at, row.headers.bytes);
        sealed_row_free(&opened);
        sealed_row_free(&sealed);
    }
    sealer_free(sealer);
}

static void the_same_twice_looks_different_and_like_nothing(void **state)
{
    struct sealer *sealer = sealer_new(keys, 1);
    struct store_webhook row = webhook("the secret in clear text", "x-api-key: in clear text\n");
    struct sealed_row first, second;
    (void)state;
    seal_row(sealer, &row, &first);
    seal_row(sealer, &row, &second);
    assert_int_equal(first.secret.bytes, row.secret.bytes + SEAL_EXTRA_BYTES);
    assert_memory_not_equal(first.secret.at + 5, second.secret.at + 5, 12);
    assert_memory_not_equal(first.secret.at + 17, second.secret.at + 17, row.secret.bytes);
    for (size_t i = 0; i + 5 <= first.secret.bytes; i++)
        assert_memory_not_equal(first.secret.at + i, "clear", 5);
    sealed_row_free(&first);
    sealed_row_free(&second);
    sealer_free(sealer);
}

static void one_bit_changed_anywhere_and_it_does_not_open(void **state)
{
    struct sealer *sealer = sealer_new(keys, 1);
    struct store_webhook row = webhook("a secret", "x: y\n");
    struct sealed_row sealed;
    (void)state;
    struct store_webhook stored = sealed_of(sealer, &row, &sealed);
    assert_int_equal(opens(sealer, &stored), SEAL_OK);
    for (size_t bit = 0; bit < 8 * (stored.secret.bytes + stored.headers.bytes); bit++) {
        sealed.memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(opens(sealer, &stored), SEAL_OK);
        sealed.memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bytes = 1; bytes < sealed.secret.bytes; bytes++) {
        stored.secret.bytes = bytes;
        assert_int_equal(opens(sealer, &stored), SEAL_BROKEN);
    }
    sealed_row_free(&sealed);
    sealer_free(sealer);
}

/* Somebody with the file, but not the key, moves bytes about. */
static void it_opens_only_where_it_belongs(void **state)
{
    struct sealer *sealer = sealer_new(keys, 1);
    struct store_webhook row = webhook("a secret", "x: y\n");
    struct sealed_row sealed;
    (void)state;
    struct store_webhook stored = sealed_of(sealer, &row, &sealed), moved = stored;
    moved.id = text("abc124");
    assert_int_equal(opens(sealer, &moved), SEAL_BROKEN);
    moved.id = text("abc12");
    assert_int_equal(opens(sealer, &moved), SEAL_BROKEN);
    moved = stored;
    moved.status.generation = 8;
    assert_int_equal(opens(sealer, &moved), SEAL_BROKEN);
    moved = stored;
    moved.secret = stored.headers;
    assert_int_equal(opens(sealer, &moved), SEAL_BROKEN);
    moved = stored;
    moved.headers = stored.secret;
    assert_int_equal(opens(sealer, &moved), SEAL_BROKEN);
    sealed_row_free(&sealed);
    sealer_free(sealer);
}

static void keys_come_and_go(void **state)
{
    struct sealer *sealer = sealer_new(keys, 1);
    struct store_webhook row = webhook("a secret", "");
    struct sealed_row first, second;
    (void)state;
    struct store_webhook old = sealed_of(sealer, &row, &first);
    assert_int_equal(seal_version_of(old.secret), 1);
    sealer_set(sealer, keys, 2);
    assert_int_equal(sealer_version(sealer), 2);
    struct store_webhook new = sealed_of(sealer, &row, &second);
    assert_int_equal(seal_version_of(new.secret), 2);
    assert_int_equal(opens(sealer, &old), SEAL_OK);
    assert_int_equal(opens(sealer, &new), SEAL_OK);
    sealer_set(sealer, keys + 1, 1);
    assert_int_equal(opens(sealer, &old), SEAL_NO_KEY);
    assert_int_equal(opens(sealer, &new), SEAL_OK);
    sealer_set(sealer, keys + 2, 1); /* another key of the same version */
    assert_int_equal(opens(sealer, &new), SEAL_BROKEN);
    sealed_row_free(&first);
    sealed_row_free(&second);
    sealer_free(sealer);
}

static void plain_text_is_not_taken_for_sealed(void **state)
{
    struct sealer *sealer = sealer_new(keys, 2);
    struct store_webhook row =
        webhook("this is forty bytes long and not sealed.", "x-api-key: and neither is this one\n");
    (void)state;
    assert_int_equal(seal_version_of(row.secret), 0);
    assert_int_equal(opens(sealer, &row), SEAL_BROKEN);
    sealer_free(sealer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(the_same_twice_looks_different_and_like_nothing),
        cmocka_unit_test(one_bit_changed_anywhere_and_it_does_not_open),
        cmocka_unit_test(it_opens_only_where_it_belongs),
        cmocka_unit_test(keys_come_and_go),
        cmocka_unit_test(plain_text_is_not_taken_for_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
