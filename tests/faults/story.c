/* The story of story.h. */
#include "story.h"

#include "dispatcher/dispatch.h"
#include "dispatcher/log.h"
#include "tests/crash/look.h"
#include "tests/lib/receiver.h"

#include "store/store_sqlite.h"
#include "tests/lib/dispatch_options.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_S = 30, TRIES_MAX = 20 };

static char directory[64], url[64];
static struct receiver *receiver;
static struct store *store;
static struct clock *story_clock;
static struct dispatch *dispatch;
static struct story_end end;
static sem_t answered;

/* ---- calls ---- */

static void give_up(const char *what, const char *why)
{
    printf("%s: %s\n0 passed, 1 failed\n", what, why);
    fflush(stdout);
    _exit(1);
}

static void done(struct dispatch_call *call)
{
    (void)call;
    sem_post(&answered);
}

static enum dispatch_result await(struct dispatch_call *call, const char *what)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWER_S;
    while (sem_timedwait(&answered, &until) != 0)
        if (errno != EINTR)
            give_up(what, "not answered within 30 s");
    return call->result;
}

/* Whether a call has to be made again. */
static bool again(enum dispatch_result result, const char *what)
{
    static int tries;
    if (result == DISPATCH_OK) {
        tries = 0;
        return false;
    }
    char why[64];
    snprintf(why, sizeof why, "result %d after %d tries", (int)result, tries);
    if (result != DISPATCH_UNAVAILABLE || ++tries > TRIES_MAX)
        give_up(what, why);
    end.refused++;
    return true;
}

static void advance(dur_ms ms)
{
    struct advance_call call;
    do {
        call = (struct advance_call){.call.done = done, .ms = ms};
        dispatch_advance(dispatch, &call);
    } while (again(await(&call.call, "advance"), "advance"));
}

static int64_t create(const char *id)
{
    struct create_call call;
    do {
        call = (struct create_call){.call.done = done,
                                    .org = "dev0",
                                    .partition = "dvrv-us-1",
                                    .id = id,
                                    .url = url,
                                    .target = url,
                                    .secret = "0123456789abcdef",
                                    .user = ""};
        event_set_add(&call.event_types, EVENT_work_created);
        dispatch_create(dispatch, &call);
    } while (again(await(&call.call, "create"), "create"));
    dispatch_answered(dispatch, call.key);
    return call.key;
}

static void update(int64_t webhook, const char *secret, enum webhook_command command)
{
    struct update_call call;
    do {
        call = (struct update_call){.call.done = done,
                                    .webhook = webhook,
                                    .secret = secret,
                                    .command = command,
                                    .user = ""};
        dispatch_update(dispatch, &call);
    } while (again(await(&call.call, "update"), "update"));
    dispatch_answered(dispatch, webhook);
}

/* Publishes events in one request; the key of the first. */
static int64_t publish(uint32_t count, const char *key)
{
    struct publish_event events[8];
    struct publish_call call;
    do {
        for (uint32_t i = 0; i < count; i++)
            events[i] = (struct publish_event){
                .type = EVENT_work_created, .payload = "{}", .payload_bytes = 2};
        call = (struct publish_call){.call.done = done,
                                     .org = "dev0",
                                     .events = events,
                                     .event_count = count,
                                     .idempotency_key = key,
                                     .batch = true};
        dispatch_publish(dispatch, &call);
    } while (again(await(&call.call, "publish"), "publish"));
    end.accepted += count;
    return events[0].key;
}

static void redeliver(int64_t delivery, int64_t webhook)
{
    struct redeliver_call call;
    do {
        call = (struct redeliver_call){.call.done = done, .delivery = delivery, .webhook = webhook};
        dispatch_redeliver(dispatch, &call);
    } while (again(await(&call.call, "redeliver"), "redeliver"));
}

/* ---- the story ---- */

/* The delivery of an event to a webhook. */
static int64_t delivery_of(int64_t event, int64_t webhook)
{
    char sql[96], path[96];
    sqlite3 *db = NULL;
    snprintf(sql, sizeof sql, "SELECT key FROM delivery WHERE event = %lld AND webhook = %lld",
             (long long)event, (long long)webhook);
    snprintf(path, sizeof path, "%.64s/revhook.db", directory);
    int64_t key = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK
                      ? look_number(db, sql)
                      : -1;
    sqlite3_close(db);
    return key;
}

static void tell(void)
{
    receiver_answer(receiver, 200, 1);
    int64_t one = create("aaaaaaaa"), other = create("bbbbbbbb");
    advance(0);
    publish(3, NULL);
    publish(1, "a key of the client's");
    advance(0);
    receiver_answer(receiver, 500, 1);
    int64_t failing = publish(2, NULL);
    advance(0);
    advance(30000);
    advance(180000); /* two deliveries in a row used up their attempts: not enough to degrade */
    receiver_answer(receiver, 200, 1);
    redeliver(delivery_of(failing, one), one);
    advance(0);
    update(one, "another secret", COMMAND_NONE);
    advance(5000); /* verified again */
    publish(1, NULL);
    advance(0);
    receiver_answer(receiver, 500, 0);
    publish(5, NULL);
    advance(30000);
    publish(2, NULL); /* still waiting when the five are exhausted: they fail with it */
    advance(180000);
    publish(1, NULL); /* fails at once */
    receiver_answer(receiver, 200, 1);
    advance(60000); /* both have recovered */
    publish(1, NULL);
    advance(0);
    receiver_answer(receiver, 500, 1);
    publish(2, NULL);
    advance(0);
    update(other, NULL, COMMAND_DELETE); /* drops what waits */
    advance(300000);
}

/* ---- around it ---- */

void story_begin(void)
{
    log_setup(false, LOG_LEVEL_error);
    sem_init(&answered, 0, 0);
    receiver = receiver_start();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", receiver_port(receiver));
    snprintf(directory, sizeof directory, "%s/revhook-story-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL)
        give_up(directory, "cannot be made");
}

static void remove_files(void)
{
    static const char *const names[] = {"revhook.db", "revhook.db-wal", "revhook.db-shm",
                                        "revhook.lock"};
    for (int i = 0; i < 4; i++) {
        char path[96];
        snprintf(path, sizeof path, "%.64s/%s", directory, names[i]);
        unlink(path);
    }
}

void story_finish(void)
{
    receiver_stop(receiver);
    rmdir(directory);
}

/* As the daemon is started again by hand, or by its supervisor, where the store fails at start. */
static void start(const struct dispatch_options *options)
{
    char error[256] = "";
    dispatch = NULL;
    for (int tries = 0; dispatch == NULL && tries < TRIES_MAX; tries++)
        dispatch = dispatch_start(options, error, sizeof error);
    if (dispatch == NULL)
        give_up("start", error);
}

static void open_all(void (*change)(struct store *store))
{
    char error[256], boot[64] = "";
    struct instant last = {0, 0};
    struct store_options options = {.directory = directory, .answer_bytes_max = 100};
    if (store_open_sqlite(&options, &store, error, sizeof error) != STORE_OK)
        give_up("open", error);
    store_last_commit(store, &last, boot);
    story_clock = clock_virtual(last, boot);
    change(store);
    struct dispatch_options with = test_dispatch_options(store, story_clock);
    with.senders = 2;
    with.core.in_flight_max = 64;
    with.core.in_flight_per_webhook_max = 8;
    with.core.window_max = 4; /* so that some have to be read from the store */
    with.core.memory_max = 8;
    with.response_kept_bytes = 100;
    start(&with);
}

struct story_end story_play(void (*change)(struct store *store))
{
    static const char count[] = "SELECT count(*) FROM delivery WHERE state = ";
    const int states[] = {0, DELIVERY_DELIVERED, DELIVERY_FAILED, DELIVERY_DROPPED};
    end = (struct story_end){.posts = -receiver_events(receiver)};
    open_all(change);
    tell();
    dispatch_stop(dispatch, 3000);
    end.posts += receiver_events(receiver);
    sqlite3 *db = sqlite_of(store)->db;
    int64_t *counts[] = {&end.open, &end.delivered, &end.failed, &end.dropped};
    for (int i = 0; i < 4; i++) {
        char sql[96];
        snprintf(sql, sizeof sql, "%s%d", count, states[i]);
        *counts[i] = look_number(db, sql);
    }
    end.webhooks = look_number(db, "SELECT count(*) FROM webhook WHERE state <> 'deleted'");
    end.events = look_number(db, "SELECT count(*) FROM event");
    end.attempts = look_number(db, "SELECT count(*) FROM attempt");
    store_close(store);
    clock_free(story_clock);
    remove_files();
    return end;
}

bool story_same(const struct story_end *a, const struct story_end *b)
{
    struct story_end x = *a, y = *b;
    x.refused = y.refused = 0;
    return memcmp(&x, &y, sizeof x) == 0;
}

bool story_whole(const struct story_end *e)
{
    return e->open == 0 && e->events == e->accepted && e->attempts == e->posts &&
           e->delivered > 0 && e->failed > 0 && e->dropped > 0 && e->webhooks == 1 &&
           e->refused == 0;
}

void story_print(const struct story_end *e)
{
    printf("%lld webhooks, %lld events of %lld accepted, deliveries: %lld open, %lld delivered, "
           "%lld failed, %lld dropped; %lld attempts, %lld posts\n",
           (long long)e->webhooks, (long long)e->events, (long long)e->accepted, (long long)e->open,
           (long long)e->delivered, (long long)e->failed, (long long)e->dropped,
           (long long)e->attempts, (long long)e->posts);
}
