/* The objects of the API, from the rows of the store.
 *
 * Owns: the order and names of their fields, and what is shown of states. Happy path: one row in,
 * one object out. Failure modes: none; a row is right because it was checked when it was written.
 * Refuses: to read anything but the row and the dispatcher's word on what is in flight. */
#include "server/render.h"

#include "dispatcher/webhook_json.h"

#include <stdio.h>

wall_us render_wall(struct instant now, mono_ms mono)
{
    return now.wall + (mono - now.mono) * 1000;
}

void render_mono_pair(struct json_out *out, const char *key, struct instant now, mono_ms mono)
{
    json_out_pair_date(out, key, mono == MONO_NEVER ? 0 : render_wall(now, mono));
}

static struct text text_from(struct store_bytes bytes)
{
    return (struct text){bytes.at, bytes.bytes};
}

/* ---- webhooks ---- */

static void render_health(struct json_out *out, const struct webhook_status *status,
                          struct instant now)
{
    json_out_key(out, "health");
    json_out_object(out);
    json_out_pair_string(out, "state", webhook_state_name(status->state));
    json_out_pair_date(out, "since", status->since_us);
    json_out_pair_string(out, "reason",
                         status->state == WEBHOOK_ACTIVE || status->reason == REASON_none
                             ? NULL
                             : reason_name(status->reason));
    json_out_pair_number(out, "consecutive_failures", status->consecutive_failures);
    render_mono_pair(out, "next_verify_at", now, status->verify_next);
    json_out_pair_date(out, "last_success_at", status->last_success_us);
    json_out_object_end(out);
}

const char *render_status(const struct api *api, enum webhook_state state)
{
    return webhook_json_status(state, api->config->degraded_status_visible);
}

bool render_webhook(struct json_out *out, const struct api *api, const struct token *token,
                    const struct store_webhook *row, struct instant now)
{
    struct store_webhook shown = *row;
    struct sealed_row opened = {.secret = {"", 0}, .headers = {"", 0}};
    bool good = (token->scopes & 1u << SCOPE_manage) == 0 ||
                seal_row_open(api->sealer, row, &opened) == SEAL_OK;
    shown.secret = opened.secret;
    shown.headers = opened.headers;
    json_out_object(out);
    webhook_json_members(out, api->config->degraded_status_visible, &shown);
    render_health(out, &row->status, now);
    json_out_object_end(out);
    sealed_row_free(&opened);
    return good;
}

/* ---- events ---- */

void render_event(struct json_out *out, const struct org *org, int64_t key, uint64_t salt,
                  enum event_type type, wall_us created_us, uint32_t delivery_count)
{
    char don[IDS_DON_BYTES_MAX];
    ids_event(don, org->partition, org->id, key, salt);
    json_out_pair_string(out, "id", don);
    json_out_pair_string(out, "type", event_type_name(type));
    json_out_pair_date(out, "created_date", created_us);
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

void render_delivery(struct json_out *out, const struct org *org, const struct store_delivery *row,
                     enum delivery_state state, struct instant now)
{
    char webhook[IDS_DON_BYTES_MAX], don[IDS_DON_BYTES_MAX];
    bool ended_badly = state == DELIVERY_FAILED || state == DELIVERY_DROPPED;
    webhook_json_don(webhook, (struct store_bytes){org->partition, strlen(org->partition)},
                     api_org_bytes(org), row->webhook_id);
    ids_delivery(don, webhook, row->key, row->salt);
    json_out_pair_string(out, "id", don);
    ids_event(don, org->partition, org->id, row->event, row->salt);
    json_out_pair_string(out, "event", don);
    json_out_pair_string(out, "webhook", webhook);
    json_out_pair_string(out, "type", event_type_name(row->type));
    json_out_pair_string(out, "state", delivery_state_name(state));
    json_out_pair_string(out, "reason", ended_badly ? reason_name(row->reason) : NULL);
    json_out_pair_number(out, "attempt_count", row->attempt_count);
    render_mono_pair(out, "next_attempt_at", now,
                     state == DELIVERY_PENDING ? row->due : MONO_NEVER);
    json_out_pair_date(out, "created_date", row->created_us);
}

void render_attempt(struct json_out *out, const struct store_attempt *row)
{
    bool acknowledged = outcome_acknowledged(row->outcome);
    json_out_object(out);
    json_out_pair_number(out, "n", row->n);
    json_out_pair_date(out, "started_at", row->started_us);
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
