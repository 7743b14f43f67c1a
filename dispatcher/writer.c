/* The writer: the only thread that writes the store.
 *
 * Owns: the transaction, the order of everything that is committed, the fan-out index, the reports
 * that follow a commit. Refuses: decisions. What is accepted fans out by core/fanout.c; what
 * happens to webhooks and deliveries was decided by a sender's core.
 *
 * Happy path: take whatever waits, one transaction for all of it, one fsync; then hand what was
 * committed to the senders, and only then answer the clients. No request is delayed to gather more:
 * a batch forms by itself while the one before is committed. But a few outcomes of attempts, for
 * which nobody waits, linger for up to 2 ms, to share the next event's commit: one of their own
 * would cost as much as that event's, and the event would wait for it.
 *
 * Failure: if the transaction fails (disk full, I/O) all of it is undone. What clients asked for is
 * answered "unavailable" and has not happened. What senders told has happened, out there, so it is
 * kept and tried again until it is durable; meanwhile the senders start nothing new. Where nothing
 * is kept an empty transaction is tried again, so that the senders go on though no client asks. */
#include "dispatcher/log.h"
#include "dispatcher/thread.h"
#include "dispatcher/threads.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define RETRY_MS        200
#define LINGER_MS       2
#define OUTCOMES_ENOUGH 16 /* for a commit of their own at once */
#define BATCH_MAILS_MAX 4096

struct reports *writer_reports(struct writer *writer, int64_t webhook)
{
    struct reports **reports = &writer->reports[dispatch_sender_of(writer->dispatch, webhook)];
    if (!*reports) {
        *reports = hook_alloc(sizeof(**reports));
        (*reports)->mail.kind = MAIL_REPORTS;
    }
    return *reports;
}

static struct dispatch_call *call_of(struct mail *mail)
{
    return (struct dispatch_call *)(void *)mail; /* its first member */
}

static bool is_call(const struct mail *mail)
{
    return mail->kind == MAIL_CREATE || mail->kind == MAIL_PUBLISH ||
           mail->kind == MAIL_REDELIVER || mail->kind == MAIL_FETCH || mail->kind == MAIL_STORE;
}

static struct operations *operations_of(struct mail *mail)
{
    return (struct operations *)(void *)mail; /* its first member */
}

/* ---- one transaction ---- */

static enum store_result apply(struct writer *writer, struct mail *mail)
{
    switch ((enum mail_kind)mail->kind) {
    case MAIL_CREATE: return writer_create(writer, (struct create_call *)(void *)mail);
    case MAIL_PUBLISH: return writer_publish(writer, (struct publish_call *)(void *)mail);
    case MAIL_REDELIVER: return writer_redeliver(writer, (struct redeliver_call *)(void *)mail);
    case MAIL_FETCH: return writer_fetch(writer, (struct fetch_call *)(void *)mail);
    case MAIL_STORE: return writer_store(writer, (struct store_call *)(void *)mail);
    case MAIL_OPERATIONS: return writer_operations(writer, operations_of(mail));
    case MAIL_TICK:
    case MAIL_STOP: return STORE_OK;
    default: assert(!"a mail for the writer"); return STORE_FAILED;
    }
}

static enum store_result commit_all(struct writer *writer, struct mail *mails)
{
    struct dispatch *dispatch = writer->dispatch;
    struct store *store = dispatch->options.store;
    struct clock *clock = dispatch->options.clock;
    writer->open_before = writer->open;
    writer->tally = (struct dispatch_stats){0};
    enum store_result result = store_begin(store);
    for (struct mail *mail = mails; mail && result == STORE_OK; mail = mail->next)
        result = apply(writer, mail);
    if (result == STORE_OK)
        result = store_commit(store, clock_now(clock), clock_boot(clock));
    if (result == STORE_OK) {
        subscribers_commit(&writer->subscribers);
        return STORE_OK;
    }
    store_rollback(store);
    subscribers_rollback(&writer->subscribers);
    writer->open = writer->open_before;
    return result;
}

/* ---- after it ---- */

static void send_reports(struct writer *writer)
{
    struct dispatch *dispatch = writer->dispatch;
    for (unsigned i = 0; i < dispatch->options.senders; i++) {
        if (!writer->reports[i])
            continue;
        dispatch_send(dispatch, sender_thread_mailbox(dispatch->senders[i]),
                      &writer->reports[i]->mail);
        writer->reports[i] = NULL;
    }
}

static void discard_reports(struct writer *writer)
{
    for (unsigned i = 0; i < writer->dispatch->options.senders; i++) {
        if (writer->reports[i])
            reports_free(writer->reports[i]);
        writer->reports[i] = NULL;
    }
}

/* Lets go of a mail whose transaction is over. */
static void finish(struct writer *writer, struct mail *mail)
{
    writer->done++;
    switch ((enum mail_kind)mail->kind) {
    case MAIL_OPERATIONS: operations_free(operations_of(mail)); break;
    case MAIL_TICK: free(mail); break;
    case MAIL_STOP: break; /* on the stack of whoever waits for the end */
    default:
        if (mail->kind == MAIL_CREATE && call_of(mail)->result == DISPATCH_OK)
            quiet_enter(&writer->dispatch->quiet, 1); /* until dispatch_answered */
        call_of(mail)->done(call_of(mail));
    }
}

static void publish_counters(struct writer *writer)
{
    struct counters *counters = &writer->dispatch->counters;
#define X(name, kind, help) atomic_fetch_add(&counters->name, writer->tally.name);
#include "../schema/metric.def"
#undef X
    atomic_store(&counters->deliveries_open, writer->open);
    atomic_store(&counters->webhooks, writer->subscribers.hooks.count);
}

static void committed(struct writer *writer, struct mail *mails)
{
    writer->tally.commits_total = 1;
    publish_counters(writer);
    send_reports(writer);
    for (struct mail *next; mails; mails = next) {
        next = mails->next;
        if (mails->kind == MAIL_OPERATIONS)
            writer_trace(operations_of(mails));
        finish(writer, mails);
    }
    if (writer->failing_since_ms == 0)
        return;
    LOG(store_resumed, LOG_NUMBER("failed_ms", clock_span_ms() - writer->failing_since_ms));
    writer->failing_since_ms = 0;
    atomic_store(&writer->dispatch->store_failing, false);
    for (unsigned i = 0; i < writer->dispatch->options.senders; i++) {
        struct mail *tick = hook_alloc(sizeof(*tick));
        tick->kind = MAIL_TICK;
        dispatch_send(writer->dispatch, sender_thread_mailbox(writer->dispatch->senders[i]), tick);
    }
}

/* Takes what clients asked for out of a list of operations whose commit failed, and reports it
 * refused. */
static void refuse_commands(struct writer *writer, struct operations *operations)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < operations->count; i++) {
        struct operation *operation = &operations->at[i];
        if (operation->kind != OPERATION_CHANGE || !operation->change.command) {
            operations->at[kept++] = *operation;
            continue;
        }
        reports_add(writer_reports(writer, operation->webhook), REPORT_REFUSED)->hook =
            operation->hook;
        free(operation->change.except);
        free(operation->change.user);
        webhook_config_drop(operation->change.config);
    }
    operations->count = kept;
}

static void failed(struct writer *writer, struct mail *mails)
{
    COUNT(writer->dispatch, commits_failed_total, 1);
    if (writer->failing_since_ms == 0) {
        writer->failing_since_ms = clock_span_ms();
        LOG(store_failed, LOG_TEXT("error", store_error(writer->dispatch->options.store)),
            LOG_NUMBER("retry_ms", RETRY_MS));
    }
    atomic_store(&writer->dispatch->store_failing, true);
    discard_reports(writer);
    struct mail **end = &writer->retained;
    for (struct mail *next; mails; mails = next) {
        next = mails->next;
        if (mails->kind == MAIL_OPERATIONS && !writer->stopping) {
            refuse_commands(writer, operations_of(mails));
            *end = mails;
            end = &mails->next;
            continue;
        }
        if (is_call(mails))
            call_of(mails)->result = DISPATCH_UNAVAILABLE;
        finish(writer, mails);
    }
    *end = NULL;
    send_reports(writer);
}

/* Whether `mail` is worth a commit of its own, together with the `*outcomes` before it. */
static bool is_enough(struct mail *mail, unsigned *outcomes)
{
    if (mail->kind != MAIL_OPERATIONS || operations_of(mail)->urgent)
        return true;
    *outcomes += operations_of(mail)->count;
    return *outcomes >= OUTCOMES_ENOUGH;
}

/* What waits. If that is nothing but a few outcomes, also what comes after it until it is enough or
 * time is up. */
static struct mail *take(struct writer *writer)
{
    struct mail *mails = mailbox_take(&writer->mailbox), **end = &mails;
    int64_t until = clock_span_ms() + writer->linger_ms;
    unsigned outcomes = 0;
    while (mails) {
        for (; *end; end = &(*end)->next)
            if (is_enough(*end, &outcomes))
                return mails;
        int64_t left_ms = until - clock_span_ms();
        if (left_ms <= 0)
            break;
        mailbox_wait(&writer->mailbox, (int)left_ms);
        *end = mailbox_take(&writer->mailbox);
    }
    return mails;
}

/* Takes what is to be committed next: what failed before, then what waits, but not more than a
 * bounded number at once. */
static struct mail *gather(struct writer *writer)
{
    struct mail *mails = writer->retained, **end = &mails;
    writer->retained = NULL;
    while (*end)
        end = &(*end)->next;
    *end = writer->left ? writer->left : take(writer);
    writer->left = NULL;
    unsigned count = 0;
    for (struct mail *mail = mails; mail; mail = mail->next) {
        writer->stopping |= mail->kind == MAIL_STOP;
        if (++count < BATCH_MAILS_MAX)
            continue;
        writer->left = mail->next;
        mail->next = NULL;
    }
    return mails;
}

static int wait_ms(const struct writer *writer)
{
    if (writer->retained || writer->failing_since_ms != 0 || writer->reseal_stuck)
        return RETRY_MS;
    if (writer->resealing)
        return 0;
    mono_ms left_ms = writer->purge_at - clock_now(writer->dispatch->options.clock).mono;
    return left_ms <= 0 ? 0 : left_ms < PURGE_EVERY_MS ? (int)left_ms : PURGE_EVERY_MS;
}

void writer_round(struct writer *writer)
{
    if (!writer->left)
        mailbox_wait(&writer->mailbox, wait_ms(writer));
    struct mail *mails = gather(writer);
    if (mails || writer->failing_since_ms != 0) { /* none: an empty one, to see whether it works */
        if (commit_all(writer, mails) == STORE_OK)
            committed(writer, mails);
        else
            failed(writer, mails);
        writer_tend(writer);
    }
    if (!writer->retained)
        writer_purge(writer);
    if (!writer->retained && writer->failing_since_ms == 0)
        writer_reseal(writer);
    quiet_leave(&writer->dispatch->quiet, writer->done);
    writer->done = 0;
}

static void *run(void *argument)
{
    struct writer *writer = argument;
    prctl(PR_SET_NAME, "writer"); /* for top, perf and `revhook bench` */
    while (!writer->stopping || writer->left)
        writer_round(writer);
    return NULL;
}

bool writer_recover(struct writer *writer, struct dispatch *dispatch, char *error,
                    size_t error_bytes)
{
    writer->dispatch = dispatch;
    writer->linger_ms = clock_is_virtual(dispatch->options.clock) ? 0 : LINGER_MS;
    if (!recover(writer, error, error_bytes)) {
        discard_reports(writer);
        return false;
    }
    publish_counters(writer);
    send_reports(writer);
    return true;
}

bool writer_start(struct writer *writer, struct dispatch *dispatch, char *error, size_t error_bytes)
{
    if (!writer_recover(writer, dispatch, error, error_bytes))
        return false;
    return thread_start(&writer->thread, run, writer, "the writer", error, error_bytes);
}

void writer_stop(struct writer *writer)
{
    struct mail stop = {.kind = MAIL_STOP};
    dispatch_send(writer->dispatch, &writer->mailbox, &stop);
    pthread_join(writer->thread, NULL);
    subscribers_free(&writer->subscribers);
    free(writer->targets);
}
