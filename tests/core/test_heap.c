/* The pairing heap against a sorted array, with random operations from fixed seeds: the least is
 * the least, ties go by the second key, any node can be removed, a walk meets each node once. */
#include "core/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES_MAX 300

struct item {
    int before; /* keeps `node` off the start, for HEAP_ENTRY */
    struct heap_node node;
    bool inside, met;
};

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

static int by_key_and_tie(const void *a, const void *b)
{
    const struct heap_node *left = &(*(struct item *const *)a)->node;
    const struct heap_node *right = &(*(struct item *const *)b)->node;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return (left->tie > right->tie) - (left->tie < right->tie);
}

static void compare(struct heap *heap, struct item *items, unsigned count)
{
    struct item *sorted[NODES_MAX];
    unsigned inside = 0, met = 0;
    for (unsigned i = 0; i < count; i++) {
        items[i].met = false;
        if (items[i].inside)
            sorted[inside++] = &items[i];
    }
    for (struct heap_node *node = NULL; (node = heap_walk(heap, node)); met++) {
        struct item *item = HEAP_ENTRY(node, struct item, node);
        assert_true(item->inside);
        assert_false(item->met);
        item->met = true;
    }
    assert_int_equal(met, inside);
    qsort(sorted, inside, sizeof(sorted[0]), by_key_and_tie);
    assert_ptr_equal(heap_min(heap), inside ? &sorted[0]->node : NULL);
}

static void random_operations(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        static struct item items[NODES_MAX];
        struct heap heap = {NULL};
        unsigned count = 1 + seed * 14, keys = seed % 3 ? 8 : 100000;
        random_state = seed;
        for (unsigned i = 0; i < count; i++)
            items[i] = (struct item){.inside = false};
        for (unsigned step = 0; step < 1500; step++) {
            struct item *item = &items[draw(count)];
            if (!item->inside && draw(3)) {
                heap_insert(&heap, &item->node, (int64_t)draw(keys) - 4, (int64_t)(item - items));
                item->inside = true;
            } else if (item->inside && draw(2)) {
                heap_remove(&heap, &item->node);
                item->inside = false;
            } else if (heap_min(&heap)) {
                struct item *least = HEAP_ENTRY(heap_min(&heap), struct item, node);
                heap_remove(&heap, &least->node);
                least->inside = false;
            }
            if (step % 5 == 0)
                compare(&heap, items, count);
        }
        compare(&heap, items, count);
    }
}

/* What a queue does: put in, taken out in order, whatever the order of putting in. */
static void comes_out_sorted(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct heap_node *nodes = calloc(COUNT, sizeof(*nodes));
    assert_non_null(nodes);
    for (int shape = 0; shape < 3; shape++) {
        struct heap heap = {NULL};
        random_state = 7;
        for (int i = 0; i < COUNT; i++) {
            int64_t key = shape == 0 ? i : shape == 1 ? -i : (int64_t)draw(50);
            heap_insert(&heap, &nodes[i], key, i);
        }
        int64_t last_key = INT64_MIN, last_tie = INT64_MIN;
        int count = 0;
        for (struct heap_node *node; (node = heap_min(&heap)); count++) {
            assert_true(node->key > last_key || (node->key == last_key && node->tie > last_tie));
            last_key = node->key;
            last_tie = node->tie;
            heap_remove(&heap, node);
        }
        assert_int_equal(count, COUNT);
        assert_null(heap_walk(&heap, NULL));
    }
    free(nodes);
}

static void extreme_keys(void **state)
{
    (void)state;
    struct heap heap = {NULL};
    struct heap_node nodes[3];
    heap_insert(&heap, &nodes[0], INT64_MAX, INT64_MIN);
    heap_insert(&heap, &nodes[1], INT64_MIN, INT64_MAX);
    heap_insert(&heap, &nodes[2], INT64_MIN, INT64_MIN);
    assert_ptr_equal(heap_min(&heap), &nodes[2]);
    heap_remove(&heap, &nodes[2]);
    assert_ptr_equal(heap_min(&heap), &nodes[1]);
    heap_remove(&heap, &nodes[0]);
    assert_ptr_equal(heap_min(&heap), &nodes[1]);
    heap_remove(&heap, &nodes[1]);
    assert_null(heap_min(&heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(comes_out_sorted),
        cmocka_unit_test(extreme_keys),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
