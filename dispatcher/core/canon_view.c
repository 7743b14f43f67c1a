/*
 * canon_view.c - reading canonical text without building a tree.
 *
 * A value is a span of bytes. To move on from a value one needs only its end: of a string the next
 * quote that is not escaped, of a container the bracket that brings the depth back to zero, of
 * anything else the next comma or bracket. Publishing looks at each event this way, so the two
 * searches go eight bytes at a time, or 64 where the processor has SSE2.
 *
 * The text is trusted: canon_document wrote it. The only checks are that no byte outside of the
 * span is read and that what is expected stands where it must; text that breaks the promise stops
 * the program by an assertion. Nothing is decoded here: keys and strings are compared in canonical
 * form, in which plain text is itself.
 */
#include "core/canon.h"
#include "core/canon_run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The top bit of the first byte of eight that is zero; bits above that one mean nothing. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - CANON_REPEAT8(1)) & ~word & CANON_REPEAT8(0x80);
}

/* The quote that ends the string whose content starts at `at`. */
static const char *string_end(const char *at, const char *end)
{
    for (;;) {
        while (end - at >= 8) {
            uint64_t word = canon_load8(at);
            uint64_t found =
                zero_bytes(word ^ CANON_REPEAT8('"')) | zero_bytes(word ^ CANON_REPEAT8('\\'));

            if (found != 0) {
                at += __builtin_ctzll(found) / 8;
                break;
            }
            at += 8;
        }
        while (at < end && *at != '"' && *at != '\\') {
            at++;
        }
        assert(at < end);
        if (*at == '"') {
            return at;
        }
        assert(end - at >= 2);
        at += 2; /* of \u00xx the four digits are plain */
    }
}

/*
 * Outside of strings a byte is a bracket exactly if setting bit 5 and clearing bits 1 and 2 makes
 * it 0x79: [ ] { } do, and no digit, sign, comma, colon or letter of true, false, null, e and E.
 */
#define BRACKET_SET   0x20
#define BRACKET_KEEP  0xf9
#define BRACKET_VALUE 0x79

#if defined(__SSE2__)

/* One bit for each of 64 bytes. */
struct block {
    uint64_t quotes;
    uint64_t backslashes;
    uint64_t brackets; /* inside of strings also some other characters */
    uint64_t opening;  /* within `brackets`: bit 1 tells [ { from ] } */
};

static inline uint64_t mask16(__m128i bytes, unsigned shift)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(bytes) << shift;
}

static inline struct block read_block(const char *at)
{
    struct block b = {0, 0, 0, 0};

    for (unsigned i = 0; i < 64; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        __m128i folded = _mm_and_si128(_mm_or_si128(bytes, _mm_set1_epi8(BRACKET_SET)),
                                       _mm_set1_epi8((char)BRACKET_KEEP));

        b.quotes |= mask16(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), i);
        b.backslashes |= mask16(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')), i);
        b.brackets |= mask16(_mm_cmpeq_epi8(folded, _mm_set1_epi8(BRACKET_VALUE)), i);
        b.opening |= mask16(_mm_slli_epi16(bytes, 6), i); /* bit 1 to bit 7 of each byte */
    }
    b.opening &= b.brackets;
    return b;
}

/* Bit n of the result is the parity of bits 0 to n: set from an opening quote up to its end. */
static inline uint64_t parity_up_to(uint64_t bits)
{
    for (unsigned shift = 1; shift < 64; shift *= 2) {
        bits ^= bits << shift;
    }
    return bits;
}

/* Written out, because without the instruction compilers call a library for it. */
static inline unsigned count_bits(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(bits * UINT64_C(0x0101010101010101) >> 56);
}

/*
 * Skips blocks of 64 bytes that have no backslash. Starts outside of strings, with `depth`
 * containers open. Returns true with *at behind the bracket that closes the last one, or false
 * with *at outside of strings in front of what could not be skipped.
 */
static bool skip_blocks(const char **at, const char *end, size_t *depth)
{
    uint64_t in_string = 0; /* all bits or none */

    for (; end - *at >= 64; *at += 64) {
        struct block b = read_block(*at);
        uint64_t inside = parity_up_to(b.quotes) ^ in_string;
        uint64_t brackets = b.brackets & ~inside;
        size_t opening = (size_t)count_bits(b.opening & brackets);
        size_t closing = (size_t)count_bits(brackets) - opening;

        if (b.backslashes != 0) {
            break;
        }
        in_string = (uint64_t)((int64_t)inside >> 63);
        if (closing < *depth) {
            *depth = *depth + opening - closing;
            continue;
        }
        for (; brackets != 0; brackets &= brackets - 1) { /* the end may be in this block */
            unsigned bit = (unsigned)__builtin_ctzll(brackets);

            *depth = (b.opening >> bit & 1) != 0 ? *depth + 1 : *depth - 1;
            if (*depth == 0) {
                *at += bit + 1;
                return true;
            }
        }
    }
    if (in_string != 0) {
        *at = string_end(*at, end) + 1;
    }
    return false;
}

#else

static bool skip_blocks(const char **at, const char *end, size_t *depth)
{
    (void)at;
    (void)end;
    (void)depth;
    return false;
}

#endif

/* The next quote or bracket from a place outside of strings. */
static const char *next_mark(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word = canon_load8(at);
        uint64_t folded = (word | CANON_REPEAT8(BRACKET_SET)) & CANON_REPEAT8(BRACKET_KEEP);
        uint64_t found = zero_bytes(word ^ CANON_REPEAT8('"')) |
                         zero_bytes(folded ^ CANON_REPEAT8(BRACKET_VALUE));

        if (found != 0) {
            return at + __builtin_ctzll(found) / 8;
        }
        at += 8;
    }
    while (at < end && *at != '"' && ((*at | BRACKET_SET) & BRACKET_KEEP) != BRACKET_VALUE) {
        at++;
    }
    assert(at < end);
    return at;
}

/* The end of the object or array that starts at `at`. */
static const char *container_end(const char *at, const char *end)
{
    size_t depth = 1;

    at++;
    while (!skip_blocks(&at, end, &depth)) {
        at = next_mark(at, end);
        if (*at == '"') {
            at = string_end(at + 1, end) + 1;
            continue;
        }
        depth = *at == '{' || *at == '[' ? depth + 1 : depth - 1;
        at++;
        if (depth == 0) {
            break;
        }
    }
    return at;
}

/* The end of the value that starts at `at`. */
static const char *value_end(const char *at, const char *end)
{
    assert(at < end);
    switch (*at) {
    case '"': return string_end(at + 1, end) + 1;
    case '{':
    case '[': return container_end(at, end);
    default: break;
    }
    while (at < end && *at != ',' && *at != '}' && *at != ']') {
        at++;
    }
    return at;
}

enum canon_kind canon_kind(struct canon_span value)
{
    assert(value.bytes > 0);
    switch (value.at[0]) {
    case '{': return CANON_OBJECT;
    case '[': return CANON_ARRAY;
    case '"': return CANON_STRING;
    case 't':
    case 'f': return CANON_BOOL;
    case 'n': return CANON_NULL;
    default: return CANON_NUMBER;
    }
}

const char *canon_kind_name(enum canon_kind kind)
{
    switch (kind) {
    case CANON_OBJECT: return "object";
    case CANON_ARRAY: return "array";
    case CANON_STRING: return "string";
    case CANON_NUMBER: return "number";
    case CANON_BOOL: return "bool";
    case CANON_NULL: return "null";
    }
    abort();
}

/* Reads the value at `at` into the item. */
static void read_value(struct canon_item *item, const char *at)
{
    item->value.at = at;
    item->value.bytes = (size_t)(value_end(at, item->end) - at);
}

/* Reads the key and value at `at` into the item. */
static void read_member(struct canon_item *item, const char *at)
{
    const char *key_end;

    assert(*at == '"');
    key_end = string_end(at + 1, item->end);
    item->key.at = at + 1;
    item->key.bytes = (size_t)(key_end - (at + 1));
    assert(item->end - key_end >= 2 && key_end[1] == ':');
    read_value(item, key_end + 2);
}

/* Where the item after this one starts, or NULL at the end of the container. */
static const char *next_start(const struct canon_item *item)
{
    const char *at = item->value.at + item->value.bytes;

    assert(at < item->end);
    if (*at != ',') {
        return NULL;
    }
    assert(item->end - at >= 2);
    return at + 1;
}

/* Where the first item starts, or NULL if the container is empty. */
static const char *first_start(struct canon_span container, char open, struct canon_item *item)
{
    assert(container.bytes >= 2 && container.at[0] == open);
    item->end = container.at + container.bytes;
    item->key.at = container.at;
    item->key.bytes = 0;
    return container.bytes == 2 ? NULL : container.at + 1;
}

bool canon_member_first(struct canon_span object, struct canon_item *item)
{
    const char *at = first_start(object, '{', item);

    if (at != NULL) {
        read_member(item, at);
    }
    return at != NULL;
}

bool canon_member_next(struct canon_item *item)
{
    const char *at = next_start(item);

    if (at != NULL) {
        read_member(item, at);
    }
    return at != NULL;
}

bool canon_element_first(struct canon_span array, struct canon_item *item)
{
    const char *at = first_start(array, '[', item);

    if (at != NULL) {
        read_value(item, at);
    }
    return at != NULL;
}

bool canon_element_next(struct canon_item *item)
{
    const char *at = next_start(item);

    if (at != NULL) {
        read_value(item, at);
    }
    return at != NULL;
}

bool canon_member_find(struct canon_span object, const char *key, struct canon_span *value)
{
    struct canon_item item;

    for (bool more = canon_member_first(object, &item); more; more = canon_member_next(&item)) {
        if (canon_span_equals(item.key, key)) {
            *value = item.value;
            return true;
        }
    }
    return false;
}

bool canon_span_equals(struct canon_span span, const char *literal)
{
    size_t bytes = strlen(literal);

    return span.bytes == bytes && memcmp(span.at, literal, bytes) == 0;
}

struct canon_span canon_string_inner(struct canon_span string)
{
    assert(string.bytes >= 2 && string.at[0] == '"');
    return (struct canon_span){string.at + 1, string.bytes - 2};
}

bool canon_string_equals(struct canon_span value, const char *literal)
{
    return canon_kind(value) == CANON_STRING &&
           canon_span_equals(canon_string_inner(value), literal);
}
