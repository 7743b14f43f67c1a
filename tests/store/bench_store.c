/* What the life of an event costs in the SQLite store: accepted with one delivery in one
 * transaction, its attempt recorded in the next, as the writer thread does it under load. A tool
 * for people, no test:
 *
 *     bench_store DIRECTORY [events [webhooks [sql to run on the new database]]]
 *
 * DIRECTORY must not exist yet; it is removed at the end. Prints CPU and elapsed microseconds per
 * event for several sizes of batches, and what recovery and lists cost afterwards. */
#include "store/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_MAX = 1000, PAYLOAD_BYTES = 1024 };

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double elapsed_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void must(enum store_result result, struct store *store, const char *what)
{
    if (result == STORE_OK)
        return;
    fprintf(stderr, "%s: %d %s\n", what, result, store != NULL ? store_error(store) : "");
    exit(1);
}

static struct store_bytes text(const char *at)
{
    return (struct store_bytes){at, strlen(at)};
}

static int64_t webhooks[10000];
static char payload[PAYLOAD_BYTES];
static int64_t turn;

static int64_t accept_one(struct store *store, mono_ms now, bool open)
{
    struct store_event event = {.salt = 123456789,
                                .org = text("dev0"),
                                .type = turn % 3 == 0 ? EVENT_work_created : EVENT_work_updated,
                                .payload = {payload, sizeof payload},
                                .created_us = 1700000000000000 + now * 1000};
    struct store_target target = {webhooks[turn++ % 10000], now, DELIVERY_PENDING, REASON_none};
    if (!open)
        target = (struct store_target){target.webhook, MONO_NEVER, DELIVERY_FAILED,
                                       REASON_webhook_degraded};
    must(store_accept(store, &event, &target, 1), store, "accept");
    return event.first_delivery;
}

static void record_one(struct store *store, int64_t key)
{
    struct store_record record = {.delivery = key,
                                  .attempt = {.outcome = OUTCOME_acknowledged,
                                              .http_status = 200,
                                              .started_us = 1700000000000000,
                                              .duration_ms = 3,
                                              .answer = text("ok")},
                                  .state = DELIVERY_DELIVERED,
                                  .due = MONO_NEVER};
    must(store_record(store, &record), store, "record");
}

static void commit(struct store *store, mono_ms now)
{
    must(store_commit(store, (struct instant){now, 1700000000000000 + now * 1000}, "b"), store,
         "commit");
    store_tend(store);
}

static void lives(struct store *store, unsigned events, unsigned batch)
{
    int64_t before[BATCH_MAX];
    unsigned waiting = 0, commits = 0;
    double cpu = cpu_us(), elapsed = elapsed_us(), worst = 0;
    for (unsigned done = 0; done < events; done += batch) {
        double start = elapsed_us();
        must(store_begin(store), store, "begin");
        for (unsigned i = 0; i < waiting; i++)
            record_one(store, before[i]);
        for (unsigned i = 0; i < batch; i++)
            before[i] = accept_one(store, done, true);
        waiting = batch;
        commit(store, done);
        commits++;
        if (elapsed_us() - start > worst)
            worst = elapsed_us() - start;
    }
    must(store_begin(store), store, "begin");
    for (unsigned i = 0; i < waiting; i++)
        record_one(store, before[i]);
    commit(store, events);
    printf("batch %4u: %6.2f us CPU, %7.2f us elapsed per event; worst transaction %.1f ms (%u "
           "events, %u commits)\n",
           batch, (cpu_us() - cpu) / events, (elapsed_us() - elapsed) / events, worst / 1e3, events,
           commits);
}

static bool see_delivery(void *ctx, const struct store_delivery *row)
{
    (void)row;
    ++*(unsigned *)ctx;
    return true;
}

static bool see_webhook(void *ctx, const struct store_webhook *row, bool has_open)
{
    (void)row;
    *(unsigned *)ctx += has_open;
    return true;
}

static void lists(struct store *store, struct store_reader *reader)
{
    static const int states[] = {
        -1, DELIVERY_PENDING, DELIVERY_HELD, DELIVERY_DELIVERED, DELIVERY_FAILED, DELIVERY_DROPPED};
    for (int one = 0; one < 2; one++) {
        for (unsigned i = 0; i < sizeof states / sizeof states[0]; i++) {
            struct store_delivery_filter filter = {.org = text("dev0"),
                                                   .webhook = one ? webhooks[0] : 0,
                                                   .state = states[i],
                                                   .limit = 50};
            unsigned rows = 0;
            double start = elapsed_us();
            must(store_delivery_list(reader, &filter, see_delivery, &rows), store, "list");
            printf("list of %s, state %2d: %7.1f us for %u rows\n",
                   one ? "one webhook" : "all webhooks", states[i], elapsed_us() - start, rows);
        }
    }
}

static void queue(struct store *store, unsigned count)
{
    must(store_begin(store), store, "begin");
    for (unsigned i = 0; i < count; i++) {
        accept_one(store, i, true);
        if (i % 1000 == 999) {
            commit(store, i);
            must(store_begin(store), store, "begin");
        }
    }
    commit(store, count);
}

/* Opens the store again and does what a start does; then settles what is open of one webhook. */
static void restart(const struct store_options *options)
{
    struct store *store;
    char error[256] = "";
    double start = elapsed_us();
    must(store_open_sqlite(options, &store, error, sizeof error), NULL, error);
    double opened = elapsed_us();
    unsigned busy = 0;
    must(store_recover(store, see_webhook, &busy), store, "recover");
    double recovered = elapsed_us();
    uint64_t open = 0, settled = 0;
    must(store_open_count(store, &open), store, "count");
    double counted = elapsed_us();
    must(store_begin(store), store, "begin");
    must(store_settle(store, webhooks[0], DELIVERY_FAILED, REASON_webhook_degraded, NULL, 0,
                      &settled),
         store, "settle");
    commit(store, 1);
    printf("open %.1f ms, recover %.1f ms (%u webhooks with open deliveries), count %.1f ms "
           "(%llu), settle of one %.1f ms (%llu)\n",
           (opened - start) / 1e3, (recovered - opened) / 1e3, busy, (counted - recovered) / 1e3,
           (unsigned long long)open, (elapsed_us() - counted) / 1e3, (unsigned long long)settled);
    store_close(store);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store DIRECTORY [events [webhooks [sql]]]\n");
        return 2;
    }
    unsigned events = argc > 2 ? (unsigned)atoi(argv[2]) : 100000,
             count = argc > 3 ? (unsigned)atoi(argv[3]) : 20;
    struct store_options options = {.directory = argv[1], .answer_bytes_max = 4096};
    struct store *store;
    char error[256];
    if (store_open_sqlite(&options, &store, error, sizeof error) != STORE_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    if (argc > 4 &&
        sqlite3_exec(((struct sqlite_store *)store)->db, argv[4], NULL, NULL, NULL) != SQLITE_OK)
        return 1;
    memset(payload, 'x', sizeof payload);
    must(store_begin(store), store, "begin");
    for (unsigned i = 0; i < count && i < 10000; i++) {
        char id[16];
        snprintf(id, sizeof id, "wh%u", i);
        struct store_webhook row = {.id = text(id),
                                    .org = text("dev0"),
                                    .url = text("http://127.0.0.1:1/"),
                                    .target = text("http://127.0.0.1:1/"),
                                    .secret = text("s"),
                                    .status = {.state = WEBHOOK_ACTIVE}};
        must(store_webhook_insert(store, &row), store, "webhook");
        webhooks[i] = row.key;
    }
    for (unsigned i = count; i < 10000; i++)
        webhooks[i] = webhooks[i % count];
    commit(store, 0);
    lives(store, events / 50, 1);
    lives(store, events / 2, 20);
    lives(store, events, 100);
    lives(store, events, 200);
    lives(store, events, 1000);
    queue(store, events);
    struct store_reader *reader = store_reader_open(store, NULL, 0);
    lists(store, reader);
    store_reader_close(reader);
    store_close(store);

    restart(&options);
    static const char *const names[] = {"revhook.db", "revhook.db-wal", "revhook.db-shm",
                                        "revhook.lock"};
    for (int i = 0; i < 4; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], names[i]);
        unlink(path);
    }
    rmdir(argv[1]);
    return 0;
}
