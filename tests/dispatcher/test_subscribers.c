/* The writer's view of all webhooks. */
#include "dispatcher/subscribers.h"

#include "dispatcher/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct hook *add(struct subscribers *subscribers, int64_t key)
{
    struct event_set types = {{0}};
    event_set_add(&types, EVENT_work_created);
    struct hook *hook = hook_alloc(sizeof(*hook));
    hook->core.key = key;
    subscribers_add(subscribers, hook, 0, WEBHOOK_ACTIVE, &types);
    return hook;
}

static void a_webhook_changed_and_deleted_at_once_is_dropped_once(void **state)
{
    (void)state;
    struct subscribers subscribers = {0};
    struct hook *gone = add(&subscribers, 1), *kept = add(&subscribers, 2);
    subscribers_commit(&subscribers);
    subscribers_change(&subscribers, gone, WEBHOOK_INACTIVE, NULL);
    subscribers_change(&subscribers, kept, WEBHOOK_INACTIVE, NULL);
    subscribers_change(&subscribers, gone, WEBHOOK_DELETED, NULL);
    subscribers_commit(&subscribers);
    assert_null(hook_map_get(&subscribers.hooks, 1));
    assert_null(gone->subscriber);
    assert_ptr_equal(hook_map_get(&subscribers.hooks, 2), kept);
    hook_free(gone);
    hook_free(kept);
    subscribers_free(&subscribers);
}

/* As many webhooks as may exist by default are read in one transaction at start. */
static void a_start_with_many_webhooks_takes_no_time_by_their_square(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct subscribers subscribers = {0};
    struct hook **hooks = hook_alloc(COUNT * sizeof(hooks[0]));
    for (int i = 0; i < COUNT; i++)
        hooks[i] = add(&subscribers, i + 1);
    int64_t began_ms = clock_span_ms();
    subscribers_commit(&subscribers);
    assert_true(clock_span_ms() - began_ms < 1000);
    for (int i = 0; i < COUNT; i++)
        hook_free(hooks[i]);
    free(hooks);
    subscribers_free(&subscribers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_webhook_changed_and_deleted_at_once_is_dropped_once),
        cmocka_unit_test(a_start_with_many_webhooks_takes_no_time_by_their_square),
    };
    return cmocka_run_group_tests_name("subscribers", tests, NULL, NULL);
}
