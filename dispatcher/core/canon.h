/*
 * canon.h - canonical JSON: one strict pass that validates and rewrites, and a view over the
 * result.
 *
 * Every body that leaves the service is canonical text, so that a receiver that parses and
 * serialises a body again before it checks the signature gets the same bytes. Canonical means:
 *
 *   - no white space between tokens, members in the order in which the publisher sent them;
 *   - strings as JSON.stringify prints them: raw UTF-8; the short forms \b \f \n \r \t \" \\;
 *     lower-case \u00xx for the other control characters below 0x20 and for nothing else;
 *   - a number is what JSON.stringify prints if that has exactly the same decimal value
 *     (1.0 -> 1, 1e2 -> 100, 0.10 -> 0.1, 1E21 -> 1e+21); otherwise it stays byte for byte as it
 *     came (integers that no double holds, 1e400, 1e-400, -0).
 *
 * JSON.stringify(JSON.parse(text)) of canonical text is the text itself, where no number stayed
 * byte for byte and no object has a key that looks like an array index (engines move those).
 *
 * Nothing here allocates, recurses, reads a clock or keeps a global. All functions may be called
 * from any thread on their own arguments. The number code uses strtod and snprintf and expects
 * the "C" numeric locale, which every program has that does not call setlocale.
 */
#ifndef REVHOOK_CORE_CANON_H
#define REVHOOK_CORE_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CANON_DEPTH_DEFAULT = 64,       /* containers inside one another, unless asked otherwise */
    CANON_DEPTH_LIMIT = 256,        /* the largest depth_max that may be asked for */
    CANON_IN_BYTES_MAX = 256 << 20, /* larger input is CANON_TOO_LARGE without a look at it */
    CANON_NUMBER_BYTES_MAX = 32,    /* room for any number that canon_number writes */
};

enum canon_error {
    CANON_OK = 0,
    CANON_SYNTAX,        /* not JSON as RFC 8259 defines it, a byte order mark included */
    CANON_UTF8,          /* a string with bytes that are not UTF-8 */
    CANON_SURROGATE,     /* a \u escape that is half of a surrogate pair */
    CANON_DUPLICATE_KEY, /* the same key twice in one object, however the two are written */
    CANON_DEPTH,         /* more than depth_max containers inside one another */
    CANON_TOO_LARGE,     /* the result does not fit into out_capacity_bytes */
    CANON_TOO_MANY_KEYS, /* more keys open at one moment than keys_max */
};

/* One key of an object that is still open. The caller provides the memory and never looks inside.
 */
struct canon_key {
    uint64_t tag;
    uint32_t at;
    uint32_t bytes;
};

struct canon {
    const char *in;
    size_t in_bytes;
    char *out; /* must not overlap `in` */
    size_t out_capacity_bytes;
    struct canon_key *keys;
    size_t keys_max;
    unsigned depth_max; /* 1 to CANON_DEPTH_LIMIT; 0 means CANON_DEPTH_DEFAULT */

    /* results */
    size_t out_bytes;          /* length of the canonical text; 0 after an error */
    size_t error_offset_bytes; /* where in `in` the error was noticed; 0 without an error */
};

/*
 * Reads one JSON value with optional white space around it and writes its canonical form to
 * c->out (no NUL is added). On an error the contents of `out` are unspecified. Time is
 * O(n log n) for any input. Every depth counts: [] has depth 1, [[]] has depth 2.
 * CANON_TOO_MANY_KEYS may be answered by calling again with canon_keys_max(in_bytes) entries.
 */
enum canon_error canon_document(struct canon *c);

/* A short English text for people, "" for CANON_OK. Static memory. */
const char *canon_error_text(enum canon_error error);

/* Whether bytes are valid UTF-8. Pure; any thread. */
bool canon_is_utf8(const char *at, size_t bytes);

/* A number of key entries that no input of this size can exceed. */
size_t canon_keys_max(size_t in_bytes);

/* An output size that no canonical form of an input of this size can exceed (1e20 has 21 digits).
 */
size_t canon_out_max(size_t in_bytes);

/*
 * Rewrites one number. `text` must already be a number by the grammar of RFC 8259. Returns the
 * bytes written to `out` (no NUL), or 0 if the number has to stay byte for byte as it is.
 */
size_t canon_number(const char *text, size_t bytes, char out[CANON_NUMBER_BYTES_MAX]);

/*
 * The view: reads text that canon_document wrote. It trusts the text to be canonical and so
 * checks nothing but the bounds; text that is not canonical stops the program by an assertion
 * or gives spans without meaning, but no access outside of the span.
 */
struct canon_span {
    const char *at;
    size_t bytes;
};

enum canon_kind {
    CANON_OBJECT,
    CANON_ARRAY,
    CANON_STRING,
    CANON_NUMBER,
    CANON_BOOL,
    CANON_NULL,
};

/* The kind of a value. The span must not be empty. */
enum canon_kind canon_kind(struct canon_span value);

/* "object", "array", "string", "number", "bool" or "null", as DevRev's errors name JSON kinds. */
const char *canon_kind_name(enum canon_kind kind);

/* A member of an object or an element of an array, and the place in its container. */
struct canon_item {
    struct canon_span key;   /* canonical bytes between the quotes; empty for an element */
    struct canon_span value; /* the whole value, a string with its quotes */
    const char *end;         /* end of the container's text */
};

/* First member of an object; false if it has none. The value must be an object. */
bool canon_member_first(struct canon_span object, struct canon_item *item);

/* The member after `item`; false at the end, and then `item` is unchanged. */
bool canon_member_next(struct canon_item *item);

/* First element of an array; false if it has none. The value must be an array. */
bool canon_element_first(struct canon_span array, struct canon_item *item);

/* The element after `item`; false at the end, and then `item` is unchanged. */
bool canon_element_next(struct canon_item *item);

/*
 * Finds a member by its key. `key` is a C string without characters that canonical text escapes
 * (quote, backslash, controls). Cost is linear in the object. Returns false if there is none.
 */
bool canon_member_find(struct canon_span object, const char *key, struct canon_span *value);

/* Whether a span holds exactly the bytes of a C string. Meant for keys. */
bool canon_span_equals(struct canon_span span, const char *literal);

/* What is between the quotes of a string value, in canonical form. The value must be a string. */
struct canon_span canon_string_inner(struct canon_span string);

/*
 * Whether a value is a string with exactly this text. `literal` is a C string without characters
 * that canonical text escapes. False for values of other kinds.
 */
bool canon_string_equals(struct canon_span value, const char *literal);

#endif
