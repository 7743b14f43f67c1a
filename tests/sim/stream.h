/* Streams of events written by hand, for the tests of the simulator's auditor: pieces (stream.c),
 * whole lives of a webhook made of them (stream_lives.c), and the check that a life keeps the rules
 * and one with something wrong does not (stream_check.c). */
#ifndef REVHOOK_TESTS_SIM_STREAM_H
#define REVHOOK_TESTS_SIM_STREAM_H

#include "tools/sim/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVENTS_MAX 256
#define TYPE       EVENT_account_created

struct stream {
    struct audit_event events[EVENTS_MAX];
    unsigned count;
    int64_t now_ms;
    int64_t posts, challenges;
};

/* ---- pieces ---- */

/* Appends an event at the present time of the stream. */
struct audit_event *add(struct stream *stream, enum audit_kind kind);
/* Moves that time. */
void pass(struct stream *stream, int64_t ms);
/* The n-th event of a kind, from 1. */
struct audit_event *find(struct stream *stream, enum audit_kind kind, unsigned n);
/* Takes an event out. */
void leave_out(struct stream *stream, const struct audit_event *event);
/* Lets two events change places; each happens at the other's time. */
void swap(struct audit_event *a, struct audit_event *b);
void start(struct stream *stream, bool reboot);
struct audit_event *show(struct stream *stream, int64_t webhook, enum webhook_state state,
                         uint32_t generation, mono_ms until);
struct audit_event *commit(struct stream *stream, int64_t webhook, enum webhook_state state,
                           uint32_t generation, mono_ms until);
void create(struct stream *stream, int64_t webhook);
void verify(struct stream *stream, int64_t webhook, bool right);
void activate(struct stream *stream, int64_t webhook, uint32_t generation);
void publish(struct stream *stream, int64_t number, uint32_t webhooks);
void post(struct stream *stream, int64_t number);
void ended(struct stream *stream, int64_t of_post, bool ok, dur_ms ms);
void attempt(struct stream *stream, int64_t number, bool ok);
struct audit_event *keep(struct stream *stream, int64_t delivery, enum delivery_state state,
                         enum reason reason, uint32_t attempts);
void over(struct stream *stream, uint32_t events);
void change(struct stream *stream, int64_t call, uint8_t command, uint32_t url_tag);
void told_change(struct stream *stream, int64_t call, bool ok);
void active_webhook(struct stream *stream);

/* ---- lives in which nothing is wrong; each stands with its story in stream_lives.c ---- */

void delivered(struct stream *stream);
void exhausted(struct stream *stream);
void side_by_side(struct stream *stream);
void reopened(struct stream *stream);
void crashed(struct stream *stream);
void rebooted(struct stream *stream);
void degraded(struct stream *stream);
void switched_off(struct stream *stream);
void deleted(struct stream *stream);
void moved(struct stream *stream);
void asked_again(struct stream *stream);
void never_verified(struct stream *stream);
void store_failed(struct stream *stream);
void two_webhooks(struct stream *stream);
void recovered_twice(struct stream *stream);

/* ---- the check ---- */

/* A life, and what makes it break a rule. */
struct row {
    enum invariant invariant;
    const char *name;
    void (*life)(struct stream *stream);
    void (*wrong)(struct stream *stream);
};

#define ROW(invariant, life, wrong)                \
    {                                              \
        INVARIANT_##invariant, #wrong, life, wrong \
    }

/* The rules that the lives keep; `degraded` keeps them with degrade_after 1. */
extern const struct audit_rules stream_rules;

/* Every row's life has no violation, and with the wrong thing in it the auditor reports that rule;
 * every invariant from `first` to `last` has a row. */
void stream_check(const struct row *rows, size_t count, enum invariant first, enum invariant last);

/* A wrong that changes nothing in the stream: the rules allow one attempt at once instead. */
void one_at_once(struct stream *stream);

#endif
