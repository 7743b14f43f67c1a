/* The auditor of the simulator can fail: for each of its rules a stream of events written by hand
 * that keeps it, and the same stream with one thing wrong, which it must report under that rule. A
 * row of the table is one such pair. Here: S13 and what comes after. */
#include "tests/sim/stream.h"

static void s13_left_in_the_queue(struct stream *s)
{
    leave_out(s, find(s, AUDIT_POST_ENDED, 1));
    leave_out(s, find(s, AUDIT_POST, 1));
}
static void s13_attempted_all_the_same(struct stream *s)
{
    s->count -= 4; /* up to the last commit */
    attempt(s, 2, true);
}
static void s14_told_and_gone(struct stream *s)
{
    leave_out(s, find(s, AUDIT_KEPT_DELIVERY, 1));
}
static void s14_event_gone(struct stream *s)
{
    find(s, AUDIT_KEPT_ALL, 1)->count = 1;
}
static void s14_told_before_durable(struct stream *s)
{
    leave_out(s, find(s, AUDIT_SHOWN_EVENT, 2));
}
static void s14_refused_and_durable(struct stream *s)
{
    find(s, AUDIT_TOLD_PUBLISH, 1)->ok = false;
}
static void s14_fewer_deliveries(struct stream *s)
{
    find(s, AUDIT_TOLD_EVENT, 1)->count = 2;
}
static void s14_never_reopened(struct stream *s)
{
    leave_out(s, find(s, AUDIT_SHOWN_DELIVERY, 2));
    leave_out(s, find(s, AUDIT_POST, 2));
    leave_out(s, find(s, AUDIT_POST_ENDED, 2));
    find(s, AUDIT_KEPT_DELIVERY, 1)->attempts = 1;
    find(s, AUDIT_KEPT_DELIVERY, 1)->redelivered = 0;
}
static void s15_after_delete(struct stream *s)
{
    struct audit_event *kept = find(s, AUDIT_KEPT_DELIVERY, 1);
    *kept = *find(s, AUDIT_POST, 1);
    kept->at_ms = s->now_ms;
    kept->post = 9;
    kept->event = kept->number = 2;
}
static void s16_old_generation(struct stream *s)
{
    find(s, AUDIT_VERIFY, 2)->url_tag = 10;
}
static void s16_nothing_to_verify(struct stream *s)
{
    find(s, AUDIT_SHOWN_WEBHOOK, 3)->state = WEBHOOK_INACTIVE;
    find(s, AUDIT_SHOWN_WEBHOOK, 3)->until = MONO_NEVER;
    find(s, AUDIT_ASKED_CHANGE, 1)->command = 2;
}
static void s18_memory(struct stream *s)
{
    find(s, AUDIT_MEMORY, 1)->count++;
}
static void s19_other_type(struct stream *s)
{
    memset(&find(s, AUDIT_SHOWN_WEBHOOK, 1)->types, 0, sizeof(struct event_set));
    memset(&find(s, AUDIT_SHOWN_WEBHOOK, 2)->types, 0, sizeof(struct event_set));
}
static void s19_one_left_out(struct stream *s)
{
    leave_out(s, find(s, AUDIT_SHOWN_DELIVERY, 2));
    find(s, AUDIT_SHOWN_EVENT, 1)->count = 1;
    find(s, AUDIT_TOLD_EVENT, 1)->count = 1;
}
static void s20_other_state(struct stream *s)
{
    find(s, AUDIT_RECOVERED_TWICE, 1)->hash_again = 6;
}
static void l1_no_end(struct stream *s)
{
    find(s, AUDIT_KEPT_DELIVERY, 1)->open = true;
    find(s, AUDIT_KEPT_DELIVERY, 1)->state = DELIVERY_PENDING;
}
static void later(struct stream *s, const struct audit_event *from, int64_t ms)
{
    for (unsigned i = (unsigned)(from - s->events); i < s->count; i++)
        s->events[i].at_ms += ms;
    s->now_ms += ms;
}
static void l1_late(struct stream *s)
{
    later(s, find(s, AUDIT_POST, 2), 1001);
}
static void l2_undecided(struct stream *s)
{
    later(s, find(s, AUDIT_COMMITTED, 2), 1001);
}
static void l2_early(struct stream *s)
{
    find(s, AUDIT_COMMITTED, 2)->at_ms = 179999;
    find(s, AUDIT_SHOWN_WEBHOOK, 2)->at_ms = 179999;
}
static void l2_long_window(struct stream *s)
{
    find(s, AUDIT_SHOWN_WEBHOOK, 1)->until++;
}
static void l3_late_probe(struct stream *s)
{
    later(s, find(s, AUDIT_VERIFY, 3), 4001);
}
static void l3_echoed_and_not_active(struct stream *s)
{
    later(s, find(s, AUDIT_SHOWN_WEBHOOK, 4) - 1, 1001);
}
static void l7_accepted_while_failing(struct stream *s)
{
    find(s, AUDIT_TOLD_PUBLISH, 1)->ok = true;
}
static void l7_refused_afterwards(struct stream *s)
{
    later(s, find(s, AUDIT_ASKED_PUBLISH, 2), 1001);
}
static void t1_nobody_asked(struct stream *s)
{
    find(s, AUDIT_ASKED_CHANGE, 1)->command = 1;
}
static void t1_refused_and_done(struct stream *s)
{
    struct audit_event *told = find(s, AUDIT_TOLD_CHANGE, 1);
    told->ok = false;
    swap(told, find(s, AUDIT_COMMITTED, 4)); /* the refusal first, then the change */
}
static void t1_told_and_not_done(struct stream *s)
{
    find(s, AUDIT_SHOWN_WEBHOOK, 3)->url_tag = 98;
}
static void t1_degraded_for_nothing(struct stream *s)
{
    find(s, AUDIT_POST_ENDED, 4)->ours = true;
}
static void t1_not_degraded(struct stream *s)
{
    find(s, AUDIT_SHOWN_WEBHOOK, 3)->state = WEBHOOK_ACTIVE;
    find(s, AUDIT_SHOWN_WEBHOOK, 3)->failures = 1;
}
static void t1_gives_up_early(struct stream *s)
{
    struct audit_event *shown = find(s, AUDIT_SHOWN_WEBHOOK, 3);
    *find(s, AUDIT_VERIFY, 2) = *shown; /* at once, in place of the first verify request */
    struct audit_event *inactive = find(s, AUDIT_SHOWN_WEBHOOK, 4);
    inactive->state = WEBHOOK_INACTIVE;
    inactive->reason = REASON_degraded_too_long;
    inactive->until = MONO_NEVER;
    leave_out(s, find(s, AUDIT_VERIFY_ENDED, 2));
}
static void t1_another_time(struct stream *s)
{
    find(s, AUDIT_SHOWN_WEBHOOK, 3)->until -= 2000;
}
static void t2_fault(struct stream *s)
{
    find(s, AUDIT_MEMORY, 1)->kind = AUDIT_FAULT;
}
static void t2_no_answer(struct stream *s)
{
    leave_out(s, find(s, AUDIT_TOLD_CHANGE, 1));
}

static const struct row rows[] = {
    ROW(S13, switched_off, s13_left_in_the_queue),
    ROW(S13, degraded, s13_attempted_all_the_same),
    ROW(S14, delivered, s14_told_and_gone),
    ROW(S14, delivered, s14_event_gone),
    ROW(S14, delivered, s14_told_before_durable),
    ROW(S14, delivered, s14_refused_and_durable),
    ROW(S14, delivered, s14_fewer_deliveries),
    ROW(S14, reopened, s14_never_reopened),
    ROW(S15, deleted, s15_after_delete),
    ROW(S16, moved, s16_old_generation),
    ROW(S16, moved, s16_nothing_to_verify),
    ROW(S18, side_by_side, one_at_once),
    ROW(S18, recovered_twice, s18_memory),
    ROW(S19, delivered, s19_other_type),
    ROW(S19, two_webhooks, s19_one_left_out),
    ROW(S20, recovered_twice, s20_other_state),
    ROW(L1, delivered, l1_no_end),
    ROW(L1, exhausted, l1_late),
    ROW(L2, never_verified, l2_undecided),
    ROW(L2, never_verified, l2_early),
    ROW(L2, never_verified, l2_long_window),
    ROW(L3, degraded, l3_late_probe),
    ROW(L3, degraded, l3_echoed_and_not_active),
    ROW(L7, store_failed, l7_accepted_while_failing),
    ROW(L7, store_failed, l7_refused_afterwards),
    ROW(T1, switched_off, t1_nobody_asked),
    ROW(T1, moved, t1_refused_and_done),
    ROW(T1, moved, t1_told_and_not_done),
    ROW(T1, degraded, t1_degraded_for_nothing),
    ROW(T1, degraded, t1_not_degraded),
    ROW(T1, degraded, t1_gives_up_early),
    ROW(T1, degraded, t1_another_time),
    ROW(T2, recovered_twice, t2_fault),
    ROW(T2, moved, t2_no_answer),
};

static void each_rule_is_seen_to_be_broken(void **state)
{
    (void)state;
    stream_check(rows, sizeof(rows) / sizeof(rows[0]), INVARIANT_S13, INVARIANT_T2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_seen_to_be_broken),
    };
    return cmocka_run_group_tests_name("audit, the rest", tests, NULL, NULL);
}
