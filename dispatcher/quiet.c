/* Quiet, see quiet.h. The count is atomic; the lock is taken only by whoever brings it to zero and
 * by the one who waits. */
#include "dispatcher/quiet.h"

#include <assert.h>

void quiet_init(struct quiet *quiet, bool counting)
{
    quiet->counting = counting;
    quiet->given_up = false;
    atomic_init(&quiet->busy, 0);
    pthread_mutex_init(&quiet->lock, NULL);
    pthread_cond_init(&quiet->calm, NULL);
}

void quiet_destroy(struct quiet *quiet)
{
    pthread_cond_destroy(&quiet->calm);
    pthread_mutex_destroy(&quiet->lock);
}

void quiet_enter(struct quiet *quiet, int64_t count)
{
    if (quiet->counting)
        atomic_fetch_add(&quiet->busy, count);
}

void quiet_leave(struct quiet *quiet, int64_t count)
{
    if (!quiet->counting || count == 0)
        return;
    long long before = atomic_fetch_sub(&quiet->busy, count);
    assert(before >= count);
    if (before == count) {
        pthread_mutex_lock(&quiet->lock);
        pthread_cond_broadcast(&quiet->calm);
        pthread_mutex_unlock(&quiet->lock);
    }
}

bool quiet_wait(struct quiet *quiet)
{
    assert(quiet->counting);
    pthread_mutex_lock(&quiet->lock);
    while (atomic_load(&quiet->busy) > 0 && !quiet->given_up)
        pthread_cond_wait(&quiet->calm, &quiet->lock);
    bool calm = !quiet->given_up;
    pthread_mutex_unlock(&quiet->lock);
    return calm;
}

void quiet_give_up(struct quiet *quiet)
{
    pthread_mutex_lock(&quiet->lock);
    quiet->given_up = true;
    pthread_cond_broadcast(&quiet->calm);
    pthread_mutex_unlock(&quiet->lock);
}
