/* The writer's view of all webhooks: the fan-out index with committed states, and a way back when a
 * transaction fails.
 *
 * Owns: struct subscriber of every webhook that is not deleted, and the memory of the index.
 * Refuses: to be used by any other thread. Within a transaction the view runs ahead of what is
 * committed; subscribers_rollback takes it back, subscribers_commit makes it final and lets deleted
 * ones go. */
#ifndef REVHOOK_DISPATCHER_SUBSCRIBERS_H
#define REVHOOK_DISPATCHER_SUBSCRIBERS_H

#include "dispatcher/hook_map.h"

struct undo;

struct subscribers {
    struct fanout_index index;
    char **orgs; /* names by number */
    uint32_t org_count;
    struct hook_map hooks; /* of all subscribers, by key */
    struct undo *undo;
    uint32_t undo_count, undo_capacity;
};

/* Frees the index; subscribers go with their hooks (hook_free). */
void subscribers_free(struct subscribers *subscribers);

/* The number of an organisation; a new one if it has none yet. */
uint32_t subscribers_org(struct subscribers *subscribers, const char *org, size_t bytes);

/* A new webhook: sets hook->subscriber. */
void subscribers_add(struct subscribers *subscribers, struct hook *hook, uint32_t org,
                     enum webhook_state state, const struct event_set *event_types);

/* Another state and, unless NULL, other event types. */
void subscribers_change(struct subscribers *subscribers, struct hook *hook,
                        enum webhook_state state, const struct event_set *event_types);

void subscribers_commit(struct subscribers *subscribers);
void subscribers_rollback(struct subscribers *subscribers);

#endif
