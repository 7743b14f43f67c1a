/* Fan-out, see fanout.h. Lists are short and changes are rare, so removal looks through the list;
 * the last one takes the place that became free, for order between webhooks means nothing. */
#include "core/fanout.h"

#include <assert.h>

enum fanout_verdict fanout_verdict(enum webhook_state state)
{
    switch (state) {
    case WEBHOOK_ACTIVE: return FANOUT_QUEUE;
    case WEBHOOK_DEGRADED: return FANOUT_FAIL;
    default: return FANOUT_SKIP;
    }
}

void fanout_add(struct fanout_index *index, struct subscriber *subscriber)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (!event_set_has(&subscriber->event_types, type))
            continue;
        struct fanout_list *list = &index->by_type[type];
        assert(list->count < list->capacity);
        list->at[list->count++] = subscriber;
    }
}

void fanout_remove(struct fanout_index *index, struct subscriber *subscriber)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (!event_set_has(&subscriber->event_types, type))
            continue;
        struct fanout_list *list = &index->by_type[type];
        uint32_t i = 0;
        while (i < list->count && list->at[i] != subscriber)
            i++;
        assert(i < list->count);
        list->at[i] = list->at[--list->count];
    }
}
