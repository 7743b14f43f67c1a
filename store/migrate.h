/* Brings a database to the schema of this program. Used by store_sqlite.c alone. */
#ifndef REVHOOK_STORE_MIGRATE_H
#define REVHOOK_STORE_MIGRATE_H

#include "store/store.h"

#include <sqlite3.h>

/* The version that this program writes: schema/sqlite_0001.sql is 1. */
#define STORE_SCHEMA_VERSION 4

/* "rvhk", in the header of the file (PRAGMA application_id). */
#define STORE_APPLICATION_ID 0x7276686b

/* Finds the version of the schema in a database (0: it is new and empty), writing nothing.
 * STORE_OK; STORE_NEWER: a newer program wrote it; STORE_CORRUPT: not a store of this program, or
 * damaged; STORE_FAILED. `error` says what is wrong with "it", the file. */
enum store_result store_schema_version(sqlite3 *db, int *version, char *error, size_t error_bytes);

/* Applies what is missing from `version` on, each version in one transaction. STORE_OK,
 * STORE_CORRUPT, STORE_FULL, STORE_FAILED, with `error` as above. */
enum store_result store_migrate(sqlite3 *db, int version, char *error, size_t error_bytes);

/* What an error of SQLite means to a caller of the store: STORE_FULL for want of space, else
 * STORE_FAILED. */
enum store_result store_sqlite_result(sqlite3 *db);

#endif
