/* Request bodies as bytes: which content types count as JSON, and the canonical text of a body. */
#ifndef REVHOOK_SERVER_BODY_H
#define REVHOOK_SERVER_BODY_H

#include "server/errors.h"

/* Whether the body of a POST may be read as JSON: its type is application/json (any parameters),
 * missing, or application/x-www-form-urlencoded (what curl -d sends). application/json with no body
 * is refused, as DevRev does. With an acceptable type and no body, `*empty` is set: the request
 * counts as {}. On false *error is an invalid_content_type. */
bool body_check_type(const struct http_request *request, bool *empty, struct error *error);

/* Writes the canonical form of `body` into malloc'd memory that is the caller's. On error false,
 * and *error is a parse_error that says what and where, or service_unavailable for want of memory.
 */
bool body_canonical(struct text body, unsigned depth_max, struct text *canonical,
                    struct error *error);

#endif
