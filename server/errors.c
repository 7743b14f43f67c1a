/* The rendering of error bodies.
 *
 * Owns: the order and names of fields. Happy path: a struct error is filled by one of the functions
 * below and rendered once. Failure modes: a value of a client that is long is cut at a character,
 * because an error should not echo megabytes. Refuses: types that have no row in schema/error.def.
 */
#include "server/errors.h"

#include "dispatcher/log.h"
#include "dispatcher/secret.h"

#include <assert.h>
#include <stdio.h>

#define RETRY_AFTER_S      "1"
#define REFERENCE_ID_BYTES 12

struct row {
    const char *type;
    int status;
};

static const struct row rows[ERROR_TYPE_COUNT] = {
#define X(type, http_status, text) {#type, http_status},
#include "../schema/error.def"
#undef X
};

int error_status(enum error_type type)
{
    return rows[type].status;
}

static void begin(struct error *error, enum error_type type)
{
    memset(error, 0, sizeof(*error));
    error->type = type;
}

static void set_field(struct error *error, const char *field)
{
    snprintf(error->field, sizeof(error->field), "%s", field);
    error->has_field = true;
}

static void set_value(struct error *error, struct text value)
{
    size_t bytes = value.bytes;
    if (bytes > sizeof(error->value)) {
        bytes = sizeof(error->value);
        while (bytes > 0 && (value.at[bytes] & 0xc0) == 0x80)
            bytes--; /* not through a character */
    }
    if (bytes > 0)
        memcpy(error->value, value.at, bytes);
    error->value_bytes = bytes;
    error->has_value = true;
}

void error_plain(struct error *error, enum error_type type, const char *detail)
{
    begin(error, type);
    if (detail != NULL)
        snprintf(error->detail, sizeof(error->detail), "%s", detail);
}

void error_field(struct error *error, enum error_type type, const char *field)
{
    assert(type == ERROR_invalid_field || type == ERROR_missing_required_field ||
           type == ERROR_invalid_id);
    begin(error, type);
    set_field(error, field);
}

void error_kind(struct error *error, const char *field, const char *actual, const char *expected)
{
    begin(error, ERROR_unexpected_json_type);
    set_field(error, field);
    error->actual = actual;
    error->expected = expected;
}

void error_enum(struct error *error, const char *field, struct text value,
                const char *const *allowed)
{
    begin(error, ERROR_invalid_enum_value);
    set_field(error, field);
    set_value(error, value);
    error->allowed_values = allowed;
}

void error_id_type(struct error *error, const char *field, struct text value,
                   const char *allowed_type)
{
    begin(error, ERROR_unexpected_id_type);
    set_field(error, field);
    set_value(error, value);
    error->allowed_type = allowed_type;
}

void error_value(struct error *error, const char *field, const char *reason)
{
    begin(error, ERROR_value_not_permitted);
    set_field(error, field);
    error->reason = reason;
}

void error_text(struct error *error, enum error_type type, struct text value)
{
    assert(type == ERROR_invalid_api_version || type == ERROR_invalid_content_type);
    begin(error, type);
    set_value(error, value);
}

void error_too_large(struct error *error, size_t max_bytes)
{
    begin(error, ERROR_request_entity_too_large);
    error->max_bytes = (int64_t)max_bytes;
}

void error_too_many(struct error *error, int64_t retry_after_s)
{
    assert(retry_after_s > 0);
    begin(error, ERROR_too_many_requests);
    error->retry_after_s = retry_after_s;
}

void error_render(struct json_out *out, const struct error *error)
{
    json_out_object(out);
    json_out_pair_string(out, "message", http_reason(rows[error->type].status));
    json_out_pair_string(out, "type", rows[error->type].type);
    if (error->allowed_values != NULL) {
        json_out_key(out, "allowed_values");
        json_out_array(out);
        for (const char *const *word = error->allowed_values; *word != NULL; word++)
            json_out_string(out, *word);
        json_out_array_end(out);
    }
    if (error->actual != NULL)
        json_out_pair_string(out, "actual", error->actual);
    if (error->expected != NULL)
        json_out_pair_string(out, "expected", error->expected);
    if (error->has_field)
        json_out_pair_string(out, "field_name", error->field);
    if (error->has_value)
        json_out_pair_text(out, "value", (struct text){error->value, error->value_bytes});
    if (error->allowed_type != NULL) {
        json_out_key(out, "allowed_types");
        json_out_array(out);
        json_out_string(out, error->allowed_type);
        json_out_array_end(out);
    }
    if (error->reason != NULL)
        json_out_pair_string(out, "reason", error->reason);
    if (error->max_bytes > 0)
        json_out_pair_number(out, "max_bytes", error->max_bytes);
    if (error->retry_after_s > 0)
        json_out_pair_number(out, "retry_after", error->retry_after_s);
    if (error->detail[0] != 0)
        json_out_pair_string(out, "detail", error->detail);
    json_out_object_end(out);
}

void error_answer(struct http_request *request, const struct error *error)
{
    struct json_out out = {0};
    if (error->type == ERROR_service_unavailable)
        http_answer_header(request, "retry-after", RETRY_AFTER_S);
    if (error->type == ERROR_too_many_requests)
        http_answer_header_number(request, "retry-after", error->retry_after_s);
    error_render(&out, error);
    http_answer(request, rows[error->type].status, "application/json", &out);
}

void error_answer_plain(struct http_request *request, enum error_type type, const char *detail)
{
    struct error error;
    error_plain(&error, type, detail);
    error_answer(request, &error);
}

void error_answer_unavailable(struct http_request *request, const char *detail)
{
    error_answer_plain(request, ERROR_service_unavailable, detail);
}

void error_answer_fault(struct http_request *request, const char *what, const char *why)
{
    struct json_out out = {0};
    char reference[REFERENCE_ID_BYTES + 1], where[128];
    if (secret_random_text(reference, REFERENCE_ID_BYTES) != 0)
        snprintf(reference, sizeof(reference), "none");
    snprintf(where, sizeof(where), "%s, reference %s", what, reference);
    LOG(fault, LOG_TEXT("where", where), LOG_TEXT("error", why));
    json_out_object(&out);
    json_out_pair_string(&out, "message", http_reason(500));
    json_out_pair_string(&out, "type", rows[ERROR_internal_error].type);
    json_out_pair_string(&out, "reference_id", reference);
    json_out_object_end(&out);
    http_answer(request, 500, "application/json", &out);
}
