/* The front of the store: what is sealed, and under which key.
 *
 * Owns: what these verbs ask of a caller. Refuses: keys; what is sealed is bytes to the store. */
#include "store/store_ops.h"

#include <assert.h>

enum store_result store_seal_get(struct store *store, uint8_t seal[STORE_SEAL_BYTES_MAX],
                                 size_t *bytes)
{
    assert(!store->writing && !store->visiting);
    return store->ops->seal_get(store, seal, bytes);
}

enum store_result store_seal_put(struct store *store, struct store_bytes seal)
{
    assert(seal.bytes > 0 && seal.bytes <= STORE_SEAL_BYTES_MAX);
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->seal_put(store, seal));
}

enum store_result store_webhook_walk(struct store *store, int64_t after, unsigned limit,
                                     bool (*visit)(void *ctx, const struct store_webhook *row),
                                     void *ctx)
{
    if (!store_sound(store))
        return store->broken;
    store->visiting = true;
    enum store_result result = store->ops->webhook_walk(store, after, limit, visit, ctx);
    store->visiting = false;
    return store_done(store, result);
}

enum store_result store_webhook_reseal(struct store *store, int64_t webhook,
                                       struct store_bytes secret, struct store_bytes headers)
{
    if (!store_sound(store))
        return store->broken;
    return store_done(store, store->ops->webhook_reseal(store, webhook, secret, headers));
}

enum store_result store_scrub(struct store *store)
{
    assert(!store->writing && !store->visiting);
    return store->ops->scrub(store);
}
