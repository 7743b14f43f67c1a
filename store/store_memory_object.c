/* The memory back-end: objects, of which the last version is kept.
 *
 * Owns: a tree from numbers to places in the table of objects. It is derived from the rows:
 * memory_object_moved keeps it right whichever way a row comes and goes, a rollback included.
 *
 * Happy path: find the place, copy the row, change the copy, put it in place. Failure modes: what
 * memory_medium says. Refuses: to keep a payload that its event still has. */
#include "store/store_memory_rows.h"

#include <search.h>
#include <stdlib.h>

struct place {
    int64_t number, key; /* of the object, of its row */
};

static int compare(const void *a, const void *b)
{
    int64_t left = ((const struct place *)a)->number, right = ((const struct place *)b)->number;
    return left < right ? -1 : left > right;
}

static struct place *find_place(struct memory_store *m, int64_t number)
{
    struct place wanted = {number, 0}, **found = tfind(&wanted, &m->object_places, compare);
    return found != NULL ? *found : NULL;
}

static struct memory_object *find(struct memory_store *m, int64_t number)
{
    const struct place *place = find_place(m, number);
    struct memory_object *row =
        place != NULL ? memory_table_current(&m->objects, place->key) : NULL;
    return row != NULL && !row->removed ? row : NULL;
}

/* The object itself, be it asked for by its number or its alias. */
static struct memory_object *resolve(struct memory_store *m, int64_t number)
{
    struct memory_object *row = find(m, number);
    if (row != NULL && row->stands_for != 0)
        row = find(m, row->stands_for);
    return row != NULL && row->stands_for == 0 ? row : NULL;
}

/* Rows come when a number is met for the first time, and go when that is rolled back. */
void memory_object_moved(void *ctx, const void *from, const void *to)
{
    struct memory_store *m = ctx;
    const struct memory_object *old = from, *new = to;
    if (old == NULL) {
        struct place *place = store_alloc(sizeof *place);
        *place = (struct place){new->number, new->key};
        if (tsearch(place, &m->object_places, compare) == NULL)
            abort();
    } else if (new == NULL) {
        struct place *place = find_place(m, old->number);
        tdelete(place, &m->object_places, compare);
        free(place);
    }
}

void memory_object_free(struct memory_store *m)
{
    while (m->object_places != NULL) {
        struct place *place = *(struct place **)m->object_places;
        tdelete(place, &m->object_places, compare);
        free(place);
    }
}

/* Puts a copy of *row, with what it points to, in the place of its number. */
static void put(struct memory_store *m, const struct memory_object *row)
{
    struct memory_object *copy =
        store_alloc(sizeof *copy + row->kept.org.bytes + row->kept.payload.bytes);
    const struct place *place = find_place(m, row->number);
    char *end = (char *)(copy + 1);
    *copy = *row;
    memory_keep(&copy->kept.org, &end);
    memory_keep(&copy->kept.payload, &end);
    copy->key = place != NULL ? place->key : memory_table_next(&m->objects);
    if (place != NULL)
        memory_table_replace(&m->objects, place->key, copy);
    else
        memory_table_add(&m->objects, copy);
}

void memory_object_put(struct memory_store *m, const struct store_event *event)
{
    const struct memory_object *old = find(m, event->object);
    struct memory_object row = {
        .number = event->object, .alias = event->object_alias, .event = event->key};
    if (row.alias == 0 && old != NULL)
        row.alias = old->alias;
    put(m, &row);
    if (event->object_alias != 0)
        put(m, &(struct memory_object){.number = event->object_alias, .stands_for = event->object});
}

void memory_object_keep(struct memory_store *m, const struct store_event *event)
{
    const struct memory_object *row = find(m, event->object);
    if (row == NULL || row->event != event->key)
        return;
    struct memory_object kept = *row;
    kept.event = 0;
    kept.kept =
        (struct store_object){.org = event->org, .type = event->type, .payload = event->payload};
    put(m, &kept);
}

enum store_result memory_object_get(struct store *store, int64_t number, store_visit_object *visit,
                                    void *ctx)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct memory_object *row = resolve(m, number);
    if (row == NULL)
        return STORE_NOT_FOUND;
    struct store_object shown = row->kept;
    if (row->event != 0) {
        const struct store_event *event = memory_table_current(&m->events, row->event);
        shown = (struct store_object){
            .org = event->org, .type = event->type, .payload = event->payload};
    }
    shown.by_alias = row->number != number;
    visit(ctx, &shown);
    return STORE_OK;
}

static void remove_row(struct memory_store *m, int64_t number)
{
    put(m, &(struct memory_object){.number = number, .removed = true});
}

enum store_result memory_object_remove(struct store *store, int64_t number)
{
    struct memory_store *m = memory(store);
    enum store_result result = memory_medium(store);
    if (result != STORE_OK)
        return result;
    const struct memory_object *row = resolve(m, number);
    if (row == NULL)
        return STORE_OK;
    int64_t own = row->number, alias = row->alias;
    const struct memory_object *other = alias != 0 ? find(m, alias) : NULL;
    if (other != NULL && other->stands_for == own)
        remove_row(m, alias);
    remove_row(m, own);
    return STORE_OK;
}
