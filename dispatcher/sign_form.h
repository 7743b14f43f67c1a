/*
 * sign_form.h - in which form a webhook's requests are signed: the service's setting, and what a
 * webhook sets for itself.
 */
#ifndef REVHOOK_DISPATCHER_SIGN_FORM_H
#define REVHOOK_DISPATCHER_SIGN_FORM_H

#include "dispatcher/sign.h"

/* Room for the longest text: "encoding=base64 key=base64 prefix=sha256=" and its NUL. */
#define SIGN_FORM_TEXT_BYTES 48

/* The words of each part, by its enum (of the prefix: false, true), and the names of the presets.
 * They are the words of the API, of the settings and of the store. Each list ends with NULL. */
extern const char *const sign_encodings[]; /* "hex", "base64" */
extern const char *const sign_keys[];      /* "string", "base64" */
extern const char *const sign_prefixes[];  /* "", "sha256=" */
extern const char *const sign_presets[];   /* "default", "devrev-live" */

enum sign_preset { SIGN_PRESET_DEFAULT, SIGN_PRESET_DEVREV_LIVE };

/* What a webhook sets for itself; what it does not set follows the service. All zero: nothing. */
struct sign_own {
    bool has_encoding, has_key, has_prefix;
    struct sign_form form; /* parts that are not set are zero */
};

/* The parts that a preset sets: nothing for SIGN_PRESET_DEFAULT. */
struct sign_own sign_own_of(enum sign_preset preset);

/* Whether any part is set; whether both set the same. */
bool sign_own_any(const struct sign_own *own);
bool sign_own_same(const struct sign_own *a, const struct sign_own *b);

/* The parts of `over` where it has them, else those of `under`. */
struct sign_own sign_own_merge(const struct sign_own *under, const struct sign_own *over);

/* The form that requests have: `own` over the service's. */
struct sign_form sign_form_of(const struct sign_form *service, const struct sign_own *own);

/* As the store keeps it: the parts that are set as "part=word", separated by spaces;
 * NUL-terminated. Returns its length. */
size_t sign_own_write(const struct sign_own *own, char text[SIGN_FORM_TEXT_BYTES]);

/* The reverse. False, and *own is all zero, if there is a part or word that this program does not
 * know. */
bool sign_own_read(struct sign_own *own, const char *text, size_t bytes);

#endif
