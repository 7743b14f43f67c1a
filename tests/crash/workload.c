/* The series: which transactions, in what order, and the pictures of what they promised; see
 * workload.h. What a verb means to the ledger is in workload_ledger.c. */
#include "workload_inside.h"

#include "store/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const deed_names[DEED_COUNT] = {"open",    "webhook", "accept", "record",
                                            "degrade", "delete",  "reopen", "purge",
                                            "token",   "give-up", "tend"};
const char *const mutant_names[MUTANT_COUNT] = {
    "none",
    "every third fsync dropped",
    "synchronous=NORMAL",
    "synchronous=OFF",
    "degrade in two transactions",
    "answer before the commit",
    "first use after a crash in two transactions",
};

sqlite3 *workload_database(struct workload *w)
{
    return sqlite_of(w->store)->db;
}

void workload_directory(char directory[64])
{
    snprintf(directory, 64, "%s/revhook-crash-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        exit(2);
    }
}

void workload_directory_remove(const char *directory)
{
    static const char *const names[] = {"revhook.db", "revhook.lock"};
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%.64s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

void workload_begin(struct workload *w, struct disk *disk, const char *directory, uint64_t seed,
                    enum mutant mutant)
{
    *w = (struct workload){
        .disk = disk, .faults = &disk->faults, .directory = directory, .mutant = mutant};
    w->clock = (struct instant){1000, 1700000000000000};
    w->ledger.org_count = 1; /* is always there */
    random_seed(&w->random, seed);
    if (mutant == MUTANT_SYNCS_DROPPED)
        disk->drop_every = 3;
}

void workload_end(struct workload *w)
{
    workload_close(w);
    for (size_t i = 0; i < w->promise_count; i++)
        free(w->promises[i].picture.at);
    free(w->promises);
    free(w->scratch.at);
}

/* ---- promises ---- */

static void keep_promise(struct workload *w)
{
    const struct ledger *l = &w->ledger;
    if (w->promise_count == w->promise_capacity) {
        w->promise_capacity = w->promise_capacity * 2 + 64;
        w->promises = realloc(w->promises, w->promise_capacity * sizeof *w->promises);
    }
    w->promises[w->promise_count++] = (struct promise){
        .picture = look_copy(&w->scratch),
        .webhook = l->webhook_count > 0 ? l->webhooks[l->webhook_count - 1].key : 0,
        .event = l->events_ever,
        .delivery = l->deliveries_ever};
}

/* What stands now has been promised. */
static void promise(struct workload *w)
{
    w->faults->paused = true;
    if (!look_all(workload_database(w), &w->scratch)) {
        printf("  the database cannot be read: %s\n", sqlite3_errmsg(workload_database(w)));
        w->wrong++;
    }
    if (!workload_check(w))
        w->wrong++;
    keep_promise(w);
    w->faults->paused = false;
    if (w->mutant != MUTANT_ANSWER_EARLY)
        disk_acknowledge(w->disk);
}

/* ---- life ---- */

static bool no_visit(void *ctx, const struct store_webhook *row, bool has_open)
{
    (void)ctx;
    (void)row;
    (void)has_open;
    return true;
}

enum store_result workload_open(struct workload *w)
{
    struct store_options options = {.directory = w->directory,
                                    .answer_bytes_max = STORE_ANSWER_BYTES_MAX};
    enum store_result result = store_open_sqlite(&options, &w->store, w->error, sizeof w->error);
    if (result != STORE_OK)
        return result;
    struct sqlite_store *s = sqlite_of(w->store);
    s->list_step = 6; /* so that lists have steps in a short series, too */
    s->list_lag = 3;
    if (w->mutant == MUTANT_SYNCHRONOUS_NORMAL)
        sqlite3_exec(s->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    if (w->mutant == MUTANT_SYNCHRONOUS_OFF)
        sqlite3_exec(s->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    w->deeds[DEED_OPEN]++;
    if (w->mutant == MUTANT_ANSWER_EARLY)
        disk_acknowledge(w->disk);
    promise(w);
    result = store_recover(w->store, no_visit, NULL);
    if (result != STORE_OK) {
        snprintf(w->error, sizeof w->error, "%s", store_error(w->store));
        return result;
    }
    ledger_recovered(w);
    if (w->mutant == MUTANT_ANSWER_EARLY)
        disk_acknowledge(w->disk);
    promise(w);
    return STORE_OK;
}

void workload_close(struct workload *w)
{
    store_close(w->store);
    w->store = NULL;
}

/* ---- transactions ---- */

/* Draws a deed that the ledger has something for. */
static enum deed draw(struct workload *w)
{
    static const struct {
        enum deed deed;
        unsigned percent;
    } shares[] = {{DEED_ACCEPT, 36}, {DEED_RECORD, 32}, {DEED_WEBHOOK, 6}, {DEED_DEGRADE, 7},
                  {DEED_DELETE, 5},  {DEED_REOPEN, 6},  {DEED_PURGE, 4},   {DEED_TOKEN, 4}};
    int64_t roll = random_between(&w->random, 0, 99);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        roll -= shares[i].percent;
        if (roll < 0)
            return shares[i].deed;
    }
    return DEED_ACCEPT;
}

static enum store_result do_deed(struct workload *w, enum deed deed)
{
    switch (deed) {
    case DEED_WEBHOOK: return do_webhook(w);
    case DEED_RECORD: return do_record(w);
    case DEED_DEGRADE: return do_degrade(w);
    case DEED_DELETE: return do_delete(w);
    case DEED_REOPEN: return do_reopen(w);
    case DEED_PURGE: return do_purge(w);
    case DEED_TOKEN: return do_token(w);
    default: return do_accept(w);
    }
}

/* Undoes what the ledger has of the transaction. */
static void give_up(struct workload *w)
{
    snprintf(w->error, sizeof w->error, "%s", store_error(w->store));
    store_rollback(w->store);
    w->ledger = w->before;
}

enum store_result workload_commit(struct workload *w)
{
    w->clock.mono += 7;
    w->clock.wall += 7000;
    if (w->mutant == MUTANT_ANSWER_EARLY)
        disk_acknowledge(w->disk);
    enum store_result result = store_commit(w->store, w->clock, "boot-1");
    if (result == STORE_OK)
        promise(w);
    return result;
}

static enum store_result transaction(struct workload *w)
{
    int64_t deeds = random_between(&w->random, 1, 4);
    w->before = w->ledger;
    enum store_result result = store_begin(w->store);
    if (result != STORE_OK) {
        snprintf(w->error, sizeof w->error, "%s", store_error(w->store));
        return result;
    }
    for (int64_t i = 0; i < deeds && result == STORE_OK; i++) {
        enum deed deed = w->ledger.webhook_count == 0 ? DEED_WEBHOOK : draw(w);
        result = do_deed(w, deed);
        w->deeds[deed]++;
    }
    bool leave = random_chance(&w->random, 4);
    if (result == STORE_OK && !leave)
        result = workload_commit(w);
    if (result != STORE_OK || leave)
        give_up(w);
    w->deeds[DEED_GIVE_UP] += leave;
    return result;
}

/* House-keeping, and a checkpoint now and then: the store does one for each 4 MiB of log, a series
 * has less, so the store is told that it is time. */
static void tend(struct workload *w)
{
    struct sqlite_store *s = sqlite_of(w->store);
    if (random_chance(&w->random, 12))
        s->log_pages_tended = s->log_pages - (1 << 20);
    if (w->mutant == MUTANT_ANSWER_EARLY)
        disk_acknowledge(w->disk);
    store_tend(w->store);
    promise(w);
    w->deeds[DEED_TEND]++;
}

enum store_result workload_run(struct workload *w, unsigned count)
{
    enum store_result result = STORE_OK;
    for (unsigned i = 0; i < count && result == STORE_OK; i++) {
        if (w->store == NULL)
            result = workload_open(w);
        if (result == STORE_OK)
            result = transaction(w);
        if (result == STORE_OK)
            tend(w);
        if (result == STORE_OK && random_chance(&w->random, 4)) {
            workload_close(w);
            result = workload_open(w);
        }
    }
    return result;
}
