/*
 * seal.h - secrets at rest: sealed with AES-256-GCM before the store gets them, opened after.
 *
 * What is sealed is bound to the webhook, its generation and the part (secret or headers) that it
 * is of: bytes that somebody moved to another row do not open. The store keeps it as bytes that it
 * does not understand.
 */
#ifndef REVHOOK_DISPATCHER_SEAL_H
#define REVHOOK_DISPATCHER_SEAL_H

#include "store/store.h"

#define SEAL_KEY_BYTES   32
#define SEAL_KEYS_MAX    16
#define SEAL_EXTRA_BYTES 33 /* that sealed bytes have more: form, version, nonce, tag */

/* A key; `version` counts from 1. */
struct seal_key {
    uint32_t version;
    uint8_t bytes[SEAL_KEY_BYTES];
};

/* What sealed bytes belong to. */
enum seal_part { SEAL_SECRET = 1, SEAL_HEADERS, SEAL_CHECK };

struct seal_bond {
    enum seal_part part;
    struct store_bytes webhook; /* the part of its DON after "webhook/" */
    uint32_t generation;
};

/* Keys in memory. Any thread may use one. */
struct sealer;

/* Copies the keys, one to SEAL_KEYS_MAX with different versions; the highest one seals from now on,
 * all open. NULL for want of memory. */
struct sealer *sealer_new(const struct seal_key *keys, size_t count);

/* Likewise for a sealer in use. */
void sealer_set(struct sealer *sealer, const struct seal_key *keys, size_t count);

/* Wipes and frees; NULL is fine. */
void sealer_free(struct sealer *sealer);

/* The version that seals now. */
uint32_t sealer_version(struct sealer *sealer);

/* The version of the key that sealed these bytes; 0 if they are not sealed bytes. */
uint32_t seal_version_of(struct store_bytes sealed);

/* Seals `plain` into `out`, which has room for plain.bytes + SEAL_EXTRA_BYTES; that is how many
 * there are then. Stops the program if the crypto library fails: nothing may go out unsealed. */
void seal(struct sealer *sealer, const struct seal_bond *bond, struct store_bytes plain,
          uint8_t *out);

enum seal_result {
    SEAL_OK,
    SEAL_NO_KEY, /* the key of that version is not there */
    SEAL_BROKEN, /* not sealed with this key, for this bond, or changed since */
};

/* Opens sealed bytes into `out`, which has room for sealed.bytes, and sets *bytes. On anything but
 * SEAL_OK *bytes is 0 and `out` has been wiped. The caller wipes `out` after use. */
enum seal_result seal_open(struct sealer *sealer, const struct seal_bond *bond,
                           struct store_bytes sealed, uint8_t *out, size_t *bytes);

/* ---- rows ---- */

/* The secret and the headers of a webhook, in memory of their own: sealed or open. */
struct sealed_row {
    uint8_t *memory;
    size_t capacity;
    struct store_bytes secret, headers;
};

/* Seals what is not empty of row->secret and row->headers, as of row->id and
 * row->status.generation; *sealed is to be given to sealed_row_free. */
void seal_row(struct sealer *sealer, const struct store_webhook *row, struct sealed_row *sealed);

/* Opens them. On anything but SEAL_OK both are empty. *opened is to be freed in any case. */
enum seal_result seal_row_open(struct sealer *sealer, const struct store_webhook *row,
                               struct sealed_row *opened);

/* Wipes and frees. */
void sealed_row_free(struct sealed_row *row);

#endif
