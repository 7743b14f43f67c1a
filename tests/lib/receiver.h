/* A small HTTP receiver for tests of the dispatcher: one thread, 127.0.0.1, any port. It echoes
 * challenges and answers everything else with a status that the test sets. */
#ifndef REVHOOK_TESTS_RECEIVER_H
#define REVHOOK_TESTS_RECEIVER_H

struct receiver;

/* Starts one; stops the test program if it cannot. */
struct receiver *receiver_start(void);
void receiver_stop(struct receiver *receiver);
int receiver_port(const struct receiver *receiver);

/* The status for event POSTs from now on, and whether challenges are echoed. */
void receiver_answer(struct receiver *receiver, int status, int echo);

/* How many event POSTs and verify requests have come so far. */
int receiver_events(struct receiver *receiver);
int receiver_verifies(struct receiver *receiver);

#endif
