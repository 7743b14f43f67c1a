/* The pieces of a stream, see stream.h. */
#include "tests/sim/stream.h"

#define WALL_0    INT64_C(1750000000000000)
#define CHALLENGE "0123456789abcdefghijklmnopqrstuvwxyzABCD"

struct audit_event *add(struct stream *stream, enum audit_kind kind)
{
    assert_true(stream->count < EVENTS_MAX);
    struct audit_event *event = &stream->events[stream->count++];
    *event = (struct audit_event){
        .kind = kind, .at_ms = stream->now_ms, .wall = WALL_0 + stream->now_ms * 1000};
    return event;
}

void pass(struct stream *stream, int64_t ms)
{
    stream->now_ms += ms;
}

/* The n-th event of a kind, from 1. */
struct audit_event *find(struct stream *stream, enum audit_kind kind, unsigned n)
{
    for (unsigned i = 0; i < stream->count; i++)
        if (stream->events[i].kind == kind && --n == 0)
            return &stream->events[i];
    fail_msg("no such event in the stream");
    return NULL;
}

/* Takes an event out. */
void leave_out(struct stream *stream, const struct audit_event *event)
{
    size_t at = (size_t)(event - stream->events);
    memmove(&stream->events[at], &stream->events[at + 1], (--stream->count - at) * sizeof(*event));
}

void swap(struct audit_event *a, struct audit_event *b)
{
    struct audit_event one = *a;
    *a = *b;
    *b = one;
    int64_t at_ms = a->at_ms; /* each at the other's time, or the stream is not in order */
    a->at_ms = b->at_ms;
    b->at_ms = at_ms;
}

void start(struct stream *stream, bool reboot)
{
    add(stream, AUDIT_STARTED)->reboot = reboot;
}

struct audit_event *show(struct stream *stream, int64_t webhook, enum webhook_state state,
                         uint32_t generation, mono_ms until)
{
    struct audit_event *event = add(stream, AUDIT_SHOWN_WEBHOOK);
    event->webhook = webhook;
    event->state = (uint8_t)state;
    event->generation = generation;
    event->url_tag = (uint32_t)webhook * 10;
    event->secret_tag = (uint32_t)webhook * 10 + 1;
    event->until = until;
    event_set_add(&event->types, TYPE);
    return event;
}

struct audit_event *commit(struct stream *stream, int64_t webhook, enum webhook_state state,
                           uint32_t generation, mono_ms until)
{
    add(stream, AUDIT_COMMITTED);
    struct audit_event *shown = show(stream, webhook, state, generation, until);
    add(stream, AUDIT_SHOWN_ALL);
    return shown;
}

void create(struct stream *stream, int64_t webhook)
{
    struct audit_event *asked = add(stream, AUDIT_ASKED_CREATE);
    asked->call = 100 + webhook;
    asked->url_tag = (uint32_t)webhook * 10;
    asked->secret_tag = (uint32_t)webhook * 10 + 1;
    commit(stream, webhook, WEBHOOK_UNVERIFIED, 1, stream->now_ms + 180000);
    struct audit_event *told = add(stream, AUDIT_TOLD_CREATE);
    told->call = 100 + webhook;
    told->webhook = webhook;
    told->ok = true;
}

void verify(struct stream *stream, int64_t webhook, bool right)
{
    struct audit_event *sent = add(stream, AUDIT_VERIFY);
    sent->post = ++stream->posts;
    sent->webhook = webhook;
    sent->url_tag = (uint32_t)webhook * 10;
    sent->secret_tag = (uint32_t)webhook * 10 + 1;
    memcpy(sent->text, CHALLENGE, sizeof(CHALLENGE));
    sent->text[0] = (char)('a' + stream->challenges++);
    char first = sent->text[0];
    pass(stream, 20);
    struct audit_event *ended = add(stream, AUDIT_VERIFY_ENDED);
    ended->post = stream->posts;
    ended->ok = true;
    ended->duration_ms = 20;
    memcpy(ended->text, CHALLENGE, sizeof(CHALLENGE));
    ended->text[0] = right ? first : '?';
}

void activate(struct stream *stream, int64_t webhook, uint32_t generation)
{
    verify(stream, webhook, true);
    pass(stream, 2);
    commit(stream, webhook, WEBHOOK_ACTIVE, generation, MONO_NEVER);
}

/* Publishes event `number` to `webhooks` webhooks, 1 and perhaps 2; their deliveries are
 * number * 2 - 1 and number * 2. */
void publish(struct stream *stream, int64_t number, uint32_t webhooks)
{
    struct audit_event *asked = add(stream, AUDIT_ASKED_PUBLISH);
    asked->call = number;
    asked->number = number;
    asked->count = 1;
    pass(stream, 3);
    add(stream, AUDIT_COMMITTED);
    struct audit_event *event = add(stream, AUDIT_SHOWN_EVENT);
    event->event = event->number = number;
    event->salt = 7;
    event->type = TYPE;
    event->count = webhooks;
    for (uint32_t i = 0; i < webhooks; i++) {
        struct audit_event *delivery = add(stream, AUDIT_SHOWN_DELIVERY);
        delivery->delivery = number * 2 - 1 + i;
        delivery->event = number;
        delivery->webhook = 1 + i;
        delivery->type = TYPE;
        delivery->open = true;
    }
    add(stream, AUDIT_SHOWN_ALL);
    struct audit_event *told = add(stream, AUDIT_TOLD_PUBLISH);
    told->call = number;
    told->ok = true;
    struct audit_event *told_event = add(stream, AUDIT_TOLD_EVENT);
    told_event->call = number;
    told_event->number = told_event->event = number;
    told_event->salt = 7;
    told_event->count = webhooks;
}

void post(struct stream *stream, int64_t number)
{
    struct audit_event *sent = add(stream, AUDIT_POST);
    sent->post = ++stream->posts;
    sent->webhook = 1;
    sent->event = sent->number = number;
    sent->salt = 7;
    sent->type = TYPE;
    sent->url_tag = 10;
    sent->secret_tag = 11;
    sent->stamp = stream->now_ms + 1;
}

void ended(struct stream *stream, int64_t of_post, bool ok, dur_ms ms)
{
    struct audit_event *end = add(stream, AUDIT_POST_ENDED);
    end->post = of_post;
    end->ok = ok;
    end->duration_ms = ms;
}

void attempt(struct stream *stream, int64_t number, bool ok)
{
    post(stream, number);
    int64_t of_post = stream->posts;
    pass(stream, 10);
    ended(stream, of_post, ok, 10);
}

struct audit_event *keep(struct stream *stream, int64_t delivery, enum delivery_state state,
                         enum reason reason, uint32_t attempts)
{
    struct audit_event *event = add(stream, AUDIT_KEPT_DELIVERY);
    event->delivery = delivery;
    event->webhook = 1;
    event->state = (uint8_t)state;
    event->reason = (uint8_t)reason;
    event->attempts = attempts;
    event->acknowledged = state == DELIVERY_DELIVERED;
    event->open = state == DELIVERY_PENDING;
    return event;
}

void over(struct stream *stream, uint32_t events)
{
    add(stream, AUDIT_KEPT_ALL)->count = events;
    add(stream, AUDIT_OVER);
}

void change(struct stream *stream, int64_t call, uint8_t command, uint32_t url_tag)
{
    struct audit_event *asked = add(stream, AUDIT_ASKED_CHANGE);
    asked->call = call;
    asked->webhook = 1;
    asked->command = command;
    asked->url_tag = url_tag;
    pass(stream, 3);
}

void told_change(struct stream *stream, int64_t call, bool ok)
{
    struct audit_event *told = add(stream, AUDIT_TOLD_CHANGE);
    told->call = call;
    told->ok = ok;
}

void active_webhook(struct stream *stream)
{
    start(stream, true);
    create(stream, 1);
    activate(stream, 1, 1);
}
