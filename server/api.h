/* The API: what its handlers share, and how a call to the dispatcher is waited for.
 *
 * A handler is called on the loop's thread with a request that has passed routing, authentication
 * and the check of its fields (routes.c). It answers at once, or makes a `struct pending`, hands
 * its call to the dispatcher, and returns; when the dispatcher is done, `finish` runs on the loop's
 * thread and answers, if the client is still there. */
#ifndef REVHOOK_SERVER_API_H
#define REVHOOK_SERVER_API_H

#include "dispatcher/dispatch.h"
#include "server/config.h"
#include "server/http.h"
#include "server/json.h"
#include "server/tenants.h"

#define API_LIMIT_DEFAULT 50 /* rows on a page of a list */
#define API_LIMIT_MAX     100

/* The loop's thread alone. */
struct api {
    const struct config *config;
    struct dispatch *dispatch; /* NULL: the service is stopping */
    struct store_reader *reader;
    struct clock *clock;
    struct egress_policy egress;
    struct sealer *sealer;
    struct tenants tenants;
};

/* Who asks. Only behind the check of the token (routes.c). */
static inline const struct org *api_org(const struct http_request *request)
{
    return request->token->org;
}

/* An organisation as the store wants it. */
static inline struct store_bytes api_org_bytes(const struct org *org)
{
    return (struct store_bytes){org->id, strlen(org->id)};
}

/* A dispatcher call on its way, embedded in a malloc'd struct together with the call itself. */
struct pending {
    struct http_job job;
    struct api *api;
    struct http *http;
    struct http_request *request; /* NULL once the client has gone */
    struct json_t *root;          /* the request's tree: strings of the call point into it */
    void (*finish)(struct pending *pending);
};

/* Holds the request for this call. `root` (may be NULL) is taken over. */
void pending_begin(struct pending *pending, struct api *api, struct http_request *request,
                   struct json_t *root, void (*finish)(struct pending *pending));

/* From the call's `done`, on a thread of the dispatcher: has `finish` run on the loop's thread. */
void pending_post(struct pending *pending);

/* At the end of `finish`: frees the tree. The struct itself is its maker's to free. */
void pending_end(struct pending *pending);

/* Entry points for http_options. ctx is the struct api. */
void api_handle(void *ctx, struct http_request *request);
void api_pause(void *ctx);

/* Handlers; one for each row of the table in routes.c. `root` is theirs to free; NULL where the row
 * has no fields. */
void webhooks_create(struct api *api, struct http_request *request, struct json_t *root);
void webhooks_get(struct api *api, struct http_request *request, struct json_t *root);
void webhooks_list(struct api *api, struct http_request *request, struct json_t *root);
void webhooks_update(struct api *api, struct http_request *request, struct json_t *root);
void webhooks_delete(struct api *api, struct http_request *request, struct json_t *root);
void webhooks_fetch(struct api *api, struct http_request *request, struct json_t *root);
void events_publish(struct api *api, struct http_request *request, struct json_t *root);
void events_get(struct api *api, struct http_request *request, struct json_t *root);
void events_sample(struct api *api, struct http_request *request, struct json_t *root);
void events_list(struct api *api, struct http_request *request, struct json_t *root);
void deliveries_get(struct api *api, struct http_request *request, struct json_t *root);
void deliveries_list(struct api *api, struct http_request *request, struct json_t *root);
void deliveries_redeliver(struct api *api, struct http_request *request, struct json_t *root);
void clock_get(struct api *api, struct http_request *request, struct json_t *root);
void clock_advance(struct api *api, struct http_request *request, struct json_t *root);
void admin_healthz(struct api *api, struct http_request *request, struct json_t *root);
void admin_metrics(struct api *api, struct http_request *request, struct json_t *root);
void openapi_get(struct api *api, struct http_request *request, struct json_t *root);

#endif
