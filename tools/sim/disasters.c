/* What happens to the process: deaths, disks, clocks, slowness.
 *
 * Owns: when which row of the group DISASTER strikes, and how the machine comes back. A death
 * inside of a round is only planned here (world->crash) and carried out by shell.c where it
 * belongs. */
#include "tools/sim/world.h"

#include "store/store_memory.h"

#define DAY_US    INT64_C(86400000000)
#define HICCUP_MS 1500

static void step_wall(struct world *world, wall_us by)
{
    wall_us target = world_wall(world) + by;
    if (target < DAY_US * 365) /* a clock of before 1971 helps nobody */
        return;
    world->wall_offset_us += by;
    struct audit_event event = {.kind = AUDIT_WALL_STEPPED};
    world_tell(world, &event);
}

static void store_fails(struct world *world)
{
    if (world->store_failing)
        return;
    world->store_failing = true;
    store_memory_fail(world->store, 0, UINT32_MAX, STORE_FULL);
    struct audit_event event = {.kind = AUDIT_STORE_FAILS};
    world_tell(world, &event);
    int64_t ms = random_chance(&world->random, 80) ? random_between(&world->random, 200, 8000)
                                                   : random_between(&world->random, 8000, 100000);
    world_plan(world, world->now_ms + ms, MOMENT_HEAL, false, 0, NULL);
}

void disaster_heal(struct world *world)
{
    if (!world->store_failing)
        return;
    world->store_failing = false;
    store_memory_fail(world->store, 0, 0, STORE_FULL);
    struct audit_event event = {.kind = AUDIT_STORE_HEALS};
    world_tell(world, &event);
}

static void store_hiccups(struct world *world)
{
    if (world->store_failing)
        return;
    struct audit_event event = {.kind = AUDIT_STORE_HICCUPS};
    world_tell(world, &event);
    store_memory_fail(world->store, (unsigned)random_between(&world->random, 0, 20),
                      (unsigned)random_between(&world->random, 1, 3), STORE_FAILED);
    world_plan(world, world->now_ms + HICCUP_MS, MOMENT_HICCUPED, false, 0, NULL);
}

void disaster_hiccuped(struct world *world)
{
    if (!world->store_failing)
        store_memory_fail(world->store, 0, 0, STORE_FAILED);
}

static void slow_down(struct world *world, unsigned *which, unsigned most_ms)
{
    *which = (unsigned)random_between(&world->random, 20, most_ms);
    world_plan(world, world->now_ms + random_between(&world->random, 500, 40000), MOMENT_BRISK,
               false, 0, NULL);
}

void disaster_strike(struct world *world)
{
    enum fault fault = world_draw(world, GROUP_DISASTER);
    if (!world->dispatch)
        return; /* it is down already */
    world_count(world, fault);
    switch (fault) {
    case FAULT_crashes_between: shell_crash(world); break;
    case FAULT_crashes_before_commit:
    case FAULT_crashes_after_commit:
    case FAULT_crashes_in_sender: world->crash = fault; break;
    case FAULT_crashes_on_change: world->crash_on_change = true; break;
    case FAULT_disk_is_full: store_fails(world); break;
    case FAULT_medium_fails: store_hiccups(world); break;
    case FAULT_commits_are_slow: slow_down(world, &world->commit_slow_ms, 3000); break;
    case FAULT_threads_are_slow: slow_down(world, &world->slow_ms, 2000); break;
    case FAULT_wall_clock_forward:
        step_wall(world, random_between(&world->random, 1, DAY_US));
        break;
    case FAULT_wall_clock_back: step_wall(world, -random_between(&world->random, 1, DAY_US)); break;
    default: break;
    }
}

void disaster_watch(struct world *world, enum webhook_state state)
{
    world->tally->states[state]++;
    if (world->crash_on_change && state != WEBHOOK_ACTIVE)
        world_plan(world, world->now_ms + random_between(&world->random, 0, 3000), MOMENT_DEATH,
                   true, 0, NULL);
    world->crash_on_change &= state == WEBHOOK_ACTIVE;
}

void disaster_end(struct world *world)
{
    disaster_heal(world);
    if (world->store) /* a hiccup that nobody met */
        store_memory_fail(world->store, 0, 0, STORE_FULL);
    world->crash = FAULT_COUNT;
    world->crash_on_change = false;
    world->slow_ms = world->commit_slow_ms = 0;
}

void disaster_restart(struct world *world)
{
    enum fault fault;
    do
        fault = world_draw(world, GROUP_RESTART);
    while (fault == FAULT_recovers_twice); /* drawn at the start itself */
    world_count(world, fault);
    int64_t down_ms = random_between(&world->random, 50, 20000);
    bool reboot = fault != FAULT_restarts;
    if (reboot) {
        world->boot++;
        world->boot_at_ms = world->now_ms + down_ms / 2;
    }
    if (fault == FAULT_reboots_clock_back)
        step_wall(world, -random_between(&world->random, down_ms * 1000, DAY_US));
    if (fault == FAULT_reboots_clock_forward)
        step_wall(world, random_between(&world->random, 1, DAY_US));
    world_plan(world, world->now_ms + down_ms, MOMENT_START, false, reboot, NULL);
}
