/* The auditor's frame, see audit.h: time, what must happen by when, and the report of a violation.
 *
 * Happy path: each event is remembered in a ring, moves the picture, and nothing is printed.
 * Failure: the first violation prints the rule, the moment, and those of the last events that speak
 * of the same webhook or delivery; further ones are only counted. */
#include "tools/sim/audit_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_EVENTS 60

static const char *const names[] = {
#define X(name, text) #name,
#include "invariants.def"
#undef X
};
static const char *const texts[] = {
#define X(name, text) text,
#include "invariants.def"
#undef X
};

const char *audit_invariant_name(enum invariant invariant)
{
    return names[invariant];
}

struct audit *audit_new(const struct audit_rules *rules, FILE *out)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    if (!audit)
        abort();
    audit->rules = *rules;
    audit->out = out;
    audit->calm = rules->calm;
    audit->next_must = MONO_NEVER;
    return audit;
}

void audit_free(struct audit *audit)
{
    if (!audit)
        return;
    free(audit->deliveries);
    free(audit->events);
    free(audit->calls);
    free(audit->number_calls);
    free(audit->posts);
    free(audit->challenges);
    free(audit);
}

void *audit_room(void *array, int64_t at, int64_t *capacity, size_t element_bytes)
{
    assert(at >= 0);
    if (at < *capacity)
        return array;
    int64_t wider = at * 2 + 64;
    char *grown = realloc(array, (size_t)wider * element_bytes);
    if (!grown)
        abort();
    memset(grown + (size_t)*capacity * element_bytes, 0,
           (size_t)(wider - *capacity) * element_bytes);
    *capacity = wider;
    return grown;
}

/* ---- the report ---- */

static int64_t delivery_of(struct audit *audit, const struct audit_event *event)
{
    if (event->delivery)
        return event->delivery;
    if (event->kind == AUDIT_POST_ENDED && event->post > 0 && event->post < audit->post_capacity)
        return audit->posts[event->post].delivery;
    return 0;
}

static int64_t webhook_of(struct audit *audit, const struct audit_event *event)
{
    if (event->webhook)
        return event->webhook;
    if ((event->kind == AUDIT_POST_ENDED || event->kind == AUDIT_VERIFY_ENDED) && event->post > 0 &&
        event->post < audit->post_capacity)
        return audit->posts[event->post].webhook;
    struct audit_delivery *delivery = audit_delivery(audit, delivery_of(audit, event));
    return delivery ? delivery->webhook : 0;
}

/* Whether `event` helps to understand what happened to the webhook, and the delivery if it is
 * known. */
static bool concerns(struct audit *audit, const struct audit_event *event,
                     const struct audit_event *last, int64_t webhook,
                     const struct audit_delivery *delivery, int64_t key)
{
    if (last->call && event->call == last->call)
        return true;
    if (event->kind < AUDIT_ASKED_PUBLISH || event->kind == AUDIT_FAULT)
        return true;
    int64_t of_webhook = webhook_of(audit, event), of_delivery = delivery_of(audit, event);
    bool row = event->kind == AUDIT_KEPT_DELIVERY || event->kind == AUDIT_OPEN_DELIVERY;
    if (!delivery && row) /* of a webhook: not each of its deliveries */
        return false;
    if (delivery && (of_delivery || event->event))
        return of_delivery == key ||
               (event->event == delivery->event && (!of_webhook || of_webhook == webhook));
    return webhook != 0 && of_webhook == webhook;
}

static void print_history(struct audit *audit, const struct audit_event *last)
{
    int64_t webhook = webhook_of(audit, last), key = delivery_of(audit, last);
    struct audit_delivery *delivery = audit_delivery(audit, key);
    uint64_t first = audit->taken > AUDIT_RING ? audit->taken - AUDIT_RING : 0, from = audit->taken;
    for (unsigned found = 0; from > first && found < REPORT_EVENTS; from--)
        found += concerns(audit, &audit->ring[(from - 1) % AUDIT_RING], last, webhook, delivery,
                          key) != 0;
    for (uint64_t i = from; i < audit->taken; i++)
        if (concerns(audit, &audit->ring[i % AUDIT_RING], last, webhook, delivery, key))
            audit_print(audit->out, &audit->ring[i % AUDIT_RING]);
}

void audit_violation(struct audit *audit, enum invariant invariant, const struct audit_event *event,
                     const char *format, ...)
{
    audit->counts[invariant]++;
    if (audit->count++ > 0 || !audit->out)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(audit->out, "violation of %s at %" PRId64 ".%03d s: ", names[invariant],
            audit->at_ms / 1000, (int)(audit->at_ms % 1000));
    vfprintf(audit->out, format, arguments);
    va_end(arguments);
    fprintf(audit->out, "\n  %s: %s\n  what led to it:\n", names[invariant], texts[invariant]);
    print_history(audit, event);
}

unsigned audit_violations_of(const struct audit *audit, enum invariant invariant)
{
    return audit->counts[invariant];
}

unsigned audit_violations(const struct audit *audit)
{
    return audit->count;
}

/* ---- look-up ---- */

mono_ms audit_line(const struct audit *audit)
{
    return audit->at_ms + audit->offset;
}

struct audit_webhook *audit_webhook(struct audit *audit, int64_t key)
{
    return key > 0 && key < AUDIT_WEBHOOKS && audit->webhooks[key].known ? &audit->webhooks[key]
                                                                         : NULL;
}

struct audit_delivery *audit_delivery(struct audit *audit, int64_t key)
{
    return key > 0 && key < audit->delivery_capacity && audit->deliveries[key].known
               ? &audit->deliveries[key]
               : NULL;
}

struct audit_accepted *audit_accepted(struct audit *audit, int64_t key)
{
    return key > 0 && key < audit->event_capacity && audit->events[key].known ? &audit->events[key]
                                                                              : NULL;
}

struct audit_call *audit_call(struct audit *audit, int64_t number)
{
    return number > 0 && number < audit->call_capacity && audit->calls[number].state != CALL_NONE
               ? &audit->calls[number]
               : NULL;
}

struct audit_post *audit_post(struct audit *audit, int64_t number)
{
    audit->posts = audit_room(audit->posts, number, &audit->post_capacity, sizeof(audit->posts[0]));
    return &audit->posts[number];
}

/* ---- what must happen ---- */

void audit_must(struct audit *audit, struct audit_webhook *webhook, enum invariant invariant,
                mono_ms line)
{
    if (!audit->calm || line == MONO_NEVER)
        return;
    webhook->must = invariant;
    webhook->must_at = line;
    if (line < audit->next_must)
        audit->next_must = line;
}

void audit_relax(struct audit_webhook *webhook)
{
    webhook->must_at = MONO_NEVER;
}

static void check_musts(struct audit *audit, const struct audit_event *event)
{
    mono_ms line = audit_line(audit), next = MONO_NEVER;
    if (line <= audit->next_must)
        return;
    for (int64_t key = 1; key <= audit->webhook_max; key++) {
        struct audit_webhook *webhook = &audit->webhooks[key];
        if (!webhook->known || webhook->must_at == MONO_NEVER)
            continue;
        if (webhook->must_at < line) {
            struct audit_event about = *event;
            about.webhook = key;
            audit_violation(audit, webhook->must, &about,
                            "webhook %" PRId64 " is still %s, %" PRId64 " ms after the latest time",
                            key, webhook_state_name(webhook->now.state), line - webhook->must_at);
            audit_relax(webhook);
        } else if (webhook->must_at < next) {
            next = webhook->must_at;
        }
    }
    audit->next_must = next;
}

/* ---- the process and its clocks ---- */

static void started(struct audit *audit, const struct audit_event *event)
{
    audit->up = true;
    audit->started_at = event->at_ms;
    audit->boot += event->reboot || audit->boot == 0;
    if (audit->commit_boot == 0) {
        audit->offset = -event->at_ms;
    } else if (audit->commit_boot != audit->boot) {
        /* what passed is what the wall clock says, but never less than nothing */
        int64_t passed_ms = (event->wall - audit->commit_wall) / 1000;
        audit->offset = audit->commit_line + (passed_ms > 0 ? passed_ms : 0) - event->at_ms;
    }
}

static void crashed(struct audit *audit)
{
    audit->up = false;
    audit->in_flight = 0;
    for (int64_t key = 1; key <= audit->webhook_max; key++) {
        audit->webhooks[key].in_flight = 0;
        audit->webhooks[key].first_started = 0;
        audit->webhooks[key].streak_sure = 0;
    }
    audit_calls_lost(audit);
}

static void committed(struct audit *audit, const struct audit_event *event)
{
    audit->commit_line = audit_line(audit);
    audit->commit_wall = event->wall;
    audit->commit_boot = audit->boot;
    audit->event_before = audit->event_max;
    for (int64_t key = 1; key <= audit->webhook_max; key++) {
        audit->webhooks[key].before = audit->webhooks[key].now;
        audit->webhooks[key].changed = false;
    }
}

static void calm_now(struct audit *audit)
{
    audit->calm = true;
    for (int64_t key = 1; key <= audit->webhook_max; key++)
        if (audit->webhooks[key].known)
            audit_expect(audit, &audit->webhooks[key]);
}

static void take_store(struct audit *audit, const struct audit_event *event)
{
    audit->failing = event->kind == AUDIT_STORE_FAILS;
    if (audit->failing)
        audit->failing_since = event->at_ms;
    else
        audit->healed_at = event->at_ms;
}

static void take(struct audit *audit, const struct audit_event *event)
{
    switch (event->kind) {
    case AUDIT_STARTED: started(audit, event); break;
    case AUDIT_CRASHED: crashed(audit); break;
    case AUDIT_WALL_STEPPED: break;
    case AUDIT_STORE_FAILS:
    case AUDIT_STORE_HEALS: take_store(audit, event); break;
    case AUDIT_STORE_HICCUPS: audit->hiccup_until = event->at_ms + 2000; break;
    case AUDIT_CALM: calm_now(audit); break;
    case AUDIT_COMMITTED: committed(audit, event); break;
    case AUDIT_SHOWN_WEBHOOK: audit_take_webhook(audit, event); break;
    case AUDIT_SHOWN_EVENT: audit_take_event(audit, event); break;
    case AUDIT_SHOWN_DELIVERY: audit_take_shown(audit, event); break;
    case AUDIT_OPEN_DELIVERY: audit_take_open(audit, event); break;
    case AUDIT_SHOWN_ALL: audit_take_shown_all(audit, event); break;
    case AUDIT_POST: audit_take_post(audit, event); break;
    case AUDIT_POST_ENDED: audit_take_post_ended(audit, event); break;
    case AUDIT_VERIFY: audit_take_verify(audit, event); break;
    case AUDIT_VERIFY_ENDED: audit_take_verify_ended(audit, event); break;
    case AUDIT_KEPT_DELIVERY: audit_take_kept(audit, event); break;
    case AUDIT_KEPT_ALL: audit_take_kept_all(audit, event); break;
    case AUDIT_MEMORY:
        if (event->count > event->limit)
            audit_violation(audit, INVARIANT_S18, event,
                            "a sender holds %u open deliveries, the limit is %u", event->count,
                            event->limit);
        break;
    case AUDIT_RECOVERED_TWICE:
        if (event->hash != event->hash_again)
            audit_violation(audit, INVARIANT_S20, event, "the second recovery found another state");
        break;
    case AUDIT_FAULT: audit_violation(audit, INVARIANT_T2, event, "%s", event->text); break;
    case AUDIT_OVER: audit_over(audit, event); break;
    default: audit_take_call(audit, event); break;
    }
}

void audit_take(struct audit *audit, const struct audit_event *event)
{
    assert(event->at_ms >= audit->at_ms);
    audit->at_ms = event->at_ms;
    audit->ring[audit->taken++ % AUDIT_RING] = *event;
    check_musts(audit, event);
    take(audit, event);
}
