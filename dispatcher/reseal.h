/* Keys and the store together: a store whose webhooks are sealed under one of the keys, and how
 * they come under the newest. */
#ifndef REVHOOK_DISPATCHER_RESEAL_H
#define REVHOOK_DISPATCHER_RESEAL_H

#include "dispatcher/clock.h"
#include "dispatcher/seal.h"

/* Whether something is sealed in this store. False with `error` if it cannot be read. At start,
 * writing thread, outside of a transaction. */
bool reseal_is_sealed(struct store *store, bool *sealed, char *error, size_t error_bytes);

/* At start, likewise, and with no reader open: checks that the keys are those of this store; a
 * store in which nothing is sealed yet gets all of it sealed, in one transaction, and nothing
 * readable stays behind in its files. On error false, and `error` says what is wrong; `keys` names
 * where the keys come from. */
bool reseal_start(struct store *store, struct clock *clock, struct sealer *sealer, const char *keys,
                  char *error, size_t error_bytes);

struct reseal_step {
    int64_t after;     /* in and out: webhooks up to this key are done; 0 at first */
    bool done;         /* out: that was the last; the store says so, too */
    uint64_t resealed; /* out: how many this step has sealed again */
};

/* Seals a bounded number of webhooks again that are not sealed under the newest key, in one
 * transaction. STORE_CORRUPT: one did not open, see the log; nothing has changed. Writing thread.
 */
enum store_result reseal_step(struct store *store, struct clock *clock, struct sealer *sealer,
                              struct reseal_step *step);

#endif
