/* A table of the memory back-end: rows by key, each in two versions, what is committed and what the
 * transaction under way has made of it. Used by store_memory.c alone. Writing thread. */
#ifndef REVHOOK_STORE_STORE_MEMORY_TABLE_H
#define REVHOOK_STORE_STORE_MEMORY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct memory_slot {
    void *committed; /* NULL: no such row */
    void *current;   /* the same block where the transaction has not touched it */
};

struct memory_table {
    struct memory_slot *slots; /* of key k: slots[k - 1] */
    size_t count, capacity;
    size_t count_committed;
    size_t *changed; /* places of slots that may differ in their versions; one may stand twice */
    size_t changed_count, changed_capacity;

    /* Told of each change of a current version, before the old one is freed; may be NULL. */
    void (*moved)(void *ctx, const void *from, const void *to);
    void *ctx;
};

/* The row under `key`, or NULL: as the transaction sees it, or as it was committed. */
void *memory_table_current(const struct memory_table *table, int64_t key);
void *memory_table_committed(const struct memory_table *table, int64_t key);

/* The key that memory_table_add gives next. */
int64_t memory_table_next(const struct memory_table *table);

/* Adds a row under a new key; replaces the row under `key` by another one, or by none. `row` is one
 * block from malloc, the table's from now on. Never fails. */
void memory_table_add(struct memory_table *table, void *row);
void memory_table_replace(struct memory_table *table, int64_t key, void *row);

/* Makes the current versions the committed ones, or the other way round (keys given since are given
 * again). */
void memory_table_commit(struct memory_table *table);
void memory_table_rollback(struct memory_table *table);

/* Frees all rows and the table's memory (not `table`). */
void memory_table_free(struct memory_table *table);

#endif
