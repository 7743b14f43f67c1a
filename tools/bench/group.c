/* Stages that are measured in turn, see group.h.
 *
 * Owns: the order of their slices. One that is alone is not stopped and has its time in one piece.
 */
#include "tools/bench/group.h"

#include "tools/bench/child.h"

#include <stdio.h>

#define SLICE_MS         200
#define TURNS_UNMEASURED 2

/* Under load, until hardly any connections are made any more. */
static bool warm_up(struct stage *stage)
{
    int most = stage->warm_ms + stage->bench->settle_ms;
    bool settled = true;
    for (int ms = 0; ms < stage->warm_ms || (ms < most && !settled); ms += SLICE_MS) {
        if (!stage_slice(stage, SLICE_MS, false))
            return false;
        settled = stage_settled(stage);
    }
    return true;
}

/* A slice of each that is to be measured for longer than `ms`. */
static bool turn(struct group *group, int ms, int slice_ms, bool measured)
{
    for (unsigned i = 0; i < group->count; i++)
        if (ms < group->stages[i].measure_ms && !stage_slice(&group->stages[i], slice_ms, measured))
            return false;
    return true;
}

static bool measure_alone(struct group *group)
{
    int ms = group->stages[0].measure_ms;
    return warm_up(&group->stages[0]) && turn(group, 0, ms, true);
}

static bool measure_in_turn(struct group *group)
{
    int most = 0;
    for (unsigned i = 0; i < group->count; i++) {
        struct stage *stage = &group->stages[i];
        most = stage->measure_ms > most ? stage->measure_ms : most;
        if (!warm_up(stage) || !stage_rest(stage))
            return false;
        stage->in_turn = true;
    }
    fputs("  in turn ", stderr);
    /* Connections that were idle for long are made again. */
    for (int i = 0; i < TURNS_UNMEASURED; i++)
        if (!turn(group, 0, SLICE_MS, false))
            return false;
    for (int ms = 0; ms < most; ms += SLICE_MS) {
        fputc('.', stderr);
        if (!turn(group, ms, SLICE_MS, true))
            return false;
    }
    return true;
}

bool group_measure(struct group *group)
{
    if (!(group->count == 1 ? measure_alone(group) : measure_in_turn(group)))
        return false;
    for (unsigned i = 0; i < group->count; i++)
        stage_stop(&group->stages[i]);
    for (unsigned i = 0; i < group->count; i++)
        if (!group->stages[i].end(&group->stages[i]))
            return false;
    return true;
}

void group_clear(struct group *group)
{
    for (unsigned i = 0; i < group->count; i++)
        stage_clear(&group->stages[i]);
    group->count = 0;
}
