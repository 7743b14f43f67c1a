/*
 * canon.c - strict JSON in, canonical JSON out, in one pass.
 *
 * Owns the grammar of RFC 8259: tokens, containers, and what may follow what. Strings are copied
 * by canon_string.c, numbers rewritten by canon_number.c, keys compared by canon_keys.c; the
 * result is read with canon_view.c.
 *
 * The pass walks the input once and writes as it goes: begin_value and end_value take turns until
 * the outermost value has ended. Containers that are open are kept in a fixed array, so deep
 * nesting costs no stack and is refused at a known depth.
 *
 * It refuses what receivers read differently from one another (duplicate keys, lone surrogates,
 * invalid UTF-8) and everything that is not JSON: byte order marks, NUL and other raw controls,
 * leading zeros, comments, trailing commas, anything after the value. It never repairs input.
 */
#include "core/canon.h"
#include "core/canon_run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static inline void skip_space(struct canon_run *r)
{
    while (r->in < r->in_end && *r->in <= ' ' &&
           (*r->in == ' ' || *r->in == '\n' || *r->in == '\r' || *r->in == '\t')) {
        r->in++;
    }
}

static inline const unsigned char *skip_digits(const unsigned char *at, const unsigned char *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* A number; r->in stands on a minus or a digit. */
static enum canon_error copy_number(struct canon_run *r)
{
    const unsigned char *start = r->in;
    const unsigned char *digits = start + (*start == '-');
    const unsigned char *at = skip_digits(digits, r->in_end);
    bool plain = at - start <= 15 && *start != '-'; /* a short integer is canonical as it is */
    char text[CANON_NUMBER_BYTES_MAX];
    size_t bytes;

    if (at == digits || (*digits == '0' && at - digits > 1)) {
        r->in = digits; /* no digit, or a leading zero */
        return CANON_SYNTAX;
    }
    if (at < r->in_end && *at == '.') {
        plain = false;
        digits = at + 1;
        at = skip_digits(digits, r->in_end);
        if (at == digits) {
            r->in = at;
            return CANON_SYNTAX;
        }
    }
    if (at < r->in_end && (*at == 'e' || *at == 'E')) {
        plain = false;
        digits = at + 1;
        digits += digits < r->in_end && (*digits == '+' || *digits == '-');
        at = skip_digits(digits, r->in_end);
        if (at == digits) {
            r->in = at;
            return CANON_SYNTAX;
        }
    }
    r->in = at;
    bytes = plain ? 0 : canon_number((const char *)start, (size_t)(at - start), text);
    if (bytes == 0) {
        return canon_put_bytes(r, start, (size_t)(at - start)) ? CANON_OK : CANON_TOO_LARGE;
    }
    return canon_put_bytes(r, text, bytes) ? CANON_OK : CANON_TOO_LARGE;
}

static enum canon_error copy_word(struct canon_run *r, const char *word, size_t length)
{
    if ((size_t)(r->in_end - r->in) < length || memcmp(r->in, word, length) != 0) {
        return CANON_SYNTAX;
    }
    r->in += length;
    return canon_put_bytes(r, word, length) ? CANON_OK : CANON_TOO_LARGE;
}

/* A key, its colon and what may stand between; r->in stands where the key should start. */
static enum canon_error copy_key(struct canon_run *r)
{
    const unsigned char *start = r->in;
    char *out = r->out;
    enum canon_error error;

    if (r->in == r->in_end || *r->in != '"') {
        return CANON_SYNTAX;
    }
    error = canon_copy_string(r);
    if (error != CANON_OK) {
        return error;
    }
    error = canon_keys_add(r, out + 1, (size_t)(r->out - out - 2));
    if (error != CANON_OK) {
        r->in = start;
        return error;
    }
    skip_space(r);
    if (r->in == r->in_end || *r->in != ':') {
        return CANON_SYNTAX;
    }
    r->in++;
    return canon_put_byte(r, ':') ? CANON_OK : CANON_TOO_LARGE;
}

/* Opens a container; r->in stands on its bracket. *has_content says whether a value follows. */
static enum canon_error open_container(struct canon_run *r, bool *has_content)
{
    bool object = *r->in == '{';

    if (r->depth == r->depth_max) {
        return CANON_DEPTH;
    }
    if (!canon_put_byte(r, (char)*r->in)) {
        return CANON_TOO_LARGE;
    }
    r->in++;
    r->first_key[r->depth++] = object ? (uint32_t)r->keys_count : CANON_IS_ARRAY;
    skip_space(r);
    *has_content = !(r->in < r->in_end && *r->in == (object ? '}' : ']'));
    return *has_content && object ? copy_key(r) : CANON_OK;
}

/* Closes the innermost container; r->in stands on its closing bracket, which fits. */
static enum canon_error close_container(struct canon_run *r)
{
    if (r->first_key[r->depth - 1] != CANON_IS_ARRAY && !canon_keys_close(r)) {
        return CANON_DUPLICATE_KEY;
    }
    r->depth--;
    if (!canon_put_byte(r, (char)*r->in)) {
        return CANON_TOO_LARGE;
    }
    r->in++;
    return CANON_OK;
}

/* A whole scalar, or the beginning of a container up to its first value (*opened is true then). */
static enum canon_error begin_value(struct canon_run *r, bool *opened)
{
    *opened = false;
    skip_space(r);
    if (r->in == r->in_end) {
        return CANON_SYNTAX;
    }
    switch (*r->in) {
    case '"': return canon_copy_string(r);
    case '{':
    case '[': {
        enum canon_error error = open_container(r, opened);

        return error != CANON_OK || *opened ? error : close_container(r);
    }
    case 't': return copy_word(r, "true", 4);
    case 'f': return copy_word(r, "false", 5);
    case 'n': return copy_word(r, "null", 4);
    default: return copy_number(r);
    }
}

/* What follows a value: closing brackets, then the comma (and key) before the next value, or the
 * end of the document (*done is true then). */
static enum canon_error end_value(struct canon_run *r, bool *done)
{
    enum canon_error error;

    *done = false;
    for (;;) {
        bool object;

        skip_space(r);
        if (r->depth == 0) {
            *done = true;
            return r->in == r->in_end ? CANON_OK : CANON_SYNTAX;
        }
        if (r->in == r->in_end) {
            return CANON_SYNTAX;
        }
        object = r->first_key[r->depth - 1] != CANON_IS_ARRAY;
        if (*r->in == ',') {
            r->in++;
            if (!canon_put_byte(r, ',')) {
                return CANON_TOO_LARGE;
            }
            skip_space(r);
            return object ? copy_key(r) : CANON_OK;
        }
        if (*r->in != (object ? '}' : ']')) {
            return CANON_SYNTAX;
        }
        error = close_container(r);
        if (error != CANON_OK) {
            return error;
        }
    }
}

enum canon_error canon_document(struct canon *c)
{
    enum canon_error error = CANON_OK;
    bool opened;
    bool done = false;
    struct canon_run r;

    assert(c->depth_max <= CANON_DEPTH_LIMIT);
    c->out_bytes = 0;
    c->error_offset_bytes = 0;
    if (c->in_bytes > CANON_IN_BYTES_MAX) {
        return CANON_TOO_LARGE;
    }
    r.in = (const unsigned char *)c->in;
    r.in_end = r.in + c->in_bytes;
    r.out = c->out;
    r.out_start = c->out;
    r.out_end = c->out + c->out_capacity_bytes;
    r.keys = c->keys;
    r.keys_count = 0;
    r.keys_max = c->keys_max;
    r.depth = 0;
    r.depth_max = c->depth_max == 0 ? CANON_DEPTH_DEFAULT : c->depth_max;
    while (error == CANON_OK && !done) {
        error = begin_value(&r, &opened);
        if (error == CANON_OK && !opened) {
            error = end_value(&r, &done);
        }
    }
    if (error != CANON_OK) {
        c->error_offset_bytes = (size_t)(r.in - (const unsigned char *)c->in);
        return error;
    }
    c->out_bytes = (size_t)(r.out - c->out);
    return CANON_OK;
}

const char *canon_error_text(enum canon_error error)
{
    switch (error) {
    case CANON_OK: return "";
    case CANON_SYNTAX: return "not valid JSON";
    case CANON_UTF8: return "invalid UTF-8 in a string";
    case CANON_SURROGATE: return "half of a surrogate pair in a \\u escape";
    case CANON_DUPLICATE_KEY: return "the same key twice in one object";
    case CANON_DEPTH: return "nested too deeply";
    case CANON_TOO_LARGE: return "too large";
    case CANON_TOO_MANY_KEYS: return "too many keys";
    }
    abort();
}

size_t canon_keys_max(size_t in_bytes)
{
    /* A key takes at least {"": and, where the text goes on to its end, a bracket more. */
    return in_bytes / 4 + 1;
}

size_t canon_out_max(size_t in_bytes)
{
    /* The number that grows most is 1e20, from 4 to 21 bytes (with its comma from 5 to 22). */
    return in_bytes * 5 + 1;
}
