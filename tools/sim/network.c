/* The network between the service and its receivers, in place of libcurl: sender.h in virtual time.
 *
 * Owns: POSTs under way, the time limit of each (3 s, met within 20 ms), the facts of its end. What
 * the auditor learns of a POST is read from its bytes and from the address that it goes to.
 *
 * Happy path: a round makes a POST (sender_start) ─▶ it leaves (network_send) ─▶ its receiver says
 * what becomes of it ─▶ it ends (network_ended) ─▶ the sender's next round takes it (sender_wait).
 * When the process dies its POSTs are cut: nobody hears of their ends. */
#define _GNU_SOURCE /* memmem */
#include "tools/sim/world.h"

#include "core/ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS      3000
#define TIMEOUT_LATE_MS 20

/* A POST with what the network knows of it. */
struct wire {
    struct post post; /* first */
    int64_t number;
    bool complete_2xx; /* in time; judged here, not by the service's own table */
    struct answer answer;
    struct wire *next_unused, *prev, *next;
};

struct sender {
    struct wire *unused;
    struct wire *all; /* handed out, by `next` */
    struct post *ended, *ended_tail;
    struct sender_options options;
};

struct sender *sender_new(const struct sender_options *options, char *error, size_t error_bytes)
{
    (void)error;
    (void)error_bytes;
    struct sender *sender = hook_alloc(sizeof(*sender));
    sender->options = *options;
    return sender;
}

static void free_wire(struct wire *wire)
{
    webhook_config_drop(wire->post.config);
    free(wire->post.body);
    free(wire->post.answer);
    free(wire);
}

void sender_free(struct sender *sender)
{
    for (struct wire *next, *wire = sender->all; wire; wire = next) {
        next = wire->next;
        free_wire(wire);
    }
    for (struct wire *next, *wire = sender->unused; wire; wire = next) {
        next = wire->next_unused;
        free_wire(wire);
    }
    free(sender);
}

bool sender_watch(struct sender *sender, int fd)
{
    (void)sender;
    (void)fd;
    return true;
}

struct post *sender_post_new(struct sender *sender)
{
    struct wire *wire = sender->unused;
    if (wire)
        sender->unused = wire->next_unused;
    else
        wire = hook_alloc(sizeof(*wire));
    wire->prev = NULL;
    wire->next = sender->all;
    if (wire->next)
        wire->next->prev = wire;
    sender->all = wire;
    wire->post.sender = sender;
    wire->post.next = NULL;
    return &wire->post;
}

char *post_body(struct post *post, size_t bytes)
{
    if (bytes > post->body_capacity) {
        post->body_capacity = bytes;
        post->body = hook_grow(post->body, bytes);
    }
    return post->body;
}

void sender_post_free(struct sender *sender, struct post *post)
{
    struct wire *wire = (struct wire *)(void *)post;
    webhook_config_drop(post->config);
    post->config = NULL;
    post->delivery = NULL;
    if (wire->prev)
        wire->prev->next = wire->next;
    else
        sender->all = wire->next;
    if (wire->next)
        wire->next->prev = wire->prev;
    wire->next_unused = sender->unused;
    sender->unused = wire;
}

void sender_start(struct sender *sender, struct post *post)
{
    (void)sender;
    post->answer_bytes = 0;
    post->began_ms = clock_span_ms();
    struct parcel parcel = {.kind = PARCEL_POST, .post = post};
    shell_parcel(the_world, &parcel);
}

struct post *sender_wait(struct sender *sender, int timeout_ms)
{
    (void)timeout_ms;
    struct post *ended = sender->ended;
    sender->ended = sender->ended_tail = NULL;
    return ended;
}

bool network_has_ended(struct sender *sender)
{
    return sender->ended != NULL;
}

/* ---- what is on the wire ---- */

/* The text of a JSON member that is a string, as the envelope writes it: `"name":"..."`. */
static size_t member(const struct post *post, const char *name, const char **value)
{
    const char *at = memmem(post->body, post->body_bytes, name, strlen(name));
    assert(at);
    *value = at + strlen(name);
    const char *end = memchr(*value, '"', post->body_bytes - (size_t)(*value - post->body));
    assert(end);
    return (size_t)(end - *value);
}

/* "2026-01-31T12:00:00.000000Z" as a number that differs when the text differs. */
static wall_us stamp_number(const char *text, size_t bytes)
{
    wall_us number = 0;
    for (size_t i = 0; i < bytes; i++)
        if (text[i] >= '0' && text[i] <= '9')
            number = number * 10 % INT64_C(100000000000000000) + (text[i] - '0');
    return number;
}

/* The receiver and the tags that stand in the address and the secret: http://r<receiver>.sim/<tag>,
 * secret-<tag>. */
static unsigned read_address(const struct post *post, struct audit_event *event)
{
    char *end;
    unsigned receiver = (unsigned)strtoul(post->config->target + strlen("http://r"), &end, 10);
    event->url_tag = (uint32_t)strtoul(end + strlen(".sim/"), NULL, 10);
    event->secret_tag = (uint32_t)strtoul(post->config->secret + strlen("secret-"), NULL, 10);
    return receiver;
}

static void read_event(const struct post *post, struct audit_event *event)
{
    const char *text;
    struct ids_don don;
    size_t bytes = member(post, "{\"id\":\"", &text);
    if (ids_parse(text, bytes, &don) != IDS_EVENT)
        abort();
    event->event = don.key;
    event->salt = don.salt;
    bytes = member(post, "\"type\":\"", &text);
    event->type = (uint8_t)event_type_from_name(text, bytes);
    bytes = member(post, "\"timestamp\":\"", &text);
    event->stamp = stamp_number(text, bytes);
    const char *payload = memmem(post->body, post->body_bytes, "{\"n\":", 5);
    assert(payload);
    event->number = strtoll(payload + 5, NULL, 10);
}

/* ---- from start to end ---- */

static void set_facts(struct wire *wire, int64_t took_ms, bool timed_out)
{
    struct post *post = &wire->post;
    post->facts = (struct attempt_facts){
        .outcome = (uint8_t)(timed_out ? OUTCOME_timeout : wire->answer.outcome),
        .http_status = timed_out ? 0 : wire->answer.http_status,
        .started_us = post->started_us,
        .duration_ms = took_ms,
    };
    size_t bytes = timed_out ? 0 : strlen(wire->answer.body);
    if (bytes > post->answer_kept_max)
        bytes = post->answer_kept_max;
    if (bytes > post->answer_capacity) {
        post->answer_capacity = sizeof(wire->answer.body);
        post->answer = hook_grow(post->answer, post->answer_capacity);
    }
    if (bytes > 0)
        memcpy(post->answer, wire->answer.body, bytes);
    post->answer_bytes = bytes;
}

void network_send(struct world *world, struct post *post)
{
    struct wire *wire = (struct wire *)(void *)post;
    struct audit_event event = {.post = ++world->post_count, .webhook = post->webhook};
    wire->number = event.post;
    wire->answer = (struct answer){.outcome = OUTCOME_acknowledged};
    unsigned receiver = read_address(post, &event);
    if (post->delivery) {
        event.kind = AUDIT_POST;
        read_event(post, &event);
        world->tally->posts++;
        world_tell(world, &event);
        receiver_take_event(world, receiver, &wire->answer);
    } else {
        const char *text;
        size_t bytes = member(post, "\"challenge\":\"", &text);
        assert(bytes < sizeof(event.text));
        event.kind = AUDIT_VERIFY;
        memcpy(event.text, text, bytes);
        world->tally->verifies++;
        world_tell(world, &event);
        receiver_take_verify(world, receiver, event.text, &wire->answer);
    }
    int64_t took_ms = wire->answer.after_ms;
    bool timed_out = took_ms > TIMEOUT_MS;
    if (timed_out)
        took_ms = TIMEOUT_MS + random_between(&world->random, 0, TIMEOUT_LATE_MS);
    wire->complete_2xx = !timed_out && wire->answer.outcome == OUTCOME_acknowledged;
    set_facts(wire, took_ms, timed_out);
    world->posts_under_way++;
    world_plan(world, world->now_ms + took_ms, MOMENT_END, true, 0, post);
}

void network_ended(struct world *world, struct post *post)
{
    struct wire *wire = (struct wire *)(void *)post;
    struct audit_event event = {
        .kind = post->delivery ? AUDIT_POST_ENDED : AUDIT_VERIFY_ENDED,
        .post = wire->number,
        .ok = wire->complete_2xx,
        .ours = post->facts.outcome == OUTCOME_local_failure,
        .duration_ms = post->facts.duration_ms,
    };
    if (!post->delivery) {
        memcpy(event.text, wire->answer.echo, sizeof(event.text));
        world->tally->echoes += event.ok && event.text[0] != '\0';
    } else {
        world->tally->outcomes[post->facts.outcome]++;
    }
    world->posts_under_way--;
    world_tell(world, &event);
    struct sender *sender = post->sender;
    post->next = NULL;
    if (sender->ended_tail)
        sender->ended_tail->next = post;
    else
        sender->ended = post;
    sender->ended_tail = post;
    shell_poke(world, 1 + dispatch_sender_of(world->dispatch, post->webhook));
}
