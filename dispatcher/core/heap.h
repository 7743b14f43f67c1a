/* A pairing heap of nodes that live inside the things they order: no memory of its own, insert in
 * constant time, removal of the least (or of any node) in amortised logarithmic time. Order: (key,
 * tie), both ascending. Pure. */
#ifndef REVHOOK_CORE_HEAP_H
#define REVHOOK_CORE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key, tie;
    struct heap_node *child; /* first child */
    struct heap_node *next;  /* next sibling */
    struct heap_node
        *prev; /* previous sibling, or the parent for a first child; NULL for the root */
};

struct heap {
    struct heap_node *root;
};

/* The struct of type `type` that holds `node` as its member `member`. */
#define HEAP_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Puts `node`, which is in no heap, into `heap` with this order. */
void heap_insert(struct heap *heap, struct heap_node *node, int64_t key, int64_t tie);

/* Takes `node`, which is in `heap`, out of it. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* The least node, or NULL. */
static inline struct heap_node *heap_min(const struct heap *heap)
{
    return heap->root;
}

/* Walks all nodes in no particular order: the node after `node` (NULL: the first), NULL at the end.
 * The heap must not change on the way. */
struct heap_node *heap_walk(const struct heap *heap, const struct heap_node *node);

#endif
