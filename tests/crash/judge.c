/* Judges one state; see judge.h. */
#include "judge.h"

#include "store/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FURTHER_EVERY = 4,
    TOLD_MAX = 5 /* findings printed in full */
};

bool judge_tell(struct bench *b, size_t boundary, const char *what)
{
    if (b->mutant != MUTANT_NONE || b->told == TOLD_MAX)
        return false;
    b->told++;
    printf("  world %llu, after operation %zu: %s\n", (unsigned long long)b->seed, boundary, what);
    return true;
}

/* Opens what is left; NULL, and counted, if that or its integrity fails. */
static struct store *open_left(struct bench *b, struct disk *disk, size_t boundary)
{
    char error[256] = "";
    struct store *store;
    struct store_options options = {.directory = b->directory,
                                    .answer_bytes_max = STORE_ANSWER_BYTES_MAX};
    disk_use(disk);
    bool opened = store_open_sqlite(&options, &store, error, sizeof error) == STORE_OK;
    if (opened && look_sound(sqlite_of(store)->db, error, sizeof error) &&
        look_all(sqlite_of(store)->db, &b->look))
        return store;
    judge_tell(b, boundary, error);
    b->tally.corrupt++;
    disk->off = true;
    if (opened)
        store_close(store);
    disk->off = false;
    return NULL;
}

static void close_left(struct store *store, struct disk *disk)
{
    disk->off = true; /* it has lost its power */
    store_close(store);
    disk->off = false;
}

/* Compares what was found with what was promised. */
static bool judge(struct bench *b, const struct promise *promises, size_t count,
                  size_t acknowledged, size_t boundary)
{
    size_t first = acknowledged > 0 ? acknowledged - 1 : 0;
    for (size_t i = first; i < count && i <= acknowledged; i++)
        if (look_same(&b->look, &promises[i].picture))
            return true;
    bool older = false;
    for (size_t i = 0; i < first && !older; i++)
        older = look_same(&b->look, &promises[i].picture);
    b->tally.lost += older;
    b->tally.half += !older;
    if (judge_tell(b, boundary, older ? "what was acknowledged is lost" : "half of a transaction"))
        look_print_difference(&b->look, &promises[first].picture);
    return false;
}

static bool count_webhook(void *ctx, const struct store_webhook *row, bool has_open)
{
    (void)row;
    (void)has_open;
    ++*(unsigned *)ctx;
    return true;
}

static void promise(struct bench *b, struct store *store, struct promise promises[3], size_t *count)
{
    look_all(sqlite_of(store)->db, &b->look);
    promises[(*count)++] = (struct promise){.picture = look_copy(&b->look)};
    disk_acknowledge(&b->left);
}

/* A new webhook and a new event get keys that nobody has had. */
static bool give_keys(struct store *store, const struct promise *used, enum mutant mutant)
{
    struct store_bytes org = {"dev0", 4}, words = {"later", 5}, json = {"{}", 2};
    struct store_webhook row = {.id = words,
                                .org = org,
                                .partition = words,
                                .url = words,
                                .target = words,
                                .secret = words,
                                .status = {.state = WEBHOOK_ACTIVE, .generation = 1}};
    struct instant now;
    char boot[64];
    store_last_commit(store, &now, boot);
    if (store_begin(store) != STORE_OK || store_webhook_insert(store, &row) != STORE_OK)
        return false;
    if (mutant == MUTANT_RECOVERED_IN_TWO &&
        (store_commit(store, now, "boot-2") != STORE_OK || store_begin(store) != STORE_OK))
        return false;
    struct store_target target = {row.key, now.mono, DELIVERY_PENDING, REASON_none};
    struct store_event event = {.salt = 7, .org = org, .type = EVENT_work_created, .payload = json};
    return store_accept(store, &event, &target, 1) == STORE_OK &&
           store_commit(store, now, "boot-2") == STORE_OK && row.key > used->webhook &&
           event.key > used->event && event.first_delivery > used->delivery;
}

/* Whether a transaction has been made durable in the log since it was recovered. */
static bool log_overwritten(const struct crash *crash)
{
    bool written = false;
    for (size_t i = 0; i < crash->taken; i++) {
        const struct disk_op *op = &crash->disk->ops[i];
        written = written || (op->kind == DISK_WRITE && op->file == DISK_LOG);
        if (written && op->kind == DISK_SYNC && op->file == DISK_LOG)
            return true;
    }
    return false;
}

/* Whether the second loss has brought back what the first one had interrupted.
 *
 * The first one may leave a transaction in the log of which one sector is missing, so that it is
 * not there when the log is recovered. The next transaction is written in its place. Where the two
 * differ in other sectors than the one that is missing (both have changed the same page), and the
 * power is lost while just that sector of the new one has arrived, the old one is complete, its
 * checksums are right, and SQLite finds it. That is no fault of the store: nobody has been told
 * that it was refused, it has happened wholly or not at all, and what was acknowledged before it
 * stands. It ends with the first sync of the log behind something written: from there on its place
 * is taken for good, and it would be a finding. So it would be once anything new was acknowledged,
 * synced or not. */
static bool came_late(const struct bench *b, const struct crash *crash,
                      const struct promise *interrupted, const struct promise promises[3])
{
    size_t last = crash->acknowledged > 0 ? crash->acknowledged - 1 : 0;
    return interrupted != NULL && !log_overwritten(crash) &&
           look_same(&promises[last].picture, &promises[0].picture) &&
           look_same(&b->look, &interrupted->picture);
}

/* Crashes what was recovered once more, somewhere in what it has done since. */
static void crash_again(struct bench *b, const struct promise promises[3], size_t count,
                        const struct promise *interrupted, size_t boundary)
{
    struct crash crash;
    crash_begin(&crash, &b->left, &b->before);
    size_t end = (size_t)random_between(&b->random, 0, (int64_t)b->left.op_count);
    if (random_chance(&b->random, 30))
        end = b->left.op_count;
    while (crash.taken < end && crash_next(&crash)) {
    }
    unsigned how = (unsigned)random_between(&b->random, 0, STATES_PER_PLACE - 1);
    if (crash_rebuild(&crash, how, &b->random, &b->again)) {
        struct store *store = open_left(b, &b->again, boundary);
        b->tally.again++;
        if (store != NULL) {
            if (came_late(b, &crash, interrupted, promises))
                b->tally.late++;
            else
                judge(b, promises, count, crash.acknowledged, boundary);
            close_left(store, &b->again);
        }
    }
    crash_end(&crash);
}

/* Uses what was recovered, as the service would, and crashes it again. `interrupted`: what was
 * being committed and is not there; NULL: nothing, or it is there. */
static void go_on(struct bench *b, struct store *store, const struct promise *used,
                  const struct promise *interrupted, size_t boundary)
{
    static const char living[] = "SELECT count(*) FROM webhook WHERE state <> 'deleted'";
    static const char orphaned[] = "SELECT count(*) FROM delivery d, webhook w"
                                   " WHERE w.key = d.webhook AND w.state = 'deleted'"
                                   " AND d.due IS NOT NULL";
    sqlite3 *db = sqlite_of(store)->db;
    struct promise promises[3];
    size_t count = 0;
    unsigned webhooks = 0;
    promise(b, store, promises, &count);
    bool good = store_recover(store, count_webhook, &webhooks) == STORE_OK &&
                look_number(db, living) == webhooks && look_number(db, orphaned) == 0;
    promise(b, store, promises, &count);
    good = good && give_keys(store, used, b->mutant);
    promise(b, store, promises, &count);
    if (!good) {
        b->tally.rules++;
        judge_tell(b, boundary, "recovery, or a key that is given after it, is wrong");
    }
    close_left(store, &b->left);
    crash_again(b, promises, count, interrupted, boundary);
    for (size_t i = 0; i < count; i++)
        free(promises[i].picture.at);
}

void judge_state(struct bench *b, const struct workload *w, const struct crash *crash)
{
    /* by the world alone, so that it finds the same whichever world was before it */
    bool further = (b->seed + b->states++) % FURTHER_EVERY == 0;
    b->tally.states++;
    for (int i = 0; i < DISK_FILES && further; i++)
        disk_file_copy(&b->before.files[i], &b->left.files[i]);
    b->left.recording = further;
    struct store *store = open_left(b, &b->left, crash->taken);
    if (store == NULL)
        return;
    size_t acknowledged = crash->acknowledged;
    if (!judge(b, w->promises, w->promise_count, acknowledged, crash->taken) || !further) {
        close_left(store, &b->left);
        return;
    }
    const struct promise *next =
        acknowledged < w->promise_count ? &w->promises[acknowledged] : NULL;
    if (next != NULL && look_same(&b->look, &next->picture))
        next = NULL;
    go_on(b, store, &w->promises[acknowledged > 0 ? acknowledged - 1 : 0], next, crash->taken);
}
