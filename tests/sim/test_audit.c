/* The auditor of the simulator can fail: for each of its rules a stream of events written by hand
 * that keeps it, and the same stream with one thing wrong, which it must report under that rule. A
 * row of the table is one such pair. Here: S1 to S12. */
#include "tests/sim/stream.h"

static void s1_never_verified(struct stream *s)
{
    find(s, AUDIT_VERIFY_ENDED, 1)->text[0] = '?';
}
static void s1_other_secret(struct stream *s)
{
    find(s, AUDIT_POST, 1)->secret_tag = 5;
}
static void s1_old_url(struct stream *s)
{
    find(s, AUDIT_POST, 1)->url_tag = 10;
}
static void s1_same_generation(struct stream *s)
{
    find(s, AUDIT_SHOWN_WEBHOOK, 3)->generation = 1;
}
static void s2_before_the_commit(struct stream *s)
{
    swap(find(s, AUDIT_POST, 1), find(s, AUDIT_SHOWN_WEBHOOK, 3));
}
static void s3_fourth_record(struct stream *s)
{
    find(s, AUDIT_KEPT_DELIVERY, 1)->attempts = 4;
}
static void s3_unrecorded(struct stream *s)
{
    find(s, AUDIT_KEPT_DELIVERY, 1)->attempts = 2;
}
static void s3_two_lost(struct stream *s)
{
    find(s, AUDIT_KEPT_DELIVERY, 1)->attempts = 0;
}
static void s3_redelivery_twice(struct stream *s)
{
    struct audit_event *kept = find(s, AUDIT_KEPT_DELIVERY, 1);
    struct audit_event tail[3] = {kept[0], kept[1], kept[2]};
    s->count -= 3;
    attempt(s, 1, false);
    for (int i = 0; i < 3; i++)
        *add(s, tail[i].kind) = tail[i];
    for (unsigned i = s->count - 3; i < s->count; i++)
        s->events[i].at_ms = s->now_ms;
    find(s, AUDIT_KEPT_DELIVERY, 1)->attempts = 3;
}
static void early(struct stream *s, unsigned n)
{
    find(s, AUDIT_POST, n)->at_ms -= 1;
}
static void s4_second_early(struct stream *s)
{
    early(s, 2);
}
static void s4_third_early(struct stream *s)
{
    early(s, 3);
}
static void s4_after_reboot(struct stream *s)
{
    early(s, 2); /* the wall clock went back, so all of the delay is waited again */
}
static void s5_attempt_too_long(struct stream *s)
{
    find(s, AUDIT_POST_ENDED, 1)->duration_ms = 3101;
}
static void s5_verify_too_long(struct stream *s)
{
    find(s, AUDIT_VERIFY_ENDED, 1)->duration_ms = 3101;
}
static void s5_recorded_too_long(struct stream *s)
{
    find(s, AUDIT_KEPT_DELIVERY, 1)->duration_ms = 3101;
}
static void s6_status_500(struct stream *s)
{
    find(s, AUDIT_VERIFY_ENDED, 1)->ok = false;
}
static void s6_after_the_window(struct stream *s)
{
    find(s, AUDIT_SHOWN_WEBHOOK, 1)->until = 10;
}
static void s6_old_echo(struct stream *s) /* degraded, and active again without another echo */
{
    find(s, AUDIT_VERIFY_ENDED, 3)->text[0] = '?';
}
static void s6_echo_of_another_window(struct stream *s)
{
    find(s, AUDIT_VERIFY_ENDED, 2)->text[0] = '?';
}
static void s7_short(struct stream *s)
{
    find(s, AUDIT_VERIFY, 1)->text[21] = '\0';
    find(s, AUDIT_VERIFY_ENDED, 1)->text[21] = '\0';
}
static void s7_twice(struct stream *s)
{
    find(s, AUDIT_VERIFY, 2)->text[0] = find(s, AUDIT_VERIFY, 1)->text[0];
}
static void s8_no_2xx(struct stream *s)
{
    find(s, AUDIT_POST_ENDED, 2)->ok = false;
}
static void s8_not_delivered(struct stream *s)
{
    struct audit_event *kept = find(s, AUDIT_KEPT_DELIVERY, 1);
    kept->state = DELIVERY_FAILED;
    kept->reason = REASON_attempts_exhausted;
}
static void s10_other_payload(struct stream *s)
{
    find(s, AUDIT_POST, 2)->number = 2;
}
static void s10_other_type(struct stream *s)
{
    find(s, AUDIT_POST, 2)->type = EVENT_account_deleted;
}
static void s10_old_timestamp(struct stream *s)
{
    find(s, AUDIT_POST, 2)->stamp = find(s, AUDIT_POST, 1)->stamp;
}
static void s10_out_of_order(struct stream *s)
{
    swap(find(s, AUDIT_POST, 1), find(s, AUDIT_POST, 2));
}
static void s10_two_at_once(struct stream *s)
{
    leave_out(s, find(s, AUDIT_POST_ENDED, 1));
}
static void s11_event_key(struct stream *s)
{
    find(s, AUDIT_SHOWN_EVENT, 2)->event = 1;
}
static void s11_delivery_key(struct stream *s)
{
    find(s, AUDIT_SHOWN_DELIVERY, 2)->delivery = 1;
}
static void s11_other_salt(struct stream *s)
{
    find(s, AUDIT_POST, 1)->salt = 8;
}
static void s11_back_from_the_dead(struct stream *s)
{
    struct audit_event *told = find(s, AUDIT_TOLD_CHANGE, 1);
    *told = *find(s, AUDIT_SHOWN_WEBHOOK, 2);
    told->at_ms = s->now_ms;
}
static void s12_end_without_cause(struct stream *s)
{
    find(s, AUDIT_KEPT_DELIVERY, 1)->reason = REASON_webhook_degraded;
}
static void s12_attempt_after_the_end(struct stream *s)
{
    find(s, AUDIT_POST, 2)->event = find(s, AUDIT_POST, 2)->number = 1;
}
static void s12_forgotten_success(struct stream *s)
{
    find(s, AUDIT_POST_ENDED, 1)->ok = true;
    leave_out(s, find(s, AUDIT_POST, 2));
    leave_out(s, find(s, AUDIT_POST_ENDED, 2));
    leave_out(s, find(s, AUDIT_POST, 2));
    leave_out(s, find(s, AUDIT_POST_ENDED, 2));
    find(s, AUDIT_KEPT_DELIVERY, 1)->attempts = 1;
}

static const struct row rows[] = {
    ROW(S1, delivered, s1_never_verified),
    ROW(S1, delivered, s1_other_secret),
    ROW(S1, moved, s1_old_url),
    ROW(S1, moved, s1_same_generation),
    ROW(S2, switched_off, s2_before_the_commit),
    ROW(S3, exhausted, s3_fourth_record),
    ROW(S3, exhausted, s3_unrecorded),
    ROW(S3, crashed, s3_two_lost),
    ROW(S3, reopened, s3_redelivery_twice),
    ROW(S4, exhausted, s4_second_early),
    ROW(S4, exhausted, s4_third_early),
    ROW(S4, rebooted, s4_after_reboot),
    ROW(S5, delivered, s5_attempt_too_long),
    ROW(S5, delivered, s5_verify_too_long),
    ROW(S5, delivered, s5_recorded_too_long),
    ROW(S6, delivered, s6_status_500),
    ROW(S6, delivered, s6_after_the_window),
    ROW(S6, degraded, s6_old_echo),
    ROW(S6, asked_again, s6_echo_of_another_window),
    ROW(S7, delivered, s7_short),
    ROW(S7, degraded, s7_twice),
    ROW(S8, delivered, s8_no_2xx),
    ROW(S8, delivered, s8_not_delivered),
    ROW(S10, exhausted, s10_other_payload),
    ROW(S10, exhausted, s10_other_type),
    ROW(S10, exhausted, s10_old_timestamp),
    ROW(S10, side_by_side, s10_out_of_order),
    ROW(S10, exhausted, s10_two_at_once),
    ROW(S11, delivered, s11_event_key),
    ROW(S11, delivered, s11_delivery_key),
    ROW(S11, delivered, s11_other_salt),
    ROW(S11, deleted, s11_back_from_the_dead),
    ROW(S12, exhausted, s12_end_without_cause),
    ROW(S12, delivered, s12_attempt_after_the_end),
    ROW(S12, exhausted, s12_forgotten_success),
};

static void each_rule_is_seen_to_be_broken(void **state)
{
    (void)state;
    stream_check(rows, sizeof(rows) / sizeof(rows[0]), INVARIANT_S1, INVARIANT_S12);
}

/* A report names the rule, the moment and what led to it. */
static void a_report_tells_what_led_to_it(void **state)
{
    (void)state;
    struct stream *stream = calloc(1, sizeof(*stream));
    exhausted(stream);
    find(stream, AUDIT_POST, 2)->at_ms -= 1;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct audit *audit = audit_new(&stream_rules, out);
    for (unsigned i = 0; i < stream->count; i++)
        audit_take(audit, &stream->events[i]);
    fclose(out);
    assert_non_null(strstr(text, "violation of S4 at 30.034 s"));
    assert_non_null(strstr(text, "no attempt before its time"));
    assert_non_null(strstr(text, "POST post=2 webhook=1 event=1"));
    audit_free(audit);
    free(text);
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_seen_to_be_broken),
        cmocka_unit_test(a_report_tells_what_led_to_it),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
