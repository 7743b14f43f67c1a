/* The check of rows, see stream.h. */
#include "tests/sim/stream.h"

const struct audit_rules stream_rules = {
    .attempts_max = 3,
    .retry_delays_ms = {30000, 180000},
    .verify_window_ms = 180000,
    .degraded_max_ms = 432000000,
    .probe_delay_min_ms = 30000,
    .probe_delay_max_ms = 600000,
    .degrade_after = 5,
    .in_flight_max = 8,
    .in_flight_per_webhook_max = 4,
    .calm = true,
};

void one_at_once(struct stream *stream)
{
    (void)stream;
}

static struct audit *listen_to(const struct stream *stream, const struct row *row, bool spoiled)
{
    struct audit_rules own = stream_rules;
    if (row->life == degraded)
        own.degrade_after = 1;
    if (spoiled && row->wrong == one_at_once)
        own.in_flight_per_webhook_max = 1;
    struct audit *audit = audit_new(&own, spoiled ? NULL : stderr);
    for (unsigned i = 0; i < stream->count; i++)
        audit_take(audit, &stream->events[i]);
    return audit;
}

static bool row_holds(const struct row *row)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    row->life(stream);
    struct audit *kept = listen_to(stream, row, false);
    row->wrong(stream);
    struct audit *broken = listen_to(stream, row, true);
    bool holds = audit_violations(kept) == 0 && audit_violations_of(broken, row->invariant) > 0;
    if (!holds)
        print_error("%s: %u violations before; afterwards %u, of %s %u\n", row->name,
                    audit_violations(kept), audit_violations(broken),
                    audit_invariant_name(row->invariant),
                    audit_violations_of(broken, row->invariant));
    audit_free(kept);
    audit_free(broken);
    free(stream);
    return holds;
}

void stream_check(const struct row *rows, size_t count, enum invariant first, enum invariant last)
{
    bool covered[INVARIANT_COUNT] = {false};
    unsigned failures = 0;
    for (size_t i = 0; i < count; i++) {
        failures += !row_holds(&rows[i]);
        covered[rows[i].invariant] = true;
    }
    assert_int_equal(failures, 0);
    for (int i = (int)first; i <= (int)last; i++)
        if (!covered[i])
            fail_msg("no stream breaks %s", audit_invariant_name((enum invariant)i));
}
