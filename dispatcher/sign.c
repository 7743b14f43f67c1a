/*
 * sign.c - HMAC-SHA256 for request bodies.
 *
 * Preparing a key costs as much as signing a small body, so a signer keeps one keyed context and
 * starts it anew for the next body; only another key makes it prepare again. A sender signs what
 * is due webhook by webhook, so that one context is enough. Each thread has its own signer; there
 * is no lock.
 *
 * What the key is (the secret's text or what it decodes to) and how the result is written (hex or
 * base64, with or without "sha256=") is the caller's choice, see struct sign_form. This file does
 * not know webhooks, headers or when to sign, and it never changes the bytes that it signs.
 */
#include "dispatcher/sign.h"

#include "dispatcher/secret.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HMAC_BYTES = 32 };

struct signer {
    EVP_MAC *mac;
    EVP_MAC_CTX *context;
    size_t key_bytes; /* 0: no key is prepared */
    uint8_t key[SECRET_BYTES_MAX];
};

struct signer *signer_create(void)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct signer *signer = calloc(1, sizeof(*signer));

    if (signer == NULL) {
        return NULL;
    }
    signer->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    signer->context = signer->mac == NULL ? NULL : EVP_MAC_CTX_new(signer->mac);
    if (signer->context == NULL || EVP_MAC_CTX_set_params(signer->context, params) != 1) {
        signer_destroy(signer);
        return NULL;
    }
    return signer;
}

void signer_destroy(struct signer *signer)
{
    if (signer == NULL) {
        return;
    }
    EVP_MAC_CTX_free(signer->context);
    EVP_MAC_free(signer->mac);
    secret_wipe(signer, sizeof(*signer));
    free(signer);
}

/* Makes the context ready for a new body under this key. */
static bool prepare(struct signer *signer, const uint8_t *key, size_t key_bytes)
{
    if (key_bytes > 0 && key_bytes == signer->key_bytes &&
        memcmp(key, signer->key, key_bytes) == 0) {
        return EVP_MAC_init(signer->context, NULL, 0, NULL) == 1;
    }
    signer->key_bytes = 0;
    if (EVP_MAC_init(signer->context, key, key_bytes, NULL) != 1) {
        return false;
    }
    memcpy(signer->key, key, key_bytes);
    signer->key_bytes = key_bytes;
    return true;
}

static bool prepare_secret(struct signer *signer, enum sign_key mode, const char *secret)
{
    size_t secret_bytes = strlen(secret);
    uint8_t decoded[SECRET_BYTES_MAX];
    size_t decoded_bytes;
    bool ok;

    assert(secret_bytes <= SECRET_BYTES_MAX);
    if (mode == SIGN_KEY_BASE64 &&
        secret_decode_base64(secret, secret_bytes, decoded, &decoded_bytes)) {
        ok = prepare(signer, decoded, decoded_bytes);
        secret_wipe(decoded, sizeof(decoded));
        return ok;
    }
    return prepare(signer, (const uint8_t *)secret, secret_bytes);
}

static void write_hex(const uint8_t hmac[HMAC_BYTES], char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < HMAC_BYTES; i++) {
        *text++ = digits[hmac[i] >> 4];
        *text++ = digits[hmac[i] & 15];
    }
    *text = '\0';
}

bool signer_sign(struct signer *signer, const struct sign_form *form, const char *secret,
                 const void *body, size_t body_bytes, char text[SIGN_TEXT_BYTES])
{
    static const char prefix[] = "sha256=";
    uint8_t hmac[HMAC_BYTES];
    size_t hmac_bytes;

    text[0] = '\0';
    if (!prepare_secret(signer, form->key, secret) ||
        EVP_MAC_update(signer->context, body, body_bytes) != 1 ||
        EVP_MAC_final(signer->context, hmac, &hmac_bytes, sizeof(hmac)) != 1) {
        signer->key_bytes = 0;
        return false;
    }
    assert(hmac_bytes == HMAC_BYTES);
    if (form->prefix) {
        memcpy(text, prefix, sizeof(prefix));
        text += sizeof(prefix) - 1;
    }
    if (form->encoding == SIGN_BASE64) {
        EVP_EncodeBlock((unsigned char *)text, hmac, HMAC_BYTES);
    } else {
        write_hex(hmac, text);
    }
    return true;
}

bool sign_equal(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return a_bytes == b_bytes && CRYPTO_memcmp(a, b, a_bytes) == 0;
}
