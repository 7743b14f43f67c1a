/* See look.h. Tables in the order of their names, rows in the order of their keys, columns with a
 * bar between them; blobs as SQLite gives them, zero bytes and line ends as dots. */
#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct look *look, const char *bytes, size_t count)
{
    if (look->bytes + count > look->capacity) {
        look->capacity = (look->bytes + count) * 2;
        look->at = realloc(look->at, look->capacity);
        if (look->at == NULL)
            abort();
    }
    memcpy(look->at + look->bytes, bytes, count);
    look->bytes += count;
}

static void add_value(struct look *look, sqlite3_stmt *row, int column)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL) {
        add(look, "NULL", 4);
        return;
    }
    const char *bytes = sqlite3_column_blob(row, column);
    size_t count = (size_t)sqlite3_column_bytes(row, column), begin = look->bytes;
    if (sqlite3_column_type(row, column) == SQLITE_INTEGER) {
        char text[24];
        add(look, text,
            (size_t)snprintf(text, sizeof text, "%lld",
                             (long long)sqlite3_column_int64(row, column)));
        return;
    }
    if (count > 0)
        add(look, bytes, count);
    for (size_t i = begin; i < look->bytes; i++)
        if (look->at[i] == '\n' || look->at[i] == '\0')
            look->at[i] = '.';
}

static bool add_table(sqlite3 *db, const char *name, struct look *look)
{
    char sql[128];
    sqlite3_stmt *rows;
    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", name);
    if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK)
        return false;
    int code;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        add(look, name, strlen(name));
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            add(look, "|", 1);
            add_value(look, rows, i);
        }
        add(look, "\n", 1);
    }
    sqlite3_finalize(rows);
    return code == SQLITE_DONE;
}

bool look_all(sqlite3 *db, struct look *look)
{
    sqlite3_stmt *tables;
    look->bytes = 0;
    if (sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
                           -1, &tables, NULL) != SQLITE_OK)
        return false;
    int code;
    bool good = true;
    while (good && (code = sqlite3_step(tables)) == SQLITE_ROW)
        good = add_table(db, (const char *)sqlite3_column_text(tables, 0), look);
    sqlite3_finalize(tables);
    return good && code == SQLITE_DONE;
}

bool look_same(const struct look *a, const struct look *b)
{
    return a->bytes == b->bytes && memcmp(a->at, b->at, a->bytes) == 0;
}

struct look look_copy(const struct look *look)
{
    struct look copy = {.at = NULL};
    add(&copy, look->at, look->bytes);
    return copy;
}

static int line_bytes(const struct look *look, size_t from)
{
    size_t to = from;
    while (to < look->bytes && look->at[to] != '\n' && to - from < 200)
        to++;
    return (int)(to - from);
}

void look_print_difference(const struct look *found, const struct look *expected)
{
    size_t same = 0, begin = 0;
    while (same < found->bytes && same < expected->bytes && found->at[same] == expected->at[same]) {
        if (found->at[same] == '\n')
            begin = same + 1;
        same++;
    }
    printf("    found    %.*s\n    expected %.*s\n", line_bytes(found, begin),
           found->at == NULL ? "" : found->at + begin, line_bytes(expected, begin),
           expected->at + begin);
}

int64_t look_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

bool look_sound(sqlite3 *db, char *why, size_t why_bytes)
{
    sqlite3_stmt *statement;
    bool sound = false;
    snprintf(why, why_bytes, "it cannot be checked");
    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) != SQLITE_OK)
        return false;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        snprintf(why, why_bytes, "%s", (const char *)sqlite3_column_text(statement, 0));
        sound = strcmp(why, "ok") == 0;
    }
    sqlite3_finalize(statement);
    return sound;
}
