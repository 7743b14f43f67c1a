/* The memory back-end: organisations and tokens.
 *
 * Owns: their rows, one block each with the bytes that it points to. Happy path: look through all
 * of them. Failure modes: what memory_medium says. Refuses: to forget an organisation. */
#include "store/store_memory_rows.h"

static void add_org(struct memory_store *m, struct store_org *row)
{
    struct store_org *copy =
        store_alloc(sizeof *copy + row->id.bytes + row->partition.bytes + row->name.bytes);
    char *end = (char *)(copy + 1);
    row->key = memory_table_next(&m->orgs);
    *copy = *row;
    memory_keep(&copy->id, &end);
    memory_keep(&copy->partition, &end);
    memory_keep(&copy->name, &end);
    memory_table_add(&m->orgs, copy);
}

static struct store_token *token_copy(const struct store_token *row)
{
    struct store_token *copy = store_alloc(sizeof *copy + row->org.bytes + row->name.bytes);
    char *end = (char *)(copy + 1);
    *copy = *row;
    memory_keep(&copy->org, &end);
    memory_keep(&copy->name, &end);
    return copy;
}

static bool has_org(struct memory_store *m, struct store_bytes id)
{
    for (int64_t key = 1; key < memory_table_next(&m->orgs); key++) {
        const struct store_org *row = memory_table_current(&m->orgs, key);
        if (store_bytes_equal(row->id, id))
            return true;
    }
    return false;
}

void memory_org_first(struct memory_store *m)
{
    struct store_org first = {
        .id = {STORE_FIRST_ORG, sizeof STORE_FIRST_ORG - 1},
        .partition = {STORE_FIRST_PARTITION, sizeof STORE_FIRST_PARTITION - 1},
        .name = {"first organisation", 18},
    };
    add_org(m, &first);
    memory_table_commit(&m->orgs);
}

/* ---- writing ---- */

enum store_result memory_org_insert(struct store *store, struct store_org *row)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    if (has_org(m, row->id))
        return STORE_CONFLICT;
    add_org(m, row);
    return STORE_OK;
}

enum store_result memory_token_insert(struct store *store, struct store_token *row)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    if (!has_org(m, row->org))
        return STORE_NOT_FOUND;
    for (int64_t key = 1; key < memory_table_next(&m->tokens); key++) {
        const struct store_token *other = memory_table_current(&m->tokens, key);
        if (other != NULL && memcmp(other->hash, row->hash, sizeof row->hash) == 0)
            return STORE_CONFLICT;
    }
    row->key = memory_table_next(&m->tokens);
    memory_table_add(&m->tokens, token_copy(row));
    return STORE_OK;
}

static void revoke(struct memory_store *m, const struct store_token *old, wall_us revoked_us)
{
    struct store_token *revoked = token_copy(old);
    revoked->revoked_us = revoked_us;
    memory_table_replace(&m->tokens, old->key, revoked);
}

enum store_result memory_token_revoke(struct store *store, int64_t token, wall_us revoked_us)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct store_token *old = memory_table_current(&m->tokens, token);
    if (old == NULL)
        return STORE_NOT_FOUND;
    if (old->revoked_us != 0)
        return STORE_CONFLICT;
    revoke(m, old, revoked_us);
    return STORE_OK;
}

enum store_result memory_org_revoke(struct store *store, struct store_bytes org, wall_us revoked_us,
                                    uint64_t *tokens)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    if (!has_org(m, org))
        return STORE_NOT_FOUND;
    for (int64_t key = 1; key < memory_table_next(&m->tokens); key++) {
        const struct store_token *row = memory_table_current(&m->tokens, key);
        if (row == NULL || row->revoked_us != 0 || !store_bytes_equal(row->org, org))
            continue;
        revoke(m, row, revoked_us);
        ++*tokens;
    }
    return STORE_OK;
}

enum store_result memory_token_forget(struct store *store, wall_us before_us)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    for (int64_t key = 1; key < memory_table_next(&m->tokens); key++) {
        const struct store_token *row = memory_table_current(&m->tokens, key);
        if (row != NULL && ((row->revoked_us != 0 && row->revoked_us < before_us) ||
                            (row->expires_us != 0 && row->expires_us < before_us)))
            memory_table_replace(&m->tokens, key, NULL);
    }
    return STORE_OK;
}

enum store_result memory_org_count(struct store *store, uint64_t *orgs, uint64_t *tokens)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    *orgs = (uint64_t)memory_table_next(&m->orgs) - 1;
    for (int64_t key = 1; key < memory_table_next(&m->tokens); key++)
        *tokens += memory_table_current(&m->tokens, key) != NULL;
    return STORE_OK;
}

/* ---- reading ---- */

enum store_result memory_org_list(struct store_reader *reader, store_visit_org *visit, void *ctx)
{
    const struct memory_store *m = memory(reader->store);
    for (int64_t key = 1; key <= (int64_t)m->orgs.count; key++) {
        const struct store_org *row = memory_table_committed(&m->orgs, key);
        if (row != NULL && !visit(ctx, row))
            break;
    }
    return STORE_OK;
}

enum store_result memory_token_list(struct store_reader *reader, store_visit_token *visit,
                                    void *ctx)
{
    const struct memory_store *m = memory(reader->store);
    for (int64_t key = 1; key <= (int64_t)m->tokens.count; key++) {
        const struct store_token *row = memory_table_committed(&m->tokens, key);
        if (row != NULL && !visit(ctx, row))
            break;
    }
    return STORE_OK;
}
