/* What one state of the disk is judged by, for crash_store.c, which makes the states and says what
 * the method is.
 *
 * Owns: opening what a loss of power has left the way the service does, comparing it with what was
 * promised, using it further and losing the power once more; the counts of all that. */
#ifndef REVHOOK_TESTS_CRASH_JUDGE_H
#define REVHOOK_TESTS_CRASH_JUDGE_H

#include "workload.h"

enum { STATES_PER_PLACE = CRASH_PLAIN + 6 };

struct tally { /* numbers alone: they are added up as such */
    uint64_t worlds, upgrades, boundaries, states, corrupt, lost, half, rules, wrong, again, late;
    uint64_t deeds[DEED_COUNT];
};

/* What is needed for one world. */
struct bench {
    char directory[64];
    struct tally tally;
    uint64_t seed;   /* of this world */
    uint64_t states; /* of this world */
    struct random random;
    struct disk start, recorded; /* before the world, and all of it */
    struct disk left, before;    /* a state; the same before it was opened */
    struct disk again;           /* a state of the second crash */
    struct look look;
    enum mutant mutant; /* if there is one, findings are expected, and not told */
    unsigned told;
};

/* Prints a finding, as long as there are few; whether it did. */
bool judge_tell(struct bench *b, size_t boundary, const char *what);
/* Opens, judges and counts the state in b->left, which `crash` has rebuilt. */
void judge_state(struct bench *b, const struct workload *w, const struct crash *crash);

#endif
