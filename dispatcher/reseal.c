/* See reseal.h.
 *
 * Happy path of a rotation: the new key is in the file and seals from now on; the writer walks over
 * the webhooks, a few in each transaction, between the batches of its clients; at the end the mark
 * in the store is sealed under the new key, too, and the old ones may go. A crash anywhere leaves
 * webhooks under two keys and both in the file, and the next start walks again.
 *
 * The mark is a known text, sealed: a wrong key is told at the start, before a webhook is looked
 * at, also in a store without any. Failure modes: a webhook that does not open ends the walk, and
 * the old keys stay; it is told in the log. Refuses: to go on without a secret, or with an empty
 * one. */
#include "dispatcher/reseal.h"

#include "dispatcher/hook.h"
#include "dispatcher/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_WEBHOOKS 256
#define MARK          "revhook"

_Static_assert(sizeof(MARK) + SEAL_EXTRA_BYTES <= STORE_SEAL_BYTES_MAX, "the mark fits");

static const struct seal_bond mark_bond = {.part = SEAL_CHECK};

static enum store_result put_mark(struct store *store, struct sealer *sealer)
{
    uint8_t mark[STORE_SEAL_BYTES_MAX];
    seal(sealer, &mark_bond, (struct store_bytes){MARK, sizeof(MARK)}, mark);
    return store_seal_put(store,
                          (struct store_bytes){(char *)mark, sizeof(MARK) + SEAL_EXTRA_BYTES});
}

/* ---- the walk ---- */

struct walk {
    struct sealer *sealer;
    bool plain; /* what is there is not sealed yet */
    struct {
        int64_t key;
        struct sealed_row sealed;
    } rows[STEP_WEBHOOKS];
    unsigned count; /* of rows to be written */
    unsigned seen;
    int64_t last;
    bool broken;
};

static void tell_broken(const struct store_webhook *row)
{
    char id[STORE_WEBHOOK_ID_BYTES_MAX + 1];
    snprintf(id, sizeof(id), "%.*s", (int)row->id.bytes, row->id.at);
    LOG(fault, LOG_TEXT("where", id),
        LOG_TEXT("error", "its secret does not open with the key that sealed it; the store or the "
                          "key file was changed"));
}

static bool visit(void *context, const struct store_webhook *row)
{
    struct walk *walk = context;
    struct store_webhook open = *row;
    struct sealed_row opened = {.memory = NULL};
    bool old = seal_version_of(row->secret) != sealer_version(walk->sealer);
    walk->seen++;
    walk->last = row->key;
    if (row->secret.bytes == 0 || (!walk->plain && !old))
        return true; /* deleted, or as it should be */
    if (!walk->plain) {
        if (seal_row_open(walk->sealer, row, &opened) != SEAL_OK) {
            sealed_row_free(&opened);
            tell_broken(row);
            walk->broken = true;
            return false;
        }
        open.secret = opened.secret;
        open.headers = opened.headers;
    }
    walk->rows[walk->count].key = row->key;
    seal_row(walk->sealer, &open, &walk->rows[walk->count++].sealed);
    sealed_row_free(&opened);
    return true;
}

/* One bounded part of it, within a transaction. */
static enum store_result walk_on(struct store *store, struct walk *walk, int64_t after)
{
    walk->count = walk->seen = 0;
    enum store_result result = store_webhook_walk(store, after, STEP_WEBHOOKS, visit, walk);
    if (result == STORE_OK && walk->broken)
        result = STORE_CORRUPT;
    for (unsigned i = 0; i < walk->count; i++) {
        if (result == STORE_OK)
            result = store_webhook_reseal(store, walk->rows[i].key, walk->rows[i].sealed.secret,
                                          walk->rows[i].sealed.headers);
        sealed_row_free(&walk->rows[i].sealed);
    }
    return result;
}

enum store_result reseal_step(struct store *store, struct clock *clock, struct sealer *sealer,
                              struct reseal_step *step)
{
    struct walk *walk = hook_alloc(sizeof(*walk));
    walk->sealer = sealer;
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = walk_on(store, walk, step->after);
    bool done = walk->seen < STEP_WEBHOOKS;
    if (result == STORE_OK && done)
        result = put_mark(store, sealer);
    if (result == STORE_OK)
        result = store_commit(store, clock_now(clock), clock_boot(clock));
    if (result == STORE_OK) {
        step->done = done;
        step->resealed = walk->count;
        step->after = walk->seen > 0 ? walk->last : step->after;
    } else {
        store_rollback(store);
    }
    free(walk);
    return result;
}

/* ---- at start ---- */

bool reseal_is_sealed(struct store *store, bool *sealed, char *error, size_t error_bytes)
{
    uint8_t mark[STORE_SEAL_BYTES_MAX];
    size_t bytes;
    if (store_seal_get(store, mark, &bytes) != STORE_OK) {
        snprintf(error, error_bytes, "the store cannot be read: %s", store_error(store));
        return false;
    }
    *sealed = bytes > 0;
    return true;
}

static bool check_mark(struct sealer *sealer, struct store_bytes mark, const char *keys,
                       char *error, size_t error_bytes)
{
    uint8_t text[STORE_SEAL_BYTES_MAX];
    size_t bytes;
    switch (seal_open(sealer, &mark_bond, mark, text, &bytes)) {
    case SEAL_OK: return true;
    case SEAL_NO_KEY:
        snprintf(error, error_bytes,
                 "the secrets in this store are sealed under key %u, which %s does not have; put "
                 "the key file back that belongs to the store",
                 seal_version_of(mark), keys);
        return false;
    default:
        snprintf(error, error_bytes,
                 "key %u in %s is not the one that the secrets in this store are sealed under; put "
                 "the key file back that belongs to the store",
                 seal_version_of(mark), keys);
        return false;
    }
}

/* All of it in one transaction, so that a store is never half sealed. */
static enum store_result seal_all(struct store *store, struct clock *clock, struct sealer *sealer,
                                  uint64_t *webhooks)
{
    struct walk *walk = hook_alloc(sizeof(*walk));
    int64_t after = 0;
    walk->sealer = sealer;
    walk->plain = true;
    enum store_result result = store_begin(store);
    do {
        if (result == STORE_OK)
            result = walk_on(store, walk, after);
        after = walk->last;
        *webhooks += walk->count;
    } while (result == STORE_OK && walk->seen == STEP_WEBHOOKS);
    if (result == STORE_OK)
        result = put_mark(store, sealer);
    if (result == STORE_OK)
        result = store_commit(store, clock_now(clock), clock_boot(clock));
    if (result != STORE_OK)
        store_rollback(store);
    free(walk);
    return result;
}

bool reseal_start(struct store *store, struct clock *clock, struct sealer *sealer, const char *keys,
                  char *error, size_t error_bytes)
{
    uint8_t mark[STORE_SEAL_BYTES_MAX];
    size_t bytes;
    uint64_t webhooks = 0;
    enum store_result result = store_seal_get(store, mark, &bytes);
    if (result == STORE_OK && bytes > 0)
        return check_mark(sealer, (struct store_bytes){(char *)mark, bytes}, keys, error,
                          error_bytes);
    if (result == STORE_OK)
        result = seal_all(store, clock, sealer, &webhooks);
    if (result == STORE_OK && webhooks > 0)
        result = store_scrub(store);
    if (result == STORE_OK && webhooks > 0)
        LOG(resealed, LOG_NUMBER("webhooks", (int64_t)webhooks),
            LOG_NUMBER("key", sealer_version(sealer)));
    if (result != STORE_OK)
        snprintf(error, error_bytes, "the secrets in the store cannot be sealed: %s",
                 store_error(store));
    return result == STORE_OK;
}
