/* The objects of the API, from the rows of the store.
 *
 * Owns: the order and names of their fields, and what is shown of states. Happy path: one row in,
 * one object out. Failure modes: none; a row is right because it was checked when it was written.
 * Refuses: to read anything but the row and the dispatcher's word on what is in flight. */
#include "server/render.h"

#include "core/ids.h"

#include <stdio.h>

#define DISPLAY_NAME "API token"

void render_time(char out[RENDER_TIME_BYTES + 1], wall_us wall)
{
    char all[TIMESTAMP_BYTES + 1];
    timestamp_format(all, wall);
    memcpy(out, all, RENDER_TIME_BYTES - 1);
    memcpy(out + RENDER_TIME_BYTES - 1, "Z", 2);
}

wall_us render_wall(struct instant now, mono_ms mono)
{
    return now.wall + (mono - now.mono) * 1000;
}

void render_wall_pair(struct json_out *out, const char *key, wall_us wall)
{
    char time[RENDER_TIME_BYTES + 1];
    render_time(time, wall);
    json_out_pair_string(out, key, wall == 0 ? NULL : time);
}

void render_mono_pair(struct json_out *out, const char *key, struct instant now, mono_ms mono)
{
    render_wall_pair(out, key, mono == MONO_NEVER ? 0 : render_wall(now, mono));
}

static struct text text_from(struct store_bytes bytes)
{
    return (struct text){bytes.at, bytes.bytes};
}

/* ---- webhooks ---- */

/* The DON of a webhook from the id that the store has. */
static void webhook_don(char out[IDS_DON_BYTES_MAX], struct store_bytes id)
{
    char short_id[STORE_WEBHOOK_ID_BYTES_MAX + 1];
    snprintf(short_id, sizeof(short_id), "%.*s", (int)id.bytes, id.at);
    ids_webhook(out, API_PARTITION, API_ORG, short_id);
}

static void render_user(struct json_out *out, const char *key, struct store_bytes user)
{
    char don[IDS_DON_BYTES_MAX];
    if (user.bytes == 0)
        return;
    snprintf(don, sizeof(don), "don:identity:%s:devo/%s:%.*s", API_PARTITION, API_ORG,
             (int)user.bytes, user.at);
    json_out_key(out, key);
    json_out_object(out);
    json_out_pair_string(out, "type", "service_account");
    json_out_pair_string(out, "display_name", DISPLAY_NAME);
    json_out_pair_string(out, "id", don);
    json_out_object_end(out);
}

static void render_event_types(struct json_out *out, const struct event_set *set)
{
    json_out_key(out, "event_types");
    json_out_array(out);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (event_set_has(set, (enum event_type)type))
            json_out_string(out, event_type_name((enum event_type)type));
    json_out_array_end(out);
}

/* From "name: value\n" lines. */
static void render_headers(struct json_out *out, struct store_bytes lines)
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

static void render_health(struct json_out *out, const struct webhook_status *status,
                          struct instant now)
{
    json_out_key(out, "health");
    json_out_object(out);
    json_out_pair_string(out, "state", webhook_state_name(status->state));
    render_wall_pair(out, "since", status->since_us);
    json_out_pair_string(out, "reason",
                         status->state == WEBHOOK_ACTIVE || status->reason == REASON_none
                             ? NULL
                             : reason_name(status->reason));
    json_out_pair_number(out, "consecutive_failures", status->consecutive_failures);
    render_mono_pair(out, "next_verify_at", now, status->verify_next);
    render_wall_pair(out, "last_success_at", status->last_success_us);
    json_out_object_end(out);
}

const char *render_status(const struct api *api, enum webhook_state state)
{
    if (state == WEBHOOK_DEGRADED && !api->config->degraded_status_visible)
        state = WEBHOOK_UNVERIFIED;
    return webhook_state_name(state);
}

void render_webhook(struct json_out *out, const struct api *api, const struct store_webhook *row,
                    struct instant now)
{
    char don[IDS_DON_BYTES_MAX], display_id[16 + STORE_WEBHOOK_ID_BYTES_MAX];
    webhook_don(don, row->id);
    snprintf(display_id, sizeof(display_id), "webhook-%.*s", (int)row->id.bytes, row->id.at);
    json_out_object(out);
    render_user(out, "created_by", row->created_by);
    render_wall_pair(out, "created_date", row->created_us);
    json_out_pair_string(out, "display_id", display_id);
    json_out_pair_string(out, "id", don);
    render_user(out, "modified_by", row->modified_by);
    render_wall_pair(out, "modified_date", row->modified_us);
    render_event_types(out, &row->event_types);
    render_headers(out, row->headers);
    json_out_pair_text(out, "secret", text_from(row->secret));
    json_out_pair_string(out, "status", render_status(api, row->status.state));
    json_out_pair_text(out, "url", text_from(row->url));
    render_health(out, &row->status, now);
    json_out_object_end(out);
}

/* ---- events ---- */

void render_event(struct json_out *out, int64_t key, uint64_t salt, enum event_type type,
                  wall_us created_us, uint32_t delivery_count)
{
    char don[IDS_DON_BYTES_MAX];
    ids_event(don, API_PARTITION, API_ORG, key, salt);
    json_out_pair_string(out, "id", don);
    json_out_pair_string(out, "type", event_type_name(type));
    render_wall_pair(out, "created_date", created_us);
    json_out_pair_number(out, "deliveries", delivery_count);
}

/* ---- deliveries ---- */

enum delivery_state render_delivery_state(const struct api *api, const struct store_delivery *row)
{
    if (row->due == MONO_NEVER)
        return row->state;
    if (dispatch_in_flight(api->dispatch, row->key))
        return DELIVERY_IN_FLIGHT;
    return row->webhook_state == WEBHOOK_UNVERIFIED ? DELIVERY_HELD : DELIVERY_PENDING;
}

void render_delivery(struct json_out *out, const struct store_delivery *row,
                     enum delivery_state state, struct instant now)
{
    char webhook[IDS_DON_BYTES_MAX], don[IDS_DON_BYTES_MAX];
    bool ended_badly = state == DELIVERY_FAILED || state == DELIVERY_DROPPED;
    webhook_don(webhook, row->webhook_id);
    ids_delivery(don, webhook, row->key, row->salt);
    json_out_pair_string(out, "id", don);
    ids_event(don, API_PARTITION, API_ORG, row->event, row->salt);
    json_out_pair_string(out, "event", don);
    json_out_pair_string(out, "webhook", webhook);
    json_out_pair_string(out, "type", event_type_name(row->type));
    json_out_pair_string(out, "state", delivery_state_name(state));
    json_out_pair_string(out, "reason", ended_badly ? reason_name(row->reason) : NULL);
    json_out_pair_number(out, "attempt_count", row->attempt_count);
    render_mono_pair(out, "next_attempt_at", now,
                     state == DELIVERY_PENDING ? row->due : MONO_NEVER);
    render_wall_pair(out, "created_date", row->created_us);
}

void render_attempt(struct json_out *out, const struct store_attempt *row)
{
    bool acknowledged = outcome_acknowledged(row->outcome);
    json_out_object(out);
    json_out_pair_number(out, "n", row->n);
    render_wall_pair(out, "started_at", row->started_us);
    json_out_pair_number(out, "duration_ms", row->duration_ms);
    json_out_pair_string(out, "outcome", outcome_name(row->outcome));
    json_out_key(out, "http_status");
    if (row->http_status == 0)
        json_out_null(out);
    else
        json_out_number(out, row->http_status);
    json_out_pair_string(out, "reason", acknowledged ? NULL : outcome_name(row->outcome));
    json_out_pair_text(out, "response_body", text_from(row->answer));
    json_out_key(out, "redelivery");
    json_out_bool(out, row->redelivery);
    json_out_object_end(out);
}
