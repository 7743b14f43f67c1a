/* Every cell of the two state machines, once, against tables written by hand from the rules: what
 * happens to a webhook or a delivery in each state when each thing happens to it. The tables here
 * are not made from schema/webhook.def and schema/delivery.def; they are what those must say. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct webhook_cell {
    enum webhook_state state;
    enum webhook_event event;
    enum webhook_state next;
    unsigned effects;
    enum reason reason;
};

#define OPEN   WEBHOOK_FX_OPEN_WINDOW
#define PROBE  WEBHOOK_FX_PROBE
#define STOP   WEBHOOK_FX_STOP_VERIFY
#define HOLD   WEBHOOK_FX_HOLD
#define FREE   WEBHOOK_FX_RELEASE
#define SETTLE WEBHOOK_FX_SETTLE

static const struct webhook_cell webhook_cells[] = {
    /* Not verified yet, or not verified in time: no verify run but by a client's doing. */
    {WEBHOOK_UNVERIFIED, WEBHOOK_ECHOED, WEBHOOK_ACTIVE, STOP | FREE, REASON_none},
    {WEBHOOK_UNVERIFIED, WEBHOOK_CHANGED, WEBHOOK_UNVERIFIED, OPEN, REASON_none},
    {WEBHOOK_UNVERIFIED, WEBHOOK_ACTIVATE, WEBHOOK_UNVERIFIED, OPEN, REASON_none},
    {WEBHOOK_UNVERIFIED, WEBHOOK_RESUME, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_UNVERIFIED, WEBHOOK_DEACTIVATE, WEBHOOK_INACTIVE, STOP | SETTLE,
     REASON_webhook_inactive},
    {WEBHOOK_UNVERIFIED, WEBHOOK_DELETE, WEBHOOK_DELETED, STOP | SETTLE, REASON_webhook_deleted},
    {WEBHOOK_UNVERIFIED, WEBHOOK_FAILING, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_UNVERIFIED, WEBHOOK_WINDOW_OVER, WEBHOOK_UNVERIFIED, STOP | SETTLE,
     REASON_webhook_unverified},
    {WEBHOOK_UNVERIFIED, WEBHOOK_GAVE_UP, WEBHOOK_BUG, 0, REASON_none},
    /* Receives events. An active webhook has verified its generation, so ACTIVATE cannot be. */
    {WEBHOOK_ACTIVE, WEBHOOK_ECHOED, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_ACTIVE, WEBHOOK_CHANGED, WEBHOOK_UNVERIFIED, OPEN | HOLD, REASON_none},
    {WEBHOOK_ACTIVE, WEBHOOK_ACTIVATE, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_ACTIVE, WEBHOOK_RESUME, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_ACTIVE, WEBHOOK_DEACTIVATE, WEBHOOK_INACTIVE, SETTLE, REASON_webhook_inactive},
    {WEBHOOK_ACTIVE, WEBHOOK_DELETE, WEBHOOK_DELETED, SETTLE, REASON_webhook_deleted},
    {WEBHOOK_ACTIVE, WEBHOOK_FAILING, WEBHOOK_DEGRADED, PROBE | SETTLE, REASON_webhook_degraded},
    {WEBHOOK_ACTIVE, WEBHOOK_WINDOW_OVER, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_ACTIVE, WEBHOOK_GAVE_UP, WEBHOOK_BUG, 0, REASON_none},
    /* Failed for too long; nothing is queued; verified again until it echoes, or for five days. */
    {WEBHOOK_DEGRADED, WEBHOOK_ECHOED, WEBHOOK_ACTIVE, STOP, REASON_none},
    {WEBHOOK_DEGRADED, WEBHOOK_CHANGED, WEBHOOK_UNVERIFIED, OPEN, REASON_none},
    {WEBHOOK_DEGRADED, WEBHOOK_ACTIVATE, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_DEGRADED, WEBHOOK_RESUME, WEBHOOK_DEGRADED, PROBE, REASON_none},
    {WEBHOOK_DEGRADED, WEBHOOK_DEACTIVATE, WEBHOOK_INACTIVE, STOP | SETTLE,
     REASON_webhook_inactive},
    {WEBHOOK_DEGRADED, WEBHOOK_DELETE, WEBHOOK_DELETED, STOP | SETTLE, REASON_webhook_deleted},
    {WEBHOOK_DEGRADED, WEBHOOK_FAILING, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_DEGRADED, WEBHOOK_WINDOW_OVER, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_DEGRADED, WEBHOOK_GAVE_UP, WEBHOOK_INACTIVE, STOP | SETTLE, REASON_webhook_inactive},
    /* Switched off: only a client switches it on; verified before, it is active at once. */
    {WEBHOOK_INACTIVE, WEBHOOK_ECHOED, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_INACTIVE, WEBHOOK_CHANGED, WEBHOOK_INACTIVE, 0, REASON_none},
    {WEBHOOK_INACTIVE, WEBHOOK_ACTIVATE, WEBHOOK_UNVERIFIED, OPEN, REASON_none},
    {WEBHOOK_INACTIVE, WEBHOOK_RESUME, WEBHOOK_ACTIVE, 0, REASON_none},
    {WEBHOOK_INACTIVE, WEBHOOK_DEACTIVATE, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_INACTIVE, WEBHOOK_DELETE, WEBHOOK_DELETED, SETTLE, REASON_webhook_deleted},
    {WEBHOOK_INACTIVE, WEBHOOK_FAILING, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_INACTIVE, WEBHOOK_WINDOW_OVER, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_INACTIVE, WEBHOOK_GAVE_UP, WEBHOOK_BUG, 0, REASON_none},
    /* Gone: what a client still asks for changes nothing, and no clock runs. */
    {WEBHOOK_DELETED, WEBHOOK_ECHOED, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_CHANGED, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_ACTIVATE, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_RESUME, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_DEACTIVATE, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_DELETE, WEBHOOK_IGNORE, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_FAILING, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_WINDOW_OVER, WEBHOOK_BUG, 0, REASON_none},
    {WEBHOOK_DELETED, WEBHOOK_GAVE_UP, WEBHOOK_BUG, 0, REASON_none},
};

struct delivery_cell {
    enum delivery_state state;
    enum delivery_event event;
    enum delivery_state next;
};

static const struct delivery_cell delivery_cells[] = {
    {DELIVERY_PENDING, DELIVERY_START, DELIVERY_IN_FLIGHT},
    {DELIVERY_PENDING, DELIVERY_ACKNOWLEDGED, DELIVERY_BUG},
    {DELIVERY_PENDING, DELIVERY_RETRY, DELIVERY_BUG},
    {DELIVERY_PENDING, DELIVERY_EXHAUSTED, DELIVERY_BUG},
    {DELIVERY_PENDING, DELIVERY_HOLD, DELIVERY_HELD},
    {DELIVERY_PENDING, DELIVERY_RELEASE, DELIVERY_IGNORE},
    {DELIVERY_PENDING, DELIVERY_FAIL, DELIVERY_FAILED},
    {DELIVERY_PENDING, DELIVERY_DROP, DELIVERY_DROPPED},
    {DELIVERY_PENDING, DELIVERY_REDELIVER, DELIVERY_BUG},
    /* An attempt runs to its end; then it is delivered, due again, held, or has its reason. */
    {DELIVERY_IN_FLIGHT, DELIVERY_START, DELIVERY_BUG},
    {DELIVERY_IN_FLIGHT, DELIVERY_ACKNOWLEDGED, DELIVERY_DELIVERED},
    {DELIVERY_IN_FLIGHT, DELIVERY_RETRY, DELIVERY_PENDING},
    {DELIVERY_IN_FLIGHT, DELIVERY_EXHAUSTED, DELIVERY_FAILED},
    {DELIVERY_IN_FLIGHT, DELIVERY_HOLD, DELIVERY_HELD},
    {DELIVERY_IN_FLIGHT, DELIVERY_RELEASE, DELIVERY_BUG},
    {DELIVERY_IN_FLIGHT, DELIVERY_FAIL, DELIVERY_FAILED},
    {DELIVERY_IN_FLIGHT, DELIVERY_DROP, DELIVERY_DROPPED},
    {DELIVERY_IN_FLIGHT, DELIVERY_REDELIVER, DELIVERY_BUG},
    {DELIVERY_HELD, DELIVERY_START, DELIVERY_BUG},
    {DELIVERY_HELD, DELIVERY_ACKNOWLEDGED, DELIVERY_BUG},
    {DELIVERY_HELD, DELIVERY_RETRY, DELIVERY_BUG},
    {DELIVERY_HELD, DELIVERY_EXHAUSTED, DELIVERY_BUG},
    {DELIVERY_HELD, DELIVERY_HOLD, DELIVERY_IGNORE},
    {DELIVERY_HELD, DELIVERY_RELEASE, DELIVERY_PENDING},
    {DELIVERY_HELD, DELIVERY_FAIL, DELIVERY_FAILED},
    {DELIVERY_HELD, DELIVERY_DROP, DELIVERY_DROPPED},
    {DELIVERY_HELD, DELIVERY_REDELIVER, DELIVERY_BUG},
    /* Terminal: only a person opens it again, and nothing that happens to its webhook touches it.
     */
    {DELIVERY_DELIVERED, DELIVERY_START, DELIVERY_BUG},
    {DELIVERY_DELIVERED, DELIVERY_ACKNOWLEDGED, DELIVERY_BUG},
    {DELIVERY_DELIVERED, DELIVERY_RETRY, DELIVERY_BUG},
    {DELIVERY_DELIVERED, DELIVERY_EXHAUSTED, DELIVERY_BUG},
    {DELIVERY_DELIVERED, DELIVERY_HOLD, DELIVERY_IGNORE},
    {DELIVERY_DELIVERED, DELIVERY_RELEASE, DELIVERY_IGNORE},
    {DELIVERY_DELIVERED, DELIVERY_FAIL, DELIVERY_IGNORE},
    {DELIVERY_DELIVERED, DELIVERY_DROP, DELIVERY_IGNORE},
    {DELIVERY_DELIVERED, DELIVERY_REDELIVER, DELIVERY_PENDING},
    {DELIVERY_FAILED, DELIVERY_START, DELIVERY_BUG},
    {DELIVERY_FAILED, DELIVERY_ACKNOWLEDGED, DELIVERY_BUG},
    {DELIVERY_FAILED, DELIVERY_RETRY, DELIVERY_BUG},
    {DELIVERY_FAILED, DELIVERY_EXHAUSTED, DELIVERY_BUG},
    {DELIVERY_FAILED, DELIVERY_HOLD, DELIVERY_IGNORE},
    {DELIVERY_FAILED, DELIVERY_RELEASE, DELIVERY_IGNORE},
    {DELIVERY_FAILED, DELIVERY_FAIL, DELIVERY_IGNORE},
    {DELIVERY_FAILED, DELIVERY_DROP, DELIVERY_IGNORE},
    {DELIVERY_FAILED, DELIVERY_REDELIVER, DELIVERY_PENDING},
    {DELIVERY_DROPPED, DELIVERY_START, DELIVERY_BUG},
    {DELIVERY_DROPPED, DELIVERY_ACKNOWLEDGED, DELIVERY_BUG},
    {DELIVERY_DROPPED, DELIVERY_RETRY, DELIVERY_BUG},
    {DELIVERY_DROPPED, DELIVERY_EXHAUSTED, DELIVERY_BUG},
    {DELIVERY_DROPPED, DELIVERY_HOLD, DELIVERY_IGNORE},
    {DELIVERY_DROPPED, DELIVERY_RELEASE, DELIVERY_IGNORE},
    {DELIVERY_DROPPED, DELIVERY_FAIL, DELIVERY_IGNORE},
    {DELIVERY_DROPPED, DELIVERY_DROP, DELIVERY_IGNORE},
    {DELIVERY_DROPPED, DELIVERY_REDELIVER, DELIVERY_PENDING},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void every_webhook_cell(void **state)
{
    (void)state;
    unsigned seen[WEBHOOK_STATE_COUNT][WEBHOOK_EVENT_COUNT] = {{0}};
    for (size_t i = 0; i < COUNT(webhook_cells); i++) {
        const struct webhook_cell *cell = &webhook_cells[i];
        unsigned effects = 12345;
        enum reason reason = REASON_COUNT;
        enum webhook_state next = webhook_next(cell->state, cell->event, &effects, &reason);
        if (next != cell->next || effects != cell->effects || reason != cell->reason)
            print_error("webhook %s, event %d\n", webhook_state_name(cell->state), cell->event);
        assert_int_equal(next, cell->next);
        assert_int_equal(effects, cell->effects);
        assert_int_equal(reason, cell->reason);
        assert_int_equal(webhook_next(cell->state, cell->event, NULL, NULL), cell->next);
        seen[cell->state][cell->event]++;
    }
    for (int s = 0; s < WEBHOOK_STATE_COUNT; s++)
        for (int e = 0; e < WEBHOOK_EVENT_COUNT; e++)
            assert_int_equal(seen[s][e], 1);
}

static void every_delivery_cell(void **state)
{
    (void)state;
    unsigned seen[DELIVERY_STATE_COUNT][DELIVERY_EVENT_COUNT] = {{0}};
    for (size_t i = 0; i < COUNT(delivery_cells); i++) {
        const struct delivery_cell *cell = &delivery_cells[i];
        enum delivery_state next = delivery_next(cell->state, cell->event);
        if (next != cell->next)
            print_error("delivery %s, event %d\n", delivery_state_name(cell->state), cell->event);
        assert_int_equal(next, cell->next);
        seen[cell->state][cell->event]++;
    }
    for (int s = 0; s < DELIVERY_STATE_COUNT; s++)
        for (int e = 0; e < DELIVERY_EVENT_COUNT; e++)
            assert_int_equal(seen[s][e], 1);
}

/* The rows themselves: an absent row would read as state 0, a doubled one would hide the other. */
static void each_cell_has_one_row(void **state)
{
    (void)state;
    unsigned webhook_rows[WEBHOOK_STATE_COUNT][WEBHOOK_EVENT_COUNT] = {{0}};
    unsigned delivery_rows[DELIVERY_STATE_COUNT][DELIVERY_EVENT_COUNT] = {{0}};
#define X(from, event, next, effects, reason) webhook_rows[WEBHOOK_##from][WEBHOOK_##event]++;
#include "../../schema/webhook.def"
#undef X
#define X(from, event, next) delivery_rows[DELIVERY_##from][DELIVERY_##event]++;
#include "../../schema/delivery.def"
#undef X
    for (int s = 0; s < WEBHOOK_STATE_COUNT; s++)
        for (int e = 0; e < WEBHOOK_EVENT_COUNT; e++)
            assert_int_equal(webhook_rows[s][e], 1);
    for (int s = 0; s < DELIVERY_STATE_COUNT; s++)
        for (int e = 0; e < DELIVERY_EVENT_COUNT; e++)
            assert_int_equal(delivery_rows[s][e], 1);
}

/* Only a complete 2xx acknowledges; only what is the receiver's doing hurts. */
static void every_outcome(void **state)
{
    (void)state;
    static const bool hurts[OUTCOME_COUNT] = {
        [OUTCOME_http_status] = true,
        [OUTCOME_redirect] = true,
        [OUTCOME_timeout] = true,
        [OUTCOME_dns_failure] = true,
        [OUTCOME_connection_refused] = true,
        [OUTCOME_connection_reset] = true,
        [OUTCOME_tls_failure] = true,
        [OUTCOME_response_too_large] = true,
        [OUTCOME_malformed_response] = true,
        [OUTCOME_address_denied] = true,
        [OUTCOME_wrong_challenge] = true,
    };
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        assert_int_equal(outcome_acknowledged(i), i == OUTCOME_acknowledged);
        assert_int_equal(outcome_hurts_health(i), hurts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_webhook_cell),
        cmocka_unit_test(every_delivery_cell),
        cmocka_unit_test(each_cell_has_one_row),
        cmocka_unit_test(every_outcome),
    };
    return cmocka_run_group_tests_name("cells", tests, NULL, NULL);
}
