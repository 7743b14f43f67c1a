/* The world's time: what happens when, one thing after the other.
 *
 * Owns: the moments that are planned, in the order of time and, at the same time, of planning; the
 * beginning of a world, and its end: when enough was published disasters end, receivers settle, and
 * the world goes on until everything has come to rest, or until that takes too long. */
#include "tools/sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define REST_AFTER_MS   200000            /* at least so long after the calm: windows end */
#define REST_AT_MOST_MS INT64_C(14400000) /* what has not come to rest by then never will */

struct world *the_world;

/* ---- faults ---- */

static const struct {
    enum fault_group group;
    unsigned weight;
} rows[] = {
#define EVENT                        GROUP_EVENT
#define ECHO                         GROUP_ECHO
#define CLIENT                       GROUP_CLIENT
#define DISASTER                     GROUP_DISASTER
#define RESTART                      GROUP_RESTART
#define X(group, name, weight, help) {group, weight},
#include "faults.def"
#undef X
#undef EVENT
#undef ECHO
#undef CLIENT
#undef DISASTER
#undef RESTART
};

enum fault world_draw(struct world *world, enum fault_group group)
{
    unsigned sum = 0;
    for (int i = 0; i < FAULT_COUNT; i++)
        sum += rows[i].group == group ? rows[i].weight : 0;
    unsigned at = (unsigned)random_between(&world->random, 0, sum - 1);
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (rows[i].group != group)
            continue;
        if (at < rows[i].weight)
            return (enum fault)i;
        at -= rows[i].weight;
    }
    abort();
}

void world_count(struct world *world, enum fault fault)
{
    world->tally->faults[fault]++;
}

/* ---- time ---- */

static bool before(const struct moment *a, const struct moment *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void world_plan(struct world *world, int64_t at_ms, enum moment_kind kind, bool of_process,
                int64_t what, void *thing)
{
    assert(at_ms >= world->now_ms);
    if (world->moment_count == world->moment_capacity) {
        world->moment_capacity = world->moment_capacity * 2 + 256;
        world->moments =
            hook_grow(world->moments, world->moment_capacity * sizeof(world->moments[0]));
    }
    struct moment moment = {at_ms, ++world->moment_order, kind, of_process ? world->life : 0, what,
                            thing};
    size_t at = world->moment_count++;
    for (size_t up; at > 0 && before(&moment, &world->moments[up = (at - 1) / 2]); at = up)
        world->moments[at] = world->moments[up];
    world->moments[at] = moment;
}

static struct moment next_moment(struct world *world)
{
    assert(world->moment_count > 0);
    struct moment first = world->moments[0], last = world->moments[--world->moment_count];
    size_t at = 0, count = world->moment_count;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= count)
            break;
        if (child + 1 < count && before(&world->moments[child + 1], &world->moments[child]))
            child++;
        if (!before(&world->moments[child], &last))
            break;
        world->moments[at] = world->moments[child];
        at = child;
    }
    world->moments[at] = last;
    return first;
}

wall_us world_wall(const struct world *world)
{
    return world->now_ms * 1000 + world->wall_offset_us;
}

void world_tell(struct world *world, struct audit_event *event)
{
    event->at_ms = world->now_ms;
    event->wall = world_wall(world);
    if (world->trace)
        audit_print(world->trace, event);
    audit_take(world->audit, event);
    world->over |= audit_violations(world->audit) > 0;
}

/* ---- what happens ---- */

static void receivers_change(struct world *world)
{
    if (world->receiver_count > 0)
        receiver_change(world,
                        (unsigned)random_between(&world->random, 0, world->receiver_count - 1));
    if (!world->calm_now)
        world_plan(world, world->now_ms + random_wait(&world->random, world->plan.receiver_mean_ms),
                   MOMENT_RECEIVERS, false, 0, NULL);
}

static void answered(struct world *world, int64_t webhook)
{
    struct dispatch *dispatch = world->dispatch;
    struct answered *mail = hook_alloc(sizeof(*mail));
    mail->mail.kind = MAIL_ANSWERED;
    mail->webhook = webhook;
    shell_mail(world,
               sender_thread_mailbox(dispatch->senders[dispatch_sender_of(dispatch, webhook)]),
               &mail->mail);
}

static void strike(struct world *world)
{
    if (world->calm_now)
        return;
    int64_t from_ms = world->now_ms;
    if (world->paused_until_ms <= world->now_ms || random_chance(&world->random, 5))
        disaster_strike(world);
    else
        from_ms = world->paused_until_ms; /* most of a long pause is for the verify runs alone */
    world_plan(world, from_ms + random_wait(&world->random, world->plan.disaster_mean_ms),
               MOMENT_DISASTER, false, 0, NULL);
}

static void happen(struct world *world, const struct moment *moment)
{
    switch (moment->kind) {
    case MOMENT_THREAD: shell_run(world, (unsigned)moment->what); break;
    case MOMENT_OUTBOX: shell_hand_over(world, (unsigned)moment->what); break;
    case MOMENT_END: network_ended(world, moment->thing); break;
    case MOMENT_CLIENT: clients_act(world); break;
    case MOMENT_ANSWERED: answered(world, moment->what); break;
    case MOMENT_DISASTER: strike(world); break;
    case MOMENT_HEAL: disaster_heal(world); break;
    case MOMENT_HICCUPED: disaster_hiccuped(world); break;
    case MOMENT_BRISK: world->slow_ms = world->commit_slow_ms = 0; break;
    case MOMENT_RECEIVERS: receivers_change(world); break;
    case MOMENT_DEATH:
        if (!world->calm_now)
            shell_crash(world);
        break;
    case MOMENT_START: shell_start(world, moment->what != 0); break;
    }
}

static bool published_enough(const struct world *world)
{
    return observe_deliveries(world) >= world->plan.deliveries ||
           world->now_ms >= world->plan.publish_ms;
}

static void become_calm(struct world *world)
{
    world->calm_now = true;
    world->calm_at_ms = world->now_ms;
    disaster_end(world);
    for (unsigned i = 0; i < world->receiver_count; i++)
        receiver_settle(world, i, world->plan.settle_well || random_chance(&world->random, 50));
    struct audit_event calm = {.kind = AUDIT_CALM};
    world_tell(world, &calm);
}

/* Goes on for as long as there is anything to wait for. */
static void play(struct world *world)
{
    while (!world->over && world->moment_count > 0) {
        struct moment moment = next_moment(world);
        world->now_ms = moment.at_ms;
        if (moment.life != 0 && moment.life != world->life)
            continue; /* of a process that died */
        happen(world, &moment);
        /* calm begins with a process that runs and has handed over what the disasters delayed */
        if (!world->calm_now && published_enough(world) && world->dispatch &&
            !world->store_failing && world->slow_ms == 0 && world->commit_slow_ms == 0)
            become_calm(world);
        if (!world->calm_now || world->now_ms < world->calm_at_ms + REST_AFTER_MS)
            continue;
        if ((!world->calls && shell_at_rest(world)) ||
            world->now_ms > world->calm_at_ms + REST_AT_MOST_MS)
            return;
    }
}

static struct audit_rules rules_of(const struct plan *plan)
{
    struct audit_rules rules = {
        .attempts_max = plan->core.retry_count + 1,
        .verify_window_ms = plan->core.verify_window_ms,
        .degraded_max_ms = plan->core.degraded_max_ms,
        .probe_delay_min_ms = plan->core.probe_delay_min_ms,
        .probe_delay_max_ms = plan->core.probe_delay_max_ms,
        .degrade_after = plan->core.degrade_after,
        .in_flight_max = plan->core.in_flight_max,
        .in_flight_per_webhook_max = plan->core.in_flight_per_webhook_max,
        .calm = plan->calm,
    };
    for (unsigned i = 0; i < plan->core.retry_count; i++)
        rules.retry_delays_ms[i] = plan->core.retry_delays_ms[i];
    return rules;
}

static void begin(struct world *world)
{
    store_open_memory(&world->store);
    observe_begin(world);
    shell_start(world, true);
    clients_begin(world);
    world_plan(world, 500, MOMENT_CLIENT, false, 0, NULL);
    world_plan(world, 20000, MOMENT_RECEIVERS, false, 0, NULL);
    if (!world->plan.calm)
        world_plan(world, 5000, MOMENT_DISASTER, false, 0, NULL);
}

static void end(struct world *world)
{
    if (!world->over) {
        observe_all(world, true);
        struct audit_event over = {.kind = AUDIT_OVER};
        world_tell(world, &over);
    }
    world->tally->virtual_s += (uint64_t)world->now_ms / 1000;
    world->tally->worlds++;
    shell_free(world);
    clients_lost(world);
    observe_end(world);
    store_close(world->store);
    for (unsigned i = 0; i < THREADS_MAX; i++)
        free(world->threads[i].parcels);
    free(world->moments);
}

unsigned world_play(const struct plan *plan, struct tally *tally, FILE *trace, FILE *out)
{
    struct audit_rules rules = rules_of(plan);
    struct world *world = hook_alloc(sizeof(*world));
    world->plan = *plan;
    world->tally = tally;
    world->trace = trace;
    world->audit = audit_new(&rules, out);
    world->running = -1;
    world->crash = FAULT_COUNT;
    world->boot = 1;
    world->wall_offset_us = INT64_C(1750000000000000); /* June 2025 */
    random_seed(&world->random, plan->seed);
    random_seed(&world->entropy, ~plan->seed);
    snprintf(world->previous_challenge, sizeof(world->previous_challenge), "none");
    the_world = world;
    begin(world);
    play(world);
    end(world);
    unsigned violations = audit_violations(world->audit);
    audit_free(world->audit);
    free(world);
    the_world = NULL;
    return violations;
}
