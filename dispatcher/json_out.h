/* JSON text in the making: a growing buffer and the few calls that write a value into it.
 *
 * Text comes out as JSON.stringify prints it: raw UTF-8, escapes only where they must be. The
 * caller keeps the nesting right; commas are set here. Memory that cannot be had stops the program,
 * as it does in libh2o: a service without memory for an answer has none for anything. One thread at
 * a time. */
#ifndef REVHOOK_DISPATCHER_JSON_OUT_H
#define REVHOOK_DISPATCHER_JSON_OUT_H

#include "core/time.h"
#include "dispatcher/text.h"

#include <stdint.h>

/* Zeroed: empty and ready. */
struct json_out {
    char *at; /* malloc'd; NULL while empty */
    size_t bytes, capacity;
    bool comma; /* the next value or key needs one before it */
};

/* Frees the buffer and makes it empty. */
void json_out_free(struct json_out *out);

void json_out_object(struct json_out *out);
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out);
void json_out_array_end(struct json_out *out);

/* A key; it must need no escaping. The value follows. */
void json_out_key(struct json_out *out, const char *key);

/* Values. Bytes of a text that are not UTF-8 come out as U+FFFD. */
void json_out_text(struct json_out *out, struct text text);
void json_out_string(struct json_out *out, const char *string);
void json_out_number(struct json_out *out, int64_t number);
void json_out_bool(struct json_out *out, bool value);
void json_out_null(struct json_out *out);

/* A value that is JSON already, byte for byte. */
void json_out_json(struct json_out *out, struct text json);

/* Key and value in one call. `string` NULL is null. */
void json_out_pair_string(struct json_out *out, const char *key, const char *string);
void json_out_pair_text(struct json_out *out, const char *key, struct text text);
void json_out_pair_number(struct json_out *out, const char *key, int64_t number);

#define JSON_OUT_DATE_BYTES 24 /* of "2026-01-31T12:00:00.000Z" */

/* Key and date: RFC 3339 with milliseconds, as DevRev's object dates have them, final zeros kept;
 * null for a wall time of 0. */
void json_out_pair_date(struct json_out *out, const char *key, wall_us wall);

/* Bytes as they are, outside of any value: for text that is not JSON at all. */
void json_out_bytes(struct json_out *out, const char *at, size_t bytes);

#endif
