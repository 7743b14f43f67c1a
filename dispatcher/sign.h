/*
 * sign.h - the signature of a request: HMAC-SHA256 over the exact bytes of the body.
 */
#ifndef REVHOOK_DISPATCHER_SIGN_H
#define REVHOOK_DISPATCHER_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#define SIGN_TEXT_BYTES 72 /* "sha256=", 64 hexadecimal digits, NUL: the longest form */

enum sign_encoding {
    SIGN_HEX,    /* lower case */
    SIGN_BASE64, /* standard alphabet, padded */
};

enum sign_key {
    SIGN_KEY_STRING, /* the bytes of the secret as the API returns it */
    SIGN_KEY_BASE64, /* what the secret decodes to; a secret that is not base64 counts as string */
};

/* DevRev documents the HMAC but not its form, so the form is a setting. All zero is the default. */
struct sign_form {
    enum sign_encoding encoding;
    enum sign_key key;
    bool prefix; /* "sha256=" in front */
};

/* Signs; belongs to one thread at a time. */
struct signer;

/* NULL without memory or without SHA-256 in the crypto library. Free with signer_destroy. */
struct signer *signer_create(void);

/* Wipes the key it remembers. NULL is fine. */
void signer_destroy(struct signer *signer);

/*
 * Writes the value of the signature header, NUL-terminated. `secret` is the NUL-terminated secret
 * of the webhook, at most SECRET_BYTES_MAX bytes (asserted). Fails only if the crypto library does
 * (without memory): false, and `text` is then an empty string. Consecutive calls with the same
 * secret are cheaper, because the prepared key is kept until another one comes.
 */
bool signer_sign(struct signer *signer, const struct sign_form *form, const char *secret,
                 const void *body, size_t body_bytes, char text[SIGN_TEXT_BYTES]);

/*
 * Whether two byte strings are equal, in time that depends on their lengths alone. For tokens,
 * signatures and challenges.
 */
bool sign_equal(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

#endif
