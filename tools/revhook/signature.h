/*
 * signature.h - the form of a signature on the command line: "hex", "base64", "devrev-live",
 * "default", and after a comma "key=base64" or "prefix=sha256=".
 */
#ifndef REVHOOK_SIGNATURE_H
#define REVHOOK_SIGNATURE_H

#include "dispatcher/sign_form.h"
#include "revhook.h"

#include <jansson.h>

/* Room for the longest signature and its NUL. */
#define SIGNATURE_TEXT_BYTES SIGN_TEXT_BYTES

/* Puts the form of option --signature into a request as its member `signature`; nothing when the
 * option was not given. The service judges the words. Returns false after printing what is wrong.
 */
bool signature_set(const struct cli *cli, json_t *body);

/* Reads option --signature into *form; leaves *form alone when it was not given. Returns false
 * after printing what is wrong. */
bool signature_read(const struct cli *cli, struct sign_form *form);

/* Writes the signature that a body must have, NUL-terminated. Computed here, not by the service's
 * signer, so that a receiver that says "ok" is a second opinion. */
void signature_expected(const struct sign_form *form, const char *secret, const void *body,
                        size_t body_bytes, char text[SIGNATURE_TEXT_BYTES]);

#endif
