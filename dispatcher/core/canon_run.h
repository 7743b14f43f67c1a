/*
 * canon_run.h - the state of one canonical pass, shared by the canon_*.c files and nobody else.
 */
#ifndef REVHOOK_CORE_CANON_RUN_H
#define REVHOOK_CORE_CANON_RUN_H

#include "core/canon.h"

#include <string.h>

#define CANON_IS_ARRAY      UINT32_MAX
#define CANON_REPEAT8(byte) (UINT64_C(0x0101010101010101) * (byte))

struct canon_run {
    const unsigned char *in;
    const unsigned char *in_end;
    char *out;
    char *out_start;
    char *out_end;
    struct canon_key *keys; /* of all open objects, the innermost one's last */
    size_t keys_count;
    size_t keys_max;
    unsigned depth;
    unsigned depth_max;
    uint32_t first_key[CANON_DEPTH_LIMIT]; /* of each open object, or CANON_IS_ARRAY */
};

/* Eight bytes as a number whose lowest byte is the first one. */
static inline uint64_t canon_load8(const void *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint32_t canon_load4(const void *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Writes one byte; false if it does not fit. */
static inline bool canon_put_byte(struct canon_run *r, char byte)
{
    if (r->out == r->out_end) {
        return false;
    }
    *r->out++ = byte;
    return true;
}

/* Writes `count` bytes, all or none; false if they do not fit. */
static inline bool canon_put_bytes(struct canon_run *r, const void *bytes, size_t count)
{
    if ((size_t)(r->out_end - r->out) < count) {
        return false;
    }
    memcpy(r->out, bytes, count);
    r->out += count;
    return true;
}

/*
 * Copies a string with both quotes; r->in stands on the first. On an error r->in stands where it
 * was noticed.
 */
enum canon_error canon_copy_string(struct canon_run *r);

/*
 * Adds a key to the innermost object. `at` points to its canonical form within the output.
 * CANON_OK, CANON_TOO_MANY_KEYS or CANON_DUPLICATE_KEY; a duplicate of an object with many keys
 * is only seen by canon_keys_close.
 */
enum canon_error canon_keys_add(struct canon_run *r, const char *at, size_t bytes);

/* Forgets the keys of the innermost object; false if two of them are equal. */
bool canon_keys_close(struct canon_run *r);

#endif
