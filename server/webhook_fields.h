/* The values of a webhook's fields: what create and update accept. Each function returns false with
 * *error set if the value breaks its rule; `field` names it there. Texts and names point into the
 * tree. */
#ifndef REVHOOK_SERVER_WEBHOOK_FIELDS_H
#define REVHOOK_SERVER_WEBHOOK_FIELDS_H

#include "server/api.h"

#define HEADER_NAME_BYTES_MAX  128
#define HEADER_VALUE_BYTES_MAX 4096

/* `url`: judged by dispatcher/egress.h; `target` becomes the form that is dialled. */
bool fields_url(const struct api *api, const struct json_t *value, char target[EGRESS_URL_MAX + 1],
                struct error *error);

/* `secret`: 8 to 32 bytes of text, or base64 of as many (DevRev OpenAPI). */
bool fields_secret(const struct json_t *value, struct error *error);

/* A list of event types, into a set. NULL: an empty set. */
bool fields_event_types(const struct json_t *array, const char *field, struct event_set *set,
                        struct error *error);

/* A list of headers (DevRev OpenAPI: at most 8; letters, digits, '-' and '_' in a name). Of names
 * that are equal but for case the last counts. NULL: none. */
bool fields_headers(const struct json_t *array, const char *field,
                    struct webhook_header headers[WEBHOOK_HEADERS_MAX], size_t *count,
                    struct error *error);

/* A list of header names to remove; names that no header can have are left out. NULL: none. */
bool fields_header_names(const struct json_t *array, const char *field,
                         const char *names[WEBHOOK_HEADERS_MAX], size_t *count,
                         struct error *error);

/* `signature`: the parts that it sets. *reset tells whether it goes back to the service's form
 * first: a preset replaces everything that was set before. NULL: nothing is set. */
bool fields_signature(const struct json_t *object, struct sign_own *own, bool *reset,
                      struct error *error);

/* A list of statuses, into a mask of bits by enum webhook_state: those that show as one of them. */
bool fields_statuses(const struct api *api, const struct json_t *array, const char *field,
                     unsigned *states, struct error *error);

#endif
