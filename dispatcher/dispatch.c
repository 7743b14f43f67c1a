/* The dispatcher's front, see dispatch.h: starts and ends the threads, sends calls to the one that
 * they are for.
 *
 * Owns: struct dispatch. Refuses: work of its own. */
#include "dispatcher/dispatch.h"

#include "dispatcher/log.h"
#include "dispatcher/threads.h"

#include <assert.h>
#include <stdlib.h>

void dispatch_send(struct dispatch *dispatch, struct mailbox *mailbox, struct mail *mail)
{
    quiet_enter(&dispatch->quiet, 1);
    mailbox_send(mailbox, mail);
}

unsigned dispatch_sender_of(const struct dispatch *dispatch, int64_t webhook)
{
    return (unsigned)((uint64_t)webhook % dispatch->options.senders);
}

/* ---- life ---- */

static bool make_senders(struct dispatch *dispatch, char *error, size_t error_bytes)
{
    unsigned senders = dispatch->options.senders;
    struct core_config config = dispatch->options.core;
    config.in_flight_max = config.in_flight_max / senders > 0 ? config.in_flight_max / senders : 1;
    config.memory_max /= senders;
    config.young_max = YOUNG_MAX;
    for (unsigned i = 0; i < senders; i++) {
        dispatch->senders[i] = sender_thread_new(dispatch, i, &config, error, error_bytes);
        if (!dispatch->senders[i])
            return false;
    }
    return true;
}

static bool run_threads(struct dispatch *dispatch, char *error, size_t error_bytes)
{
    for (unsigned i = 0; i < dispatch->options.senders; i++) {
        if (!sender_thread_run(dispatch->senders[i], error, error_bytes))
            return false;
    }
    if (clock_is_virtual(dispatch->options.clock)) {
        dispatch->driver = clock_driver_start(dispatch, error, error_bytes);
        return dispatch->driver != NULL;
    }
    return true;
}

static void free_senders(struct dispatch *dispatch)
{
    for (unsigned i = dispatch->options.senders; i-- > 0;) /* the eldest last */
        if (dispatch->senders[i])
            sender_thread_free(dispatch->senders[i]);
}

static void free_dispatch(struct dispatch *dispatch)
{
    free_senders(dispatch);
    mailbox_destroy(&dispatch->writer.mailbox);
    quiet_destroy(&dispatch->quiet);
    verify_pace_free(dispatch->verify_pace);
    free(dispatch);
}

struct dispatch *dispatch_start(const struct dispatch_options *options, char *error,
                                size_t error_bytes)
{
    assert(options->senders >= 1 && options->senders <= SENDERS_MAX);
    struct dispatch *dispatch = hook_alloc(sizeof(*dispatch));
    dispatch->options = *options;
    quiet_init(&dispatch->quiet, clock_is_virtual(options->clock));
    bool paced = options->verify_per_host_max > 0;
    if (paced)
        dispatch->verify_pace = verify_pace_new(options->verify_per_host_max);
    if (paced != (dispatch->verify_pace != NULL) || !mailbox_init(&dispatch->writer.mailbox)) {
        snprintf(error, error_bytes,
                 paced == (dispatch->verify_pace != NULL) ? "out of file descriptors"
                                                          : "no memory or random numbers");
        verify_pace_free(dispatch->verify_pace);
        quiet_destroy(&dispatch->quiet);
        free(dispatch);
        return NULL;
    }
    if (!make_senders(dispatch, error, error_bytes) ||
        !writer_start(&dispatch->writer, dispatch, error, error_bytes)) {
        free_dispatch(dispatch);
        return NULL;
    }
    if (!run_threads(dispatch, error, error_bytes)) {
        dispatch_stop(dispatch, 0);
        return NULL;
    }
    return dispatch;
}

unsigned dispatch_stop(struct dispatch *dispatch, dur_ms patience_ms)
{
    unsigned cut_off = 0;
    atomic_store(&dispatch->stopping, true);
    if (dispatch->driver)
        clock_driver_stop(dispatch->driver);
    for (unsigned i = 0; i < dispatch->options.senders; i++)
        sender_thread_stop(dispatch->senders[i], patience_ms);
    for (unsigned i = 0; i < dispatch->options.senders; i++)
        cut_off += sender_thread_join(dispatch->senders[i]);
    writer_stop(&dispatch->writer);
    free_dispatch(dispatch);
    return cut_off;
}

/* ---- calls ---- */

static bool refuse_when_stopping(struct dispatch *dispatch, struct dispatch_call *call)
{
    if (!atomic_load(&dispatch->stopping))
        return false;
    call->result = DISPATCH_UNAVAILABLE;
    call->done(call);
    return true;
}

static void send_call(struct dispatch *dispatch, struct mailbox *mailbox,
                      struct dispatch_call *call, enum mail_kind kind)
{
    if (refuse_when_stopping(dispatch, call))
        return;
    call->mail.kind = (uint8_t)kind;
    dispatch_send(dispatch, mailbox, &call->mail);
}

void dispatch_create(struct dispatch *dispatch, struct create_call *call)
{
    send_call(dispatch, &dispatch->writer.mailbox, &call->call, MAIL_CREATE);
}

void dispatch_reseal(struct dispatch *dispatch)
{
    atomic_store(&dispatch->reseal, true);
    struct mail *tick = hook_alloc(sizeof(*tick));
    tick->kind = MAIL_TICK;
    dispatch_send(dispatch, &dispatch->writer.mailbox, tick);
}

void dispatch_publish(struct dispatch *dispatch, struct publish_call *call)
{
    send_call(dispatch, &dispatch->writer.mailbox, &call->call, MAIL_PUBLISH);
}

void dispatch_redeliver(struct dispatch *dispatch, struct redeliver_call *call)
{
    send_call(dispatch, &dispatch->writer.mailbox, &call->call, MAIL_REDELIVER);
}

void dispatch_fetch(struct dispatch *dispatch, struct fetch_call *call)
{
    send_call(dispatch, &dispatch->writer.mailbox, &call->call, MAIL_FETCH);
}

void dispatch_store(struct dispatch *dispatch, struct store_call *call)
{
    send_call(dispatch, &dispatch->writer.mailbox, &call->call, MAIL_STORE);
}

void dispatch_update(struct dispatch *dispatch, struct update_call *call)
{
    struct sender_thread *sender = dispatch->senders[dispatch_sender_of(dispatch, call->webhook)];
    send_call(dispatch, sender_thread_mailbox(sender), &call->call, MAIL_UPDATE);
}

void dispatch_advance(struct dispatch *dispatch, struct advance_call *call)
{
    if (!refuse_when_stopping(dispatch, &call->call))
        clock_driver_send(dispatch->driver, call);
}

void dispatch_answered(struct dispatch *dispatch, int64_t webhook)
{
    struct sender_thread *sender = dispatch->senders[dispatch_sender_of(dispatch, webhook)];
    struct answered *answered = hook_alloc(sizeof(*answered));
    answered->mail.kind = MAIL_ANSWERED;
    answered->webhook = webhook;
    mailbox_send(sender_thread_mailbox(sender),
                 &answered->mail); /* entered quiet when the call was answered */
}

/* ---- questions ---- */

mono_ms dispatch_next_deadline(struct dispatch *dispatch)
{
    mono_ms next = MONO_NEVER;
    for (unsigned i = 0; i < dispatch->options.senders; i++) {
        mono_ms deadline = sender_thread_deadline(dispatch->senders[i]);
        next = deadline < next ? deadline : next;
    }
    return next;
}

size_t dispatch_in_flight_keys(struct dispatch *dispatch, int64_t *keys, size_t keys_max)
{
    size_t count = 0;
    for (unsigned i = 0; i < dispatch->options.senders; i++)
        count += sender_thread_in_flight(dispatch->senders[i], keys + count, keys_max - count);
    return count;
}

bool dispatch_in_flight(struct dispatch *dispatch, int64_t delivery)
{
    for (unsigned i = 0; i < dispatch->options.senders; i++)
        if (sender_thread_is_in_flight(dispatch->senders[i], delivery))
            return true;
    return false;
}

void dispatch_stats(struct dispatch *dispatch, struct dispatch_stats *stats)
{
    struct counters *counters = &dispatch->counters;
#define X(name, kind, help) stats->name = atomic_load(&counters->name);
#include "../schema/metric.def"
#undef X
    stats->deliveries_in_memory = 0;
    for (unsigned i = 0; i < dispatch->options.senders; i++) {
        stats->deliveries_in_memory += sender_thread_in_memory(dispatch->senders[i]);
        stats->attempts_in_flight += sender_thread_in_flight(dispatch->senders[i], NULL, SIZE_MAX);
    }
}
