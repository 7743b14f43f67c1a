/* Error answers: every type of schema/error.def, one function for each shape of body.
 *
 * A body is one flat object: `message` (the reason phrase), `type`, then the fields of the type,
 * then `detail` for people (DevRev OpenAPI, common error schemas). What checks a request fills a
 * struct error; the route answers with it. */
#ifndef REVHOOK_SERVER_ERRORS_H
#define REVHOOK_SERVER_ERRORS_H

#include "dispatcher/text.h"
#include "server/http.h"

enum error_type {
#define X(type, http_status, text) ERROR_##type,
#include "../schema/error.def"
#undef X
    ERROR_TYPE_COUNT
};

#define ERROR_FIELD_BYTES_MAX  128
#define ERROR_DETAIL_BYTES_MAX 256

/* An error about to be answered. Texts are copied in, and cut where they are long; `reason`,
 * `actual`, `expected` and words are static. Filled by the functions below. */
struct error {
    enum error_type type;
    char field[ERROR_FIELD_BYTES_MAX]; /* field_name; "" may be a name: has_field */
    char value[ERROR_DETAIL_BYTES_MAX];
    char detail[ERROR_DETAIL_BYTES_MAX];
    bool has_field, has_value;
    size_t value_bytes;
    const char *actual, *expected, *reason;
    const char *const *allowed_values; /* ends with NULL */
    const char *allowed_type;
    int64_t max_bytes;
    int64_t retry_after_s;
};

/* Types without fields: parse_error, bad_request, unauthenticated, forbidden, not_found, conflict,
 * service_unavailable. `detail` may be NULL. */
void error_plain(struct error *error, enum error_type type, const char *detail);

/* invalid_field, missing_required_field, invalid_id. */
void error_field(struct error *error, enum error_type type, const char *field);

/* unexpected_json_type; kinds as canon_kind_name() has them. */
void error_kind(struct error *error, const char *field, const char *actual, const char *expected);

/* invalid_enum_value; `allowed` is static and ends with NULL. */
void error_enum(struct error *error, const char *field, struct text value,
                const char *const *allowed);

/* unexpected_id_type. */
void error_id_type(struct error *error, const char *field, struct text value,
                   const char *allowed_type);

/* value_not_permitted; `reason` is static. */
void error_value(struct error *error, const char *field, const char *reason);

/* invalid_api_version, invalid_content_type. */
void error_text(struct error *error, enum error_type type, struct text value);

/* request_entity_too_large. */
void error_too_large(struct error *error, size_t max_bytes);

/* too_many_requests; answered with Retry-After, too. */
void error_too_many(struct error *error, int64_t retry_after_s);

/* Answers with it. */
void error_answer(struct http_request *request, const struct error *error);

/* In one call: error_plain and error_answer. */
void error_answer_plain(struct http_request *request, enum error_type type, const char *detail);

/* Answers 500 internal_error with a reference id, under which `what` and `why` stand in the log. */
void error_answer_fault(struct http_request *request, const char *what, const char *why);

/* Answers 503 service_unavailable with Retry-After. */
void error_answer_unavailable(struct http_request *request, const char *detail);

/* Writes the body; for tests. */
void error_render(struct json_out *out, const struct error *error);

/* The HTTP status of a type. */
int error_status(enum error_type type);

#endif
