/* The bytes of a POST: the envelope around an event's payload, and the body of a verify request.
 * Pure. */
#ifndef REVHOOK_CORE_ENVELOPE_H
#define REVHOOK_CORE_ENVELOPE_H

#include "core/types.h"

#define ENVELOPE_EXTRA_BYTES_MAX \
    768 /* of an envelope, besides its payload or challenge (which may stand twice) */

/* Who sends what when. Text fields end with 0 and need no escaping: ids and timestamps are made by
 * us. */
struct envelope {
    const char *event_id;   /* as on the wire: <webhook id>:event/<x> */
    const char *webhook_id; /* DON */
    wall_us timestamp; /* of this invocation: every attempt has its own (DevRev OpenAPI: "time of
                          the invocation") */
};

/* Writes `{"id":...,"webhook_id":...,"timestamp":...,"type":...,"<type>":<payload>}`, the fields in
 * the order of DevRev's guide, into `out`, which has room for payload_bytes +
 * ENVELOPE_EXTRA_BYTES_MAX; returns the bytes written (no final zero). `payload` is canonical JSON
 * and is copied as it is. */
size_t envelope_event(char *out, const struct envelope *envelope, enum event_type type,
                      const char *payload, size_t payload_bytes);

/* Writes a verify request with `challenge` (letters and digits) in verify.challenge and, if
 * `top_level`, once more at the top, where DevRev's own sample receiver reads it. Room: twice the
 * challenge + ENVELOPE_EXTRA_BYTES_MAX. */
size_t envelope_verify(char *out, const struct envelope *envelope, const char *challenge,
                       bool top_level);

#endif
