/* A small store on disk that was damaged, for fuzz_rows.c. */
#ifndef REVHOOK_TESTS_FUZZ_DAMAGE_H
#define REVHOOK_TESTS_FUZZ_DAMAGE_H

#include "store/store.h"

#include <stdint.h>
#include <string.h>

static inline struct store_bytes bytes_of(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

/* The event that the store holds four times. */
struct store_event damage_event_row(void);

/* Puts a copy of the store in place (the store itself is made the first time) and damages it as the
 * input says: with an even first byte it is a list of cells and what to write into them, else of
 * offsets in the file and bytes. Returns whether only cells were damaged. */
bool damage_store(const uint8_t *data, size_t bytes);

/* Opens it, as store_open_sqlite does. */
enum store_result damage_open(struct store **store, char error[256]);

#endif
