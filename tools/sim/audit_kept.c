/* The auditor's view of what the store holds: right after a change, at a start, and in the end.
 *
 * Owns: the books of each delivery. What left for the receiver, what is recorded and what crashes
 * swallowed must add up, and its end must be one that something on the stream explains. */
#include "tools/sim/audit_inside.h"

#include <inttypes.h>

void audit_take_open(struct audit *audit, const struct audit_event *event)
{
    struct audit_delivery *delivery = audit_delivery(audit, event->delivery);
    struct audit_webhook *webhook = audit_webhook(audit, event->webhook);
    if (!delivery || !webhook)
        return;
    bool ends = webhook->now.state != WEBHOOK_ACTIVE &&
                !(webhook->now.state == WEBHOOK_UNVERIFIED && webhook->now.until != MONO_NEVER);
    if (!ends)
        return;
    bool unrecorded = delivery->recorded + delivery->posts_boot > event->attempts;
    if (!unrecorded)
        audit_violation(audit, INVARIANT_S13, event, "open, not in flight, and its webhook is %s",
                        webhook_state_name(webhook->now.state));
    delivery->excepted = true;
}

/* ---- ends ---- */

static bool was(const struct audit_webhook *webhook, enum webhook_state state)
{
    return (webhook->seen_states >> state) & 1;
}

/* Whether something on the stream explains that the delivery ended so. */
static bool explained(const struct audit *audit, const struct audit_event *event,
                      const struct audit_delivery *delivery, const struct audit_webhook *webhook)
{
    switch (event->reason) {
    case REASON_none: return event->state == DELIVERY_DELIVERED && delivery->acknowledged > 0;
    case REASON_attempts_exhausted:
        return event->state == DELIVERY_FAILED &&
               event->attempts - event->redelivered == audit->rules.attempts_max;
    case REASON_webhook_degraded:
        return event->state == DELIVERY_FAILED && was(webhook, WEBHOOK_DEGRADED);
    case REASON_webhook_unverified:
        return event->state == DELIVERY_FAILED && was(webhook, WEBHOOK_UNVERIFIED);
    case REASON_webhook_inactive:
        return event->state == DELIVERY_DROPPED && was(webhook, WEBHOOK_INACTIVE);
    case REASON_webhook_deleted:
        return event->state == DELIVERY_DROPPED && was(webhook, WEBHOOK_DELETED);
    default: return false;
    }
}

static void judge_end(struct audit *audit, const struct audit_event *event,
                      const struct audit_delivery *delivery)
{
    const struct audit_webhook *webhook = audit_webhook(audit, delivery->webhook);
    if (delivery->closed &&
        (delivery->state != event->state || delivery->reason != event->reason) &&
        !(event->state == DELIVERY_DELIVERED && delivery->redeliveries > 0))
        audit_violation(audit, INVARIANT_S12, event, "its end was %s, %s before",
                        delivery_state_name(delivery->state), reason_name(delivery->reason));
    bool delivered = event->state == DELIVERY_DELIVERED;
    if (delivered != (event->acknowledged > 0) || event->acknowledged > delivery->acknowledged)
        audit_violation(audit, INVARIANT_S8, event,
                        "%s with %u attempts recorded as acknowledged, %u complete 2xx on the wire",
                        delivery_state_name(event->state), event->acknowledged,
                        delivery->acknowledged);
    else if (!webhook || !explained(audit, event, delivery, webhook))
        audit_violation(audit, INVARIANT_S12, event, "nothing explains this end");
}

static void judge_books(struct audit *audit, const struct audit_event *event,
                        struct audit_delivery *delivery)
{
    if (event->attempts < delivery->recorded) {
        audit_violation(audit, INVARIANT_S14, event, "recorded attempts are gone: %u of %u",
                        delivery->recorded - event->attempts, delivery->recorded);
        return;
    }
    uint32_t recorded = event->attempts - delivery->recorded;
    if (recorded > delivery->posts_boot) {
        audit_violation(audit, INVARIANT_S3, event, "%u attempts recorded, %u POSTs on the wire",
                        recorded, delivery->posts_boot);
        return;
    }
    uint32_t lost = delivery->posts_boot - recorded;
    if (lost > (audit->up ? 0u : 1u))
        audit_violation(audit, INVARIANT_S3, event, "%u POSTs left no record, and %s", lost,
                        audit->up ? "no crash overlapped one" : "one crash overlaps one");
    if (event->attempts - event->redelivered > audit->rules.attempts_max)
        audit_violation(audit, INVARIANT_S3, event, "%u attempts by the schedule",
                        event->attempts - event->redelivered);
    if (event->duration_ms > 3100)
        audit_violation(audit, INVARIANT_S5, event, "an attempt of %" PRId64 " ms is recorded",
                        event->duration_ms);
    if (delivery->acknowledged > event->acknowledged + delivery->lost + lost)
        audit_violation(audit, INVARIANT_S12, event,
                        "%u complete 2xx on the wire, %u recorded as acknowledged",
                        delivery->acknowledged, event->acknowledged);
    delivery->lost += lost;
    delivery->recorded = event->attempts;
    delivery->posts_boot = 0;
}

void audit_take_kept(struct audit *audit, const struct audit_event *event)
{
    struct audit_delivery *delivery = audit_delivery(audit, event->delivery);
    if (!delivery || delivery->scan == audit->scan + 1) {
        audit_violation(audit, INVARIANT_S14, event,
                        delivery ? "listed twice" : "the store holds it, and no commit showed it");
        return;
    }
    delivery->scan = audit->scan + 1;
    audit->scan_count++;
    judge_books(audit, event, delivery);
    if (!event->open)
        judge_end(audit, event, delivery);
    delivery->in_flight = false;
    delivery->done = false;
    delivery->closed = !event->open;
    delivery->reopened = event->open && event->redelivery;
    if (!event->open) {
        delivery->state = event->state;
        delivery->reason = event->reason;
    }
}

void audit_take_kept_all(struct audit *audit, const struct audit_event *event)
{
    if (audit->scan_count != audit->delivery_count || event->count != audit->event_count)
        audit_violation(audit, INVARIANT_S14, event,
                        "%" PRId64 " deliveries of %" PRId64
                        " events were durable, %u of %u are left",
                        audit->delivery_count, audit->event_count, audit->scan_count, event->count);
    audit->scan++;
    audit->scan_count = 0;
}

void audit_over(struct audit *audit, const struct audit_event *event)
{
    audit_calls_over(audit, event);
    for (int64_t key = 1; key <= audit->delivery_max; key++) {
        const struct audit_delivery *delivery = audit_delivery(audit, key);
        if (!delivery)
            continue;
        struct audit_event about = *event;
        about.delivery = key;
        if (!delivery->closed)
            audit_violation(audit, INVARIANT_L1, &about, "it has no end");
        if (delivery->posts != delivery->recorded + delivery->lost)
            audit_violation(audit, INVARIANT_S3, &about,
                            "%u POSTs on the wire, %u recorded, %u lost with crashes",
                            delivery->posts, delivery->recorded, delivery->lost);
    }
}
