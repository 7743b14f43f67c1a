/* Whole lives in which nothing is wrong, see stream.h. */
#include "tests/sim/stream.h"

void delivered(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    attempt(stream, 1, true);
    publish(stream, 2, 1);
    attempt(stream, 2, true);
    keep(stream, 3, DELIVERY_DELIVERED, REASON_none, 1);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 1);
    over(stream, 2);
}

void exhausted(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    attempt(stream, 1, false);
    pass(stream, 30000);
    attempt(stream, 1, false);
    pass(stream, 180000);
    attempt(stream, 1, false);
    keep(stream, 1, DELIVERY_FAILED, REASON_attempts_exhausted, 3);
    over(stream, 1);
}

/* Both first attempts under way at once. */
void side_by_side(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    publish(stream, 2, 1);
    int64_t before = stream->posts;
    post(stream, 1);
    post(stream, 2);
    pass(stream, 5);
    ended(stream, before + 1, true, 5);
    ended(stream, before + 2, true, 5);
    keep(stream, 3, DELIVERY_DELIVERED, REASON_none, 1);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 1);
    over(stream, 2);
}

void reopened(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    attempt(stream, 1, true);
    struct audit_event *asked = add(stream, AUDIT_ASKED_REDELIVERY);
    asked->call = 50;
    asked->delivery = 1;
    pass(stream, 3);
    add(stream, AUDIT_COMMITTED);
    struct audit_event *shown = add(stream, AUDIT_SHOWN_DELIVERY);
    shown->delivery = shown->event = shown->webhook = 1;
    shown->type = TYPE;
    shown->state = DELIVERY_DELIVERED;
    shown->open = shown->redelivery = true;
    add(stream, AUDIT_SHOWN_ALL);
    struct audit_event *told = add(stream, AUDIT_TOLD_REDELIVERY);
    told->call = 50;
    told->delivery = 1;
    told->ok = true;
    attempt(stream, 1, false);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 2)->redelivered = 1;
    over(stream, 1);
}

/* A retry, then a crash before its record was durable, and the same attempt once more. */
void crashed(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    attempt(stream, 1, false);
    pass(stream, 30000);
    attempt(stream, 1, true);
    add(stream, AUDIT_CRASHED);
    keep(stream, 1, DELIVERY_PENDING, REASON_none, 1);
    add(stream, AUDIT_KEPT_ALL)->count = 1;
    pass(stream, 100);
    start(stream, false);
    attempt(stream, 1, true);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 2);
    over(stream, 1);
}

/* A retry that a reboot overtakes; the wall clock shows an hour less afterwards. */
void rebooted(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    attempt(stream, 1, false);
    pass(stream, 2);
    add(stream, AUDIT_COMMITTED);
    add(stream, AUDIT_SHOWN_ALL);
    pass(stream, 20000);
    add(stream, AUDIT_CRASHED);
    keep(stream, 1, DELIVERY_PENDING, REASON_none, 1);
    add(stream, AUDIT_KEPT_ALL)->count = 1;
    start(stream, true);
    stream->events[stream->count - 1].wall -= INT64_C(3600000000);
    pass(stream, 29998); /* it stood still since the last commit */
    attempt(stream, 1, true);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 2);
    over(stream, 1);
}

/* One exhausted delivery degrades it (degrade_after 1), and settles the other; then it heals. */
void degraded(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    attempt(stream, 1, false);
    pass(stream, 30000);
    attempt(stream, 1, false);
    pass(stream, 170000);
    publish(stream, 2, 1);
    attempt(stream, 2, false);
    pass(stream, 10000);
    attempt(stream, 1, false);
    pass(stream, 2);
    commit(stream, 1, WEBHOOK_DEGRADED, 1, stream->now_ms + 432000000)->reason =
        REASON_deliveries_failing;
    verify(stream, 1, false);
    pass(stream, 30000);
    activate(stream, 1, 1);
    keep(stream, 3, DELIVERY_FAILED, REASON_webhook_degraded, 1);
    keep(stream, 1, DELIVERY_FAILED, REASON_attempts_exhausted, 3);
    over(stream, 2);
}

/* Switched off with a delivery in flight, which is then delivered. */
void switched_off(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    post(stream, 1);
    int64_t of_post = stream->posts;
    change(stream, 50, 2, 0);
    add(stream, AUDIT_COMMITTED);
    show(stream, 1, WEBHOOK_INACTIVE, 1, MONO_NEVER)->reason = REASON_deactivated;
    struct audit_event *open = add(stream, AUDIT_OPEN_DELIVERY);
    open->delivery = open->webhook = 1;
    add(stream, AUDIT_SHOWN_ALL);
    told_change(stream, 50, true);
    ended(stream, of_post, true, 3);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 1);
    over(stream, 1);
}

void deleted(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    attempt(stream, 1, true);
    publish(stream, 2, 1);
    change(stream, 50, 3, 0);
    commit(stream, 1, WEBHOOK_DELETED, 1, MONO_NEVER)->reason = REASON_webhook_deleted;
    told_change(stream, 50, true);
    keep(stream, 3, DELIVERY_DROPPED, REASON_webhook_deleted, 0);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 1);
    over(stream, 2);
}

/* A new url: what was accepted is held until it echoes. */
void moved(struct stream *stream)
{
    active_webhook(stream);
    publish(stream, 1, 1);
    change(stream, 50, 0, 99);
    commit(stream, 1, WEBHOOK_UNVERIFIED, 2, stream->now_ms + 180000)->url_tag = 99;
    told_change(stream, 50, true);
    verify(stream, 1, true);
    stream->events[stream->count - 2].url_tag = 99;
    pass(stream, 2);
    commit(stream, 1, WEBHOOK_ACTIVE, 2, MONO_NEVER)->url_tag = 99;
    post(stream, 1);
    stream->events[stream->count - 1].url_tag = 99;
    pass(stream, 1);
    ended(stream, stream->posts, true, 1);
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 1);
    over(stream, 1);
}

/* A client asks to activate it while a verify request is under way: a new window. The echo of the
 * first request comes then, and counts for nothing; the second one's does. */
void asked_again(struct stream *stream)
{
    start(stream, true);
    create(stream, 1);
    verify(stream, 1, true);
    struct audit_event late = stream->events[--stream->count];
    change(stream, 50, 1, 0);
    commit(stream, 1, WEBHOOK_UNVERIFIED, 1, stream->now_ms + 180000)->run_since = stream->now_ms;
    told_change(stream, 50, true);
    late.at_ms = stream->now_ms;
    stream->events[stream->count++] = late;
    activate(stream, 1, 1);
    over(stream, 0);
}

/* Nobody echoes, and the window ends. */
void never_verified(struct stream *stream)
{
    start(stream, true);
    create(stream, 1);
    verify(stream, 1, false);
    pass(stream, 180000);
    commit(stream, 1, WEBHOOK_UNVERIFIED, 1, MONO_NEVER)->reason = REASON_verify_timed_out;
    pass(stream, 10000);
    add(stream, AUDIT_KEPT_ALL);
    add(stream, AUDIT_OVER);
}

void store_failed(struct stream *stream)
{
    active_webhook(stream);
    pass(stream, 2000);
    add(stream, AUDIT_STORE_FAILS);
    for (int64_t call = 1; call <= 2; call++) {
        struct audit_event *asked = add(stream, AUDIT_ASKED_PUBLISH);
        asked->call = asked->number = call;
        asked->count = 1;
        pass(stream, 3);
        add(stream, AUDIT_TOLD_PUBLISH)->call = call;
        if (call == 1)
            add(stream, AUDIT_STORE_HEALS);
    }
    over(stream, 0);
}

void two_webhooks(struct stream *stream)
{
    active_webhook(stream);
    create(stream, 2);
    activate(stream, 2, 1);
    publish(stream, 1, 2);
    attempt(stream, 1, true);
    post(stream, 1);
    struct audit_event *second = &stream->events[stream->count - 1];
    second->webhook = 2;
    second->url_tag = 20;
    second->secret_tag = 21;
    pass(stream, 1);
    ended(stream, stream->posts, true, 1);
    keep(stream, 2, DELIVERY_DELIVERED, REASON_none, 1)->webhook = 2;
    keep(stream, 1, DELIVERY_DELIVERED, REASON_none, 1);
    over(stream, 1);
}

void recovered_twice(struct stream *stream)
{
    start(stream, true);
    struct audit_event *twice = add(stream, AUDIT_RECOVERED_TWICE);
    twice->hash = twice->hash_again = 5;
    struct audit_event *memory = add(stream, AUDIT_MEMORY);
    memory->count = memory->limit = 9;
    over(stream, 0);
}
