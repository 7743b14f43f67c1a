/* dispatch_store: the caller's function within the writer's transaction, and which mails wait for
 * it. The writer alone: no sender, the memory store, rounds by hand. */
#include "dispatcher/clock.h"
#include "dispatcher/threads.h"
#include "store/store_memory.h"
#include "tests/lib/sealer.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    struct store *store;
    struct store_reader *reader;
    struct clock *clock;
    struct dispatch *dispatch;
};

/* Makes an organisation. */
struct making {
    struct store_call call; /* first */
    const char *id;
    enum store_result result; /* of the verb */
    unsigned answered;
};

static enum store_result make(struct store_call *call, struct store *store, struct instant now)
{
    struct making *making = (struct making *)call;
    struct store_org row = {.id = {making->id, strlen(making->id)},
                            .partition = {"dvrv-us-1", 9},
                            .name = {"an org", 6},
                            .created_us = now.wall + 1};
    making->result = store_org_insert(store, &row);
    return making->result == STORE_CONFLICT ? STORE_OK : making->result;
}

static void done(struct dispatch_call *call)
{
    ((struct making *)call)->answered++;
}

static struct making making_of(const char *id)
{
    return (struct making){.call = {.call.done = done, .apply = make}, .id = id};
}

static int setup(void **state)
{
    char error[256];
    struct bench *bench = hook_alloc(sizeof(*bench));
    struct dispatch *dispatch = bench->dispatch = hook_alloc(sizeof(*dispatch));
    assert_int_equal(store_open_memory(&bench->store), STORE_OK);
    bench->reader = store_reader_open(bench->store, NULL, 0);
    bench->clock = clock_virtual((struct instant){0, 0}, "");
    dispatch->options = (struct dispatch_options){
        .store = bench->store, .clock = bench->clock, .retention_ms = 60000};
    quiet_init(&dispatch->quiet, false);
    assert_true(mailbox_init(&dispatch->writer.mailbox));
    assert_true(writer_recover(&dispatch->writer, dispatch, error, sizeof(error)));
    writer_round(&dispatch->writer); /* the first purge */
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    struct dispatch *dispatch = bench->dispatch;
    subscribers_free(&dispatch->writer.subscribers);
    free(dispatch->writer.targets);
    mailbox_destroy(&dispatch->writer.mailbox);
    quiet_destroy(&dispatch->quiet);
    free(dispatch);
    store_reader_close(bench->reader);
    store_close(bench->store);
    clock_free(bench->clock);
    free(bench);
    return 0;
}

static bool count(void *ctx, const struct store_org *row)
{
    (void)row;
    *(unsigned *)ctx += 1;
    return true;
}

static unsigned orgs(struct bench *bench)
{
    unsigned found = 0;
    assert_int_equal(store_org_list(bench->reader, count, &found), STORE_OK);
    return found;
}

static void two_calls_are_one_transaction(void **state)
{
    struct bench *bench = *state;
    struct making first = making_of("first"), again = making_of("first");
    dispatch_store(bench->dispatch, &first.call);
    dispatch_store(bench->dispatch, &again.call);
    assert_int_equal(first.answered, 0);
    writer_round(&bench->dispatch->writer);
    assert_int_equal(first.answered, 1);
    assert_int_equal(again.answered, 1);
    assert_int_equal(first.call.call.result, DISPATCH_OK);
    assert_int_equal(again.call.call.result, DISPATCH_OK); /* it knows for itself that it did not */
    assert_int_equal(again.result, STORE_CONFLICT);
    assert_int_equal(orgs(bench), 2);
    assert_int_equal(bench->dispatch->counters.commits_total, 1);
}

/* The medium fails in each call of the round in turn: begin, the verbs, commit. */
static void what_fails_has_not_happened(void **state)
{
    struct bench *bench = *state;
    unsigned failures = 0;
    for (bool good = false; !good; failures++) {
        struct making one = making_of("one"), two = making_of("two");
        dispatch_store(bench->dispatch, &one.call);
        dispatch_store(bench->dispatch, &two.call);
        store_memory_fail(bench->store, failures, 1, STORE_FULL);
        writer_round(&bench->dispatch->writer);
        assert_int_equal(one.answered, 1);
        assert_int_equal(two.answered, 1);
        good = one.call.call.result == DISPATCH_OK;
        assert_int_equal(one.call.call.result, good ? DISPATCH_OK : DISPATCH_UNAVAILABLE);
        assert_int_equal(two.call.call.result, one.call.call.result);
        assert_int_equal(orgs(bench), good ? 3 : 1);
        store_memory_fail(bench->store, 0, 0, STORE_FULL);
    }
    assert_int_equal(failures, 5); /* four that failed, and one that had nothing left to fail */
}

static void a_dispatcher_that_stops_takes_none(void **state)
{
    struct bench *bench = *state;
    struct making late = making_of("late");
    atomic_store(&bench->dispatch->stopping, true);
    dispatch_store(bench->dispatch, &late.call);
    assert_int_equal(late.answered, 1);
    assert_int_equal(late.call.call.result, DISPATCH_UNAVAILABLE);
    assert_int_equal(orgs(bench), 1);
}

/* ---- outcomes wait for company ---- */

#define LONG_MS 60000 /* until then nobody has waited without need */

static struct operations *operations_new(void)
{
    struct operations *operations = hook_alloc(sizeof(*operations));
    operations->mail.kind = MAIL_OPERATIONS;
    return operations;
}

/* What a round of a sender told; only whether somebody waits for it counts here. */
static void send_operations(struct bench *bench, bool urgent)
{
    struct operations *operations = operations_new();
    operations->urgent = urgent;
    dispatch_send(bench->dispatch, &bench->dispatch->writer.mailbox, &operations->mail);
}

struct late_call {
    struct bench *bench;
    struct making *making;
};

/* Calls when the writer has taken what was in its mailbox. */
static void *call_late(void *argument)
{
    struct late_call *late = argument;
    struct mailbox *mailbox = &late->bench->dispatch->writer.mailbox;
    for (bool taken = false; !taken; sched_yield()) {
        pthread_mutex_lock(&mailbox->lock);
        taken = !mailbox->head;
        pthread_mutex_unlock(&mailbox->lock);
    }
    dispatch_store(late->bench->dispatch, &late->making->call);
    return NULL;
}

static void outcomes_share_the_commit_of_the_next_call(void **state)
{
    struct bench *bench = *state;
    struct making making = making_of("one");
    struct late_call late = {.bench = bench, .making = &making};
    pthread_t thread;
    int64_t began_ms = clock_span_ms();
    bench->dispatch->writer.linger_ms = LONG_MS;
    send_operations(bench, false);
    send_operations(bench, false);
    assert_int_equal(pthread_create(&thread, NULL, call_late, &late), 0);
    writer_round(&bench->dispatch->writer);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(making.answered, 1);
    assert_int_equal(bench->dispatch->counters.commits_total, 1);
    assert_true(clock_span_ms() - began_ms < LONG_MS);
}

static void outcomes_alone_are_committed_when_time_is_up(void **state)
{
    struct bench *bench = *state;
    bench->dispatch->writer.linger_ms = 1;
    send_operations(bench, false);
    writer_round(&bench->dispatch->writer);
    assert_int_equal(bench->dispatch->counters.commits_total, 1);
}

static void what_somebody_waits_for_is_committed_at_once(void **state)
{
    struct bench *bench = *state;
    struct making making = making_of("one");
    int64_t began_ms = clock_span_ms();
    bench->dispatch->writer.linger_ms = LONG_MS;
    send_operations(bench, true);
    writer_round(&bench->dispatch->writer);
    send_operations(bench, false);
    dispatch_store(bench->dispatch, &making.call);
    writer_round(&bench->dispatch->writer);
    assert_int_equal(making.answered, 1);
    assert_int_equal(bench->dispatch->counters.commits_total, 2);
    assert_true(clock_span_ms() - began_ms < LONG_MS);
}

static void enough_outcomes_wait_for_nothing(void **state)
{
    struct bench *bench = *state;
    struct store_webhook row = {.id = {"w", 1}, .org = {"o", 1}, .status.state = WEBHOOK_ACTIVE};
    assert_int_equal(store_begin(bench->store), STORE_OK);
    assert_int_equal(store_webhook_insert(bench->store, &row), STORE_OK);
    assert_int_equal(store_commit(bench->store, (struct instant){0, 0}, ""), STORE_OK);
    int64_t began_ms = clock_span_ms();
    bench->dispatch->writer.linger_ms = LONG_MS;
    for (unsigned n = 0; n < 2; n++) { /* each of the two alone would wait */
        struct operations *operations = operations_new();
        for (unsigned i = 0; i < 8; i++)
            operations_add(operations, OPERATION_NOTE)->webhook = row.key;
        dispatch_send(bench->dispatch, &bench->dispatch->writer.mailbox, &operations->mail);
    }
    writer_round(&bench->dispatch->writer);
    assert_int_equal(bench->dispatch->counters.commits_total, 1);
    assert_true(clock_span_ms() - began_ms < LONG_MS);
}

static void nobody_waits_for_records_and_notes_alone(void **state)
{
    (void)state;
    static const bool urgent[] = {[OPERATION_RECORD] = false,
                                  [OPERATION_CHANGE] = true,
                                  [OPERATION_NOTE] = false,
                                  [OPERATION_REFILL] = true};
    for (enum operation_kind kind = OPERATION_RECORD; kind <= OPERATION_REFILL; kind++) {
        struct operations *operations = hook_alloc(sizeof(*operations));
        operations_add(operations, OPERATION_RECORD);
        operations_add(operations, kind);
        assert_int_equal(operations->urgent, urgent[kind]);
        operations_add(operations, OPERATION_NOTE);
        assert_int_equal(operations->urgent, urgent[kind]);
        operations_free(operations);
    }
}

/* ---- between commits ---- */

static void resealing_that_fails_waits_and_goes_on(void **state)
{
    struct bench *bench = *state;
    struct writer *writer = &bench->dispatch->writer;
    struct making making = making_of("one");
    bench->dispatch->options.sealer = test_sealer();
    atomic_store(&bench->dispatch->reseal, true);
    send_operations(bench, true);
    store_memory_fail(bench->store, 2, 1, STORE_FULL); /* behind the commit's begin and end */
    writer_round(writer);
    assert_int_equal(bench->dispatch->counters.commits_total, 1);
    assert_true(writer->resealing && writer->reseal_stuck);
    dispatch_store(bench->dispatch, &making.call); /* wakes it */
    writer_round(writer);
    assert_false(writer->resealing || writer->reseal_stuck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_calls_are_one_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(what_fails_has_not_happened, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dispatcher_that_stops_takes_none, setup, teardown),
        cmocka_unit_test_setup_teardown(outcomes_share_the_commit_of_the_next_call, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(outcomes_alone_are_committed_when_time_is_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_somebody_waits_for_is_committed_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(enough_outcomes_wait_for_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(resealing_that_fails_waits_and_goes_on, setup, teardown),
        cmocka_unit_test(nobody_waits_for_records_and_notes_alone),
    };
    return cmocka_run_group_tests_name("store calls", tests, NULL, NULL);
}
