/* From canonical text to events, without a tree.
 *
 * Happy path: one walk over the members of each event; the payload is a span of the canonical text
 * and is never copied. Failure modes: faults are collected while the walk goes on, the one that
 * comes first in the order of the checks (kind, unknown field, missing field, value) is kept, and
 * of equals the first in the request; a wrong kind ends the walk, since nothing can come before it.
 * A batch larger than the limit is counted, not kept. What a payload must hold is the catalogue's
 * business (core/catalogue.h). Refuses: to judge more of a payload than that. */
#include "server/publish.h"

#include "core/canon.h"
#include "core/catalogue.h"
#include "server/words.h"

#include <stdio.h>
#include <stdlib.h>

/* In the order in which faults count. */
enum stage { STAGE_KIND, STAGE_UNKNOWN, STAGE_MISSING, STAGE_VALUE, STAGE_NONE };

struct walk {
    const struct publish_limits *limits;
    enum stage stage; /* of the fault kept in *error */
    struct error *error;
    bool batch;
    uint32_t index; /* of the event that is being read */
};

/* Whether a fault of this stage would be kept; if so it is noted and *field becomes its path. */
static bool keeps(struct walk *walk, enum stage stage, struct canon_span name,
                  char field[ERROR_FIELD_BYTES_MAX])
{
    int bytes = (int)(name.bytes < ERROR_FIELD_BYTES_MAX ? name.bytes : ERROR_FIELD_BYTES_MAX);
    if (stage >= walk->stage)
        return false;
    walk->stage = stage;
    if (!walk->batch)
        snprintf(field, ERROR_FIELD_BYTES_MAX, "%.*s", bytes, name.at);
    else if (bytes == 0)
        snprintf(field, ERROR_FIELD_BYTES_MAX, "events[%u]", walk->index);
    else
        snprintf(field, ERROR_FIELD_BYTES_MAX, "events[%u].%.*s", walk->index, bytes, name.at);
    return true;
}

static void note_kind(struct walk *walk, struct canon_span name, struct canon_span value,
                      const char *expected)
{
    char field[ERROR_FIELD_BYTES_MAX];
    if (keeps(walk, STAGE_KIND, name, field))
        error_kind(walk->error, field, canon_kind_name(canon_kind(value)), expected);
}

static void note_field(struct walk *walk, enum stage stage, struct canon_span name)
{
    char field[ERROR_FIELD_BYTES_MAX];
    if (keeps(walk, stage, name, field))
        error_field(walk->error,
                    stage == STAGE_UNKNOWN ? ERROR_invalid_field : ERROR_missing_required_field,
                    field);
}

static struct canon_span span_of(const char *string)
{
    return (struct canon_span){string, strlen(string)};
}

static bool same(struct canon_span a, struct canon_span b)
{
    return a.bytes == b.bytes && memcmp(a.at, b.at, a.bytes) == 0;
}

/* What the members of one event say. */
struct members {
    struct canon_span type;    /* the text of `type`; at == NULL: absent or no string */
    struct canon_span payload; /* at == NULL: absent */
    bool has_type;
};

static void read_type(struct walk *walk, struct canon_span event, struct members *members)
{
    struct canon_span value;
    if (!canon_member_find(event, "type", &value))
        return;
    members->has_type = true;
    if (canon_kind(value) == CANON_STRING)
        members->type = canon_string_inner(value);
    else
        note_kind(walk, span_of("type"), value, "string");
}

/* Everything but `type`: the payload, or something that does not belong there. Without a type any
 * event type may be the payload. */
static void read_others(struct walk *walk, struct canon_span event, struct members *members)
{
    struct canon_item item;
    for (bool more = canon_member_first(event, &item); more; more = canon_member_next(&item)) {
        if (canon_span_equals(item.key, "type"))
            continue;
        if (members->type.at != NULL && same(item.key, members->type)) {
            members->payload = item.value;
            if (canon_kind(item.value) != CANON_OBJECT)
                note_kind(walk, item.key, item.value, "object");
        } else if (members->type.at != NULL ||
                   event_type_from_name(item.key.at, item.key.bytes) < 0) {
            note_field(walk, STAGE_UNKNOWN, item.key);
        }
    }
}

/* The fields that a payload of this type must have. */
static void check_payload(struct walk *walk, enum event_type type, struct canon_span payload)
{
    _Static_assert(sizeof("events[4294967295].") + CATALOGUE_PATH_BYTES_MAX <=
                       ERROR_FIELD_BYTES_MAX,
                   "a path of the catalogue fits into field_name");
    char field[ERROR_FIELD_BYTES_MAX];
    struct catalogue_problem problem;
    switch (catalogue_check(type, payload, &problem)) {
    case CATALOGUE_OK: break;
    case CATALOGUE_MISSING_FIELD: note_field(walk, STAGE_MISSING, span_of(problem.path)); break;
    case CATALOGUE_WRONG_KIND:
        if (keeps(walk, STAGE_KIND, span_of(problem.path), field))
            error_kind(walk->error, field, canon_kind_name(problem.actual),
                       canon_kind_name(problem.expected));
        break;
    }
}

static void check_values(struct walk *walk, struct canon_span event, const struct members *members,
                         int type)
{
    char field[ERROR_FIELD_BYTES_MAX];
    struct text word = {members->type.at, members->type.bytes};
    if (type < 0 || !event_type_publishable((enum event_type)type)) {
        if (keeps(walk, STAGE_VALUE, span_of("type"), field))
            error_enum(walk->error, field, word, words_publishable_types);
    } else if (event.bytes > walk->limits->event_bytes_max) {
        if (keeps(walk, STAGE_VALUE, span_of(""), field))
            error_too_large(walk->error, walk->limits->event_bytes_max);
    }
}

static void read_event(struct walk *walk, struct canon_span event, struct publish_event *out)
{
    struct members members = {0};
    int type = -1;
    if (canon_kind(event) != CANON_OBJECT) {
        note_kind(walk, span_of(""), event, "object");
        return;
    }
    read_type(walk, event, &members);
    read_others(walk, event, &members);
    if (!members.has_type)
        note_field(walk, STAGE_MISSING, span_of("type"));
    if (members.type.at == NULL)
        return;
    type = event_type_from_name(members.type.at, members.type.bytes);
    if (members.payload.at == NULL && type >= 0)
        note_field(walk, STAGE_MISSING, members.type);
    if (members.payload.at != NULL && type >= 0 && event_type_publishable((enum event_type)type) &&
        !walk->limits->lenient_payloads)
        check_payload(walk, (enum event_type)type, members.payload);
    check_values(walk, event, &members, type);
    if (walk->stage == STAGE_NONE)
        *out = (struct publish_event){
            .type = (enum event_type)type,
            .payload = members.payload.at,
            .payload_bytes = members.payload.bytes,
        };
}

/* The members beside `events`; the array itself goes to *array. */
static bool find_batch(struct walk *walk, struct canon_span root, struct canon_span *array)
{
    struct canon_item item;
    if (!canon_member_find(root, "events", array))
        return false;
    for (bool more = canon_member_first(root, &item); more; more = canon_member_next(&item))
        if (!canon_span_equals(item.key, "events"))
            note_field(walk, STAGE_UNKNOWN, item.key);
    if (canon_kind(*array) != CANON_ARRAY)
        note_kind(walk, span_of("events"), *array, "array");
    walk->batch = true;
    return true;
}

static bool grow(struct publish_event **events, uint32_t *capacity)
{
    uint32_t more = *capacity ? *capacity * 2 : 16;
    struct publish_event *grown = realloc(*events, more * sizeof(**events));
    if (grown == NULL)
        return false;
    *events = grown;
    *capacity = more;
    return true;
}

/* Reads all events of a batch. */
static bool read_batch(struct walk *walk, struct canon_span array, struct publish_event **events,
                       uint32_t *count)
{
    uint32_t capacity = 0;
    struct canon_item item;
    for (bool more = canon_element_first(array, &item); more; more = canon_element_next(&item)) {
        struct publish_event beyond, *event = &beyond;
        if (*count < walk->limits->events_max) {
            if (*count == capacity && !grow(events, &capacity)) {
                error_plain(walk->error, ERROR_service_unavailable,
                            "not enough memory for this request");
                return false;
            }
            event = &(*events)[*count];
        }
        walk->index = (*count)++;
        read_event(walk, item.value, event);
        if (walk->stage == STAGE_KIND)
            return false;
    }
    if ((*count == 0 || *count > walk->limits->events_max) && walk->stage > STAGE_VALUE) {
        walk->stage = STAGE_VALUE;
        error_value(walk->error, "events",
                    *count == 0 ? "there must be at least one event"
                                : "there are more events than one request may have");
    }
    return walk->stage == STAGE_NONE;
}

bool publish_read(struct text canonical, const struct publish_limits *limits,
                  struct publish_event **events, uint32_t *count, bool *batch, struct error *error)
{
    struct walk walk = {.limits = limits, .stage = STAGE_NONE, .error = error};
    struct canon_span root = {canonical.at, canonical.bytes}, array;
    uint32_t capacity = 0;
    bool good;
    *events = NULL;
    *count = 0;
    *batch = false;
    if (canon_kind(root) != CANON_OBJECT) {
        note_kind(&walk, span_of(""), root, "object");
        return false;
    }
    if (find_batch(&walk, root, &array)) {
        *batch = true;
        good = walk.stage != STAGE_KIND && read_batch(&walk, array, events, count);
    } else if (grow(events, &capacity)) {
        *count = 1;
        read_event(&walk, root, *events);
        good = walk.stage == STAGE_NONE;
    } else {
        error_plain(error, ERROR_service_unavailable, "not enough memory for this request");
        good = false;
    }
    if (!good) {
        free(*events);
        *events = NULL;
    }
    return good;
}
