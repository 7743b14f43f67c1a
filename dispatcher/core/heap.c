/* The pairing heap of heap.h.
 *
 * A node's children hang in a list of siblings; `prev` of the first child is the parent, so that
 * any node can be cut out. Removing the least melds its children in pairs from the left, then the
 * pairs from the right: that order is what makes the cost logarithmic on average. Refuses: to
 * allocate, and to look into what holds the nodes. */
#include "core/heap.h"

static int before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

/* Makes one tree of two, neither of which has siblings. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (before(b, a)) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

static struct heap_node *meld_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL; /* linked by `next`, the rightmost first */
    while (first) {
        struct heap_node *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct heap_node *root = NULL;
    while (pairs) {
        struct heap_node *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

void heap_insert(struct heap *heap, struct heap_node *node, int64_t key, int64_t tie)
{
    *node = (struct heap_node){.key = key, .tie = tie};
    heap->root = meld(heap->root, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *children = meld_siblings(node->child);
    if (heap->root == node) {
        heap->root = children;
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        heap->root = meld(heap->root, children);
    }
    node->child = node->next = node->prev = NULL;
}

struct heap_node *heap_walk(const struct heap *heap, const struct heap_node *node)
{
    if (!node)
        return heap->root;
    if (node->child)
        return node->child;
    for (;;) {
        if (node->next)
            return node->next;
        while (node->prev && node->prev->child != node)
            node = node->prev;
        if (!node->prev)
            return NULL;
        node = node->prev;
    }
}
