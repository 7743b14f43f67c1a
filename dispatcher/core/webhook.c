/* The life of a webhook: schema/webhook.def carried out.
 *
 * Owns: the change of a webhook's state, from proposal to commit, and its verify run. Refuses: to
 * judge an echo (that is dispatcher/verify.c), and to change anything before the store has
 * committed it.
 *
 * Happy path: created unverified with a window of three minutes ─▶ webhook_due asks for a verify
 * request ─▶ the echo comes back ─▶ webhook_propose(ECHOED) ─▶ the store commits ─▶
 * webhook_committed: active, what was held goes on. Each verify request has a number; whatever
 * begins a new run, or ends it, voids the number under way, so a late echo of an old (url, secret)
 * pair or after the window changes nothing. */
#include "core/parts.h"

struct webhook_row {
    uint8_t next, effects, reason;
};

static const struct webhook_row rows[WEBHOOK_STATE_COUNT][WEBHOOK_EVENT_COUNT] = {
#define NONE        WEBHOOK_FX_NONE
#define OPEN_WINDOW WEBHOOK_FX_OPEN_WINDOW
#define PROBE       WEBHOOK_FX_PROBE
#define STOP_VERIFY WEBHOOK_FX_STOP_VERIFY
#define HOLD        WEBHOOK_FX_HOLD
#define RELEASE     WEBHOOK_FX_RELEASE
#define SETTLE      WEBHOOK_FX_SETTLE
#define X(state, event, next, effects, reason) \
    [WEBHOOK_##state][WEBHOOK_##event] = {WEBHOOK_##next, effects, REASON_##reason},
#include "../../schema/webhook.def"
#undef X
#undef NONE
#undef OPEN_WINDOW
#undef PROBE
#undef STOP_VERIFY
#undef HOLD
#undef RELEASE
#undef SETTLE
};

#define VERIFY_EFFECTS (WEBHOOK_FX_OPEN_WINDOW | WEBHOOK_FX_PROBE | WEBHOOK_FX_STOP_VERIFY)
#define QUEUE_EFFECTS  (WEBHOOK_FX_HOLD | WEBHOOK_FX_RELEASE | WEBHOOK_FX_SETTLE)

enum webhook_state webhook_next(enum webhook_state state, enum webhook_event event,
                                unsigned *effects, enum reason *reason)
{
    const struct webhook_row *row = &rows[state][event];
    if (effects)
        *effects = row->effects;
    if (reason)
        *reason = row->reason;
    return row->next;
}

static void open_window(const struct core_config *config, struct webhook_status *status,
                        mono_ms now)
{
    status->verify_count = 0;
    status->verify_since = now;
    status->verify_next = schedule_verify(config, 0, now);
    status->verify_until = now + config->verify_window_ms;
}

struct webhook_status webhook_status_new(const struct core_config *config, struct instant now)
{
    struct webhook_status status = {
        .state = WEBHOOK_UNVERIFIED,
        .reason = REASON_never_verified,
        .generation = 1,
        .since_us = now.wall,
    };
    open_window(config, &status, now.mono);
    return status;
}

/* Why a webhook is in `state`, having come there by `event`. */
static enum reason reason_of(enum webhook_state state, enum webhook_event event)
{
    switch (state) {
    case WEBHOOK_UNVERIFIED:
        return event == WEBHOOK_WINDOW_OVER ? REASON_verify_timed_out : REASON_never_verified;
    case WEBHOOK_DEGRADED: return REASON_deliveries_failing;
    case WEBHOOK_INACTIVE:
        return event == WEBHOOK_GAVE_UP ? REASON_degraded_too_long : REASON_deactivated;
    case WEBHOOK_DELETED: return REASON_webhook_deleted;
    default: return REASON_none;
    }
}

static void apply_verify_effects(const struct core *core, struct webhook_status *status,
                                 unsigned effects)
{
    if (effects & WEBHOOK_FX_OPEN_WINDOW)
        open_window(&core->config, status, core->now.mono);
    if (effects & WEBHOOK_FX_PROBE) {
        bool probing = status->verify_until != MONO_NEVER; /* asked for again: the end stays */
        status->verify_count = 0;
        status->verify_since = core->now.mono;
        status->verify_next = core->now.mono;
        if (!probing)
            status->verify_until = core->now.mono + core->config.degraded_max_ms;
    }
    if (effects & WEBHOOK_FX_STOP_VERIFY)
        status->verify_next = status->verify_until = MONO_NEVER;
}

/* Lets `event` happen to webhook->proposed; collects effects and how the queue ends. */
static void apply_event(const struct core *core, struct webhook *webhook, enum webhook_event event)
{
    struct webhook_status *status = &webhook->proposed;
    unsigned effects;
    enum reason settle;
    enum webhook_state next = webhook_next(status->state, event, &effects, &settle);
    assert(next != WEBHOOK_BUG);
    if (next == WEBHOOK_IGNORE)
        return;
    if (next != status->state || event == WEBHOOK_WINDOW_OVER || (effects & WEBHOOK_FX_OPEN_WINDOW))
        status->reason = reason_of(next, event);
    if (next != status->state) {
        status->state = next;
        status->since_us = core->now.wall;
        if (next == WEBHOOK_ACTIVE)
            status->consecutive_failures = 0;
    }
    if (event == WEBHOOK_CHANGED) {
        status->generation++;
        status->verified = false;
        status->consecutive_failures = 0;
    }
    if (event == WEBHOOK_ECHOED)
        status->verified = true;
    apply_verify_effects(core, status, effects);
    if (effects & VERIFY_EFFECTS)
        webhook->effects = (webhook->effects & ~VERIFY_EFFECTS) | (effects & VERIFY_EFFECTS);
    if (effects & QUEUE_EFFECTS) {
        webhook->effects = (webhook->effects & ~QUEUE_EFFECTS) | (effects & QUEUE_EFFECTS);
        webhook->settle = settle;
    }
}

static void begin_change(struct webhook *webhook)
{
    assert(!webhook->changing);
    webhook->proposed = webhook->status;
    webhook->effects = WEBHOOK_FX_NONE;
    webhook->settle = REASON_none;
    webhook->answered_later = false;
}

static void send_change(struct core *core, struct webhook *webhook, bool command,
                        struct update *update)
{
    webhook->changing = true;
    struct core_effect *effect = emit(update, EFFECT_CHANGE, webhook, NULL);
    effect->settle = webhook->settle;
    effect->command = command;
    select_place(core, webhook);
}

void webhook_propose(struct core *core, struct webhook *webhook, enum webhook_event event,
                     struct update *update)
{
    begin_change(webhook);
    apply_event(core, webhook, event);
    send_change(core, webhook, false, update);
}

void webhook_settle_rest(struct core *core, struct webhook *webhook, struct update *update)
{
    enum reason reason = delivery_reason(&webhook->status);
    if (!webhook->spilled || reason == REASON_none)
        return;
    begin_change(webhook);
    webhook->effects = WEBHOOK_FX_SETTLE;
    webhook->settle = reason;
    send_change(core, webhook, false, update);
}

/* A command is always committed, even if the state stays as it is: the shell commits what else the
 * client set with it. */
void webhook_command(struct core *core, const struct core_event *event, struct update *update)
{
    struct webhook *webhook = event->webhook;
    begin_change(webhook);
    if (event->changed)
        apply_event(core, webhook, WEBHOOK_CHANGED);
    switch (event->command) {
    case COMMAND_NONE: break;
    case COMMAND_ACTIVATE:
        apply_event(core, webhook, webhook->proposed.verified ? WEBHOOK_RESUME : WEBHOOK_ACTIVATE);
        break;
    case COMMAND_DEACTIVATE: apply_event(core, webhook, WEBHOOK_DEACTIVATE); break;
    case COMMAND_DELETE: apply_event(core, webhook, WEBHOOK_DELETE); break;
    }
    webhook->answered_later = event->answered_later;
    send_change(core, webhook, true, update);
}

static void void_verify(struct webhook *webhook)
{
    webhook->verify_seq++;
    webhook->verifying = false;
    webhook->echoed = false;
}

static void apply_queue_effects(struct core *core, struct webhook *webhook)
{
    if (webhook->effects & WEBHOOK_FX_SETTLE)
        backlog_clear(core, webhook);
    if (webhook->effects & (WEBHOOK_FX_HOLD | WEBHOOK_FX_RELEASE)) {
        enum delivery_event event =
            webhook->effects & WEBHOOK_FX_HOLD ? DELIVERY_HOLD : DELIVERY_RELEASE;
        for (struct heap_node *node = NULL; (node = heap_walk(&webhook->queue, node));)
            delivery_apply(HEAP_ENTRY(node, struct delivery, node), event);
    }
}

/* The change is over: outcomes that waited for it are worked off, an echo that came meanwhile
 * counts if it still does. */
static void end_change(struct core *core, struct webhook *webhook, struct update *update)
{
    webhook->changing = false;
    for (struct delivery *delivery; (delivery = list_pop(&webhook->waiting));)
        list_push(&core->ended, delivery);
    emit(update, EFFECT_SETTLED, webhook, NULL);
    if (webhook->echoed) {
        webhook->echoed = false;
        webhook_propose(core, webhook, WEBHOOK_ECHOED, update);
        return;
    }
    backlog_want(core, webhook, update);
    select_place(core, webhook);
}

void webhook_committed(struct core *core, struct webhook *webhook, struct update *update)
{
    assert(webhook->changing);
    webhook->status = webhook->proposed;
    if (webhook->effects & VERIFY_EFFECTS) {
        void_verify(webhook);
        webhook->awaiting_answer =
            webhook->answered_later && !(webhook->effects & WEBHOOK_FX_STOP_VERIFY);
    }
    apply_queue_effects(core, webhook);
    end_change(core, webhook, update);
}

void webhook_refused(struct core *core, struct webhook *webhook, struct update *update)
{
    assert(webhook->changing);
    end_change(core, webhook, update);
}

/* Sets when the next verify request goes out; also in a proposal that leaves the verify run alone,
 * or it would be undone by its commit. */
static void plan_verify(struct webhook *webhook, mono_ms next)
{
    webhook->status.verify_next = next;
    if (webhook->changing && !(webhook->effects & VERIFY_EFFECTS)) {
        webhook->proposed.verify_next = next;
        webhook->proposed.verify_count = webhook->status.verify_count;
    }
}

void webhook_verified(struct core *core, const struct core_event *event, struct update *update)
{
    struct webhook *webhook = event->webhook;
    if (!webhook->verifying || event->verify_seq != webhook->verify_seq)
        return; /* of a run that is over: too late */
    webhook->verifying = false;
    if (outcome_acknowledged(event->facts.outcome) &&
        core->now.mono < webhook->status.verify_until) {
        if (webhook->changing)
            webhook->echoed = true;
        else
            webhook_propose(core, webhook, WEBHOOK_ECHOED, update);
        return;
    }
    if (webhook->status.state == WEBHOOK_DEGRADED)
        plan_verify(webhook,
                    schedule_probe(&core->config, webhook->status.verify_count, core->now.mono));
    if (!webhook->changing) /* a note behind a change would undo it */
        emit(update, EFFECT_NOTE, webhook, NULL);
    select_place(core, webhook);
}

/* It does not count as a request of this run. Those whose time passes while it waits are left out:
 * they would all go out at once behind it. */
void webhook_postponed(struct core *core, const struct core_event *event, struct update *update)
{
    struct webhook *webhook = event->webhook;
    struct webhook_status *status = &webhook->status;
    if (!webhook->verifying || event->verify_seq != webhook->verify_seq)
        return;
    assert(event->at > core->now.mono && status->verify_count > 0);
    webhook->verifying = false;
    status->verify_count--;
    while (status->state == WEBHOOK_UNVERIFIED &&
           schedule_verify(&core->config, status->verify_count + 1, status->verify_since) <=
               event->at)
        status->verify_count++;
    plan_verify(webhook, event->at);
    if (!webhook->changing)
        emit(update, EFFECT_NOTE, webhook, NULL);
    select_place(core, webhook);
}

static bool verify_is_planned(const struct webhook *webhook)
{
    return !webhook->verifying && !webhook->awaiting_answer;
}

/* Deleted, and nothing of it is in flight or on its way from the store. */
static bool is_over(const struct webhook *webhook)
{
    return webhook->status.state == WEBHOOK_DELETED && !webhook->flight && !webhook->refilling;
}

mono_ms webhook_deadline(const struct webhook *webhook)
{
    if (is_over(webhook))
        return INT64_MIN; /* to be let go at once: by the timers, which run when the deliveries to
                             be forgotten have all been worked off */
    const struct webhook_status *status = &webhook->status;
    mono_ms next = verify_is_planned(webhook) ? status->verify_next : MONO_NEVER;
    return next < status->verify_until ? next : status->verify_until;
}

void webhook_due(struct core *core, struct webhook *webhook, struct update *update)
{
    struct webhook_status *status = &webhook->status;
    if (is_over(webhook)) {
        webhook_release(core, webhook, update);
        return;
    }
    if (status->verify_until <= core->now.mono) {
        webhook_propose(core, webhook,
                        status->state == WEBHOOK_DEGRADED ? WEBHOOK_GAVE_UP : WEBHOOK_WINDOW_OVER,
                        update);
    } else if (verify_is_planned(webhook) && status->verify_next <= core->now.mono) {
        status->verify_count++;
        plan_verify(webhook,
                    status->state == WEBHOOK_UNVERIFIED
                        ? schedule_verify(&core->config, status->verify_count, status->verify_since)
                        : MONO_NEVER);
        webhook->verifying = true;
        webhook->verify_seq++;
        emit(update, EFFECT_VERIFY, webhook, NULL)->verify_seq = webhook->verify_seq;
    }
    select_place(core, webhook);
}

void webhook_release(struct core *core, struct webhook *webhook, struct update *update)
{
    select_remove(core, webhook);
    emit(update, EFFECT_FORGET_WEBHOOK, webhook, NULL);
}
