/* What the files of a sender thread share: loop.c (rounds and effects), loop_mail.c (what other
 * threads say), loop_post.c (making POSTs, life of the thread). Nobody else includes this. */
#ifndef REVHOOK_DISPATCHER_LOOP_INSIDE_H
#define REVHOOK_DISPATCHER_LOOP_INSIDE_H

#include "dispatcher/hook_map.h"
#include "dispatcher/sender.h"
#include "dispatcher/threads.h"

#define YOUNG_MS   64 /* after which a POST that is young is overdue, see core/select.c */
#define STARTS_MAX 8  /* started in one round; then it looks for answers again */

/* The part of an answer that is kept, as delivery->answer. */
struct kept_answer {
    char *at;
    size_t bytes;
};

/* A verify request that was not sent, to be told to the core. */
struct postponed {
    int64_t webhook;
    uint32_t verify_seq;
    mono_ms at;
};

struct sender_thread {
    struct dispatch *dispatch;
    unsigned index;
    pthread_t thread;
    struct mailbox mailbox;
    struct core core;
    struct update update;
    struct hook_map hooks;
    struct sender *sender;
    struct operations *operations; /* of this round; NULL: none yet */
    struct postponed *postponed;
    size_t postponed_count, postponed_capacity;
    int64_t done;                    /* what this round finished: leaves quiet at its end */
    struct post *young, *young_last; /* in the order in which they began, by `young_next` */
    int64_t ran_at_ms;               /* clock_span_ms of the last run of the core */
    bool running, stopping;
    int64_t stop_at_ms; /* clock_span_ms at which attempts in flight are cut off */
    unsigned cut_off;
    /* Read by other threads. */
    atomic_int_least64_t deadline;
    atomic_uint in_memory;
    unsigned flight_max;
    atomic_int_least64_t *flight; /* keys of deliveries in flight; 0: a free slot */
    unsigned *free_slots;         /* of `flight`, a stack */
    unsigned free_count;
    struct mail stop;
};

/* loop.c */
void *loop_run(void *argument);
/* One round of it; the simulator calls it from a thread of its own. */
void loop_round(struct sender_thread *thread);
/* Notes that the POST of a delivery that is young began just now. */
void loop_young_begins(struct sender_thread *thread, struct post *post);
/* Feeds one event (its `now` is set here) and carries out what follows. */
void loop_step(struct sender_thread *thread, struct core_event *event);

/* loop_mail.c */
void loop_mails(struct sender_thread *thread, struct mail *mails);
/* What the writer reported after the thread had ended: tells clients of changes that are durable.
 */
void loop_last_reports(struct sender_thread *thread, struct reports *reports);
/* Ends a call. */
void loop_answer(struct sender_thread *thread, struct update_call *call,
                 enum dispatch_result result);

/* loop_post.c */
void loop_post_event(struct sender_thread *thread, struct delivery *delivery, struct instant now);
/* Or notes in thread->postponed that it has to wait. */
void loop_post_verify(struct sender_thread *thread, struct hook *hook, uint32_t verify_seq,
                      struct instant now);
void loop_leave_flight(struct sender_thread *thread, const struct post *post);
void loop_log_attempt(const struct delivery *delivery, bool open);

#endif
