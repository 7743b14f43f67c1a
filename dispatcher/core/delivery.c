/* The life of a delivery: schema/delivery.def carried out.
 *
 * Owns: what an outcome means for a delivery, and for the health of its webhook. Refuses: to start
 * anything (select.c does).
 *
 * Happy path: an attempt ends acknowledged ─▶ DELIVERED, failures in a row are forgotten, the store
 * is told, the delivery is let go. Otherwise it is due again by the schedule, or has used up its
 * attempts and counts against the health of its webhook; or its webhook is not active any more, and
 * then what happened to the webhook happens to it. */
#include "core/parts.h"

static const uint8_t rows[DELIVERY_STATE_COUNT][DELIVERY_EVENT_COUNT] = {
#define X(state, event, next) [DELIVERY_##state][DELIVERY_##event] = DELIVERY_##next,
#include "../../schema/delivery.def"
#undef X
};

/* What a reason brings upon a delivery (reason.def). */
static const uint8_t verdicts[REASON_COUNT] = {
#define X(name, verdict, text) [REASON_##name] = DELIVERY_##verdict,
#include "../../schema/reason.def"
#undef X
};

#define NOTE_SUCCESS_EVERY_US \
    1000000 /* how often the store is told of nothing but a later last success */

enum delivery_state delivery_next(enum delivery_state state, enum delivery_event event)
{
    return rows[state][event];
}

enum delivery_state delivery_end(enum reason reason)
{
    return delivery_next(verdicts[reason] == DELIVERY_EXHAUSTED ? DELIVERY_IN_FLIGHT
                                                                : DELIVERY_PENDING,
                         verdicts[reason]);
}

void delivery_apply(struct delivery *delivery, enum delivery_event event)
{
    enum delivery_state next = delivery_next(delivery->state, event);
    assert(next != DELIVERY_BUG);
    if (next != DELIVERY_IGNORE)
        delivery->state = next;
}

static void leave_flight(struct core *core, struct webhook *webhook, struct delivery *delivery)
{
    if (delivery->flight_prev)
        delivery->flight_prev->flight_next = delivery->flight_next;
    else
        webhook->flight = delivery->flight_next;
    if (delivery->flight_next)
        delivery->flight_next->flight_prev = delivery->flight_prev;
    delivery->flight_prev = delivery->flight_next = NULL;
    webhook->in_flight--;
    core->in_flight--;
}

enum reason delivery_reason(const struct webhook_status *status)
{
    switch ((enum webhook_state)status->state) {
    case WEBHOOK_UNVERIFIED:
        return status->verify_until == MONO_NEVER ? REASON_webhook_unverified : REASON_none;
    case WEBHOOK_DEGRADED: return REASON_webhook_degraded;
    case WEBHOOK_INACTIVE: return REASON_webhook_inactive;
    case WEBHOOK_DELETED: return REASON_webhook_deleted;
    default: return REASON_none;
    }
}

/* What the outcome means for the delivery: its next state, with reason or due time. */
static void judge(const struct core *core, const struct webhook *webhook, struct delivery *delivery)
{
    delivery->reason = REASON_none;
    delivery->attempt_count++;
    if (outcome_acknowledged(delivery->facts.outcome)) {
        delivery_apply(delivery, DELIVERY_ACKNOWLEDGED);
        return;
    }
    delivery->reason = delivery_reason(&webhook->status);
    if (delivery->reason == REASON_none) {
        mono_ms due = delivery->redelivery
                          ? MONO_NEVER
                          : schedule_retry(&core->config, delivery->attempt_count, core->now.mono);
        if (due != MONO_NEVER) {
            delivery->due = due;
            delivery_apply(delivery, webhook->status.state == WEBHOOK_ACTIVE ? DELIVERY_RETRY
                                                                             : DELIVERY_HOLD);
            return;
        }
        delivery->reason = REASON_attempts_exhausted;
    }
    delivery_apply(delivery, verdicts[delivery->reason]);
}

static void judge_health(struct core *core, struct webhook *webhook,
                         const struct delivery *delivery, struct update *update)
{
    struct webhook_status *status = &webhook->status;
    if (status->state != WEBHOOK_ACTIVE || delivery->generation != status->generation)
        return;
    if (delivery->state == DELIVERY_DELIVERED) {
        bool recovered = status->consecutive_failures > 0;
        status->consecutive_failures = 0;
        status->last_success_us = core->now.wall;
        if (recovered || core->now.wall - webhook->noted_us >= NOTE_SUCCESS_EVERY_US ||
            core->now.wall < webhook->noted_us) {
            webhook->noted_us = core->now.wall;
            emit(update, EFFECT_NOTE, webhook, NULL);
        }
    } else if (delivery->state == DELIVERY_FAILED && !delivery->redelivery &&
               outcome_hurts_health(delivery->facts.outcome)) {
        status->consecutive_failures++;
        if (status->consecutive_failures >= core->config.degrade_after)
            webhook_propose(core, webhook, WEBHOOK_FAILING, update);
        else
            emit(update, EFFECT_NOTE, webhook, NULL);
    }
}

void delivery_ended(struct core *core, struct delivery *delivery, struct update *update)
{
    struct webhook *webhook = delivery->webhook;
    if (webhook->changing) { /* what it means depends on whether the change becomes true */
        list_push(&webhook->waiting, delivery);
        return;
    }
    leave_flight(core, webhook, delivery);
    judge(core, webhook, delivery);
    emit(update, EFFECT_RECORD, webhook, delivery);
    judge_health(core, webhook, delivery, update);
    if (delivery->state == DELIVERY_PENDING || delivery->state == DELIVERY_HELD)
        backlog_insert(core, webhook, delivery);
    else
        emit(update, EFFECT_FORGET, webhook, delivery);
    backlog_want(core, webhook, update);
    select_place(core, webhook);
}
