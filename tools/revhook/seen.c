/*
 * seen.c - how often an event id has arrived, see the header.
 *
 * An open-addressed table of 64-bit hashes (FNV-1a): 16 bytes an id, at most three quarters full.
 * The ids themselves are not kept; among a million of them two share a hash with a chance of one
 * in forty million, and what is at stake is the word "again" in a line for a person.
 */
#include "seen.h"

#include "revhook.h"

#include <stdlib.h>

static uint64_t hash_of(const char *id, size_t length)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)id[i]) * 1099511628211u;
    return hash != 0 ? hash : 1;
}

static struct seen_slot *find(struct seen_slot *slots, size_t capacity, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 32) & (capacity - 1);
    while (slots[i].hash != 0 && slots[i].hash != hash)
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

static void grow(struct seen *seen)
{
    size_t capacity = seen->capacity == 0 ? 1024 : seen->capacity * 2;
    struct seen_slot *slots = calloc(capacity, sizeof slots[0]);
    if (slots == NULL)
        out_of_memory();
    for (size_t i = 0; i < seen->capacity; i++)
        if (seen->slots[i].hash != 0)
            *find(slots, capacity, seen->slots[i].hash) = seen->slots[i];
    free(seen->slots);
    seen->slots = slots;
    seen->capacity = capacity;
}

uint32_t seen_add(struct seen *seen, const char *id, size_t length)
{
    if ((seen->count + 1) * 4 > seen->capacity * 3)
        grow(seen);
    struct seen_slot *slot = find(seen->slots, seen->capacity, hash_of(id, length));
    if (slot->hash == 0) {
        if (seen->count == SEEN_IDS_MAX)
            return 0;
        slot->hash = hash_of(id, length);
        seen->count++;
    }
    return ++slot->times;
}

void seen_free(struct seen *seen)
{
    free(seen->slots);
    seen->slots = NULL;
    seen->capacity = seen->count = 0;
}
