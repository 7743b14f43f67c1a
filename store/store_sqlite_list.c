/* The SQLite back-end: pages of events and deliveries, newest first.
 *
 * Owns: the ways through the indexes that keep a list bounded, whatever the filter and however many
 * rows do not match it.
 *
 * Happy path: one read transaction (so that all of the page is of one moment) collects keys, then
 * each row is read by its key and visited. Keys come from "streams", index ranges that are newest
 * first by themselves: the deliveries of one webhook in one state, the events of one type. A list
 * over several streams merges them: it takes from each until the rest of the stream is older than a
 * full page. The commonest list, with no filter, needs no stream: it walks the newest rows of the
 * table, and merges only where many of them belong to other organisations.
 *
 * The streams are brought up to date many rows at a time (sqlite_list_step); the
 * newest ones are not in them, so a list begins by looking through those.
 *
 * Failure modes: STORE_FAILED with its text; the reader stays usable.
 *
 * Refuses: to sort rows, and to look at rows that are not on the page, but for those few of a walk
 * and those of one event. */
#include "store/store_sqlite.h"

#include <stdlib.h>
#include <string.h>

enum { WALK_ROWS = 1000 }; /* rows of others that a walk steps over before it gives up */

static enum store_result run(struct sqlite_reader *r, enum sqlite_read statement)
{
    return sqlite_read_finish(r, statement, sqlite3_step(r->statements[statement]));
}

/* ---- the keys of a page ---- */

/* Makes room for `limit` keys. */
static enum store_result page_begin(struct sqlite_reader *r, unsigned limit)
{
    r->key_count = 0;
    r->key_limit = limit;
    if (limit <= r->key_capacity)
        return STORE_OK;
    int64_t *grown = realloc(r->keys, limit * sizeof *grown);
    if (grown == NULL) {
        store_reader_set_error(&r->base, "no memory for a page of %u rows", limit);
        return STORE_FAILED;
    }
    r->keys = grown;
    r->key_capacity = limit;
    return STORE_OK;
}

/* Puts a key in its place; false if the page is full of newer ones, so that whatever is older has
 * no chance. */
static bool page_offer(struct sqlite_reader *r, int64_t key)
{
    unsigned place = r->key_count;
    while (place > 0 && r->keys[place - 1] < key)
        place--;
    if (place == r->key_limit)
        return false;
    if (r->key_count < r->key_limit)
        r->key_count++;
    memmove(&r->keys[place + 1], &r->keys[place], (r->key_count - place - 1) * sizeof *r->keys);
    r->keys[place] = key;
    return true;
}

/* Takes the keys of one stream, whose parameters are bound. */
static enum store_result page_stream(struct sqlite_reader *r, enum sqlite_read stream)
{
    int code = SQLITE_DONE;
    while (r->key_limit > 0 && (code = sqlite3_step(r->statements[stream])) == SQLITE_ROW)
        if (!page_offer(r, sqlite3_column_int64(r->statements[stream], 0)))
            break;
    return sqlite_read_finish(r, stream, code);
}

/* Takes keys from the newest rows of a table, those of `org` alone. *enough: the page is full, or
 * the table has no more. */
static enum store_result page_walk(struct sqlite_reader *r, enum sqlite_read which,
                                   struct store_bytes org, int64_t before, bool *enough)
{
    sqlite3_stmt *walk = r->statements[which];
    int64_t rows = 0, rows_max = (int64_t)r->key_limit + WALK_ROWS;
    int code = SQLITE_DONE;
    sqlite_bind_text(walk, 1, org);
    sqlite3_bind_int64(walk, 2, before);
    sqlite3_bind_int64(walk, 3, rows_max);
    while (r->key_count < r->key_limit && (code = sqlite3_step(walk)) == SQLITE_ROW) {
        rows++;
        if (sqlite3_column_int(walk, 1) != 0)
            page_offer(r, sqlite3_column_int64(walk, 0));
    }
    *enough = r->key_count == r->key_limit || rows < rows_max;
    if (!*enough)
        r->key_count = 0;
    return sqlite_read_finish(r, which, code);
}

/* ---- events ---- */

/* Binds a type of events, NULL for any. */
static void bind_type(sqlite3_stmt *statement, int place, int type)
{
    if (type < 0)
        sqlite3_bind_null(statement, place);
    else
        sqlite3_bind_text(statement, place, event_type_name(type), -1, SQLITE_STATIC);
}

/* The newest events, which are in no stream yet, one by one. */
static enum store_result event_tail(struct sqlite_reader *r, struct store_bytes org, int64_t before,
                                    int type)
{
    sqlite3_stmt *tail = r->statements[READ_EVENT_TAIL];
    sqlite3_bind_int64(tail, 1, before);
    sqlite_bind_text(tail, 2, org);
    bind_type(tail, 3, type);
    sqlite3_bind_int64(tail, 4, r->key_limit);
    return page_stream(r, READ_EVENT_TAIL);
}

static enum store_result event_page(struct sqlite_reader *r, struct store_bytes org, int64_t before,
                                    int type)
{
    enum store_result result = STORE_OK;
    bool enough = false;
    if (type < 0)
        result = page_walk(r, READ_EVENT_WALK, org, before, &enough);
    if (result == STORE_OK && !enough) {
        result = event_tail(r, org, before, type);
        enough = r->key_count == r->key_limit; /* whatever is in the streams is older */
    }
    for (int each = 0; each < EVENT_TYPE_COUNT && result == STORE_OK && !enough; each++) {
        if (type >= 0 && each != type)
            continue;
        sqlite3_stmt *stream = r->statements[READ_EVENT_STREAM];
        sqlite_bind_text(stream, 1, org);
        bind_type(stream, 2, each);
        sqlite3_bind_int64(stream, 3, before);
        result = page_stream(r, READ_EVENT_STREAM);
    }
    return result;
}

enum store_result sqlite_event_list(struct store_reader *reader, struct store_bytes org,
                                    int64_t before, int type, unsigned limit,
                                    store_visit_event *visit, void *ctx)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    enum store_result result = page_begin(r, limit);
    if (result == STORE_OK)
        result = run(r, READ_BEGIN);
    if (result != STORE_OK)
        return result;
    result = event_page(r, org, before, type);
    bool go_on = true;
    for (unsigned i = 0; i < r->key_count && result == STORE_OK && go_on; i++)
        result = sqlite_event_visit(r, org, r->keys[i], NULL, visit, ctx, &go_on);
    run(r, READ_END);
    return result;
}

/* ---- deliveries ---- */

/* The streams of one webhook that the filter asks for: one for each state as it is stored. */
static enum store_result page_webhook(struct sqlite_reader *r,
                                      const struct store_delivery_filter *filter, int64_t webhook,
                                      bool unverified)
{
    static const int stored[] = {DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_FAILED,
                                 DELIVERY_DROPPED};
    sqlite3_stmt *stream = r->statements[READ_DELIVERY_STREAM];
    enum store_result result = STORE_OK;
    for (int i = 0; i < 4 && result == STORE_OK; i++) {
        int shown = stored[i] == DELIVERY_PENDING && unverified ? DELIVERY_HELD : stored[i];
        if (filter->state >= 0 && filter->state != shown)
            continue;
        sqlite3_bind_int(stream, 1, stored[i]);
        sqlite3_bind_int64(stream, 2, webhook);
        sqlite3_bind_int64(stream, 3, filter->before);
        result = page_stream(r, READ_DELIVERY_STREAM);
    }
    return result;
}

static enum store_result page_webhooks(struct sqlite_reader *r,
                                       const struct store_delivery_filter *filter)
{
    enum sqlite_read which = filter->webhook != 0 ? READ_WEBHOOK_STATE : READ_WEBHOOK_STATES;
    sqlite3_stmt *webhooks = r->statements[which];
    enum store_result result = STORE_OK;
    int code;
    sqlite_bind_text(webhooks, 1, filter->org);
    if (filter->webhook != 0)
        sqlite3_bind_int64(webhooks, 2, filter->webhook);
    while ((code = sqlite3_step(webhooks)) == SQLITE_ROW && result == STORE_OK) {
        struct store_bytes state = sqlite_bytes(webhooks, 1);
        bool unverified = webhook_state_from_name(state.at, state.bytes) == WEBHOOK_UNVERIFIED;
        result = page_webhook(r, filter, sqlite3_column_int64(webhooks, 0), unverified);
    }
    enum store_result end = sqlite_read_finish(r, which, code);
    return result != STORE_OK ? result : end;
}

/* The newest deliveries, which are in no stream yet, one by one. */
static enum store_result page_tail(struct sqlite_reader *r,
                                   const struct store_delivery_filter *filter)
{
    sqlite3_stmt *tail = r->statements[READ_DELIVERY_TAIL];
    sqlite3_bind_int64(tail, 1, filter->before);
    sqlite_bind_text(tail, 2, filter->org);
    sqlite3_bind_int64(tail, 3, filter->webhook);
    sqlite3_bind_int(tail, 4, filter->state);
    sqlite3_bind_int(tail, 5, filter->state == DELIVERY_HELD ? DELIVERY_PENDING : filter->state);
    sqlite3_bind_int64(tail, 6, filter->limit);
    return page_stream(r, READ_DELIVERY_TAIL);
}

static enum store_result delivery_page(struct sqlite_reader *r,
                                       const struct store_delivery_filter *filter)
{
    if (filter->event != 0) {
        sqlite3_stmt *stream = r->statements[READ_DELIVERY_OF_EVENT];
        sqlite3_bind_int64(stream, 1, filter->event);
        sqlite_bind_text(stream, 2, filter->org);
        sqlite3_bind_int64(stream, 3, filter->before);
        sqlite3_bind_int64(stream, 4, filter->webhook);
        sqlite3_bind_int(stream, 5, filter->state);
        sqlite3_bind_int64(stream, 6, filter->limit);
        return page_stream(r, READ_DELIVERY_OF_EVENT);
    }
    bool enough = false;
    enum store_result result = STORE_OK;
    if (filter->webhook == 0 && filter->state < 0)
        result = page_walk(r, READ_DELIVERY_WALK, filter->org, filter->before, &enough);
    if (result == STORE_OK && !enough)
        result = page_tail(r, filter);
    if (result == STORE_OK && !enough && r->key_count < r->key_limit)
        result = page_webhooks(r, filter);
    return result;
}

enum store_result sqlite_delivery_list(struct store_reader *reader,
                                       const struct store_delivery_filter *filter,
                                       store_visit_delivery *visit, void *ctx)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    enum store_result result = page_begin(r, filter->limit);
    if (result == STORE_OK)
        result = run(r, READ_BEGIN);
    if (result != STORE_OK)
        return result;
    result = delivery_page(r, filter);
    bool go_on = true;
    for (unsigned i = 0; i < r->key_count && result == STORE_OK && go_on; i++)
        result = sqlite_delivery_visit(r, filter->org, r->keys[i], NULL, visit, ctx, &go_on);
    run(r, READ_END);
    return result;
}
