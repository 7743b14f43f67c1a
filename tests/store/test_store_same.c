/* Random histories, done to both back-ends, must read the same: the simple one is the model of the
 * quick one. The seed is printed first; REVHOOK_SEED repeats a history. */
#include "fixture.h"

#include "store/store_sqlite.h"

enum { WEBHOOKS_MAX = 12, STEPS = 700 };

static uint64_t random_state;
static enum store_result result; /* of the newest call that was made on both */

/* splitmix64 */
static uint64_t random_below(uint64_t bound)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % bound;
}

struct pair {
    struct world *at[2];
    int64_t webhooks, events, deliveries; /* the highest keys given so far */
    bool other_org[WEBHOOKS_MAX + 1];     /* of each webhook: dev1, not dev0 */
};

#define BOTH_SAME(call)                                                                    \
    do {                                                                                   \
        struct world *w = pair->at[0];                                                     \
        enum store_result first_ = (call);                                                 \
        w = pair->at[1];                                                                   \
        enum store_result second_ = (call);                                                \
        if (first_ != second_)                                                             \
            fail_msg("%s: %d and %d (%s)", #call, first_, second_, store_error(w->store)); \
        result = first_;                                                                   \
    } while (0)

static struct store_bytes random_org(void)
{
    return random_below(5) == 0 ? text("dev1") : org;
}

static bool equal(struct store_bytes a, struct store_bytes b)
{
    return a.bytes == b.bytes && memcmp(a.at, b.at, a.bytes) == 0;
}

/* ---- one random verb ---- */

static void do_webhook(struct pair *pair)
{
    char id[16];
    snprintf(id, sizeof id, "w%d", (int)random_below(WEBHOOKS_MAX)); /* some twice */
    struct store_webhook row = webhook_row(id, random_org());
    row.status.state = (uint8_t)random_below(WEBHOOK_DELETED);
    if (pair->webhooks == WEBHOOKS_MAX)
        return;
    BOTH_SAME(store_webhook_insert(w->store, &row));
    if (result != STORE_OK)
        return;
    pair->webhooks = row.key;
    pair->other_org[row.key] = !equal(row.org, org);
}

static void do_status(struct pair *pair)
{
    struct webhook_status status = {
        .state = (uint8_t)random_below(random_below(8) ? WEBHOOK_DELETED : WEBHOOK_STATE_COUNT),
        .reason = (uint8_t)random_below(REASON_COUNT),
        .generation = (uint32_t)random_below(9),
        .verify_next = random_below(2) ? MONO_NEVER : 5,
        .verify_until = MONO_NEVER};
    int64_t webhook = 1 + (int64_t)random_below(WEBHOOKS_MAX);
    BOTH_SAME(store_webhook_status(w->store, webhook, &status));
}

static void do_accept(struct pair *pair, mono_ms now)
{
    struct store_event event = event_row(7, (enum event_type)(random_below(4)));
    event.org = random_org();
    bool other = !equal(event.org, org);
    struct store_target targets[6];
    uint32_t count = 0;
    for (int64_t webhook = 1; webhook <= pair->webhooks && count < 6; webhook++) {
        if (random_below(3) || pair->other_org[webhook] != other)
            continue;
        bool open = random_below(4) != 0;
        targets[count++] = (struct store_target){
            webhook, open ? now + (mono_ms)random_below(3) : MONO_NEVER,
            open ? DELIVERY_PENDING : (uint8_t)(DELIVERY_FAILED + random_below(2)),
            open ? REASON_none : REASON_webhook_degraded};
    }
    event.created_us = now * 1000 + (int64_t)random_below(50000);
    BOTH_SAME(store_accept(w->store, &event, targets, count));
    pair->events = event.key;
    pair->deliveries = event.first_delivery + count - 1;
}

static int64_t random_delivery(struct pair *pair)
{
    int64_t recent = (int64_t)random_below(60),
            any = (int64_t)random_below((uint64_t)pair->deliveries + 2);
    return random_below(2) && recent < pair->deliveries ? pair->deliveries - recent : any;
}

static void do_record(struct pair *pair, mono_ms now)
{
    int64_t key = random_delivery(pair);
    unsigned kind = (unsigned)random_below(4);
    struct store_record row =
        kind == 0 ? record_row(key, DELIVERY_PENDING, REASON_none, now + (mono_ms)random_below(100))
        : kind == 1 ? record_row(key, DELIVERY_FAILED, REASON_attempts_exhausted, MONO_NEVER)
                    : record_row(key, DELIVERY_DELIVERED, REASON_none, MONO_NEVER);
    BOTH_SAME(store_record(w->store, &row));
}

static void do_settle(struct pair *pair)
{
    int64_t except[3] = {random_delivery(pair), random_delivery(pair), random_delivery(pair)};
    size_t count = (size_t)random_below(4);
    int64_t webhook = 1 + (int64_t)random_below(WEBHOOKS_MAX);
    uint64_t settled[2] = {0, 0};
    BOTH_SAME(store_settle(w->store, webhook, DELIVERY_DROPPED, REASON_webhook_inactive, except,
                           count, &settled[w->sqlite]));
    assert_int_equal(settled[0], settled[1]);
}

static void do_idempotency(struct pair *pair, mono_ms now)
{
    char key[4] = {'k', (char)('a' + random_below(5)), 0, 0};
    struct store_idempotency row = {
        .first_event = now, .count = 1, .expires = now + (mono_ms)random_below(50)};
    struct store_idempotency found[2] = {{.count = 0}, {.count = 0}};
    struct store_bytes of = random_org();
    BOTH_SAME(store_idempotency_find(w->store, of, text(key), now, &found[w->sqlite]));
    assert_int_equal(found[0].first_event, found[1].first_event);
    assert_int_equal(found[0].expires, found[1].expires);
    if (result == STORE_NOT_FOUND)
        BOTH_SAME(store_idempotency_insert(w->store, of, text(key), &row));
}

static void do_purge(struct pair *pair, mono_ms now)
{
    unsigned removed[2] = {0, 0};
    /* all of them: which of two old events is removed first is the back-end's choice */
    BOTH_SAME(store_purge(w->store, (now - 200) * 1000, now, 100000, &removed[w->sqlite]));
    assert_int_equal(removed[0], removed[1]);
}

static void one_verb(struct pair *pair, mono_ms now)
{
    unsigned kind = (unsigned)random_below(100);
    if (kind < 3)
        do_webhook(pair);
    else if (kind < 8)
        do_status(pair);
    else if (kind < 45)
        do_accept(pair, now);
    else if (kind < 85)
        do_record(pair, now);
    else if (kind < 92) {
        int64_t key = random_delivery(pair);
        BOTH_SAME(store_reopen(w->store, key, now));
    } else if (kind < 94)
        do_settle(pair);
    else if (kind < 99)
        do_idempotency(pair, now);
    else
        do_purge(pair, now);
}

/* ---- all that can be read, as text ---- */

struct dump {
    char *text;
    size_t bytes;
    FILE *file;
    unsigned limit;
};

static bool dump_webhook(void *ctx, const struct store_webhook *row)
{
    struct dump *dump = ctx;
    fprintf(dump->file, "webhook %ld %.*s %.*s %d %d %u %ld\n", (long)row->key, (int)row->id.bytes,
            row->id.at, (int)row->org.bytes, row->org.at, row->status.state, row->status.reason,
            row->status.generation, (long)row->status.verify_next);
    return true;
}

static bool dump_recovered(void *ctx, const struct store_webhook *row, bool has_open)
{
    fprintf(((struct dump *)ctx)->file, "%d ", has_open);
    return dump_webhook(ctx, row);
}

static bool dump_event(void *ctx, const struct store_event *row)
{
    fprintf(((struct dump *)ctx)->file, "event %ld %d %ld %ld %u\n", (long)row->key, row->type,
            (long)row->created_us, (long)row->first_delivery, row->delivery_count);
    return true;
}

static bool dump_delivery(void *ctx, const struct store_delivery *row)
{
    fprintf(((struct dump *)ctx)->file, "delivery %ld %ld %ld %d %.*s %d %d %d %d %d %ld %ld\n",
            (long)row->key, (long)row->event, (long)row->webhook, row->type,
            (int)row->webhook_id.bytes, row->webhook_id.at, row->webhook_state, row->state,
            row->reason, row->attempt_count, row->redelivery, (long)row->due,
            (long)row->created_us);
    return true;
}

static bool dump_attempt(void *ctx, const struct store_attempt *row)
{
    fprintf(((struct dump *)ctx)->file, "attempt %u %d %d\n", row->n, row->outcome,
            row->http_status);
    return true;
}

static bool dump_pending(void *ctx, const struct store_pending *row)
{
    fprintf(((struct dump *)ctx)->file, "pending %ld %ld %ld %d %d %d\n", (long)row->key,
            (long)row->due, (long)row->event, row->attempt_count, row->redelivery, row->type);
    return true;
}

static void dump_lists(struct world *w, struct dump *dump, const struct pair *pair, uint64_t seed)
{
    static const struct store_bytes orgs[] = {{"dev0", 4}, {"dev1", 4}};
    uint64_t keep = random_state;
    random_state = seed; /* both worlds are asked the same */
    for (int i = 0; i < 2; i++) {
        store_webhook_list(w->reader, orgs[i], dump_webhook, dump);
        for (int type = -1; type < 5; type++) {
            int64_t before =
                random_below(2) ? 0 : (int64_t)random_below((uint64_t)pair->events + 2);
            fprintf(dump->file, "events %d %d %ld\n", i, type, (long)before);
            assert_int_equal(store_event_list(w->reader, orgs[i], before, type,
                                              (unsigned)random_below(9), dump_event, dump),
                             STORE_OK);
        }
        for (int each = 0; each < 40; each++) {
            static const int states[] = {-1,
                                         DELIVERY_PENDING,
                                         DELIVERY_HELD,
                                         DELIVERY_DELIVERED,
                                         DELIVERY_FAILED,
                                         DELIVERY_DROPPED};
            struct store_delivery_filter filter = {
                .org = orgs[i],
                .webhook = random_below(2) ? 0 : (int64_t)random_below(WEBHOOKS_MAX + 1),
                .event = random_below(4) ? 0 : (int64_t)random_below((uint64_t)pair->events + 2),
                .state = states[random_below(6)],
                .before = random_below(2) ? 0 : random_delivery((struct pair *)pair),
                .limit = (unsigned)random_below(20)};
            if (filter.before < 0)
                filter.before = 0;
            fprintf(dump->file, "deliveries %d w%ld e%ld s%d b%ld l%u\n", i, (long)filter.webhook,
                    (long)filter.event, filter.state, (long)filter.before, filter.limit);
            assert_int_equal(store_delivery_list(w->reader, &filter, dump_delivery, dump),
                             STORE_OK);
        }
    }
    random_state = keep;
}

static char *dump_world(struct world *w, const struct pair *pair, uint64_t seed, bool committed)
{
    struct dump dump = {.text = NULL};
    dump.file = open_memstream(&dump.text, &dump.bytes);
    assert_non_null(dump.file);
    dump_lists(w, &dump, pair, seed);
    for (int64_t key = pair->deliveries - 30; key <= pair->deliveries; key++)
        store_attempt_list(w->reader, key, dump_attempt, &dump);
    for (int64_t webhook = 1; webhook <= WEBHOOKS_MAX; webhook++) {
        bool more;
        assert_int_equal(store_pending_after(w->store, webhook, (mono_ms)(seed % 1000),
                                             (int64_t)(seed % 77), 12, dump_pending, &dump, &more),
                         STORE_OK);
        fprintf(dump.file, "more %d\n", more);
    }
    uint64_t open = 0;
    if (committed)
        assert_int_equal(store_open_count(w->store, &open), STORE_OK);
    fprintf(dump.file, "open %lu\n", (unsigned long)open);
    fclose(dump.file);
    return dump.text;
}

static void assert_same(struct pair *pair, bool committed, int step)
{
    uint64_t seed = random_below(UINT64_MAX);
    char *first = dump_world(pair->at[0], pair, seed, committed),
         *second = dump_world(pair->at[1], pair, seed, committed);
    if (strcmp(first, second) != 0) {
        size_t i = 0;
        while (first[i] == second[i])
            i++;
        while (i > 0 && first[i - 1] != '\n')
            i--;
        fail_msg("step %d: memory reads\n%.300s\n... but sqlite reads\n%.300s", step, first + i,
                 second + i);
    }
    free(first);
    free(second);
}

/* Small steps, so that lists come from both sides of what was brought into the index. */
static void small_steps(struct world *w)
{
    ((struct sqlite_store *)w->store)->list_step = 50;
    ((struct sqlite_store *)w->store)->list_lag = 20;
    ((struct sqlite_store *)w->store)->type_step = 30;
}

static void recover_same(struct pair *pair)
{
    struct dump dumps[2];
    for (int i = 0; i < 2; i++) {
        dumps[i].file = open_memstream(&dumps[i].text, &dumps[i].bytes);
        world_restart(pair->at[i]);
        assert_int_equal(store_recover(pair->at[i]->store, dump_recovered, &dumps[i]), STORE_OK);
        fclose(dumps[i].file);
    }
    small_steps(pair->at[1]);
    assert_string_equal(dumps[0].text, dumps[1].text);
    free(dumps[0].text);
    free(dumps[1].text);
}

static void random_histories_read_the_same(void **state)
{
    (void)state;
    struct pair both = {.at = {world_new(false), world_new(true)}}, *pair = &both, before;
    world_open(both.at[0]);
    world_open(both.at[1]);
    small_steps(both.at[1]);
    for (int step = 0; step < STEPS; step++) {
        mono_ms now = 100 + step;
        struct instant instant = {now, now * 1000};
        before = both;
        BOTH_SAME(store_begin(w->store));
        for (uint64_t verbs = random_below(10); verbs > 0; verbs--)
            one_verb(pair, now);
        unsigned end = (unsigned)random_below(20);
        if (end == 0)
            assert_same(pair, false, step); /* readers see none of it, the writing thread all */
        if (end < 3) {
            for (int i = 0; i < 2; i++)
                store_rollback(both.at[i]->store);
            both = before;
        } else {
            BOTH_SAME(store_commit(w->store, instant, "boot"));
        }
        if (end == 4)
            recover_same(pair);
        for (int i = 0; i < 2; i++)
            store_tend(both.at[i]->store);
        if (step % 10 == 0)
            assert_same(pair, true, step);
    }
    assert_true(both.deliveries > 300);
    world_free(both.at[0]);
    world_free(both.at[1]);
}

int main(void)
{
    const char *seed = getenv("REVHOOK_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)getpid();
    printf("REVHOOK_SEED=%lu\n", (unsigned long)random_state);
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_histories_read_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
