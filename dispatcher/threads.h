/* The threads of the dispatcher and what they share. Only files of this folder include this.
 *
 * One writer, N senders, and with a virtual clock its driver. They share the options, counters, and
 * mailboxes; everything else belongs to one thread. */
#ifndef REVHOOK_DISPATCHER_THREADS_H
#define REVHOOK_DISPATCHER_THREADS_H

#include "dispatcher/mail.h"
#include "dispatcher/quiet.h"
#include "dispatcher/reseal.h"
#include "dispatcher/subscribers.h"
#include "dispatcher/verify_pace.h"

#define SENDERS_MAX   64
#define YOUNG_MAX     24 /* POSTs of one sender that may be young at once, see core/select.c */
#define WRITER_RANDOM 64 /* random numbers that the writer draws at once */

/* What is counted, one number a row of metric.def. */
struct counters {
#define X(name, kind, help) atomic_ullong name;
#include "../schema/metric.def"
#undef X
};

struct writer {
    struct dispatch *dispatch;
    pthread_t thread;
    struct mailbox mailbox;
    struct subscribers subscribers;
    struct mail *retained; /* operations whose commit failed, to be tried again; oldest first */
    struct mail *left;     /* taken from the mailbox and beyond what one transaction takes */
    int linger_ms;         /* how long outcomes wait for company, see writer.c */
    struct reports *reports[SENDERS_MAX]; /* of this transaction, one a sender; NULL: none yet */
    struct store_target *targets;         /* room for one event's */
    uint32_t targets_capacity;
    uint64_t open, open_before; /* open deliveries, now and when the transaction began */
    struct dispatch_stats
        tally; /* what this transaction adds to the counters once it is committed */
    uint64_t random[WRITER_RANDOM]; /* the last `random_left` are not used yet */
    unsigned random_left;
    mono_ms purge_at;
    int64_t failing_since_ms; /* clock_span_ms of the first commit that failed; 0: none */
    bool untended;            /* the last step of the store's house-keeping failed */
    int64_t done;             /* mails that this round finished: leaves quiet at its end */
    struct reseal_step reseal;
    bool resealing, reseal_stuck; /* stuck: the last step failed, and is tried again later */
    uint64_t resealed;            /* webhooks in this walk */
    bool stopping;
};

struct sender_thread;

struct dispatch {
    struct dispatch_options options;
    struct quiet quiet;
    struct counters counters;
    struct writer writer;
    struct sender_thread *senders[SENDERS_MAX];
    struct clock_driver *driver;     /* NULL with a real clock */
    struct verify_pace *verify_pace; /* NULL: no cap */
    atomic_bool stopping;            /* no more calls */
    atomic_bool reseal;              /* asked for by dispatch_reseal, and not begun */
    atomic_bool store_failing;       /* commits fail: start nothing that could not be recorded */
};

#define COUNT(dispatch, name, by) atomic_fetch_add(&(dispatch)->counters.name, (by))

/* Sends mail that counts as something under way until its reader is done with it. */
void dispatch_send(struct dispatch *dispatch, struct mailbox *mailbox, struct mail *mail);

/* The sender that a webhook belongs to. */
unsigned dispatch_sender_of(const struct dispatch *dispatch, int64_t webhook);

/* ---- writer.c ---- */

/* Reads the store into memory, then starts the thread. False, with `error`, if that fails. */
bool writer_start(struct writer *writer, struct dispatch *dispatch, char *error,
                  size_t error_bytes);
/* The first half of that: reads the store and reports to the senders, and starts no thread. */
bool writer_recover(struct writer *writer, struct dispatch *dispatch, char *error,
                    size_t error_bytes);
/* One round: waits for mails, commits them in one transaction, reports and answers. What the thread
 * does until it is stopped; the simulator calls it from a thread of its own. */
void writer_round(struct writer *writer);
/* Ends it after everything sent before is committed, or cannot be. */
void writer_stop(struct writer *writer);

/* The list of reports to a sender in this transaction. */
struct reports *writer_reports(struct writer *writer, int64_t webhook);

/* ---- writer_accept.c: events become rows, within a transaction ---- */

/* Whom an event goes to: the first `targets` of writer->targets. */
struct fan_out {
    uint32_t targets; /* deliveries */
    uint32_t queued;  /* of those the ones that are due; the others have ended already */
    uint32_t skipped; /* subscribers that get none */
};

/* The subscribers of a type in an organisation, by its number, but for the webhook `except` (0:
 * none). */
struct fan_out writer_fan_out(struct writer *writer, enum event_type type, uint32_t org,
                              mono_ms due, int64_t except);
/* One webhook, which is active, whatever it subscribed to. */
struct fan_out writer_single_out(struct writer *writer, int64_t webhook, mono_ms due);
/* Writes an event with its deliveries, notes it as the last version of its object, and reports the
 * deliveries. `row` has org, type, payload and created_us; the rest of it is set. */
enum store_result writer_accept(struct writer *writer, struct store_event *row,
                                const struct fan_out *fan_out);

/* ---- writer_events.c: events of the service itself, likewise ---- */

/* Tells the subscribers of `type` (webhook_created, _updated or _deleted) of a change of `hook`
 * that is part of this transaction. */
enum store_result writer_own_event(struct writer *writer, enum event_type type,
                                   const struct hook *hook, struct instant now);
/* webhooks.fetch. */
enum store_result writer_fetch(struct writer *writer, struct fetch_call *call);

/* ---- writer_calls.c: what the API asks, within a transaction. On anything but STORE_OK the
 * transaction has failed. ---- */

enum store_result writer_create(struct writer *writer, struct create_call *call);
enum store_result writer_publish(struct writer *writer, struct publish_call *call);
enum store_result writer_redeliver(struct writer *writer, struct redeliver_call *call);
enum store_result writer_store(struct writer *writer, struct store_call *call);

/* ---- writer_operations.c: what the senders tell, likewise ---- */

enum store_result writer_operations(struct writer *writer, struct operations *operations);

/* After the commit: traces the attempts that are recorded now. */
void writer_trace(const struct operations *operations);

/* ---- writer_tend.c: between transactions ---- */

#define PURGE_EVERY_MS 60000

/* A step of the store's house-keeping. What fails is only told, and once until it succeeds: nothing
 * that was committed depends on it. */
void writer_tend(struct writer *writer);
/* Removes events past their retention in small steps, each a transaction of its own, so that nobody
 * waits for long; under the virtual clock all at once, so that they are gone when the clock has
 * moved. */
void writer_purge(struct writer *writer);
/* One step of a walk that dispatch_reseal asked for. */
void writer_reseal(struct writer *writer);

/* ---- recover.c ---- */

/* Makes hooks and subscribers of everything in the store and reports them to the senders. False,
 * with `error`, if it cannot be read, or a secret in it does not open. */
bool recover(struct writer *writer, char *error, size_t error_bytes);

/* ---- loop.c, loop_post.c ---- */

/* Makes a sender with its core, its libcurl and its mailbox; NULL, with `error`, if that fails. */
struct sender_thread *sender_thread_new(struct dispatch *dispatch, unsigned index,
                                        const struct core_config *config, char *error,
                                        size_t error_bytes);
/* Starts its thread. False, with `error`, if that fails. */
bool sender_thread_run(struct sender_thread *thread, char *error, size_t error_bytes);
struct mailbox *sender_thread_mailbox(struct sender_thread *thread);
/* Asks it to end: it starts nothing more and lets attempts in flight end for patience_ms. */
void sender_thread_stop(struct sender_thread *thread, dur_ms patience_ms);
/* Waits for its end; returns how many attempts were cut off. */
unsigned sender_thread_join(struct sender_thread *thread);
/* Frees it, which has ended. The writer must have ended before: only then is it known whether the
 * changes that clients still wait for are durable, and they are told. */
void sender_thread_free(struct sender_thread *thread);
/* The earliest time at which its core wants to be woken. Any thread. */
mono_ms sender_thread_deadline(struct sender_thread *thread);
/* How many open deliveries it holds in memory. Any thread. */
unsigned sender_thread_in_memory(struct sender_thread *thread);
/* Whether a delivery is in flight. Any thread. */
bool sender_thread_is_in_flight(struct sender_thread *thread, int64_t delivery);
/* Counts the deliveries in flight, and copies their keys unless `keys` is NULL. Any thread. */
size_t sender_thread_in_flight(struct sender_thread *thread, int64_t *keys, size_t keys_max);

/* ---- clock_driver.c ---- */

/* Starts it; NULL, with `error`, if that fails. */
struct clock_driver *clock_driver_start(struct dispatch *dispatch, char *error, size_t error_bytes);
void clock_driver_stop(struct clock_driver *driver);
void clock_driver_send(struct clock_driver *driver, struct advance_call *call);

#endif
