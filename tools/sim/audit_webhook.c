/* The auditor's view of webhooks: which change was allowed, which verify request, which echo.
 *
 * Owns: the table of changes that the rules allow, written here once more, by cause and not by the
 * rows of webhook.def, so that a wrong row is found. What brings a change: an echo that the auditor
 * itself saw to be right, a command that a client asked for, a window that is over, five exhausted
 * deliveries in a row that it counted on the wire. */
#include "tools/sim/audit_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGE_CHARS_MIN 22 /* of [A-Za-z0-9]: 131 bits */

enum {
    COMMAND_ACTIVATE = 1,
    COMMAND_DEACTIVATE = 2,
    COMMAND_DELETE = 3
}; /* as in AUDIT_ASKED_CHANGE */

/* ---- what must happen to a webhook that is being verified ---- */

static dur_ms probe_delay(const struct audit_rules *rules, unsigned probes)
{
    dur_ms delay = rules->probe_delay_min_ms;
    for (unsigned i = 1; i < probes && delay < rules->probe_delay_max_ms; i++)
        delay *= 2;
    return delay < rules->probe_delay_max_ms ? delay : rules->probe_delay_max_ms;
}

void audit_expect(struct audit *audit, struct audit_webhook *webhook)
{
    mono_ms line = audit_line(audit);
    audit_relax(webhook);
    if (webhook->now.state == WEBHOOK_UNVERIFIED && webhook->now.until != MONO_NEVER)
        audit_must(audit, webhook, INVARIANT_L2,
                   (webhook->now.until > line ? webhook->now.until : line) + ON_TIME_MS);
    if (webhook->now.state == WEBHOOK_DEGRADED) /* the next request, its 3 s */
        audit_must(audit, webhook, INVARIANT_L3,
                   line + (webhook->probes ? probe_delay(&audit->rules, webhook->probes) : 0) +
                       3000 + ON_TIME_MS);
}

/* ---- changes ---- */

static void wrong(struct audit *audit, enum invariant invariant, const struct audit_event *event,
                  const struct audit_webhook *webhook, const char *why)
{
    audit_violation(audit, invariant, event, "webhook %" PRId64 " went from %s to %s, but %s",
                    event->webhook, webhook_state_name(webhook->now.state),
                    webhook_state_name(event->state), why);
}

static void judge_active(struct audit *audit, const struct audit_event *event,
                         const struct audit_webhook *webhook)
{
    if (event->generation != webhook->now.generation)
        wrong(audit, INVARIANT_T1, event, webhook, "its generation is new");
    else if (webhook->echoed_generation != event->generation)
        wrong(audit, INVARIANT_S6, event, webhook, "this generation has never echoed a challenge");
    else if (webhook->now.state == WEBHOOK_INACTIVE && !webhook->asked[COMMAND_ACTIVATE])
        wrong(audit, INVARIANT_T1, event, webhook, "nobody asked");
    else if (webhook->now.state != WEBHOOK_INACTIVE && !webhook->echoed_in_run)
        wrong(audit, INVARIANT_S6, event, webhook, "no right echo came within this window");
}

static void judge_unverified(struct audit *audit, const struct audit_event *event,
                             const struct audit_webhook *webhook)
{
    if (webhook->now.state == WEBHOOK_INACTIVE) {
        if (!webhook->asked[COMMAND_ACTIVATE])
            wrong(audit, INVARIANT_T1, event, webhook, "nobody asked");
    } else if (event->generation == webhook->now.generation) {
        wrong(audit, INVARIANT_T1, event, webhook, "neither url nor secret changed");
    }
}

static void judge_inactive(struct audit *audit, const struct audit_event *event,
                           const struct audit_webhook *webhook)
{
    if (event->reason == REASON_degraded_too_long) {
        if (webhook->now.state != WEBHOOK_DEGRADED || audit_line(audit) < webhook->now.until)
            wrong(audit, INVARIANT_T1, event, webhook, "it was not degraded for so long");
    } else if (!webhook->asked[COMMAND_DEACTIVATE]) {
        wrong(audit, INVARIANT_T1, event, webhook, "nobody asked");
    }
}

static void judge_state(struct audit *audit, const struct audit_event *event,
                        const struct audit_webhook *webhook)
{
    if (webhook->now.state == WEBHOOK_DELETED) {
        wrong(audit, INVARIANT_S11, event, webhook, "a deleted one does not come back");
        return;
    }
    switch (event->state) {
    case WEBHOOK_ACTIVE: judge_active(audit, event, webhook); break;
    case WEBHOOK_UNVERIFIED: judge_unverified(audit, event, webhook); break;
    case WEBHOOK_INACTIVE: judge_inactive(audit, event, webhook); break;
    case WEBHOOK_DEGRADED:
        if (webhook->now.state != WEBHOOK_ACTIVE)
            wrong(audit, INVARIANT_T1, event, webhook, "it was not active");
        else if (!webhook->enough)
            wrong(audit, INVARIANT_T1, event, webhook,
                  "not so many deliveries in a row were exhausted");
        break;
    case WEBHOOK_DELETED:
        if (!webhook->asked[COMMAND_DELETE])
            wrong(audit, INVARIANT_T1, event, webhook, "nobody asked");
        break;
    }
}

static void judge_window(struct audit *audit, const struct audit_event *event,
                         const struct audit_webhook *webhook)
{
    mono_ms line = audit_line(audit);
    if (event->state == WEBHOOK_UNVERIFIED && event->until != MONO_NEVER &&
        event->until > line + audit->rules.verify_window_ms)
        audit_violation(audit, INVARIANT_L2, event, "the window is too long");
    bool degrades =
        event->state == WEBHOOK_DEGRADED && webhook && webhook->now.state != WEBHOOK_DEGRADED;
    mono_ms longest = line + audit->rules.degraded_max_ms;
    if (degrades &&
        (event->until > longest || (audit->rules.calm && event->until < longest - ON_TIME_MS)))
        audit_violation(audit, INVARIANT_T1, event, "it is given up after another time");
    if (webhook && event->state == WEBHOOK_UNVERIFIED && event->until == MONO_NEVER &&
        webhook->now.state == WEBHOOK_UNVERIFIED && webhook->now.until != MONO_NEVER &&
        line < webhook->now.until)
        audit_violation(audit, INVARIANT_L2, event, "the window ended early");
}

/* Whether somebody asked for this url or secret, and was not refused. */
static bool has_cause(const struct audit *audit, const struct audit_event *event, uint32_t tag)
{
    for (int64_t number = audit->call_max; number > 0; number--) {
        const struct audit_call *call = &audit->calls[number];
        if (call->kind == AUDIT_ASKED_CHANGE && call->webhook == event->webhook &&
            (call->url_tag == tag || call->secret_tag == tag) && call->state != CALL_REFUSED)
            return true;
    }
    return false;
}

static void judge_tags(struct audit *audit, const struct audit_event *event,
                       const struct audit_webhook *webhook)
{
    bool other =
        event->url_tag != webhook->now.url_tag || event->secret_tag != webhook->now.secret_tag;
    if (other && event->generation == webhook->now.generation)
        audit_violation(audit, INVARIANT_S1, event,
                        "url or secret changed, the generation did not");
    if (event->generation != webhook->now.generation &&
        event->generation != webhook->now.generation + 1)
        audit_violation(audit, INVARIANT_T1, event, "a generation was left out");
    if ((event->url_tag != webhook->now.url_tag && !has_cause(audit, event, event->url_tag)) ||
        (event->secret_tag != webhook->now.secret_tag &&
         !has_cause(audit, event, event->secret_tag)))
        audit_violation(audit, INVARIANT_T1, event, "nobody asked for it, or it was refused");
}

/* Whether the change ends what is queued. */
static bool ends_queue(const struct audit_event *event)
{
    return event->state == WEBHOOK_DEGRADED || event->state == WEBHOOK_INACTIVE ||
           event->state == WEBHOOK_DELETED ||
           (event->state == WEBHOOK_UNVERIFIED && event->until == MONO_NEVER);
}

static void take_over(struct audit *audit, const struct audit_event *event,
                      struct audit_webhook *webhook)
{
    const struct audit_shown old = webhook->now;
    webhook->now = (struct audit_shown){
        .state = event->state,
        .reason = event->reason,
        .generation = event->generation,
        .url_tag = event->state == WEBHOOK_DELETED ? old.url_tag : event->url_tag,
        .secret_tag = event->state == WEBHOOK_DELETED ? old.secret_tag : event->secret_tag,
        .failures = event->failures,
        .run_since = event->run_since,
        .until = event->until,
        .types = event->types,
    };
    webhook->seen_states |= (uint8_t)(1u << event->state);
    bool new_run = old.generation != event->generation || old.state != event->state ||
                   old.until != event->until || old.run_since != event->run_since;
    if (new_run) {
        webhook->run++;
        webhook->echoed_in_run = false;
        webhook->streak_sure = 0;
        webhook->enough = webhook->streak >= audit->rules.degrade_after;
        if (event->state == WEBHOOK_ACTIVE)
            webhook->active_since = audit_line(audit);
        else
            webhook->left_active_at_ms = audit->at_ms;
        if (event->state == WEBHOOK_DEGRADED && old.state != WEBHOOK_DEGRADED)
            webhook->probes = 0;
        audit_expect(audit, webhook);
        if (ends_queue(event))
            webhook->settled_to = audit->delivery_max;
    }
}

void audit_take_webhook(struct audit *audit, const struct audit_event *event)
{
    assert(event->webhook > 0 && event->webhook < AUDIT_WEBHOOKS);
    struct audit_webhook *webhook = &audit->webhooks[event->webhook];
    judge_window(audit, event, webhook->known ? webhook : NULL);
    if (!webhook->known) {
        if (event->state != WEBHOOK_UNVERIFIED || event->generation != 1)
            audit_violation(audit, INVARIANT_T1, event, "a new webhook is not unverified");
        webhook->known = true;
        webhook->before.state = WEBHOOK_DELETED; /* it was not there */
        webhook->must_at = MONO_NEVER;
        if (event->webhook > audit->webhook_max)
            audit->webhook_max = event->webhook;
    } else {
        judge_tags(audit, event, webhook);
        if (event->state != webhook->now.state)
            judge_state(audit, event, webhook);
        else if (event->generation != webhook->now.generation &&
                 (event->state == WEBHOOK_ACTIVE || event->state == WEBHOOK_DEGRADED))
            wrong(audit, INVARIANT_S1, event, webhook, "its generation is new");
    }
    if (event->state == WEBHOOK_ACTIVE && event->failures >= audit->rules.degrade_after)
        audit_violation(audit, INVARIANT_T1, event, "it should be degraded by now");
    webhook->changed |= event->state != webhook->now.state ||
                        memcmp(&event->types, &webhook->now.types, sizeof(event->types)) != 0;
    take_over(audit, event, webhook);
}

/* ---- verify requests ---- */

/* Remembers a challenge; false if it was seen before. */
static bool challenge_is_new(struct audit *audit, const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    hash |= 1; /* 0: a free place */
    if (audit->challenge_count * 2 >= audit->challenge_capacity) {
        size_t capacity = audit->challenge_capacity ? audit->challenge_capacity * 2 : 64;
        uint64_t *wider = calloc(capacity, sizeof(wider[0]));
        if (!wider)
            abort();
        for (size_t i = 0; i < audit->challenge_capacity; i++) {
            uint64_t old = audit->challenges[i];
            size_t at = old % capacity;
            while (old && wider[at])
                at = (at + 1) % capacity;
            wider[at] = old ? old : wider[at];
        }
        free(audit->challenges);
        audit->challenges = wider;
        audit->challenge_capacity = capacity;
    }
    size_t at = hash % audit->challenge_capacity;
    while (audit->challenges[at] && audit->challenges[at] != hash)
        at = (at + 1) % audit->challenge_capacity;
    if (audit->challenges[at] == hash)
        return false;
    audit->challenges[at] = hash;
    audit->challenge_count++;
    return true;
}

void audit_take_verify(struct audit *audit, const struct audit_event *event)
{
    struct audit_webhook *webhook = audit_webhook(audit, event->webhook);
    struct audit_post *post = audit_post(audit, event->post);
    *post = (struct audit_post){.webhook = event->webhook, .at_ms = event->at_ms};
    memcpy(post->challenge, event->text, sizeof(post->challenge));
    if (strlen(event->text) < CHALLENGE_CHARS_MIN)
        audit_violation(audit, INVARIANT_S7, event, "a challenge of %zu characters",
                        strlen(event->text));
    if (!challenge_is_new(audit, event->text))
        audit_violation(audit, INVARIANT_S7, event, "this challenge was used before");
    if (!webhook) {
        audit_violation(audit, INVARIANT_S16, event, "no such webhook is durable");
        return;
    }
    post->generation = webhook->now.generation;
    post->run = webhook->run;
    bool verifying =
        webhook->now.state == WEBHOOK_UNVERIFIED || webhook->now.state == WEBHOOK_DEGRADED;
    if (webhook->delete_told)
        audit_violation(audit, INVARIANT_S15, event, "its deletion was answered before");
    else if (!verifying || webhook->now.until == MONO_NEVER)
        audit_violation(audit, INVARIANT_S16, event, "nothing is to be verified: it is %s",
                        webhook_state_name(webhook->now.state));
    if (event->url_tag != webhook->now.url_tag || event->secret_tag != webhook->now.secret_tag)
        audit_violation(audit, INVARIANT_S16, event, "it goes to another generation");
    if (webhook->now.state == WEBHOOK_DEGRADED) {
        webhook->probes++;
        audit_must(audit, webhook, INVARIANT_L3, audit_line(audit) + 3000 + ON_TIME_MS);
    }
}

void audit_take_verify_ended(struct audit *audit, const struct audit_event *event)
{
    struct audit_post *post = audit_post(audit, event->post);
    struct audit_webhook *webhook = audit_webhook(audit, post->webhook);
    if (event->duration_ms > 3100 || event->at_ms - post->at_ms > 3100)
        audit_violation(audit, INVARIANT_S5, event, "a verify request took %" PRId64 " ms",
                        event->at_ms - post->at_ms);
    if (!webhook || post->generation != webhook->now.generation || post->run != webhook->run)
        return; /* too late: nothing comes of it */
    bool right = event->ok && strcmp(event->text, post->challenge) == 0 &&
                 audit_line(audit) < webhook->now.until && webhook->now.until != MONO_NEVER;
    if (right) {
        webhook->echoed_generation = post->generation;
        webhook->echoed_in_run = true;
        webhook->streak = 0; /* what ends from here on is looked at when it is active */
        audit_must(audit, webhook,
                   webhook->now.state == WEBHOOK_DEGRADED ? INVARIANT_L3 : INVARIANT_L2,
                   audit_line(audit) + ON_TIME_MS);
    } else if (webhook->now.state == WEBHOOK_DEGRADED && !webhook->echoed_in_run) {
        audit_expect(audit, webhook); /* from the end of this one */
    }
}
