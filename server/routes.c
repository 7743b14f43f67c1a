/* From a request to its handler: one table, and the checks that are the same for all.
 *
 * Order of the checks: rate of the address, route, method, is the service stopping, authentication,
 * rate, API version, content type, size, JSON, kinds, unknown fields, missing fields; then the
 * handler looks at values. A body over request_bytes_max never gets here: http_request.c answers
 * it. Happy path: the table says who is allowed and which fields there are; the handler gets a tree
 * that has the right shape. Failure modes: each check answers by itself. Refuses: to normalise
 * paths; what is not in the table byte for byte is not there. */
#include "server/routes.h"

#include "server/body.h"
#include "server/query.h"

#include <stdio.h>

static const struct tree_field id_fields[] = {
    {.name = "id", .kind = CANON_STRING, .required = true},
    {0},
};

static const struct tree_field header_fields[] = {
    {.name = "name", .kind = CANON_STRING, .required = true},
    {.name = "value", .kind = CANON_STRING, .required = true},
    {0},
};

static const struct tree_field signature_fields[] = {
    {.name = "encoding", .kind = CANON_STRING},
    {.name = "key", .kind = CANON_STRING},
    {.name = "prefix", .kind = CANON_STRING},
    {.name = "preset", .kind = CANON_STRING},
    {0},
};

static const struct tree_field create_fields[] = {
    {.name = "url", .kind = CANON_STRING, .required = true},
    {.name = "event_types", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = "secret", .kind = CANON_STRING},
    {.name = "headers", .kind = CANON_ARRAY, .element = CANON_OBJECT, .fields = header_fields},
    {.name = "signature", .kind = CANON_OBJECT, .fields = signature_fields},
    {0},
};

static const struct tree_field webhooks_list_fields[] = {
    {.name = "status", .kind = CANON_ARRAY, .element = CANON_STRING},
    {0},
};

static const struct tree_field event_types_fields[] = {
    {.name = "add", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = "remove", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = "set", .kind = CANON_ARRAY, .element = CANON_STRING},
    {0},
};

static const struct tree_field headers_fields[] = {
    {.name = "add", .kind = CANON_ARRAY, .element = CANON_OBJECT, .fields = header_fields},
    {.name = "remove", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = "set", .kind = CANON_ARRAY, .element = CANON_OBJECT, .fields = header_fields},
    {0},
};

static const struct tree_field update_fields[] = {
    {.name = "id", .kind = CANON_STRING, .required = true},
    {.name = "url", .kind = CANON_STRING},
    {.name = "event_types", .kind = CANON_OBJECT, .fields = event_types_fields},
    {.name = "secret", .kind = CANON_STRING},
    {.name = "headers", .kind = CANON_OBJECT, .fields = headers_fields},
    {.name = "signature", .kind = CANON_OBJECT, .fields = signature_fields},
    {.name = "action", .kind = CANON_STRING},
    {0},
};

static const struct tree_field fetch_fields[] = {
    {.name = "id", .kind = CANON_STRING, .required = true},
    {.name = "object", .kind = CANON_STRING, .required = true},
    {0},
};

static const struct tree_field events_list_fields[] = {
    {.name = "type", .kind = CANON_STRING},
    {.name = "cursor", .kind = CANON_STRING},
    {.name = "limit", .kind = CANON_NUMBER},
    {0},
};

static const struct tree_field sample_fields[] = {
    {.name = "type", .kind = CANON_STRING, .required = true},
    {0},
};

static const struct tree_field deliveries_list_fields[] = {
    {.name = "webhook", .kind = CANON_STRING}, {.name = "event", .kind = CANON_STRING},
    {.name = "state", .kind = CANON_STRING},   {.name = "cursor", .kind = CANON_STRING},
    {.name = "limit", .kind = CANON_NUMBER},   {0},
};

static const struct tree_field no_fields[] = {{0}};

static const struct tree_field advance_fields[] = {
    {.name = "ms", .kind = CANON_NUMBER},
    {.name = "to", .kind = CANON_STRING},
    {0},
};

#define GET_OR_POST (ROUTE_GET | ROUTE_POST)

const struct route routes[] = {
    {ROUTE_POST, "/events.publish", SCOPE_publish, RATE_OWN, false, NULL, events_publish},
    {GET_OR_POST, "/events.get", SCOPE_read, RATE_OWN, false, id_fields, events_get},
    {GET_OR_POST, "/events.list", SCOPE_read, RATE_OWN, false, events_list_fields, events_list},
    {ROUTE_POST, "/events.sample", SCOPE_read, RATE_OWN, false, sample_fields, events_sample},
    {GET_OR_POST, "/deliveries.get", SCOPE_read, RATE_OWN, false, id_fields, deliveries_get},
    {GET_OR_POST, "/deliveries.list", SCOPE_read, RATE_OWN, false, deliveries_list_fields,
     deliveries_list},
    {ROUTE_POST, "/deliveries.redeliver", SCOPE_manage, RATE_OWN, false, id_fields,
     deliveries_redeliver},
    {ROUTE_POST, "/webhooks.create", SCOPE_manage, RATE_DEVREV, false, create_fields,
     webhooks_create},
    {GET_OR_POST, "/webhooks.get", SCOPE_read, RATE_DEVREV, false, id_fields, webhooks_get},
    {GET_OR_POST, "/webhooks.list", SCOPE_read, RATE_DEVREV, false, webhooks_list_fields,
     webhooks_list},
    {ROUTE_POST, "/webhooks.update", SCOPE_manage, RATE_DEVREV, false, update_fields,
     webhooks_update},
    {ROUTE_POST, "/webhooks.delete", SCOPE_manage, RATE_DEVREV, false, id_fields, webhooks_delete},
    {ROUTE_POST, "/webhooks.fetch", SCOPE_manage, RATE_DEVREV, false, fetch_fields, webhooks_fetch},
    {GET_OR_POST, "/clock.get", SCOPE_read, RATE_NONE, true, no_fields, clock_get},
    {ROUTE_POST, "/clock.advance", SCOPE_manage, RATE_NONE, true, advance_fields, clock_advance},
    {ROUTE_GET, "/healthz", ROUTE_OPEN, RATE_NONE, false, NULL, admin_healthz},
    {ROUTE_GET, "/metrics", SCOPE_metrics, RATE_NONE, false, NULL, admin_metrics},
    {ROUTE_GET, "/openapi.yaml", ROUTE_OPEN, RATE_NONE, false, NULL, openapi_get},
    {0},
};

static const char internal_prefix[] = "/internal";

/* Whether it is a call of DevRev's form, and not about the service. */
static bool is_call(const struct route *route)
{
    return route->scope != ROUTE_OPEN && route->scope != SCOPE_metrics;
}

const struct route *route_find(struct text path)
{
    const size_t prefix_bytes = sizeof(internal_prefix) - 1;
    bool internal =
        path.bytes > prefix_bytes && memcmp(path.at, internal_prefix, prefix_bytes) == 0;
    if (internal)
        path = (struct text){path.at + prefix_bytes, path.bytes - prefix_bytes};
    for (const struct route *at = routes; at->path != NULL; at++)
        if (text_is(path, at->path) && (!internal || is_call(at)))
            return at;
    return NULL;
}

unsigned route_method(struct text method)
{
    if (text_is(method, "POST"))
        return ROUTE_POST;
    return text_is(method, "GET") || text_is(method, "HEAD") ? ROUTE_GET : 0;
}

/* {"message": text}, without a type: what DevRev answers to paths it does not have. */
static void answer_message(struct http_request *request, int status, const char *message)
{
    struct json_out out = {0};
    json_out_object(&out);
    json_out_pair_string(&out, "message", message);
    json_out_object_end(&out);
    http_answer(request, status, "application/json", &out);
}

/* Finds out who asks. On false the request is answered. */
static bool check_token(struct api *api, struct http_request *request, struct token **token)
{
    struct tenants *tenants = &api->tenants;
    if (tenants->stale && !tenants_load(tenants, api->reader)) {
        error_answer_unavailable(request, "the store cannot be read now");
        return false;
    }
    switch (tenants_check(tenants, http_header(request, "authorization"),
                          clock_now(api->clock).wall, token)) {
    case TENANTS_OK: request->token = *token; return true;
    case TENANTS_EXPIRED: error_answer_plain(request, ERROR_token_expired, NULL); return false;
    case TENANTS_REVOKED: error_answer_plain(request, ERROR_token_revoked, NULL); return false;
    default: error_answer_plain(request, ERROR_unauthenticated, NULL); return false;
    }
}

static bool check_scope(const struct route *route, struct http_request *request)
{
    char detail[ERROR_DETAIL_BYTES_MAX];
    if ((request->token->scopes & 1u << route->scope) != 0)
        return true;
    snprintf(detail, sizeof(detail), "the token has not the scope %s",
             scope_name((enum scope)route->scope));
    error_answer_plain(request, ERROR_forbidden, detail);
    return false;
}

static void answer_too_many(struct http_request *request, int64_t retry_after_s)
{
    struct error error;
    error_too_many(&error, retry_after_s);
    error_answer(request, &error);
}

/* Counts a request of a token, and says in its answer what is left. On false it is over the limit,
 * and answered. */
static bool check_rate(struct token *token, const struct route *route, struct http_request *request)
{
    struct ratelimit *rate = route->rate == RATE_DEVREV ? &token->devrev_rate : &token->own_rate;
    if (route->rate == RATE_NONE || rate->limit == 0)
        return true;
    struct ratelimit_verdict verdict = ratelimit_take(rate, clock_wall_real() / 1000000);
    http_answer_header_number(request, "x-ratelimit-limit", verdict.limit);
    http_answer_header_number(request, "x-ratelimit-remaining", verdict.remaining);
    http_answer_header_number(request, "x-ratelimit-reset", verdict.reset_s);
    if (!verdict.allowed)
        answer_too_many(request, verdict.retry_after_s);
    return verdict.allowed;
}

static bool check_version(const struct http_request *request, struct error *error)
{
    struct text version = http_header(request, "x-devrev-version");
    if (version.at == NULL || text_is(version, "2022-10-20") || text_is(version, "2024-01-24"))
        return true;
    error_text(error, ERROR_invalid_api_version, version);
    return false;
}

/* Reads the request's fields from its query or body, whichever its method has. */
static bool read_fields(const struct api *api, const struct route *route,
                        const struct http_request *request, struct json_t **root,
                        struct error *error)
{
    size_t bytes_max = (size_t)api->config->control_bytes_max;
    bool empty;
    *root = NULL;
    if (route_method(request->method) == ROUTE_GET)
        return query_read(request->query.at == NULL ? text_of("") : request->query, route->fields,
                          root, error);
    if (!body_check_type(request, &empty, error))
        return false;
    if (request->body.bytes > bytes_max) {
        error_too_large(error, bytes_max);
        return false;
    }
    return tree_read(empty ? text_of("{}") : request->body, (unsigned)api->config->nesting_max,
                     root, error);
}

static void call(struct api *api, const struct route *route, struct http_request *request)
{
    struct json_t *root = NULL;
    struct error error;
    if (is_call(route) && !check_version(request, &error)) {
        error_answer(request, &error);
        return;
    }
    if (route->fields != NULL && (!read_fields(api, route, request, &root, &error) ||
                                  !tree_check(root, route->fields, &error))) {
        tree_free(root);
        error_answer(request, &error);
        return;
    }
    route->handle(api, request, root);
}

void api_handle(void *ctx, struct http_request *request)
{
    struct api *api = ctx;
    struct token *token;
    const struct route *route = route_find(request->path);
    int64_t retry_after_s = http_rate(request, clock_wall_real() / 1000000);
    if (retry_after_s > 0) {
        answer_too_many(request, retry_after_s);
    } else if (route == NULL || (route->virtual_clock_only && !clock_is_virtual(api->clock))) {
        answer_message(request, 404, "route not found");
    } else if ((route->methods & route_method(request->method)) == 0) {
        http_answer_header(request, "allow",
                           route->methods == GET_OR_POST  ? "GET, HEAD, POST"
                           : route->methods == ROUTE_POST ? "POST"
                                                          : "GET, HEAD");
        answer_message(request, 405, "method not allowed");
    } else if (api->dispatch == NULL) {
        error_answer_unavailable(request, "the service is stopping");
    } else if (route->scope == ROUTE_OPEN || (route->scope == SCOPE_metrics && api->config->dev)) {
        call(api, route, request);
    } else if (check_token(api, request, &token) && check_rate(token, route, request) &&
               check_scope(route, request)) {
        call(api, route, request);
    }
}

void api_pause(void *ctx)
{
    struct api *api = ctx;
    api->dispatch = NULL;
}
