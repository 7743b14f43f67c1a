/* webhooks.get and list, and what the changes share.
 *
 * Happy path: a row of the store becomes an object. A change is answered by what the store says
 * after it: the answer is what a get would say. The verify run of a create or update begins only
 * after its answer has gone out (DevRev shows a webhook as unverified in the 201), so the
 * dispatcher is told when the request goes away.
 *
 * Failure modes: a webhook that is gone is 404; a store that cannot be read is 500 with a reference
 * into the log. Refuses: to decide about states; the dispatcher does. */
#include "server/api_webhooks.h"

#include "server/id.h"
#include "server/render.h"
#include "server/webhook_fields.h"

/* ---- reading ---- */

struct reading {
    const struct api *api;
    const struct token *token; /* who asks */
    struct json_out *out;
    struct instant now;
    unsigned states; /* those to be shown, as bits */
    int64_t key;
    bool broken; /* a secret does not open */
};

static bool visit_webhook(void *ctx, const struct store_webhook *row)
{
    struct reading *reading = ctx;
    reading->key = row->key;
    if (reading->out != NULL && (reading->states & (1u << row->status.state)) != 0)
        reading->broken |=
            !render_webhook(reading->out, reading->api, reading->token, row, reading->now);
    return true;
}

static const char *why_not(const struct api *api, const struct reading *reading)
{
    return reading->broken ? "a secret does not open with the key that sealed it"
                           : store_reader_error(api->reader);
}

/* Answers with what the store says of a webhook. */
void webhook_answer(struct api *api, struct http_request *request, struct store_bytes id,
                    int status)
{
    struct json_out out = {0};
    struct reading reading = {api, request->token, &out, clock_now(api->clock), ~0u, 0, false};
    enum store_result result;
    json_out_object(&out);
    json_out_key(&out, "webhook");
    result = store_webhook_get(api->reader, api_org_bytes(api_org(request)), id, visit_webhook,
                               &reading);
    json_out_object_end(&out);
    if (result == STORE_OK && !reading.broken) {
        http_answer(request, status, "application/json", &out);
        return;
    }
    json_out_free(&out);
    if (result == STORE_NOT_FOUND)
        error_answer_plain(request, ERROR_not_found, NULL);
    else
        error_answer_fault(request, "webhooks", why_not(api, &reading));
}

/* The id member of a request, as the store wants it. On false the request is answered. */
bool webhook_read_id(struct http_request *request, const struct json_t *root,
                     struct store_bytes *id)
{
    struct error error;
    struct ids_don don;
    if (!id_check(tree_text(tree_member(root, "id")), "id", IDS_WEBHOOK, api_org(request), &don,
                  &error)) {
        error_answer(request, &error);
        return false;
    }
    *id = (struct store_bytes){don.webhook, don.webhook_bytes};
    return true;
}

void webhooks_get(struct api *api, struct http_request *request, struct json_t *root)
{
    struct store_bytes id;
    if (webhook_read_id(request, root, &id))
        webhook_answer(api, request, id, 200);
    tree_free(root);
}

void webhooks_list(struct api *api, struct http_request *request, struct json_t *root)
{
    const struct json_t *statuses = tree_member(root, "status");
    struct json_out out = {0};
    struct reading reading = {api, request->token, &out, clock_now(api->clock), ~0u, 0, false};
    struct error error;
    if (tree_count(statuses) > 0 &&
        !fields_statuses(api, statuses, "status", &reading.states, &error)) {
        error_answer(request, &error);
        tree_free(root);
        return;
    }
    json_out_object(&out);
    json_out_key(&out, "webhooks");
    json_out_array(&out);
    enum store_result result =
        store_webhook_list(api->reader, api_org_bytes(api_org(request)), visit_webhook, &reading);
    json_out_array_end(&out);
    json_out_object_end(&out);
    if (result == STORE_OK && !reading.broken)
        http_answer(request, 200, "application/json", &out);
    else
        error_answer_fault(request, "webhooks.list", why_not(api, &reading));
    json_out_free(&out);
    tree_free(root);
}

enum store_result webhook_find(struct api *api, const struct http_request *request,
                               struct store_bytes id, int64_t *key)
{
    struct reading reading = {.api = api};
    enum store_result result = store_webhook_get(api->reader, api_org_bytes(api_org(request)), id,
                                                 visit_webhook, &reading);
    *key = reading.key;
    return result;
}

/* ---- what the changes share ---- */

/* The answer to a change has gone out, or its client has gone. */
static void answered(void *ctx, int64_t webhook)
{
    struct api *api = ctx;
    if (api->dispatch != NULL)
        dispatch_answered(api->dispatch, webhook);
}

/* Sees to it that the dispatcher learns when the answer to a change that is durable has gone out.
 */
void webhook_announce_answer(struct pending *pending, int64_t webhook)
{
    if (pending->request != NULL)
        http_after(pending->request, answered, pending->api, webhook);
    else
        answered(pending->api, webhook);
}

/* Answers a change that did not happen. */
void webhook_answer_refused(struct http_request *request, enum dispatch_result result)
{
    struct error error;
    switch (result) {
    case DISPATCH_NOT_FOUND: error_answer_plain(request, ERROR_not_found, NULL); return;
    case DISPATCH_TOO_MANY_HEADERS:
        error_value(&error, "headers", "there would be more than 8 headers");
        error_answer(request, &error);
        return;
    case DISPATCH_TOO_MANY_WEBHOOKS:
        error_answer_plain(request, ERROR_bad_request,
                           "there are as many webhooks as webhooks_max allows");
        return;
    case DISPATCH_CONFLICT: /* no id that is new was drawn before the service began to stop */
    case DISPATCH_UNAVAILABLE:
        error_answer_unavailable(request, "the store cannot take this now; nothing has changed");
        return;
    default:
        error_answer_fault(request, "webhooks", "an answer of the dispatcher that cannot be");
        return;
    }
}
