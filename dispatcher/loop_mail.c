/* What other threads say to a sender thread: reports of the writer, calls of the API, ticks of the
 * clock.
 *
 * Owns: the line of calls of each webhook (one is being committed, the others wait), the log line
 * of each change of state. Refuses: to answer a call before its change is committed and carried
 * out; so no POST starts after a delete has answered. */
#include "dispatcher/log.h"
#include "dispatcher/loop_inside.h"

#include <assert.h>
#include <stdlib.h>

/* ---- calls ---- */

void loop_answer(struct sender_thread *thread, struct update_call *call,
                 enum dispatch_result result)
{
    call->call.result = result;
    if (result == DISPATCH_OK)
        quiet_enter(&thread->dispatch->quiet, 1); /* until dispatch_answered */
    call->call.done(&call->call);
    thread->done++; /* the mail that brought it */
}

/* Starts one call; true if it is over already. */
static bool begin_call(struct sender_thread *thread, struct hook *hook, struct update_call *call)
{
    bool changed = false;
    enum dispatch_result result = DISPATCH_OK;
    if (hook->core.status.state == WEBHOOK_DELETED) {
        loop_answer(thread, call, DISPATCH_NOT_FOUND);
        return true;
    }
    struct webhook_config *next = webhook_config_update(hook->config, call, &changed, &result);
    if (!next) {
        loop_answer(thread, call, result);
        return true;
    }
    if (!changed) {
        webhook_config_drop(next);
        next = NULL;
    }
    if (!next && call->command == COMMAND_NONE) {
        loop_answer(thread, call, DISPATCH_OK);
        return true;
    }
    hook->current = call;
    hook->next_config = next;
    struct core_event event = {
        .kind = EVENT_COMMAND,
        .webhook = &hook->core,
        .changed = call->url || call->secret,
        .command = call->command,
        .answered_later = true,
    };
    loop_step(thread, &event);
    return false;
}

static void begin_next_calls(struct sender_thread *thread, struct hook *hook)
{
    while (hook->waiting && !hook->core.changing) {
        struct mail *mail = hook->waiting;
        hook->waiting = mail->next;
        if (!begin_call(thread, hook, (struct update_call *)(void *)mail))
            return;
    }
}

static void take_call(struct sender_thread *thread, struct update_call *call)
{
    struct hook *hook = hook_map_get(&thread->hooks, call->webhook);
    if (!hook || thread->stopping) {
        loop_answer(thread, call, hook ? DISPATCH_UNAVAILABLE : DISPATCH_NOT_FOUND);
        return;
    }
    call->call.mail.next = NULL;
    if (hook->waiting)
        hook->waiting_tail->next = &call->call.mail;
    else
        hook->waiting = &call->call.mail;
    hook->waiting_tail = &call->call.mail;
    begin_next_calls(thread, hook);
}

/* ---- reports ---- */

static void log_change(const struct hook *hook, const struct webhook_status *before,
                       const struct webhook_status *after)
{
    const char *id = hook->config->id;
    if (before->generation != after->generation)
        LOG(webhook_updated, LOG_TEXT("webhook", id), LOG_NUMBER("generation", after->generation));
    if (before->state != after->state)
        LOG(webhook_state, LOG_TEXT("webhook", id),
            LOG_TEXT("from", webhook_state_name(before->state)),
            LOG_TEXT("to", webhook_state_name(after->state)),
            LOG_TEXT("reason", reason_name(after->reason)));
}

/* A proposed change was committed or refused. */
static void change_over(struct sender_thread *thread, struct hook *hook, bool committed)
{
    int64_t key = hook->core.key;
    struct update_call *call = hook->current;
    if (committed)
        log_change(hook, &hook->core.status, &hook->core.proposed);
    if (committed && hook->next_config) {
        webhook_config_drop(hook->config);
        hook->config = hook->next_config;
    } else {
        webhook_config_drop(hook->next_config);
    }
    hook->current = NULL;
    hook->next_config = NULL;
    struct core_event event = {.kind = committed ? EVENT_COMMITTED : EVENT_REFUSED,
                               .webhook = &hook->core};
    loop_step(thread, &event);
    if (call)
        loop_answer(thread, call, committed ? DISPATCH_OK : DISPATCH_UNAVAILABLE);
    hook = hook_map_get(&thread->hooks, key); /* a deleted one may be gone */
    if (hook)
        begin_next_calls(thread, hook);
}

void loop_last_reports(struct sender_thread *thread, struct reports *reports)
{
    for (unsigned i = 0; i < reports->count; i++) {
        struct hook *hook = reports->at[i].hook;
        if (reports->at[i].kind != REPORT_COMMITTED)
            continue;
        log_change(hook, &hook->core.status, &hook->core.proposed);
        if (hook->current)
            loop_answer(thread, hook->current, DISPATCH_OK);
        hook->current = NULL;
    }
}

static void accepted(struct sender_thread *thread, struct delivery_list deliveries)
{
    for (struct delivery *next, *delivery = deliveries.head; delivery; delivery = next) {
        next = delivery->next;
        delivery->next = NULL;
        struct core_event event = {
            .kind = EVENT_ACCEPTED, .delivery = delivery, .webhook = delivery->webhook};
        loop_step(thread, &event);
    }
}

static void take_report(struct sender_thread *thread, struct report *report)
{
    struct core_event event = {.webhook = report->hook ? &report->hook->core : NULL};
    switch (report->kind) {
    case REPORT_WEBHOOK:
        hook_map_put(&thread->hooks, report->hook);
        if (report->answered_later)
            LOG(webhook_created, LOG_TEXT("webhook", report->hook->config->id));
        event.kind = EVENT_WEBHOOK;
        event.answered_later = report->answered_later;
        loop_step(thread, &event);
        break;
    case REPORT_ACCEPTED: accepted(thread, report->deliveries); break;
    case REPORT_COMMITTED: change_over(thread, report->hook, true); break;
    case REPORT_REFUSED: change_over(thread, report->hook, false); break;
    case REPORT_REFILLED:
        event.kind = EVENT_REFILLED;
        event.deliveries = report->deliveries;
        event.more = report->more;
        loop_step(thread, &event);
        break;
    }
    report->deliveries = (struct delivery_list){NULL, NULL}; /* the core has them */
    report->kind = REPORT_ACCEPTED;                          /* nothing here is owned any more */
}

static void take_answered(struct sender_thread *thread, struct answered *answered)
{
    struct hook *hook = hook_map_get(&thread->hooks, answered->webhook);
    if (hook) {
        struct core_event event = {.kind = EVENT_ANSWERED, .webhook = &hook->core};
        loop_step(thread, &event);
    }
    free(answered); /* quiet was entered when the call was answered */
}

void loop_mails(struct sender_thread *thread, struct mail *mails)
{
    for (struct mail *next; mails; mails = next) {
        next = mails->next;
        switch ((enum mail_kind)mails->kind) {
        case MAIL_UPDATE: take_call(thread, (struct update_call *)(void *)mails); continue;
        case MAIL_ANSWERED: take_answered(thread, (struct answered *)(void *)mails); break;
        case MAIL_REPORTS: {
            struct reports *reports = (struct reports *)(void *)mails;
            for (unsigned i = 0; i < reports->count; i++)
                take_report(thread, &reports->at[i]);
            reports_free(reports);
            break;
        }
        case MAIL_TICK: free(mails); break;
        case MAIL_STOP: thread->stopping = true; break;
        default: assert(!"a mail for a sender");
        }
        thread->done++;
    }
}
