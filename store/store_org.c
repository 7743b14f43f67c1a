/* The front of the store: organisations and tokens.
 *
 * Owns: what their verbs ask of a caller. Happy path: check the arguments, call the back-end's op.
 * Failure modes: as store.c and store_reader.c say. Refuses: to know when a token counts as
 * expired, and how many there may be. */
#include "store/store_ops.h"

#include <assert.h>

static bool is_short(struct store_bytes bytes, size_t most)
{
    return bytes.bytes > 0 && bytes.bytes <= most;
}

/* ---- writing ---- */

enum store_result store_org_insert(struct store *store, struct store_org *row)
{
    assert(is_short(row->id, STORE_ORG_ID_BYTES_MAX) && row->name.bytes <= STORE_NAME_BYTES_MAX &&
           is_short(row->partition, STORE_PARTITION_BYTES_MAX));
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->org_insert(store, row));
}

enum store_result store_token_insert(struct store *store, struct store_token *row)
{
    assert(is_short(row->org, STORE_ORG_ID_BYTES_MAX) && row->name.bytes <= STORE_NAME_BYTES_MAX);
    assert(row->scopes < 1u << SCOPE_COUNT && row->expires_us >= 0 && row->revoked_us == 0);
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->token_insert(store, row));
}

enum store_result store_token_revoke(struct store *store, int64_t token, wall_us revoked_us)
{
    assert(revoked_us > 0);
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->token_revoke(store, token, revoked_us));
}

enum store_result store_org_revoke(struct store *store, struct store_bytes org, wall_us revoked_us,
                                   uint64_t *tokens)
{
    assert(revoked_us > 0);
    *tokens = 0;
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->org_revoke(store, org, revoked_us, tokens));
}

enum store_result store_token_forget(struct store *store, wall_us before_us)
{
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->token_forget(store, before_us));
}

enum store_result store_org_count(struct store *store, uint64_t *orgs, uint64_t *tokens)
{
    *orgs = *tokens = 0;
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->org_count(store, orgs, tokens));
}

/* ---- reading ---- */

enum store_result store_org_list(struct store_reader *reader,
                                 bool (*visit)(void *ctx, const struct store_org *row), void *ctx)
{
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->org_list(reader, visit, ctx));
}

enum store_result store_token_list(struct store_reader *reader,
                                   bool (*visit)(void *ctx, const struct store_token *row),
                                   void *ctx)
{
    store_reader_enter(reader);
    return store_reader_leave(reader, reader->ops->token_list(reader, visit, ctx));
}
