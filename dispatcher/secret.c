/*
 * secret.c - what nobody may guess.
 *
 * Random text is made of bytes from the crypto library's generator, which the operating system's
 * random source seeds. A byte below 248 (four times 62) gives one character; others are thrown
 * away, because folding them in would make some characters likelier. 32 characters carry 190
 * bits, a challenge of 40 carries 238.
 *
 * The one failure is a random source that does not answer. Then there is no text, and the caller
 * has to fail what it was doing: a secret that can be guessed is worse than none.
 */
#include "dispatcher/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[62] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

bool secret_start(char *error, size_t error_bytes)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) == 1 &&
        OSSL_LIB_CTX_get0_global_default() != NULL)
        return true;
    snprintf(error, error_bytes, "OpenSSL cannot be set up: there is no memory for it");
    return false;
}

int secret_random_text(char *out, size_t chars)
{
    unsigned char random[64];
    size_t done = 0;

    while (done < chars) {
        if (RAND_bytes(random, sizeof(random)) != 1) {
            secret_wipe(out, done);
            out[0] = '\0';
            return -1;
        }
        for (size_t i = 0; i < sizeof(random) && done < chars; i++) {
            if (random[i] < 4 * sizeof(alphabet)) {
                out[done++] = alphabet[random[i] % sizeof(alphabet)];
            }
        }
    }
    out[done] = '\0';
    secret_wipe(random, sizeof(random));
    return 0;
}

int secret_random_numbers(uint64_t *out, size_t count)
{
    return RAND_bytes((unsigned char *)out, (int)(count * sizeof(*out))) == 1 ? 0 : -1;
}

/* The six bits of a character of standard base64, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '/') {
        return c == '+' ? 62 : 63;
    }
    return -1;
}

bool secret_decode_base64(const char *text, size_t chars, uint8_t out[SECRET_BYTES_MAX],
                          size_t *bytes)
{
    size_t padding = 0;
    uint32_t bits = 0;

    if (chars == 0 || chars % 4 != 0 || chars / 4 * 3 > SECRET_BYTES_MAX) {
        return false;
    }
    while (padding < 2 && text[chars - 1 - padding] == '=') {
        padding++;
    }
    *bytes = 0;
    for (size_t i = 0; i < chars; i++) {
        int value = i < chars - padding ? base64_value(text[i]) : 0;

        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            out[(*bytes)++] = (uint8_t)(bits >> 16);
            out[(*bytes)++] = (uint8_t)(bits >> 8);
            out[(*bytes)++] = (uint8_t)bits;
        }
    }
    *bytes -= padding;
    return true;
}

bool secret_acceptable(const char *secret, size_t bytes)
{
    uint8_t decoded[SECRET_BYTES_MAX];
    size_t decoded_bytes = 0;
    bool ok;

    if (bytes < SECRET_BYTES_MIN || bytes > SECRET_BYTES_MAX || memchr(secret, 0, bytes) != NULL) {
        return false;
    }
    if (bytes <= SECRET_PLAIN_BYTES_MAX) {
        return true;
    }
    ok = secret_decode_base64(secret, bytes, decoded, &decoded_bytes) &&
         decoded_bytes <= SECRET_PLAIN_BYTES_MAX;
    secret_wipe(decoded, sizeof(decoded));
    return ok;
}

void secret_wipe(void *memory, size_t bytes)
{
    OPENSSL_cleanse(memory, bytes);
}
