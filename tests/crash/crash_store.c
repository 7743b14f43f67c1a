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
 * end (S20). (Until something new is durable that may also be what the first crash interrupted:
 * judge.c, came_late.) A fresh database and a restart are part of every world; an upgrade of each
 * older schema that this program knows is part of every fourth.
 *
 * Then the checker is checked: the same worlds with a fault on purpose (workload.h, mutants); each
 * has to be found.
 *
 * Command: build/tests/crash_store [--seed N] [--states N]; TEST_SCALE=quick|plain|full chooses the
 * number of states where --states does not. The seed is printed first; a finding names its world,
 * which `--world N` runs alone and whole. The last line is `N passed, N failed`. */
#include "judge.h"

#include <sqlite3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORKERS = 2,       /* processes, each with worlds of its own */
    TRANSACTIONS = 32, /* of a world */
    FULL_STATES = 160000,
    MUTANT_STATES = 20000, /* in which a mutant has to be found */
    MUTANT_FINDINGS = 50   /* that are enough */
};

static uint64_t findings(const struct tally *t)
{
    return t->corrupt + t->lost + t->half + t->rules + t->wrong;
}

/* ---- one world ---- */

/* Does and records everything. Every fourth world begins with a database of the oldest schema. */
static void record_world(struct bench *b, struct workload *w)
{
    disk_init(&b->start, b->seed);
    disk_init(&b->recorded, b->seed);
    workload_begin(w, &b->recorded, b->directory, b->seed, b->mutant);
    if (b->seed % 4 == 2) {
        b->tally.wrong += !workload_old(w, &b->start);
        b->tally.upgrades++;
        for (int i = 0; i < DISK_FILES; i++)
            disk_file_copy(&b->recorded.files[i], &b->start.files[i]);
    }
    b->recorded.recording = true;
    disk_use(&b->recorded);
    if (workload_run(w, TRANSACTIONS) != STORE_OK) {
        judge_tell(b, b->recorded.op_count, w->error);
        b->tally.wrong++;
    }
    workload_close(w);
    b->tally.wrong += w->wrong;
    for (int i = 0; i < DEED_COUNT; i++)
        b->tally.deeds[i] += w->deeds[i];
}

static void run_world(struct bench *b, uint64_t states_max)
{
    static struct workload w; /* large */
    struct crash crash;
    b->states = 0;
    random_seed(&b->random, b->seed);
    random_seed(&b->left.random, ~b->seed);
    random_seed(&b->again.random, ~b->seed + 1);
    record_world(b, &w);
    crash_begin(&crash, &b->recorded, &b->start);
    do {
        b->tally.boundaries++;
        for (unsigned how = 0; how < STATES_PER_PLACE; how++)
            if (crash_rebuild(&crash, how, &b->random, &b->left))
                judge_state(b, &w, &crash);
    } while (crash_next(&crash) && b->tally.states < states_max &&
             !(b->mutant != MUTANT_NONE && findings(&b->tally) >= MUTANT_FINDINGS));
    crash_end(&crash);
    workload_end(&w);
    disk_free(&b->start);
    disk_free(&b->recorded);
    b->tally.worlds++;
}

static void bench_begin(struct bench *b, uint64_t seed, enum mutant mutant)
{
    *b = (struct bench){.seed = seed, .mutant = mutant};
    workload_directory(b->directory);
    disk_init(&b->left, 0);
    disk_init(&b->again, 0);
}

static void bench_end(struct bench *b)
{
    disk_free(&b->left);
    disk_free(&b->before);
    disk_free(&b->again);
    free(b->look.at);
    workload_directory_remove(b->directory);
}

/* Runs worlds seed, seed + step, ... until there are enough states; a mutant's until it is found.
 */
static struct tally run_worlds(uint64_t seed, uint64_t step, enum mutant mutant,
                               uint64_t states_max)
{
    struct bench b;
    bench_begin(&b, seed, mutant);
    for (; b.tally.states < states_max && (mutant == MUTANT_NONE || findings(&b.tally) == 0);
         b.seed += step)
        run_world(&b, states_max);
    bench_end(&b);
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

static void print_tally(const struct tally *t)
{
    printf("%llu worlds (%llu upgrades), %llu boundaries:", (unsigned long long)t->worlds,
           (unsigned long long)t->upgrades, (unsigned long long)t->boundaries);
    for (int i = 0; i < DEED_COUNT; i++)
        printf(" %s %llu", deed_names[i], (unsigned long long)t->deeds[i]);
    printf("\n%llu of the states crashed again (%llu with what the first crash had interrupted), "
           "%llu against the rules after it, %llu against the ledger\n",
           (unsigned long long)t->again, (unsigned long long)t->late, (unsigned long long)t->rules,
           (unsigned long long)t->wrong);
    printf("states %llu, corrupt %llu, acknowledged lost %llu, half a transaction %llu\n",
           (unsigned long long)t->states, (unsigned long long)t->corrupt,
           (unsigned long long)t->lost, (unsigned long long)t->half);
}

static bool run_real(uint64_t seed, uint64_t states)
{
    struct tally t;
    bool good = run_workers(seed, states, &t);
    print_tally(&t);
    for (int i = 0; i <= DEED_DELETE; i++) /* a short run may have none of the others */
        good = good && t.deeds[i] > 0;
    return good && t.states >= states && t.upgrades > 0 && t.again > 0 && findings(&t) == 0;
}

/* All of one world, to look at a finding. */
static bool run_one(uint64_t world)
{
    struct bench b;
    bench_begin(&b, world, MUTANT_NONE);
    run_world(&b, UINT64_MAX);
    bench_end(&b);
    print_tally(&b.tally);
    return findings(&b.tally) == 0;
}

static bool run_mutant(uint64_t seed, enum mutant mutant)
{
    struct tally t = run_worlds(seed, 1, mutant, MUTANT_STATES);
    bool in_two = mutant == MUTANT_DEGRADE_IN_TWO || mutant == MUTANT_RECOVERED_IN_TWO;
    bool caught = in_two ? t.half > 0 : t.lost > 0;
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
    uint64_t seed = 1, states = default_states(), world = UINT64_MAX;
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        uint64_t number = i + 1 < argc ? strtoull(argv[i + 1], &end, 10) : 0;
        uint64_t *option = strcmp(argv[i], "--seed") == 0     ? &seed
                           : strcmp(argv[i], "--states") == 0 ? &states
                           : strcmp(argv[i], "--world") == 0  ? &world
                                                              : NULL;
        if (end == NULL || *end != '\0' || option == NULL) {
            fprintf(stderr, "usage: crash_store [--seed N] [--states N] | --world N\n");
            return 2;
        }
        *option = number;
        i++;
    }
    /* One thread, no statistics: what is measured is the store, not SQLite's locks. */
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (world != UINT64_MAX)
        return run_one(world) ? 0 : 1;
    printf("seed %llu; --full: %d states\n", (unsigned long long)seed, FULL_STATES);
    int failed = run_real(seed, states) ? 0 : 1;
    for (int mutant = MUTANT_NONE + 1; mutant < MUTANT_COUNT; mutant++)
        failed += run_mutant(seed, mutant) ? 0 : 1;
    printf("%d passed, %d failed\n", MUTANT_COUNT - failed, failed);
    return failed == 0 ? 0 : 1;
}
