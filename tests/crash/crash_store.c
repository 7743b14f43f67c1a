/* The store, and the loss of power at every write and every sync.
 *
 * Method. A world is a random series of transactions over the real SQLite store (workload.h) on a
 * disk in memory that records everything (disk.h). Then, at each boundary of the record, the disk
 * is rebuilt in up to 12 of the states that the medium may be in: all of what no sync covers is
 * there, none, all but the last, the last one torn at a sector, garbled or zeroed, and random
 * mixtures. A state that was rebuilt before at this place does not count again. Each is opened the
 * way the service opens it (store_open_sqlite: migration and recovery of the log included) and must
 *   - open, and pass PRAGMA integrity_check (or it is corrupt),
 *   - have, row by row, the content of the last transaction that was acknowledged, or of the one
 *     that was being committed: an older one is acknowledged and lost, any other is half of one.
 * That is S12 to S14 for accepts, outcomes, degradations and deletions: the content was compared
 * with a ledger when it was promised. Every fourth state is used further: recovered
 * (store_recover), given a webhook and an event, whose keys must be new (S11), and crashed again at
 * a random place of that; what comes back must again be a promised content, and all of it at the
 * end (S20). A fresh database and a restart are part of every world; an upgrade of each older
 * schema that this program knows is part of every fourth.
 *
 * Then the checker is checked: the same worlds with a fault on purpose (workload.h, mutants); each
 * has to be found.
 *
 * Command: build/tests/crash_store [--seed N] [--states N]; TEST_SCALE=quick|plain|full chooses the
 * number of states where --states does not. The seed is printed first; a finding names its world,
 * which is a seed too. The last line is `N passed, N failed`. */
#include "workload.h"

#include "store/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORKERS = 2,       /* processes, each with worlds of its own */
    TRANSACTIONS = 32, /* of a world */
    STATES_PER_PLACE = CRASH_PLAIN + 6,
    FURTHER_EVERY = 4,
    TOLD_MAX = 5, /* findings printed in full */
    FULL_STATES = 160000,
    MUTANT_STATES = 20000, /* in which a mutant has to be found */
    MUTANT_FINDINGS = 50   /* that are enough */
};

struct tally { /* numbers alone: they are added up as such */
    uint64_t worlds, upgrades, boundaries, states, corrupt, lost, half, rules, wrong, again;
    uint64_t deeds[DEED_COUNT];
};

/* What is needed for one world. */
struct bench {
    char directory[64];
    struct tally tally;
    uint64_t seed; /* of this world */
    struct random random;
    struct disk start, recorded; /* before the world, and all of it */
    struct disk left, before;    /* a state; the same before it was opened */
    struct disk again;           /* a state of the second crash */
    struct look look;
    bool quiet; /* a mutant: findings are expected */
    unsigned told;
};

static bool tell(struct bench *b, size_t boundary, const char *what)
{
    if (b->quiet || b->told == TOLD_MAX)
        return false;
    b->told++;
    printf("  world %llu, after operation %zu: %s\n", (unsigned long long)b->seed, boundary, what);
    return true;
}

static uint64_t findings(const struct tally *t)
{
    return t->corrupt + t->lost + t->half + t->rules + t->wrong;
}

/* ---- one state ---- */

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
    tell(b, boundary, error);
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
    if (tell(b, boundary, older ? "what was acknowledged is lost" : "half of a transaction"))
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
static bool give_keys(struct store *store, const struct promise *used)
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
    struct store_target target = {row.key, now.mono, DELIVERY_PENDING, REASON_none};
    struct store_event event = {.salt = 7, .org = org, .type = EVENT_work_created, .payload = json};
    return store_accept(store, &event, &target, 1) == STORE_OK &&
           store_commit(store, now, "boot-2") == STORE_OK && row.key > used->webhook &&
           event.key > used->event && event.first_delivery > used->delivery;
}

/* Crashes what was recovered once more, somewhere in what it has done since. */
static void crash_again(struct bench *b, const struct promise promises[3], size_t count,
                        size_t boundary)
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
            judge(b, promises, count, crash.acknowledged, boundary);
            close_left(store, &b->again);
        }
    }
    crash_end(&crash);
}

/* Uses what was recovered, as the service would, and crashes it again. */
static void go_on(struct bench *b, struct store *store, const struct promise *used, size_t boundary)
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
    good = good && give_keys(store, used);
    promise(b, store, promises, &count);
    if (!good) {
        b->tally.rules++;
        tell(b, boundary, "recovery, or a key that is given after it, is wrong");
    }
    close_left(store, &b->left);
    crash_again(b, promises, count, boundary);
    for (size_t i = 0; i < count; i++)
        free(promises[i].picture.at);
}

static void check_state(struct bench *b, const struct workload *w, const struct crash *crash)
{
    bool further = b->tally.states++ % FURTHER_EVERY == 0;
    for (int i = 0; i < DISK_FILES && further; i++)
        disk_file_copy(&b->before.files[i], &b->left.files[i]);
    b->left.recording = further;
    struct store *store = open_left(b, &b->left, crash->taken);
    if (store == NULL)
        return;
    size_t acknowledged = crash->acknowledged;
    if (judge(b, w->promises, w->promise_count, acknowledged, crash->taken) && further)
        go_on(b, store, &w->promises[acknowledged > 0 ? acknowledged - 1 : 0], crash->taken);
    else
        close_left(store, &b->left);
}

/* ---- one world ---- */

/* Does and records everything. Every fourth world begins with a database of the oldest schema. */
static void record_world(struct bench *b, struct workload *w, enum mutant mutant)
{
    disk_init(&b->start, b->seed);
    disk_init(&b->recorded, b->seed);
    workload_begin(w, &b->recorded, b->directory, b->seed, mutant);
    if (b->seed % 4 == 2) {
        b->tally.wrong += !workload_old(w, &b->start);
        b->tally.upgrades++;
        for (int i = 0; i < DISK_FILES; i++)
            disk_file_copy(&b->recorded.files[i], &b->start.files[i]);
    }
    b->recorded.recording = true;
    disk_use(&b->recorded);
    if (workload_run(w, TRANSACTIONS) != STORE_OK) {
        tell(b, b->recorded.op_count, w->error);
        b->tally.wrong++;
    }
    workload_close(w);
    b->tally.wrong += w->wrong;
    for (int i = 0; i < DEED_COUNT; i++)
        b->tally.deeds[i] += w->deeds[i];
}

static void run_world(struct bench *b, enum mutant mutant, uint64_t states_max)
{
    static struct workload w; /* large */
    struct crash crash;
    random_seed(&b->random, b->seed);
    record_world(b, &w, mutant);
    crash_begin(&crash, &b->recorded, &b->start);
    do {
        b->tally.boundaries++;
        for (unsigned how = 0; how < STATES_PER_PLACE; how++)
            if (crash_rebuild(&crash, how, &b->random, &b->left))
                check_state(b, &w, &crash);
    } while (crash_next(&crash) && b->tally.states < states_max &&
             !(b->quiet && findings(&b->tally) >= MUTANT_FINDINGS));
    crash_end(&crash);
    workload_end(&w);
    disk_free(&b->start);
    disk_free(&b->recorded);
    b->tally.worlds++;
}

/* Runs worlds seed, seed + step, ... until there are enough states; a mutant's until it is found.
 */
static struct tally run_worlds(uint64_t seed, uint64_t step, enum mutant mutant,
                               uint64_t states_max)
{
    struct bench b = {.seed = seed, .quiet = mutant != MUTANT_NONE};
    workload_directory(b.directory);
    disk_init(&b.left, ~seed);
    disk_init(&b.again, ~seed + 1);
    for (; b.tally.states < states_max && (!b.quiet || findings(&b.tally) == 0); b.seed += step)
        run_world(&b, mutant, states_max);
    disk_free(&b.left);
    disk_free(&b.before);
    disk_free(&b.again);
    free(b.look.at);
    workload_directory_remove(b.directory);
    return b.tally;
}

/* ---- all of it ---- */

/* Runs the worlds in WORKERS processes and adds up what they found. False if one has died. */
static bool run_workers(uint64_t seed, uint64_t states, struct tally *sum)
{
    int ends[2], status;
    bool good = pipe(ends) == 0;
    *sum = (struct tally){0};
    for (uint64_t i = 0; i < WORKERS && good; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct tally tally =
                run_worlds(seed + i, WORKERS, MUTANT_NONE, (states + WORKERS - 1) / WORKERS);
            _exit(write(ends[1], &tally, sizeof tally) == (ssize_t)sizeof tally ? 0 : 1);
        }
        good = child > 0;
    }
    close(ends[1]);
    uint64_t part[sizeof(struct tally) / sizeof(uint64_t)], *total = (uint64_t *)sum;
    while (read(ends[0], part, sizeof part) == (ssize_t)sizeof part)
        for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
            total[i] += part[i];
    while (wait(&status) > 0)
        good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return good;
}

static bool run_real(uint64_t seed, uint64_t states)
{
    struct tally t;
    bool good = run_workers(seed, states, &t);
    printf("%llu worlds (%llu upgrades), %llu boundaries:", (unsigned long long)t.worlds,
           (unsigned long long)t.upgrades, (unsigned long long)t.boundaries);
    for (int i = 0; i < DEED_COUNT; i++) {
        printf(" %s %llu", deed_names[i], (unsigned long long)t.deeds[i]);
        good = good && (t.deeds[i] > 0 || i > DEED_DELETE); /* a short run may have none of those */
    }
    printf("\n%llu of the states crashed again, %llu against the rules after it, %llu against the "
           "ledger\n",
           (unsigned long long)t.again, (unsigned long long)t.rules, (unsigned long long)t.wrong);
    printf("states %llu, corrupt %llu, acknowledged lost %llu, half a transaction %llu\n",
           (unsigned long long)t.states, (unsigned long long)t.corrupt, (unsigned long long)t.lost,
           (unsigned long long)t.half);
    return good && t.states >= states && t.upgrades > 0 && t.again > 0 && findings(&t) == 0;
}

static bool run_mutant(uint64_t seed, enum mutant mutant)
{
    struct tally t = run_worlds(seed, 1, mutant, MUTANT_STATES);
    bool caught = mutant == MUTANT_DEGRADE_IN_TWO ? t.half > 0 : t.lost > 0;
    printf("mutant %s: states %llu, corrupt %llu, acknowledged lost %llu, half a transaction %llu: "
           "%s\n",
           mutant_names[mutant], (unsigned long long)t.states, (unsigned long long)t.corrupt,
           (unsigned long long)t.lost, (unsigned long long)t.half,
           caught ? "caught" : "NOT CAUGHT");
    return caught;
}

static uint64_t default_states(void)
{
    const char *scale = getenv("TEST_SCALE");
    if (scale != NULL && strcmp(scale, "full") == 0)
        return FULL_STATES;
    return scale != NULL && strcmp(scale, "quick") == 0 ? 2500 : 30000;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, states = default_states();
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        uint64_t number = i + 1 < argc ? strtoull(argv[i + 1], &end, 10) : 0;
        bool is_seed = strcmp(argv[i], "--seed") == 0;
        if (end == NULL || *end != '\0' || (!is_seed && strcmp(argv[i], "--states") != 0)) {
            fprintf(stderr, "usage: crash_store [--seed N] [--states N]\n");
            return 2;
        }
        *(is_seed ? &seed : &states) = number;
        i++;
    }
    /* One thread, no statistics: what is measured is the store, not SQLite's locks. */
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %llu; --full: %d states\n", (unsigned long long)seed, FULL_STATES);
    int failed = run_real(seed, states) ? 0 : 1;
    for (int mutant = MUTANT_NONE + 1; mutant < MUTANT_COUNT; mutant++)
        failed += run_mutant(seed, mutant) ? 0 : 1;
    printf("%d passed, %d failed\n", MUTANT_COUNT - failed, failed);
    return failed == 0 ? 0 : 1;
}
