/* What a recovered process and its store hold, as one number: two recoveries from the same file
 * must give the same. */
#include "tools/sim/world.h"

#define ORG ((struct store_bytes){"dev0", 4})

static void mix(uint64_t *hash, uint64_t value)
{
    *hash ^= value;
    *hash = random_mix(hash);
}

static void mix_status(uint64_t *hash, const struct webhook_status *status)
{
    mix(hash, status->state);
    mix(hash, status->reason);
    mix(hash, status->verified);
    mix(hash, status->generation);
    mix(hash, status->consecutive_failures);
    mix(hash, status->verify_count);
    mix(hash, (uint64_t)status->verify_since);
    mix(hash, (uint64_t)status->verify_next);
    mix(hash, (uint64_t)status->verify_until);
}

static bool mix_delivery(void *context, const struct store_delivery *row)
{
    mix(context, (uint64_t)row->key);
    mix(context, (uint64_t)row->due);
    mix(context, row->state | (uint64_t)row->reason << 8 | (uint64_t)row->attempt_count << 16);
    return true;
}

static bool mix_webhook(void *context, const struct store_webhook *row)
{
    mix(context, (uint64_t)row->key);
    mix_status(context, &row->status);
    return true;
}

uint64_t observe_hash(struct world *world)
{
    struct store_reader *reader = store_reader_open(world->store, NULL, 0);
    uint64_t hash = 1;
    struct store_delivery_filter filter = {.org = ORG, .state = -1, .limit = UINT32_MAX};
    store_webhook_list(reader, ORG, mix_webhook, &hash);
    store_delivery_list(reader, &filter, mix_delivery, &hash);
    size_t at = 0;
    for (struct hook *hook;
         (hook = hook_map_next(&world->dispatch->writer.subscribers.hooks, &at));) {
        mix(&hash, (uint64_t)hook->core.key);
        mix(&hash, hook->core.spilled);
        mix_status(&hash, &hook->core.status);
        mix(&hash, hook->subscriber->state);
        mix(&hash, hook->subscriber->event_types.bits[0]);
    }
    mix(&hash, world->dispatch->writer.open);
    store_reader_close(reader);
    return hash;
}
