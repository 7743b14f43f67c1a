/* Who may call: forms of the header, and tokens as the store has them. */
#include "server/expiry.h"
#include "server/tenants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000000000)

struct bench {
    struct store *store;
    struct store_reader *reader;
    struct tenants tenants;
};

static struct store_bytes bytes(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_int_equal(store_open_memory(&bench->store), STORE_OK);
    bench->reader = store_reader_open(bench->store, NULL, 0);
    tenants_init(&bench->tenants, "dev-token", 8000, 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    tenants_free(&bench->tenants);
    store_reader_close(bench->reader);
    store_close(bench->store);
    free(bench);
    return 0;
}

static void commit(struct bench *bench)
{
    assert_int_equal(store_commit(bench->store, (struct instant){1, NOW}, "boot"), STORE_OK);
}

static int64_t add_token(struct bench *bench, const char *org, const char *token, uint32_t scopes,
                         wall_us expires_us)
{
    struct store_token row = {.org = bytes(org),
                              .name = bytes("a token"),
                              .scopes = scopes,
                              .created_us = NOW,
                              .expires_us = expires_us};
    tenants_hash(text_of(token), row.hash);
    assert_int_equal(store_begin(bench->store), STORE_OK);
    assert_int_equal(store_token_insert(bench->store, &row), STORE_OK);
    commit(bench);
    assert_true(tenants_load(&bench->tenants, bench->reader));
    return row.key;
}

static void add_org(struct bench *bench, const char *id)
{
    struct store_org row = {
        .id = bytes(id), .partition = bytes("dvrv-eu-1"), .name = bytes(id), .created_us = NOW};
    assert_int_equal(store_begin(bench->store), STORE_OK);
    assert_int_equal(store_org_insert(bench->store, &row), STORE_OK);
    commit(bench);
}

static enum tenants_verdict check(struct bench *bench, const char *header, struct token **token)
{
    return tenants_check(&bench->tenants, text_of(header), NOW, token);
}

static void the_header_has_these_forms(void **state)
{
    static const char *const good[] = {
        "Bearer dev-token", "bearer dev-token", "BEARER \tdev-token",
        "dev-token",        " dev-token ",      "Bearer dev-token ",
    };
    static const char *const bad[] = {
        "",
        "Bearer",
        "Bearer ",
        "Bearerdev-token",
        "Bearer wrong",
        "wrong",
        "dev-toke",
        "dev-token2",
        "DEV-TOKEN",
        "Basic dev-token",
        "Bearer dev-token extra",
        "Bearer Bearer dev-token",
    };
    struct bench *bench = *state;
    struct token *token;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(check(bench, good[i], &token), TENANTS_OK);
    assert_string_equal(token->org->id, "dev0");
    assert_string_equal(token->org->partition, "dvrv-us-1");
    assert_string_equal(token->user, "svcacc/1");
    assert_int_equal(token->scopes, (1u << SCOPE_COUNT) - 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(check(bench, bad[i], &token), TENANTS_UNKNOWN);
    assert_int_equal(tenants_check(&bench->tenants, (struct text){NULL, 0}, NOW, &token),
                     TENANTS_UNKNOWN);
}

static void no_token_of_the_service_is_no_empty_token(void **state)
{
    struct bench *bench = *state;
    struct token *token;
    tenants_free(&bench->tenants);
    tenants_init(&bench->tenants, "", 0, 0);
    assert_int_equal(check(bench, "", &token), TENANTS_UNKNOWN);
    assert_int_equal(check(bench, "Bearer ", &token), TENANTS_UNKNOWN);
    assert_false(tenants_any(&bench->tenants, NOW));
    add_token(bench, "dev0", "mine", 1u << SCOPE_read, NOW + 1);
    assert_true(tenants_any(&bench->tenants, NOW));
    assert_false(tenants_any(&bench->tenants, NOW + 1));
    assert_int_equal(check(bench, "mine", &token), TENANTS_OK);
}

static void a_token_is_of_one_organisation_and_ends(void **state)
{
    struct bench *bench = *state;
    struct token *token, *again;
    add_org(bench, "acme");
    int64_t key = add_token(bench, "acme", "rvk_a", 1u << SCOPE_publish, NOW + 5);
    add_token(bench, "acme", "rvk_old", 1u << SCOPE_publish, NOW);
    assert_int_equal(check(bench, "rvk_a", &token), TENANTS_OK);
    assert_string_equal(token->org->id, "acme");
    assert_string_equal(token->org->partition, "dvrv-eu-1");
    assert_int_equal(token->scopes, 1u << SCOPE_publish);
    assert_int_equal(token->devrev_rate.limit, 8000);
    assert_int_equal(check(bench, "rvk_old", &again), TENANTS_EXPIRED);
    assert_int_equal(tenants_check(&bench->tenants, text_of("rvk_a"), NOW + 4, &again), TENANTS_OK);
    assert_int_equal(tenants_check(&bench->tenants, text_of("rvk_a"), NOW + 5, &again),
                     TENANTS_EXPIRED);

    token->devrev_rate.used = 7;
    assert_int_equal(store_begin(bench->store), STORE_OK);
    assert_int_equal(store_token_revoke(bench->store, key, NOW), STORE_OK);
    commit(bench);
    assert_int_equal(check(bench, "rvk_a", &again), TENANTS_OK); /* what counts is in memory */
    assert_true(tenants_load(&bench->tenants, bench->reader));
    assert_int_equal(check(bench, "rvk_a", &again), TENANTS_REVOKED);
    assert_ptr_equal(again, token); /* where it was, and as much used */
    assert_int_equal(again->devrev_rate.used, 7);

    assert_int_equal(store_begin(bench->store), STORE_OK);
    assert_int_equal(store_token_forget(bench->store, NOW + 1), STORE_OK);
    commit(bench);
    assert_true(tenants_load(&bench->tenants, bench->reader));
    assert_int_equal(check(bench, "rvk_a", &again), TENANTS_UNKNOWN);
    assert_int_equal(check(bench, "rvk_old", &again), TENANTS_UNKNOWN);
    assert_int_equal(check(bench, "dev-token", &again), TENANTS_OK);
}

/* ---- expiry ---- */

static void an_expiry_is_a_span_a_moment_or_never(void **state)
{
    static const struct {
        const char *text;
        wall_us expires_us; /* -1: it is none */
    } cases[] = {
        {"never", 0},
        {"1s", NOW + 1000000},
        {"90s", NOW + 90000000},
        {"30m", NOW + INT64_C(1800000000)},
        {"12h", NOW + INT64_C(43200000000)},
        {"30d", NOW + INT64_C(2592000000000)},
        {"3650d", NOW + INT64_C(315360000000000)},
        {"3651d", -1},
        {"0d", -1},
        {"-1d", -1},
        {"1", -1},
        {"d", -1},
        {"1w", -1},
        {"1 d", -1},
        {"", -1},
        {"Never", -1},
        {"99999999999999999999d", -1},
        {"2027-01-31T00:00:00Z", INT64_C(1801353600000000)},
        {"2027-01-31T01:30:00+01:30", INT64_C(1801353600000000)},
        {"2027-01-30T23:30:00-00:30", INT64_C(1801353600000000)},
        {"2027-01-31T00:00:00.5Z", INT64_C(1801353600500000)},
        {"2027-01-31T00:00:00.000001Z", INT64_C(1801353600000001)},
        {"2028-02-29T12:00:00Z", INT64_C(1835438400000000)},
        {"2100-03-01T00:00:00Z", INT64_C(4107542400000000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000000)},
        {"2023-11-14T22:13:20Z", -1}, /* now */
        {"2023-11-14T22:13:20.000001Z", NOW + 1},
        {"2027-02-29T00:00:00Z", -1},
        {"2100-02-29T00:00:00Z", -1},
        {"2027-13-01T00:00:00Z", -1},
        {"2027-00-01T00:00:00Z", -1},
        {"2027-01-00T00:00:00Z", -1},
        {"2027-01-31T24:00:00Z", -1},
        {"2027-01-31T00:60:00Z", -1},
        {"2027-01-31T00:00:60Z", -1},
        {"2027-01-31T00:00:00", -1},
        {"2027-01-31T00:00:00.Z", -1},
        {"2027-01-31T00:00:00.1234567Z", -1},
        {"2027-01-31T00:00:00Zx", -1},
        {"2027-01-31T00:00:00+24:00", -1},
        {"2027-01-31 00:00:00Z", -1},
        {"2027-01-31", -1},
        {"1969-12-31T00:00:00Z", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wall_us expires_us = -1;
        bool good = expiry_read(text_of(cases[i].text), NOW, &expires_us);
        if (good != (cases[i].expires_us >= 0) || (good && expires_us != cases[i].expires_us))
            print_error("%s: %d %lld\n", cases[i].text, good, (long long)expires_us);
        assert_int_equal(good, cases[i].expires_us >= 0);
        if (good)
            assert_int_equal(expires_us, cases[i].expires_us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_header_has_these_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_token_of_the_service_is_no_empty_token, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_token_is_of_one_organisation_and_ends, set_up, tear_down),
        cmocka_unit_test(an_expiry_is_a_span_a_moment_or_never),
    };
    return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
