/* A sealer for tests: one for the whole program, so that what one dispatcher has sealed the next
 * one on the same store can open. */
#ifndef REVHOOK_TESTS_LIB_SEALER_H
#define REVHOOK_TESTS_LIB_SEALER_H

#include "dispatcher/seal.h"

static inline struct sealer *test_sealer(void)
{
    static struct sealer *sealer;
    if (!sealer)
        sealer = sealer_new(&(struct seal_key){.version = 1, .bytes = "a key for tests"}, 1);
    return sealer;
}

/* Inserts a webhook with its secret and headers sealed, as the writer does. */
static inline enum store_result test_webhook_insert(struct store *store, struct store_webhook *row)
{
    struct store_webhook stored = *row;
    struct sealed_row sealed;
    seal_row(test_sealer(), row, &sealed);
    stored.secret = sealed.secret;
    stored.headers = sealed.headers;
    enum store_result result = store_webhook_insert(store, &stored);
    row->key = stored.key;
    sealed_row_free(&sealed);
    return result;
}

#endif
