/* After a commit that failed, with nobody asking for anything else: the service goes on by itself.
 */
#include "dispatcher/threads.h"
#include "store/store_memory.h"
#include "tests/lib/dispatch_options.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PATIENCE_MS 5000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;
static bool is_done;

static void done(struct dispatch_call *call)
{
    (void)call;
    pthread_mutex_lock(&lock);
    is_done = true;
    pthread_cond_signal(&over);
    pthread_mutex_unlock(&lock);
}

static enum dispatch_result publish(struct dispatch *dispatch)
{
    struct publish_event event = {.type = EVENT_work_created, .payload = "{}", .payload_bytes = 2};
    struct publish_call call = {
        .call.done = done, .org = "dev0", .events = &event, .event_count = 1};
    dispatch_publish(dispatch, &call);
    pthread_mutex_lock(&lock);
    while (!is_done)
        pthread_cond_wait(&over, &lock);
    is_done = false;
    pthread_mutex_unlock(&lock);
    return call.call.result;
}

/* A commit that held nothing but what clients asked leaves nothing to be tried again; the senders
 * must not wait for another client. (The simulator found it: seed 77, world 97.) */
static void senders_go_on_after_a_failed_commit_of_calls_alone(void **state)
{
    (void)state;
    char error[256];
    struct store *store;
    assert_int_equal(store_open_memory(&store), STORE_OK);
    struct clock *clock = clock_real((struct instant){0, 0}, "");
    struct dispatch_options options = test_dispatch_options(store, clock);
    store_memory_fail(store, 0, 4, STORE_FULL); /* the first purge, the call, two more */
    struct dispatch *dispatch = dispatch_start(&options, error, sizeof(error));
    assert_non_null(dispatch);
    assert_int_equal(publish(dispatch), DISPATCH_UNAVAILABLE);
    assert_true(atomic_load(&dispatch->store_failing));
    int64_t give_up_ms = clock_span_ms() + PATIENCE_MS;
    while (atomic_load(&dispatch->store_failing) && clock_span_ms() < give_up_ms)
        poll(NULL, 0, 5);
    assert_false(atomic_load(&dispatch->store_failing));
    assert_int_equal(publish(dispatch), DISPATCH_OK);
    dispatch_stop(dispatch, 0);
    clock_free(clock);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senders_go_on_after_a_failed_commit_of_calls_alone),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
