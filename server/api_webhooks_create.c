/* webhooks.create.
 *
 * Happy path: values are checked, an id and perhaps a secret are drawn, the call goes to the
 * dispatcher; when it is durable the webhook is read back and answered with 201. Failure modes: a
 * value that breaks its rule changes nothing; an id that was used before is drawn again; a store
 * that cannot commit is 503. Refuses: to start verifying; that waits for the answer to go out. */
#include "server/api_webhooks.h"

#include "dispatcher/secret.h"
#include "server/webhook_fields.h"

#include <stddef.h>
#include <stdlib.h>

#define WEBHOOK_ID_CHARS 8
#define ID_DRAWS_MAX     10

struct create {
    struct create_call call; /* first: `done` is given its address */
    struct pending pending;
    struct webhook_header headers[WEBHOOK_HEADERS_MAX];
    char id[WEBHOOK_ID_CHARS + 1];
    char secret[SECRET_GENERATED_CHARS + 1];
    char target[EGRESS_URL_MAX + 1];
    unsigned draws;
};

static void create_done(struct dispatch_call *call)
{
    pending_post(&((struct create *)call)->pending);
}

static void create_free(struct create *create)
{
    pending_end(&create->pending);
    secret_wipe(create->secret, sizeof(create->secret));
    free(create);
}

static void create_finish(struct pending *pending)
{
    struct create *create = (struct create *)((char *)pending - offsetof(struct create, pending));
    struct api *api = pending->api;
    if (create->call.call.result == DISPATCH_CONFLICT && api->dispatch != NULL &&
        ++create->draws < ID_DRAWS_MAX && secret_random_text(create->id, WEBHOOK_ID_CHARS) == 0) {
        dispatch_create(api->dispatch, &create->call);
        return;
    }
    if (create->call.call.result == DISPATCH_OK) {
        webhook_announce_answer(pending, create->call.key);
        if (pending->request != NULL)
            webhook_answer(api, pending->request,
                           (struct store_bytes){create->id, WEBHOOK_ID_CHARS}, 201);
    } else if (pending->request != NULL) {
        webhook_answer_refused(pending->request, create->call.call.result);
    }
    create_free(create);
}

static bool create_read(const struct api *api, struct create *create, const struct json_t *root,
                        struct error *error)
{
    const struct json_t *secret = tree_member(root, "secret"), *url = tree_member(root, "url");
    bool reset; /* a new one has nothing to go back from */
    if (!fields_url(api, url, create->target, error) ||
        !fields_event_types(tree_member(root, "event_types"), "event_types",
                            &create->call.event_types, error) ||
        (secret != NULL && !fields_secret(secret, error)) ||
        !fields_headers(tree_member(root, "headers"), "headers", create->headers,
                        &create->call.header_count, error) ||
        !fields_signature(tree_member(root, "signature"), &create->call.signature, &reset, error))
        return false;
    create->call.url = tree_text(url).at;
    create->call.target = create->target;
    create->call.headers = create->headers;
    create->call.secret = secret != NULL ? tree_text(secret).at : create->secret;
    return true;
}

void webhooks_create(struct api *api, struct http_request *request, struct json_t *root)
{
    struct create *create = calloc(1, sizeof(*create));
    struct error error;
    if (create == NULL || secret_random_text(create->id, WEBHOOK_ID_CHARS) != 0 ||
        secret_random_text(create->secret, SECRET_GENERATED_CHARS) != 0) {
        error_answer_fault(request, "webhooks.create", "no memory, or no random numbers");
    } else if (!create_read(api, create, root, &error)) {
        error_answer(request, &error);
    } else {
        create->call.call.done = create_done;
        create->call.org = api_org(request)->id;
        create->call.partition = api_org(request)->partition;
        create->call.id = create->id;
        create->call.user = request->token->user;
        pending_begin(&create->pending, api, request, root, create_finish);
        dispatch_create(api->dispatch, &create->call);
        return;
    }
    tree_free(root);
    free(create);
}
