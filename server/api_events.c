/* events.publish, the hot path.
 *
 * Happy path: one strict pass makes the body canonical, a second walk finds type and payload of
 * each event as spans of it, and the call goes to the dispatcher; there is no JSON tree. When the
 * events and all their deliveries are durable, 202 with their ids. A request that is sent again
 * under its Idempotency-Key is answered from the store with the ids of then.
 *
 * Failure modes: one bad event refuses the whole request; a key used for another body is 409; too
 * many open deliveries, or a store that cannot commit, is 503 with Retry-After, and nothing was
 * stored. Refuses: to answer before the commit. */
#include "server/api.h"
#include "server/body.h"
#include "server/publish.h"
#include "server/render.h"

#include <openssl/evp.h>
#include <stddef.h>
#include <stdlib.h>

#define KEY_BYTES_MAX 255 /* of an Idempotency-Key */

struct publish {
    struct publish_call call; /* first: `done` is given its address */
    struct pending pending;
    char *canonical; /* payloads point into it */
    char key[KEY_BYTES_MAX + 1];
};

static void publish_free(struct publish *publish)
{
    free(publish->call.events);
    free(publish->canonical);
    free(publish);
}

/* ---- the answer ---- */

/* The events of a request that was answered before, newest first as the store lists them. */
struct replay {
    int64_t first;
    uint32_t count;
    struct store_event *rows;
};

static bool visit_replayed(void *ctx, const struct store_event *row)
{
    struct replay *replay = ctx;
    if (row->key < replay->first)
        return false;
    replay->rows[replay->count++] = *row; /* numbers only are looked at later */
    return true;
}

/* The head and tail of an answer with one event or a list of them. */
static void begin_answer(struct json_out *out, bool batch)
{
    json_out_object(out);
    json_out_key(out, batch ? "events" : "event");
    if (batch)
        json_out_array(out);
}

static void end_answer(struct json_out *out, bool batch)
{
    if (batch)
        json_out_array_end(out);
    json_out_object_end(out);
}

static void answer_replayed(struct api *api, struct http_request *request,
                            const struct publish_call *call)
{
    struct replay replay = {call->first_event, 0,
                            calloc(call->replayed_count, sizeof(struct store_event))};
    struct json_out out = {0};
    enum store_result result = STORE_FAILED;
    if (replay.rows != NULL)
        result = store_event_list(api->reader, api_org_bytes(api_org(request)),
                                  call->first_event + call->replayed_count, -1,
                                  call->replayed_count, visit_replayed, &replay);
    if (result != STORE_OK || replay.count != call->replayed_count) {
        error_answer_fault(request, "events.publish, again under its key",
                           store_reader_error(api->reader));
    } else {
        begin_answer(&out, call->replayed_batch);
        for (uint32_t i = replay.count; i-- > 0;) {
            const struct store_event *row = &replay.rows[i];
            json_out_object(&out);
            render_event(&out, api_org(request), row->key, row->salt, row->type, row->created_us,
                         row->delivery_count);
            json_out_object_end(&out);
        }
        end_answer(&out, call->replayed_batch);
        http_answer_header(request, "idempotent-replayed", "true");
        http_answer(request, 202, "application/json", &out);
    }
    free(replay.rows);
}

static void answer_published(struct http_request *request, const struct publish_call *call)
{
    struct json_out out = {0};
    begin_answer(&out, call->batch);
    for (uint32_t i = 0; i < call->event_count; i++) {
        const struct publish_event *event = &call->events[i];
        json_out_object(&out);
        render_event(&out, api_org(request), event->key, event->salt, event->type, call->created_us,
                     event->delivery_count);
        json_out_object_end(&out);
    }
    end_answer(&out, call->batch);
    http_answer(request, 202, "application/json", &out);
}

static void answer_refused(struct http_request *request, enum dispatch_result result)
{
    struct error error;
    switch (result) {
    case DISPATCH_CONFLICT:
        error_answer_plain(request, ERROR_conflict,
                           "the Idempotency-Key was used for another body");
        return;
    case DISPATCH_TOO_MANY_DELIVERIES:
        error_value(&error, "events",
                    "the request would lead to more deliveries than one request may");
        error_answer(request, &error);
        return;
    case DISPATCH_BACKLOG:
        error_answer_unavailable(request, "too many deliveries are open; nothing was stored");
        return;
    case DISPATCH_UNAVAILABLE:
        error_answer_unavailable(request, "the store cannot take this now; nothing was stored");
        return;
    default:
        error_answer_fault(request, "events.publish", "an answer of the dispatcher that cannot be");
        return;
    }
}

static void publish_finish(struct pending *pending)
{
    struct publish *publish =
        (struct publish *)((char *)pending - offsetof(struct publish, pending));
    struct http_request *request = pending->request;
    if (request == NULL) {
        /* nobody to tell */
    } else if (publish->call.call.result != DISPATCH_OK) {
        answer_refused(request, publish->call.call.result);
    } else if (publish->call.replayed) {
        answer_replayed(pending->api, request, &publish->call);
    } else {
        answer_published(request, &publish->call);
    }
    pending_end(pending);
    publish_free(publish);
}

static void publish_done(struct dispatch_call *call)
{
    pending_post(&((struct publish *)call)->pending);
}

/* ---- the request ---- */

/* Takes the Idempotency-Key and the digest of the body that goes with it. */
static bool read_key(const struct http_request *request, struct publish *publish,
                     struct error *error)
{
    struct text key = http_header(request, "idempotency-key");
    bool good = key.bytes > 0 && key.bytes <= KEY_BYTES_MAX;
    if (key.at == NULL)
        return true;
    for (size_t i = 0; good && i < key.bytes; i++)
        good = key.at[i] >= ' ' && key.at[i] < 0x7f;
    if (!good) {
        error_value(error, "Idempotency-Key", "a key has 1 to 255 printable ASCII characters");
        return false;
    }
    memcpy(publish->key, key.at, key.bytes);
    publish->call.idempotency_key = publish->key;
    if (EVP_Digest(request->body.at, request->body.bytes, publish->call.body_sha256, NULL,
                   EVP_sha256(), NULL) != 1) {
        error_plain(error, ERROR_service_unavailable, "the body could not be digested");
        return false;
    }
    return true;
}

static bool read_request(const struct api *api, const struct http_request *request,
                         struct publish *publish, struct error *error)
{
    const struct publish_limits limits = {
        .events_max = (uint32_t)api->config->batch_events_max,
        .event_bytes_max = (size_t)api->config->event_bytes_max,
        .lenient_payloads = api->config->lenient_payloads,
    };
    struct text canonical;
    bool empty;
    if (!body_check_type(request, &empty, error) ||
        !body_canonical(empty ? text_of("{}") : request->body, (unsigned)api->config->nesting_max,
                        &canonical, error))
        return false;
    publish->canonical = (char *)canonical.at;
    return publish_read(canonical, &limits, &publish->call.events, &publish->call.event_count,
                        &publish->call.batch, error) &&
           read_key(request, publish, error);
}

void events_publish(struct api *api, struct http_request *request, struct json_t *root)
{
    struct publish *publish = calloc(1, sizeof(*publish));
    struct error error;
    (void)root;
    if (publish == NULL) {
        error_answer_unavailable(request, "not enough memory for this request");
        return;
    }
    if (!read_request(api, request, publish, &error)) {
        publish_free(publish);
        error_answer(request, &error);
        return;
    }
    publish->call.call.done = publish_done;
    publish->call.org = api_org(request)->id;
    pending_begin(&publish->pending, api, request, NULL, publish_finish);
    dispatch_publish(api->dispatch, &publish->call);
}
