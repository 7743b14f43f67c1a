/* Organisations and tokens in memory, as the API's thread checks requests against them.
 *
 * Filled from the store at start and again after each change (both are few, and change seldom), so
 * that a revoked token is worth nothing from the moment at which its revocation is answered. One
 * token may come from the settings instead of the store: the service's own, with all scopes, of the
 * organisation that is there from the start. The loop's thread alone. */
#ifndef REVHOOK_SERVER_TENANTS_H
#define REVHOOK_SERVER_TENANTS_H

#include "dispatcher/text.h"
#include "server/ratelimit.h"
#include "store/store.h"

/* Stays where it is until tenants_free: requests and calls on their way point to it. */
struct org {
    int64_t key;
    char id[STORE_ORG_ID_BYTES_MAX + 1];
    char partition[STORE_PARTITION_BYTES_MAX + 1];
};

/* Likewise. */
struct token {
    const struct org *org;
    int64_t key;  /* 0: the service's own */
    size_t place; /* in the tables below */
    bool forgotten;
    uint32_t scopes; /* bits by enum scope */
    wall_us expires_us, revoked_us;
    char user[32]; /* who did it, in created_by */
    struct ratelimit devrev_rate, own_rate;
};

struct tenants_hash {
    uint64_t words[STORE_HASH_BYTES / sizeof(uint64_t)];
};

struct tenants {
    struct org **orgs;
    size_t org_count;
    struct token **tokens;       /* the service's own first */
    struct tenants_hash *hashes; /* of the tokens, side by side */
    size_t token_count;
    int64_t devrev_limit, own_limit; /* of a token, requests a minute */
    bool stale;                      /* the store could not be read after a change */
};

/* What is to be said of a request's token. */
enum tenants_verdict {
    TENANTS_OK,
    TENANTS_UNKNOWN,
    TENANTS_EXPIRED,
    TENANTS_REVOKED,
};

/* Writes the hash under which a token is kept. Any thread. */
void tenants_hash(struct text token, uint8_t hash[STORE_HASH_BYTES]);

/* Begins with the service's own token ("": there is none). */
void tenants_init(struct tenants *tenants, const char *own_token, int64_t devrev_limit,
                  int64_t own_limit);

/* Takes in what the store has. False if it cannot be read (store_reader_error says why): `stale`
 * is set then, and what is in memory is not to be trusted until it succeeds. */
bool tenants_load(struct tenants *tenants, struct store_reader *reader);

/* Whether any token could be accepted at `now`. */
bool tenants_any(const struct tenants *tenants, wall_us now);

/* Finds the token that the value of an Authorization header carries: "Bearer <token>", the word in
 * any case (documented), or the bare token (what DevRev's SDK sends). `authorization.at` may be
 * NULL. The time it takes depends on how many tokens there are and on nothing else. With TENANTS_OK
 * *token is it. */
enum tenants_verdict tenants_check(const struct tenants *tenants, struct text authorization,
                                   wall_us now, struct token **token);

void tenants_free(struct tenants *tenants);

#endif
