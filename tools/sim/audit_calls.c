/* The auditor's view of what clients ask and are told, and of what is accepted.
 *
 * Owns: what an answer promises. Told ok: the store shows it by then, whole. Told anything else, or
 * refused: it never shows. Told nothing, because the process died: all of it or none. Fan-out is
 * judged by the webhooks that the store showed before and after the commit: one that did not change
 * in it leaves no choice. */
#include "tools/sim/audit_inside.h"

#include <assert.h>
#include <inttypes.h>

/* ---- calls ---- */

static struct audit_call *new_call(struct audit *audit, const struct audit_event *event)
{
    assert(event->call > 0);
    audit->calls =
        audit_room(audit->calls, event->call, &audit->call_capacity, sizeof(audit->calls[0]));
    struct audit_call *call = &audit->calls[event->call];
    *call = (struct audit_call){.state = CALL_ASKED,
                                .kind = event->kind,
                                .webhook = event->webhook,
                                .number = event->number,
                                .at_ms = event->at_ms,
                                .count = event->count,
                                .url_tag = event->url_tag,
                                .secret_tag = event->secret_tag,
                                .command = event->command,
                                .failing = audit->failing};
    if (event->call > audit->call_max)
        audit->call_max = event->call;
    return call;
}

static void asked(struct audit *audit, const struct audit_event *event)
{
    struct audit_call *call = new_call(audit, event);
    struct audit_webhook *webhook = audit_webhook(audit, event->webhook);
    const struct audit_delivery *delivery = audit_delivery(audit, event->delivery);
    if (delivery)
        call->redeliveries = delivery->redeliveries;
    if (event->kind == AUDIT_ASKED_CHANGE && webhook)
        webhook->asked[event->command & 3]++;
    if (event->kind != AUDIT_ASKED_PUBLISH)
        return;
    audit->number_calls = audit_room(audit->number_calls, call->number + call->count,
                                     &audit->number_capacity, sizeof(audit->number_calls[0]));
    for (uint32_t i = 0; i < call->count; i++)
        audit->number_calls[call->number + i] = event->call;
}

/* Intake while the store fails, and after. */
static void judge_intake(struct audit *audit, const struct audit_event *event,
                         const struct audit_call *call)
{
    bool failed_throughout = call->failing && audit->failing && audit->failing_since <= call->at_ms;
    if (event->ok && failed_throughout)
        audit_violation(audit, INVARIANT_L7, event, "accepted while the store fails");
    bool well = !audit->failing && call->at_ms > audit->healed_at + ON_TIME_MS &&
                call->at_ms > audit->hiccup_until && event->at_ms > audit->hiccup_until;
    if (!event->ok && well)
        audit_violation(audit, INVARIANT_L7, event, "refused, and nothing is wrong");
}

static void told_publish(struct audit *audit, const struct audit_event *event,
                         const struct audit_call *call)
{
    judge_intake(audit, event, call);
    if (event->ok && call->shown != call->count)
        audit_violation(audit, INVARIANT_S14, event,
                        "of %u events that were accepted %u are durable", call->count, call->shown);
    if (!event->ok && call->shown != 0)
        audit_violation(audit, INVARIANT_S14, event, "refused, and %u events are durable",
                        call->shown);
}

static void told_event(struct audit *audit, const struct audit_event *event)
{
    const struct audit_accepted *accepted = audit_accepted(audit, event->event);
    if (!accepted || accepted->number != event->number)
        audit_violation(audit, INVARIANT_S14, event, "the store has no such event");
    else if (accepted->salt != event->salt)
        audit_violation(audit, INVARIANT_S11, event, "the store has this event under another id");
    else if (accepted->count != event->count)
        audit_violation(audit, INVARIANT_S14, event, "%u deliveries were promised, %u are durable",
                        event->count, accepted->count);
}

static void told_change(struct audit *audit, const struct audit_event *event,
                        const struct audit_call *call)
{
    struct audit_webhook *webhook = audit_webhook(audit, call->webhook);
    if (!webhook || !event->ok)
        return;
    struct audit_event about = *event;
    about.webhook = call->webhook;
    const struct audit_shown *now = &webhook->now;
    bool done = true;
    if (now->state != WEBHOOK_DELETED)
        done = (!call->url_tag || now->url_tag == call->url_tag) &&
               (!call->secret_tag || now->secret_tag == call->secret_tag);
    if (call->command == 2) /* deactivate */
        done = done && (now->state == WEBHOOK_INACTIVE || now->state == WEBHOOK_DELETED);
    if (call->command == 3) { /* delete */
        done = done && now->state == WEBHOOK_DELETED;
        webhook->delete_told = true;
    }
    if (!done)
        audit_violation(audit, INVARIANT_T1, &about, "answered, and the store shows otherwise");
}

static void told_create(struct audit *audit, const struct audit_event *event,
                        const struct audit_call *call)
{
    const struct audit_webhook *webhook = audit_webhook(audit, event->webhook);
    if (!event->ok)
        return;
    if (!webhook)
        audit_violation(audit, INVARIANT_T1, event, "answered, and the store has no such webhook");
    else if (webhook->now.url_tag != call->url_tag || webhook->now.secret_tag != call->secret_tag)
        audit_violation(audit, INVARIANT_S11, event, "this id belongs to another webhook");
}

/* Told ok: it was opened since it was asked for, or opened and ended again in the same transaction,
 * by a change that took its webhook out of the active state. */
static void told_redelivery(struct audit *audit, const struct audit_event *event,
                            const struct audit_call *call)
{
    const struct audit_delivery *delivery = audit_delivery(audit, event->delivery);
    const struct audit_webhook *webhook = delivery ? audit_webhook(audit, delivery->webhook) : NULL;
    if (event->ok && (!webhook || (delivery->redeliveries == call->redeliveries &&
                                   webhook->left_active_at_ms < call->at_ms)))
        audit_violation(audit, INVARIANT_S14, event, "answered, and the store never opened it");
}

void audit_take_call(struct audit *audit, const struct audit_event *event)
{
    switch (event->kind) {
    case AUDIT_ASKED_PUBLISH:
    case AUDIT_ASKED_CREATE:
    case AUDIT_ASKED_CHANGE:
    case AUDIT_ASKED_REDELIVERY: asked(audit, event); return;
    case AUDIT_TOLD_EVENT: told_event(audit, event); return;
    default: break;
    }
    struct audit_call *call = audit_call(audit, event->call);
    assert(call && call->state == CALL_ASKED);
    call->state = event->ok ? CALL_OK : CALL_REFUSED;
    switch (event->kind) {
    case AUDIT_TOLD_PUBLISH: told_publish(audit, event, call); break;
    case AUDIT_TOLD_CREATE: told_create(audit, event, call); break;
    case AUDIT_TOLD_CHANGE: told_change(audit, event, call); break;
    case AUDIT_TOLD_REDELIVERY: told_redelivery(audit, event, call); break;
    default: assert(!"a kind without a case");
    }
}

void audit_calls_lost(struct audit *audit)
{
    for (int64_t number = audit->call_max; number > 0; number--)
        if (audit->calls[number].state == CALL_ASKED)
            audit->calls[number].state = CALL_UNKNOWN;
}

void audit_calls_over(struct audit *audit, const struct audit_event *event)
{
    for (int64_t number = 1; number <= audit->call_max; number++) {
        const struct audit_call *call = &audit->calls[number];
        if (call->state == CALL_ASKED)
            audit_violation(audit, INVARIANT_T2, event, "call %" PRId64 " was never answered",
                            number);
        if (call->kind == AUDIT_ASKED_PUBLISH && call->state == CALL_UNKNOWN && call->shown != 0 &&
            call->shown != call->count)
            audit_violation(audit, INVARIANT_S14, event,
                            "of call %" PRId64 " %u of %u events are durable", number, call->shown,
                            call->count);
    }
}

/* ---- what a commit accepted ---- */

void audit_take_event(struct audit *audit, const struct audit_event *event)
{
    if (audit_accepted(audit, event->event))
        audit_violation(audit, INVARIANT_S11, event, "the key of this event was given before");
    audit->events =
        audit_room(audit->events, event->event, &audit->event_capacity, sizeof(audit->events[0]));
    audit->events[event->event] = (struct audit_accepted){.known = true,
                                                          .number = event->number,
                                                          .salt = event->salt,
                                                          .type = event->type,
                                                          .count = event->count};
    audit->event_count++;
    if (event->event > audit->event_max)
        audit->event_max = event->event;
    int64_t number = event->number > 0 && event->number < audit->number_capacity
                         ? audit->number_calls[event->number]
                         : 0;
    struct audit_call *call = audit_call(audit, number);
    if (!call || call->state == CALL_REFUSED)
        audit_violation(audit, INVARIANT_S14, event, "durable, and %s",
                        call ? "it was refused" : "nobody published it");
    if (call && ++call->shown > call->count)
        audit_violation(audit, INVARIANT_S11, event, "its event was accepted twice");
}

/* Whether a webhook that the store shows so may get this delivery; one that changed in the same
 * commit may have ended it at once. */
static bool may_have(const struct audit_webhook *webhook, const struct audit_shown *shown,
                     const struct audit_event *event)
{
    if (!event_set_has(&shown->types, event->type))
        return false;
    if (shown->state == WEBHOOK_ACTIVE)
        return event->open || webhook->changed;
    return shown->state == WEBHOOK_DEGRADED && !event->open;
}

static void reopened(struct audit_delivery *delivery)
{
    delivery->reopened = true;
    delivery->done = false;
    delivery->closed = false;
    delivery->redeliveries++;
}

void audit_take_shown(struct audit *audit, const struct audit_event *event)
{
    struct audit_delivery *delivery = audit_delivery(audit, event->delivery);
    if (delivery) {
        if (event->redelivery && event->open)
            reopened(delivery);
        else
            audit_violation(audit, INVARIANT_S11, event,
                            "the key of this delivery was given before");
        return;
    }
    struct audit_accepted *accepted = audit_accepted(audit, event->event);
    struct audit_webhook *webhook = audit_webhook(audit, event->webhook);
    if (!accepted || !webhook) {
        audit_violation(audit, INVARIANT_S14, event, "its event or its webhook is not durable");
        return;
    }
    if (accepted->shown++ == 0)
        accepted->first_delivery = event->delivery;
    if (!may_have(webhook, &webhook->now, event) && !may_have(webhook, &webhook->before, event))
        audit_violation(
            audit, INVARIANT_S19, event,
            "its webhook is %s and subscribed or not: %d; this delivery is not due to it",
            webhook_state_name(webhook->now.state),
            event_set_has(&webhook->now.types, event->type));
    audit->deliveries = audit_room(audit->deliveries, event->delivery, &audit->delivery_capacity,
                                   sizeof(audit->deliveries[0]));
    audit->deliveries[event->delivery] = (struct audit_delivery){
        .known = true,
        .closed = !event->open,
        .type = event->type,
        .state = event->state,
        .reason = event->reason,
        .event = event->event,
        .webhook = event->webhook,
        .accepted = audit_line(audit),
    };
    audit->delivery_count++;
    if (event->delivery > audit->delivery_max)
        audit->delivery_max = event->delivery;
}

/* Every webhook that stayed as it was through the commit and is owed the event has it. */
static void judge_fan_out(struct audit *audit, const struct audit_event *event, int64_t key)
{
    const struct audit_accepted *accepted = &audit->events[key];
    struct audit_event about = *event;
    about.event = key;
    uint32_t owed = 0, open_to_doubt = 0;
    for (int64_t i = 1; i <= audit->webhook_max; i++) {
        const struct audit_webhook *webhook = &audit->webhooks[i];
        if (!webhook->known)
            continue;
        open_to_doubt += webhook->changed;
        owed += !webhook->changed && event_set_has(&webhook->now.types, accepted->type) &&
                (webhook->now.state == WEBHOOK_ACTIVE || webhook->now.state == WEBHOOK_DEGRADED);
    }
    if (accepted->shown != accepted->count)
        audit_violation(audit, INVARIANT_S14, &about, "%u deliveries of %u are durable",
                        accepted->shown, accepted->count);
    if (accepted->count < owed || accepted->count > owed + open_to_doubt)
        audit_violation(audit, INVARIANT_S19, &about, "%u deliveries, and %u webhooks are owed one",
                        accepted->count, owed);
}

void audit_take_shown_all(struct audit *audit, const struct audit_event *event)
{
    for (int64_t key = audit->event_before + 1; key <= audit->event_max; key++)
        if (audit_accepted(audit, key))
            judge_fan_out(audit, event, key);
}
