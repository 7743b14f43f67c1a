/* A map from the key of a webhook to its hook. One thread. */
#ifndef REVHOOK_DISPATCHER_HOOK_MAP_H
#define REVHOOK_DISPATCHER_HOOK_MAP_H

#include "dispatcher/hook.h"

struct hook_map {
    struct hook **slots; /* open addressing; a power of two of them, at most half in use */
    size_t slot_count, count;
};

void hook_map_free(struct hook_map *map);                           /* not the hooks */
struct hook *hook_map_get(const struct hook_map *map, int64_t key); /* NULL: none */
void hook_map_put(struct hook_map *map, struct hook *hook);         /* its key is new */
void hook_map_remove(struct hook_map *map, int64_t key);            /* it is there */

/* Visits all: *at starts at 0; NULL at the end. The map must not change on the way. */
struct hook *hook_map_next(const struct hook_map *map, size_t *at);

#endif
