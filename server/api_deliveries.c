/* deliveries.get, deliveries.list, deliveries.redeliver.
 *
 * Happy path: rows of the store, with the one thing that it does not know laid over them: what is
 * in flight at this moment, which the dispatcher tells. So a list by state in_flight begins with
 * the dispatcher's keys, and a list of pending or held ones leaves those out. Failure modes: ids
 * that nothing has are 404 in get and redeliver, and match nothing as a filter. Refuses: to
 * redeliver by itself; the dispatcher judges. */
#include "server/api.h"
#include "server/id.h"
#include "server/page.h"
#include "server/render.h"
#include "server/words.h"

#include <stddef.h>
#include <stdlib.h>

#define CHUNK_ROWS 128 /* read at a time where some rows are left out */

/* ---- get ---- */

struct reading {
    const struct api *api;
    const struct org *org;     /* who asks */
    const struct ids_don *don; /* what was asked for */
    struct json_out out;
    struct instant now;
    int64_t webhook; /* 0: the row is of another webhook than the id says */
};

/* Leaves the object open: attempts follow. */
static bool visit_delivery(void *ctx, const struct store_delivery *row)
{
    struct reading *reading = ctx;
    const struct ids_don *don = reading->don;
    json_out_object(&reading->out);
    render_delivery(&reading->out, reading->org, row, render_delivery_state(reading->api, row),
                    reading->now);
    if (row->webhook_id.bytes == don->webhook_bytes &&
        memcmp(row->webhook_id.at, don->webhook, don->webhook_bytes) == 0)
        reading->webhook = row->webhook;
    return true;
}

/* Reads the row that the id names, whole: key, salt and webhook. */
static enum store_result read_delivery(struct reading *reading)
{
    enum store_result result =
        store_delivery_get(reading->api->reader, api_org_bytes(reading->org), reading->don->key,
                           reading->don->salt, visit_delivery, reading);
    return result == STORE_OK && reading->webhook == 0 ? STORE_NOT_FOUND : result;
}

static bool visit_attempt(void *ctx, const struct store_attempt *row)
{
    render_attempt(&((struct reading *)ctx)->out, row);
    return true;
}

/* Answers with one delivery; its attempts too if `attempts`. */
static void answer_delivery(struct api *api, struct http_request *request,
                            const struct ids_don *don, bool attempts)
{
    struct reading reading = {
        .api = api, .org = api_org(request), .don = don, .now = clock_now(api->clock)};
    enum store_result result;
    json_out_object(&reading.out);
    json_out_key(&reading.out, "delivery");
    result = read_delivery(&reading);
    if (result == STORE_OK && attempts) {
        json_out_key(&reading.out, "attempts");
        json_out_array(&reading.out);
        result = store_attempt_list(api->reader, don->key, visit_attempt, &reading);
        json_out_array_end(&reading.out);
    }
    json_out_object_end(&reading.out);
    json_out_object_end(&reading.out);
    if (result == STORE_OK)
        http_answer(request, 200, "application/json", &reading.out);
    else if (result == STORE_NOT_FOUND)
        error_answer_plain(request, ERROR_not_found, NULL);
    else
        error_answer_fault(request, "deliveries", store_reader_error(api->reader));
    json_out_free(&reading.out);
}

/* The id member of a request. On false the request is answered. */
static bool read_id(struct http_request *request, const struct json_t *root, struct ids_don *don)
{
    struct error error;
    if (id_check(tree_text(tree_member(root, "id")), "id", IDS_DELIVERY, api_org(request), don,
                 &error))
        return true;
    error_answer(request, &error);
    return false;
}

void deliveries_get(struct api *api, struct http_request *request, struct json_t *root)
{
    struct ids_don don;
    if (read_id(request, root, &don))
        answer_delivery(api, request, &don, true);
    tree_free(root);
}

/* ---- list ---- */

struct listing {
    const struct api *api;
    const struct org *org; /* who asks */
    struct page page;
    struct store_delivery_filter filter;
    int state;   /* enum delivery_state asked for, or -1 */
    bool nobody; /* a filter names something that nothing has */
    struct instant now;
    int64_t key;      /* in_flight: the only one that is looked for */
    int64_t seen_key; /* the last that the store gave */
    unsigned seen;
};

static bool visit_listed(void *ctx, const struct store_delivery *row)
{
    struct listing *listing = ctx;
    enum delivery_state state = render_delivery_state(listing->api, row);
    listing->seen++;
    listing->seen_key = row->key;
    if ((listing->key != 0 && row->key != listing->key) ||
        (listing->state >= 0 && (int)state != listing->state))
        return true;
    if (!page_takes(&listing->page, row->key))
        return false;
    json_out_object(&listing->page.out);
    render_delivery(&listing->page.out, listing->org, row, state, listing->now);
    json_out_object_end(&listing->page.out);
    return true;
}

/* Rows as the store has them, more of them as long as the page is not full. */
static enum store_result list_stored(struct listing *listing, struct store_reader *reader)
{
    enum store_result result;
    listing->filter.before = listing->page.before;
    listing->filter.limit = listing->page.limit < CHUNK_ROWS ? listing->page.limit + 1 : CHUNK_ROWS;
    listing->filter.state = listing->state;
    do {
        listing->seen = 0;
        result = store_delivery_list(reader, &listing->filter, visit_listed, listing);
        listing->filter.before = listing->seen_key;
    } while (result == STORE_OK && !listing->page.more && listing->seen == listing->filter.limit);
    return result;
}

static int newer_first(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left < right) - (left > right);
}

/* The rows of what is in flight now. */
static enum store_result list_in_flight(struct listing *listing, struct store_reader *reader)
{
    size_t keys_max = (size_t)listing->api->config->in_flight_max, count;
    int64_t *keys = malloc(keys_max * sizeof(*keys));
    enum store_result result = keys == NULL ? STORE_FAILED : STORE_OK;
    count = keys == NULL ? 0 : dispatch_in_flight_keys(listing->api->dispatch, keys, keys_max);
    qsort(keys, count, sizeof(*keys), newer_first);
    listing->filter.state = -1;
    listing->filter.limit = 1;
    for (size_t i = 0; i < count && result == STORE_OK && !listing->page.more; i++) {
        if (listing->page.before != 0 && keys[i] >= listing->page.before)
            continue;
        listing->key = keys[i];
        listing->filter.before = keys[i] + 1;
        result = store_delivery_list(reader, &listing->filter, visit_listed, listing);
    }
    free(keys);
    return result;
}

static bool visit_nothing(void *ctx, const struct store_event *row)
{
    (void)ctx, (void)row;
    return true;
}

static bool read_webhook(struct listing *listing, struct store_reader *reader,
                         const struct json_t *value, struct error *error)
{
    struct ids_don don;
    if (value == NULL)
        return true;
    if (!id_check(tree_text(value), "webhook", IDS_WEBHOOK, listing->org, &don, error))
        return false;
    if (store_webhook_key(reader, listing->filter.org,
                          (struct store_bytes){don.webhook, don.webhook_bytes},
                          &listing->filter.webhook) != STORE_OK)
        listing->nobody = true;
    return true;
}

static bool read_event(struct listing *listing, struct store_reader *reader,
                       const struct json_t *value, struct error *error)
{
    struct ids_don don;
    if (value == NULL)
        return true;
    if (!id_check(tree_text(value), "event", IDS_EVENT, listing->org, &don, error))
        return false;
    listing->filter.event = don.key;
    if (store_event_get(reader, listing->filter.org, don.key, don.salt, visit_nothing, NULL) !=
        STORE_OK)
        listing->nobody = true;
    return true;
}

static bool read_state(struct listing *listing, const struct json_t *value, struct error *error)
{
    struct text word;
    listing->state = -1;
    if (value == NULL)
        return true;
    word = tree_text(value);
    listing->state = delivery_state_from_name(word.at, word.bytes);
    if (listing->state >= 0)
        return true;
    error_enum(error, "state", word, words_delivery_states);
    return false;
}

void deliveries_list(struct api *api, struct http_request *request, struct json_t *root)
{
    struct listing listing = {.api = api,
                              .org = api_org(request),
                              .now = clock_now(api->clock),
                              .filter = {.org = api_org_bytes(api_org(request))}};
    enum store_result result = STORE_OK;
    struct error error;
    if (!read_webhook(&listing, api->reader, tree_member(root, "webhook"), &error) ||
        !read_event(&listing, api->reader, tree_member(root, "event"), &error) ||
        !read_state(&listing, tree_member(root, "state"), &error) ||
        !page_read(&listing.page, CURSOR_DELIVERIES, root, &error)) {
        error_answer(request, &error);
        tree_free(root);
        return;
    }
    page_begin(&listing.page, "deliveries");
    if (!listing.nobody)
        result = listing.state == DELIVERY_IN_FLIGHT ? list_in_flight(&listing, api->reader)
                                                     : list_stored(&listing, api->reader);
    if (result == STORE_OK)
        page_answer(&listing.page, request);
    else
        error_answer_fault(request, "deliveries.list", store_reader_error(api->reader));
    json_out_free(&listing.page.out);
    tree_free(root);
}

/* ---- redeliver ---- */

struct redeliver {
    struct redeliver_call call; /* first: `done` is given its address */
    struct pending pending;
    struct ids_don don; /* its spans are in the tree */
};

static void answer_refused(struct http_request *request, const struct redeliver_call *call)
{
    char detail[ERROR_DETAIL_BYTES_MAX];
    switch (call->call.result) {
    case DISPATCH_NOT_FOUND: error_answer_plain(request, ERROR_not_found, NULL); return;
    case DISPATCH_CONFLICT:
        error_answer_plain(request, ERROR_conflict,
                           "the delivery is still open, or has had as many attempts as are kept");
        return;
    case DISPATCH_NOT_ACTIVE:
        snprintf(detail, sizeof(detail), "its webhook is %s; only an active one is sent to",
                 webhook_state_name(call->webhook_state));
        error_answer_plain(request, ERROR_bad_request, detail);
        return;
    case DISPATCH_UNAVAILABLE:
        error_answer_unavailable(request, "the store cannot take this now; nothing has changed");
        return;
    default:
        error_answer_fault(request, "deliveries.redeliver",
                           "an answer of the dispatcher that cannot be");
        return;
    }
}

static void redeliver_finish(struct pending *pending)
{
    struct redeliver *redeliver =
        (struct redeliver *)((char *)pending - offsetof(struct redeliver, pending));
    struct http_request *request = pending->request;
    if (request == NULL) {
        /* nobody to tell */
    } else if (redeliver->call.call.result != DISPATCH_OK) {
        answer_refused(request, &redeliver->call);
    } else if (pending->api->dispatch == NULL) {
        error_answer_unavailable(request,
                                 "the service is stopping; the delivery will be sent again");
    } else {
        answer_delivery(pending->api, request, &redeliver->don, false);
    }
    pending_end(pending);
    free(redeliver);
}

static void redeliver_done(struct dispatch_call *call)
{
    pending_post(&((struct redeliver *)call)->pending);
}

static bool start_redeliver(struct api *api, struct http_request *request, struct json_t *root,
                            struct redeliver *redeliver)
{
    struct reading reading = {
        .api = api, .org = api_org(request), .don = &redeliver->don, .now = clock_now(api->clock)};
    enum store_result result = read_delivery(&reading);
    json_out_free(&reading.out);
    if (result == STORE_NOT_FOUND) {
        error_answer_plain(request, ERROR_not_found, NULL);
        return false;
    }
    if (result != STORE_OK) {
        error_answer_fault(request, "deliveries.redeliver", store_reader_error(api->reader));
        return false;
    }
    redeliver->call.call.done = redeliver_done;
    redeliver->call.delivery = redeliver->don.key;
    redeliver->call.webhook = reading.webhook;
    pending_begin(&redeliver->pending, api, request, root, redeliver_finish);
    dispatch_redeliver(api->dispatch, &redeliver->call);
    return true;
}

void deliveries_redeliver(struct api *api, struct http_request *request, struct json_t *root)
{
    struct redeliver *redeliver = calloc(1, sizeof(*redeliver));
    if (redeliver == NULL)
        error_answer_unavailable(request, "not enough memory for this request");
    else if (read_id(request, root, &redeliver->don) &&
             start_redeliver(api, request, root, redeliver))
        return;
    tree_free(root);
    free(redeliver);
}
