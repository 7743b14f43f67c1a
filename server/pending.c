/* Calls to the dispatcher on their way: from the loop's thread to the dispatcher and back.
 *
 * Happy path: held, handed over, done on another thread, posted, finished, freed. Failure modes:
 * the client goes away meanwhile: `request` is NULL then, and `finish` only cleans up. Refuses: to
 * answer on any thread but the loop's. */
#include "server/api.h"

#include <stddef.h>

static void run(struct http_job *job)
{
    struct pending *pending = (struct pending *)((char *)job - offsetof(struct pending, job));
    pending->finish(pending);
}

void pending_begin(struct pending *pending, struct api *api, struct http_request *request,
                   struct json_t *root, void (*finish)(struct pending *pending))
{
    pending->job.run = run;
    pending->api = api;
    pending->http = request->http;
    pending->root = root;
    pending->finish = finish;
    http_hold(request, &pending->request);
}

void pending_post(struct pending *pending)
{
    http_post(pending->http, &pending->job);
}

void pending_end(struct pending *pending)
{
    tree_free(pending->root);
    pending->root = NULL;
}
