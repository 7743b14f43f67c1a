/* Stages that are measured in turn, so that what disturbs the machine for a second disturbs all
 * alike. */
#ifndef REVHOOK_BENCH_GROUP_H
#define REVHOOK_BENCH_GROUP_H

#include "tools/bench/stage.h"

#define GROUP_MAX 12

struct group {
    struct stage stages[GROUP_MAX];
    unsigned count;
};

/* Measures what was opened, a slice of each in turn, and adds the figures. False if a signal asks
 * to end, or after printing what is wrong. */
bool group_measure(struct group *group);
/* Ends and removes its stages, opened or half opened. */
void group_clear(struct group *group);

#endif
