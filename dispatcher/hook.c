/* Webhooks and events in memory, see hook.h. */
#include "dispatcher/hook.h"

#include "dispatcher/log.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

_Noreturn void hook_out_of_memory(void)
{
    LOG(fault, LOG_TEXT("where", "memory"),
        LOG_TEXT("error", "out of memory; the store goes on where it stood at the next start"));
    abort();
}

void *hook_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (!memory)
        hook_out_of_memory();
    return memory;
}

void *hook_grow(void *memory, size_t bytes)
{
    memory = realloc(memory, bytes);
    if (!memory)
        hook_out_of_memory();
    return memory;
}

static char *copy(const char *text, size_t bytes)
{
    char *out = hook_alloc(bytes + 1);
    memcpy(out, text, bytes);
    return out;
}

char *hook_copy(const char *text)
{
    return copy(text, strlen(text));
}

/* ---- configuration ---- */

static void wipe_free(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

static void set_header(struct webhook_config *config, size_t at, struct store_bytes name,
                       struct store_bytes value)
{
    struct webhook_header *header = &config->headers[at];
    free((char *)header->name);
    wipe_free((char *)header->value);
    header->name = copy(name.at, name.bytes);
    header->value = copy(value.at, value.bytes);
}

static bool is_removed(const struct update_call *call, const char *name)
{
    for (size_t i = 0; i < call->remove_header_count; i++)
        if (strcasecmp(call->remove_headers[i], name) == 0)
            return true;
    return false;
}

/* Adds headers, each in the place of one of the same name; false if there are too many. What the
 * call removes comes out last; it is not put in, so that only what stays counts. */
static bool add_headers(struct webhook_config *config, const struct webhook_header *headers,
                        size_t count, const struct update_call *call)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = headers[i].name, *value = headers[i].value;
        size_t at = 0;
        if (is_removed(call, name))
            continue;
        while (at < config->header_count && strcasecmp(config->headers[at].name, name) != 0)
            at++;
        if (at == WEBHOOK_HEADERS_MAX)
            return false;
        if (at == config->header_count)
            config->header_count++;
        set_header(config, at, (struct store_bytes){name, strlen(name)},
                   (struct store_bytes){value, strlen(value)});
    }
    return true;
}

/* What libcurl needs, made once for all POSTs: the parsed target and the header lines. */
static bool finish(struct webhook_config *config)
{
    config->http = strncmp(config->target, "http:", 5) == 0; /* the scheme is in lower case */
    config->target_url = curl_url();
    if (!config->target_url ||
        curl_url_set(config->target_url, CURLUPART_URL, config->target, 0) != CURLUE_OK ||
        curl_url_get(config->target_url, CURLUPART_HOST, &config->host, 0) != CURLUE_OK)
        return false;
    for (size_t i = 0; i < config->header_count; i++) {
        const struct webhook_header *header = &config->headers[i];
        size_t bytes = strlen(header->name) + strlen(header->value) + 3;
        char *line = hook_alloc(bytes);
        /* libcurl sends a header without a value only if it ends with a semicolon */
        if (header->value[0] == '\0')
            snprintf(line, bytes, "%s;", header->name);
        else
            snprintf(line, bytes, "%s: %s", header->name, header->value);
        config->header_list[i].data = line;
        if (i > 0)
            config->header_list[i - 1].next = &config->header_list[i];
    }
    return true;
}

static struct webhook_config *begin(const char *id)
{
    struct webhook_config *config = hook_alloc(sizeof(*config));
    atomic_init(&config->holders, 1);
    snprintf(config->id, sizeof(config->id), "%s", id);
    return config;
}

static struct webhook_config *finish_or_drop(struct webhook_config *config)
{
    if (finish(config))
        return config;
    webhook_config_drop(config);
    return NULL;
}

struct webhook_config *webhook_config_new(const struct create_call *call, const char *id)
{
    struct webhook_config *config = begin(id);
    config->url = hook_copy(call->url);
    config->target = hook_copy(call->target);
    config->secret = hook_copy(call->secret);
    config->event_types = call->event_types;
    config->signature = call->signature;
    add_headers(config, call->headers, call->header_count, &(struct update_call){0});
    return finish_or_drop(config);
}

struct webhook_config *webhook_config_from_row(const struct store_webhook *row, const char *id)
{
    struct webhook_config *config = begin(id);
    config->url = copy(row->url.at, row->url.bytes);
    config->target = copy(row->target.at, row->target.bytes);
    config->secret = copy(row->secret.at, row->secret.bytes);
    config->event_types = row->event_types;
    const char *at = row->headers.at, *end = at + row->headers.bytes;
    while (at < end && config->header_count < WEBHOOK_HEADERS_MAX) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if (!line_end || !colon || colon + 2 > line_end)
            break;
        set_header(config, config->header_count++, (struct store_bytes){at, (size_t)(colon - at)},
                   (struct store_bytes){colon + 2, (size_t)(line_end - colon - 2)});
        at = line_end + 1;
    }
    if (!sign_own_read(&config->signature, row->signature.at, row->signature.bytes)) {
        webhook_config_drop(config);
        return NULL;
    }
    return finish_or_drop(config);
}

char *webhook_config_header_lines(const struct webhook_config *config)
{
    size_t bytes = 1;
    for (size_t i = 0; i < config->header_count; i++)
        bytes += strlen(config->headers[i].name) + strlen(config->headers[i].value) + 3;
    char *lines = hook_alloc(bytes), *at = lines;
    for (size_t i = 0; i < config->header_count; i++)
        at += snprintf(at, bytes - (size_t)(at - lines), "%s: %s\n", config->headers[i].name,
                       config->headers[i].value);
    return lines;
}

void webhook_config_free_lines(char *lines)
{
    wipe_free(lines);
}

static bool same_headers(const struct webhook_config *a, const struct webhook_config *b)
{
    if (a->header_count != b->header_count)
        return false;
    for (size_t i = 0; i < a->header_count; i++)
        if (strcmp(a->headers[i].name, b->headers[i].name) != 0 ||
            strcmp(a->headers[i].value, b->headers[i].value) != 0)
            return false;
    return true;
}

static void update_event_types(struct event_set *types, const struct update_call *call)
{
    if (call->set_event_types)
        *types = call->event_types;
    for (size_t i = 0; i < sizeof(types->bits) / sizeof(types->bits[0]); i++) {
        types->bits[i] |= call->add_event_types.bits[i];
        types->bits[i] &= ~call->remove_event_types.bits[i];
    }
}

struct webhook_config *webhook_config_update(const struct webhook_config *config,
                                             const struct update_call *call, bool *changed,
                                             enum dispatch_result *result)
{
    struct webhook_config *next = begin(config->id);
    next->url = hook_copy(call->url ? call->url : config->url);
    next->target = hook_copy(call->url ? call->target : config->target);
    next->secret = hook_copy(call->secret ? call->secret : config->secret);
    next->event_types = config->event_types;
    update_event_types(&next->event_types, call);
    next->signature = sign_own_merge(
        call->reset_signature ? &(struct sign_own){0} : &config->signature, &call->signature);

    bool fits = true;
    if (call->set_headers)
        fits = add_headers(next, call->headers, call->header_count, call);
    else
        add_headers(next, config->headers, config->header_count, call);
    fits = fits && add_headers(next, call->add_headers, call->add_header_count, call);
    if (!fits) {
        webhook_config_drop(next);
        *result = DISPATCH_TOO_MANY_HEADERS;
        return NULL;
    }
    *changed = call->url || call->secret || !same_headers(config, next) ||
               !sign_own_same(&config->signature, &next->signature) ||
               memcmp(&config->event_types, &next->event_types, sizeof(next->event_types)) != 0;
    *result =
        DISPATCH_UNAVAILABLE; /* the target was checked: only for want of memory is it no URL now */
    return finish_or_drop(next);
}

struct webhook_config *webhook_config_hold(struct webhook_config *config)
{
    atomic_fetch_add(&config->holders, 1);
    return config;
}

void webhook_config_drop(struct webhook_config *config)
{
    if (!config || atomic_fetch_sub(&config->holders, 1) > 1)
        return;
    for (size_t i = 0; i < config->header_count; i++) {
        free((char *)config->headers[i].name);
        wipe_free((char *)config->headers[i].value);
        wipe_free(config->header_list[i].data);
    }
    curl_url_cleanup(config->target_url);
    curl_free(config->host);
    free(config->url);
    free(config->target);
    wipe_free(config->secret);
    free(config);
}

/* ---- events and deliveries ---- */

struct event_body *event_body_new(int64_t key, uint64_t salt, enum event_type type,
                                  const char *payload, size_t payload_bytes)
{
    struct event_body *body = hook_grow(NULL, sizeof(*body) + payload_bytes);
    *body =
        (struct event_body){.key = key, .salt = salt, .type = type, .payload_bytes = payload_bytes};
    atomic_init(&body->holders, 1);
    memcpy(body->payload, payload, payload_bytes);
    return body;
}

struct event_body *event_body_hold(struct event_body *body)
{
    atomic_fetch_add(&body->holders, 1);
    return body;
}

void event_body_drop(struct event_body *body)
{
    if (body && atomic_fetch_sub(&body->holders, 1) == 1)
        free(body);
}

struct delivery *hook_delivery_new(struct hook *hook, struct event_body *body, int64_t key,
                                   mono_ms due)
{
    struct delivery *delivery = hook_alloc(sizeof(*delivery));
    delivery->key = key;
    delivery->webhook = &hook->core;
    delivery->due = due;
    delivery->event = event_body_hold(body);
    delivery->weight = (uint32_t)(1 + body->payload_bytes / HOOK_WEIGHT_BYTES);
    return delivery;
}

void hook_delivery_free(struct delivery *delivery)
{
    event_body_drop(delivery->event);
    free(delivery);
}

void hook_free(struct hook *hook)
{
    webhook_config_drop(hook->config);
    webhook_config_drop(hook->next_config);
    free(hook->subscriber); /* NULL once the writer let go of it */
    free(hook);
}
