/* webhooks.fetch (DevRev's beta API): the last published version of an object is asked for, and
 * comes to a webhook as an event.
 *
 * Happy path: the webhook is looked up, the call goes to the dispatcher, and when the event that
 * answers it is durable, {} goes out. That there is no such object is an answer, too, and comes as
 * an event. Failure modes: no such webhook is 404; one that is not active is 400; too many open
 * deliveries, or a store that cannot commit, is 503. Refuses: to look at the object's id; any text
 * of a bounded length is one. */
#include "server/api_webhooks.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define OBJECT_BYTES_MAX 256

struct fetch {
    struct fetch_call call; /* first: `done` is given its address */
    struct pending pending;
};

static void answer_fetched(struct http_request *request, const struct fetch_call *call)
{
    char detail[ERROR_DETAIL_BYTES_MAX];
    struct json_out out = {0};
    switch (call->call.result) {
    case DISPATCH_OK:
        json_out_object(&out);
        json_out_object_end(&out);
        http_answer(request, 200, "application/json", &out);
        return;
    case DISPATCH_NOT_ACTIVE:
        snprintf(detail, sizeof(detail), "the webhook is %s; only an active one is sent to",
                 webhook_state_name(call->webhook_state));
        error_answer_plain(request, ERROR_bad_request, detail);
        return;
    case DISPATCH_BACKLOG:
        error_answer_unavailable(request, "too many deliveries are open; nothing was fetched");
        return;
    default: webhook_answer_refused(request, call->call.result); return;
    }
}

static void fetch_finish(struct pending *pending)
{
    struct fetch *fetch = (struct fetch *)((char *)pending - offsetof(struct fetch, pending));
    if (pending->request != NULL)
        answer_fetched(pending->request, &fetch->call);
    pending_end(pending);
    free(fetch);
}

static void fetch_done(struct dispatch_call *call)
{
    pending_post(&((struct fetch *)call)->pending);
}

static bool read_object(const struct json_t *value, struct text *object, struct error *error)
{
    *object = tree_text(value);
    if (object->bytes > 0 && object->bytes <= OBJECT_BYTES_MAX)
        return true;
    error_value(error, "object",
                object->bytes == 0 ? "it is empty" : "it is longer than 256 bytes");
    return false;
}

/* Finds the webhook and hands the call over. On false the request is answered. */
static bool start_fetch(struct api *api, struct fetch *fetch, struct http_request *request,
                        struct json_t *root, struct store_bytes id)
{
    enum store_result result = webhook_find(api, request, id, &fetch->call.webhook);
    if (result == STORE_NOT_FOUND) {
        error_answer_plain(request, ERROR_not_found, NULL);
        return false;
    }
    if (result != STORE_OK) {
        error_answer_fault(request, "webhooks.fetch", store_reader_error(api->reader));
        return false;
    }
    fetch->call.call.done = fetch_done;
    pending_begin(&fetch->pending, api, request, root, fetch_finish);
    dispatch_fetch(api->dispatch, &fetch->call);
    return true;
}

void webhooks_fetch(struct api *api, struct http_request *request, struct json_t *root)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    struct store_bytes id;
    struct error error;
    bool started = false;
    if (fetch == NULL) {
        error_answer_fault(request, "webhooks.fetch", "no memory");
    } else if (webhook_read_id(request, root, &id)) {
        if (read_object(tree_member(root, "object"), &fetch->call.object, &error))
            started = start_fetch(api, fetch, request, root, id);
        else
            error_answer(request, &error);
    }
    if (!started) {
        tree_free(root);
        free(fetch);
    }
}
