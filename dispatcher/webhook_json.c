/* The `webhook` object, see webhook_json.h.
 *
 * Owns: the order and names of its fields, and what `status` shows. Happy path: one row in, members
 * out. Failure modes: none; a row is right because it was checked when it was written. Refuses:
 * `health`, which is about the service's own doings, and to decide who may see a secret. The one
 * member that DevRev does not have is `signature`, and only a webhook that uses it has it. */
#include "dispatcher/webhook_json.h"

#include "dispatcher/sign_form.h"

#include <stdio.h>

#define DISPLAY_NAME "API token"

static struct text text_from(struct store_bytes bytes)
{
    return (struct text){bytes.at, bytes.bytes};
}

void webhook_json_don(char out[IDS_DON_BYTES_MAX], struct store_bytes partition,
                      struct store_bytes org, struct store_bytes id)
{
    char short_id[STORE_WEBHOOK_ID_BYTES_MAX + 1], org_text[STORE_ORG_ID_BYTES_MAX + 1],
        partition_text[STORE_PARTITION_BYTES_MAX + 1];
    snprintf(partition_text, sizeof(partition_text), "%.*s", (int)partition.bytes, partition.at);
    snprintf(short_id, sizeof(short_id), "%.*s", (int)id.bytes, id.at);
    snprintf(org_text, sizeof(org_text), "%.*s", (int)org.bytes, org.at);
    ids_webhook(out, partition_text, org_text, short_id);
}

static void put_user(struct json_out *out, const char *key, const struct store_webhook *row,
                     struct store_bytes user)
{
    char don[IDS_DON_BYTES_MAX];
    if (user.bytes == 0)
        return;
    snprintf(don, sizeof(don), "don:identity:%.*s:devo/%.*s:%.*s", (int)row->partition.bytes,
             row->partition.at, (int)row->org.bytes, row->org.at, (int)user.bytes, user.at);
    json_out_key(out, key);
    json_out_object(out);
    json_out_pair_string(out, "type", "service_account");
    json_out_pair_string(out, "display_name", DISPLAY_NAME);
    json_out_pair_string(out, "id", don);
    json_out_object_end(out);
}

static void put_event_types(struct json_out *out, const struct event_set *set)
{
    json_out_key(out, "event_types");
    json_out_array(out);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (event_set_has(set, (enum event_type)type))
            json_out_string(out, event_type_name((enum event_type)type));
    json_out_array_end(out);
}

/* From "name: value\n" lines. */
static void put_headers(struct json_out *out, struct store_bytes lines)
{
    const char *at = lines.at, *end = lines.at + lines.bytes;
    if (lines.bytes == 0)
        return;
    json_out_key(out, "headers");
    json_out_array(out);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *colon = memchr(at, ':', (size_t)(end - at));
        json_out_object(out);
        json_out_pair_text(out, "name", (struct text){at, (size_t)(colon - at)});
        json_out_pair_text(out, "value", (struct text){colon + 2, (size_t)(newline - colon - 2)});
        json_out_object_end(out);
        at = newline + 1;
    }
    json_out_array_end(out);
}

/* The parts of its form of signature that it sets for itself. */
static void put_signature(struct json_out *out, struct store_bytes text)
{
    struct sign_own own;
    if (!sign_own_read(&own, text.at, text.bytes) || !sign_own_any(&own))
        return;
    json_out_key(out, "signature");
    json_out_object(out);
    if (own.has_encoding)
        json_out_pair_string(out, "encoding", sign_encodings[own.form.encoding]);
    if (own.has_key)
        json_out_pair_string(out, "key", sign_keys[own.form.key]);
    if (own.has_prefix)
        json_out_pair_string(out, "prefix", sign_prefixes[own.form.prefix]);
    json_out_object_end(out);
}

const char *webhook_json_status(enum webhook_state state, bool degraded_visible)
{
    return webhook_state_name(state == WEBHOOK_DEGRADED && !degraded_visible ? WEBHOOK_UNVERIFIED
                                                                             : state);
}

void webhook_json_members(struct json_out *out, bool degraded_visible,
                          const struct store_webhook *row)
{
    char don[IDS_DON_BYTES_MAX], display_id[16 + STORE_WEBHOOK_ID_BYTES_MAX];
    webhook_json_don(don, row->partition, row->org, row->id);
    snprintf(display_id, sizeof(display_id), "webhook-%.*s", (int)row->id.bytes, row->id.at);
    put_user(out, "created_by", row, row->created_by);
    json_out_pair_date(out, "created_date", row->created_us);
    json_out_pair_string(out, "display_id", display_id);
    json_out_pair_string(out, "id", don);
    put_user(out, "modified_by", row, row->modified_by);
    json_out_pair_date(out, "modified_date", row->modified_us);
    put_event_types(out, &row->event_types);
    put_headers(out, row->headers);
    json_out_pair_text(out, "secret", text_from(row->secret));
    put_signature(out, row->signature);
    json_out_pair_string(out, "status", webhook_json_status(row->status.state, degraded_visible));
    json_out_pair_text(out, "url", text_from(row->url));
}
