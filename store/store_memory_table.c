/* Rows in two versions.
 *
 * Owns: the blocks of the rows, which version of each is committed, which keys were given.
 *
 * Happy path: a change never touches a row's block; it puts another block beside it and notes the
 * place. A commit goes through the noted places and frees what was replaced, a rollback frees what
 * replaced it. So readers can be shown what is committed while a transaction is under way, and a
 * crash is a rollback.
 *
 * Failure modes: none but want of memory, which stops the program (store_alloc).
 *
 * Refuses: to know what a row is. */
#include "store/store_memory_table.h"

#include "store/store_ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Gives `*array` room for one more element behind `count`. */
static void grow(void **array, size_t count, size_t *capacity, size_t element_bytes)
{
    if (count < *capacity)
        return;
    size_t wider = *capacity * 2 + 64;
    void *grown = store_alloc(wider * element_bytes);
    if (count > 0)
        memcpy(grown, *array, count * element_bytes);
    free(*array);
    *array = grown;
    *capacity = wider;
}

void *memory_table_current(const struct memory_table *table, int64_t key)
{
    return key >= 1 && (uint64_t)key <= table->count ? table->slots[key - 1].current : NULL;
}

void *memory_table_committed(const struct memory_table *table, int64_t key)
{
    return key >= 1 && (uint64_t)key <= table->count_committed ? table->slots[key - 1].committed
                                                               : NULL;
}

int64_t memory_table_next(const struct memory_table *table)
{
    return (int64_t)table->count + 1;
}

/* Sets the current version of a slot and frees the one that it replaces, if nobody else has it. */
static void set_current(struct memory_table *table, size_t place, void *row)
{
    struct memory_slot *slot = &table->slots[place];
    void *old = slot->current;
    if (table->moved != NULL)
        table->moved(table->ctx, old, row);
    slot->current = row;
    if (old != slot->committed)
        free(old);
}

static void note(struct memory_table *table, size_t place)
{
    void *changed = table->changed;
    grow(&changed, table->changed_count, &table->changed_capacity, sizeof *table->changed);
    table->changed = changed;
    table->changed[table->changed_count++] = place;
}

void memory_table_add(struct memory_table *table, void *row)
{
    void *slots = table->slots;
    grow(&slots, table->count, &table->capacity, sizeof *table->slots);
    table->slots = slots;
    table->slots[table->count] = (struct memory_slot){NULL, NULL};
    note(table, table->count);
    set_current(table, table->count++, row);
}

void memory_table_replace(struct memory_table *table, int64_t key, void *row)
{
    assert(key >= 1 && (uint64_t)key <= table->count);
    size_t place = (size_t)key - 1;
    if (table->slots[place].current == table->slots[place].committed)
        note(table, place);
    set_current(table, place, row);
}

void memory_table_commit(struct memory_table *table)
{
    for (size_t i = 0; i < table->changed_count; i++) {
        struct memory_slot *slot = &table->slots[table->changed[i]];
        if (slot->committed != slot->current)
            free(slot->committed);
        slot->committed = slot->current;
    }
    table->changed_count = 0;
    table->count_committed = table->count;
}

void memory_table_rollback(struct memory_table *table)
{
    for (size_t i = 0; i < table->changed_count; i++) {
        size_t place = table->changed[i];
        if (table->slots[place].current != table->slots[place].committed)
            set_current(table, place, table->slots[place].committed);
    }
    table->changed_count = 0;
    table->count = table->count_committed;
}

void memory_table_free(struct memory_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->slots[i].committed);
    free(table->slots);
    free(table->changed);
}
