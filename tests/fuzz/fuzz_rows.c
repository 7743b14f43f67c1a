/*
 * fuzz_rows.c - a store whose file was damaged: cells that hold something else, or bytes that
 * changed.
 *
 * Each input damages a copy of a small store (damage.h), which is then opened as at a start,
 * recovered, and read by every verb that lists. Checked for every input:
 *   - opening ends well, or says why in words;
 *   - whatever is visited has states, reasons, outcomes and types that this program knows, spans
 *     that can be read to their end, and, if only cells were damaged, the order that is promised;
 *   - recovering a second time ends as the first time and visits the same rows;
 *   - of a webhook that is visited a configuration is made, or refused; nothing else happens;
 *   - where only cells were damaged, an event that is accepted and committed can be read back.
 */
#include <assert.h>

#include "dispatcher/hook.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/fuzz.h"

/* What a listing has shown. */
struct seen {
    bool ordered; /* the file's indexes are in order */
    uint64_t hash;
    int64_t key;
    mono_ms due;
};

static void add(struct seen *seen, const void *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        seen->hash = (seen->hash ^ ((const uint8_t *)at)[i]) * UINT64_C(0x100000001b3);
}

static void look_webhook(struct seen *seen, const struct store_webhook *row)
{
    const struct store_bytes *texts[] = {&row->id,      &row->org,      &row->partition,
                                         &row->url,     &row->target,   &row->secret,
                                         &row->headers, &row->signature};
    assert(row->status.state < WEBHOOK_STATE_COUNT && row->status.reason < REASON_COUNT);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        add(seen, texts[i]->at, texts[i]->bytes);
    add(seen, &row->key, sizeof(row->key));
    add(seen, &row->status.state, sizeof(row->status.state));
    struct webhook_config *config = webhook_config_from_row(row, "don:x");
    assert(config == NULL || config->header_count <= WEBHOOK_HEADERS_MAX);
    webhook_config_drop(config);
}

static bool see_recovered(void *context, const struct store_webhook *row, bool has_open)
{
    assert(row->status.state != WEBHOOK_DELETED);
    look_webhook(context, row);
    add(context, &has_open, sizeof(has_open));
    return true;
}

static bool see_webhook(void *context, const struct store_webhook *row)
{
    look_webhook(context, row);
    return true;
}

static bool see_event(void *context, const struct store_event *row)
{
    struct seen *seen = context;
    assert((unsigned)row->type < EVENT_TYPE_COUNT);
    assert(!seen->ordered || seen->key == 0 || row->key < seen->key);
    seen->key = row->key;
    add(seen, row->payload.at, row->payload.bytes);
    return true;
}

static bool see_delivery(void *context, const struct store_delivery *row)
{
    struct seen *seen = context;
    assert(row->state < DELIVERY_STATE_COUNT && row->reason < REASON_COUNT);
    assert(row->webhook_state < WEBHOOK_STATE_COUNT && (unsigned)row->type < EVENT_TYPE_COUNT);
    assert(!seen->ordered || seen->key == 0 || row->key < seen->key);
    seen->key = row->key;
    add(seen, row->webhook_id.at, row->webhook_id.bytes);
    return true;
}

static bool see_attempt(void *context, const struct store_attempt *row)
{
    assert(row->outcome < OUTCOME_COUNT);
    add(context, row->answer.at, row->answer.bytes);
    return true;
}

static bool see_pending(void *context, const struct store_pending *row)
{
    struct seen *seen = context;
    assert((unsigned)row->type < EVENT_TYPE_COUNT && row->due != MONO_NEVER);
    assert(!seen->ordered || row->due > seen->due ||
           (row->due == seen->due && row->key > seen->key));
    seen->due = row->due;
    seen->key = row->key;
    add(seen, row->payload.at, row->payload.bytes);
    return true;
}

static void read_lists(struct store_reader *reader, bool ordered)
{
    struct store_bytes org = bytes_of("dev0");
    struct seen seen = {.ordered = ordered};
    store_webhook_list(reader, org, see_webhook, &seen);
    for (int type = -1; type <= EVENT_work_created; type += EVENT_work_created + 1) {
        seen.key = 0;
        store_event_list(reader, org, 0, type, 100, see_event, &seen);
    }
    for (int state = -1; state < DELIVERY_STATE_COUNT; state++) {
        struct store_delivery_filter filter = {.org = org, .state = state, .limit = 100};
        if (state == DELIVERY_IN_FLIGHT) /* nothing that a store knows */
            continue;
        seen.key = 0;
        store_delivery_list(reader, &filter, see_delivery, &seen);
    }
    for (int64_t key = 1; key <= 12; key++)
        store_attempt_list(reader, key, see_attempt, &seen);
}

/* An event that is accepted now is there afterwards. */
static void accept_one(struct store *store, struct store_reader *reader, bool must_hold)
{
    struct store_event event = damage_event_row();
    struct store_target target = {1, 5000, DELIVERY_PENDING, REASON_none};
    struct seen seen = {0};
    bool accepted =
        store_begin(store) == STORE_OK && store_accept(store, &event, &target, 1) == STORE_OK &&
        store_commit(store, (struct instant){2000, 1700000000000001}, "boot-1") == STORE_OK;
    if (!accepted) {
        store_rollback(store);
        return;
    }
    enum store_result result =
        store_event_get(reader, bytes_of("dev0"), event.key, event.salt, see_event, &seen);
    assert(!must_hold || (result == STORE_OK && seen.key == event.key));
}

static void read_store(struct store *store, bool by_cells)
{
    struct seen first = {0}, second = {0};
    enum store_result result = store_recover(store, see_recovered, &first);
    assert(store_recover(store, see_recovered, &second) == result);
    assert(!by_cells || first.hash == second.hash);
    for (int64_t webhook = 1; webhook <= WEBHOOK_STATE_COUNT; webhook++) {
        struct seen seen = {.ordered = by_cells, .due = INT64_MIN};
        bool more;
        store_pending_after(store, webhook, INT64_MIN, 0, 100, see_pending, &seen, &more);
    }
    struct store_reader *reader = store_reader_open(store, NULL, 0);
    if (reader != NULL) {
        read_lists(reader, by_cells);
        accept_one(store, reader, by_cells);
    }
    store_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct store *store;
    char error[256] = "";
    if (bytes < 5)
        return 0;
    bool by_cells = damage_store(data, bytes);
    if (damage_open(&store, error) != STORE_OK) {
        assert(store == NULL && error[0] != '\0');
        return 0;
    }
    read_store(store, by_cells);
    store_close(store);
    return 0;
}
