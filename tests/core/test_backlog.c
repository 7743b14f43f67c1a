/* The backlog: what is in memory and what waits in the store. tests/lib/world_check.c holds after
 * every step that each open delivery is in exactly one place; here are the situations, by hand and
 * at random. Each random world must end with every accepted delivery having ended exactly once. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct core_config small_window(void)
{
    struct core_config config = world_config();
    config.window_max = 64;
    config.in_flight_per_webhook_max = 4;
    config.degrade_after = 1000000;
    return config;
}

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

static void a_long_queue_spills_and_comes_back_in_order(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 1000);
    assert_true(webhook->core->spilled);
    assert_true(webhook->core->queued <= 64);
    for (int64_t key = 1; key <= 1000; key++) {
        assert_non_null(world_row(world, key)->post);
        if (key < 1000 - 3)
            assert_null(world_row(world, key + 4)->post);
        world_end(world, key, OUTCOME_acknowledged);
        assert_true(webhook->core->queued <= 64);
    }
    assert_false(webhook->core->spilled);
    assert_in_range(world->refills, 1000 / 32 - 3, 1000 / 32 + 3);
    all_end(world);
    world_free(world);
}

/* Retries wait behind the frontier; a newer event that is due before them is taken in. */
static void retries_behind_the_frontier(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 300);
    for (int64_t key = 1; key <= 300; key++)
        world_end(world, key, OUTCOME_timeout);
    int64_t newer = world_publish(world, webhook);
    assert_non_null(world_row(world, newer)->post);
    world_end(world, newer, OUTCOME_acknowledged);
    for (int i = 0; i < 400 && world_row(world, 300)->due != MONO_NEVER; i++) {
        world_advance(world, 1000);
        world_end_all(world, OUTCOME_acknowledged);
    }
    all_end(world);
    for (int64_t key = 1; key <= 300; key++)
        assert_int_equal(world_row(world, key)->posts, 2);
    world_free(world);
}

/* A retry let go between the question and its answer would be missing: the answer is void. */
static void a_stale_answer_is_thrown_away(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 100);
    world->held = true;
    for (int64_t key = 1; !webhook->core->refilling; key++) {
        world_end(world, key, OUTCOME_acknowledged);
        world_run(world);
    }
    while (world_commit(world)) /* the answer is on its way */
        ;
    for (int64_t key = 1; key <= 100; key++)
        if (world_row(world, key)->post)
            world_end(world, key, OUTCOME_timeout); /* due again at 30 s, behind the frontier */
    assert_true(webhook->core->refill_stale);
    world_drain(world);
    assert_true(world->stale_refills >= 1);
    world->held = false;
    for (int i = 0; i < 100; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        world_advance(world, 1000);
    }
    all_end(world);
    world_free(world);
}

/* Redeliveries of old events come before what was accepted in the same millisecond. When there are
 * many, the frontier ends up before a delivery in flight, which the store calls open: it must not
 * come back with a refill that was read before it ended. */
static void in_flight_behind_the_frontier(void **state)
{
    (void)state;
    struct core_config config = small_window();
    config.in_flight_per_webhook_max = 2;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 100);
    for (int64_t key = 1; key <= 100; key++)
        world_end(world, key, OUTCOME_acknowledged);
    world_publish(world, webhook);
    for (int64_t key = 1; key <= 66; key++)
        assert_true(world_redeliver(world, key));
    assert_true(webhook->core->spilled && webhook->core->frontier_key < 101);
    world->held = true;
    unsigned refills = world->refills;
    for (int64_t key = 1; key <= 66 && world_row(world, key)->post; key++) {
        world_end(world, key, OUTCOME_acknowledged);
        while (world_commit(world)) /* a refill, if asked for, has been read */
            ;
        if (world->refills == refills + 2)
            break; /* this would be the one with d101 in it */
        while (world_report(world))
            ;
        world_run(world);
    }
    world_end(world, 101, OUTCOME_acknowledged);
    world_drain(world);
    world->held = false;
    for (int i = 0; i < 100; i++)
        world_end_all(world, OUTCOME_acknowledged);
    all_end(world);
    assert_int_equal(world_row(world, 101)->posts, 1);
    assert_int_equal(world_row(world, 66)->posts, 2);
    world_free(world);
}

static void a_spilled_queue_is_settled_whole(void **state)
{
    (void)state;
    for (int refilling = 0; refilling < 2; refilling++) {
        struct core_config config = small_window();
        struct world *world = world_new(&config);
        struct world_webhook *webhook = world_create_active(world);
        world_publish_many(world, webhook, 500);
        world->held = true;
        for (int64_t key = 1; refilling && !webhook->core->refilling; key++) {
            world_end(world, key, OUTCOME_acknowledged);
            world_run(world);
        }
        world_command(world, webhook, false, COMMAND_DEACTIVATE);
        world_drain(world);
        world->held = false;
        assert_false(webhook->core->spilled);
        world_end_all(world, OUTCOME_timeout);
        all_end(world);
        assert_int_equal(world_row(world, 500)->reason, REASON_webhook_inactive);
        world_free(world);
    }
}

static void held_and_spilled_then_released(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 300);
    world_command(world, webhook, true, COMMAND_NONE);
    world_end_all(world, OUTCOME_timeout);
    unsigned posts = world->posts;
    world_advance(world, 1000);
    assert_int_equal(world->posts, posts);
    world_verified(world, webhook, OUTCOME_acknowledged);
    for (int i = 0; i < 100; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        world_advance(world, 1000);
    }
    all_end(world);
    world_free(world);
}

static void a_restart_with_a_backlog(void **state)
{
    (void)state;
    struct core_config config = small_window();
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 300);
    for (int64_t key = 1; key <= 20; key++)
        world_end(world, key, key % 2 ? OUTCOME_acknowledged : OUTCOME_timeout);
    world_crash(world);
    assert_int_equal(world_posts_open(world, webhook), 4); /* the same that were in flight */
    assert_int_equal(world_row(world, 21)->posts, 2);
    assert_int_equal(world_row(world, 25)->posts, 0);
    for (int i = 0; i < 100; i++) {
        world_end_all(world, OUTCOME_acknowledged);
        world_advance(world, 1000);
    }
    all_end(world);
    world_free(world);
}

/* In flight when the service stopped, and its webhook was switched off in between. */
static void a_restart_ends_what_nobody_waits_for(void **state)
{
    (void)state;
    for (int degrade = 0; degrade < 2; degrade++) {
        struct core_config config = world_config();
        config.degrade_after = 1;
        struct world *world = world_new(&config);
        struct world_webhook *webhook = world_create_active(world);
        world_publish(world, webhook);
        if (degrade)
            world_exhaust(world, world_publish(world, webhook));
        else
            world_command(world, webhook, false, COMMAND_DEACTIVATE);
        assert_int_not_equal(world_row(world, 1)->due, MONO_NEVER);
        world_crash(world);
        assert_int_equal(world_row(world, 1)->state, degrade ? DELIVERY_FAILED : DELIVERY_DROPPED);
        all_end(world);
        world_free(world);
    }
}

/* ---- at random ---- */

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
        if (row->post)
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

static void play(unsigned seed)
{
    struct core_config config = world_config();
    random_state = seed;
    print_message("seed %u\n", seed);
    config.window_max = seed % 2 ? 8 : 100;
    config.memory_max = seed % 3 ? 25000 : 100;
    config.in_flight_max = seed % 4 ? 100 : 10;
    config.in_flight_per_webhook_max = 1 + seed % 7;
    config.degrade_after = seed % 5 ? 5 : 1;
    if (seed % 6 == 0)
        config.retry_delays_ms[0] = 0;
    struct world *world = world_new(&config);
    for (int i = 0; i < 5; i++)
        world_create_active(world);
    world->held = true;
    for (unsigned step = 0; step < 2500; step++)
        one_thing(world, 1500);
    come_to_rest(world);
    all_end(world);
    world_free(world);
}

static void random_worlds(void **state)
{
    (void)state;
    const char *from = getenv("BACKLOG_SEED"), *count = getenv("BACKLOG_SEEDS");
    unsigned first = from ? (unsigned)strtoul(from, NULL, 10) : 1;
    unsigned seeds = count ? (unsigned)strtoul(count, NULL, 10) : 12;
    for (unsigned i = 0; i < seeds; i++)
        play(first + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_queue_spills_and_comes_back_in_order),
        cmocka_unit_test(retries_behind_the_frontier),
        cmocka_unit_test(a_stale_answer_is_thrown_away),
        cmocka_unit_test(in_flight_behind_the_frontier),
        cmocka_unit_test(a_spilled_queue_is_settled_whole),
        cmocka_unit_test(held_and_spilled_then_released),
        cmocka_unit_test(a_restart_with_a_backlog),
        cmocka_unit_test(a_restart_ends_what_nobody_waits_for),
        cmocka_unit_test(random_worlds),
    };
    return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
