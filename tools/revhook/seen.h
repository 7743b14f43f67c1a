/*
 * seen.h - how often an event id has arrived.
 */
#ifndef REVHOOK_SEEN_H
#define REVHOOK_SEEN_H

#include <stddef.h>
#include <stdint.h>

#define SEEN_IDS_MAX 1000000

struct seen_slot {
    uint64_t hash; /* 0: empty */
    uint32_t times;
};

/* Starts as all zero bytes; seen_free releases it. */
struct seen {
    struct seen_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* Counts one more arrival of id and returns how many there have been, this one included. When
 * SEEN_IDS_MAX different ids are known, a new one is no longer remembered and 0 is returned. */
uint32_t seen_add(struct seen *seen, const char *id, size_t length);

/* Releases the memory. */
void seen_free(struct seen *seen);

#endif
