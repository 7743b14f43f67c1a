/* Random worlds, from fixed seeds: publishers, receivers, clients, crashes and time act in any
 * order, with commits and reports delayed at will and windows so small that the backlog spills all
 * the time. tests/lib/world_check.c holds every rule after every step; at the end each accepted
 * delivery must have ended exactly once (each redelivery once more).
 *
 * RANDOM_SEED=n plays from seed n, RANDOM_SEEDS=m so many of them. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void all_end(struct world *world)
{
    for (int64_t key = 1; key <= world->row_count; key++) {
        const struct world_row *row = world_row(world, key);
        assert_int_equal(row->due, MONO_NEVER);
        assert_int_equal(row->ended, row->opened);
        assert_true(row->state >= DELIVERY_DELIVERED);
    }
    assert_null(world->deliveries);
    assert_int_equal(world->core.queued, 0);
    assert_int_equal(world->core.in_flight, 0);
}

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

static struct world_webhook *any_webhook(struct world *world)
{
    return world->webhooks[draw(world->webhook_count)];
}

static enum outcome any_outcome(const struct world_webhook *webhook)
{
    static const enum outcome bad[] = {OUTCOME_timeout, OUTCOME_http_status, OUTCOME_local_failure};
    unsigned good_of_ten = webhook->key % 3 == 0 ? 1 : webhook->key % 3 == 1 ? 9 : 5;
    return draw(10) < good_of_ten ? OUTCOME_acknowledged : bad[draw(3)];
}

static void end_some(struct world *world)
{
    if (world->row_count == 0)
        return;
    for (unsigned i = 0; i < 12; i++) {
        struct world_row *row = world_row(world, 1 + draw((unsigned)world->row_count));
        if (row->post && draw(4) == 0)
            world_overdue(world, row->key);
        if (row->post && draw(4))
            world_end_quietly(world, row->key, any_outcome(row->webhook));
    }
    for (int64_t key = world->first_open; key <= world->row_count; key++)
        if (world_row(world, key)->post && draw(3) == 0)
            world_end_quietly(world, key, any_outcome(world_row(world, key)->webhook));
}

static void ask(struct world *world)
{
    static const enum webhook_command commands[] = {
        COMMAND_NONE,     COMMAND_NONE,       COMMAND_ACTIVATE, COMMAND_ACTIVATE,
        COMMAND_ACTIVATE, COMMAND_DEACTIVATE, COMMAND_DELETE};
    struct world_webhook *webhook = any_webhook(world);
    if (!webhook->core || webhook->core->changing || webhook->core->status.state == WEBHOOK_DELETED)
        return;
    world->refuse_count = draw(6) == 0;
    world_command(world, webhook, draw(3) == 0, commands[draw(draw(10) ? 6 : 7)]);
}

static void one_thing(struct world *world, unsigned rows_max)
{
    switch (draw(16)) {
    case 0:
    case 1:
    case 2:
        if (world->row_count + 250 < rows_max)
            world_publish_many(world, any_webhook(world), 1 + draw(draw(4) ? 6 : 240));
        break;
    case 3:
    case 4:
    case 5: end_some(world); break;
    case 6: {
        struct world_webhook *webhook = any_webhook(world);
        if (webhook->verify_open)
            world_verified(world, webhook, draw(3) ? OUTCOME_acknowledged : OUTCOME_timeout);
        break;
    }
    case 7:
        if (draw(4) == 0)
            ask(world);
        break;
    case 8:
        for (unsigned i = draw(6); i > 0 && world->row_count > 0; i--)
            world_redeliver(world, 1 + draw((unsigned)world->row_count));
        break;
    case 9: world_advance(world, draw(4) ? draw(40000) : draw(2)); break;
    case 10:
        if (draw(60) == 0)
            world_crash(world);
        break;
    case 11:
        if (draw(20) == 0 && world->webhook_count < 20)
            world_create(world);
        break;
    case 12: world_run(world); break;
    default:
        for (unsigned i = draw(8); i > 0; i--)
            if (draw(2))
                world_commit(world);
            else
                world_report(world);
        break;
    }
}

/* Everybody answers, nobody asks for anything: the world comes to rest. */
static void come_to_rest(struct world *world)
{
    world->held = false;
    world->refuse_count = 0;
    world_drain(world);
    for (int i = 0; i < 2000; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        for (unsigned j = 0; j < world->webhook_count; j++)
            if (world->webhooks[j]->verify_open)
                world_verified(world, world->webhooks[j], OUTCOME_acknowledged);
        if (world_posts_open(world, NULL) > 0)
            continue;
        mono_ms next = core_deadline(&world->core);
        if (next == MONO_NEVER)
            return;
        world_advance(world, next - world->now.mono);
    }
    fail();
}

static uint32_t some_are_large(int64_t key)
{
    return key % 7 == 0 ? 30 : 1 + key % 2;
}

static void play(unsigned seed)
{
    struct core_config config = world_config();
    random_state = seed;
    print_message("seed %u\n", seed);
    config.window_max = seed % 2 ? 8 : 100;
    config.memory_max = seed % 3 ? 25000 : 100;
    config.in_flight_max = seed % 4 ? 100 : 10;
    config.in_flight_per_webhook_max = 1 + seed % 7;
    config.young_max = seed % 5 ? seed % 5 : 0;
    config.degrade_after = seed % 5 ? 5 : 1;
    if (seed % 6 == 0)
        config.retry_delays_ms[0] = 0;
    struct world *world = world_new(&config);
    for (int i = 0; i < 5; i++)
        world_create_active(world);
    world->held = true;
    world->starts_max = seed % 11; /* 0: no limit */
    world->hanging_starts_max = 1 + seed % 3;
    world->weigh = seed % 8 == 3 ? some_are_large : NULL;
    for (unsigned step = 0; step < 2500; step++)
        one_thing(world, 1500);
    come_to_rest(world);
    all_end(world);
    world_free(world);
}

static void random_worlds(void **state)
{
    (void)state;
    const char *from = getenv("RANDOM_SEED"), *count = getenv("RANDOM_SEEDS");
    unsigned first = from ? (unsigned)strtoul(from, NULL, 10) : 1;
    unsigned seeds = count ? (unsigned)strtoul(count, NULL, 10) : 12;
    for (unsigned i = 0; i < seeds; i++)
        play(first + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_worlds),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
