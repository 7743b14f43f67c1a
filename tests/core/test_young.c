/* POSTs that are young: how many at once to receivers that answer at once, and that those who do
 * not hold up nobody. */
#include "tests/lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct world *world_with(unsigned young_max)
{
    struct core_config config = world_config();
    config.young_max = young_max;
    return world_new(&config);
}

/* Answers every POST of a webhook that is under way now, but not those that begin thereby. */
static void answer_all(struct world *world, const struct world_webhook *webhook)
{
    int64_t last = world->row_count;
    world->held = true;
    for (int64_t key = 1; key <= last; key++)
        if (world_row(world, key)->webhook == webhook && world_row(world, key)->post)
            world_end(world, key, OUTCOME_acknowledged);
    world->held = false;
    world_drain(world);
}

/* Sends the webhook an event and answers late, so that it is known to be slow. */
static void make_slow(struct world *world, struct world_webhook *webhook)
{
    int64_t key = world_publish(world, webhook);
    world_advance(world, 20000);
    world_end(world, key, OUTCOME_acknowledged);
    assert_int_equal(webhook->core->speed, SPEED_SLOW);
}

/* Whoever is alone gets half of what is left, again and again. */
static void half_of_what_is_left(void **state)
{
    (void)state;
    struct world *world = world_with(12);
    struct world_webhook *first = world_create_active(world), *second = world_create_active(world);
    world_publish_many(world, first, 40);
    assert_int_equal(world_posts_open(world, first), 4); /* 8 are left: half of them, and no more */
    world_publish_many(world, second, 40);
    assert_int_equal(world_posts_open(world, second), 3);
    answer_all(world, first);
    answer_all(world, second);
    assert_true(world_posts_open(world, NULL) >= 7);
    assert_true(world_posts_open(world, NULL) <= 12);
    world_free(world);
}

static void many_webhooks_share(void **state)
{
    (void)state;
    struct world *world = world_with(12);
    struct world_webhook *webhooks[20];
    for (int i = 0; i < 20; i++)
        webhooks[i] = world_create_active(world);
    world->held = true;
    for (int i = 0; i < 20; i++)
        world_publish_many(world, webhooks[i], 3);
    world_drain(world);
    world->held = false;
    assert_int_equal(world_posts_open(world, NULL), 12);
    for (int i = 0; i < 20; i++)
        assert_true(world_posts_open(world, webhooks[i]) <= 1);
    unsigned answered = 0;
    for (; world_posts_open(world, NULL) > 0; answered++) {
        int64_t key = 1;
        while (!world_row(world, key)->post)
            key++;
        world_end(world, key, OUTCOME_acknowledged);
    }
    assert_int_equal(answered, 60); /* nobody was forgotten */
    world_free(world);
}

/* One that does not answer any more is left to itself after a few: others do not wait for it, and
 * its own POSTs begin a few at a time. */
static void whoever_hangs_holds_up_nobody(void **state)
{
    (void)state;
    struct world *world = world_with(8);
    struct world_webhook *hangs = world_create_active(world), *well = world_create_active(world);
    int64_t key = world_publish(world, hangs);
    world_end(world, key, OUTCOME_acknowledged);
    world_advance(world, 64);
    world->hanging_starts_max = 2;
    world_publish_many(world, hangs, 50);
    assert_int_equal(world_posts_open(world, hangs), 3);
    world_advance(world, 64);
    for (key = 2; key <= 4; key++)
        world_overdue(world, key);
    assert_int_equal(hangs->core->speed, SPEED_QUICK); /* three may have been lost */
    world_advance(world, 64);
    world->held = true;
    world_overdue(world, 5);
    assert_int_equal(hangs->core->speed, SPEED_HANGING);
    unsigned open = world_posts_open(world, hangs);
    world_run(world);
    assert_int_equal(world_posts_open(world, hangs), open + 2);
    assert_int_equal(core_deadline(&world->core), world->now.mono + 1);
    key = world_publish(world, well);
    while (world_report(world))
        ;
    world_run(world);
    assert_non_null(world_row(world, key)->post);
    assert_int_equal(world_posts_open(world, hangs), open + 4);
    while (world_posts_open(world, hangs) < 32)
        world_run(world);
    world_run(world);
    assert_int_equal(core_deadline(&world->core), MONO_NEVER);
    world->held = false;
    world_advance(world, 3000);
    world_end(world, 2, OUTCOME_timeout);
    assert_int_equal(hangs->core->speed, SPEED_HANGING);
    world_end(world, 3, OUTCOME_http_status); /* far too late, but an answer */
    assert_int_equal(hangs->core->speed, SPEED_SLOW);
    world_free(world);
}

/* Some POSTs are never answered, the others at once: the webhook goes on. */
static void who_answers_besides_does_not_seem_to_hang(void **state)
{
    (void)state;
    struct world *world = world_with(8);
    struct world_webhook *webhook = world_create_active(world);
    for (int i = 0; i < 20; i++) {
        int64_t lost = world_publish(world, webhook), answered = world_publish(world, webhook);
        assert_non_null(world_row(world, lost)->post);
        world_end(world, answered, OUTCOME_acknowledged);
        world_advance(world, 64);
        world_overdue(world, lost);
    }
    assert_int_equal(world_posts_open(world, webhook), 20);
    world_free(world);
}

/* Who has not answered at once for a second is slow. One answer that comes at once makes it quick
 * again. */
static void slow_is_who_has_not_answered_at_once_for_long(void **state)
{
    (void)state;
    struct world *world = world_with(8);
    struct world_webhook *webhook = world_create_active(world);
    int64_t quick = world_publish(world, webhook);
    world_end(world, quick, OUTCOME_acknowledged);
    int64_t late = world_publish(world, webhook);
    world_advance(world, 1000);
    world_end(world, late, OUTCOME_acknowledged);
    assert_int_equal(webhook->core->speed, SPEED_QUICK); /* a second ago it did */
    late = world_publish(world, webhook);
    world_advance(world, 4);
    world_end(world, late, OUTCOME_acknowledged);
    assert_int_equal(webhook->core->speed, SPEED_SLOW);
    world_publish_many(world, webhook, 50);
    assert_int_equal(world_posts_open(world, webhook), 32);
    assert_int_equal(world->core.young, 0);
    world_advance(world, 4);
    world_end(world, late + 1, OUTCOME_acknowledged);
    assert_int_equal(world_posts_open(world, webhook), 32);
    world_end(world, late + 33, OUTCOME_acknowledged); /* began just now */
    assert_int_equal(webhook->core->speed, SPEED_QUICK);
    assert_int_equal(world_posts_open(world, webhook),
                     32); /* 31 that were there, and a young one */
    assert_int_equal(world->core.young, 1);
    world_free(world);
}

/* Where a run begins one POST, slow and quick webhooks come first in turn; where no more young ones
 * may begin, slow ones still do. */
static void slow_and_quick_take_turns(void **state)
{
    (void)state;
    struct world *world = world_with(12);
    struct world_webhook *slow = world_create_active(world), *quick = world_create_active(world);
    make_slow(world, slow);
    world->starts_max = 1;
    world->held = true;
    world_publish_many(world, slow, 20);
    world_publish_many(world, quick, 20);
    while (world_report(world))
        ;
    for (unsigned open = 1; open <= 6; open++) {
        world_run(world);
        assert_int_equal(world_posts_open(world, NULL), open);
    }
    assert_int_equal(world_posts_open(world, slow), 2); /* two of six turns were those of nobody */
    assert_int_equal(world_posts_open(world, quick), 4);
    world->starts_max = 0;
    world_run(world);
    assert_int_equal(world_posts_open(world, slow), 20);
    assert_int_equal(world_posts_open(world, quick),
                     4); /* half of what was left, and then no more */
    world->held = false;
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_of_what_is_left),
        cmocka_unit_test(many_webhooks_share),
        cmocka_unit_test(whoever_hangs_holds_up_nobody),
        cmocka_unit_test(who_answers_besides_does_not_seem_to_hang),
        cmocka_unit_test(slow_is_who_has_not_answered_at_once_for_long),
        cmocka_unit_test(slow_and_quick_take_turns),
    };
    return cmocka_run_group_tests_name("young", tests, NULL, NULL);
}
