/* The auditor: sees what happened, in order, and says whether it was allowed.
 *
 * Owns: its own picture of the world, made of the event stream alone: what clients asked and were
 * told, what left the service for receivers and how it ended, what the store shows after each
 * commit and at the end. Refuses: to look into the code that it judges. It includes no header of
 * the dispatcher but the words (core/types.h), and computes due times, windows and limits by
 * itself, from the numbers of the rules.
 *
 * An event stream is a sequence of struct audit_event with ascending at_ms. After COMMITTED come
 * the rows that the commit changed (SHOWN_WEBHOOK, SHOWN_EVENT, SHOWN_DELIVERY of new and of
 * reopened ones, OPEN_DELIVERY for every delivery that is still open of a webhook that has just
 * changed), closed by SHOWN_ALL. After CRASHED, and before OVER, come all deliveries that the store
 * holds (KEPT_DELIVERY), closed by KEPT_ALL. */
#ifndef REVHOOK_SIM_AUDIT_H
#define REVHOOK_SIM_AUDIT_H

#include "core/types.h"

#include <stdio.h>

enum invariant {
#define X(name, text) INVARIANT_##name,
#include "invariants.def"
#undef X
    INVARIANT_COUNT
};

/* X(name, fields that matter besides `at_ms`) */
#define AUDIT_KINDS(X)                                                                             \
    X(STARTED, "wall, reboot: the process recovered and serves")                                   \
    X(CRASHED, "the process died: what it knew and had not committed is gone")                     \
    X(WALL_STEPPED, "wall: the wall clock was set")                                                \
    X(STORE_FAILS, "every commit fails from now on")                                               \
    X(STORE_HEALS, "none does from now on")                                                        \
    X(STORE_HICCUPS, "some call of the store may fail during the next two seconds")                \
    X(CALM, "disasters are over; what must happen is expected in time from now on")                \
    X(ASKED_PUBLISH, "call, number, count: events number .. number + count - 1")                   \
    X(TOLD_PUBLISH, "call, ok")                                                                    \
    X(TOLD_EVENT, "call, number, event, salt, count: of an answer that was ok")                    \
    X(ASKED_CREATE, "call, url_tag, secret_tag")                                                   \
    X(TOLD_CREATE, "call, ok, webhook")                                                            \
    X(ASKED_CHANGE, "call, webhook, command, url_tag, secret_tag (0: as it was)")                  \
    X(TOLD_CHANGE, "call, ok, gone: there is no such webhook")                                     \
    X(ASKED_REDELIVERY, "call, delivery")                                                          \
    X(TOLD_REDELIVERY, "call, delivery, ok")                                                       \
    X(COMMITTED, "wall: a transaction is durable")                                                 \
    X(SHOWN_WEBHOOK,                                                                               \
      "webhook, state, reason, generation, tags, types, run_since, until, failures")               \
    X(SHOWN_EVENT, "event, salt, number, type, count")                                             \
    X(SHOWN_DELIVERY, "delivery, event, webhook, type, state, reason, open, redelivery")           \
    X(OPEN_DELIVERY, "delivery, webhook, attempts")                                                \
    X(SHOWN_ALL, "that was all of this commit")                                                    \
    X(POST, "post, webhook, event, salt, type, number, tags, stamp: an event left for it")         \
    X(POST_ENDED, "post, ok, ours, duration_ms: its end; ours: no fault of the receiver")          \
    X(VERIFY, "post, webhook, tags, text: a verify request left, with this challenge")             \
    X(VERIFY_ENDED, "post, ok, duration_ms, text: a complete 2xx; what it echoed")                 \
    X(KEPT_DELIVERY, "delivery, webhook, state, reason, open, redelivery, attempts, redelivered, " \
                     "acknowledged, duration_ms")                                                  \
    X(KEPT_ALL, "count: events that the store holds")                                              \
    X(MEMORY, "count, limit: open deliveries that a sender holds")                                 \
    X(RECOVERED_TWICE, "hash, hash_again: of all that two recoveries found")                       \
    X(FAULT, "text: the service logged a fault")                                                   \
    X(OVER, "everything has come to rest; the KEPT_DELIVERY rows before were the last")

enum audit_kind {
#define X(name, fields) AUDIT_##name,
    AUDIT_KINDS(X)
#undef X
        AUDIT_KIND_COUNT
};

#define AUDIT_TEXT_BYTES 64

/* One thing that happened. Fields that a kind does not name are 0. */
struct audit_event {
    enum audit_kind kind;
    int64_t at_ms; /* since the world began; nothing that a clock of the service shows */
    wall_us wall;  /* what the machine's wall clock shows */
    int64_t call, webhook, event, delivery, post, number;
    uint64_t salt, hash, hash_again;
    mono_ms until, run_since; /* of a verify run */
    wall_us stamp;            /* the timestamp in a body */
    dur_ms duration_ms;
    uint32_t url_tag, secret_tag; /* numbers that stand for a url and a secret */
    uint32_t generation, count, limit, failures;
    uint32_t attempts, redelivered, acknowledged;
    uint8_t state, reason, type, command;
    bool ok, ours, gone, open, redelivery, reboot;
    struct event_set types;
    char text[AUDIT_TEXT_BYTES];
};

/* The numbers of the rules that this world runs under. */
struct audit_rules {
    unsigned attempts_max;
    dur_ms retry_delays_ms[8];
    dur_ms verify_window_ms, degraded_max_ms, probe_delay_min_ms, probe_delay_max_ms;
    unsigned degrade_after, in_flight_max, in_flight_per_webhook_max;
    bool calm; /* no disasters at all, and no webhook waits for the slots of another */
};

struct audit;

/* Makes an auditor; it prints a violation, with what led to it, to `out`. */
struct audit *audit_new(const struct audit_rules *rules, FILE *out);
void audit_free(struct audit *audit);

/* Takes what happened next. */
void audit_take(struct audit *audit, const struct audit_event *event);

/* How often an invariant was violated; in all. */
unsigned audit_violations_of(const struct audit *audit, enum invariant invariant);
unsigned audit_violations(const struct audit *audit);

/* Writes an event as a line. */
void audit_print(FILE *out, const struct audit_event *event);

const char *audit_invariant_name(enum invariant invariant);

#endif
