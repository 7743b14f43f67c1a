/* Transcripts of changes that clients ask for, and of what is queued, held or in flight meanwhile:
 * between the decision and its commit nothing of it is true, and afterwards all of it is. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define expect(world, text) assert_string_equal(world_text(world), text)

/* ---- in flight while the webhook changes ---- */

enum change { DEGRADE, DEACTIVATE, DELETE, REVERIFY, WINDOW_OVER, CHANGE_COUNT };

/* What becomes of an attempt that is not acknowledged. */
struct fate {
    enum delivery_state state;
    enum reason reason;
};

static const struct fate fates[CHANGE_COUNT][2] = {
    /* with attempts left, and without */
    [DEGRADE] = {{DELIVERY_FAILED, REASON_webhook_degraded},
                 {DELIVERY_FAILED, REASON_webhook_degraded}},
    [DEACTIVATE] = {{DELIVERY_DROPPED, REASON_webhook_inactive},
                    {DELIVERY_DROPPED, REASON_webhook_inactive}},
    [DELETE] = {{DELIVERY_DROPPED, REASON_webhook_deleted},
                {DELIVERY_DROPPED, REASON_webhook_deleted}},
    [REVERIFY] = {{DELIVERY_HELD, REASON_none}, {DELIVERY_FAILED, REASON_attempts_exhausted}},
    [WINDOW_OVER] = {{DELIVERY_FAILED, REASON_webhook_unverified},
                     {DELIVERY_FAILED, REASON_webhook_unverified}},
};

static void make_change(struct world *world, struct world_webhook *webhook, enum change change)
{
    switch (change) {
    case DEGRADE: world_exhaust(world, world_publish(world, webhook)); break;
    case DEACTIVATE: world_command(world, webhook, false, COMMAND_DEACTIVATE); break;
    case DELETE: world_command(world, webhook, false, COMMAND_DELETE); break;
    case REVERIFY: world_command(world, webhook, true, COMMAND_NONE); break;
    case WINDOW_OVER:
        world_command(world, webhook, true, COMMAND_NONE);
        world_advance(world, 180000);
        break;
    default: fail();
    }
}

static void in_flight_case(enum change change, bool acknowledged, bool last)
{
    struct core_config config = world_config();
    config.degrade_after = 1;
    struct world *world = world_new(&config);
    struct world_webhook *webhook = world_create_active(world);
    int64_t key = world_publish(world, webhook);
    struct world_row *row = world_row(world, key);
    for (int i = 0; last && i < 2; i++) {
        world_end(world, key, OUTCOME_timeout);
        world_advance(world, row->due - world->now.mono);
    }
    make_change(world, webhook, change);
    assert_non_null(row->post); /* runs to its end */
    assert_int_not_equal(row->due, MONO_NEVER);
    struct webhook_status before = webhook->stored;
    world_end(world, key, acknowledged ? OUTCOME_acknowledged : OUTCOME_timeout);
    assert_int_equal(row->attempt_count, last ? 3 : 1); /* counts, whatever becomes of it */
    if (acknowledged) {
        assert_int_equal(row->state, DELIVERY_DELIVERED);
        assert_int_equal(row->reason, REASON_none);
    } else if (fates[change][last].state == DELIVERY_HELD) {
        assert_int_equal(row->due, world->now.mono + 30000);
    } else {
        assert_int_equal(row->state, fates[change][last].state);
        assert_int_equal(row->reason, fates[change][last].reason);
        assert_int_equal(row->due, MONO_NEVER);
    }
    assert_memory_equal(&webhook->stored, &before, sizeof(before)); /* health untouched */
    assert_int_equal(webhook->core == NULL, change == DELETE);
    world_free(world);
}

static void in_flight_while_the_webhook_changes(void **state)
{
    (void)state;
    for (int change = 0; change < CHANGE_COUNT; change++)
        for (int acknowledged = 0; acknowledged < 2; acknowledged++)
            for (int last = 0; last < 2; last++)
                in_flight_case(change, acknowledged, last);
}

/* ---- between decision and commit ---- */

static void outcomes_wait_for_the_commit(void **state)
{
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        struct world *world = world_new(NULL);
        struct world_webhook *webhook = world_create_active(world);
        world_publish_many(world, webhook, 3);
        world_end(world, 3, OUTCOME_timeout);
        world_text(world);
        world->held = true;
        world->refuse_count = (unsigned)refused;
        world_command(world, webhook, false, COMMAND_DEACTIVATE);
        world_publish(world, webhook); /* accepted before the change is committed */
        world_end(world, 1, OUTCOME_acknowledged);
        world_end(world, 2, OUTCOME_timeout);
        world_run(world);
        assert_int_equal(world->ops->kind, EFFECT_CHANGE);
        assert_null(world->ops->next); /* nothing else was decided */
        assert_int_equal(webhook->core->status.state, WEBHOOK_ACTIVE);
        world_drain(world);
        if (refused)
            expect(world, "0 w1 refused\n"
                          "0 d1 delivered\n"
                          "0 d2 pending 30\n"
                          "0 post d4\n");
        else
            expect(world, "0 w1 inactive deactivated\n"
                          "0 d3 dropped webhook_inactive\n"
                          "0 d4 dropped webhook_inactive\n"
                          "0 d1 delivered\n"
                          "0 d2 dropped webhook_inactive\n");
        world_free(world);
    }
}

static void nothing_starts_while_changing(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_publish_many(world, webhook, 2);
    world_end(world, 1, OUTCOME_timeout);
    world_text(world);
    world->held = true;
    world_command(world, webhook, false, COMMAND_NONE);
    world_publish(world, webhook);
    world_report(world);
    world_advance(world, 60000); /* d1 is due, d3 is new */
    expect(world, "");
    world_drain(world);
    expect(world, "60 w1 active\n"
                  "60 post d3\n"
                  "60 post d1\n");
    world_free(world);
}

static void a_refused_change_leaves_everything_as_before(void **state)
{
    (void)state;
    static const enum webhook_command commands[] = {COMMAND_NONE, COMMAND_ACTIVATE,
                                                    COMMAND_DEACTIVATE, COMMAND_DELETE};
    for (int i = 0; i < 8; i++) {
        struct world *world = world_new(NULL);
        struct world_webhook *webhook = world_create_active(world);
        world_publish_many(world, webhook, 3);
        world_end(world, 1, OUTCOME_timeout);
        world_end(world, 2, OUTCOME_acknowledged);
        struct webhook_status before = webhook->core->status;
        world_text(world);
        world->refuse_count = 1;
        world_command(world, webhook, i % 2, commands[i / 2]);
        expect(world, "0 w1 refused\n");
        assert_memory_equal(&webhook->core->status, &before, sizeof(before));
        world_end(world, 3, OUTCOME_timeout);
        world_advance(world, 30000);
        expect(world, "0 d3 pending 30\n"
                      "30 post d1\n"
                      "30 post d3\n");
        world_free(world);
    }
}

static void an_echo_while_changing_counts_afterwards(void **state)
{
    (void)state;
    for (int changed = 0; changed < 2; changed++) {
        for (int refused = 0; refused < 2; refused++) {
            struct world *world = world_new(NULL);
            struct world_webhook *webhook = world_create(world);
            world->held = true;
            world->refuse_count = (unsigned)refused;
            world_command(world, webhook, changed, COMMAND_NONE);
            world_verified(world, webhook, OUTCOME_acknowledged);
            assert_null(world->ops->next);
            world_drain(world);
            bool counts = !changed || refused; /* of this generation */
            assert_int_equal(webhook->stored.state, counts ? WEBHOOK_ACTIVE : WEBHOOK_UNVERIFIED);
            assert_int_equal(webhook->stored.verified, counts);
            world_free(world);
        }
    }
}

/* The next probe is planned while something else of the webhook is being committed. */
static void a_plan_made_while_changing_stands(void **state)
{
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        struct core_config config = world_config();
        config.degrade_after = 1;
        struct world *world = world_new(&config);
        struct world_webhook *webhook = world_create_active(world);
        world_exhaust(world, world_publish(world, webhook));
        world_text(world);
        world->held = true;
        world->refuse_count = (unsigned)refused;
        world_command(world, webhook, false, COMMAND_NONE);
        world_verified(world, webhook, OUTCOME_timeout);
        world_drain(world);
        world->held = false;
        world_advance(world, 30000);
        expect(world, refused ? "210 w1 refused\n240 verify w1\n"
                              : "210 w1 degraded deliveries_failing\n240 verify w1\n");
        world_free(world);
    }
}

/* ---- off and on again ---- */

static void off_and_on_again(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world_command(world, webhook, false, COMMAND_DEACTIVATE);
    world_command(world, webhook, false, COMMAND_DEACTIVATE); /* again: nothing new */
    world_advance(world, 1000000);
    world_command(world, webhook, false, COMMAND_ACTIVATE); /* verified before */
    expect(world, "0 w1 inactive deactivated\n"
                  "0 w1 inactive deactivated\n"
                  "1000 w1 active\n");
    world_command(world, webhook, true, COMMAND_DEACTIVATE); /* fields first, then the action */
    world_command(world, webhook, true, COMMAND_NONE);
    world_advance(world, 1000000);
    expect(world, "1000 w1 inactive deactivated\n"
                  "1000 w1 inactive deactivated\n");
    assert_int_equal(webhook->stored.generation, 3);
    world_command(world, webhook, false, COMMAND_ACTIVATE); /* not this generation */
    expect(world, "2000 w1 unverified never_verified\n"
                  "2000 verify w1\n");
    world_command(world, webhook, false, COMMAND_DEACTIVATE);
    world_command(world, webhook, true, COMMAND_ACTIVATE); /* both at once */
    expect(world, "2000 w1 inactive deactivated\n"
                  "2000 w1 unverified never_verified\n"
                  "2000 verify w1\n");
    world_verified(world, webhook, OUTCOME_acknowledged);
    world_command(world, webhook, false, COMMAND_ACTIVATE);
    expect(world, "2000 w1 active\n"
                  "2000 w1 active\n");
    world_free(world);
}

/* As at creation: the client has its answer, and the new secret, before the first request. */
static void verifying_waits_for_the_answer(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    struct world_webhook *webhook = world_create_active(world);
    world->hold_answers = true;
    world_command(world, webhook, true, COMMAND_NONE);
    world_advance(world, 1000);
    expect(world, "0 w1 unverified never_verified\n");
    world_answer(world, webhook);
    expect(world, "1 verify w1\n");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_flight_while_the_webhook_changes),
        cmocka_unit_test(outcomes_wait_for_the_commit),
        cmocka_unit_test(nothing_starts_while_changing),
        cmocka_unit_test(a_refused_change_leaves_everything_as_before),
        cmocka_unit_test(an_echo_while_changing_counts_afterwards),
        cmocka_unit_test(a_plan_made_while_changing_stands),
        cmocka_unit_test(verifying_waits_for_the_answer),
        cmocka_unit_test(off_and_on_again),
    };
    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
