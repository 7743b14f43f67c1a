/* What tests and the simulator can do to a store from store_open_memory, beyond the contract of
 * store.h. */
#ifndef REVHOOK_STORE_STORE_MEMORY_H
#define REVHOOK_STORE_STORE_MEMORY_H

#include "store/store.h"

/* What a kill of the process would do to a durable store, between any two calls: everything since
 * the last commit is forgotten, the rest is as after opening it again. Readers stay open. */
void store_memory_crash(struct store *store);

/* Makes the medium fail: of the writing verbs, store_begin and store_commit counted, `calls` more
 * succeed as usual, and the `times` after that fail with `result` (STORE_FULL or STORE_FAILED),
 * having changed nothing. `times` 0: heals at once. */
void store_memory_fail(struct store *store, unsigned calls, unsigned times,
                       enum store_result result);

#endif
