/* Organisations and tokens, on both back-ends. */
#include "tests/store/fixture.h"

static int64_t add_org(struct world *w, const char *id)
{
    struct store_org row = {.id = text(id),
                            .partition = text("dvrv-eu-1"),
                            .name = text("Acme \xc3\x9c"),
                            .created_us = 1700000000000000};
    assert_int_equal(store_org_insert(w->store, &row), STORE_OK);
    return row.key;
}

static struct store_token token_row(const char *of, uint8_t fill)
{
    struct store_token row = {.org = text(of),
                              .name = text("ci"),
                              .scopes = 1u << SCOPE_publish | 1u << SCOPE_read,
                              .created_us = 1700000000000000};
    memset(row.hash, fill, sizeof row.hash);
    return row;
}

static int64_t add_token(struct world *w, const char *of, uint8_t fill, wall_us expires_us)
{
    struct store_token row = token_row(of, fill);
    row.expires_us = expires_us;
    assert_int_equal(store_token_insert(w->store, &row), STORE_OK);
    return row.key;
}

static bool print_org(void *ctx, const struct store_org *row)
{
    char *end = (char *)ctx + strlen(ctx);
    snprintf(end, 128, "%.*s %.*s %.*s %lld\n", (int)row->id.bytes, row->id.at,
             (int)row->partition.bytes, row->partition.at, (int)row->name.bytes, row->name.at,
             (long long)row->created_us);
    return true;
}

static bool print_token(void *ctx, const struct store_token *row)
{
    char *end = (char *)ctx + strlen(ctx);
    snprintf(end, 128, "%.*s %02x%02x %.*s %x %lld %lld\n", (int)row->org.bytes, row->org.at,
             row->hash[0], row->hash[31], (int)row->name.bytes, row->name.at, row->scopes,
             (long long)row->expires_us, (long long)row->revoked_us);
    return true;
}

static void assert_orgs(struct world *w, const char *expected)
{
    char lines[1024] = "";
    assert_int_equal(store_org_list(w->reader, print_org, lines), STORE_OK);
    assert_string_equal(lines, expected);
}

static void assert_tokens(struct world *w, const char *expected)
{
    char lines[1024] = "";
    assert_int_equal(store_token_list(w->reader, print_token, lines), STORE_OK);
    assert_string_equal(lines, expected);
}

#define FIRST "dev0 dvrv-us-1 first organisation 0\n"

static void the_first_organisation_is_there(void **state)
{
    struct world *w = *state;
    assert_orgs(w, FIRST);
    assert_tokens(w, "");
    world_restart(w);
    assert_orgs(w, FIRST);
}

static void an_id_is_used_once(void **state)
{
    struct world *w = *state;
    struct store_org again = {
        .id = text("acme"), .partition = text("p"), .name = text("n"), .created_us = 1};
    begin(w);
    add_org(w, "acme");
    assert_int_equal(store_org_insert(w->store, &again), STORE_CONFLICT);
    assert_orgs(w, FIRST); /* not committed yet */
    commit(w);
    begin(w);
    assert_int_equal(store_org_insert(w->store, &again), STORE_CONFLICT);
    again.id = text("dev0");
    assert_int_equal(store_org_insert(w->store, &again), STORE_CONFLICT);
    again.id = text("ACME"); /* another one */
    assert_int_equal(store_org_insert(w->store, &again), STORE_OK);
    store_rollback(w->store);
    world_restart(w);
    assert_orgs(w, FIRST "acme dvrv-eu-1 Acme \xc3\x9c 1700000000000000\n");
}

static void a_token_belongs_to_an_organisation(void **state)
{
    struct world *w = *state;
    struct store_token row = token_row("acme", 1);
    begin(w);
    assert_int_equal(store_token_insert(w->store, &row), STORE_NOT_FOUND);
    add_org(w, "acme");
    assert_int_equal(store_token_insert(w->store, &row), STORE_OK);
    assert_int_equal(store_token_insert(w->store, &row), STORE_CONFLICT); /* the same hash */
    add_token(w, "dev0", 2, 1700000000000009);
    commit(w);
    world_restart(w);
    assert_tokens(w, "acme 0101 ci 5 0 0\ndev0 0202 ci 5 1700000000000009 0\n");
    begin(w);
    assert_int_equal(store_token_insert(w->store, &row), STORE_CONFLICT);
    store_rollback(w->store);
}

static void a_token_is_revoked_once(void **state)
{
    struct world *w = *state;
    begin(w);
    int64_t key = add_token(w, "dev0", 1, 0);
    assert_int_equal(store_token_revoke(w->store, key + 1, 7), STORE_NOT_FOUND);
    commit(w);
    begin(w);
    assert_int_equal(store_token_revoke(w->store, key, 7), STORE_OK);
    assert_int_equal(store_token_revoke(w->store, key, 8), STORE_CONFLICT);
    assert_tokens(w, "dev0 0101 ci 5 0 0\n"); /* not committed yet */
    store_rollback(w->store);
    assert_tokens(w, "dev0 0101 ci 5 0 0\n");
    begin(w);
    assert_int_equal(store_token_revoke(w->store, key, 9), STORE_OK);
    commit(w);
    begin(w);
    assert_int_equal(store_token_revoke(w->store, key, 10), STORE_CONFLICT);
    store_rollback(w->store);
    world_restart(w);
    assert_tokens(w, "dev0 0101 ci 5 0 9\n");
}

static void all_tokens_of_an_organisation_are_revoked(void **state)
{
    struct world *w = *state;
    uint64_t tokens;
    begin(w);
    assert_int_equal(store_org_revoke(w->store, text("acme"), 7, &tokens), STORE_NOT_FOUND);
    add_org(w, "acme");
    assert_int_equal(store_org_revoke(w->store, text("acme"), 7, &tokens), STORE_OK);
    assert_int_equal(tokens, 0);
    int64_t revoked = add_token(w, "acme", 1, 0);
    add_token(w, "acme", 2, 0);
    add_token(w, "dev0", 3, 0);
    add_token(w, "acme", 4, 1700000000000009);
    assert_int_equal(store_token_revoke(w->store, revoked, 5), STORE_OK);
    commit(w);
    begin(w);
    assert_int_equal(store_org_revoke(w->store, text("acme"), 8, &tokens), STORE_OK);
    assert_int_equal(tokens, 2);
    store_rollback(w->store);
    begin(w);
    assert_int_equal(store_org_revoke(w->store, text("acme"), 9, &tokens), STORE_OK);
    assert_int_equal(tokens, 2);
    commit(w);
    world_restart(w);
    assert_tokens(w, "acme 0101 ci 5 0 5\nacme 0202 ci 5 0 9\ndev0 0303 ci 5 0 0\n"
                     "acme 0404 ci 5 1700000000000009 9\n");
    begin(w);
    assert_int_equal(store_org_revoke(w->store, text("acme"), 10, &tokens), STORE_OK);
    assert_int_equal(tokens, 0);
    store_rollback(w->store);
}

static void what_ended_long_ago_is_forgotten(void **state)
{
    struct world *w = *state;
    uint64_t orgs, tokens;
    begin(w);
    int64_t revoked = add_token(w, "dev0", 1, 0), last;
    add_token(w, "dev0", 2, 49);
    add_token(w, "dev0", 3, 50);
    last = add_token(w, "dev0", 4, 0);
    assert_int_equal(store_token_revoke(w->store, revoked, 49), STORE_OK);
    assert_int_equal(store_org_count(w->store, &orgs, &tokens), STORE_OK);
    assert_int_equal(orgs, 1);
    assert_int_equal(tokens, 4);
    assert_int_equal(store_token_forget(w->store, 50), STORE_OK);
    assert_int_equal(store_org_count(w->store, &orgs, &tokens), STORE_OK);
    assert_int_equal(tokens, 2);
    commit(w);
    assert_tokens(w, "dev0 0303 ci 5 50 0\ndev0 0404 ci 5 0 0\n");
    begin(w);
    assert_int_equal(store_token_forget(w->store, INT64_MAX), STORE_OK); /* never is never */
    assert_int_equal(store_token_revoke(w->store, last, 60), STORE_OK);
    assert_int_equal(store_token_forget(w->store, 61), STORE_OK);
    commit(w);
    assert_tokens(w, "");
    begin(w);
    assert_true(add_token(w, "dev0", 4, 0) > last); /* a key is never used again */
    commit(w);
}

static bool copy_partition(void *ctx, const struct store_webhook *row)
{
    snprintf(ctx, 64, "%.*s", (int)row->partition.bytes, row->partition.at);
    return true;
}

static void a_webhook_keeps_its_partition(void **state)
{
    struct world *w = *state;
    char partition[64] = "";
    struct store_webhook row = webhook_row("aaaa", org);
    row.partition = text("dvrv-eu-1");
    begin(w);
    assert_int_equal(store_webhook_insert(w->store, &row), STORE_OK);
    assert_int_equal(store_webhook_configure(w->store, &row), STORE_OK);
    commit(w);
    world_restart(w);
    assert_int_equal(store_webhook_get(w->reader, org, text("aaaa"), copy_partition, partition),
                     STORE_OK);
    assert_string_equal(partition, "dvrv-eu-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_first_organisation_is_there),
        BOTH(an_id_is_used_once),
        BOTH(a_token_belongs_to_an_organisation),
        BOTH(a_token_is_revoked_once),
        BOTH(all_tokens_of_an_organisation_are_revoked),
        BOTH(what_ended_long_ago_is_forgotten),
        BOTH(a_webhook_keeps_its_partition),
    };
    return cmocka_run_group_tests_name("store: organisations and tokens", tests, NULL, NULL);
}
