/* Query strings of GET requests, as trees like those of bodies. */
#ifndef REVHOOK_SERVER_QUERY_H
#define REVHOOK_SERVER_QUERY_H

#include "server/json.h"

/* Makes a tree of `query`, by the kinds that `fields` give its names. Arrays may be repeated names
 * (`status=a&status=b`, `status[]=a`) or comma lists (`status=a,b`), each element with or without
 * double quotes: every form that DevRev's SDK and OpenAPI style send; an empty one (`status=`) adds
 * nothing. Names that are no field become strings, for tree_check to refuse. On success true, and
 * *root is the caller's. On error false and *error is a value_not_permitted (or service_unavailable
 * for want of memory). */
bool query_read(struct text query, const struct tree_field *fields, struct json_t **root,
                struct error *error);

/* Decodes percent-encoding and '+' of `text` into `out` (text.bytes of room); returns the bytes
 * written, or SIZE_MAX if a '%' is not followed by two hexadecimal digits. Pure. */
size_t query_decode(char *out, struct text text);

#endif
