/* Public ids: DevRev object names (DONs) of webhooks, events and deliveries, and the short
 * random-looking text in them.
 *
 *     webhook   don:integration:<partition>:devo/<org>:webhook/<id>
 *     event     don:integration:<partition>:devo/<org>:event/<x>            in the API
 *               don:integration:<partition>:devo/<org>:webhook/<id>:event/<x>   on the wire; the
 * same x delivery  don:integration:<partition>:devo/<org>:webhook/<id>:delivery/<x>
 *
 * x is base62 of the store's key (8 characters, so that x sorts by age) and of the event's random
 * salt (6 characters): a store that was restored from a copy gives the same keys again, but not the
 * same ids. Pure. */
#ifndef REVHOOK_CORE_IDS_H
#define REVHOOK_CORE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_SHORT_BYTES   14                       /* of x, without the final zero */
#define IDS_SALT_END      UINT64_C(56800235584)    /* 62^6: salts are below */
#define IDS_KEY_END       INT64_C(218340105584896) /* 62^8: keys are below */
#define IDS_DON_BYTES_MAX 256 /* of any DON that is made or taken, final zero included */

/* Writes x with a final zero. key in [1, IDS_KEY_END), salt below IDS_SALT_END. */
void ids_short(char out[IDS_SHORT_BYTES + 1], int64_t key, uint64_t salt);

/* Reads x back; false if it is not one. */
bool ids_short_parse(const char *text, size_t bytes, int64_t *key, uint64_t *salt);

enum ids_kind {
    IDS_MALFORMED, /* not a DON */
    IDS_WEBHOOK,
    IDS_EVENT, /* either form */
    IDS_DELIVERY,
    IDS_OTHER, /* a well-formed DON of something else */
};

/* A DON taken apart. Spans point into the text that was parsed; org and partition are NUL-free and
 * not checked against ours. */
struct ids_don {
    const char *partition, *org, *webhook; /* webhook: NULL if the DON names none */
    size_t partition_bytes, org_bytes, webhook_bytes;
    int64_t key;   /* of an event or delivery */
    uint64_t salt; /* of an event or delivery */
};

/* Takes a DON apart. Event ids with "webhook_event/" in place of "event/" are taken, too (seen in
 * DevRev's own payloads). An event or delivery whose x is no x of ours is IDS_OTHER with key 0:
 * well-formed, but nothing has it. */
enum ids_kind ids_parse(const char *text, size_t bytes, struct ids_don *don);

/* Write a DON with a final zero into out (IDS_DON_BYTES_MAX bytes); return its bytes without the
 * zero. partition and org are short (together below 128 bytes). */
size_t ids_webhook(char *out, const char *partition, const char *org, const char *id);
size_t ids_event(char *out, const char *partition, const char *org, int64_t key, uint64_t salt);
/* webhook_don is the webhook's DON. */
size_t ids_wire_event(char *out, const char *webhook_don, int64_t key, uint64_t salt);
size_t ids_delivery(char *out, const char *webhook_don, int64_t key, uint64_t salt);

#endif
