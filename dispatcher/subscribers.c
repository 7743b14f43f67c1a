/* The writer's view of all webhooks, see subscribers.h. */
#include "dispatcher/subscribers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a subscriber was before this transaction touched it. */
struct undo {
    struct subscriber *subscriber;
    struct subscriber before;
    bool added; /* it did not exist */
};

static void reserve(struct fanout_index *index, const struct event_set *types)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct fanout_list *list = &index->by_type[type];
        if (!event_set_has(types, type) || list->count < list->capacity)
            continue;
        list->capacity = list->capacity ? list->capacity * 2 : 4;
        list->at = hook_grow(list->at, list->capacity * sizeof(list->at[0]));
    }
}

static void index_add(struct subscribers *subscribers, struct subscriber *subscriber)
{
    reserve(&subscribers->index, &subscriber->event_types);
    fanout_add(&subscribers->index, subscriber);
}

static void remember(struct subscribers *subscribers, struct subscriber *subscriber, bool added)
{
    if (subscribers->undo_count == subscribers->undo_capacity) {
        subscribers->undo_capacity =
            subscribers->undo_capacity ? subscribers->undo_capacity * 2 : 16;
        subscribers->undo =
            hook_grow(subscribers->undo, subscribers->undo_capacity * sizeof(subscribers->undo[0]));
    }
    subscribers->undo[subscribers->undo_count++] = (struct undo){subscriber, *subscriber, added};
}

uint32_t subscribers_org(struct subscribers *subscribers, const char *org, size_t bytes)
{
    for (uint32_t i = 0; i < subscribers->org_count; i++)
        if (strlen(subscribers->orgs[i]) == bytes && memcmp(subscribers->orgs[i], org, bytes) == 0)
            return i;
    subscribers->orgs =
        hook_grow(subscribers->orgs, (subscribers->org_count + 1) * sizeof(subscribers->orgs[0]));
    char *name = hook_alloc(bytes + 1);
    memcpy(name, org, bytes);
    subscribers->orgs[subscribers->org_count] = name;
    return subscribers->org_count++;
}

void subscribers_add(struct subscribers *subscribers, struct hook *hook, uint32_t org,
                     enum webhook_state state, const struct event_set *event_types)
{
    struct subscriber *subscriber = hook_alloc(sizeof(*subscriber));
    *subscriber = (struct subscriber){hook->core.key, org, state, *event_types};
    hook->subscriber = subscriber;
    remember(subscribers, subscriber, true);
    index_add(subscribers, subscriber);
    hook_map_put(&subscribers->hooks, hook);
}

void subscribers_change(struct subscribers *subscribers, struct hook *hook,
                        enum webhook_state state, const struct event_set *event_types)
{
    struct subscriber *subscriber = hook->subscriber;
    remember(subscribers, subscriber, false);
    subscriber->state = state;
    if (event_types) {
        fanout_remove(&subscribers->index, subscriber);
        subscriber->event_types = *event_types;
        index_add(subscribers, subscriber);
    }
}

static void drop(struct subscribers *subscribers, struct subscriber *subscriber)
{
    fanout_remove(&subscribers->index, subscriber);
    hook_map_get(&subscribers->hooks, subscriber->webhook)->subscriber = NULL;
    hook_map_remove(&subscribers->hooks, subscriber->webhook);
    free(subscriber);
}

void subscribers_commit(struct subscribers *subscribers)
{
    for (uint32_t i = 0; i < subscribers->undo_count; i++) {
        /* Deletion is the last thing that happens to a webhook, so its last note in this list finds
         * it deleted. */
        struct undo *undo = &subscribers->undo[i];
        bool last = undo->subscriber->state == WEBHOOK_DELETED; /* the rest need no search */
        for (uint32_t k = i + 1; k < subscribers->undo_count && last; k++)
            last = subscribers->undo[k].subscriber != undo->subscriber;
        if (last)
            drop(subscribers, undo->subscriber);
    }
    subscribers->undo_count = 0;
}

void subscribers_rollback(struct subscribers *subscribers)
{
    while (subscribers->undo_count > 0) {
        struct undo *undo = &subscribers->undo[--subscribers->undo_count];
        if (undo->added) {
            drop(subscribers, undo->subscriber);
            continue;
        }
        fanout_remove(&subscribers->index, undo->subscriber);
        *undo->subscriber = undo->before;
        index_add(subscribers, undo->subscriber);
    }
}

void subscribers_free(struct subscribers *subscribers)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        free(subscribers->index.by_type[type].at);
    for (uint32_t i = 0; i < subscribers->org_count; i++)
        free(subscribers->orgs[i]);
    free(subscribers->orgs);
    hook_map_free(&subscribers->hooks);
    free(subscribers->undo);
}
