/*
 * seal.c - sealing and opening, see seal.h.
 *
 * Sealed bytes are: 1 (the form), the key's version (4 bytes), the nonce (12 bytes), as many bytes
 * as were sealed, the tag (16 bytes). The nonce is random: with 96 bits one key may seal four
 * thousand million times before two of them are likely to be the same, and a webhook is sealed when
 * it is made, changed, or sealed again under a new key. Bound to them, though not among them: the
 * name of this use, part, generation and webhook.
 *
 * Failure modes: bytes that do not open are told apart only as far as an operator needs it: the key
 * is not there, or something does not fit. The crypto library fails without memory; then the
 * program stops, for a secret must go neither unsealed to the disk nor be lost. Refuses: to give
 * anything but all of the right bytes.
 */
#include "dispatcher/seal.h"

#include "dispatcher/hook.h"
#include "dispatcher/log.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FORM = 1, VERSION_AT = 1, NONCE_AT = 5, NONCE_BYTES = 12, TEXT_AT = 17, TAG_BYTES = 16 };

#define USE "revhook webhook 1"

_Static_assert(TEXT_AT + TAG_BYTES == SEAL_EXTRA_BYTES, "what is added");

struct sealer {
    pthread_mutex_t lock;
    struct seal_key keys[SEAL_KEYS_MAX];
    size_t count;
    size_t newest; /* its place */
};

void sealer_set(struct sealer *sealer, const struct seal_key *keys, size_t count)
{
    assert(count > 0 && count <= SEAL_KEYS_MAX);
    pthread_mutex_lock(&sealer->lock);
    OPENSSL_cleanse(sealer->keys, sizeof(sealer->keys));
    memcpy(sealer->keys, keys, count * sizeof(keys[0]));
    sealer->count = count;
    sealer->newest = 0;
    for (size_t i = 1; i < count; i++)
        if (keys[i].version > keys[sealer->newest].version)
            sealer->newest = i;
    pthread_mutex_unlock(&sealer->lock);
}

struct sealer *sealer_new(const struct seal_key *keys, size_t count)
{
    struct sealer *sealer = calloc(1, sizeof(*sealer));
    if (!sealer)
        return NULL;
    pthread_mutex_init(&sealer->lock, NULL);
    sealer_set(sealer, keys, count);
    return sealer;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    pthread_mutex_destroy(&sealer->lock);
    OPENSSL_cleanse(sealer, sizeof(*sealer));
    free(sealer);
}

/* The key of a version, of the newest if it is 0. False if it is not there. */
static bool find_key(struct sealer *sealer, uint32_t version, struct seal_key *key)
{
    bool found = false;
    pthread_mutex_lock(&sealer->lock);
    for (size_t i = 0; i < sealer->count && !found; i++) {
        found = version == 0 ? i == sealer->newest : sealer->keys[i].version == version;
        if (found)
            *key = sealer->keys[i];
    }
    pthread_mutex_unlock(&sealer->lock);
    return found;
}

uint32_t sealer_version(struct sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    uint32_t version = sealer->keys[sealer->newest].version;
    pthread_mutex_unlock(&sealer->lock);
    return version;
}

static void put_number(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(number >> (24 - 8 * i));
}

uint32_t seal_version_of(struct store_bytes sealed)
{
    const uint8_t *at = (const uint8_t *)sealed.at;
    if (sealed.bytes < SEAL_EXTRA_BYTES || at[0] != FORM)
        return 0;
    return (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
}

/* Begins one way or the other, with key and nonce, and feeds what the bytes are bound to. */
static bool begin(EVP_CIPHER_CTX *cipher, int sealing, const struct seal_key *key,
                  const uint8_t *nonce, const struct seal_bond *bond)
{
    uint8_t bound[sizeof(USE) + 1 + 4 + STORE_WEBHOOK_ID_BYTES_MAX] = USE;
    size_t bytes = sizeof(USE);
    int ignored;
    assert(bond->webhook.bytes <= STORE_WEBHOOK_ID_BYTES_MAX);
    bound[bytes++] = (uint8_t)bond->part;
    put_number(bound + bytes, bond->generation);
    bytes += 4;
    if (bond->webhook.bytes > 0)
        memcpy(bound + bytes, bond->webhook.at, bond->webhook.bytes);
    bytes += bond->webhook.bytes;
    return EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes, nonce, sealing) == 1 &&
           EVP_CipherUpdate(cipher, NULL, &ignored, bound, (int)bytes) == 1;
}

void seal(struct sealer *sealer, const struct seal_bond *bond, struct store_bytes plain,
          uint8_t *out)
{
    struct seal_key key;
    int bytes = 0, last = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool good = cipher && find_key(sealer, 0, &key) && RAND_bytes(out + NONCE_AT, NONCE_BYTES) == 1;
    if (good) {
        out[0] = FORM;
        put_number(out + VERSION_AT, key.version);
    }
    good = good && begin(cipher, 1, &key, out + NONCE_AT, bond) &&
           EVP_CipherUpdate(cipher, out + TEXT_AT, &bytes, (const uint8_t *)plain.at,
                            (int)plain.bytes) == 1 &&
           EVP_CipherFinal_ex(cipher, out + TEXT_AT + bytes, &last) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
                               out + TEXT_AT + plain.bytes) == 1;
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(&key, sizeof(key));
    if (good)
        return;
    LOG(fault, LOG_TEXT("where", "seal"),
        LOG_TEXT("error", "out of memory, or the crypto library failed; the store goes on where it "
                          "stood at the next start"));
    abort();
}

static bool open_with(const struct seal_key *key, const struct seal_bond *bond,
                      struct store_bytes sealed, uint8_t *out, size_t bytes)
{
    const uint8_t *at = (const uint8_t *)sealed.at;
    uint8_t tag[TAG_BYTES];
    int done = 0, last = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    memcpy(tag, at + TEXT_AT + bytes, sizeof(tag));
    bool good = cipher && begin(cipher, 0, key, at + NONCE_AT, bond) &&
                EVP_CipherUpdate(cipher, out, &done, at + TEXT_AT, (int)bytes) == 1 &&
                EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
                EVP_CipherFinal_ex(cipher, out + done, &last) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return good;
}

enum seal_result seal_open(struct sealer *sealer, const struct seal_bond *bond,
                           struct store_bytes sealed, uint8_t *out, size_t *bytes)
{
    struct seal_key key;
    uint32_t version = seal_version_of(sealed);
    *bytes = 0;
    if (version == 0)
        return SEAL_BROKEN;
    if (!find_key(sealer, version, &key))
        return SEAL_NO_KEY;
    size_t plain = sealed.bytes - SEAL_EXTRA_BYTES;
    bool good = open_with(&key, bond, sealed, out, plain);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!good) {
        OPENSSL_cleanse(out, plain);
        return SEAL_BROKEN;
    }
    *bytes = plain;
    return SEAL_OK;
}

/* ---- rows ---- */

static void make_room(struct sealed_row *row, size_t capacity)
{
    *row = (struct sealed_row){hook_alloc(capacity + 1), capacity + 1, {"", 0}, {"", 0}};
}

static struct seal_bond bond_of(const struct store_webhook *row, enum seal_part part)
{
    return (struct seal_bond){part, row->id, row->status.generation};
}

void seal_row(struct sealer *sealer, const struct store_webhook *row, struct sealed_row *sealed)
{
    const struct seal_bond secret = bond_of(row, SEAL_SECRET), headers = bond_of(row, SEAL_HEADERS);
    make_room(sealed, row->secret.bytes + row->headers.bytes + (size_t)2 * SEAL_EXTRA_BYTES);
    uint8_t *at = sealed->memory;
    if (row->secret.bytes > 0) {
        seal(sealer, &secret, row->secret, at);
        sealed->secret = (struct store_bytes){(char *)at, row->secret.bytes + SEAL_EXTRA_BYTES};
        at += sealed->secret.bytes;
    }
    if (row->headers.bytes > 0) {
        seal(sealer, &headers, row->headers, at);
        sealed->headers = (struct store_bytes){(char *)at, row->headers.bytes + SEAL_EXTRA_BYTES};
    }
}

enum seal_result seal_row_open(struct sealer *sealer, const struct store_webhook *row,
                               struct sealed_row *opened)
{
    const struct seal_bond secret = bond_of(row, SEAL_SECRET), headers = bond_of(row, SEAL_HEADERS);
    enum seal_result result = SEAL_OK;
    size_t bytes;
    make_room(opened, row->secret.bytes + row->headers.bytes);
    uint8_t *at = opened->memory;
    if (row->secret.bytes > 0) {
        result = seal_open(sealer, &secret, row->secret, at, &bytes);
        opened->secret = (struct store_bytes){(char *)at, bytes};
        at += bytes;
    }
    if (result == SEAL_OK && row->headers.bytes > 0) {
        result = seal_open(sealer, &headers, row->headers, at, &bytes);
        opened->headers = (struct store_bytes){(char *)at, bytes};
    }
    if (result != SEAL_OK)
        opened->secret = opened->headers = (struct store_bytes){"", 0};
    return result;
}

void sealed_row_free(struct sealed_row *row)
{
    if (row->memory)
        OPENSSL_cleanse(row->memory, row->capacity);
    free(row->memory);
    row->memory = NULL;
}
