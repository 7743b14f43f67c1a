/* The SQLite back-end: objects, of which the last version is kept.
 *
 * Owns: the table `object`. What an event costs that is a version: its number in its own row, a
 * row of numbers under the object's number, and a look whether the display id still leads there; no
 * index, and no second copy of the payload. Only when retention takes the event is its payload
 * moved here, so that retention never has to look at what it must leave alone.
 *
 * Happy path: bind, step, reset. Failure modes: sqlite_write_failed; a row that leads nowhere (a
 * display id whose object was deleted under another one) is not found.
 *
 * Refuses: to know what a number stands for, and to look into a payload. */
#include "store/store_sqlite.h"

static void bind_number(sqlite3_stmt *statement, int place, int64_t number)
{
    if (number != 0)
        sqlite3_bind_int64(statement, place, number);
    else
        sqlite3_bind_null(statement, place);
}

enum store_result sqlite_object_put(struct sqlite_store *s, const struct store_event *event)
{
    sqlite3_stmt *put = s->statements[WRITE_OBJECT_PUT], *alias = s->statements[WRITE_OBJECT_ALIAS];
    sqlite3_bind_int64(put, 1, event->object);
    bind_number(put, 2, event->object_alias);
    sqlite3_bind_int64(put, 3, event->key);
    enum store_result result = sqlite_run(s, WRITE_OBJECT_PUT);
    if (result != STORE_OK || event->object_alias == 0)
        return result;
    sqlite3_bind_int64(alias, 1, event->object_alias);
    sqlite3_bind_int64(alias, 2, event->object);
    return sqlite_run(s, WRITE_OBJECT_ALIAS);
}

enum store_result sqlite_object_keep(struct sqlite_store *s, int64_t number, int64_t event)
{
    sqlite3_bind_int64(s->statements[WRITE_PURGE_OBJECT], 1, number);
    sqlite3_bind_int64(s->statements[WRITE_PURGE_OBJECT], 2, event);
    return sqlite_run(s, WRITE_PURGE_OBJECT);
}

enum store_result sqlite_object_get(struct store *store, int64_t number, store_visit_object *visit,
                                    void *ctx)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *find = s->statements[WRITE_OBJECT_FIND];
    enum store_result result = STORE_OK;
    sqlite3_bind_int64(find, 1, number);
    int code = sqlite3_step(find);
    if (code == SQLITE_DONE) {
        result = STORE_NOT_FOUND;
    } else if (code != SQLITE_ROW) {
        result = sqlite_write_failed(s);
    } else {
        int type = sqlite_event_type(find, 3);
        struct store_object row = {.org = sqlite_bytes(find, 2),
                                   .type = (enum event_type)type,
                                   .payload = sqlite_bytes(find, 4),
                                   .by_alias = sqlite3_column_int64(find, 0) != number};
        if (type >= 0) {
            visit(ctx, &row);
        } else {
            store_set_error(store, "object %lld has a type that this program does not know",
                            (long long)number);
            result = STORE_FAILED;
        }
    }
    sqlite3_reset(find);
    return result;
}

enum store_result sqlite_object_remove(struct store *store, int64_t number)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *find = s->statements[WRITE_OBJECT_FIND],
                 *remove = s->statements[WRITE_OBJECT_REMOVE];
    enum store_result result = STORE_OK;
    sqlite3_bind_int64(find, 1, number);
    int code = sqlite3_step(find);
    if (code == SQLITE_ROW) {
        sqlite3_bind_int64(remove, 1, sqlite3_column_int64(find, 0));
        bind_number(remove, 2, sqlite3_column_int64(find, 1));
    } else if (code != SQLITE_DONE) {
        result = sqlite_write_failed(s);
    }
    sqlite3_reset(find);
    return code == SQLITE_ROW ? sqlite_run(s, WRITE_OBJECT_REMOVE) : result;
}
