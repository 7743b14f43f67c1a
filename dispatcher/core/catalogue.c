/*
 * catalogue.c - checking payloads against the event catalogue, and the samples.
 *
 * Owns: the rows of schema/payload.def as tables, and the samples as text. A shape is a list of
 * fields that an object cannot be without; a field that is an object itself names its shape. The
 * payload of each type has a shape of its own. The check walks shape and text together: one pass
 * over the members of an object notes where the fields of its shape are, then kinds are compared,
 * then what was not found is missing, then the inner objects follow. The walk goes as deep as the
 * rows do, three levels, however deep the payload is.
 *
 * Failure modes: a missing field and a wrong kind, told with the path from the type on. Text that
 * is not canonical stops the program in canon_view.c; a row with more fields than FIELDS_MAX or
 * with an unknown shape does not compile, nor does a type without row or sample.
 *
 * Refuses: to judge fields that the catalogue does not require, words, formats, and what arrays
 * hold; to change or complete a payload.
 */
#include "core/catalogue.h"

#include "samples.h" /* made from schema/sample/ */

#include <assert.h>
#include <string.h>

enum {
    FIELDS_MAX = 8, /* of one row */
    NAMES_MAX = 8,  /* of one path */
};

struct shape;

struct field {
    enum canon_kind kind;
    bool required;
    const struct shape *inner; /* of an object that is checked; else NULL */
    size_t name_bytes;
    const char *name;
};

struct shape {
    const struct field *fields;
    size_t count;
};

/* What `owner` has besides while its field `field` is the string `value`. */
struct variant {
    const struct shape *owner;
    const char *field;
    const char *value;
    struct shape shape;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD(name, kind, required, inner)              \
    {                                                   \
        kind, required, inner, sizeof(#name) - 1, #name \
    }
#define STRING(name)           FIELD(name, CANON_STRING, true, NULL)
#define NUMBER(name)           FIELD(name, CANON_NUMBER, true, NULL)
#define BOOL(name)             FIELD(name, CANON_BOOL, true, NULL)
#define ARRAY(name)            FIELD(name, CANON_ARRAY, true, NULL)
#define NESTED(name, object)   FIELD(name, CANON_OBJECT, true, &shape_##object)
#define OPTIONAL(name, object) FIELD(name, CANON_OBJECT, false, &shape_##object)

#define FIELDS(name, ...)                                      \
    static const struct field fields_##name[] = {__VA_ARGS__}; \
    _Static_assert(COUNT(fields_##name) <= FIELDS_MAX, "too many fields in a row of payload.def");

#define OBJECT(name, ...)     \
    FIELDS(name, __VA_ARGS__) \
    static const struct shape shape_##name = {fields_##name, COUNT(fields_##name)};
#define EVENT(type, ...)                  OBJECT(type, __VA_ARGS__)
#define VARIANT(owner, field, value, ...) FIELDS(owner##_##value, __VA_ARGS__)
#include "../../schema/payload.def"
#undef OBJECT
#undef EVENT
#undef VARIANT

static const struct variant variants[] = {
#define OBJECT(name, ...)
#define EVENT(type, ...)
#define VARIANT(owner, field, value, ...) \
    {&shape_##owner, #field, #value, {fields_##owner##_##value, COUNT(fields_##owner##_##value)}},
#include "../../schema/payload.def"
#undef OBJECT
#undef EVENT
#undef VARIANT
};

static const struct shape *const payloads[] = {
#define X(name, publishable) [EVENT_##name] = &shape_##name,
#include "../../schema/event_type.def"
#undef X
};

static const struct canon_span samples[] = {
#define X(name, publishable) [EVENT_##name] = {sample_##name, sizeof(sample_##name) - 1},
#include "../../schema/event_type.def"
#undef X
};

/* The way from the payload to the object that is being looked at. */
struct walk {
    const char *names[NAMES_MAX];
    size_t count;
    struct catalogue_problem *problem;
};

static void walk_down(struct walk *walk, const char *name)
{
    assert(walk->count < NAMES_MAX);
    walk->names[walk->count++] = name;
}

static void walk_up(struct walk *walk)
{
    assert(walk->count > 1);
    walk->count--;
}

/* Writes the names of the walk with dots between them. */
static void write_path(const struct walk *walk)
{
    char *path = walk->problem->path;
    size_t at = 0;

    for (size_t i = 0; i < walk->count; i++) {
        size_t bytes = strlen(walk->names[i]);

        assert(at + bytes + 2 <= CATALOGUE_PATH_BYTES_MAX);
        if (i > 0) {
            path[at++] = '.';
        }
        memcpy(path + at, walk->names[i], bytes);
        at += bytes;
    }
    path[at] = '\0';
}

static enum catalogue_problem_kind field_missing(struct walk *walk, const struct field *field)
{
    walk_down(walk, field->name);
    write_path(walk);
    walk->problem->expected = field->kind;
    return CATALOGUE_MISSING_FIELD;
}

static enum catalogue_problem_kind kind_wrong(struct walk *walk, enum canon_kind expected,
                                              enum canon_kind actual)
{
    write_path(walk);
    walk->problem->expected = expected;
    walk->problem->actual = actual;
    return CATALOGUE_WRONG_KIND;
}

/* Notes where the fields of a shape are; found[i].at stays NULL if field i is not there. No key is
 * there twice, so the look ends with the last of them. */
static void find_fields(const struct shape *shape, struct canon_span object,
                        struct canon_span found[static FIELDS_MAX])
{
    size_t left = shape->count;
    struct canon_item item;
    bool more = canon_member_first(object, &item);

    for (; more && left > 0; more = canon_member_next(&item)) {
        for (size_t i = 0; i < shape->count; i++) {
            const struct field *field = &shape->fields[i];

            if (item.key.bytes == field->name_bytes &&
                memcmp(item.key.at, field->name, field->name_bytes) == 0) {
                found[i] = item.value;
                left--;
            }
        }
    }
}

static enum catalogue_problem_kind check_object(struct walk *walk, const struct shape *shape,
                                                struct canon_span object);

static enum catalogue_problem_kind check_fields(struct walk *walk, const struct shape *shape,
                                                struct canon_span object)
{
    struct canon_span found[FIELDS_MAX] = {{NULL, 0}};

    find_fields(shape, object, found);
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *field = &shape->fields[i];

        if (found[i].at != NULL && canon_kind(found[i]) != field->kind) {
            walk_down(walk, field->name);
            return kind_wrong(walk, field->kind, canon_kind(found[i]));
        }
    }
    for (size_t i = 0; i < shape->count; i++) {
        if (found[i].at == NULL && shape->fields[i].required) {
            return field_missing(walk, &shape->fields[i]);
        }
    }
    for (size_t i = 0; i < shape->count; i++) {
        if (found[i].at != NULL && shape->fields[i].inner != NULL) {
            enum catalogue_problem_kind kind;

            walk_down(walk, shape->fields[i].name);
            kind = check_object(walk, shape->fields[i].inner, found[i]);
            if (kind != CATALOGUE_OK) {
                return kind;
            }
            walk_up(walk);
        }
    }
    return CATALOGUE_OK;
}

/* The fields that an object of this shape must have always, then those that its kind asks for. All
 * variants of a shape go by the same field. */
static enum catalogue_problem_kind check_object(struct walk *walk, const struct shape *shape,
                                                struct canon_span object)
{
    enum catalogue_problem_kind kind = check_fields(walk, shape, object);
    struct canon_span word = {NULL, 0};

    for (size_t i = 0; i < COUNT(variants) && kind == CATALOGUE_OK; i++) {
        const struct variant *variant = &variants[i];

        if (variant->owner != shape) {
            continue;
        }
        if (word.at == NULL && !canon_member_find(object, variant->field, &word)) {
            break;
        }
        if (canon_string_equals(word, variant->value)) {
            kind = check_fields(walk, &variant->shape, object);
        }
    }
    return kind;
}

enum catalogue_problem_kind catalogue_check(enum event_type type, struct canon_span payload,
                                            struct catalogue_problem *problem)
{
    struct walk walk = {.count = 0, .problem = problem};

    assert((size_t)type < EVENT_TYPE_COUNT);
    walk_down(&walk, event_type_name(type));
    if (canon_kind(payload) != CANON_OBJECT) {
        return kind_wrong(&walk, CANON_OBJECT, canon_kind(payload));
    }
    return check_object(&walk, payloads[type], payload);
}

struct canon_span catalogue_sample(enum event_type type)
{
    struct canon_span payload;
    bool found;

    assert((size_t)type < EVENT_TYPE_COUNT);
    found = canon_member_find(samples[type], event_type_name(type), &payload);
    assert(found);
    return payload;
}
