/* The nouns of the core: states, events, reasons and outcomes, each made from the rows of one of
 * the schema's .def files, and the small values that the core, the store and the shell hand to each
 * other. No behaviour, no memory, no I/O. */
#ifndef REVHOOK_CORE_TYPES_H
#define REVHOOK_CORE_TYPES_H

#include "core/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum webhook_state {
    WEBHOOK_UNVERIFIED,
    WEBHOOK_ACTIVE,
    WEBHOOK_DEGRADED,
    WEBHOOK_INACTIVE,
    WEBHOOK_DELETED,
    WEBHOOK_STATE_COUNT,
    WEBHOOK_IGNORE = WEBHOOK_STATE_COUNT, /* a cell of webhook.def: stay, do nothing */
    WEBHOOK_BUG,                          /* a cell of webhook.def: the caller is wrong */
};

enum webhook_event {
    WEBHOOK_ECHOED,
    WEBHOOK_CHANGED,
    WEBHOOK_ACTIVATE,
    WEBHOOK_RESUME,
    WEBHOOK_DEACTIVATE,
    WEBHOOK_DELETE,
    WEBHOOK_FAILING,
    WEBHOOK_WINDOW_OVER,
    WEBHOOK_GAVE_UP,
    WEBHOOK_EVENT_COUNT,
};

enum delivery_state {
    DELIVERY_PENDING,
    DELIVERY_IN_FLIGHT,
    DELIVERY_HELD,
    DELIVERY_DELIVERED,
    DELIVERY_FAILED,
    DELIVERY_DROPPED,
    DELIVERY_STATE_COUNT,
    DELIVERY_IGNORE = DELIVERY_STATE_COUNT, /* a cell of delivery.def: stay */
    DELIVERY_BUG,                           /* a cell of delivery.def: the caller is wrong */
};

enum delivery_event {
    DELIVERY_START,
    DELIVERY_ACKNOWLEDGED,
    DELIVERY_RETRY,
    DELIVERY_EXHAUSTED,
    DELIVERY_HOLD,
    DELIVERY_RELEASE,
    DELIVERY_FAIL,
    DELIVERY_DROP,
    DELIVERY_REDELIVER,
    DELIVERY_EVENT_COUNT,
    DELIVERY_NONE = DELIVERY_EVENT_COUNT, /* reason.def: never a delivery's reason */
};

/* Why a delivery or a webhook is as it is (schema/reason.def). */
enum reason {
#define X(name, verdict, text) REASON_##name,
#include "../../schema/reason.def"
#undef X
    REASON_COUNT
};

/* How an attempt ended (schema/outcome.def). */
enum outcome {
#define X(name, class, hurts_health, text) OUTCOME_##name,
#include "../../schema/outcome.def"
#undef X
    OUTCOME_COUNT
};

/* Event types (schema/event_type.def), in alphabetical order. */
enum event_type {
#define X(name, publishable) EVENT_##name,
#include "../../schema/event_type.def"
#undef X
    EVENT_TYPE_COUNT
};

/* What a token may be for (schema/scope.def). */
enum scope {
#define X(name, help) SCOPE_##name,
#include "../../schema/scope.def"
#undef X
    SCOPE_COUNT
};

/* A set of event types. */
struct event_set {
    uint64_t bits[(EVENT_TYPE_COUNT + 63) / 64];
};

/* The state of one webhook as one value: what is committed to the store, and what a change
 * proposes. All times are on the service's time line but for those that end in `_us`. */
struct webhook_status {
    uint8_t state;       /* enum webhook_state */
    uint8_t reason;      /* enum reason: why it is not active; none when it is */
    bool verified;       /* this generation, one (url, secret) pair, has echoed a challenge */
    uint32_t generation; /* counts (url, secret) pairs, from 1 */
    uint32_t consecutive_failures; /* deliveries in a row that used up their attempts */
    uint32_t verify_count;         /* verify requests made in the present run */
    wall_us since_us;              /* when `state` began */
    wall_us last_success_us;       /* the last acknowledged delivery; 0 if none */
    mono_ms verify_since;          /* when the present window or probing began */
    mono_ms verify_next;           /* the next verify request; MONO_NEVER if none is planned */
    mono_ms verify_until; /* when the window, or the time allowed for probing, ends; MONO_NEVER if
                             none runs */
};

/* Words for the enums, as they stand in the .def files; never NULL. "?" for a value out of range.
 * Any thread. */
const char *webhook_state_name(enum webhook_state state);   /* "unverified" ... */
const char *delivery_state_name(enum delivery_state state); /* "pending" ... */
const char *reason_name(enum reason reason);
const char *reason_text(enum reason reason);
const char *outcome_name(enum outcome outcome);
const char *outcome_text(enum outcome outcome);
const char *event_type_name(enum event_type type);
const char *scope_name(enum scope scope);

/* The value of a word of `bytes` bytes, or -1 if there is no such word. Any thread. */
int webhook_state_from_name(const char *name, size_t bytes);
int delivery_state_from_name(const char *name, size_t bytes);
int reason_from_name(const char *name, size_t bytes);
int outcome_from_name(const char *name, size_t bytes);
int event_type_from_name(const char *name, size_t bytes);
int scope_from_name(const char *name, size_t bytes);

/* Whether clients may publish this type (`verify` may not). */
bool event_type_publishable(enum event_type type);

static inline void event_set_add(struct event_set *set, enum event_type type)
{
    set->bits[type / 64] |= UINT64_C(1) << (type % 64);
}

static inline void event_set_remove(struct event_set *set, enum event_type type)
{
    set->bits[type / 64] &= ~(UINT64_C(1) << (type % 64));
}

static inline bool event_set_has(const struct event_set *set, enum event_type type)
{
    return (set->bits[type / 64] >> (type % 64)) & 1;
}

#endif
