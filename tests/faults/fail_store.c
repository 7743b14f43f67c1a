/* The store, and every call below it that may fail: of the medium, and for memory.
 *
 * Method. A series of transactions (tests/crash/workload.h) on a disk in memory is run again and
 * again; in the n-th run the n-th call fails, n = 1, 2, 3 ... until a run has fewer calls. Calls
 * are those of SQLite to its VFS (open, read, write, cut, sync, size, remove, index), with an I/O
 * error or, for writes alone, with "disk full"; or those of SQLite for memory. Each once, and again
 * from there on. Whatever was being done must be reported as failed, undone and given back (the
 * store's front says what that means), so that
 *   - the content is that of the last transaction that was acknowledged, live and, where the call
 *     failed once, after a loss of power at this moment (S14: any other answer means none of it; if
 *     the medium goes on failing, the pages of a commit whose sync failed cannot be overwritten:
 *     those cases are counted apart),
 *   - when calls succeed again the same store goes on by itself (L7), to the end of the series,
 *     where the ledger, a restart and PRAGMA integrity_check agree,
 *   - SQLite holds no memory when all is closed.
 * The store's own few small blocks are not among them: where one cannot be had it says so and stops
 * (store_alloc), which is a crash like any other; tests/faults/memory.test.mjs does that.
 *
 * Command: build/tests/fail_store [SEED]; TEST_SCALE=quick|plain|full chooses how long the series
 * is and, for memory, of how many calls one is taken: 41, 7 or 1. Prints `N of N injected, 0 lost`
 * for each kind, at last `N passed, N failed`. */
#include "tests/crash/workload.h"

#include "store/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD_MAX = 5 };

struct loop {
    const char *name;
    bool memory, full, on;
    uint64_t step;
    uint64_t injected, refused, lost, appeared, stuck;
    unsigned told;
};

static char directory[64], other[64]; /* of the store, and of what a loss of power leaves */

/* ---- memory that cannot be had ---- */

static struct faults memory;
static sqlite3_mem_methods real;
static sqlite3_int64 held; /* by SQLite for itself */

static void *failing_malloc(int bytes)
{
    return faults_hit(&memory) ? NULL : real.xMalloc(bytes);
}

static void *failing_realloc(void *block, int bytes)
{
    return faults_hit(&memory) ? NULL : real.xRealloc(block, bytes);
}

static void fail_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    sqlite3_mem_methods failing = real;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* each block for itself */
    sqlite3_initialize();
    held = sqlite3_memory_used();
}

/* ---- one run ---- */

static void tell(struct loop *loop, uint64_t n, const char *what, const char *more)
{
    if (loop->told++ < TOLD_MAX)
        printf("  %s, call %llu: %s%s%s\n", loop->name, (unsigned long long)n, what,
               *more ? ": " : "", more);
}

/* What a loss of power at this moment leaves, if all that was written gets there: the last promise,
 * and nothing of what was refused. */
static void check_power_loss(struct loop *loop, struct workload *w, uint64_t n)
{
    struct disk left;
    char error[256] = "";
    struct store_options options = {.directory = other, .answer_bytes_max = 100};
    struct store *store = NULL;
    struct look look = {.at = NULL};
    disk_init(&left, n);
    for (int i = 0; i < DISK_FILES; i++)
        disk_file_copy(&left.files[i], &w->disk->files[i]);
    disk_use(&left);
    memory.paused = true;
    const struct promise *promise =
        w->promise_count > 0 ? &w->promises[w->promise_count - 1] : NULL;
    if (store_open_sqlite(&options, &store, error, sizeof error) != STORE_OK ||
        !look_all(sqlite_of(store)->db, &look)) {
        tell(loop, n, "what is left cannot be opened", error);
        loop->lost++;
    } else if (promise != NULL && !look_same(&look, &promise->picture)) {
        loop->appeared++;
        bool older = false;
        for (size_t i = 0; i + 1 < w->promise_count; i++)
            older = older || look_same(&look, &w->promises[i].picture);
        loop->lost += older;
        if (older || !loop->on) {
            tell(loop, n, older ? "what was promised is lost" : "what was refused is there", "");
            look_print_difference(&look, &promise->picture);
        }
    }
    left.off = true;
    store_close(store);
    disk_free(&left);
    free(look.at);
    memory.paused = false;
    disk_use(w->disk);
}

/* What was refused must have been told as what it is. */
static void check_refusal(struct loop *loop, struct workload *w, uint64_t n,
                          enum store_result result)
{
    loop->refused++;
    if ((w->store != NULL && result != STORE_FULL && result != STORE_FAILED) ||
        (loop->full && result != STORE_FULL)) {
        tell(loop, n, "it is told as something else", w->error);
        loop->stuck++;
    }
    check_power_loss(loop, w, n);
}

static void check_end(struct loop *loop, struct workload *w, uint64_t n)
{
    char why[200] = "";
    workload_close(w);
    if (workload_open(w) != STORE_OK || !look_sound(sqlite_of(w->store)->db, why, sizeof why)) {
        tell(loop, n, "at the end", *why ? why : w->error);
        loop->lost++;
    }
    loop->lost += w->wrong; /* the ledger has the other view of it */
    if (w->wrong > 0)
        tell(loop, n, "the ledger says otherwise", "");
}

/* Does the series with the n-th call failing. False if there were not so many calls. */
static bool run(struct loop *loop, uint64_t n, uint64_t seed, unsigned transactions)
{
    static struct workload w; /* large */
    struct disk disk;
    disk_init(&disk, seed);
    disk.full = loop->full;
    disk_use(&disk);
    workload_begin(&w, &disk, directory, seed, MUTANT_NONE);
    w.faults = loop->memory ? &memory : &disk.faults;
    *w.faults = (struct faults){.at = n, .on = loop->on};
    enum store_result result = workload_run(&w, transactions);
    bool injected = w.faults->failed > 0;
    w.faults->at = 0; /* calls succeed again */
    if (result != STORE_OK) {
        check_refusal(loop, &w, n, result);
        result = workload_run(&w, transactions);
    }
    if (result != STORE_OK) {
        tell(loop, n, "it does not go on", w.error);
        loop->stuck++;
    }
    check_end(loop, &w, n);
    loop->injected += injected;
    workload_end(&w);
    disk_free(&disk);
    if (sqlite3_memory_used() != held) {
        tell(loop, n, "SQLite has not given back its memory", "");
        loop->stuck++;
    }
    return injected;
}

/* ---- all of it ---- */

static bool run_loop(struct loop *loop, uint64_t seed, unsigned transactions)
{
    uint64_t n = 1, runs = 0;
    for (; run(loop, n, seed, transactions); n += loop->step)
        runs++;
    printf("%s: %llu of %llu injected, %llu lost, %llu refused and there, %llu stuck (%llu "
           "refused)\n",
           loop->name, (unsigned long long)loop->injected, (unsigned long long)runs,
           (unsigned long long)loop->lost, (unsigned long long)loop->appeared,
           (unsigned long long)loop->stuck, (unsigned long long)loop->refused);
    return runs > 0 && loop->lost + loop->stuck == 0 && (loop->on || loop->appeared == 0);
}

int main(int argc, char **argv)
{
    struct loop loops[] = {
        {.name = "I/O error, once"},
        {.name = "I/O error, from there on", .on = true},
        {.name = "disk full, once", .full = true},
        {.name = "disk full, from there on", .full = true, .on = true},
        {.name = "no memory, once", .memory = true},
        {.name = "no memory, from there on", .memory = true, .on = true},
    };
    const size_t count = sizeof loops / sizeof loops[0];
    const char *scale = getenv("TEST_SCALE");
    bool full = scale != NULL && strcmp(scale, "full") == 0;
    bool quick = scale != NULL && strcmp(scale, "quick") == 0;
    unsigned transactions = full ? 24 : quick ? 3 : 8;
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, step = full ? 1 : quick ? 41 : 7;
    size_t good = 0;
    workload_directory(directory);
    workload_directory(other);
    fail_memory();
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %llu, %u transactions; --full: 24, and every call for memory\n",
           (unsigned long long)seed, transactions);
    for (size_t i = 0; i < count; i++) {
        loops[i].step = loops[i].memory ? step : 1;
        good += run_loop(&loops[i], seed, transactions);
    }
    workload_directory_remove(directory);
    workload_directory_remove(other);
    printf("%zu passed, %zu failed\n", good, count - good);
    return good == count ? 0 : 1;
}
