/* Events that the service makes itself, in the writer alone: one thread, the memory store, rounds
 * by hand. Whom they go to, that nobody of another organisation hears of a webhook, and that a
 * change and what is told of it happen together or not at all, whichever verb of the store fails.
 */
#include "dispatcher/loop_inside.h"
#include "store/store_memory.h"
#include "tests/lib/dispatch_options.h"

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
    int64_t watcher, other, stranger; /* active; the last is of another organisation */
    unsigned answered;
};

static struct bench *the_bench;

static void done(struct dispatch_call *call)
{
    (void)call;
    the_bench->answered++;
}

static struct store_bytes text_bytes(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

/* ---- a writer without threads ---- */

static int64_t add_watcher(struct store *store, const char *id, const char *org)
{
    struct store_webhook row = {
        .id = text_bytes(id),
        .org = text_bytes(org),
        .partition = text_bytes("dvrv-us-1"),
        .url = text_bytes("http://127.0.0.1:1/"),
        .target = text_bytes("http://127.0.0.1:1/"),
        .secret = text_bytes("0123456789abcdef"),
        .headers = text_bytes("x-api-key: hidden\n"),
        .status = {.state = WEBHOOK_ACTIVE,
                   .generation = 1,
                   .verify_next = MONO_NEVER,
                   .verify_until = MONO_NEVER},
        .created_us = 1700000000000000,
        .modified_us = 1700000000000000,
    };
    for (int type = EVENT_webhook_created; type <= EVENT_webhook_updated; type++)
        event_set_add(&row.event_types, type);
    assert_int_equal(test_webhook_insert(store, &row), STORE_OK);
    return row.key;
}

static int setup(void **state)
{
    char error[256];
    struct bench *bench = the_bench = hook_alloc(sizeof(*bench));
    assert_int_equal(store_open_memory(&bench->store), STORE_OK);
    assert_int_equal(store_begin(bench->store), STORE_OK);
    bench->watcher = add_watcher(bench->store, "watcher1", "dev0");
    bench->other = add_watcher(bench->store, "watcher2", "dev0");
    bench->stranger = add_watcher(bench->store, "stranger", "dev1");
    assert_int_equal(store_commit(bench->store, (struct instant){0, 0}, ""), STORE_OK);
    bench->reader = store_reader_open(bench->store, NULL, 0);
    bench->clock = clock_virtual((struct instant){0, 0}, "");
    struct dispatch *dispatch = bench->dispatch = hook_alloc(sizeof(*dispatch));
    dispatch->options = test_dispatch_options(bench->store, bench->clock);
    quiet_init(&dispatch->quiet, false);
    assert_true(mailbox_init(&dispatch->writer.mailbox));
    dispatch->senders[0] =
        sender_thread_new(dispatch, 0, &dispatch->options.core, error, sizeof(error));
    assert_non_null(dispatch->senders[0]);
    assert_true(writer_recover(&dispatch->writer, dispatch, error, sizeof(error)));
    loop_round(dispatch->senders[0]); /* takes the webhooks over */
    writer_round(&dispatch->writer);  /* the first purge */
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    struct dispatch *dispatch = bench->dispatch;
    sender_thread_free(dispatch->senders[0]);
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

/* One round, which answers the call that waits. */
static void round_of(struct bench *bench)
{
    bench->answered = 0;
    writer_round(&bench->dispatch->writer);
    assert_int_equal(bench->answered, 1);
}

/* ---- what is asked ---- */

static enum dispatch_result create(struct bench *bench, const char *id)
{
    struct create_call call = {
        .call.done = done,
        .org = "dev0",
        .partition = "dvrv-us-1",
        .id = id,
        .url = "http://127.0.0.1:1/",
        .target = "http://127.0.0.1:1/",
        .secret = "not-for-others",
        .headers = (const struct webhook_header[]){{"x-api-key", "not-for-others"}},
        .header_count = 1,
        .user = "svcacc/1",
    };
    dispatch_create(bench->dispatch, &call);
    round_of(bench);
    return call.call.result;
}

static struct fetch_call fetch(struct bench *bench, int64_t webhook)
{
    struct fetch_call call = {.call.done = done, .webhook = webhook, .object = text_of("ISS-1")};
    dispatch_fetch(bench->dispatch, &call);
    round_of(bench);
    return call;
}

static enum dispatch_result publish(struct bench *bench, enum event_type type, const char *payload)
{
    struct publish_event event = {
        .type = type, .payload = payload, .payload_bytes = strlen(payload)};
    struct publish_call call = {
        .call.done = done, .org = "dev0", .events = &event, .event_count = 1};
    dispatch_publish(bench->dispatch, &call);
    round_of(bench);
    return call.call.result;
}

/* What a sender tells when a client has deleted a webhook. */
static void remove_webhook(struct bench *bench, int64_t webhook)
{
    struct writer *writer = &bench->dispatch->writer;
    struct hook *hook = hook_map_get(&writer->subscribers.hooks, webhook);
    struct operations *operations = hook_alloc(sizeof(*operations));
    operations->mail.kind = MAIL_OPERATIONS;
    struct operation *operation = operations_add(operations, OPERATION_CHANGE);
    operation->hook = hook;
    operation->webhook = webhook;
    operation->change.status = hook->core.status;
    operation->change.status.state = WEBHOOK_DELETED;
    operation->change.settle = REASON_webhook_deleted;
    operation->change.command = true;
    operation->change.config = webhook_config_hold(hook->config);
    operation->change.modified_us = 1700000001000000;
    operation->change.user = strdup("svcacc/1");
    dispatch_send(bench->dispatch, &writer->mailbox, &operations->mail);
    writer_round(writer);
}

/* ---- what came of it ---- */

struct found {
    unsigned webhooks, events, deliveries;
    int64_t to[8]; /* of the newest event */
    enum event_type type;
    char payload[1024];
};

static bool see_webhook(void *ctx, const struct store_webhook *row)
{
    (void)row;
    ((struct found *)ctx)->webhooks++;
    return true;
}

static bool see_event(void *ctx, const struct store_event *row)
{
    struct found *found = ctx;
    if (found->events++ > 0)
        return true;
    found->type = row->type;
    assert_true(row->payload.bytes < sizeof(found->payload));
    memcpy(found->payload, row->payload.at, row->payload.bytes);
    found->payload[row->payload.bytes] = 0;
    return true;
}

static bool see_delivery(void *ctx, const struct store_delivery *row)
{
    struct found *found = ctx;
    if (found->deliveries < 8)
        found->to[found->deliveries] = row->webhook;
    found->deliveries++;
    assert_int_equal(row->state, DELIVERY_PENDING);
    return true;
}

static struct found look(struct bench *bench)
{
    struct found found = {0};
    const struct store_bytes org = text_bytes("dev0");
    struct store_delivery_filter all = {.org = org, .state = -1, .limit = 100};
    assert_int_equal(store_webhook_list(bench->reader, org, see_webhook, &found), STORE_OK);
    assert_int_equal(store_event_list(bench->reader, org, 0, -1, 100, see_event, &found), STORE_OK);
    assert_int_equal(store_delivery_list(bench->reader, &all, see_delivery, &found), STORE_OK);
    return found;
}

/* ---- tests ---- */

static void a_creation_is_told_within_its_organisation(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(create(bench, "made0001"), DISPATCH_OK);
    struct found found = look(bench);
    assert_int_equal(found.webhooks, 3);
    assert_int_equal(found.events, 1);
    assert_int_equal(found.type, EVENT_webhook_created);
    assert_int_equal(found.deliveries, 2);
    assert_int_equal(found.to[0] + found.to[1], bench->watcher + bench->other);
    assert_non_null(strstr(found.payload, "devo/dev0:webhook/made0001"));
    assert_null(strstr(found.payload, "not-for-others"));
    assert_int_equal(bench->dispatch->writer.open, 2);
}

static void a_deletion_is_told_to_the_others(void **state)
{
    struct bench *bench = *state;
    remove_webhook(bench, bench->watcher);
    struct found found = look(bench);
    assert_int_equal(found.webhooks, 1);
    assert_int_equal(found.type, EVENT_webhook_deleted);
    assert_string_equal(found.payload,
                        "{\"id\":\"don:integration:dvrv-us-1:devo/dev0:webhook/watcher1\"}");
    assert_int_equal(found.deliveries, 1);
    assert_int_equal(found.to[0], bench->other);
    remove_webhook(bench, bench->stranger); /* nobody else of its organisation is there */
    assert_int_equal(look(bench).events, 1);
}

/* Every call of the store fails once: the first, the second, ... until none is left. */
static void a_creation_and_its_event_are_one(void **state)
{
    struct bench *bench = *state;
    unsigned fails = 0;
    for (;; fails++) {
        char id[16];
        snprintf(id, sizeof(id), "made%04u", fails);
        store_memory_fail(bench->store, fails, 1, STORE_FULL);
        enum dispatch_result result = create(bench, id);
        struct found found = look(bench);
        if (result == DISPATCH_OK)
            break;
        assert_int_equal(result, DISPATCH_UNAVAILABLE);
        assert_int_equal(found.webhooks, 2);
        assert_int_equal(found.events, 0);
        assert_int_equal(found.deliveries, 0);
        assert_int_equal(bench->dispatch->writer.open, 0);
    }
    store_memory_fail(bench->store, 0, 0, STORE_FULL);
    assert_int_equal(fails, 5); /* begin, insert, look, accept, commit */
    struct found found = look(bench);
    assert_int_equal(found.webhooks, 3);
    assert_int_equal(found.events, 1);
    assert_int_equal(found.deliveries, 2);
}

static void a_deletion_and_its_event_are_one(void **state)
{
    struct bench *bench = *state;
    unsigned fails = 0;
    for (;; fails++) {
        store_memory_fail(bench->store, fails, 1, STORE_FULL);
        remove_webhook(bench, bench->watcher);
        if (look(bench).webhooks == 1)
            break;
        assert_int_equal(look(bench).events, 0); /* it was refused: nothing is tried again */
    }
    store_memory_fail(bench->store, 0, 0, STORE_FULL);
    assert_int_equal(fails, 6); /* begin, status, configure, settle, accept, commit */
    assert_int_equal(look(bench).events, 1);
    assert_int_equal(look(bench).deliveries, 1);
}

static void a_fetch_is_answered_or_refused_whole(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(publish(bench, EVENT_work_created,
                             "{\"work\":{\"id\":\"don:1\",\"display_id\":\"ISS-1\"}}"),
                     DISPATCH_OK);
    unsigned fails = 0;
    for (;; fails++) {
        store_memory_fail(bench->store, fails, 1, STORE_FAILED);
        enum dispatch_result result = fetch(bench, bench->watcher).call.result;
        if (result == DISPATCH_OK)
            break;
        assert_int_equal(result, DISPATCH_UNAVAILABLE);
        assert_int_equal(look(bench).events, 1);
        assert_int_equal(look(bench).deliveries, 0);
    }
    store_memory_fail(bench->store, 0, 0, STORE_FULL);
    assert_int_equal(fails, 4); /* begin, get, accept, commit */
    struct found found = look(bench);
    assert_int_equal(found.type, EVENT_work_fetched);
    assert_string_equal(found.payload, "{\"id\":\"ISS-1\",\"result\":\"ok\",\"work\":{\"id\":"
                                       "\"don:1\",\"display_id\":\"ISS-1\"}}");
    assert_int_equal(found.deliveries, 1);
    assert_int_equal(found.to[0], bench->watcher);
}

static void an_object_is_that_of_the_organisation(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(publish(bench, EVENT_work_created, "{\"work\":{\"id\":\"ISS-1\"}}"),
                     DISPATCH_OK);
    assert_int_equal(fetch(bench, bench->stranger).call.result, DISPATCH_OK);
    struct found found = {0};
    assert_int_equal(
        store_event_list(bench->reader, text_bytes("dev1"), 0, -1, 100, see_event, &found),
        STORE_OK);
    assert_int_equal(found.events, 1);
    assert_string_equal(found.payload, "{\"id\":\"ISS-1\",\"result\":\"not_found\"}");
}

static void a_fetch_for_a_webhook_that_is_not_active_is_refused(void **state)
{
    struct bench *bench = *state;
    remove_webhook(bench, bench->watcher);
    assert_int_equal(fetch(bench, bench->watcher).call.result, DISPATCH_NOT_FOUND);
    assert_int_equal(create(bench, "made0001"), DISPATCH_OK);
    struct fetch_call call = fetch(bench, bench->stranger + 1);
    assert_int_equal(call.call.result, DISPATCH_NOT_ACTIVE);
    assert_int_equal(call.webhook_state, WEBHOOK_UNVERIFIED);
    assert_int_equal(look(bench).events, 2); /* the deletion and the creation */
}

static void a_full_backlog_refuses_a_fetch_and_keeps_changes_untold(void **state)
{
    struct bench *bench = *state;
    bench->dispatch->options.backlog_max = 1;
    assert_int_equal(create(bench, "made0001"), DISPATCH_OK);
    assert_int_equal(look(bench).webhooks, 3);
    assert_int_equal(look(bench).events, 0); /* it would have been for two */
    assert_int_equal(fetch(bench, bench->watcher).call.result, DISPATCH_OK);
    assert_int_equal(fetch(bench, bench->watcher).call.result, DISPATCH_BACKLOG);
    assert_int_equal(look(bench).events, 1);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_creation_is_told_within_its_organisation),
        ONE(a_deletion_is_told_to_the_others),
        ONE(a_creation_and_its_event_are_one),
        ONE(a_deletion_and_its_event_are_one),
        ONE(a_fetch_is_answered_or_refused_whole),
        ONE(an_object_is_that_of_the_organisation),
        ONE(a_fetch_for_a_webhook_that_is_not_active_is_refused),
        ONE(a_full_backlog_refuses_a_fetch_and_keeps_changes_untold),
    };
    return cmocka_run_group_tests_name("writer events", tests, NULL, NULL);
}
