/* webhooks.update and delete.
 *
 * Happy path: all values are checked before anything is done, the webhook is looked up, the change
 * goes to the dispatcher as one call, and its result is read back from the store. Failure modes:
 * one value that breaks its rule refuses the whole update; a webhook that goes away in between is
 * 404. Refuses: to know what the change does to states and queues. */
#include "server/api_webhooks.h"

#include "dispatcher/secret.h"
#include "server/webhook_fields.h"
#include "server/words.h"

#include <stddef.h>
#include <stdlib.h>

struct changing {
    struct update_call call; /* first: `done` is given its address */
    struct pending pending;
    struct webhook_header set_headers[WEBHOOK_HEADERS_MAX], add_headers[WEBHOOK_HEADERS_MAX];
    const char *remove_headers[WEBHOOK_HEADERS_MAX];
    char secret[SECRET_GENERATED_CHARS + 1];
    char target[EGRESS_URL_MAX + 1];
    struct store_bytes id; /* in the tree */
};

static void update_done(struct dispatch_call *call)
{
    pending_post(&((struct changing *)call)->pending);
}

static void update_finish(struct pending *pending)
{
    struct changing *changing =
        (struct changing *)((char *)pending - offsetof(struct changing, pending));
    struct json_out out = {0};
    if (changing->call.call.result == DISPATCH_OK)
        webhook_announce_answer(pending, changing->call.webhook);
    if (pending->request == NULL) {
        /* nobody to tell */
    } else if (changing->call.call.result != DISPATCH_OK) {
        webhook_answer_refused(pending->request, changing->call.call.result);
    } else if (changing->call.command == COMMAND_DELETE) {
        json_out_object(&out);
        json_out_object_end(&out);
        http_answer(pending->request, 200, "application/json", &out);
    } else {
        webhook_answer(pending->api, pending->request, changing->id, 200);
    }
    pending_end(pending);
    secret_wipe(changing->secret, sizeof(changing->secret));
    free(changing);
}

static bool read_event_types(struct update_call *call, const struct json_t *types,
                             struct error *error)
{
    const struct json_t *set = tree_member(types, "set"), *add = tree_member(types, "add"),
                        *remove = tree_member(types, "remove");
    if (!fields_event_types(set, "event_types.set", &call->event_types, error) ||
        !fields_event_types(add, "event_types.add", &call->add_event_types, error) ||
        !fields_event_types(remove, "event_types.remove", &call->remove_event_types, error))
        return false;
    if (set != NULL && (add != NULL || remove != NULL)) {
        error_value(error, "event_types.set", "set cannot stand beside add or remove");
        return false;
    }
    call->set_event_types = set != NULL;
    return true;
}

static bool read_headers(struct changing *changing, const struct json_t *headers,
                         struct error *error)
{
    struct update_call *call = &changing->call;
    const struct json_t *set = tree_member(headers, "set");
    if (!fields_headers(set, "headers.set", changing->set_headers, &call->header_count, error) ||
        !fields_headers(tree_member(headers, "add"), "headers.add", changing->add_headers,
                        &call->add_header_count, error) ||
        !fields_header_names(tree_member(headers, "remove"), "headers.remove",
                             changing->remove_headers, &call->remove_header_count, error))
        return false;
    call->set_headers = set != NULL;
    call->headers = changing->set_headers;
    call->add_headers = changing->add_headers;
    call->remove_headers = changing->remove_headers;
    return true;
}

/* The secret and the action. An empty secret asks for a new one (DevRev OpenAPI). */
static bool read_secret_and_action(struct changing *changing, const struct json_t *root,
                                   struct error *error)
{
    const struct json_t *secret = tree_member(root, "secret"),
                        *action = tree_member(root, "action");
    if (secret != NULL && tree_text(secret).bytes > 0 && !fields_secret(secret, error))
        return false;
    if (action != NULL && words_find(words_actions, tree_text(action)) < 0) {
        error_enum(error, "action", tree_text(action), words_actions);
        return false;
    }
    if (secret != NULL)
        changing->call.secret =
            tree_text(secret).bytes > 0 ? tree_text(secret).at : changing->secret;
    if (action != NULL)
        changing->call.command =
            text_is(tree_text(action), "activate") ? COMMAND_ACTIVATE : COMMAND_DEACTIVATE;
    return true;
}

static bool update_read(const struct api *api, struct changing *changing, const struct json_t *root,
                        struct error *error)
{
    const struct json_t *url = tree_member(root, "url");
    if ((url != NULL && !fields_url(api, url, changing->target, error)) ||
        !read_event_types(&changing->call, tree_member(root, "event_types"), error) ||
        !read_secret_and_action(changing, root, error) ||
        !read_headers(changing, tree_member(root, "headers"), error) ||
        !fields_signature(tree_member(root, "signature"), &changing->call.signature,
                          &changing->call.reset_signature, error))
        return false;
    if (url != NULL) {
        changing->call.url = tree_text(url).at;
        changing->call.target = changing->target;
    }
    return true;
}

/* Finds the webhook and hands the change over. On false the request is answered. */
static bool start_update(struct api *api, struct changing *changing, struct http_request *request,
                         struct json_t *root)
{
    enum store_result result = webhook_find(api, request, changing->id, &changing->call.webhook);
    if (result == STORE_NOT_FOUND) {
        error_answer_plain(request, ERROR_not_found, NULL);
        return false;
    }
    if (result != STORE_OK) {
        error_answer_fault(request, "webhooks.update", store_reader_error(api->reader));
        return false;
    }
    changing->call.call.done = update_done;
    changing->call.user = request->token->user;
    pending_begin(&changing->pending, api, request, root, update_finish);
    dispatch_update(api->dispatch, &changing->call);
    return true;
}

void webhooks_update(struct api *api, struct http_request *request, struct json_t *root)
{
    struct changing *changing = calloc(1, sizeof(*changing));
    struct error error;
    bool started = false;
    if (changing == NULL || secret_random_text(changing->secret, SECRET_GENERATED_CHARS) != 0)
        error_answer_fault(request, "webhooks.update", "no memory, or no random numbers");
    else if (webhook_read_id(request, root, &changing->id)) {
        if (update_read(api, changing, root, &error))
            started = start_update(api, changing, request, root);
        else
            error_answer(request, &error);
    }
    if (!started) {
        tree_free(root);
        free(changing);
    }
}

void webhooks_delete(struct api *api, struct http_request *request, struct json_t *root)
{
    struct changing *changing = calloc(1, sizeof(*changing));
    bool started = false;
    if (changing == NULL) {
        error_answer_fault(request, "webhooks.delete", "no memory");
    } else if (webhook_read_id(request, root, &changing->id)) {
        changing->call.command = COMMAND_DELETE;
        started = start_update(api, changing, request, root);
    }
    if (!started) {
        tree_free(root);
        free(changing);
    }
}
