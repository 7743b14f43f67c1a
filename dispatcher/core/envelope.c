/* The envelope around a payload, byte for byte as it is signed and sent.
 *
 * Owns: field order and names of what receivers get. Refuses: to escape; what goes in is canonical
 * JSON or made of characters that need none. The result is canonical, too: what
 * JSON.stringify(JSON.parse(body)) would print. */
#include "core/envelope.h"

#include <assert.h>
#include <string.h>

static char *put(char *out, const char *text, size_t bytes)
{
    memcpy(out, text, bytes);
    return out + bytes;
}

static char *put_text(char *out, const char *text)
{
    return put(out, text, strlen(text));
}

static char *put_head(char *out, const struct envelope *envelope, const char *type)
{
    char timestamp[TIMESTAMP_BYTES + 1];
    timestamp_format(timestamp, envelope->timestamp);
    assert(strlen(envelope->event_id) + strlen(envelope->webhook_id) < 512);
    out = put_text(out, "{\"id\":\"");
    out = put_text(out, envelope->event_id);
    out = put_text(out, "\",\"webhook_id\":\"");
    out = put_text(out, envelope->webhook_id);
    out = put_text(out, "\",\"timestamp\":\"");
    out = put(out, timestamp, TIMESTAMP_BYTES);
    out = put_text(out, "\",\"type\":\"");
    out = put_text(out, type);
    out = put_text(out, "\",\"");
    out = put_text(out, type);
    return put_text(out, "\":");
}

size_t envelope_event(char *out, const struct envelope *envelope, enum event_type type,
                      const char *payload, size_t payload_bytes)
{
    char *end = put_head(out, envelope, event_type_name(type));
    end = put(end, payload, payload_bytes);
    end = put_text(end, "}");
    return (size_t)(end - out);
}

size_t envelope_verify(char *out, const struct envelope *envelope, const char *challenge,
                       bool top_level)
{
    char *end = put_head(out, envelope, "verify");
    end = put_text(end, "{\"challenge\":\"");
    end = put_text(end, challenge);
    end = put_text(end, "\"}");
    if (top_level) {
        end = put_text(end, ",\"challenge\":\"");
        end = put_text(end, challenge);
        end = put_text(end, "\"");
    }
    end = put_text(end, "}");
    return (size_t)(end - out);
}
