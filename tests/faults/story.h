/* A story that a dispatcher plays from its start to its end, the same each time: two webhooks are
 * made and verified, events are delivered, fail, are tried again and redelivered, a secret changes,
 * a webhook degrades and recovers, one is deleted.
 *
 * Owns: dispatcher, store, clock and receiver of one run; the client, who makes a call again that
 * was answered "unavailable". Failure modes: a call that is not answered within 30 s, or is refused
 * too often, ends the program and says which. Refuses: to know what fails. */
#ifndef REVHOOK_TESTS_FAULTS_STORY_H
#define REVHOOK_TESTS_FAULTS_STORY_H

#include "store/store.h"

/* What a run has left. */
struct story_end {
    int64_t webhooks; /* that are not deleted */
    int64_t accepted; /* events that were answered with success */
    int64_t events, open, delivered, failed, dropped, attempts; /* in the store */
    int64_t posts;                                              /* that the receiver got */
    int64_t refused; /* calls that were answered "unavailable"; not compared */
};

/* Makes what all runs share; frees it. */
void story_begin(void);
void story_finish(void);
/* Plays it over a new SQLite store; `change` is called with that before the dispatcher starts. */
struct story_end story_play(void (*change)(struct store *store));
bool story_same(const struct story_end *a, const struct story_end *b);
/* Whether it is a story at all: every kind of end is in it, and all accepted events are. */
bool story_whole(const struct story_end *end);
void story_print(const struct story_end *end);

#endif
