/* Making POSTs for the core's effects, and the life of a sender thread.
 *
 * Owns: the bytes of a POST (envelope, challenge), the list of what is in flight that the API
 * shows, start and end of the thread. Refuses: to choose what is sent. */
#include "dispatcher/log.h"
#include "dispatcher/loop_inside.h"
#include "dispatcher/secret.h"
#include "dispatcher/thread.h"

#include "core/envelope.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is in flight, for the API ---- */

static unsigned enter_flight(struct sender_thread *thread, int64_t delivery)
{
    assert(thread->free_count > 0); /* the core keeps the limit */
    unsigned slot = thread->free_slots[--thread->free_count];
    atomic_store_explicit(&thread->flight[slot], delivery, memory_order_relaxed);
    return slot;
}

void loop_leave_flight(struct sender_thread *thread, const struct post *post)
{
    atomic_store_explicit(&thread->flight[post->slot], 0, memory_order_relaxed);
    thread->free_slots[thread->free_count++] = post->slot;
}

size_t sender_thread_in_flight(struct sender_thread *thread, int64_t *keys, size_t keys_max)
{
    size_t count = 0;
    for (unsigned i = 0; i < thread->flight_max && count < keys_max; i++) {
        int64_t key = atomic_load_explicit(&thread->flight[i], memory_order_relaxed);
        if (key == 0)
            continue;
        if (keys)
            keys[count] = key;
        count++;
    }
    return count;
}

bool sender_thread_is_in_flight(struct sender_thread *thread, int64_t delivery)
{
    for (unsigned i = 0; i < thread->flight_max; i++)
        if (atomic_load_explicit(&thread->flight[i], memory_order_relaxed) == delivery)
            return true;
    return false;
}

/* ---- POSTs ---- */

static struct post *begin_post(struct sender_thread *thread, struct hook *hook, struct instant now)
{
    struct post *post = sender_post_new(thread->sender);
    post->config = webhook_config_hold(hook->config);
    post->webhook = hook->core.key;
    post->started_us = now.wall;
    quiet_enter(&thread->dispatch->quiet, 1); /* until it has ended */
    return post;
}

void loop_post_event(struct sender_thread *thread, struct delivery *delivery, struct instant now)
{
    struct hook *hook = (struct hook *)(void *)delivery->webhook; /* its first member */
    const struct event_body *event = delivery->event;
    struct post *post = begin_post(thread, hook, now);
    char event_id[IDS_DON_BYTES_MAX];
    ids_wire_event(event_id, hook->config->id, event->key, event->salt);
    struct envelope envelope = {event_id, hook->config->id, now.wall};
    post->delivery = delivery;
    post->answer_kept_max = thread->dispatch->options.response_kept_bytes;
    char *body = post_body(post, event->payload_bytes + ENVELOPE_EXTRA_BYTES_MAX);
    post->body_bytes =
        envelope_event(body, &envelope, event->type, event->payload, event->payload_bytes);
    post->slot = enter_flight(thread, delivery->key);
    LOG(attempt_started, LOG_TEXT("event_id", event_id), LOG_NUMBER("key", delivery->key),
        LOG_NUMBER("n", delivery->attempt_count + 1), LOG_NUMBER("started_us", now.wall));
    sender_start(thread->sender, post);
    if (delivery->young)
        loop_young_begins(thread, post);
}

static void postpone(struct sender_thread *thread, const struct postponed *postponed)
{
    if (thread->postponed_count == thread->postponed_capacity) {
        thread->postponed_capacity = 2 * thread->postponed_capacity + 64;
        thread->postponed =
            hook_grow(thread->postponed, thread->postponed_capacity * sizeof(thread->postponed[0]));
    }
    thread->postponed[thread->postponed_count++] = *postponed;
}

void loop_post_verify(struct sender_thread *thread, struct hook *hook, uint32_t verify_seq,
                      struct instant now)
{
    struct verify_pace *pace = thread->dispatch->verify_pace;
    mono_ms at = pace ? verify_pace_name(pace, hook->config->host, now.mono) : now.mono;
    if (at > now.mono) {
        postpone(thread, &(struct postponed){hook->core.key, verify_seq, at});
        return;
    }
    struct post *post = begin_post(thread, hook, now);
    char event_id[IDS_DON_BYTES_MAX];
    uint64_t id[2]; /* it is no event that is kept, so its id is random throughout */
    if (secret_random_numbers(id, 2) != 0 ||
        secret_random_text(post->challenge, CHALLENGE_CHARS) != 0) {
        LOG(fault, LOG_TEXT("where", "challenge"),
            LOG_TEXT("error", "no random numbers, or no memory for them"));
        abort(); /* a challenge that could be guessed must not go out */
    }
    ids_wire_event(event_id, hook->config->id, (int64_t)(id[0] % (IDS_KEY_END - 1)) + 1,
                   id[1] % IDS_SALT_END);
    struct envelope envelope = {event_id, hook->config->id, now.wall};
    post->delivery = NULL;
    post->verify_seq = verify_seq;
    post->asked_at = now.mono;
    post->answer_kept_max = thread->dispatch->options.challenge_bytes_max + 1;
    char *body = post_body(post, ENVELOPE_EXTRA_BYTES_MAX + 2 * CHALLENGE_CHARS);
    post->body_bytes = envelope_verify(body, &envelope, post->challenge,
                                       thread->dispatch->options.top_level_challenge);
    sender_start(thread->sender, post);
}

void loop_log_attempt(const struct delivery *delivery, bool open)
{
    if (!log_wanted(LOG_attempt_ended) && (open || delivery->state == DELIVERY_DELIVERED))
        return;
    const struct hook *hook = (const struct hook *)(const void *)delivery->webhook;
    const struct event_body *event = delivery->event;
    char id[IDS_DON_BYTES_MAX];
    ids_delivery(id, hook->config->id, delivery->key, event->salt);
    LOG(attempt_ended, LOG_TEXT("delivery", id), LOG_NUMBER("n", delivery->attempt_count),
        LOG_TEXT("outcome", outcome_name(delivery->facts.outcome)),
        LOG_NUMBER("http_status", delivery->facts.http_status),
        LOG_NUMBER("duration_ms", delivery->facts.duration_ms));
    if (!open && delivery->state != DELIVERY_DELIVERED)
        LOG(delivery_failed, LOG_TEXT("delivery", id),
            LOG_TEXT("reason", reason_name(delivery->reason)),
            LOG_NUMBER("attempts", delivery->attempt_count));
}

/* ---- the thread's life ---- */

struct sender_thread *sender_thread_new(struct dispatch *dispatch, unsigned index,
                                        const struct core_config *config, char *error,
                                        size_t error_bytes)
{
    const struct dispatch_options *options = &dispatch->options;
    struct sender_options sender_options = {
        .timeout_ms = options->attempt_timeout_ms,
        .response_bytes_max = options->response_bytes_max,
        .egress = &options->egress,
        .user_agent = options->user_agent,
        .ca_file = options->ca_file,
        .eldest = index > 0 ? dispatch->senders[0]->sender : NULL,
        .cert_file = options->target_cert_file,
        .key_file = options->target_key_file,
        .sign_form = options->sign_form,
        .verify_pace = dispatch->verify_pace,
    };
    struct sender *sender = sender_new(&sender_options, error, error_bytes);
    if (!sender)
        return NULL;
    struct sender_thread *thread = hook_alloc(sizeof(*thread));
    if (!mailbox_init(&thread->mailbox) || !sender_watch(sender, thread->mailbox.wake_fd)) {
        snprintf(error, error_bytes, "out of file descriptors");
        sender_free(sender);
        free(thread);
        return NULL;
    }
    thread->dispatch = dispatch;
    thread->index = index;
    thread->sender = sender;
    thread->stop.kind = MAIL_STOP;
    thread->flight_max = config->in_flight_max;
    thread->flight = hook_alloc(thread->flight_max * sizeof(thread->flight[0]));
    thread->free_slots = hook_alloc(thread->flight_max * sizeof(thread->free_slots[0]));
    while (thread->free_count < thread->flight_max) {
        thread->free_slots[thread->free_count] = thread->free_count;
        thread->free_count++;
    }
    atomic_init(&thread->deadline, MONO_NEVER);
    core_init(&thread->core, config);
    return thread;
}

bool sender_thread_run(struct sender_thread *thread, char *error, size_t error_bytes)
{
    thread->running =
        thread_start(&thread->thread, loop_run, thread, "a sender", error, error_bytes);
    return thread->running;
}

struct mailbox *sender_thread_mailbox(struct sender_thread *thread)
{
    return &thread->mailbox;
}

mono_ms sender_thread_deadline(struct sender_thread *thread)
{
    return atomic_load(&thread->deadline);
}

unsigned sender_thread_in_memory(struct sender_thread *thread)
{
    return atomic_load(&thread->in_memory);
}

void sender_thread_stop(struct sender_thread *thread, dur_ms patience_ms)
{
    thread->stop_at_ms = clock_span_ms() + patience_ms; /* read only after the mail */
    dispatch_send(thread->dispatch, &thread->mailbox, &thread->stop);
}

static void answer_waiting(struct sender_thread *thread, struct hook *hook)
{
    if (hook->current)
        loop_answer(thread, hook->current, DISPATCH_UNAVAILABLE);
    for (struct mail *next, *mail = hook->waiting; mail; mail = next) {
        next = mail->next;
        loop_answer(thread, (struct update_call *)(void *)mail, DISPATCH_UNAVAILABLE);
    }
}

unsigned sender_thread_join(struct sender_thread *thread)
{
    if (thread->running)
        pthread_join(thread->thread, NULL);
    thread->running = false;
    return thread->core.in_flight;
}

static void free_deliveries(struct delivery *delivery)
{
    for (struct delivery *next; delivery; delivery = next) {
        next = delivery->next;
        hook_delivery_free(delivery);
    }
}

static void free_hook(struct hook *hook)
{
    struct delivery *queued = NULL;
    for (struct heap_node *node = NULL; (node = heap_walk(&hook->core.queue, node));) {
        struct delivery *delivery = HEAP_ENTRY(node, struct delivery, node);
        delivery->next = queued;
        queued = delivery;
    }
    free_deliveries(queued);
    for (struct delivery *next, *delivery = hook->core.flight; delivery; delivery = next) {
        next = delivery->flight_next;
        struct kept_answer *answer = delivery->answer;
        if (answer)
            free(answer->at);
        free(answer);
        hook_delivery_free(delivery);
    }
    hook_free(hook);
}

/* What came after its end: it is in the store, and nobody waits for it but the clients whose
 * changes were committed last. */
static void discard_mails(struct sender_thread *thread)
{
    for (struct mail *next, *mail = mailbox_take(&thread->mailbox); mail; mail = next) {
        next = mail->next;
        if (mail->kind == MAIL_REPORTS) {
            loop_last_reports(thread, (struct reports *)(void *)mail);
            reports_free((struct reports *)(void *)mail);
        } else if (mail->kind == MAIL_UPDATE)
            loop_answer(thread, (struct update_call *)(void *)mail, DISPATCH_UNAVAILABLE);
        else if (mail->kind != MAIL_STOP)
            free(mail);
    }
}

void sender_thread_free(struct sender_thread *thread)
{
    discard_mails(thread);
    size_t at = 0;
    for (struct hook *hook; (hook = hook_map_next(&thread->hooks, &at));)
        answer_waiting(thread, hook);
    if (thread->operations)
        operations_free(thread->operations);
    sender_free(thread->sender);
    free_deliveries(thread->core.gone.head);
    at = 0;
    for (struct hook *hook; (hook = hook_map_next(&thread->hooks, &at));)
        free_hook(hook);
    hook_map_free(&thread->hooks);
    mailbox_destroy(&thread->mailbox);
    free(thread->flight);
    free(thread->free_slots);
    free(thread->postponed);
    free(thread);
}
