/* The SQLite back-end: organisations and tokens, as the writing thread and as readers use them.
 *
 * Owns: the encoding of a token's scopes. Happy path: bind, step, reset. Failure modes: an id or
 * hash that was used before is told by its unique index; a scope that this program does not know is
 * STORE_FAILED, because a token must not be worth less, or more, than it was made for.
 *
 * Refuses: to forget an organisation; its id is never used again. */
#include "store/store_sqlite.h"

#include <assert.h>
#include <string.h>

#define SCOPES_BYTES (SCOPE_COUNT * 16)

static struct store_bytes scopes_text(uint32_t scopes, char text[SCOPES_BYTES])
{
    size_t bytes = 0;
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        size_t length = strlen(scope_name(scope));
        if ((scopes & 1u << scope) == 0)
            continue;
        assert(bytes + 1 + length <= SCOPES_BYTES);
        if (bytes > 0)
            text[bytes++] = ' ';
        memcpy(text + bytes, scope_name(scope), length);
        bytes += length;
    }
    return (struct store_bytes){text, bytes};
}

/* False if it has a word that this program does not know. */
static bool read_scopes(struct store_bytes text, uint32_t *scopes)
{
    const char *at = text.at, *end = text.at + text.bytes;
    *scopes = 0;
    while (at < end) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        const char *stop = space != NULL ? space : end;
        int scope = scope_from_name(at, (size_t)(stop - at));
        if (scope < 0)
            return false;
        *scopes |= 1u << scope;
        at = stop + 1;
    }
    return true;
}

/* ---- writing ---- */

/* Runs an insert; sets *key. */
static enum store_result insert(struct sqlite_store *s, enum sqlite_write statement, int64_t *key)
{
    int code = sqlite3_step(s->statements[statement]);
    enum store_result result = STORE_OK;
    if (code == SQLITE_CONSTRAINT)
        result = STORE_CONFLICT;
    else if (code != SQLITE_DONE)
        result = sqlite_write_failed(s);
    else if (sqlite3_changes(s->db) == 0)
        result = STORE_NOT_FOUND;
    else
        *key = sqlite3_last_insert_rowid(s->db);
    sqlite3_reset(s->statements[statement]);
    return result;
}

enum store_result sqlite_org_insert(struct store *store, struct store_org *row)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *statement = s->statements[WRITE_ORG_INSERT];
    sqlite_bind_text(statement, 2, row->id);
    sqlite_bind_text(statement, 3, row->partition);
    sqlite_bind_text(statement, 4, row->name);
    sqlite3_bind_int64(statement, 5, row->created_us);
    return insert(s, WRITE_ORG_INSERT, &row->key);
}

enum store_result sqlite_token_insert(struct store *store, struct store_token *row)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *statement = s->statements[WRITE_TOKEN_INSERT];
    char scopes[SCOPES_BYTES];
    sqlite_bind_text(statement, 2, row->org);
    sqlite_bind_blob(statement, 3, (struct store_bytes){(const char *)row->hash, sizeof row->hash});
    sqlite_bind_text(statement, 4, row->name);
    sqlite_bind_text(statement, 5, scopes_text(row->scopes, scopes));
    sqlite3_bind_int64(statement, 6, row->created_us);
    if (row->expires_us != 0)
        sqlite3_bind_int64(statement, 7, row->expires_us);
    else
        sqlite3_bind_null(statement, 7);
    return insert(s, WRITE_TOKEN_INSERT, &row->key);
}

/* Whether a row that a look-up asks for is there, and says 0. */
static enum store_result look(struct sqlite_store *s, enum sqlite_write statement)
{
    sqlite3_stmt *look = s->statements[statement];
    enum store_result result = STORE_OK;
    int code = sqlite3_step(look);
    if (code == SQLITE_DONE)
        result = STORE_NOT_FOUND;
    else if (code != SQLITE_ROW)
        result = sqlite_write_failed(s);
    else if (sqlite3_column_int(look, 0) != 0)
        result = STORE_CONFLICT;
    sqlite3_reset(look);
    return result;
}

enum store_result sqlite_org_revoke(struct store *store, struct store_bytes org, wall_us revoked_us,
                                    uint64_t *tokens)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *revoke = s->statements[WRITE_ORG_REVOKE];
    sqlite_bind_text(s->statements[WRITE_ORG_LOOK], 1, org);
    enum store_result result = look(s, WRITE_ORG_LOOK);
    if (result != STORE_OK)
        return result;
    sqlite_bind_text(revoke, 1, org);
    sqlite3_bind_int64(revoke, 2, revoked_us);
    result = sqlite_run(s, WRITE_ORG_REVOKE);
    if (result == STORE_OK)
        *tokens = (uint64_t)sqlite3_changes64(s->db);
    return result;
}

enum store_result sqlite_token_revoke(struct store *store, int64_t token, wall_us revoked_us)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *revoke = s->statements[WRITE_TOKEN_REVOKE];
    sqlite3_bind_int64(s->statements[WRITE_TOKEN_LOOK], 1, token);
    enum store_result result = look(s, WRITE_TOKEN_LOOK);
    if (result != STORE_OK)
        return result;
    sqlite3_bind_int64(revoke, 1, token);
    sqlite3_bind_int64(revoke, 2, revoked_us);
    return sqlite_run(s, WRITE_TOKEN_REVOKE);
}

enum store_result sqlite_token_forget(struct store *store, wall_us before_us)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_bind_int64(s->statements[WRITE_TOKEN_FORGET], 1, before_us);
    return sqlite_run(s, WRITE_TOKEN_FORGET);
}

enum store_result sqlite_org_count(struct store *store, uint64_t *orgs, uint64_t *tokens)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite3_stmt *count = s->statements[WRITE_ORG_COUNT];
    enum store_result result = STORE_OK;
    if (sqlite3_step(count) == SQLITE_ROW) {
        *orgs = (uint64_t)sqlite3_column_int64(count, 0);
        *tokens = (uint64_t)sqlite3_column_int64(count, 1);
    } else {
        result = sqlite_write_failed(s);
    }
    sqlite3_reset(count);
    return result;
}

/* ---- reading ---- */

enum store_result sqlite_org_list(struct store_reader *reader, store_visit_org *visit, void *ctx)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    sqlite3_stmt *list = r->statements[READ_ORGS];
    int code;
    while ((code = sqlite3_step(list)) == SQLITE_ROW) {
        const struct store_org row = {.key = sqlite3_column_int64(list, 0),
                                      .id = sqlite_bytes(list, 1),
                                      .partition = sqlite_bytes(list, 2),
                                      .name = sqlite_bytes(list, 3),
                                      .created_us = sqlite3_column_int64(list, 4)};
        if (!visit(ctx, &row))
            break;
    }
    return sqlite_read_finish(r, READ_ORGS, code);
}

/* False if it is not as this program writes it. */
static bool read_token(sqlite3_stmt *list, struct store_token *row)
{
    struct store_bytes hash = sqlite_bytes(list, 2);
    *row = (struct store_token){.key = sqlite3_column_int64(list, 0),
                                .org = sqlite_bytes(list, 1),
                                .name = sqlite_bytes(list, 3),
                                .created_us = sqlite3_column_int64(list, 5),
                                .expires_us = sqlite3_column_int64(list, 6),
                                .revoked_us = sqlite3_column_int64(list, 7)};
    if (hash.bytes != sizeof row->hash)
        return false;
    memcpy(row->hash, hash.at, sizeof row->hash);
    return read_scopes(sqlite_bytes(list, 4), &row->scopes);
}

enum store_result sqlite_token_list(struct store_reader *reader, store_visit_token *visit,
                                    void *ctx)
{
    struct sqlite_reader *r = sqlite_reader_of(reader);
    sqlite3_stmt *list = r->statements[READ_TOKENS];
    enum store_result unknown = STORE_OK;
    int code;
    while ((code = sqlite3_step(list)) == SQLITE_ROW) {
        struct store_token row;
        if (!read_token(list, &row)) {
            store_reader_set_error(reader,
                                   "token %lld has a scope or hash that this program does not know",
                                   (long long)row.key);
            unknown = STORE_FAILED;
            break;
        }
        if (!visit(ctx, &row))
            break;
    }
    enum store_result result = sqlite_read_finish(r, READ_TOKENS, code);
    return result != STORE_OK ? result : unknown;
}
