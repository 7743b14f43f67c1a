/* What the tests of the SQLite store share beyond fixture.h: a look behind the contract. */
#ifndef REVHOOK_TESTS_STORE_SQLITE_FIXTURE_H
#define REVHOOK_TESTS_STORE_SQLITE_FIXTURE_H

#include "fixture.h"

#include "store/migrate.h"
#include "store/store_sqlite.h"

static inline sqlite3 *connection(struct world *w)
{
    return ((struct sqlite_store *)w->store)->db;
}

/* The first column of the first row. */
static inline int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static inline void assert_text(sqlite3 *db, const char *sql, const char *expected)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), expected);
    sqlite3_finalize(statement);
}

static inline void assert_integrity(struct world *w)
{
    assert_text(connection(w), "PRAGMA integrity_check", "ok");
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup_sqlite, teardown)

#endif
