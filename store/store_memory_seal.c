/* The memory back-end: what is sealed, and under which key. */
#include "store/store_memory_rows.h"

#include <string.h>

enum store_result memory_seal_get(struct store *store, uint8_t seal[STORE_SEAL_BYTES_MAX],
                                  size_t *bytes)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    *bytes = result == STORE_OK ? m->seal.bytes : 0;
    memcpy(seal, m->seal.at, *bytes);
    return result;
}

enum store_result memory_seal_put(struct store *store, struct store_bytes seal)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    m->next_seal.bytes = seal.bytes;
    memcpy(m->next_seal.at, seal.at, seal.bytes);
    return STORE_OK;
}

enum store_result memory_webhook_walk(struct store *store, int64_t after, unsigned limit,
                                      store_visit_webhook *visit, void *ctx)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    for (int64_t key = after + 1; key < memory_table_next(&m->webhooks) && limit > 0; key++) {
        const struct store_webhook *row = memory_table_current(&m->webhooks, key);
        if (row == NULL)
            continue;
        limit--;
        if (!visit(ctx, row))
            break;
    }
    return STORE_OK;
}

enum store_result memory_webhook_reseal(struct store *store, int64_t webhook,
                                        struct store_bytes secret, struct store_bytes headers)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct store_webhook *old = memory_table_current(&m->webhooks, webhook);
    if (old == NULL)
        return STORE_NOT_FOUND;
    struct store_webhook new = *old;
    new.secret = secret;
    new.headers = headers;
    memory_table_replace(&m->webhooks, webhook, memory_webhook_copy(&new));
    return STORE_OK;
}

enum store_result memory_scrub(struct store *store)
{
    return memory_medium(store); /* what is replaced is freed */
}
