/* healthz, metrics, clock.get and clock.advance.
 *
 * Happy path: numbers of the dispatcher as text; times of the clock as JSON. clock.advance is
 * handed to the dispatcher, which moves the virtual clock from deadline to deadline and is done
 * when everything on the way has ended. Failure modes: an advance that asks for nothing, for two
 * things, or for more than ten years. Refuses: to move a real clock (routes.c does not have these
 * routes then). */
#include "server/api.h"
#include "server/render.h"
#include "server/words.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define ADVANCE_MS_MAX   INT64_C(315360000000) /* ten years */
#define METRICS_TYPE     "text/plain; version=0.0.4; charset=utf-8"
#define METRIC_BYTES_MAX 512

void admin_healthz(struct api *api, struct http_request *request, struct json_t *root)
{
    struct json_out out = {0};
    (void)api, (void)root;
    json_out_object(&out);
    json_out_pair_string(&out, "status", "ok");
    json_out_object_end(&out);
    http_answer(request, 200, "application/json", &out);
}

static void put_metric(struct json_out *out, const char *name, const char *kind,
                       const char *help_text, uint64_t value)
{
    char line[METRIC_BYTES_MAX];
    int bytes = snprintf(line, sizeof(line),
                         "# HELP revhook_%s %s\n# TYPE revhook_%s %s\nrevhook_%s %" PRIu64 "\n",
                         name, help_text, name, kind, name, value);
    json_out_bytes(out, line, (size_t)bytes);
}

void admin_metrics(struct api *api, struct http_request *request, struct json_t *root)
{
    struct json_out out = {0};
    struct dispatch_stats stats;
    (void)root;
    dispatch_stats(api->dispatch, &stats);
#define X(name, kind, help_text)                                                      \
    _Static_assert(sizeof(#name #name #name #kind help_text) + 80 < METRIC_BYTES_MAX, \
                   "a row of metric.def is long");                                    \
    put_metric(&out, #name, #kind, help_text, stats.name);
#include "../schema/metric.def"
#undef X
    http_answer(request, 200, METRICS_TYPE, &out);
}

void clock_get(struct api *api, struct http_request *request, struct json_t *root)
{
    struct json_out out = {0};
    mono_ms next = dispatch_next_deadline(api->dispatch);
    struct instant now = clock_now(api->clock);
    tree_free(root);
    json_out_object(&out);
    json_out_pair_date(&out, "now", now.wall);
    render_mono_pair(&out, "next", now, next);
    json_out_object_end(&out);
    http_answer(request, 200, "application/json", &out);
}

struct advance {
    struct advance_call call; /* first: `done` is given its address */
    struct pending pending;
};

static void advance_finish(struct pending *pending)
{
    struct advance *advance =
        (struct advance *)((char *)pending - offsetof(struct advance, pending));
    struct json_out out = {0};
    if (pending->request != NULL && advance->call.call.result != DISPATCH_OK) {
        error_answer_unavailable(pending->request, "the clock cannot be moved now");
    } else if (pending->request != NULL) {
        json_out_object(&out);
        json_out_pair_date(&out, "now", advance->call.now.wall);
        json_out_pair_number(&out, "attempts", (int64_t)advance->call.attempts);
        render_mono_pair(&out, "next", advance->call.now, advance->call.next);
        json_out_object_end(&out);
        http_answer(pending->request, 200, "application/json", &out);
    }
    pending_end(pending);
    free(advance);
}

static void advance_done(struct dispatch_call *call)
{
    pending_post(&((struct advance *)call)->pending);
}

static bool advance_read(struct advance_call *call, const struct json_t *root, struct error *error)
{
    const struct json_t *ms = tree_member(root, "ms"), *to = tree_member(root, "to");
    if (ms == NULL && to == NULL) {
        error_field(error, ERROR_missing_required_field, "ms");
        return false;
    }
    if (ms != NULL && to != NULL) {
        error_value(error, "to", "either ms or to, not both");
        return false;
    }
    if (to != NULL && words_find(words_advance_to, tree_text(to)) < 0) {
        error_enum(error, "to", tree_text(to), words_advance_to);
        return false;
    }
    call->to_next = to != NULL;
    if (ms != NULL && (!tree_integer(ms, &call->ms) || call->ms < 0 || call->ms > ADVANCE_MS_MAX)) {
        error_value(error, "ms",
                    "a whole number of milliseconds from 0 to 315360000000 (ten years)");
        return false;
    }
    return true;
}

void clock_advance(struct api *api, struct http_request *request, struct json_t *root)
{
    struct advance *advance = calloc(1, sizeof(*advance));
    struct error error;
    if (advance == NULL) {
        error_answer_unavailable(request, "not enough memory for this request");
    } else if (!advance_read(&advance->call, root, &error)) {
        error_answer(request, &error);
    } else {
        advance->call.call.done = advance_done;
        pending_begin(&advance->pending, api, request, root, advance_finish);
        dispatch_advance(api->dispatch, &advance->call);
        return;
    }
    tree_free(root);
    free(advance);
}
