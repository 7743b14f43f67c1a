/*
 * canon_keys.c - a key may occur once in an object.
 *
 * Keys are compared in their canonical form, which two keys share exactly if they are equal after
 * decoding. The keys of every open object lie on one stack in the caller's memory, those of the
 * innermost object on top. Each new key is compared with the earlier ones of its object while they
 * are few; an object with many keys is sorted once when it closes, by heap sort, which no input
 * can make quadratic.
 */
#include "core/canon.h"
#include "core/canon_run.h"

enum {
    PAIRWISE_KEYS_MAX = 32 /* objects with more keys than this are sorted instead */
};

/* Equal keys have equal tags. The length and the bytes at both ends are what differs in
 * practice; keys that are made to share a tag are still told apart, by all of their bytes. */
static uint64_t key_tag(const char *at, size_t bytes)
{
    uint64_t first = 0;
    uint64_t last = 0;

    if (bytes >= 8) {
        first = canon_load8(at);
        last = canon_load8(at + bytes - 8);
    } else if (bytes >= 4) {
        first = canon_load4(at);
        last = canon_load4(at + bytes - 4);
    } else if (bytes > 0) {
        first = (unsigned char)at[0] | (unsigned)(unsigned char)at[bytes / 2] << 8 |
                (unsigned)(unsigned char)at[bytes - 1] << 16;
    }
    return (first ^ (last << 29 | last >> 35) ^ bytes) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Any total order in which equal keys are equal. */
static int key_compare(const struct canon_run *r, const struct canon_key *a,
                       const struct canon_key *b)
{
    if (a->tag != b->tag) {
        return a->tag < b->tag ? -1 : 1;
    }
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? -1 : 1;
    }
    return memcmp(r->out_start + a->at, r->out_start + b->at, a->bytes);
}

/* Lets the entry at `root` sink to its place in a heap of `count` entries. */
static void heap_sink(const struct canon_run *r, struct canon_key *keys, size_t root, size_t count)
{
    struct canon_key sinking = keys[root];

    for (;;) {
        size_t child = 2 * root + 1;

        if (child >= count) {
            break;
        }
        if (child + 1 < count && key_compare(r, &keys[child], &keys[child + 1]) < 0) {
            child++;
        }
        if (key_compare(r, &sinking, &keys[child]) >= 0) {
            break;
        }
        keys[root] = keys[child];
        root = child;
    }
    keys[root] = sinking;
}

static bool sorted_has_duplicate(const struct canon_run *r, struct canon_key *keys, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) {
        heap_sink(r, keys, i, count);
    }
    for (size_t left = count; left-- > 1;) {
        struct canon_key largest = keys[0];

        keys[0] = keys[left];
        keys[left] = largest;
        heap_sink(r, keys, 0, left);
        if (left + 1 < count && key_compare(r, &keys[left], &keys[left + 1]) == 0) {
            return true;
        }
    }
    return count > 1 && key_compare(r, &keys[0], &keys[1]) == 0;
}

enum canon_error canon_keys_add(struct canon_run *r, const char *at, size_t bytes)
{
    struct canon_key *first = r->keys + r->first_key[r->depth - 1];
    struct canon_key *key = r->keys + r->keys_count;

    if (r->keys_count == r->keys_max) {
        return CANON_TOO_MANY_KEYS;
    }
    key->at = (uint32_t)(at - r->out_start);
    key->bytes = (uint32_t)bytes;
    key->tag = key_tag(at, bytes);
    r->keys_count++;
    if (key - first >= PAIRWISE_KEYS_MAX) {
        return CANON_OK;
    }
    for (const struct canon_key *other = first; other < key; other++) {
        if (other->tag == key->tag && key_compare(r, other, key) == 0) {
            return CANON_DUPLICATE_KEY;
        }
    }
    return CANON_OK;
}

bool canon_keys_close(struct canon_run *r)
{
    size_t first = r->first_key[r->depth - 1];
    size_t count = r->keys_count - first;

    r->keys_count = first;
    return count <= PAIRWISE_KEYS_MAX || !sorted_has_duplicate(r, r->keys + first, count);
}
