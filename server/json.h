/* Request bodies as trees: reading, checking against a list of fields, and getting values out.
 * json.c is the only file that includes jansson.h; a tree is a `struct json_t` that nobody else
 * looks into.
 *
 * What is JSON is decided by canon_document alone (dispatcher/core/canon.h), for every call alike;
 * Jansson then only ever sees its output. */
#ifndef REVHOOK_SERVER_JSON_H
#define REVHOOK_SERVER_JSON_H

#include "core/canon.h"
#include "server/errors.h"

struct json_t;

/* A field that an object may have. Lists of fields end with a NULL name. */
struct tree_field {
    const char *name;
    enum canon_kind kind;
    bool required;
    enum canon_kind element;         /* of an array: the kind of each element */
    const struct tree_field *fields; /* of an object, or of the elements of an array of objects */
};

/* Once, before threads: memory of trees is wiped when it is freed, for requests carry secrets. */
void tree_set_up(void);

/* Reads a body. On success true, and *root is the caller's, to free with tree_free. On error false,
 * *root is NULL, and *error is a parse_error (or service_unavailable for want of memory). */
bool tree_read(struct text body, unsigned depth_max, struct json_t **root, struct error *error);

/* Frees a tree; NULL is fine. */
void tree_free(struct json_t *root);

/* Checks a whole request: `root` is an object; every value has its field's kind, whatever its
 * depth; no field is unknown; none that is required is missing. In this order over all of it: a
 * wrong kind anywhere is told before an unknown field. Values are not looked at. */
bool tree_check(const struct json_t *root, const struct tree_field *fields, struct error *error);

/* The member of an object, or NULL. */
const struct json_t *tree_member(const struct json_t *object, const char *name);
/* What a value is. It must not be NULL. */
enum canon_kind tree_kind(const struct json_t *value);
/* Elements of an array; 0 for NULL. */
size_t tree_count(const struct json_t *array);
const struct json_t *tree_element(const struct json_t *array, size_t index);
/* The text of a string, which ends with 0 in the tree (but may have one inside, too). Lives as long
 * as the tree. */
struct text tree_text(const struct json_t *string);
/* The value of a number if it is an integer within int64_t; else false. */
bool tree_integer(const struct json_t *number, int64_t *value);
/* The value of a bool. */
bool tree_is_true(const struct json_t *value);

/* ---- making one, for query strings ---- */

struct json_t *tree_new(void); /* NULL if memory is short */
/* Whether a member may have this name and this text: both are UTF-8, and the name is short. */
bool tree_takes(struct text name, struct text value);
/* Sets member `name` to a string or an integer, or appends it to the array `name`; what tree_takes
 * refuses is not for them. False if memory is short. */
bool tree_set_text(struct json_t *object, struct text name, struct text value);
bool tree_append_text(struct json_t *object, struct text name, struct text value);
bool tree_set_integer(struct json_t *object, struct text name, int64_t value);
/* Whether there is a member of this name. */
bool tree_has(const struct json_t *object, struct text name);

#endif
