/* The schema's versions.
 *
 * Owns: the number of the schema in a database (PRAGMA user_version), the mark that it is a store
 * at all (application_id), and the order of the SQL files, which are part of the program.
 *
 * Happy path: a new database gets version 1 and then each later one; a database of this version is
 * left alone.
 *
 * Failure modes: a file that is no database, or a database of something else, is STORE_CORRUPT:
 * nothing is written to it. A higher version than the program knows is STORE_NEWER. A version that
 * cannot be applied to its end is rolled back, so the next start finds the version before.
 *
 * Refuses: to go back to an older version, and to repair. */
#include "store/migrate.h"

#include "sqlite_0001.h"
#include "sqlite_0002.h"
#include "sqlite_0003.h"
#include "sqlite_0004.h"

#include <errno.h>
#include <stdio.h>

static const char *const versions[] = {sqlite_0001_sql, sqlite_0002_sql, sqlite_0003_sql,
                                       sqlite_0004_sql};

_Static_assert(sizeof versions / sizeof versions[0] == STORE_SCHEMA_VERSION,
               "one file for each version");

enum store_result store_sqlite_result(sqlite3 *db)
{
    int code = sqlite3_errcode(db);
    if (code == SQLITE_FULL)
        return STORE_FULL;
    int reason = sqlite3_system_errno(db);
    if (code == SQLITE_IOERR && (reason == ENOSPC || reason == EDQUOT))
        return STORE_FULL;
    return STORE_FAILED;
}

static enum store_result failed(sqlite3 *db, char *error, size_t error_bytes)
{
    int code = sqlite3_errcode(db);
    snprintf(error, error_bytes, "%s", sqlite3_errmsg(db));
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return STORE_CORRUPT;
    return store_sqlite_result(db);
}

/* The first column of the first row. */
static enum store_result number(sqlite3 *db, const char *sql, int64_t *value, char *error,
                                size_t error_bytes)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return failed(db, error, error_bytes);
    if (sqlite3_step(statement) != SQLITE_ROW) {
        enum store_result result = failed(db, error, error_bytes);
        sqlite3_finalize(statement);
        return result;
    }
    *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return STORE_OK;
}

static enum store_result apply(sqlite3 *db, int version, char *error, size_t error_bytes)
{
    char marks[96];
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             STORE_APPLICATION_ID, version);
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, versions[version - 1], NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, marks, NULL, NULL, NULL) == SQLITE_OK)
        return STORE_OK;
    enum store_result result = failed(db, error, error_bytes);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

enum store_result store_schema_version(sqlite3 *db, int *version, char *error, size_t error_bytes)
{
    int64_t application = 0, found = 0, tables = 0;
    enum store_result result =
        number(db, "PRAGMA application_id", &application, error, error_bytes);
    if (result == STORE_OK)
        result = number(db, "PRAGMA user_version", &found, error, error_bytes);
    if (result == STORE_OK)
        result = number(db, "SELECT count(*) FROM sqlite_schema", &tables, error, error_bytes);
    if (result != STORE_OK)
        return result;
    bool new = application == 0 && found == 0 && tables == 0;
    if (!new && (application != STORE_APPLICATION_ID || found < 1)) {
        snprintf(error, error_bytes, "it is a database, but not one of revhook");
        return STORE_CORRUPT;
    }
    if (found > STORE_SCHEMA_VERSION) {
        snprintf(error, error_bytes,
                 "it was written by a newer revhook (schema %lld, this program knows up to %d); "
                 "use that one, or another "
                 "directory",
                 (long long)found, STORE_SCHEMA_VERSION);
        return STORE_NEWER;
    }
    *version = (int)found;
    return STORE_OK;
}

enum store_result store_migrate(sqlite3 *db, int version, char *error, size_t error_bytes)
{
    for (int next = version + 1; next <= STORE_SCHEMA_VERSION; next++) {
        enum store_result result = apply(db, next, error, error_bytes);
        if (result != STORE_OK)
            return result;
    }
    return STORE_OK;
}
