/* What a webhook sets of its form of signature, in both back-ends: kept, replaced, removed, and let
 * alone by what changes the status. */
#include "fixture.h"

static bool read_signature(void *ctx, const struct store_webhook *row)
{
    snprintf(ctx, 64, "%.*s", (int)row->signature.bytes, row->signature.at);
    return true;
}

static bool read_signature_at_start(void *ctx, const struct store_webhook *row, bool has_open)
{
    (void)has_open;
    return read_signature(ctx, row);
}

/* What get, list and the reading at start say. */
static void expect_signature(struct world *w, const char *expected)
{
    char got[3][64] = {"?", "?", "?"};
    assert_int_equal(store_webhook_get(w->reader, org, text("one"), read_signature, got[0]),
                     STORE_OK);
    assert_int_equal(store_webhook_list(w->reader, org, read_signature, got[1]), STORE_OK);
    assert_int_equal(store_recover(w->store, read_signature_at_start, got[2]), STORE_OK);
    for (int i = 0; i < 3; i++)
        assert_string_equal(got[i], expected);
}

static void signature_is_kept_and_replaced(void **state)
{
    static const char *const texts[] = {"key=base64", "", "encoding=hex key=string prefix=sha256="};
    struct world *w = *state;
    struct store_webhook row = webhook_row("one", org);
    row.signature = text("encoding=base64 prefix=");
    begin(w);
    assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    commit(w);
    world_restart(w);
    expect_signature(w, "encoding=base64 prefix=");
    begin(w);
    set_state(w, row.key, WEBHOOK_DEGRADED);
    commit(w);
    expect_signature(w, "encoding=base64 prefix=");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        row.signature = text(texts[i]);
        begin(w);
        assert_int_equal(store_webhook_configure(w->store, &row), STORE_OK);
        commit(w);
        world_restart(w);
        expect_signature(w, texts[i]);
    }
}

static void a_row_without_one_has_an_empty_text(void **state)
{
    struct world *w = *state;
    struct store_webhook row = webhook_row("one", org);
    begin(w);
    assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    commit(w);
    expect_signature(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(signature_is_kept_and_replaced),
        BOTH(a_row_without_one_has_an_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
