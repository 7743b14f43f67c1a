/* The check of tokens.
 *
 * Owns: the tables, and what an Authorization header is made of. Happy path: the scheme word is
 * taken off, the rest is hashed, and the hash is compared with every one there is, whole, and
 * without stopping at one that fits. The hashes stand side by side, so that a thousand cost four
 * microseconds. Failure modes: a store that cannot be read makes the tables stale. Refuses: an
 * empty token, of the client's or of the settings, and other schemes. What the store has
 * forgotten keeps its place in memory, marked, until the service ends. */
#include "server/tenants.h"

#include "dispatcher/hook.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define OWN_USER "svcacc/1"

void tenants_hash(struct text token, uint8_t hash[STORE_HASH_BYTES])
{
    if (EVP_Digest(token.at, token.bytes, hash, NULL, EVP_sha256(), NULL) != 1)
        hook_out_of_memory(); /* nothing else is in its way */
}

/* ---- the tables ---- */

static struct org *find_org(const struct tenants *tenants, struct store_bytes id)
{
    for (size_t i = 0; i < tenants->org_count; i++)
        if (text_is((struct text){id.at, id.bytes}, tenants->orgs[i]->id))
            return tenants->orgs[i];
    return NULL;
}

static struct org *add_org(struct tenants *tenants, struct store_bytes id,
                           struct store_bytes partition)
{
    struct org *org = hook_alloc(sizeof(*org));
    snprintf(org->id, sizeof(org->id), "%.*s", (int)id.bytes, id.at);
    snprintf(org->partition, sizeof(org->partition), "%.*s", (int)partition.bytes, partition.at);
    tenants->orgs = hook_grow(tenants->orgs, (tenants->org_count + 1) * sizeof(*tenants->orgs));
    tenants->orgs[tenants->org_count++] = org;
    return org;
}

static struct token *find_token(const struct tenants *tenants, int64_t key)
{
    for (size_t i = 0; i < tenants->token_count; i++)
        if (tenants->tokens[i]->key == key)
            return tenants->tokens[i];
    return NULL;
}

static struct token *add_token(struct tenants *tenants, const struct org *org, int64_t key)
{
    struct token *token = hook_alloc(sizeof(*token));
    token->org = org;
    token->key = key;
    token->place = tenants->token_count;
    token->devrev_rate.limit = tenants->devrev_limit;
    token->own_rate.limit = tenants->own_limit;
    tenants->tokens =
        hook_grow(tenants->tokens, (tenants->token_count + 1) * sizeof(*tenants->tokens));
    tenants->hashes =
        hook_grow(tenants->hashes, (tenants->token_count + 1) * sizeof(*tenants->hashes));
    tenants->tokens[tenants->token_count++] = token;
    return token;
}

void tenants_init(struct tenants *tenants, const char *own_token, int64_t devrev_limit,
                  int64_t own_limit)
{
    static const struct store_bytes id = {STORE_FIRST_ORG, sizeof(STORE_FIRST_ORG) - 1},
                                    partition = {STORE_FIRST_PARTITION,
                                                 sizeof(STORE_FIRST_PARTITION) - 1};
    *tenants = (struct tenants){.devrev_limit = devrev_limit, .own_limit = own_limit};
    struct token *own = add_token(tenants, add_org(tenants, id, partition), 0);
    own->scopes = (1u << SCOPE_COUNT) - 1;
    own->forgotten = own_token[0] == 0;
    snprintf(own->user, sizeof(own->user), OWN_USER);
    tenants_hash(text_of(own_token), (uint8_t *)tenants->hashes[own->place].words);
}

static bool load_org(void *ctx, const struct store_org *row)
{
    struct tenants *tenants = ctx;
    struct org *org = find_org(tenants, row->id);
    if (org == NULL)
        org = add_org(tenants, row->id, row->partition);
    org->key = row->key;
    return true;
}

static bool load_token(void *ctx, const struct store_token *row)
{
    struct tenants *tenants = ctx;
    struct org *org = find_org(tenants, row->org);
    struct token *token = find_token(tenants, row->key);
    if (org == NULL)
        return true; /* somebody has written by hand; nobody's token is no token */
    if (token == NULL)
        token = add_token(tenants, org, row->key);
    memcpy(tenants->hashes[token->place].words, row->hash, sizeof(row->hash));
    token->scopes = row->scopes;
    token->expires_us = row->expires_us;
    token->revoked_us = row->revoked_us;
    token->forgotten = false;
    snprintf(token->user, sizeof(token->user), "svcacc/token-%" PRId64, row->key);
    return true;
}

bool tenants_load(struct tenants *tenants, struct store_reader *reader)
{
    for (size_t i = 1; i < tenants->token_count; i++)
        tenants->tokens[i]->forgotten = true;
    tenants->stale = store_org_list(reader, load_org, tenants) != STORE_OK ||
                     store_token_list(reader, load_token, tenants) != STORE_OK;
    return !tenants->stale;
}

void tenants_free(struct tenants *tenants)
{
    for (size_t i = 0; i < tenants->token_count; i++)
        free(tenants->tokens[i]);
    for (size_t i = 0; i < tenants->org_count; i++)
        free(tenants->orgs[i]);
    free(tenants->tokens);
    free(tenants->hashes);
    free(tenants->orgs);
    *tenants = (struct tenants){0};
}

/* ---- the check ---- */

static enum tenants_verdict judge(const struct token *token, wall_us now)
{
    return token->revoked_us != 0                               ? TENANTS_REVOKED
           : token->expires_us != 0 && token->expires_us <= now ? TENANTS_EXPIRED
                                                                : TENANTS_OK;
}

bool tenants_any(const struct tenants *tenants, wall_us now)
{
    for (size_t i = 0; i < tenants->token_count; i++)
        if (!tenants->tokens[i]->forgotten && judge(tenants->tokens[i], now) == TENANTS_OK)
            return true;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trim(struct text text)
{
    while (text.bytes > 0 && is_space(text.at[0])) {
        text.at++;
        text.bytes--;
    }
    while (text.bytes > 0 && is_space(text.at[text.bytes - 1]))
        text.bytes--;
    return text;
}

/* What stands behind the scheme word, if there is one. */
static struct text token_in(struct text authorization)
{
    static const char scheme[] = "Bearer";
    const size_t scheme_bytes = sizeof(scheme) - 1;
    struct text given = trim(authorization);
    if (given.bytes > scheme_bytes && is_space(given.at[scheme_bytes]) &&
        text_is_caseless((struct text){given.at, scheme_bytes}, scheme))
        given = trim((struct text){given.at + scheme_bytes, given.bytes - scheme_bytes});
    return given;
}

/* The place of a hash among all, or how many there are. Each is looked at to its end, and no branch
 * depends on what is there. */
static size_t find_place(const struct tenants *tenants, const struct tenants_hash *wanted)
{
    uint64_t found = tenants->token_count;
    for (uint64_t place = 0; place < tenants->token_count; place++) {
        uint64_t difference = 0, is_other;
        for (size_t i = 0; i < sizeof(wanted->words) / sizeof(wanted->words[0]); i++)
            difference |= wanted->words[i] ^ tenants->hashes[place].words[i];
        is_other = (difference | -difference) >> 63;
        found ^= (found ^ place) & (is_other - 1);
    }
    return (size_t)found;
}

enum tenants_verdict tenants_check(const struct tenants *tenants, struct text authorization,
                                   wall_us now, struct token **token)
{
    struct text given = token_in(authorization);
    struct tenants_hash hash;
    if (given.bytes == 0)
        return TENANTS_UNKNOWN;
    tenants_hash(given, (uint8_t *)hash.words);
    size_t place = find_place(tenants, &hash);
    if (place == tenants->token_count || tenants->tokens[place]->forgotten)
        return TENANTS_UNKNOWN;
    *token = tenants->tokens[place];
    return judge(*token, now);
}
