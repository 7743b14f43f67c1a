/*
 * fuzz_request.c - request bodies on arbitrary bytes: as a tree, and as the body of events.publish.
 *
 * Checked for every input:
 *   - tree_read takes a body if and only if canon_document does, but for numbers beyond a double
 *     and keys with a zero byte, and refuses with parse_error;
 *   - what tree_check lets through is an object whose members are all known, of their kinds, none
 *     missing: counted here member by member, with Jansson's own iteration;
 *   - what publish_read takes lies inside the text, holds what its type must hold, is not larger
 *     than the limit, and published alone is taken again as the same single event;
 *   - a refusal names a field, and hands out no events.
 */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/catalogue.h"
#include "server/json.h"
#include "server/publish.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX 64

static const struct tree_field header_fields[] = {
    {.name = "name", .kind = CANON_STRING, .required = true},
    {.name = "value", .kind = CANON_STRING},
    {.name = NULL},
};

static const struct tree_field fields[] = {
    {.name = "url", .kind = CANON_STRING, .required = true},
    {.name = "limit", .kind = CANON_NUMBER},
    {.name = "event_types", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = "headers", .kind = CANON_ARRAY, .element = CANON_OBJECT, .fields = header_fields},
    {.name = NULL},
};

static bool is_kind(const json_t *value, enum canon_kind kind)
{
    switch (kind) {
    case CANON_STRING: return json_is_string(value);
    case CANON_NUMBER: return json_is_number(value);
    case CANON_ARRAY: return json_is_array(value);
    default: return json_is_object(value);
    }
}

static bool fits(json_t *object, const struct tree_field *list);

static bool member_fits(json_t *value, const struct tree_field *field)
{
    if (!is_kind(value, field->kind))
        return false;
    for (size_t i = 0; field->kind == CANON_ARRAY && i < json_array_size(value); i++) {
        json_t *element = json_array_get(value, i);
        if (!is_kind(element, field->element) || (field->fields && !fits(element, field->fields)))
            return false;
    }
    return true;
}

/* The promise of tree_check, said once more in another way. */
static bool fits(json_t *object, const struct tree_field *list)
{
    size_t known = 0;
    if (!json_is_object(object))
        return false;
    for (; list->name != NULL; list++) {
        json_t *value = json_object_get(object, list->name);
        if (value == NULL && list->required)
            return false;
        if (value != NULL && !member_fits(value, list))
            return false;
        known += value != NULL;
    }
    return known == json_object_size(object);
}

/* Whether Jansson cannot hold it although it is JSON: a number beyond a double, a zero byte in a
 * key. */
static bool is_beyond_jansson(struct text body)
{
    json_error_t why;
    json_t *root = json_loadb(body.at, body.bytes,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
    enum json_error_code code = json_error_code(&why);
    bool beyond = root == NULL &&
                  (code == json_error_numeric_overflow || code == json_error_null_byte_in_key);
    json_decref(root);
    return beyond;
}

static void check_tree(struct text body, bool canonical)
{
    struct error error = {0};
    struct json_t *root;
    bool read = tree_read(body, DEPTH_MAX, &root, &error);
    assert(read == (canonical && !is_beyond_jansson(body)));
    if (!read) {
        assert(root == NULL && error.type == ERROR_parse_error);
        return;
    }
    assert(tree_check(root, fields, &error) == fits(root, fields));
    tree_free(root);
}

static void check_alone(const struct publish_event *event, const struct publish_limits *limits)
{
    const char *type = event_type_name(event->type);
    size_t room = event->payload_bytes + 2 * strlen(type) + 32;
    char *text = malloc(room);
    struct publish_event *again;
    struct error error;
    uint32_t count;
    bool batch;
    assert(text != NULL);
    int bytes = snprintf(text, room, "{\"type\":\"%s\",\"%s\":%.*s}", type, type,
                         (int)event->payload_bytes, event->payload);
    assert(
        publish_read((struct text){text, (size_t)bytes}, limits, &again, &count, &batch, &error));
    assert(count == 1 && !batch && again[0].type == event->type);
    assert(again[0].payload_bytes == event->payload_bytes);
    free(again);
    free(text);
}

static void check_publish(struct text canonical)
{
    const struct publish_limits limits = {.events_max = 8, .event_bytes_max = 65536};
    struct publish_event *events = NULL;
    struct catalogue_problem problem;
    struct error error = {0};
    uint32_t count = 0;
    bool batch;
    if (!publish_read(canonical, &limits, &events, &count, &batch, &error)) {
        assert(error.has_field || error.type == ERROR_request_entity_too_large);
        return;
    }
    assert(batch ? count <= limits.events_max : count == 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *at = events[i].payload;
        assert(at >= canonical.at);
        assert(at + events[i].payload_bytes <= canonical.at + canonical.bytes);
        assert(events[i].payload_bytes <= limits.event_bytes_max);
        assert(event_type_publishable(events[i].type));
        assert(catalogue_check(events[i].type, (struct canon_span){at, events[i].payload_bytes},
                               &problem) == CATALOGUE_OK);
        check_alone(&events[i], &limits);
    }
    free(events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct text body = {(const char *)data, bytes};
    struct canon canon = {.in = body.at,
                          .in_bytes = bytes,
                          .out_capacity_bytes = canon_out_max(bytes),
                          .keys_max = canon_keys_max(bytes)};
    canon.out = malloc(canon.out_capacity_bytes + 1);
    canon.keys = malloc((canon.keys_max + 1) * sizeof(canon.keys[0]));
    assert(canon.out != NULL && canon.keys != NULL);
    bool canonical = canon_document(&canon) == CANON_OK;
    check_tree(body, canonical);
    if (canonical)
        check_publish((struct text){canon.out, canon.out_bytes});
    free(canon.keys);
    free(canon.out);
    return 0;
}
