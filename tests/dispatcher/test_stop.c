/* The end of the dispatcher, with changes under way. */
#include "dispatcher/threads.h"
#include "store/store_memory.h"
#include "tests/lib/dispatch_options.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static sem_t over, reached, go_on;

static void done(struct dispatch_call *call)
{
    (void)call;
    sem_post(&over);
}

/* Runs on the writer's thread, which cannot go on meanwhile. */
static void done_and_hold_the_writer(struct dispatch_call *call)
{
    (void)call;
    sem_post(&reached);
    sem_wait(&go_on);
}

static bool seen(void *context, const struct store_webhook *row)
{
    (void)context;
    (void)row;
    return true;
}

static struct dispatch *start(struct store *store, struct clock *clock)
{
    char error[256];
    struct dispatch_options options = test_dispatch_options(store, clock);
    options.core.verify_offset_count = 0;
    options.egress = (struct egress_policy){0};
    struct dispatch *dispatch = dispatch_start(&options, error, sizeof(error));
    assert_non_null(dispatch);
    return dispatch;
}

/* A change is on its way to the writer when the sender ends: the client must not be told that
 * nothing has changed, for the writer still commits it. */
static void a_change_that_is_committed_last_is_answered_so(void **state)
{
    (void)state;
    struct store *store;
    sem_init(&over, 0, 0);
    sem_init(&reached, 0, 0);
    sem_init(&go_on, 0, 0);
    assert_int_equal(store_open_memory(&store), STORE_OK);
    struct clock *clock = clock_real((struct instant){0, 0}, "");
    struct dispatch *dispatch = start(store, clock);

    const char *url = "http://127.0.0.1:1/"; /* no policy allows it, and no verify is planned */
    struct create_call create = {.call.done = done,
                                 .org = "dev0",
                                 .partition = "dvrv-us-1",
                                 .id = "aaaaaaaa",
                                 .url = url,
                                 .target = url,
                                 .secret = "secret",
                                 .user = "user"};
    dispatch_create(dispatch, &create);
    sem_wait(&over);
    assert_int_equal(create.call.result, DISPATCH_OK);

    struct publish_event event = {.type = EVENT_work_created, .payload = "{}", .payload_bytes = 2};
    struct publish_call publish = {
        .call.done = done_and_hold_the_writer, .org = "dev0", .events = &event, .event_count = 1};
    dispatch_publish(dispatch, &publish);
    sem_wait(&reached);
    struct update_call update = {
        .call.done = done, .webhook = create.key, .command = COMMAND_DELETE, .user = "user"};
    dispatch_update(dispatch, &update);
    sender_thread_stop(dispatch->senders[0], 0);
    sender_thread_join(dispatch->senders[0]); /* its operations wait for the writer now */
    sem_post(&go_on);
    dispatch_stop(dispatch, 0);

    assert_int_equal(sem_trywait(&over), 0); /* answered, once */
    assert_int_equal(sem_trywait(&over), -1);
    struct store_reader *reader = store_reader_open(store, NULL, 0);
    assert_int_equal(store_webhook_get(reader, (struct store_bytes){"dev0", 4},
                                       (struct store_bytes){"aaaaaaaa", 8}, seen, NULL),
                     STORE_NOT_FOUND);
    assert_int_equal(update.call.result, DISPATCH_OK);
    store_reader_close(reader);
    clock_free(clock);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_that_is_committed_last_is_answered_so),
    };
    return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
