/*
 * fuzz_canon.c - canonical JSON on arbitrary bytes.
 *
 * Checked for every input:
 *   - canonical text is accepted again and stays the same;
 *   - the bounds that canon.h promises for output and key entries hold;
 *   - the view over the canonical text finds every value: a copy of the document that is put
 *     together again from its keys and scalars is the same text;
 *   - Jansson, which was written by others, accepts the canonical text if and only if it accepts
 *     the input as JSON, and reads the same value from both. Where the two differ on purpose
 *     (numbers beyond a double, NUL in keys) Jansson's refusal does not count; it takes a NUL byte
 *     after the document for its end, so such input is not compared.
 */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/canon.h"
#include "tests/fuzz/fuzz.h"

struct text {
    char *at;
    size_t bytes;
};

static void append(struct text *t, const char *at, size_t bytes)
{
    memcpy(t->at + t->bytes, at, bytes);
    t->bytes += bytes;
}

/* Writes a value from its parts. Depth is bounded by what canon_document accepts. */
static void rebuild(struct text *t, struct canon_span value)
{
    enum canon_kind kind = canon_kind(value);
    struct canon_item item;
    bool more;

    if (kind != CANON_OBJECT && kind != CANON_ARRAY) {
        append(t, value.at, value.bytes);
        return;
    }
    append(t, kind == CANON_OBJECT ? "{" : "[", 1);
    more =
        kind == CANON_OBJECT ? canon_member_first(value, &item) : canon_element_first(value, &item);
    while (more) {
        if (kind == CANON_OBJECT) {
            append(t, "\"", 1);
            append(t, item.key.at, item.key.bytes);
            append(t, "\":", 2);
        }
        rebuild(t, item.value);
        more = kind == CANON_OBJECT ? canon_member_next(&item) : canon_element_next(&item);
        if (more) {
            append(t, ",", 1);
        }
    }
    append(t, kind == CANON_OBJECT ? "}" : "]", 1);
}

static enum canon_error canonical(const char *in, size_t bytes, struct text *out)
{
    size_t keys_max = canon_keys_max(bytes);
    struct canon c = {.in = in, .in_bytes = bytes, .out_capacity_bytes = canon_out_max(bytes)};
    enum canon_error error;

    c.out = malloc(c.out_capacity_bytes);
    c.keys = malloc(keys_max * sizeof(*c.keys));
    c.keys_max = keys_max;
    if (c.out == NULL || c.keys == NULL) {
        abort();
    }
    error = canon_document(&c);
    assert(error != CANON_TOO_LARGE && error != CANON_TOO_MANY_KEYS);
    assert(error != CANON_OK || c.error_offset_bytes == 0);
    assert(c.error_offset_bytes <= bytes);
    free(c.keys);
    out->at = c.out;
    out->bytes = c.out_bytes;
    return error;
}

/* Limits of Jansson that are not rules of JSON. */
static bool jansson_limit(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
    case json_error_stack_overflow:
    case json_error_out_of_memory: return true;
    default: return false;
    }
}

static void compare_with_jansson(const char *in, size_t bytes, enum canon_error error,
                                 const struct text *out)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES;
    json_error_t in_error;
    json_error_t out_error;
    json_t *from_in = json_loadb(in, bytes, flags | JSON_DECODE_INT_AS_REAL, &in_error);
    json_t *from_out;

    if (error != CANON_OK) {
        /* Jansson sees a duplicate or a depth where we do; it has no other leniency */
        assert(from_in == NULL || error == CANON_DEPTH);
        json_decref(from_in);
        return;
    }
    if (from_in == NULL) {
        assert(jansson_limit(&in_error));
        return;
    }
    from_out = json_loadb(out->at, out->bytes, flags | JSON_DECODE_INT_AS_REAL, &out_error);
    assert(from_out != NULL);
    assert(json_equal(from_in, from_out));
    json_decref(from_in);
    json_decref(from_out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *in = (const char *)data;
    struct text first;
    struct text second;
    enum canon_error error = canonical(in, bytes, &first);

    if (memchr(in, '\0', bytes) == NULL) {
        compare_with_jansson(in, bytes, error, &first);
    }
    if (error == CANON_OK) {
        struct text rebuilt = {malloc(first.bytes), 0};

        assert(rebuilt.at != NULL);
        assert(canonical(first.at, first.bytes, &second) == CANON_OK);
        assert(second.bytes == first.bytes && memcmp(second.at, first.at, first.bytes) == 0);
        rebuild(&rebuilt, (struct canon_span){first.at, first.bytes});
        assert(rebuilt.bytes == first.bytes);
        assert(memcmp(rebuilt.at, first.at, first.bytes) == 0);
        free(rebuilt.at);
        free(second.at);
    }
    free(first.at);
    return 0;
}
