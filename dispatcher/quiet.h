/* Quiet: knowing that nothing is under way, which is when the virtual clock may move.
 *
 * Owns: one count of everything that will still lead to something at the present instant: a mail
 * not yet read, an attempt in flight, an outcome not yet committed, a client not yet answered.
 * Whoever makes such a thing enters before it hands it over, whoever is done with it leaves, after
 * entering for what follows from it. Refuses: to count under the real clock, where nobody asks. */
#ifndef REVHOOK_DISPATCHER_QUIET_H
#define REVHOOK_DISPATCHER_QUIET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct quiet {
    bool counting, given_up;
    atomic_llong busy;
    pthread_mutex_t lock;
    pthread_cond_t calm;
};

void quiet_init(struct quiet *quiet, bool counting);
void quiet_destroy(struct quiet *quiet);

/* `count` more, or fewer, things are under way. Any thread. */
void quiet_enter(struct quiet *quiet, int64_t count);
void quiet_leave(struct quiet *quiet, int64_t count);

/* Waits until nothing is under way; false if quiet_give_up was called. Counting only. */
bool quiet_wait(struct quiet *quiet);

/* Ends all waiting, now and later. Any thread. */
void quiet_give_up(struct quiet *quiet);

#endif
