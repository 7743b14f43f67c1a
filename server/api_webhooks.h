/* What webhooks.create, update, delete and fetch share with get and list. Only api_webhooks*.c and
 * api_fetch.c include this. */
#ifndef REVHOOK_SERVER_API_WEBHOOKS_H
#define REVHOOK_SERVER_API_WEBHOOKS_H

#include "server/api.h"

/* Answers with what the store says of a webhook; 404 if it has none of this id. */
void webhook_answer(struct api *api, struct http_request *request, struct store_bytes id,
                    int status);

/* Answers a change that did not happen. */
void webhook_answer_refused(struct http_request *request, enum dispatch_result result);

/* Reads the id member of a request, as the store wants it; it points into the tree. On false the
 * request is answered. */
bool webhook_read_id(struct http_request *request, const struct json_t *root,
                     struct store_bytes *id);

/* The key of a webhook of who asks that is not deleted. */
enum store_result webhook_find(struct api *api, const struct http_request *request,
                               struct store_bytes id, int64_t *key);

/* A change is durable: sees to it that the dispatcher learns, once, when the answer has gone out or
 * its client has gone. To be called before the answer is given. */
void webhook_announce_answer(struct pending *pending, int64_t webhook);

#endif
