/* Words of the enums in types.h, straight from the rows of the schema's .def files.
 *
 * Owns: the two directions between a number and its word. Refuses: to invent a word; a number that
 * no row has reads "?", a word that no row has reads -1. Look-ups by word are linear but for event
 * types, which are searched by halves: their rows stand in alphabetical order (a test holds them to
 * it). */
#include "core/types.h"

#include <string.h>

static const char *const webhook_states[] = {"unverified", "active", "degraded", "inactive",
                                             "deleted"};
static const char *const delivery_states[] = {"pending",   "in_flight", "held",
                                              "delivered", "failed",    "dropped"};

struct word {
    const char *name;
    const char *text;
};

static const struct word reasons[] = {
#define X(name, verdict, text) {#name, text},
#include "../../schema/reason.def"
#undef X
};

static const struct word outcomes[] = {
#define X(name, class, hurts_health, text) {#name, text},
#include "../../schema/outcome.def"
#undef X
};

static const char *const event_types[] = {
#define X(name, publishable) #name,
#include "../../schema/event_type.def"
#undef X
};

static const bool publishable_types[] = {
#define X(name, publishable) publishable,
#include "../../schema/event_type.def"
#undef X
};

static const char *const scopes[] = {
#define X(name, help) #name,
#include "../../schema/scope.def"
#undef X
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *webhook_state_name(enum webhook_state state)
{
    return (size_t)state < COUNT(webhook_states) ? webhook_states[state] : "?";
}

const char *delivery_state_name(enum delivery_state state)
{
    return (size_t)state < COUNT(delivery_states) ? delivery_states[state] : "?";
}

const char *reason_name(enum reason reason)
{
    return (size_t)reason < COUNT(reasons) ? reasons[reason].name : "?";
}

const char *reason_text(enum reason reason)
{
    return (size_t)reason < COUNT(reasons) ? reasons[reason].text : "?";
}

const char *outcome_name(enum outcome outcome)
{
    return (size_t)outcome < COUNT(outcomes) ? outcomes[outcome].name : "?";
}

const char *outcome_text(enum outcome outcome)
{
    return (size_t)outcome < COUNT(outcomes) ? outcomes[outcome].text : "?";
}

const char *event_type_name(enum event_type type)
{
    return (size_t)type < COUNT(event_types) ? event_types[type] : "?";
}

const char *scope_name(enum scope scope)
{
    return (size_t)scope < COUNT(scopes) ? scopes[scope] : "?";
}

bool event_type_publishable(enum event_type type)
{
    return (size_t)type < COUNT(publishable_types) && publishable_types[type];
}

static bool same(const char *word, const char *name, size_t bytes)
{
    return strlen(word) == bytes && memcmp(word, name, bytes) == 0;
}

static int find(const char *const *words, size_t count, const char *name, size_t bytes)
{
    for (size_t i = 0; i < count; i++)
        if (same(words[i], name, bytes))
            return (int)i;
    return -1;
}

static int find_word(const struct word *words, size_t count, const char *name, size_t bytes)
{
    for (size_t i = 0; i < count; i++)
        if (same(words[i].name, name, bytes))
            return (int)i;
    return -1;
}

int webhook_state_from_name(const char *name, size_t bytes)
{
    return find(webhook_states, COUNT(webhook_states), name, bytes);
}

int delivery_state_from_name(const char *name, size_t bytes)
{
    return find(delivery_states, COUNT(delivery_states), name, bytes);
}

int reason_from_name(const char *name, size_t bytes)
{
    return find_word(reasons, COUNT(reasons), name, bytes);
}

int outcome_from_name(const char *name, size_t bytes)
{
    return find_word(outcomes, COUNT(outcomes), name, bytes);
}

int scope_from_name(const char *name, size_t bytes)
{
    return find(scopes, COUNT(scopes), name, bytes);
}

int event_type_from_name(const char *name, size_t bytes)
{
    size_t low = 0, high = COUNT(event_types);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t length = strlen(event_types[middle]);
        int order = memcmp(event_types[middle], name, length < bytes ? length : bytes);
        if (order == 0)
            order = (length > bytes) - (length < bytes);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
