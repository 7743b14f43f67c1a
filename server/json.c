/* Trees of requests, on Jansson.
 *
 * Owns: the check order over a whole request (kind, unknown, missing), the paths that name a field
 * in an error (`headers[0].name`; an unknown nested field is named by its leaf alone, as DevRev
 * does). Happy path: canonical text in, Jansson tree out, three walks along the list of fields.
 * Failure modes: what the canonical pass takes and Jansson cannot (a number beyond a double, a key
 * with a zero byte) is a parse_error, too. Refuses: to recurse deeper than the list of fields does.
 */
#include "server/json.h"

#include "server/body.h"

#include <assert.h>
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

/* Jansson drops a byte of a string, and goes on, where it cannot make room for it. So it is noted
 * that memory was short, and what was read meanwhile is not believed. */
static _Thread_local bool short_of_memory;

static void *noting_malloc(size_t bytes)
{
    void *memory = malloc(bytes);
    short_of_memory |= memory == NULL;
    return memory;
}

static void wipe_free(void *memory)
{
    if (memory != NULL)
        OPENSSL_cleanse(memory, malloc_usable_size(memory));
    free(memory);
}

void tree_set_up(void)
{
    json_set_alloc_funcs(noting_malloc, wipe_free);
}

bool tree_read(struct text body, unsigned depth_max, struct json_t **root, struct error *error)
{
    struct text canonical;
    json_error_t why = {.line = 0}; /* Jansson says nothing where it has no memory */
    *root = NULL;
    if (!body_canonical(body, depth_max, &canonical, error))
        return false;
    short_of_memory = false;
    /* Integers as doubles: otherwise one of 20 digits would not be read at all. */
    *root = json_loadb(canonical.at, canonical.bytes,
                       JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
    if (short_of_memory) {
        json_decref(*root); /* NULL is fine */
        *root = NULL;
        why = (json_error_t){.line = 0};
    }
    OPENSSL_cleanse((char *)canonical.at, canonical.bytes);
    free((char *)canonical.at);
    if (*root != NULL)
        return true;
    if (json_error_code(&why) == json_error_numeric_overflow ||
        json_error_code(&why) == json_error_null_byte_in_key)
        error_plain(error, ERROR_parse_error, "a number is too large, or a key has a zero byte");
    else
        error_plain(error, ERROR_service_unavailable, "not enough memory for this body");
    return false;
}

void tree_free(struct json_t *root)
{
    json_decref(root);
}

/* ---- the check ---- */

enum canon_kind tree_kind(const struct json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return CANON_OBJECT;
    case JSON_ARRAY: return CANON_ARRAY;
    case JSON_STRING: return CANON_STRING;
    case JSON_INTEGER:
    case JSON_REAL: return CANON_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE: return CANON_BOOL;
    default: return CANON_NULL;
    }
}

enum check { CHECK_KINDS, CHECK_UNKNOWN, CHECK_MISSING };

/* Where in the request a check is: a path like "headers[0]", "" at the top. */
struct place {
    char path[ERROR_FIELD_BYTES_MAX];
};

static struct place below(const struct place *place, const char *name)
{
    struct place inner;
    size_t used = strlen(place->path);
    memcpy(inner.path, place->path, used);
    snprintf(inner.path + used, sizeof(inner.path) - used, "%s%s", used > 0 ? "." : "", name);
    return inner;
}

static struct place at_index(const struct place *place, size_t index)
{
    struct place inner;
    size_t used = strlen(place->path);
    memcpy(inner.path, place->path, used);
    snprintf(inner.path + used, sizeof(inner.path) - used, "[%zu]", index);
    return inner;
}

static bool check_kind(const json_t *value, enum canon_kind expected, const struct place *place,
                       struct error *error)
{
    if (tree_kind(value) == expected)
        return true;
    error_kind(error, place->path, canon_kind_name(tree_kind(value)), canon_kind_name(expected));
    return false;
}

static bool check_object(const json_t *object, const struct tree_field *fields,
                         const struct place *place, enum check check, struct error *error);

/* Goes into what a field holds. In CHECK_KINDS its own kind is right already. */
static bool check_inside(const json_t *value, const struct tree_field *field,
                         const struct place *place, enum check check, struct error *error)
{
    if (field->kind == CANON_OBJECT && field->fields != NULL)
        return check_object(value, field->fields, place, check, error);
    if (field->kind != CANON_ARRAY)
        return true;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *element = json_array_get(value, i);
        struct place inner = at_index(place, i);
        if (check == CHECK_KINDS && !check_kind(element, field->element, &inner, error))
            return false;
        if (field->fields != NULL && !check_object(element, field->fields, &inner, check, error))
            return false;
    }
    return true;
}

static const struct tree_field *find_field(const struct tree_field *fields, const char *name)
{
    for (; fields->name != NULL; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

/* In the request's order, so that the first of several faults is the first that was sent. */
static bool check_object(const json_t *object, const struct tree_field *fields,
                         const struct place *place, enum check check, struct error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const struct tree_field *field = find_field(fields, name);
        struct place inner = below(place, name);
        if (field == NULL && check == CHECK_UNKNOWN) {
            error_field(error, ERROR_invalid_field, name);
            return false;
        }
        if (field == NULL)
            continue;
        if (check == CHECK_KINDS && !check_kind(value, field->kind, &inner, error))
            return false;
        if (!check_inside(value, field, &inner, check, error))
            return false;
    }
    for (; check == CHECK_MISSING && fields->name != NULL; fields++) {
        if (fields->required && json_object_get(object, fields->name) == NULL) {
            error_field(error, ERROR_missing_required_field, below(place, fields->name).path);
            return false;
        }
    }
    return true;
}

bool tree_check(const struct json_t *root, const struct tree_field *fields, struct error *error)
{
    const struct place top = {""};
    return check_kind(root, CANON_OBJECT, &top, error) &&
           check_object(root, fields, &top, CHECK_KINDS, error) &&
           check_object(root, fields, &top, CHECK_UNKNOWN, error) &&
           check_object(root, fields, &top, CHECK_MISSING, error);
}

/* ---- values ---- */

const struct json_t *tree_member(const struct json_t *object, const char *name)
{
    return json_object_get(object, name);
}

size_t tree_count(const struct json_t *array)
{
    return json_array_size(array);
}

const struct json_t *tree_element(const struct json_t *array, size_t index)
{
    return json_array_get(array, index);
}

struct text tree_text(const struct json_t *string)
{
    return (struct text){json_string_value(string), json_string_length(string)};
}

bool tree_integer(const struct json_t *number, int64_t *value)
{
    double real;
    if (json_is_integer(number)) {
        *value = json_integer_value(number);
        return true;
    }
    real = json_real_value(number);
    /* Doubles below 2^63; between 2^53 and there they are integers, though not always the one that
     * was written. */
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0) || floor(real) != real)
        return false;
    *value = (int64_t)real;
    return true;
}

bool tree_is_true(const struct json_t *value)
{
    return value != NULL && json_typeof(value) == JSON_TRUE;
}

/* ---- making ---- */

struct json_t *tree_new(void)
{
    return json_object();
}

/* A member's name as a C string; false if it has a zero byte or is long. */
static bool name_of(struct text name, char out[ERROR_FIELD_BYTES_MAX])
{
    if (name.bytes >= ERROR_FIELD_BYTES_MAX || memchr(name.at, 0, name.bytes) != NULL)
        return false;
    memcpy(out, name.at, name.bytes);
    out[name.bytes] = 0;
    return true;
}

bool tree_takes(struct text name, struct text value)
{
    char key[ERROR_FIELD_BYTES_MAX];
    return name_of(name, key) && canon_is_utf8(name.at, name.bytes) &&
           canon_is_utf8(value.at, value.bytes);
}

bool tree_set_text(struct json_t *object, struct text name, struct text value)
{
    char key[ERROR_FIELD_BYTES_MAX];
    return name_of(name, key) &&
           json_object_set_new(object, key, json_stringn(value.at, value.bytes)) == 0;
}

bool tree_append_text(struct json_t *object, struct text name, struct text value)
{
    char key[ERROR_FIELD_BYTES_MAX];
    json_t *array;
    if (!name_of(name, key))
        return false;
    array = json_object_get(object, key);
    if (array == NULL) {
        array = json_array();
        if (json_object_set_new(object, key, array) != 0)
            return false;
    }
    return json_array_append_new(array, json_stringn(value.at, value.bytes)) == 0;
}

bool tree_set_integer(struct json_t *object, struct text name, int64_t value)
{
    char key[ERROR_FIELD_BYTES_MAX];
    return name_of(name, key) &&
           json_object_set_new(object, key, json_integer((json_int_t)value)) == 0;
}

bool tree_has(const struct json_t *object, struct text name)
{
    char key[ERROR_FIELD_BYTES_MAX];
    return name_of(name, key) && json_object_get(object, key) != NULL;
}
