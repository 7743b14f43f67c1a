/* Objects whose last version is kept, see object.h.
 *
 * Happy path: an event tells of an object, its names become numbers, the store keeps which event
 * was the last. A fetch goes the other way: a name, its number, the payload of an event, and in it
 * the object, which must have that name. Failure modes: two names with one number (by chance next
 * to never; on purpose it is easy, and who does it hides an object of his own): the later one wins,
 * and the other reads as not found. Refuses: to
 * copy an object before somebody asks for it. */
#include "dispatcher/object.h"

/* A decimal number at the end of a name: so many digits at most, in so many bits. */
enum { COUNTER_DIGITS = 9, COUNTER_BITS = 30 };

/* The member of a payload that holds the object, NULL for types without one. */
static const char *member_of(enum event_type type)
{
    switch (type) {
    case EVENT_work_created:
    case EVENT_work_updated:
    case EVENT_work_deleted:
    case EVENT_work_fetched: return "work";
    case EVENT_sla_tracker_created:
    case EVENT_sla_tracker_updated:
    case EVENT_sla_tracker_deleted:
    case EVENT_sla_tracker_fetched: return "sla_tracker";
    default: return NULL;
    }
}

/* What is between the quotes of a member that is a string; false if there is none. */
static bool name_of(struct canon_span object, const char *key, struct canon_span *name)
{
    struct canon_span value;
    if (!canon_member_find(object, key, &value) || canon_kind(value) != CANON_STRING)
        return false;
    *name = canon_string_inner(value);
    return true;
}

static bool same(struct canon_span a, struct canon_span b)
{
    return a.bytes == b.bytes && memcmp(a.at, b.at, a.bytes) == 0;
}

static bool object_of(enum event_type type, struct canon_span payload, struct canon_span *object)
{
    return canon_member_find(payload, member_of(type), object) &&
           canon_kind(*object) == CANON_OBJECT;
}

struct object_told object_told_by(enum event_type type, struct canon_span payload)
{
    struct object_told told = {.change = OBJECT_UNTOUCHED};
    struct canon_span object;
    switch (type) {
    case EVENT_work_created:
    case EVENT_work_updated:
    case EVENT_sla_tracker_created:
    case EVENT_sla_tracker_updated:
        if (!object_of(type, payload, &object) || !name_of(object, "id", &told.id))
            break;
        told.change = OBJECT_VERSION;
        if (name_of(object, "display_id", &told.display_id) && same(told.display_id, told.id))
            told.display_id = (struct canon_span){NULL, 0};
        break;
    case EVENT_work_deleted:
    case EVENT_sla_tracker_deleted:
        if (name_of(payload, "id", &told.id))
            told.change = OBJECT_GONE;
        break;
    default: break;
    }
    return told;
}

static uint64_t take(uint64_t sum, const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        sum = (sum ^ (unsigned char)at[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* FNV-1a over the organisation, a zero byte and the text, with its bits mixed once more. */
static uint64_t hash(struct store_bytes org, const char *at, size_t bytes)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    sum = take(sum, org.at, org.bytes);
    sum = take(sum, "", 1);
    sum = take(sum, at, bytes);
    sum = (sum ^ (sum >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return sum ^ (sum >> 33);
}

int64_t object_number(struct store_bytes org, struct canon_span name)
{
    size_t digits = 0;
    uint64_t counter = 0;
    while (digits < name.bytes && digits < COUNTER_DIGITS &&
           name.at[name.bytes - digits - 1] >= '0' && name.at[name.bytes - digits - 1] <= '9')
        digits++;
    while (digits > 1 && name.at[name.bytes - digits] == '0')
        digits--; /* a number has no zeros in front: ISS-07 is not ISS-7 */
    for (size_t i = name.bytes - digits; i < name.bytes; i++)
        counter = counter * 10 + (uint64_t)(name.at[i] - '0');
    uint64_t sum = hash(org, name.at, name.bytes - digits);
    if (digits == 0)
        return (int64_t)(sum | UINT64_C(1) << 63);
    uint64_t number = (sum << COUNTER_BITS | counter) & INT64_MAX;
    return number == 0 ? 1 : (int64_t)number;
}

bool object_in_version(const struct store_object *row, struct store_bytes org,
                       struct canon_span name, struct canon_span *object)
{
    struct canon_span payload = {row->payload.at, row->payload.bytes}, own;
    if (row->org.bytes != org.bytes || memcmp(row->org.at, org.at, org.bytes) != 0 ||
        member_of(row->type) == NULL || !object_of(row->type, payload, object))
        return false;
    if (name_of(*object, "id", &own) && same(own, name))
        return true;
    if (name_of(*object, "display_id", &own))
        return same(own, name);
    return row->by_alias;
}

/* Whether a name is a DON whose last part is "sla_tracker/...". */
static bool is_sla_tracker_don(struct canon_span name)
{
    static const char head[] = "don:", type[] = "sla_tracker/";
    if (name.bytes < sizeof(head) - 1 || memcmp(name.at, head, sizeof(head) - 1) != 0)
        return false;
    const char *last = name.at + name.bytes;
    while (last[-1] != ':')
        last--; /* there is one: behind "don" */
    return (size_t)(name.at + name.bytes - last) >= sizeof(type) &&
           memcmp(last, type, sizeof(type) - 1) == 0;
}

enum event_type object_fetched_type(int version_type, struct canon_span name)
{
    bool tracker = version_type < 0
                       ? is_sla_tracker_don(name)
                       : text_is(text_of(member_of((enum event_type)version_type)), "sla_tracker");
    return tracker ? EVENT_sla_tracker_fetched : EVENT_work_fetched;
}

void object_fetched_payload(struct json_out *out, enum event_type type, struct canon_span name,
                            struct canon_span object)
{
    json_out_object(out);
    json_out_key(out, "id");
    json_out_json(out, (struct text){name.at, name.bytes});
    json_out_pair_string(out, "result", object.at != NULL ? "ok" : "not_found");
    if (object.at != NULL) {
        json_out_key(out, member_of(type));
        json_out_json(out, (struct text){object.at, object.bytes});
    }
    json_out_object_end(out);
}
