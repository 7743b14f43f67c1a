/*
 * catalogue.h - what the payload of each event type must hold, and a sample of each.
 *
 * The facts stand in schema/payload.def, taken from DevRev's schemas; the samples in
 * schema/sample/, one event per file. Both are part of the program. Nothing here allocates or keeps
 * a global that changes; any thread may call it.
 */
#ifndef REVHOOK_CORE_CATALOGUE_H
#define REVHOOK_CORE_CATALOGUE_H

#include "core/canon.h"
#include "core/types.h"

enum { CATALOGUE_PATH_BYTES_MAX = 96 }; /* room for any path, with its final zero */

enum catalogue_problem_kind {
    CATALOGUE_OK = 0,
    CATALOGUE_MISSING_FIELD, /* a required field is absent */
    CATALOGUE_WRONG_KIND,    /* a field is there with another JSON kind than it must have */
};

struct catalogue_problem {
    char path[CATALOGUE_PATH_BYTES_MAX]; /* from the type on, such as "work_created.work.title" */
    enum canon_kind expected;            /* the kind that the field must have */
    enum canon_kind actual;              /* of CATALOGUE_WRONG_KIND only: the kind that it has */
};

/*
 * Checks the payload of an event, the value of its field `<type>`, against the rows of
 * schema/payload.def.
 *
 *   - A required field must be there and have its JSON kind; null is a kind of its own, so a
 *     required field that is null is CATALOGUE_WRONG_KIND. A number may have any value, a string
 *     any text, an array any elements: DevRev's word lists grow, and their formats are not
 * enforced.
 *   - An object that may be absent (old_work of work_updated) is checked if it is there; null is
 *     then CATALOGUE_WRONG_KIND too.
 *   - Of an object whose kind stands in one of its fields (`type` of a link's ends, `result` of
 *     *_fetched) more may be required. A word there that is not in the catalogue is let through:
 * then the fields are required that all kinds have in common.
 *   - Other fields may be there and are not looked at.
 *
 * `payload` is canonical text of one value (canon_document wrote it). Of several problems the one
 * found first is told: an object before what it holds; within an object wrong kinds before missing
 * fields, each in the order of the rows. Time is linear in the payload. `problem` is written only
 * if the answer is not CATALOGUE_OK.
 */
enum catalogue_problem_kind catalogue_check(enum event_type type, struct canon_span payload,
                                            struct catalogue_problem *problem);

/*
 * A realistic payload of this type as canonical text, which catalogue_check accepts. Static memory.
 * Every field that the check may ask for is in it, but for those that exclude one another. The
 * objects are of kinds that all of DevRev's schemas know.
 */
struct canon_span catalogue_sample(enum event_type type);

#endif
