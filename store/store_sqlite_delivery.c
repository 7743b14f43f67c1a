/* The SQLite back-end: events, deliveries and attempts, as the writing thread uses them.
 *
 * Owns: the counters of keys while a transaction is under way. Deliveries of one event get
 * consecutive keys and rows are always appended, so that an event with one delivery is two short
 * inserts, and an attempt a look, an insert and an update.
 *
 * Happy path: bind, step, reset. Failure modes: rows that are not there or not in the state that
 * the verb needs; else sqlite_write_failed. A verb that fails half way is no matter: the front lets
 * the transaction end in a rollback alone.
 *
 * Refuses: to read for clients; readers have connections of their own. */
#include "store/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The codes of delivery.state in the file (schema/sqlite_0001.sql). */
_Static_assert(DELIVERY_PENDING == 0 && DELIVERY_DELIVERED == 3 && DELIVERY_FAILED == 4 &&
                   DELIVERY_DROPPED == 5,
               "delivery states are stored by number");

/* ---- events and deliveries ---- */

enum store_result sqlite_accept(struct store *store, struct store_event *event,
                                const struct store_target *targets, uint32_t target_count)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *insert = s->statements[WRITE_EVENT_INSERT],
                 *delivery = s->statements[WRITE_DELIVERY_INSERT];
    event->key = s->next_event;
    event->first_delivery = s->next_delivery;
    event->delivery_count = target_count;
    sqlite3_bind_int64(insert, 1, event->key);
    sqlite3_bind_int64(insert, 2, (int64_t)event->salt);
    sqlite_bind_text(insert, 3, event->org);
    sqlite3_bind_text(insert, 4, event_type_name(event->type), -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 5, event->created_us);
    sqlite3_bind_int64(insert, 6, event->first_delivery);
    sqlite3_bind_int64(insert, 7, target_count);
    sqlite_bind_text(insert, 8, event->payload);
    if (event->object != 0)
        sqlite3_bind_int64(insert, 9, event->object);
    else
        sqlite3_bind_null(insert, 9);
    enum store_result result = sqlite_run(s, WRITE_EVENT_INSERT);
    if (result == STORE_OK && event->object != 0)
        result = sqlite_object_put(s, event);
    for (uint32_t i = 0; i < target_count && result == STORE_OK; i++) {
        sqlite3_bind_int64(delivery, 1, event->first_delivery + i);
        sqlite3_bind_int64(delivery, 2, event->key);
        sqlite3_bind_int64(delivery, 3, targets[i].webhook);
        sqlite3_bind_int(delivery, 4, targets[i].state);
        sqlite_bind_reason(delivery, 5, targets[i].reason);
        sqlite_bind_due(delivery, 6, targets[i].due);
        result = sqlite_run(s, WRITE_DELIVERY_INSERT);
    }
    if (result != STORE_OK)
        return result;
    s->next_event++;
    s->next_delivery += target_count;
    return STORE_OK;
}

/* What a verb has to know of a delivery before it changes it. */
struct look {
    unsigned attempt_count;
    bool open;
    int ended;  /* the old end of an open redelivery, or -1 */
    int reason; /* of that end */
};

static enum store_result look(struct sqlite_store *s, int64_t key, struct look *found)
{
    sqlite3_stmt *look = s->statements[WRITE_DELIVERY_LOOK];
    sqlite3_bind_int64(look, 1, key);
    int code = sqlite3_step(look);
    enum store_result result = STORE_OK;
    if (code == SQLITE_DONE) {
        result = STORE_NOT_FOUND;
    } else if (code != SQLITE_ROW) {
        result = sqlite_write_failed(s);
    } else {
        found->attempt_count = (unsigned)sqlite3_column_int(look, 0);
        found->open = sqlite3_column_type(look, 1) != SQLITE_NULL;
        found->ended =
            sqlite3_column_type(look, 2) != SQLITE_NULL ? sqlite3_column_int(look, 2) : -1;
        found->reason = sqlite_reason(look, 3);
        if (found->reason < 0) {
            store_set_error(&s->base, "delivery %lld has a reason that this program does not know",
                            (long long)key);
            result = STORE_FAILED;
        }
    }
    sqlite3_reset(look);
    return result;
}

static enum store_result insert_attempt(struct sqlite_store *s, const struct store_record *record,
                                        unsigned n)
{
    const struct store_attempt *attempt = &record->attempt;
    struct store_bytes answer = attempt->answer;
    sqlite3_stmt *insert = s->statements[WRITE_ATTEMPT_INSERT];
    if (answer.bytes > s->answer_bytes_max)
        answer.bytes = s->answer_bytes_max;
    sqlite3_bind_int64(insert, 1, record->delivery);
    sqlite3_bind_int64(insert, 2, n);
    sqlite3_bind_int(insert, 3, attempt->redelivery);
    if (attempt->outcome == OUTCOME_acknowledged)
        sqlite3_bind_null(insert, 4);
    else
        sqlite3_bind_text(insert, 4, outcome_name(attempt->outcome), -1, SQLITE_STATIC);
    sqlite3_bind_int(insert, 5, attempt->http_status);
    sqlite3_bind_int64(insert, 6, attempt->started_us);
    sqlite3_bind_int64(insert, 7, attempt->duration_ms);
    if (answer.bytes == 0)
        sqlite3_bind_null(insert, 8);
    else
        sqlite_bind_blob(insert, 8, answer);
    return sqlite_run(s, WRITE_ATTEMPT_INSERT);
}

enum store_result sqlite_record(struct store *store, const struct store_record *record)
{
    struct sqlite_store *s = sqlite_of(store);
    struct look old;
    enum store_result result = look(s, record->delivery, &old);
    if (result != STORE_OK)
        return result;
    if (!old.open)
        return STORE_CONFLICT;
    if (old.attempt_count < STORE_ATTEMPTS_MAX) {
        old.attempt_count++;
        result = insert_attempt(s, record, old.attempt_count);
        if (result != STORE_OK)
            return result;
    }
    bool again = record->due != MONO_NEVER;
    bool old_end_stands = old.ended >= 0 && record->state != DELIVERY_DELIVERED;
    enum sqlite_write which = again ? WRITE_DELIVERY_AGAIN : WRITE_DELIVERY_END;
    sqlite3_stmt *update = s->statements[which];
    sqlite3_bind_int64(update, 1, record->delivery);
    sqlite3_bind_int64(update, 2, old.attempt_count);
    if (again) {
        sqlite3_bind_int64(update, 3, record->due);
    } else {
        sqlite3_bind_int(update, 3, old_end_stands ? old.ended : record->state);
        sqlite_bind_reason(update, 4, old_end_stands ? (unsigned)old.reason : record->reason);
    }
    return sqlite_run(s, which);
}

enum store_result sqlite_reopen(struct store *store, int64_t delivery, mono_ms due)
{
    struct sqlite_store *s = sqlite_of(store);
    struct look old;
    enum store_result result = look(s, delivery, &old);
    if (result != STORE_OK)
        return result;
    if (old.open || old.attempt_count >= STORE_ATTEMPTS_MAX)
        return STORE_CONFLICT;
    sqlite3_bind_int64(s->statements[WRITE_REOPEN], 1, delivery);
    sqlite3_bind_int64(s->statements[WRITE_REOPEN], 2, due);
    return sqlite_run(s, WRITE_REOPEN);
}

/* Keys as a JSON array, for json_each; NULL for want of memory. */
static char *keys_text(const int64_t *keys, size_t count)
{
    size_t room = count * 21 + 3;
    char *text = malloc(room), *end = text;
    if (text == NULL)
        return NULL;
    *end++ = '[';
    for (size_t i = 0; i < count; i++)
        end += snprintf(end, room - (size_t)(end - text), i > 0 ? ",%lld" : "%lld",
                        (long long)keys[i]);
    memcpy(end, "]", 2);
    return text;
}

enum store_result sqlite_settle(struct store *store, int64_t webhook, enum delivery_state state,
                                enum reason reason, const int64_t *except, size_t except_count,
                                uint64_t *settled)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *settle = s->statements[WRITE_SETTLE];
    char *text = keys_text(except, except_count);
    if (text == NULL) {
        store_set_error(store, "no memory for %zu exceptions", except_count);
        return STORE_FAILED;
    }
    sqlite3_bind_int64(settle, 1, webhook);
    sqlite3_bind_int(settle, 2, (int)state);
    sqlite_bind_reason(settle, 3, reason);
    sqlite3_bind_text(settle, 4, text, -1, SQLITE_STATIC);
    enum store_result result = sqlite_run(s, WRITE_SETTLE);
    if (result == STORE_OK)
        *settled = (uint64_t)sqlite3_changes64(s->db);
    sqlite3_bind_null(settle, 4);
    free(text);
    return result;
}

/* ---- what is open ---- */

static bool pending_row(sqlite3_stmt *statement, int64_t webhook, struct store_pending *row)
{
    int type = sqlite_event_type(statement, 6);
    *row = (struct store_pending){.key = sqlite3_column_int64(statement, 0),
                                  .event = sqlite3_column_int64(statement, 1),
                                  .webhook = webhook,
                                  .due = sqlite3_column_int64(statement, 2),
                                  .attempt_count = (uint8_t)sqlite3_column_int(statement, 3),
                                  .redelivery = sqlite3_column_int(statement, 4) != 0,
                                  .salt = (uint64_t)sqlite3_column_int64(statement, 5),
                                  .type = type,
                                  .payload = sqlite_bytes(statement, 7)};
    /* text and blobs sort behind all numbers, so such a row would come again with every page */
    return type >= 0 && sqlite3_column_type(statement, 2) == SQLITE_INTEGER;
}

/* Two ranges of the index one after the other: those due at the very instant behind `key`, then
 * those due later. (One range over the pair would read all that are due at that instant again for
 * each page.) */
enum store_result sqlite_pending_after(struct store *store, int64_t webhook, mono_ms due,
                                       int64_t key, unsigned limit, store_visit_pending *visit,
                                       void *ctx, bool *more)
{
    static const enum sqlite_write ranges[] = {WRITE_PENDING_AT, WRITE_PENDING_BEHIND};
    struct sqlite_store *s = sqlite_of(store);
    enum store_result result = STORE_OK;
    bool go_on = true;
    for (int i = 0; i < 2 && result == STORE_OK && !*more; i++) {
        sqlite3_stmt *range = s->statements[ranges[i]];
        sqlite3_bind_int64(range, 1, webhook);
        sqlite3_bind_int64(range, 2, due);
        if (i == 0)
            sqlite3_bind_int64(range, 3, key);
        sqlite3_bind_int64(range, 4,
                           (int64_t)limit + 1); /* one more, to see whether there is one */
        int code;
        while ((code = sqlite3_step(range)) == SQLITE_ROW && !*more) {
            struct store_pending row;
            if (limit == 0 || !go_on) {
                *more = true;
                break;
            }
            if (!pending_row(range, webhook, &row)) {
                store_set_error(store,
                                "delivery %lld is due at no number, or its event %lld has a type "
                                "that this program does not know",
                                (long long)row.key, (long long)row.event);
                result = STORE_FAILED;
                break;
            }
            go_on = visit(ctx, &row);
            limit--;
        }
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            result = sqlite_write_failed(s);
        sqlite3_reset(range);
    }
    return result;
}

enum store_result sqlite_open_count(struct store *store, uint64_t *count)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *statement = s->statements[WRITE_OPEN_COUNT];
    enum store_result result = STORE_OK;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *count = (uint64_t)sqlite3_column_int64(statement, 0);
    else
        result = sqlite_write_failed(s);
    sqlite3_reset(statement);
    return result;
}

/* ---- lists ---- */

/* Brings the rows behind `from` up to `to` into their list, and notes that. */
static enum store_result bring(struct sqlite_store *s, enum sqlite_write rows,
                               enum sqlite_write note, int64_t from, int64_t to)
{
    sqlite3_bind_int64(s->statements[rows], 1, from);
    sqlite3_bind_int64(s->statements[rows], 2, to);
    sqlite3_bind_int64(s->statements[note], 1, to);
    enum store_result result = sqlite_run(s, WRITE_BEGIN);
    if (result == STORE_OK)
        result = sqlite_run(s, rows);
    if (result == STORE_OK)
        result = sqlite_run(s, note);
    return result == STORE_OK ? sqlite_run(s, WRITE_COMMIT) : result;
}

/* A step of its own size while the new ones do not outgrow it; otherwise half of what waits, so
 * that readers never have more to look through than twice the largest transaction. A step that
 * fails is rolled back and tried again after the next commit. */
static enum store_result bring_next(struct sqlite_store *s, enum sqlite_write rows,
                                    enum sqlite_write note, int64_t *brought, int64_t waiting,
                                    int64_t step)
{
    if (waiting / 2 > step)
        step = waiting / 2;
    enum store_result result = bring(s, rows, note, *brought, *brought + step);
    if (result == STORE_OK)
        *brought += step;
    else if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

/* How many times longer the steps are than at least. A step costs a page for each webhook, however
 * few its rows: short ones where commits are small and somebody waits, long ones where rate counts.
 */
static int64_t list_pace(const struct sqlite_store *s)
{
    return s->commit_rows < 16 ? 1 : s->commit_rows < 64 ? s->commit_rows / 8 : 8;
}

enum store_result sqlite_list_step(struct sqlite_store *s)
{
    enum store_result listed = STORE_OK, typed = STORE_OK;
    int64_t pace = list_pace(s), list_step = pace * s->list_step, type_step = pace * s->type_step;
    int64_t deliveries = s->next_delivery - 1 - s->listed, events = s->next_event - 1 - s->typed;
    if (deliveries >= list_step + s->list_lag)
        listed = bring_next(s, WRITE_LIST, WRITE_LISTED, &s->listed, deliveries, list_step);
    if (events >= type_step)
        typed = bring_next(s, WRITE_TYPE, WRITE_TYPED, &s->typed, events, type_step);
    return listed != STORE_OK ? listed : typed;
}

/* ---- purge ---- */

struct old_event {
    int64_t key, first, behind; /* its deliveries: first .. behind - 1 */
    int64_t object;             /* 0: none */
};

static enum store_result find_old(struct sqlite_store *s, wall_us before_us, unsigned limit,
                                  struct old_event *events, unsigned *count)
{
    sqlite3_stmt *find = s->statements[WRITE_PURGE_FIND];
    int code;
    sqlite3_bind_int64(find, 1, before_us);
    sqlite3_bind_int64(find, 2, limit);
    while ((code = sqlite3_step(find)) == SQLITE_ROW) {
        struct old_event *event = &events[(*count)++];
        event->key = sqlite3_column_int64(find, 0);
        event->first = sqlite3_column_int64(find, 1);
        event->behind = event->first + sqlite3_column_int64(find, 2);
        event->object = sqlite3_column_int64(find, 3);
    }
    enum store_result result = code == SQLITE_DONE ? STORE_OK : sqlite_write_failed(s);
    sqlite3_reset(find);
    return result;
}

static enum store_result remove_range(struct sqlite_store *s, enum sqlite_write which,
                                      const struct old_event *event)
{
    sqlite3_bind_int64(s->statements[which], 1, event->first);
    sqlite3_bind_int64(s->statements[which], 2, event->behind);
    return sqlite_run(s, which);
}

enum store_result sqlite_purge(struct store *store, wall_us before_us, mono_ms now, unsigned limit,
                               unsigned *removed)
{
    struct sqlite_store *s = sqlite_of(store);
    struct old_event *events = store_alloc((size_t)limit * sizeof *events + 1);
    unsigned count = 0;
    enum store_result result = find_old(s, before_us, limit, events, &count);
    for (unsigned i = 0; i < count && result == STORE_OK; i++) {
        result = remove_range(s, WRITE_PURGE_ATTEMPTS, &events[i]);
        if (result == STORE_OK)
            result = remove_range(s, WRITE_PURGE_DELIVERIES, &events[i]);
        if (result == STORE_OK && events[i].object != 0)
            result = sqlite_object_keep(s, events[i].object, events[i].key);
        sqlite3_bind_int64(s->statements[WRITE_PURGE_TYPE], 1, events[i].key);
        sqlite3_bind_int64(s->statements[WRITE_PURGE_EVENT], 1, events[i].key);
        if (result == STORE_OK)
            result = sqlite_run(s, WRITE_PURGE_TYPE);
        if (result == STORE_OK)
            result = sqlite_run(s, WRITE_PURGE_EVENT);
    }
    free(events);
    sqlite3_bind_int64(s->statements[WRITE_PURGE_KEYS], 1, now);
    sqlite3_bind_int64(s->statements[WRITE_PURGE_KEYS], 2, limit);
    if (result == STORE_OK)
        result = sqlite_run(s, WRITE_PURGE_KEYS);
    if (result != STORE_OK)
        return result;
    unsigned keys = (unsigned)sqlite3_changes(s->db);
    *removed = count > keys ? count : keys;
    return STORE_OK;
}
