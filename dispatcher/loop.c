/* The shell around a core: one sender thread.
 *
 * Owns: a core, its webhooks and deliveries in memory, its libcurl. Refuses: to decide. It gathers
 * what happened (mails, POSTs that ended, time), feeds it to core_step, and carries out the effects
 * in their order: what is to be committed goes to the writer, what is to be sent goes to libcurl.
 *
 * One round: wait ─▶ mails ─▶ ended POSTs ─▶ EVENT_RUN ─▶ hand operations to the writer. Everything
 * of a round is committed in one transaction. An attempt does not wait for a commit before it
 * starts: what it tells of was durable before it came here. */
#include "dispatcher/loop_inside.h"

#include "dispatcher/log.h"
#include "dispatcher/verify.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define TIMEOUT_MS_MAX 3600000

/* ---- effects ---- */

static struct hook *hook_of(struct webhook *webhook)
{
    return (struct hook *)(void *)webhook; /* its first member */
}

static struct operation *add_operation(struct sender_thread *thread, enum operation_kind kind,
                                       const struct webhook *webhook)
{
    if (!thread->operations) {
        thread->operations = hook_alloc(sizeof(*thread->operations));
        thread->operations->mail.kind = MAIL_OPERATIONS;
        thread->operations->sender = thread->index;
    }
    struct operation *operation = operations_add(thread->operations, kind);
    operation->webhook = webhook->key;
    return operation;
}

static void carry_record(struct sender_thread *thread, struct delivery *delivery)
{
    struct operation *operation = add_operation(thread, OPERATION_RECORD, delivery->webhook);
    struct store_record *row = &operation->record.row;
    struct kept_answer *answer = delivery->answer;
    bool open = delivery->state == DELIVERY_PENDING || delivery->state == DELIVERY_HELD;
    *row = (struct store_record){
        .delivery = delivery->key,
        .attempt =
            {
                .redelivery = delivery->redelivery,
                .outcome = delivery->facts.outcome,
                .http_status = delivery->facts.http_status,
                .started_us = delivery->facts.started_us,
                .duration_ms = delivery->facts.duration_ms,
            },
        .state = open ? DELIVERY_PENDING : delivery->state,
        .reason = delivery->reason,
        .due = open ? delivery->due : MONO_NEVER,
    };
    if (answer) { /* its bytes go with the operation */
        row->attempt.answer = (struct store_bytes){answer->at, answer->bytes};
        free(answer);
        delivery->answer = NULL;
    }
    loop_log_attempt(delivery, open);
}

static void carry_change(struct sender_thread *thread, const struct core_effect *effect,
                         struct instant now)
{
    struct hook *hook = hook_of(effect->webhook);
    const struct webhook_status *before = &hook->core.status, *after = &hook->core.proposed;
    struct operation *operation = add_operation(thread, OPERATION_CHANGE, effect->webhook);
    operation->hook = hook;
    operation->change.status = *after;
    operation->change.settle = effect->settle;
    operation->change.command = effect->command;
    if (effect->settle != REASON_none && hook->core.in_flight > 0) {
        operation->change.except = hook_alloc(hook->core.in_flight * sizeof(int64_t));
        for (const struct delivery *delivery = hook->core.flight; delivery;
             delivery = delivery->flight_next)
            operation->change.except[operation->change.except_count++] = delivery->key;
    }
    bool touched = hook->next_config || before->state != after->state ||
                   before->generation != after->generation;
    if (effect->command && touched) {
        operation->change.config =
            webhook_config_hold(hook->next_config ? hook->next_config : hook->config);
        operation->change.modified_us = now.wall;
        operation->change.user = hook_copy(hook->current->user ? hook->current->user : "");
    }
}

static void carry_refill(struct sender_thread *thread, const struct core_effect *effect)
{
    struct operation *operation = add_operation(thread, OPERATION_REFILL, effect->webhook);
    operation->hook = hook_of(effect->webhook);
    operation->refill.due = effect->webhook->frontier_due;
    operation->refill.key = effect->webhook->frontier_key;
    operation->refill.limit = effect->limit;
}

static void carry_forget_webhook(struct sender_thread *thread, struct hook *hook)
{
    hook_map_remove(&thread->hooks, hook->core.key);
    while (hook->waiting) {
        struct mail *mail = hook->waiting;
        hook->waiting = mail->next;
        loop_answer(thread, (struct update_call *)(void *)mail, DISPATCH_NOT_FOUND);
    }
    hook_free(hook);
}

static void carry_out(struct sender_thread *thread, const struct core_effect *effect,
                      struct instant now)
{
    switch (effect->kind) {
    case EFFECT_RECORD: carry_record(thread, effect->delivery); break;
    case EFFECT_CHANGE: carry_change(thread, effect, now); break;
    case EFFECT_NOTE:
        add_operation(thread, OPERATION_NOTE, effect->webhook)->note = effect->webhook->status;
        break;
    case EFFECT_START: loop_post_event(thread, effect->delivery, now); break;
    case EFFECT_VERIFY:
        loop_post_verify(thread, hook_of(effect->webhook), effect->verify_seq, now);
        break;
    case EFFECT_REFILL: carry_refill(thread, effect); break;
    case EFFECT_FORGET: hook_delivery_free(effect->delivery); break;
    case EFFECT_SETTLED: break; /* whoever feeds the report goes on with the next command */
    case EFFECT_FORGET_WEBHOOK: carry_forget_webhook(thread, hook_of(effect->webhook)); break;
    }
}

static void tell_postponed(struct sender_thread *thread, const struct postponed *postponed)
{
    struct hook *hook = hook_map_get(&thread->hooks, postponed->webhook);
    if (!hook || hook->core.verify_seq != postponed->verify_seq)
        return;
    struct core_event event = {.kind = EVENT_POSTPONED,
                               .webhook = &hook->core,
                               .verify_seq = postponed->verify_seq,
                               .at = postponed->at};
    mono_ms now = clock_now(thread->dispatch->options.clock).mono;
    if (event.at <= now)
        event.at = now + 1; /* its time has come meanwhile; the core wants a later one than now */
    COUNT(thread->dispatch, verifies_postponed_total, 1);
    LOG(verify_postponed, LOG_TEXT("webhook", hook->config->id),
        LOG_NUMBER("delay_ms", event.at - now));
    loop_step(thread, &event);
}

void loop_step(struct sender_thread *thread, struct core_event *event)
{
    event->now = clock_now(thread->dispatch->options.clock);
    core_step(&thread->core, event, &thread->update);
    for (;;) {
        for (unsigned i = 0; i < thread->update.count; i++)
            carry_out(thread, &thread->update.effects[i], event->now);
        if (!thread->update.more)
            break;
        struct core_event again = {.kind = EVENT_RUN, .now = event->now, .starts_max = 1};
        core_step(&thread->core, &again, &thread->update);
    }
    while (thread->postponed_count > 0) {
        struct postponed postponed = thread->postponed[--thread->postponed_count];
        tell_postponed(thread, &postponed);
    }
}

/* ---- young POSTs, see core/select.c ---- */

void loop_young_begins(struct sender_thread *thread, struct post *post)
{
    post->young_next = NULL;
    post->young_prev = thread->young_last;
    if (thread->young_last)
        thread->young_last->young_next = post;
    else
        thread->young = post;
    thread->young_last = post;
}

/* Before the core is told, which knows it as a young one until then. */
static void young_leaves(struct sender_thread *thread, const struct post *post)
{
    if (!post->delivery->young)
        return;
    if (post->young_prev)
        post->young_prev->young_next = post->young_next;
    else
        thread->young = post->young_next;
    if (post->young_next)
        post->young_next->young_prev = post->young_prev;
    else
        thread->young_last = post->young_prev;
}

static void tell_overdue(struct sender_thread *thread)
{
    int64_t before_ms = clock_span_ms() - YOUNG_MS;
    while (thread->young && thread->young->began_ms <= before_ms) {
        struct post *post = thread->young;
        young_leaves(thread, post);
        loop_step(thread, &(struct core_event){.kind = EVENT_OVERDUE, .delivery = post->delivery});
    }
}

/* ---- ended POSTs ---- */

static void event_ended(struct sender_thread *thread, struct post *post)
{
    struct delivery *delivery = post->delivery;
    if (post->answer_bytes > 0) {
        struct kept_answer *answer = hook_alloc(sizeof(*answer));
        answer->bytes = post->answer_bytes;
        answer->at = hook_alloc(post->answer_bytes);
        memcpy(answer->at, post->answer, post->answer_bytes);
        delivery->answer = answer;
    }
    loop_leave_flight(thread, post);
    struct core_event event = {.kind = EVENT_ENDED,
                               .delivery = delivery,
                               .webhook = delivery->webhook,
                               .facts = post->facts};
    loop_step(thread, &event);
}

static void verify_ended(struct sender_thread *thread, struct post *post)
{
    if (post->postponed_to != 0 && !post->on_the_wire) {
        const struct postponed postponed = {post->webhook, post->verify_seq, post->postponed_to};
        tell_postponed(thread, &postponed);
        return;
    }
    bool whole =
        post->answer_bytes < post->answer_kept_max; /* one byte more than may be an echo is kept */
    if (outcome_acknowledged(post->facts.outcome) &&
        !(whole && verify_is_echo(post->answer, post->answer_bytes, post->challenge)))
        post->facts.outcome = OUTCOME_wrong_challenge;
    bool echoed = outcome_acknowledged(post->facts.outcome);
    COUNT(thread->dispatch, verifies_total, 1);
    COUNT(thread->dispatch, verifies_failed_total, !echoed);
    struct hook *hook = hook_map_get(&thread->hooks, post->webhook);
    if (!hook || hook->core.verify_seq != post->verify_seq) {
        LOG(late_outcome, LOG_TEXT("webhook", post->config->id),
            LOG_TEXT("outcome", outcome_name(post->facts.outcome)));
        return;
    }
    LOG(verify_ended, LOG_TEXT("webhook", post->config->id),
        LOG_TEXT("outcome", outcome_name(post->facts.outcome)),
        LOG_NUMBER("http_status", post->facts.http_status),
        LOG_NUMBER("duration_ms", post->facts.duration_ms));
    struct core_event event = {.kind = EVENT_VERIFIED,
                               .webhook = &hook->core,
                               .verify_seq = post->verify_seq,
                               .facts = post->facts};
    loop_step(thread, &event);
}

static void posts_ended(struct sender_thread *thread, struct post *post)
{
    for (struct post *next; post; post = next) {
        next = post->next;
        if (post->delivery) {
            young_leaves(thread, post);
            event_ended(thread, post);
        } else {
            verify_ended(thread, post);
        }
        sender_post_free(thread->sender, post);
        thread->done++; /* entered when it started */
    }
}

/* ---- the thread ---- */

/* Starts what may start. To webhooks that hang one POST begins in a millisecond; but not while the
 * clock is virtual, where what is due begins at once. */
static void run_core(struct sender_thread *thread)
{
    int64_t now_ms = clock_span_ms(), passed_ms = now_ms - thread->ran_at_ms;
    struct core_event run = {.kind = EVENT_RUN, .starts_max = STARTS_MAX};
    run.hanging_starts_max = passed_ms < STARTS_MAX ? (unsigned)passed_ms : STARTS_MAX;
    if (clock_is_virtual(thread->dispatch->options.clock))
        run.hanging_starts_max = STARTS_MAX;
    thread->ran_at_ms = now_ms;
    loop_step(thread, &run);
}

static int timeout_ms(struct sender_thread *thread)
{
    struct clock *clock = thread->dispatch->options.clock;
    if (thread->stopping) {
        int64_t left_ms = thread->stop_at_ms - clock_span_ms();
        return left_ms > 0 ? (int)left_ms : 0;
    }
    if (atomic_load(&thread->dispatch->store_failing))
        return -1; /* a mail says when to look again */
    if (thread->core.starts_left)
        return 0;
    int64_t left_ms = TIMEOUT_MS_MAX;
    /* Something may wait for one to be overdue. */
    if (thread->young && thread->core.rings[SPEED_QUICK])
        left_ms = thread->young->began_ms + YOUNG_MS - clock_span_ms();
    mono_ms deadline = core_deadline(&thread->core);
    if (!clock_is_virtual(clock) && deadline != MONO_NEVER) {
        mono_ms due_ms = deadline - clock_now(clock).mono;
        left_ms = due_ms < left_ms ? due_ms : left_ms;
    }
    return left_ms > 0 ? (int)left_ms : 0;
}

static void flush_operations(struct sender_thread *thread)
{
    if (!thread->operations)
        return;
    dispatch_send(thread->dispatch, &thread->dispatch->writer.mailbox, &thread->operations->mail);
    thread->operations = NULL;
}

static bool may_end(const struct sender_thread *thread)
{
    return thread->stopping &&
           (thread->core.in_flight == 0 || clock_span_ms() >= thread->stop_at_ms);
}

void loop_round(struct sender_thread *thread)
{
    struct post *ended = sender_wait(thread->sender, timeout_ms(thread));
    loop_mails(thread, mailbox_take(&thread->mailbox));
    posts_ended(thread, ended);
    tell_overdue(thread);
    if (!thread->stopping && !atomic_load(&thread->dispatch->store_failing))
        run_core(thread);
    flush_operations(thread);
    atomic_store(&thread->deadline, core_deadline(&thread->core));
    atomic_store(&thread->in_memory, thread->core.queued + thread->core.in_flight);
    quiet_leave(&thread->dispatch->quiet, thread->done);
    thread->done = 0;
}

void *loop_run(void *argument)
{
    struct sender_thread *thread = argument;
    prctl(PR_SET_NAME, "sender"); /* for top, perf and `revhook bench` */
    while (!may_end(thread))
        loop_round(thread);
    return NULL;
}
