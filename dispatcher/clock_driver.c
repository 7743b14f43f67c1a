/* The movement of the virtual clock: clock.advance.
 *
 * Owns: a thread that takes one call after the other, waits for quiet, moves the clock from
 * deadline to deadline, each at its own instant, and waits for quiet in between. Refuses: to move
 * while anything is under way, and to exist with a real clock. */
#include "dispatcher/thread.h"
#include "dispatcher/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct clock_driver {
    struct dispatch *dispatch;
    pthread_t thread;
    struct mailbox mailbox;
    struct mail stop;
};

/* Lets every thread look at the clock, and waits until nothing more follows from that. */
static bool settle(struct dispatch *dispatch)
{
    for (unsigned i = 0; i <= dispatch->options.senders; i++) {
        struct mail *tick = hook_alloc(sizeof(*tick));
        tick->kind = MAIL_TICK;
        dispatch_send(dispatch,
                      i < dispatch->options.senders ? sender_thread_mailbox(dispatch->senders[i])
                                                    : &dispatch->writer.mailbox,
                      tick);
    }
    return quiet_wait(&dispatch->quiet);
}

static bool move(struct dispatch *dispatch, mono_ms target)
{
    struct clock *clock = dispatch->options.clock;
    for (mono_ms next; (next = dispatch_next_deadline(dispatch)) <= target;) {
        if (next > clock_now(clock).mono)
            clock_set(clock, next);
        if (!settle(dispatch))
            return false;
    }
    if (target > clock_now(clock).mono)
        clock_set(clock, target);
    return settle(dispatch);
}

static bool advance(struct dispatch *dispatch, struct advance_call *call)
{
    struct clock *clock = dispatch->options.clock;
    if (!quiet_wait(&dispatch->quiet))
        return false;
    mono_ms target =
        call->to_next ? dispatch_next_deadline(dispatch) : clock_now(clock).mono + call->ms;
    uint64_t attempts = atomic_load(&dispatch->counters.attempts_total);
    if (target != MONO_NEVER && !move(dispatch, target))
        return false;
    call->attempts = atomic_load(&dispatch->counters.attempts_total) - attempts;
    call->now = clock_now(clock);
    call->next = dispatch_next_deadline(dispatch);
    return true;
}

static void *run(void *argument)
{
    struct clock_driver *driver = argument;
    for (;;) {
        mailbox_wait(&driver->mailbox, -1);
        for (struct mail *next, *mail = mailbox_take(&driver->mailbox); mail; mail = next) {
            next = mail->next;
            if (mail->kind == MAIL_STOP)
                return NULL;
            struct advance_call *call =
                (struct advance_call *)(void *)mail; /* its first member's first member */
            call->call.result =
                advance(driver->dispatch, call) ? DISPATCH_OK : DISPATCH_UNAVAILABLE;
            call->call.done(&call->call);
        }
    }
}

struct clock_driver *clock_driver_start(struct dispatch *dispatch, char *error, size_t error_bytes)
{
    struct clock_driver *driver = hook_alloc(sizeof(*driver));
    driver->dispatch = dispatch;
    driver->stop.kind = MAIL_STOP;
    if (!mailbox_init(&driver->mailbox))
        snprintf(error, error_bytes, "cannot make the mailbox of the virtual clock: %s",
                 strerror(errno));
    else if (thread_start(&driver->thread, run, driver, "the virtual clock", error, error_bytes))
        return driver;
    else
        mailbox_destroy(&driver->mailbox);
    free(driver);
    return NULL;
}

void clock_driver_send(struct clock_driver *driver, struct advance_call *call)
{
    call->call.mail.kind = MAIL_ADVANCE;
    mailbox_send(&driver->mailbox, &call->call.mail);
}

void clock_driver_stop(struct clock_driver *driver)
{
    quiet_give_up(&driver->dispatch->quiet);
    mailbox_send(&driver->mailbox, &driver->stop);
    pthread_join(driver->thread, NULL);
    mailbox_destroy(&driver->mailbox);
    free(driver);
}
