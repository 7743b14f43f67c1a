/* See verify_pace.h.
 *
 * Parties are hashes under a key that is drawn at each start, so nobody can choose names that fall
 * into the place of another. Verify requests are rare; one lock will do. */
#include "dispatcher/verify_pace.h"

#include "core/pace.h"
#include "dispatcher/egress.h"
#include "dispatcher/secret.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define IPV6_COUNTED_BYTES 8 /* a network of one owner, as a rule */

struct verify_pace {
    pthread_mutex_t lock;
    uint64_t key[2];
    struct pace pace;
};

struct verify_pace *verify_pace_new(unsigned limit)
{
    struct verify_pace *pace = malloc(sizeof(*pace));
    if (!pace)
        return NULL;
    if (secret_random_numbers(pace->key, 2) != 0) {
        free(pace);
        return NULL;
    }
    pthread_mutex_init(&pace->lock, NULL);
    pace_init(&pace->pace, limit);
    return pace;
}

void verify_pace_free(struct verify_pace *pace)
{
    if (!pace)
        return;
    pthread_mutex_destroy(&pace->lock);
    free(pace);
}

/* `kind` keeps a name from being taken for an address. */
static mono_ms take(struct verify_pace *pace, char kind, const void *bytes, size_t count,
                    mono_ms now)
{
    uint8_t text[sizeof(pace->key) + 1 + EGRESS_URL_MAX], digest[SHA256_DIGEST_LENGTH];
    uint64_t party;
    if (count > EGRESS_URL_MAX)
        count = EGRESS_URL_MAX; /* no host is */
    memcpy(text, pace->key, sizeof(pace->key));
    text[sizeof(pace->key)] = (uint8_t)kind;
    memcpy(text + sizeof(pace->key) + 1, bytes, count);
    SHA256(text, sizeof(pace->key) + 1 + count, digest);
    memcpy(&party, digest, sizeof(party));
    pthread_mutex_lock(&pace->lock);
    mono_ms at = pace_take(&pace->pace, party != 0 ? party : 1, now);
    pthread_mutex_unlock(&pace->lock);
    return at;
}

mono_ms verify_pace_name(struct verify_pace *pace, const char *host, mono_ms now)
{
    return take(pace, 'n', host, strlen(host), now);
}

mono_ms verify_pace_address(struct verify_pace *pace, const struct sockaddr *address, mono_ms now)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct egress_address one;
    if (!egress_address_of(address, &one))
        return now; /* egress refuses it */
    bool four = memcmp(one.bytes, mapped, sizeof(mapped)) == 0;
    return take(pace, 'a', one.bytes, four ? sizeof(one.bytes) : IPV6_COUNTED_BYTES, now);
}
