/* The reading of query strings.
 *
 * Happy path: split at '&', split at the first '=', decode both sides, put the value where its
 * field's kind wants it. A comma list is split after decoding, because clients send the comma as it
 * is and as %2C. Failure modes: broken percent-encoding, text that is not UTF-8, a single value
 * given twice, too many fields: value_not_permitted, with the reason; no memory:
 * service_unavailable. Refuses: nesting. */
#include "server/query.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELDS_MAX 256

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t query_decode(char *out, struct text text)
{
    size_t bytes = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.bytes ? hex_value(text.at[i + 1]) : -1;
            int low = i + 2 < text.bytes ? hex_value(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return SIZE_MAX;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[bytes++] = c;
    }
    return bytes;
}

static bool refuse(struct error *error, struct text name, const char *reason)
{
    char field[ERROR_FIELD_BYTES_MAX];
    snprintf(field, sizeof(field), "%.*s", (int)(name.bytes < 100 ? name.bytes : 100), name.at);
    error_value(error, field, reason);
    return false;
}

static const struct tree_field *find_field(const struct tree_field *fields, struct text name)
{
    for (; fields->name != NULL; fields++)
        if (text_is(name, fields->name))
            return fields;
    return NULL;
}

/* One element of a comma list, without the quotes around it. */
static struct text unquote(struct text text)
{
    if (text.bytes >= 2 && text.at[0] == '"' && text.at[text.bytes - 1] == '"')
        return (struct text){text.at + 1, text.bytes - 2};
    return text;
}

/* An empty value is a list without elements: so the SDK sends one. */
static bool put_list(struct json_t *root, struct text name, struct text value)
{
    if (value.bytes == 0)
        return true;
    for (;;) {
        const char *comma = value.bytes ? memchr(value.at, ',', value.bytes) : NULL;
        size_t bytes = comma == NULL ? value.bytes : (size_t)(comma - value.at);
        if (!tree_append_text(root, name, unquote((struct text){value.at, bytes})))
            return false;
        if (comma == NULL)
            return true;
        value.at += bytes + 1;
        value.bytes -= bytes + 1;
    }
}

/* Digits, with a sign before them perhaps. */
static bool read_integer(struct text text, int64_t *value)
{
    size_t i = text.bytes > 1 && text.at[0] == '-';
    *value = 0;
    if (text.bytes == 0 || text.bytes - i > 15)
        return false;
    for (size_t at = i; at < text.bytes; at++) {
        if (text.at[at] < '0' || text.at[at] > '9')
            return false;
        *value = *value * 10 + (text.at[at] - '0');
    }
    *value = i ? -*value : *value;
    return true;
}

static bool no_memory(struct error *error)
{
    error_plain(error, ERROR_service_unavailable, "not enough memory for this request");
    return false;
}

static bool put(struct json_t *root, const struct tree_field *fields, struct text name,
                struct text value, struct error *error)
{
    const struct tree_field *field;
    int64_t number;
    bool put_well;
    if (name.bytes > 2 && memcmp(name.at + name.bytes - 2, "[]", 2) == 0) {
        field = find_field(fields, (struct text){name.at, name.bytes - 2});
        if (field != NULL && field->kind == CANON_ARRAY)
            name.bytes -= 2;
    }
    if (!tree_takes(name, value))
        return refuse(error, name, "it is not valid UTF-8 text");
    field = find_field(fields, name);
    if (field != NULL && field->kind == CANON_ARRAY)
        put_well = put_list(root, name, value);
    else if (tree_has(root, name))
        return refuse(error, name, "it is given more than once");
    else if (field != NULL && field->kind == CANON_NUMBER && read_integer(value, &number))
        put_well = tree_set_integer(root, name, number);
    else
        put_well = tree_set_text(root, name, value);
    return put_well || no_memory(error);
}

static bool read_pair(struct json_t *root, const struct tree_field *fields, struct text pair,
                      char *room, struct error *error)
{
    const char *equals = memchr(pair.at, '=', pair.bytes);
    struct text name = {pair.at, equals == NULL ? pair.bytes : (size_t)(equals - pair.at)};
    struct text value = {pair.at + pair.bytes, 0};
    size_t name_bytes = query_decode(room, name), value_bytes;
    if (equals != NULL)
        value = (struct text){equals + 1, pair.bytes - name.bytes - 1};
    if (name_bytes == SIZE_MAX)
        return refuse(error, name, "its percent-encoding is broken");
    value_bytes = query_decode(room + name_bytes, value);
    if (value_bytes == SIZE_MAX)
        return refuse(error, (struct text){room, name_bytes}, "its percent-encoding is broken");
    return put(root, fields, (struct text){room, name_bytes},
               (struct text){room + name_bytes, value_bytes}, error);
}

bool query_read(struct text query, const struct tree_field *fields, struct json_t **root,
                struct error *error)
{
    char *room = malloc(query.bytes + 1);
    unsigned count = 0;
    *root = tree_new();
    bool good = (room != NULL && *root != NULL) || no_memory(error);
    while (good && query.bytes > 0) {
        const char *ampersand = memchr(query.at, '&', query.bytes);
        size_t bytes = ampersand == NULL ? query.bytes : (size_t)(ampersand - query.at);
        if (++count > FIELDS_MAX)
            good = refuse(error, text_of("query"), "it has too many fields");
        else if (bytes > 0)
            good = read_pair(*root, fields, (struct text){query.at, bytes}, room, error);
        query.at += bytes + (ampersand != NULL);
        query.bytes -= bytes + (ampersand != NULL);
    }
    free(room);
    if (!good) {
        tree_free(*root);
        *root = NULL;
    }
    return good;
}
