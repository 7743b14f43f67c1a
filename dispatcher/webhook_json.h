/* The `webhook` object (DevRev OpenAPI), for the API's answers and for the service's own events
 * about webhooks. */
#ifndef REVHOOK_DISPATCHER_WEBHOOK_JSON_H
#define REVHOOK_DISPATCHER_WEBHOOK_JSON_H

#include "core/ids.h"
#include "dispatcher/json_out.h"
#include "store/store.h"

/* Writes the DON of a webhook, with a final zero, from what the store has. Pure. */
void webhook_json_don(char out[IDS_DON_BYTES_MAX], struct store_bytes partition,
                      struct store_bytes org, struct store_bytes id);

/* The word that `status` shows for a state: degraded is unverified to DevRev's clients, unless
 * `degraded_visible`. Static memory. */
const char *webhook_json_status(enum webhook_state state, bool degraded_visible);

/* Writes the members of the object, without its braces, in the order of DevRev's documentation:
 * what every object has, then what a webhook has, each by the alphabet. A row without headers,
 * without a user, or that sets nothing of its signature has no such member. What is in the row is
 * shown, the secret too. */
void webhook_json_members(struct json_out *out, bool degraded_visible,
                          const struct store_webhook *row);

#endif
