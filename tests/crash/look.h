/* What stands in a store's database, read behind the store's back: every row of every table as
 * text, whatever the schema's version. Two stores with the same text have the same content. */
#ifndef REVHOOK_TESTS_CRASH_LOOK_H
#define REVHOOK_TESTS_CRASH_LOOK_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct look {
    char *at; /* NULL at first; free() it at last */
    size_t bytes, capacity;
};

/* Writes the content of a database into `look`, over what it had. False if SQLite cannot read it.
 */
bool look_all(sqlite3 *db, struct look *look);
bool look_same(const struct look *a, const struct look *b);
/* A copy that is the caller's. */
struct look look_copy(const struct look *look);
/* Prints the first line in which two contents differ. */
void look_print_difference(const struct look *found, const struct look *expected);
/* The first column of the first row, as a number; -1 if there is none. */
int64_t look_number(sqlite3 *db, const char *sql);
/* Whether PRAGMA integrity_check has nothing to say. Otherwise `why` tells its first complaint. */
bool look_sound(sqlite3 *db, char *why, size_t why_bytes);

#endif
