/* Objects whose last published version is kept, so that webhooks.fetch can be answered: works and
 * SLA trackers.
 *
 * Owns: which events tell of such an object, under which names it is found, the numbers that the
 * store has for those names, and the payload that answers a fetch. Refuses: to take ids apart; any
 * text is a name, but for the one look that object_fetched_type takes. Nothing here keeps a global;
 * any thread. */
#ifndef REVHOOK_DISPATCHER_OBJECT_H
#define REVHOOK_DISPATCHER_OBJECT_H

#include "core/canon.h"
#include "dispatcher/json_out.h"
#include "store/store.h"

enum object_change {
    OBJECT_UNTOUCHED, /* the event tells of no object that is kept */
    OBJECT_VERSION,   /* it carries a new version of one */
    OBJECT_GONE,      /* one was deleted */
};

/* What an event tells: the names of the object, as canonical text between the quotes. */
struct object_told {
    enum object_change change;
    struct canon_span id;
    struct canon_span display_id; /* at == NULL: it has none, or the same as `id` */
};

/* Looks into the canonical payload of an event. Types other than those of works and SLA trackers
 * cost a comparison. A payload without the object, or with an id that is no string, tells nothing
 * (where lenient_payloads lets it in). */
struct object_told object_told_by(enum event_type type, struct canon_span payload);

/* The number that the store has for a name (canonical, between the quotes) within an organisation;
 * never 0. Names that end with a decimal number below 10^9, as issue/12345 and ISS-12345 do, have
 * 33 bits of a hash of what stands before it and then the number, so that objects made one after
 * the other are neighbours in the store: a hash of all of it would send each to a page of its own.
 * Other names have a hash of 63 bits, and are negative. It stands in the file, so it must not
 * change. Pure. */
int64_t object_number(struct store_bytes org, struct canon_span name);

/* The object in a stored version if it is the one that `name` (canonical, between the quotes)
 * stands for, and not another one with the same number: of this organisation, with that id or
 * display id. A version without a display id may be found by the display id of an earlier one. */
bool object_in_version(const struct store_object *row, struct store_bytes org,
                       struct canon_span name, struct canon_span *object);

/* The type of the event that answers a fetch: of the stored version, or, where there is none (-1),
 * of what the name looks like: a DON of type sla_tracker, or anything else. */
enum event_type object_fetched_type(int version_type, struct canon_span name);

/* Writes the payload that answers a fetch, {"id":...,"result":"ok","work":{...}}. `name` is
 * canonical, with its quotes; `object` at == NULL: not_found, and no object. */
void object_fetched_payload(struct json_out *out, enum event_type type, struct canon_span name,
                            struct canon_span object);

#endif
