/* The rules for values of a webhook.
 *
 * Owns: lengths, characters and reserved names; the url and the secret have rules of their own next
 * to what uses them. Happy path: a value in, something ready for the dispatcher out. Failure modes:
 * the first value that breaks a rule is told, with its path. Refuses: header names that frame or
 * sign a request, and values that could end a header line: they are written to the wire as they
 * are. */
#include "server/webhook_fields.h"

#include "dispatcher/secret.h"
#include "server/render.h"
#include "server/words.h"

#include <stdio.h>

static const char *const reserved_names[] = {
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "x-devrev-signature",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
    "expect",
};

bool fields_url(const struct api *api, const struct json_t *value, char target[EGRESS_URL_MAX + 1],
                struct error *error)
{
    struct text url = tree_text(value);
    const char *reason;
    if (egress_check_url(&api->egress, url.at, url.bytes, target, &reason))
        return true;
    if (reason == egress_no_memory)
        error_plain(error, ERROR_service_unavailable, "not enough memory for this request");
    else
        error_value(error, "url", reason);
    return false;
}

bool fields_secret(const struct json_t *value, struct error *error)
{
    struct text secret = tree_text(value);
    if (secret_acceptable(secret.at, secret.bytes))
        return true;
    error_value(error, "secret",
                "a secret has 8 to 32 bytes, or is standard base64 of 8 to 32 bytes");
    return false;
}

bool fields_event_types(const struct json_t *array, const char *field, struct event_set *set,
                        struct error *error)
{
    memset(set, 0, sizeof(*set));
    for (size_t i = 0; i < tree_count(array); i++) {
        struct text word = tree_text(tree_element(array, i));
        int type = event_type_from_name(word.at, word.bytes);
        if (type < 0) {
            char path[ERROR_FIELD_BYTES_MAX];
            snprintf(path, sizeof(path), "%s[%zu]", field, i);
            error_enum(error, path, word, words_event_types);
            return false;
        }
        event_set_add(set, (enum event_type)type);
    }
    return true;
}

bool fields_statuses(const struct api *api, const struct json_t *array, const char *field,
                     unsigned *states, struct error *error)
{
    bool degraded_visible = api->config->degraded_status_visible;
    const char *const *allowed = degraded_visible ? words_statuses_with_degraded : words_statuses;
    *states = 0;
    for (size_t i = 0; i < tree_count(array); i++) {
        struct text word = tree_text(tree_element(array, i));
        if (words_find(allowed, word) < 0) {
            char path[ERROR_FIELD_BYTES_MAX];
            snprintf(path, sizeof(path), "%s[%zu]", field, i);
            error_enum(error, path, word, allowed);
            return false;
        }
        for (int state = 0; state < WEBHOOK_DELETED; state++)
            if (text_is(word, render_status(api, (enum webhook_state)state)))
                *states |= 1u << state;
    }
    return true;
}

/* ---- signature ---- */

/* The index of a member's word, -1 if it is absent; false if it is not one of the words. */
static bool read_word(const struct json_t *object, const char *member, const char *const *words,
                      int *index, struct error *error)
{
    const struct json_t *value = tree_member(object, member);
    char path[ERROR_FIELD_BYTES_MAX];
    *index = -1;
    if (value == NULL)
        return true;
    *index = words_find(words, tree_text(value));
    if (*index >= 0)
        return true;
    snprintf(path, sizeof(path), "signature.%s", member);
    error_enum(error, path, tree_text(value), words);
    return false;
}

bool fields_signature(const struct json_t *object, struct sign_own *own, bool *reset,
                      struct error *error)
{
    int encoding, key, prefix, preset;
    *own = (struct sign_own){0};
    *reset = false;
    if (!read_word(object, "encoding", sign_encodings, &encoding, error) ||
        !read_word(object, "key", sign_keys, &key, error) ||
        !read_word(object, "prefix", sign_prefixes, &prefix, error) ||
        !read_word(object, "preset", sign_presets, &preset, error))
        return false;
    if (preset >= 0 && (encoding >= 0 || key >= 0 || prefix >= 0)) {
        error_value(error, "signature.preset",
                    "a preset cannot stand beside encoding, key or prefix");
        return false;
    }
    if (preset >= 0) {
        *own = sign_own_of((enum sign_preset)preset);
        *reset = true;
        return true;
    }
    *own = (struct sign_own){
        .has_encoding = encoding >= 0,
        .has_key = key >= 0,
        .has_prefix = prefix >= 0,
        .form = {encoding > 0 ? SIGN_BASE64 : SIGN_HEX, key > 0 ? SIGN_KEY_BASE64 : SIGN_KEY_STRING,
                 prefix > 0},
    };
    return true;
}

/* ---- headers ---- */

static bool is_name(struct text name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return name.bytes > 0 && name.bytes <= HEADER_NAME_BYTES_MAX;
}

static const char *name_fault(struct text name)
{
    if (!is_name(name))
        return "a header name has 1 to 128 letters, digits, - or _";
    for (size_t i = 0; i < sizeof(reserved_names) / sizeof(reserved_names[0]); i++)
        if (text_is_caseless(name, reserved_names[i]))
            return "this header is set by the service or belongs to the connection";
    return NULL;
}

static const char *value_fault(struct text value)
{
    if (value.bytes > HEADER_VALUE_BYTES_MAX)
        return "a header value has at most 4096 bytes";
    for (size_t i = 0; i < value.bytes; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "a header value has no control characters but tab";
    }
    return NULL;
}

/* Puts a header into the list, or in the place of one with the same name. */
static void put_header(struct webhook_header *headers, size_t *count, struct webhook_header header)
{
    size_t i = 0;
    while (i < *count && !text_is_caseless(text_of(headers[i].name), header.name))
        i++;
    headers[i] = header;
    if (i == *count)
        ++*count;
}

static bool check_count(const struct json_t *array, const char *field, struct error *error)
{
    if (tree_count(array) <= WEBHOOK_HEADERS_MAX)
        return true;
    error_value(error, field, "at most 8 headers");
    return false;
}

bool fields_headers(const struct json_t *array, const char *field,
                    struct webhook_header headers[WEBHOOK_HEADERS_MAX], size_t *count,
                    struct error *error)
{
    *count = 0;
    if (!check_count(array, field, error))
        return false;
    for (size_t i = 0; i < tree_count(array); i++) {
        const struct json_t *element = tree_element(array, i);
        struct text name = tree_text(tree_member(element, "name")),
                    value = tree_text(tree_member(element, "value"));
        const char *fault = name_fault(name), *member = "name";
        if (fault == NULL) {
            fault = value_fault(value);
            member = "value";
        }
        if (fault != NULL) {
            char path[ERROR_FIELD_BYTES_MAX];
            snprintf(path, sizeof(path), "%s[%zu].%s", field, i, member);
            error_value(error, path, fault);
            return false;
        }
        put_header(headers, count, (struct webhook_header){name.at, value.at});
    }
    return true;
}

bool fields_header_names(const struct json_t *array, const char *field,
                         const char *names[WEBHOOK_HEADERS_MAX], size_t *count, struct error *error)
{
    *count = 0;
    if (!check_count(array, field, error))
        return false;
    for (size_t i = 0; i < tree_count(array); i++) {
        struct text name = tree_text(tree_element(array, i));
        if (is_name(name))
            names[(*count)++] = name.at;
    }
    return true;
}
