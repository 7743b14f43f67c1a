/* The map of hook_map.h: open addressing with linear probing; removal moves later entries of the
 * run back, so there are no tombstones. */
#include "dispatcher/hook_map.h"

#include <assert.h>
#include <stdlib.h>

static size_t home(const struct hook_map *map, int64_t key)
{
    return ((uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (map->slot_count - 1);
}

static size_t find(const struct hook_map *map, int64_t key)
{
    size_t at = home(map, key);
    while (map->slots[at] && map->slots[at]->core.key != key)
        at = (at + 1) & (map->slot_count - 1);
    return at;
}

void hook_map_free(struct hook_map *map)
{
    free(map->slots);
    *map = (struct hook_map){NULL, 0, 0};
}

struct hook *hook_map_get(const struct hook_map *map, int64_t key)
{
    return map->slot_count > 0 ? map->slots[find(map, key)] : NULL;
}

static void grow(struct hook_map *map)
{
    struct hook_map old = *map;
    map->slot_count = old.slot_count ? old.slot_count * 2 : 16;
    map->slots = hook_alloc(map->slot_count * sizeof(map->slots[0]));
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i])
            map->slots[find(map, old.slots[i]->core.key)] = old.slots[i];
    free(old.slots);
}

void hook_map_put(struct hook_map *map, struct hook *hook)
{
    if ((map->count + 1) * 2 > map->slot_count)
        grow(map);
    size_t at = find(map, hook->core.key);
    assert(!map->slots[at]);
    map->slots[at] = hook;
    map->count++;
}

void hook_map_remove(struct hook_map *map, int64_t key)
{
    size_t gap = find(map, key);
    assert(map->slots[gap]);
    map->slots[gap] = NULL;
    map->count--;
    size_t mask = map->slot_count - 1;
    for (size_t at = (gap + 1) & mask; map->slots[at]; at = (at + 1) & mask) {
        size_t from_home = (at - home(map, map->slots[at]->core.key)) & mask;
        if (from_home < ((at - gap) & mask))
            continue; /* it stands between its home and the gap */
        map->slots[gap] = map->slots[at];
        map->slots[at] = NULL;
        gap = at;
    }
}

struct hook *hook_map_next(const struct hook_map *map, size_t *at)
{
    while (*at < map->slot_count) {
        struct hook *hook = map->slots[(*at)++];
        if (hook)
            return hook;
    }
    return NULL;
}
