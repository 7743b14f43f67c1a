/* Tokens: making, listing and revoking them.
 *
 * Owns: their form (rvk_ and 43 random letters and digits, 256 bits), and how scopes and expiry are
 * written. Happy path: one row, which has the hash; the token itself is in the answer and nowhere
 * else. Tokens that ended more than retention_ms ago are forgotten when a new one is made. Failure
 * modes: a value that breaks its rule, an organisation that does not exist, a token that is revoked
 * already, and one more than tokens_max are refused. Refuses: to show a token again. */
#include "server/admin.h"

#include "dispatcher/secret.h"
#include "server/expiry.h"
#include "server/tenants.h"

#include <inttypes.h>

#define TOKEN_PREFIX "rvk_" /* so that scanners for secrets that leaked can tell it */
#define TOKEN_CHARS  43     /* 62^43 > 2^256 */
#define TOKEN_BYTES  (sizeof(TOKEN_PREFIX) + TOKEN_CHARS)

#define SCOPES_DEFAULT (1u << SCOPE_publish | 1u << SCOPE_manage | 1u << SCOPE_read)

#define WORD(name, help) #name ", "
static const char scopes_reason[] = "words with commas between are needed, of: "
#define X WORD
#include "../schema/scope.def"
#undef X
                                    "each once or more";

static void refuse(struct admin_call *call, const char *option, const char *reason)
{
    error_value(&call->refused, option, reason);
    admin_call_refuse(call);
}

static void refuse_plain(struct admin_call *call, enum error_type type, const char *detail)
{
    error_plain(&call->refused, type, detail);
    admin_call_refuse(call);
}

static bool read_scopes(struct text text, uint32_t *scopes)
{
    *scopes = 0;
    for (size_t begin = 0, at = 0; at <= text.bytes; at++) {
        if (at < text.bytes && text.at[at] != ',')
            continue;
        int scope = scope_from_name(text.at + begin, at - begin);
        if (scope < 0)
            return false;
        *scopes |= 1u << scope;
        begin = at + 1;
    }
    return true;
}

/* Fills the row but for org and hash. If a value breaks its rule, the call is refused. */
static bool read_row(struct admin_call *call, struct instant now, struct store_token *row)
{
    struct text scopes = admin_call_option(call, "scopes"),
                expires = admin_call_option(call, "expires"),
                name = admin_call_option(call, "name");
    *row = (struct store_token){
        .name = {name.at, name.bytes}, .scopes = SCOPES_DEFAULT, .created_us = now.wall};
    if (name.at != NULL && !admin_call_check_name(call, "name", name))
        return false;
    if (scopes.at != NULL && !read_scopes(scopes, &row->scopes))
        refuse(call, "scopes", scopes_reason);
    else if (!expiry_read(expires, now.wall, &row->expires_us))
        refuse(call, "expires",
               "a span like 90s, 30m, 12h or 30d, a later moment like 2027-01-31T00:00:00Z, or "
               "never is needed");
    return !call->is_refused;
}

static void put_scopes(struct json_out *out, uint32_t scopes)
{
    json_out_key(out, "scopes");
    json_out_array(out);
    for (int scope = 0; scope < SCOPE_COUNT; scope++)
        if ((scopes & 1u << scope) != 0)
            json_out_string(out, scope_name((enum scope)scope));
    json_out_array_end(out);
}

/* Leaves the object open. */
static void put_token(struct json_out *out, const struct store_token *row, wall_us now)
{
    char id[24];
    snprintf(id, sizeof(id), "%" PRId64, row->key);
    json_out_object(out);
    json_out_pair_string(out, "id", id);
    json_out_pair_text(out, "org", (struct text){row->org.at, row->org.bytes});
    json_out_pair_text(out, "name", (struct text){row->name.at, row->name.bytes});
    put_scopes(out, row->scopes);
    json_out_pair_string(out, "state",
                         row->revoked_us != 0                             ? "revoked"
                         : row->expires_us != 0 && row->expires_us <= now ? "expired"
                                                                          : "active");
    json_out_pair_date(out, "created_date", row->created_us);
    json_out_pair_date(out, "expires_date", row->expires_us);
    json_out_pair_date(out, "revoked_date", row->revoked_us);
}

/* ---- create ---- */

/* Makes room, and sees whether there is some. */
static enum store_result check_room(struct admin_call *call, struct store *store,
                                    struct instant now)
{
    uint64_t orgs, tokens;
    enum store_result result =
        store_token_forget(store, now.wall - call->config->retention_ms * 1000);
    if (result == STORE_OK)
        result = store_org_count(store, &orgs, &tokens);
    if (result == STORE_OK && tokens >= (uint64_t)call->config->tokens_max)
        refuse_plain(
            call, ERROR_bad_request,
            "there are as many tokens as tokens_max allows; one that has ended counts until "
            "retention_ms after its end");
    return result;
}

static enum store_result insert(struct admin_call *call, struct store *store,
                                struct store_token *row, wall_us now)
{
    char token[TOKEN_BYTES] = TOKEN_PREFIX;
    if (secret_random_text(token + sizeof(TOKEN_PREFIX) - 1, TOKEN_CHARS) != 0) {
        refuse_plain(call, ERROR_service_unavailable, "there are no random numbers");
        return STORE_OK;
    }
    tenants_hash(text_of(token), row->hash);
    enum store_result result = store_token_insert(store, row);
    if (result == STORE_NOT_FOUND) {
        refuse_plain(call, ERROR_not_found,
                     "there is no such organisation; `revhookd admin org list` shows all");
        result = STORE_OK;
    } else if (result == STORE_OK) {
        snprintf(call->changed, sizeof(call->changed), "%" PRId64, row->key);
        json_out_key(&call->out, "token");
        put_token(&call->out, row, now);
        json_out_pair_string(&call->out, "token", token);
        json_out_object_end(&call->out);
    }
    secret_wipe(token, sizeof(token));
    return result;
}

enum store_result admin_token_create(struct store_call *store_call, struct store *store,
                                     struct instant now)
{
    struct admin_call *call = (struct admin_call *)store_call;
    struct text org = admin_call_option(call, "org");
    struct store_token row;
    if (!read_row(call, now, &row))
        return STORE_OK;
    if (org.bytes == 0 || org.bytes > STORE_ORG_ID_BYTES_MAX) {
        refuse(call, "org", "the id of an organisation is needed");
        return STORE_OK;
    }
    row.org = (struct store_bytes){org.at, org.bytes};
    enum store_result result = check_room(call, store, now);
    return result != STORE_OK || call->is_refused ? result : insert(call, store, &row, now.wall);
}

/* ---- list, revoke ---- */

struct listing {
    struct json_out *out;
    struct text org; /* at == NULL: all */
    wall_us now;
};

static bool list_token(void *ctx, const struct store_token *row)
{
    struct listing *listing = ctx;
    if (listing->org.at != NULL && (row->org.bytes != listing->org.bytes ||
                                    memcmp(row->org.at, listing->org.at, row->org.bytes) != 0))
        return true;
    put_token(listing->out, row, listing->now);
    json_out_object_end(listing->out);
    return true;
}

enum store_result admin_token_list(struct admin_call *call, struct store_reader *reader,
                                   struct instant now)
{
    struct listing listing = {&call->out, admin_call_option(call, "org"), now.wall};
    json_out_key(&call->out, "tokens");
    json_out_array(&call->out);
    enum store_result result = store_token_list(reader, list_token, &listing);
    json_out_array_end(&call->out);
    return result;
}

/* A number as the list shows it. */
static bool read_key(struct text text, int64_t *key)
{
    *key = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        *key = *key * 10 + (text.at[i] - '0');
    }
    return text.bytes > 0 && *key > 0;
}

enum store_result admin_token_revoke(struct store_call *store_call, struct store *store,
                                     struct instant now)
{
    struct admin_call *call = (struct admin_call *)store_call;
    struct text id = admin_call_option(call, "id");
    int64_t key;
    if (id.bytes > 18 || !read_key(id, &key)) {
        refuse(call, "id", "the number of a token, as `revhookd admin token list` shows it");
        return STORE_OK;
    }
    enum store_result result = store_token_revoke(store, key, now.wall);
    if (result == STORE_NOT_FOUND || result == STORE_CONFLICT) {
        if (result == STORE_CONFLICT)
            refuse_plain(call, ERROR_conflict, "this token is revoked already");
        else
            refuse_plain(call, ERROR_not_found,
                         "there is no such token; `revhookd admin token list` shows all");
        return STORE_OK;
    }
    snprintf(call->changed, sizeof(call->changed), "%" PRId64, key);
    json_out_key(&call->out, "token");
    json_out_object(&call->out);
    json_out_pair_text(&call->out, "id", id);
    json_out_pair_string(&call->out, "state", "revoked");
    json_out_pair_date(&call->out, "revoked_date", now.wall);
    json_out_object_end(&call->out);
    return result;
}
