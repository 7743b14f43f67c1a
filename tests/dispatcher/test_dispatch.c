/* The dispatcher as a whole, without HTTP towards clients: real threads, real sockets, the SQLite
 * store, the virtual clock. */
#include "tests/lib/dispatch_options.h"
#include "tests/lib/receiver.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    char directory[64];
    struct store *store;
    struct clock *clock;
    struct dispatch *dispatch;
    struct receiver *receiver;
    char url[64];
};

/* ---- calls that wait ---- */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;
} waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static void done(struct dispatch_call *call)
{
    (void)call;
    pthread_mutex_lock(&waiting.lock);
    waiting.done = true;
    pthread_cond_signal(&waiting.over);
    pthread_mutex_unlock(&waiting.lock);
}

static enum dispatch_result await(struct dispatch_call *call)
{
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.done)
        pthread_cond_wait(&waiting.over, &waiting.lock);
    waiting.done = false;
    pthread_mutex_unlock(&waiting.lock);
    return call->result;
}

static struct advance_call advance(struct bench *bench, dur_ms ms)
{
    struct advance_call call = {.call.done = done, .ms = ms};
    dispatch_advance(bench->dispatch, &call);
    assert_int_equal(await(&call.call), DISPATCH_OK);
    return call;
}

static int64_t create(struct bench *bench, const char *id)
{
    struct create_call call = {
        .call.done = done,
        .org = "dev0",
        .partition = "dvrv-us-1",
        .id = id,
        .url = bench->url,
        .target = bench->url,
        .secret = "0123456789abcdef",
        .user = "",
    };
    event_set_add(&call.event_types, EVENT_work_created);
    dispatch_create(bench->dispatch, &call);
    assert_int_equal(await(&call.call), DISPATCH_OK);
    dispatch_answered(bench->dispatch, call.key);
    return call.key;
}

static enum dispatch_result update(struct bench *bench, struct update_call call)
{
    call.call.done = done;
    dispatch_update(bench->dispatch, &call);
    enum dispatch_result result = await(&call.call);
    if (result == DISPATCH_OK)
        dispatch_answered(bench->dispatch, call.webhook);
    return result;
}

/* Publishes `count` events in one request; returns the key of the first delivery of the first. */
static struct publish_event publish(struct bench *bench, uint32_t count)
{
    struct publish_event *events = calloc(count, sizeof(*events));
    for (uint32_t i = 0; i < count; i++)
        events[i] =
            (struct publish_event){.type = EVENT_work_created, .payload = "{}", .payload_bytes = 2};
    struct publish_call call = {
        .call.done = done, .org = "dev0", .events = events, .event_count = count, .batch = true};
    dispatch_publish(bench->dispatch, &call);
    assert_int_equal(await(&call.call), DISPATCH_OK);
    struct publish_event first = events[0];
    free(events);
    return first;
}

/* ---- what the store says ---- */

struct found {
    struct store_delivery row;
    int64_t count;
};

static bool take(void *context, const struct store_delivery *row)
{
    struct found *found = context;
    found->row = *row;
    found->count++;
    return true;
}

/* How many of the newest deliveries are in this state; `row` is the oldest of them. */
static struct found deliveries(struct bench *bench, enum delivery_state state)
{
    struct found found = {.count = 0};
    struct store_reader *reader = store_reader_open(bench->store, NULL, 0);
    struct store_delivery_filter filter = {.org = {"dev0", 4}, .state = (int)state, .limit = 5000};
    assert_int_equal(store_delivery_list(reader, &filter, take, &found), STORE_OK);
    store_reader_close(reader);
    return found;
}

/* ---- set-up ---- */

static void start(struct bench *bench)
{
    char error[256];
    struct store_options options = {.directory = bench->directory, .answer_bytes_max = 4096};
    assert_int_equal(store_open_sqlite(&options, &bench->store, error, sizeof(error)), STORE_OK);
    struct instant last = {0, 0};
    char boot[64] = "";
    assert_int_equal(store_last_commit(bench->store, &last, boot), STORE_OK);
    bench->clock = clock_virtual(last, boot);
    struct dispatch_options dispatch = test_dispatch_options(bench->store, bench->clock);
    dispatch.senders = 2;
    dispatch.core.in_flight_max = 256;
    dispatch.core.window_max = 128; /* so that some have to be read from the store */
    dispatch.core.memory_max = 256;
    bench->dispatch = dispatch_start(&dispatch, error, sizeof(error));
    assert_non_null(bench->dispatch);
}

static unsigned stop(struct bench *bench)
{
    unsigned cut_off = dispatch_stop(bench->dispatch, 3000);
    store_close(bench->store);
    clock_free(bench->clock);
    return cut_off;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    snprintf(bench->directory, sizeof(bench->directory), "/tmp/revhook-test-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    bench->receiver = receiver_start();
    snprintf(bench->url, sizeof(bench->url), "http://127.0.0.1:%d/",
             receiver_port(bench->receiver));
    start(bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    stop(bench);
    receiver_stop(bench->receiver);
    static const char *const files[] = {"revhook.db", "revhook.db-wal", "revhook.db-shm",
                                        "revhook.lock"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", bench->directory, files[i]);
        unlink(path);
    }
    rmdir(bench->directory);
    free(bench);
    return 0;
}

/* ---- tests ---- */

static void a_verified_webhook_gets_every_event_once(void **state)
{
    struct bench *bench = *state;
    create(bench, "aaaaaaaa");
    create(bench, "bbbbbbbb");
    advance(bench, 0);
    assert_int_equal(receiver_verifies(bench->receiver), 2);
    for (int i = 0; i < 10; i++)
        publish(bench, 100);
    advance(bench, 0);
    assert_int_equal(receiver_events(bench->receiver), 2000);
    assert_int_equal(deliveries(bench, DELIVERY_DELIVERED).count, 2000);
    struct dispatch_stats stats;
    dispatch_stats(bench->dispatch, &stats);
    assert_int_equal(stats.deliveries_open, 0);
    assert_int_equal(stats.attempts_in_flight, 0);
}

static void a_backlog_larger_than_memory_goes_through_the_store_and_loses_nothing(void **state)
{
    struct bench *bench = *state;
    create(bench, "aaaaaaaa");
    advance(bench, 0);
    receiver_answer(bench->receiver, 500, 1);
    publish(
        bench,
        1000); /* the first attempts all fail; five would degrade only after the third attempt */
    advance(bench, 0);
    assert_int_equal(receiver_events(bench->receiver), 1000);
    receiver_answer(bench->receiver, 200, 1);
    assert_int_equal(advance(bench, 29999).attempts, 0);
    assert_int_equal(advance(bench, 1).attempts, 1000);
    assert_int_equal(deliveries(bench, DELIVERY_DELIVERED).count, 1000);
}

static void failing_degrades_settles_the_queue_and_recovers(void **state)
{
    struct bench *bench = *state;
    create(bench, "aaaaaaaa");
    advance(bench, 0);
    receiver_answer(bench->receiver, 500, 0);
    publish(bench, 5);
    advance(bench, 30000);
    publish(bench, 50); /* still to be tried a third time when the first five are exhausted */
    struct advance_call over = advance(bench, 180000);
    assert_int_equal(deliveries(bench, DELIVERY_PENDING).count, 0);
    assert_int_equal(deliveries(bench, DELIVERY_FAILED).count, 55);
    publish(bench, 1);
    struct found failed = deliveries(bench, DELIVERY_FAILED);
    assert_int_equal(failed.count, 56);
    int before = receiver_events(bench->receiver);
    receiver_answer(bench->receiver, 200, 1);
    assert_int_not_equal(over.next, MONO_NEVER);
    advance(bench, 30000);
    publish(bench, 1);
    advance(bench, 0);
    assert_int_equal(receiver_events(bench->receiver), before + 1);
    assert_int_equal(deliveries(bench, DELIVERY_DELIVERED).count, 1);

    struct redeliver_call redeliver = {
        .call.done = done, .delivery = failed.row.key, .webhook = failed.row.webhook};
    dispatch_redeliver(bench->dispatch, &redeliver);
    assert_int_equal(await(&redeliver.call), DISPATCH_OK);
    advance(bench, 0);
    assert_int_equal(deliveries(bench, DELIVERY_DELIVERED).count, 2);
}

static void what_was_open_goes_on_after_a_restart(void **state)
{
    struct bench *bench = *state;
    create(bench, "aaaaaaaa");
    advance(bench, 0);
    receiver_answer(bench->receiver, 503, 1);
    publish(bench, 700);
    advance(bench, 10000);
    assert_int_equal(stop(bench), 0);
    start(bench);
    receiver_answer(bench->receiver, 200, 1);
    assert_int_equal(advance(bench, 19999).attempts, 0);
    assert_int_equal(advance(bench, 1).attempts, 700);
    assert_int_equal(deliveries(bench, DELIVERY_DELIVERED).count, 700);
}

static void no_post_starts_after_a_delete_has_answered(void **state)
{
    struct bench *bench = *state;
    int64_t webhook = create(bench, "aaaaaaaa");
    advance(bench, 0);
    receiver_answer(bench->receiver, 500, 1);
    publish(bench, 300);
    advance(bench, 0);
    int before = receiver_events(bench->receiver);
    assert_int_equal(
        update(bench,
               (struct update_call){.webhook = webhook, .command = COMMAND_DELETE, .user = ""}),
        DISPATCH_OK);
    assert_int_equal(
        update(bench,
               (struct update_call){.webhook = webhook, .command = COMMAND_DELETE, .user = ""}),
        DISPATCH_NOT_FOUND);
    advance(bench, 600000);
    assert_int_equal(receiver_events(bench->receiver), before);
    assert_int_equal(deliveries(bench, DELIVERY_DROPPED).count, 300);
    assert_int_equal(publish(bench, 1).delivery_count, 0);
}

static void a_new_secret_holds_what_was_accepted_until_it_is_verified(void **state)
{
    struct bench *bench = *state;
    int64_t webhook = create(bench, "aaaaaaaa");
    advance(bench, 0);
    receiver_answer(bench->receiver, 500, 0);
    publish(bench, 3);
    advance(bench, 0);
    update(bench, (struct update_call){.webhook = webhook, .secret = "another secret", .user = ""});
    advance(bench, 100000);
    assert_int_equal(receiver_events(bench->receiver), 3);
    assert_int_equal(publish(bench, 1).delivery_count, 0); /* re-verifying: counted, not kept */
    receiver_answer(bench->receiver, 200, 1);
    advance(bench, 40000); /* the verify request at 140 s */
    assert_int_equal(receiver_events(bench->receiver), 6);
    assert_int_equal(deliveries(bench, DELIVERY_DELIVERED).count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_verified_webhook_gets_every_event_once),
        TEST(a_backlog_larger_than_memory_goes_through_the_store_and_loses_nothing),
        TEST(failing_degrades_settles_the_queue_and_recovers),
        TEST(what_was_open_goes_on_after_a_restart),
        TEST(no_post_starts_after_a_delete_has_answered),
        TEST(a_new_secret_holds_what_was_accepted_until_it_is_verified),
#undef TEST
    };
    return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
