/* The SQLite back-end: values in and out of statements.
 *
 * Owns: how a time that may be absent, a word and a webhook stand in the file. Happy path: words
 * are looked up by name, so that the numbers of the enums may change between versions of the
 * program. Failure mode: a word that this program does not know (somebody wrote by hand, or a newer
 * program): -1 or false, and the caller says which row.
 *
 * Refuses: to guess. */
#include "store/store_sqlite.h"

#include <string.h>

void sqlite_bind_text(sqlite3_stmt *statement, int place, struct store_bytes bytes)
{
    sqlite3_bind_text64(statement, place, bytes.at != NULL ? bytes.at : "", bytes.bytes,
                        SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_bind_blob(sqlite3_stmt *statement, int place, struct store_bytes bytes)
{
    sqlite3_bind_blob64(statement, place, bytes.at != NULL ? bytes.at : "", bytes.bytes,
                        SQLITE_STATIC);
}

void sqlite_bind_due(sqlite3_stmt *statement, int place, mono_ms due)
{
    if (due == MONO_NEVER)
        sqlite3_bind_null(statement, place);
    else
        sqlite3_bind_int64(statement, place, due);
}

void sqlite_bind_reason(sqlite3_stmt *statement, int place, unsigned reason)
{
    if (reason == REASON_none)
        sqlite3_bind_null(statement, place);
    else
        sqlite3_bind_text(statement, place, reason_name(reason), -1, SQLITE_STATIC);
}

struct store_bytes sqlite_bytes(sqlite3_stmt *statement, int column)
{
    const char *at = sqlite3_column_blob(statement, column);
    size_t bytes = (size_t)sqlite3_column_bytes(statement, column);
    return (struct store_bytes){at != NULL ? at : "", at != NULL ? bytes : 0};
}

mono_ms sqlite_due(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL
               ? MONO_NEVER
               : sqlite3_column_int64(statement, column);
}

int sqlite_reason(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return REASON_none;
    struct store_bytes word = sqlite_bytes(statement, column);
    return reason_from_name(word.at, word.bytes);
}

int sqlite_event_type(sqlite3_stmt *statement, int column)
{
    struct store_bytes word = sqlite_bytes(statement, column);
    return event_type_from_name(word.at, word.bytes);
}

static struct event_set event_types(struct store_bytes text)
{
    struct event_set set = {{0}};
    const char *at = text.at, *end = text.at + text.bytes;
    while (at < end) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        const char *stop = space != NULL ? space : end;
        int type = event_type_from_name(at, (size_t)(stop - at));
        if (type >= 0)
            event_set_add(&set, type);
        at = stop + 1;
    }
    return set;
}

bool sqlite_webhook_row(sqlite3_stmt *statement, struct store_webhook *row)
{
    struct store_bytes state = sqlite_bytes(statement, 8);
    int state_value = webhook_state_from_name(state.at, state.bytes),
        reason = sqlite_reason(statement, 9);
    *row = (struct store_webhook){
        .key = sqlite3_column_int64(statement, 0),
        .id = sqlite_bytes(statement, 1),
        .org = sqlite_bytes(statement, 2),
        .url = sqlite_bytes(statement, 3),
        .target = sqlite_bytes(statement, 4),
        .secret = sqlite_bytes(statement, 5),
        .headers = sqlite_bytes(statement, 6),
        .event_types = event_types(sqlite_bytes(statement, 7)),
        .status = {.state = (uint8_t)state_value,
                   .reason = (uint8_t)reason,
                   .verified = sqlite3_column_int(statement, 10) != 0,
                   .generation = (uint32_t)sqlite3_column_int64(statement, 11),
                   .consecutive_failures = (uint32_t)sqlite3_column_int64(statement, 12),
                   .verify_count = (uint32_t)sqlite3_column_int64(statement, 13),
                   .since_us = sqlite3_column_int64(statement, 14),
                   .last_success_us = sqlite3_column_int64(statement, 15),
                   .verify_since = sqlite3_column_int64(statement, 16),
                   .verify_next = sqlite_due(statement, 17),
                   .verify_until = sqlite_due(statement, 18)},
        .created_us = sqlite3_column_int64(statement, 19),
        .modified_us = sqlite3_column_int64(statement, 20),
        .created_by = sqlite_bytes(statement, 21),
        .modified_by = sqlite_bytes(statement, 22),
        .signature = sqlite_bytes(statement, 23),
        .partition = sqlite_bytes(statement, 24),
    };
    return state_value >= 0 && reason >= 0;
}
