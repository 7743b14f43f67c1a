/* Webhooks, events and deliveries as JSON objects. */
#ifndef REVHOOK_SERVER_RENDER_H
#define REVHOOK_SERVER_RENDER_H

#include "server/api.h"

/* A time of the service's line as wall time: as far from now as it is on the line. */
wall_us render_wall(struct instant now, mono_ms mono);

/* Key and date; null for MONO_NEVER. */
void render_mono_pair(struct json_out *out, const char *key, struct instant now, mono_ms mono);

/* The `webhook` object (DevRev OpenAPI), with `health`, which is ours, at its end, as `token` may
 * see it: without scope manage `secret`, which DevRev's schema requires, is empty, and headers are
 * left out. `now` is the clock's. False if its secret does not open. */
bool render_webhook(struct json_out *out, const struct api *api, const struct token *token,
                    const struct store_webhook *row, struct instant now);

/* The word that `status` shows for a state: degraded is unverified to DevRev's clients, unless the
 * setting says otherwise. */
const char *render_status(const struct api *api, enum webhook_state state);

/* The members that every event object begins with: id, type, created_date, deliveries. */
void render_event(struct json_out *out, const struct org *org, int64_t key, uint64_t salt,
                  enum event_type type, wall_us created_us, uint32_t delivery_count);

/* The state of a delivery as clients see it: what is in flight is known to the dispatcher alone,
 * held follows from the webhook. */
enum delivery_state render_delivery_state(const struct api *api, const struct store_delivery *row);

/* The members of a delivery object, `state` being what the function above says. */
void render_delivery(struct json_out *out, const struct org *org, const struct store_delivery *row,
                     enum delivery_state state, struct instant now);

/* One attempt, as an object. */
void render_attempt(struct json_out *out, const struct store_attempt *row);

#endif
