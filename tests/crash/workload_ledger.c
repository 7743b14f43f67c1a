/* What each verb means to the ledger; see workload.h. */
#include "workload_inside.h"

#include <stdio.h>
#include <string.h>

enum { LONG_PAYLOAD = 20000 };

static struct store_bytes text(const char *at)
{
    return (struct store_bytes){at, strlen(at)};
}

/* ---- deeds ---- */

enum store_result do_webhook(struct workload *w)
{
    struct ledger *l = &w->ledger;
    char id[24];
    if (l->webhook_count == WEBHOOKS_MAX)
        return STORE_OK;
    snprintf(id, sizeof id, "wh%d", l->webhook_count);
    bool active = random_chance(&w->random, 80);
    struct store_webhook row = {.id = text(id),
                                .org = text(STORE_FIRST_ORG),
                                .partition = text(STORE_FIRST_PARTITION),
                                .url = text("https://receiver.example/hook"),
                                .target = text("https://receiver.example:443/hook"),
                                .secret = text("12345678901234567890123456789012"),
                                .status = {.state = active ? WEBHOOK_ACTIVE : WEBHOOK_UNVERIFIED,
                                           .verified = active,
                                           .generation = 1,
                                           .verify_next = MONO_NEVER,
                                           .verify_until = MONO_NEVER},
                                .created_us = w->clock.wall,
                                .modified_us = w->clock.wall};
    event_set_add(&row.event_types, EVENT_work_created);
    enum store_result result = store_webhook_insert(w->store, &row);
    if (result != STORE_OK)
        return result;
    l->webhooks[l->webhook_count].key = row.key;
    l->webhooks[l->webhook_count++].state = row.status.state;
    return STORE_OK;
}

static void add_event(struct workload *w, const struct store_event *event,
                      const struct store_target *targets, const int *places)
{
    struct ledger *l = &w->ledger;
    l->events[l->event_count].key = event->key;
    l->events[l->event_count].first = event->first_delivery;
    l->events[l->event_count].count = event->delivery_count;
    l->events[l->event_count++].created_us = event->created_us;
    for (uint32_t i = 0; i < event->delivery_count; i++)
        l->deliveries[l->delivery_count++] =
            (struct ledger_delivery){.key = event->first_delivery + i,
                                     .event = event->key,
                                     .webhook = places[i],
                                     .state = targets[i].state,
                                     .reason = targets[i].reason,
                                     .due = targets[i].due};
    l->events_ever++;
    l->deliveries_ever += event->delivery_count;
}

enum store_result do_accept(struct workload *w)
{
    static char payload[LONG_PAYLOAD];
    struct ledger *l = &w->ledger;
    struct store_target targets[4];
    int places[4];
    uint32_t count = 0;
    int64_t wanted = random_between(&w->random, 0, 4), bytes = random_between(&w->random, 2, 300);
    if (l->event_count == EVENTS_MAX || l->delivery_count + 4 > DELIVERIES_MAX)
        return STORE_OK;
    for (int i = l->webhook_count - 1; i >= 0 && count < wanted; i--) {
        if (l->webhooks[i].state != WEBHOOK_ACTIVE && l->webhooks[i].state != WEBHOOK_DEGRADED)
            continue;
        bool now = l->webhooks[i].state == WEBHOOK_ACTIVE;
        places[count] = i;
        targets[count++] = (struct store_target){
            l->webhooks[i].key, now ? w->clock.mono : MONO_NEVER,
            now ? DELIVERY_PENDING : DELIVERY_FAILED, now ? REASON_none : REASON_webhook_degraded};
    }
    memset(payload, 'a' + (int)(l->events_ever % 26), sizeof payload);
    struct store_event event = {
        .salt = 7,
        .org = text(STORE_FIRST_ORG),
        .type = EVENT_work_created,
        .payload = {payload, random_chance(&w->random, 6) ? LONG_PAYLOAD : (size_t)bytes},
        .created_us = w->clock.wall,
        .object = random_chance(&w->random, 30) ? random_between(&w->random, 1, 5) : 0};
    enum store_result result = store_accept(w->store, &event, targets, count);
    if (result == STORE_OK)
        add_event(w, &event, targets, places);
    if (result == STORE_OK && random_chance(&w->random, 25)) {
        struct store_idempotency row = {
            .first_event = event.key, .count = 1, .expires = w->clock.mono + 60};
        char key[24];
        snprintf(key, sizeof key, "key-%lld", (long long)event.key);
        result = store_idempotency_insert(w->store, event.org, text(key), &row);
    }
    return result;
}

/* A delivery in the ledger that is open, or that is not; NULL if the first tries find none. */
static struct ledger_delivery *pick(struct workload *w, bool open)
{
    struct ledger *l = &w->ledger;
    for (int tries = 0; tries < 8 && l->delivery_count > 0; tries++) {
        struct ledger_delivery *d =
            &l->deliveries[random_between(&w->random, 0, l->delivery_count - 1)];
        if ((d->due != MONO_NEVER) == open)
            return d;
    }
    return NULL;
}

enum store_result do_record(struct workload *w)
{
    struct ledger_delivery *d = pick(w, true);
    if (d == NULL)
        return STORE_OK;
    bool good = random_chance(&w->random, 60);
    bool again = !good && !d->redelivery && d->attempts < 2;
    struct store_record row = {
        .delivery = d->key,
        .attempt = {.redelivery = d->redelivery,
                    .outcome = good ? OUTCOME_acknowledged : OUTCOME_http_status,
                    .http_status = good ? 200 : 500,
                    .started_us = w->clock.wall,
                    .duration_ms = 12,
                    .answer = text("what the receiver answered")},
        .state = good    ? DELIVERY_DELIVERED
                 : again ? DELIVERY_PENDING
                         : DELIVERY_FAILED,
        .reason = good || again ? REASON_none : REASON_attempts_exhausted,
        .due = again ? w->clock.mono + 30000 : MONO_NEVER};
    enum store_result result = store_record(w->store, &row);
    if (result != STORE_OK)
        return result;
    if (!d->redelivery || good) {
        d->state = row.state;
        d->reason = row.reason;
    }
    d->attempts++;
    d->due = row.due;
    d->redelivery = false;
    return STORE_OK;
}

/* Ends what is open of a webhook, but for one that is in flight. */
static enum store_result end_queue(struct workload *w, int place, enum delivery_state state,
                                   enum reason reason)
{
    struct ledger *l = &w->ledger;
    int64_t except = 0;
    if (random_chance(&w->random, 40))
        for (int i = 0; i < l->delivery_count && except == 0; i++)
            if (l->deliveries[i].webhook == place && l->deliveries[i].due != MONO_NEVER)
                except = l->deliveries[i].key;
    uint64_t settled = 0, expected = 0;
    enum store_result result = store_settle(w->store, l->webhooks[place].key, state, reason,
                                            &except, except != 0, &settled);
    if (result != STORE_OK)
        return result;
    for (int i = 0; i < l->delivery_count; i++) {
        struct ledger_delivery *d = &l->deliveries[i];
        if (d->webhook != place || d->due == MONO_NEVER || d->key == except)
            continue;
        d->state = d->redelivery ? d->state : (uint8_t)state;
        d->reason = d->redelivery ? d->reason : (uint8_t)reason;
        d->due = MONO_NEVER;
        d->redelivery = false;
        expected++;
    }
    w->wrong += settled != expected;
    return STORE_OK;
}

static int pick_webhook(struct workload *w)
{
    struct ledger *l = &w->ledger;
    for (int tries = 0; tries < 8; tries++) {
        int place = (int)random_between(&w->random, 0, l->webhook_count - 1);
        if (l->webhooks[place].state == WEBHOOK_ACTIVE)
            return place;
    }
    return -1;
}

static enum store_result set_status(struct workload *w, int place, enum webhook_state state,
                                    enum reason reason)
{
    struct webhook_status status = {.state = state,
                                    .reason = reason,
                                    .verified = true,
                                    .generation = 1,
                                    .consecutive_failures = 5,
                                    .since_us = w->clock.wall,
                                    .verify_since = w->clock.mono,
                                    .verify_next = w->clock.mono + 30000,
                                    .verify_until = MONO_NEVER};
    enum store_result result =
        store_webhook_status(w->store, w->ledger.webhooks[place].key, &status);
    if (result == STORE_OK)
        w->ledger.webhooks[place].state = state;
    return result;
}

enum store_result do_degrade(struct workload *w)
{
    int place = pick_webhook(w);
    if (place < 0)
        return STORE_OK;
    enum store_result result = set_status(w, place, WEBHOOK_DEGRADED, REASON_deliveries_failing);
    if (result == STORE_OK && w->mutant == MUTANT_DEGRADE_IN_TWO) {
        w->clock.mono++;
        store_commit(w->store, w->clock, "boot-1");
        store_begin(w->store);
    }
    return result == STORE_OK ? end_queue(w, place, DELIVERY_FAILED, REASON_webhook_degraded)
                              : result;
}

enum store_result do_delete(struct workload *w)
{
    int place = pick_webhook(w);
    if (place < 0)
        return STORE_OK;
    struct store_webhook wiped = {.key = w->ledger.webhooks[place].key,
                                  .url = text("https://receiver.example/hook"),
                                  .target = text("https://receiver.example:443/hook"),
                                  .modified_us = w->clock.wall};
    enum store_result result = set_status(w, place, WEBHOOK_DELETED, REASON_webhook_deleted);
    if (result == STORE_OK)
        result = store_webhook_configure(w->store, &wiped);
    return result == STORE_OK ? end_queue(w, place, DELIVERY_DROPPED, REASON_webhook_deleted)
                              : result;
}

enum store_result do_reopen(struct workload *w)
{
    struct ledger_delivery *d = pick(w, false);
    if (d == NULL || w->ledger.webhooks[d->webhook].state != WEBHOOK_ACTIVE)
        return STORE_OK;
    enum store_result result = store_reopen(w->store, d->key, w->clock.mono);
    if (result != STORE_OK)
        return result;
    d->redelivery = true;
    d->due = w->clock.mono;
    return STORE_OK;
}

static bool has_open(const struct ledger *l, int64_t event)
{
    for (int i = 0; i < l->delivery_count; i++)
        if (l->deliveries[i].event == event && l->deliveries[i].due != MONO_NEVER)
            return true;
    return false;
}

static void forget_event(struct ledger *l, int place)
{
    int kept = 0;
    for (int i = 0; i < l->delivery_count; i++)
        if (l->deliveries[i].event != l->events[place].key)
            l->deliveries[kept++] = l->deliveries[i];
    l->delivery_count = kept;
    l->event_count--;
    memmove(&l->events[place], &l->events[place + 1],
            (size_t)(l->event_count - place) * sizeof l->events[0]);
}

enum store_result do_purge(struct workload *w)
{
    struct ledger *l = &w->ledger;
    unsigned removed = 0;
    wall_us before = w->clock.wall - 60000;
    enum store_result result = store_purge(w->store, before, w->clock.mono, EVENTS_MAX, &removed);
    if (result != STORE_OK)
        return result;
    for (int i = l->event_count - 1; i >= 0; i--)
        if (l->events[i].created_us < before && !has_open(l, l->events[i].key))
            forget_event(l, i);
    return STORE_OK;
}

static enum store_result insert_org(struct workload *w)
{
    char id[24];
    snprintf(id, sizeof id, "dev%d", w->ledger.org_count);
    struct store_org row = {.id = text(id),
                            .partition = text(STORE_FIRST_PARTITION),
                            .name = text("another one"),
                            .created_us = w->clock.wall};
    enum store_result result = store_org_insert(w->store, &row);
    w->ledger.org_count += result == STORE_OK;
    return result;
}

enum store_result do_token(struct workload *w)
{
    struct ledger *l = &w->ledger;
    int place = (int)random_between(&w->random, 0, l->token_count);
    if (random_chance(&w->random, 30))
        return insert_org(w);
    if (place < l->token_count) {
        if (l->tokens[place] < 0)
            return STORE_OK;
        enum store_result result = store_token_revoke(w->store, l->tokens[place], w->clock.wall);
        if (result == STORE_OK)
            l->tokens[place] = -l->tokens[place];
        return result;
    }
    if (l->token_count == TOKENS_MAX)
        return STORE_OK;
    struct store_token row = {.org = text(STORE_FIRST_ORG),
                              .hash = {(uint8_t)l->token_count},
                              .name = text("a token"),
                              .scopes = 1,
                              .created_us = w->clock.wall};
    enum store_result result = store_token_insert(w->store, &row);
    if (result == STORE_OK)
        l->tokens[l->token_count++] = row.key;
    return result;
}

void ledger_recovered(struct workload *w)
{
    struct ledger *l = &w->ledger;
    for (int i = 0; i < l->delivery_count; i++) {
        struct ledger_delivery *d = &l->deliveries[i];
        if (d->due == MONO_NEVER || l->webhooks[d->webhook].state != WEBHOOK_DELETED)
            continue;
        d->state = d->redelivery ? d->state : DELIVERY_DROPPED;
        d->reason = d->redelivery ? d->reason : REASON_webhook_deleted;
        d->due = MONO_NEVER;
        d->redelivery = false;
    }
}

/* ---- the ledger against the database ---- */

static bool same(sqlite3_stmt *row, const struct workload *w, const struct ledger_delivery *d)
{
    const char *reason = (const char *)sqlite3_column_text(row, 4);
    bool open = d->due != MONO_NEVER;
    int state = open ? 0 : d->state, ended = open && d->redelivery ? d->state : 0;
    return sqlite3_column_int64(row, 0) == d->key && sqlite3_column_int64(row, 1) == d->event &&
           sqlite3_column_int64(row, 2) == w->ledger.webhooks[d->webhook].key &&
           sqlite3_column_int(row, 3) == state && strcmp(reason, reason_name(d->reason)) == 0 &&
           sqlite3_column_int(row, 5) == d->attempts && sqlite3_column_int(row, 9) == d->attempts &&
           (sqlite3_column_type(row, 6) == SQLITE_NULL) == !open &&
           (!open || sqlite3_column_int64(row, 6) == d->due) &&
           sqlite3_column_int(row, 7) == ended && sqlite3_column_int64(row, 8) == d->event;
}

bool workload_check(struct workload *w)
{
    static const char sql[] =
        "SELECT d.key, d.event, d.webhook, d.state, coalesce(d.reason, 'none'), d.attempt_count,"
        " d.due, coalesce(d.ended, 0), (SELECT e.key FROM event e WHERE e.key = d.event"
        " AND d.key BETWEEN e.first_delivery AND e.first_delivery + e.delivery_count - 1),"
        " (SELECT count(*) FROM attempt a WHERE a.delivery = d.key) FROM delivery d ORDER BY d.key";
    sqlite3 *db = workload_database(w);
    sqlite3_stmt *row = NULL;
    int place = 0, living = 0;
    for (int i = 0; i < w->ledger.token_count; i++)
        living += w->ledger.tokens[i] > 0;
    bool good = sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK;
    while (good && sqlite3_step(row) == SQLITE_ROW) {
        good = place < w->ledger.delivery_count && same(row, w, &w->ledger.deliveries[place]);
        place++;
    }
    sqlite3_finalize(row);
    good = good && place == w->ledger.delivery_count &&
           look_number(db, "SELECT count(*) FROM event") == w->ledger.event_count &&
           look_number(db, "SELECT count(*) FROM webhook") == w->ledger.webhook_count &&
           look_number(db, "SELECT count(*) FROM org") == w->ledger.org_count &&
           look_number(db, "SELECT count(*) FROM token") == w->ledger.token_count &&
           look_number(db, "SELECT count(*) FROM token WHERE revoked_us IS NULL") == living &&
           look_number(db, "SELECT next_event FROM meta") == w->ledger.events_ever + 1 &&
           look_number(db, "SELECT next_delivery FROM meta") == w->ledger.deliveries_ever + 1;
    for (int i = 0; i < w->ledger.webhook_count && good; i++) {
        char ask[128];
        snprintf(ask, sizeof ask, "SELECT state = '%s' FROM webhook WHERE key = %lld",
                 webhook_state_name(w->ledger.webhooks[i].state),
                 (long long)w->ledger.webhooks[i].key);
        good = look_number(db, ask) == 1;
    }
    if (!good)
        printf("  the ledger and the database differ at delivery %d of %d\n", place,
               w->ledger.delivery_count);
    return good;
}
