/* The auditor's view of event POSTs: whether this one may start now, and what its end means.
 *
 * Owns: the number of each attempt, counted on the wire: what the store had recorded when the boot
 * began, and what left since. A POST whose record a crash swallowed has the same number as the next
 * one. */
#include "tools/sim/audit_inside.h"

#include <inttypes.h>

static void judge_webhook(struct audit *audit, const struct audit_event *event,
                          const struct audit_webhook *webhook)
{
    const struct audit_shown *now = &webhook->now;
    if (webhook->delete_told)
        audit_violation(audit, INVARIANT_S15, event, "its deletion was answered before");
    else if (now->state != WEBHOOK_ACTIVE)
        audit_violation(audit, INVARIANT_S2, event, "its webhook is %s",
                        webhook_state_name(now->state));
    if (webhook->echoed_generation != now->generation)
        audit_violation(audit, INVARIANT_S1, event, "this generation never echoed a challenge");
    if (event->url_tag != now->url_tag || event->secret_tag != now->secret_tag)
        audit_violation(audit, INVARIANT_S1, event, "it goes to another generation");
}

static int64_t find_delivery(struct audit *audit, const struct audit_event *event)
{
    const struct audit_accepted *accepted = audit_accepted(audit, event->event);
    for (uint32_t i = 0; accepted && i < accepted->shown; i++) {
        const struct audit_delivery *delivery = audit_delivery(audit, accepted->first_delivery + i);
        if (delivery && delivery->webhook == event->webhook)
            return accepted->first_delivery + i;
    }
    return 0;
}

static void judge_content(struct audit *audit, const struct audit_event *event,
                          struct audit_delivery *delivery)
{
    const struct audit_accepted *accepted = audit_accepted(audit, event->event);
    if (accepted->salt != event->salt)
        audit_violation(audit, INVARIANT_S11, event, "its event has another id");
    if (accepted->type != event->type || accepted->number != event->number)
        audit_violation(audit, INVARIANT_S10, event, "type or payload are not those of the event");
    if (delivery->stamp == event->stamp)
        audit_violation(audit, INVARIANT_S10, event, "the timestamp of the attempt before");
    delivery->stamp = event->stamp;
    if (delivery->in_flight)
        audit_violation(audit, INVARIANT_S10, event, "another attempt of it is in flight");
}

/* Whether the delivery may be attempted at all, redelivery or not. */
static void judge_end(struct audit *audit, const struct audit_event *event, int64_t key,
                      const struct audit_delivery *delivery, const struct audit_webhook *webhook)
{
    if (delivery->reopened) {
        if (delivery->done)
            audit_violation(audit, INVARIANT_S3, event, "a redelivery is one attempt");
        return;
    }
    if (delivery->done || delivery->closed)
        audit_violation(audit, INVARIANT_S12, event, "it has its end already");
    else if (key <= webhook->settled_to && !delivery->excepted)
        audit_violation(audit, INVARIANT_S13, event, "it ended with its queue");
}

static void judge_schedule(struct audit *audit, const struct audit_event *event, int64_t key,
                           const struct audit_delivery *delivery, struct audit_webhook *webhook,
                           uint32_t n)
{
    mono_ms line = audit_line(audit), due = delivery->accepted;
    if (n > audit->rules.attempts_max) {
        audit_violation(audit, INVARIANT_S3, event, "attempt number %u", n);
        return;
    }
    if (n > 1)
        due = delivery->ends[n - 1] + audit->rules.retry_delays_ms[n - 2];
    if (n > 1 && line < due)
        audit_violation(audit, INVARIANT_S4, event, "attempt %u starts %" PRId64 " ms early", n,
                        due - line);
    if (n == 1) {
        if (key < webhook->first_started)
            audit_violation(audit, INVARIANT_S10, event,
                            "delivery %" PRId64 " was accepted later and started first",
                            webhook->first_started);
        webhook->first_started = key;
    }
    if (due < webhook->active_since)
        due = webhook->active_since; /* held */
    if (audit->rules.calm && due > webhook->full_at && line > due + ON_TIME_MS)
        audit_violation(audit, INVARIANT_L1, event, "attempt %u starts %" PRId64 " ms late", n,
                        line - due);
}

static void judge_limits(struct audit *audit, const struct audit_event *event,
                         struct audit_webhook *webhook)
{
    if (webhook->in_flight + 1 >= audit->rules.in_flight_per_webhook_max)
        webhook->full_at = audit_line(audit);
    if (++webhook->in_flight > audit->rules.in_flight_per_webhook_max)
        audit_violation(audit, INVARIANT_S18, event, "%u attempts at once to one webhook",
                        webhook->in_flight);
    if (++audit->in_flight > audit->rules.in_flight_max)
        audit_violation(audit, INVARIANT_S18, event, "%u attempts at once", audit->in_flight);
}

void audit_take_post(struct audit *audit, const struct audit_event *event)
{
    struct audit_post *post = audit_post(audit, event->post);
    *post = (struct audit_post){
        .webhook = event->webhook, .at_ms = event->at_ms, .line = audit_line(audit)};
    struct audit_webhook *webhook = audit_webhook(audit, event->webhook);
    if (!webhook) {
        audit_violation(audit, INVARIANT_S1, event, "no such webhook is durable");
        return;
    }
    post->generation = webhook->now.generation;
    judge_webhook(audit, event, webhook);
    int64_t key = find_delivery(audit, event);
    struct audit_delivery *delivery = audit_delivery(audit, key);
    if (!delivery) {
        audit_violation(audit, audit_accepted(audit, event->event) ? INVARIANT_S19 : INVARIANT_S14,
                        event, "no such delivery is durable");
        return;
    }
    post->delivery = key;
    struct audit_event about = *event;
    about.delivery = key;
    judge_content(audit, &about, delivery);
    judge_end(audit, &about, key, delivery, webhook);
    post->scheduled = !delivery->reopened;
    post->n = delivery->recorded + delivery->posts_boot + 1;
    if (post->scheduled)
        judge_schedule(audit, &about, key, delivery, webhook, post->n);
    judge_limits(audit, &about, webhook);
    delivery->posts_boot++;
    delivery->posts++;
    delivery->in_flight = true;
}

/* Deliveries in a row that used up their attempts. What the service makes of an outcome depends on
 * the moment at which it looks, so there are two counts, and it must lie between them. */
static void judge_health(struct audit *audit, const struct audit_event *event,
                         const struct audit_post *post, struct audit_webhook *webhook)
{
    bool counts =
        post->generation == webhook->now.generation && webhook->now.state == WEBHOOK_ACTIVE;
    if (event->ok) {
        webhook->streak_sure = 0;
        if (counts)
            webhook->streak = 0;
        return;
    }
    if (!post->scheduled || post->n < audit->rules.attempts_max || event->ours)
        return;
    webhook->streak += post->generation == webhook->now.generation;
    webhook->streak_sure += counts && post->line >= webhook->active_since;
    webhook->enough |= webhook->streak >= audit->rules.degrade_after;
    if (webhook->streak_sure >= audit->rules.degrade_after)
        audit_must(audit, webhook, INVARIANT_T1, audit_line(audit) + ON_TIME_MS);
}

void audit_take_post_ended(struct audit *audit, const struct audit_event *event)
{
    struct audit_post *post = audit_post(audit, event->post);
    struct audit_webhook *webhook = audit_webhook(audit, post->webhook);
    struct audit_delivery *delivery = audit_delivery(audit, post->delivery);
    if (!webhook || !delivery)
        return;
    struct audit_event about = *event;
    about.delivery = post->delivery;
    about.webhook = post->webhook;
    if (event->duration_ms > 3100 || event->at_ms - post->at_ms > 3100)
        audit_violation(audit, INVARIANT_S5, &about, "an attempt took %" PRId64 " ms",
                        event->at_ms - post->at_ms);
    if (webhook->in_flight >= audit->rules.in_flight_per_webhook_max)
        webhook->full_at = audit_line(audit);
    webhook->in_flight--;
    audit->in_flight--;
    delivery->in_flight = false;
    delivery->acknowledged += event->ok;
    if (post->n < sizeof(delivery->ends) / sizeof(delivery->ends[0]))
        delivery->ends[post->n] = audit_line(audit);
    bool last = !post->scheduled || post->n >= audit->rules.attempts_max;
    delivery->done = event->ok || last;
    judge_health(audit, event, post, webhook);
}
