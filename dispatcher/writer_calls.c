/* The writer's part of what clients ask: create, publish, redeliver, store. Each runs inside the
 * transaction of its batch.
 *
 * Owns: what a new webhook begins with, idempotency. Refuses: half a request; a request that must
 * not be carried out is answered before anything of it is written. */
#include "dispatcher/threads.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static struct store_bytes text_bytes(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

/* ---- webhooks.create ---- */

static enum store_result insert_webhook(struct writer *writer, const struct create_call *call,
                                        const struct webhook_config *config,
                                        const struct webhook_status *status, struct instant now,
                                        int64_t *key)
{
    char *headers = webhook_config_header_lines(config), signature[SIGN_FORM_TEXT_BYTES];
    sign_own_write(&config->signature, signature);
    struct store_webhook row = {
        .id = text_bytes(call->id),
        .org = text_bytes(call->org),
        .partition = text_bytes(call->partition),
        .url = text_bytes(call->url),
        .target = text_bytes(call->target),
        .secret = text_bytes(call->secret),
        .headers = text_bytes(headers),
        .signature = text_bytes(signature),
        .event_types = call->event_types,
        .status = *status,
        .created_us = now.wall,
        .modified_us = now.wall,
        .created_by = text_bytes(call->user),
        .modified_by = text_bytes(call->user),
    };
    struct sealed_row sealed;
    seal_row(writer->dispatch->options.sealer, &row, &sealed);
    row.secret = sealed.secret;
    row.headers = sealed.headers;
    enum store_result result = store_webhook_insert(writer->dispatch->options.store, &row);
    *key = row.key;
    sealed_row_free(&sealed);
    webhook_config_free_lines(headers);
    return result;
}

enum store_result writer_create(struct writer *writer, struct create_call *call)
{
    const struct dispatch_options *options = &writer->dispatch->options;
    struct instant now = clock_now(options->clock);
    if (writer->subscribers.hooks.count >= options->webhooks_max) {
        call->call.result = DISPATCH_TOO_MANY_WEBHOOKS;
        return STORE_OK;
    }
    char don[IDS_DON_BYTES_MAX];
    ids_webhook(don, call->partition, call->org, call->id);
    struct webhook_config *config = webhook_config_new(call, don);
    if (!config) {
        call->call.result = DISPATCH_UNAVAILABLE;
        return STORE_OK;
    }
    struct webhook_status status = webhook_status_new(&options->core, now);
    enum store_result result = insert_webhook(writer, call, config, &status, now, &call->key);
    if (result != STORE_OK) {
        webhook_config_drop(config);
        call->call.result = DISPATCH_CONFLICT;
        return result == STORE_CONFLICT ? STORE_OK : result;
    }
    struct hook *hook = hook_alloc(sizeof(*hook));
    hook->core.key = call->key;
    hook->core.status = status;
    hook->config = config;
    subscribers_add(&writer->subscribers, hook,
                    subscribers_org(&writer->subscribers, call->org, strlen(call->org)),
                    status.state, &call->event_types);
    struct report *report = reports_add(writer_reports(writer, call->key), REPORT_WEBHOOK);
    report->hook = hook;
    report->answered_later = true;
    call->call.result = DISPATCH_OK;
    return writer_own_event(writer, EVENT_webhook_created, hook, now);
}

/* ---- events.publish ---- */

/* Finds what was answered under this key before; true if the call is answered by that. */
static bool replay(struct writer *writer, struct publish_call *call, struct instant now,
                   enum store_result *result)
{
    struct store_idempotency found;
    *result = store_idempotency_find(writer->dispatch->options.store, text_bytes(call->org),
                                     text_bytes(call->idempotency_key), now.mono, &found);
    if (*result == STORE_NOT_FOUND) {
        *result = STORE_OK;
        return false;
    }
    if (*result != STORE_OK)
        return true;
    if (CRYPTO_memcmp(found.body_sha256, call->body_sha256, sizeof(found.body_sha256)) != 0) {
        call->call.result = DISPATCH_CONFLICT;
        return true;
    }
    call->replayed = true;
    call->first_event = found.first_event;
    call->replayed_count = found.count;
    call->replayed_batch = found.batch;
    call->call.result = DISPATCH_OK;
    return true;
}

/* How many deliveries a request leads to, before any of it is written. */
static uint64_t count_deliveries(struct writer *writer, const struct publish_call *call,
                                 uint32_t org)
{
    uint64_t count = 0;
    bool known[EVENT_TYPE_COUNT] = {false};
    uint32_t of_type[EVENT_TYPE_COUNT];
    for (uint32_t i = 0; i < call->event_count; i++) {
        enum event_type type = call->events[i].type;
        if (!known[type])
            of_type[type] = writer_fan_out(writer, type, org, MONO_NEVER, 0).targets;
        known[type] = true;
        count += of_type[type];
    }
    return count;
}

static enum store_result accept_event(struct writer *writer, const struct publish_call *call,
                                      uint32_t org, struct instant now, struct publish_event *event)
{
    struct fan_out fan_out = writer_fan_out(writer, event->type, org, now.mono, 0);
    struct store_event row = {
        .org = text_bytes(call->org),
        .type = event->type,
        .payload = {event->payload, event->payload_bytes},
        .created_us = now.wall,
    };
    enum store_result result = writer_accept(writer, &row, &fan_out);
    event->key = row.key;
    event->salt = row.salt;
    event->delivery_count = fan_out.targets;
    return result;
}

enum store_result writer_publish(struct writer *writer, struct publish_call *call)
{
    const struct dispatch_options *options = &writer->dispatch->options;
    struct instant now = clock_now(options->clock);
    enum store_result result = STORE_OK;
    call->replayed = false;
    call->created_us = now.wall;
    if (call->idempotency_key && replay(writer, call, now, &result))
        return result;
    uint32_t org = subscribers_org(&writer->subscribers, call->org, strlen(call->org));
    uint64_t deliveries = count_deliveries(writer, call, org);
    if (deliveries > options->batch_deliveries_max) {
        call->call.result = DISPATCH_TOO_MANY_DELIVERIES;
        return STORE_OK;
    }
    if (writer->open + deliveries > options->backlog_max) {
        call->call.result = DISPATCH_BACKLOG;
        return STORE_OK;
    }
    for (uint32_t i = 0; i < call->event_count && result == STORE_OK; i++)
        result = accept_event(writer, call, org, now, &call->events[i]);
    if (result == STORE_OK && call->idempotency_key) {
        struct store_idempotency row = {
            .first_event = call->events[0].key,
            .count = call->event_count,
            .batch = call->batch,
            .expires = now.mono + options->idempotency_ms,
        };
        memcpy(row.body_sha256, call->body_sha256, sizeof(row.body_sha256));
        result = store_idempotency_insert(options->store, text_bytes(call->org),
                                          text_bytes(call->idempotency_key), &row);
    }
    call->first_event = call->events[0].key;
    call->call.result = DISPATCH_OK;
    return result;
}

/* ---- deliveries.redeliver ---- */

struct reopened {
    struct writer *writer;
    struct hook *hook;
};

static bool report_reopened(void *context, const struct store_pending *row)
{
    struct reopened *reopened = context;
    struct event_body *body =
        event_body_new(row->event, row->salt, row->type, row->payload.at, row->payload.bytes);
    struct delivery *delivery = hook_delivery_new(reopened->hook, body, row->key, row->due);
    delivery->attempt_count = row->attempt_count;
    delivery->redelivery = true;
    struct report *report =
        reports_add(writer_reports(reopened->writer, row->webhook), REPORT_ACCEPTED);
    report->deliveries.head = report->deliveries.tail = delivery;
    event_body_drop(body);
    return false;
}

enum store_result writer_redeliver(struct writer *writer, struct redeliver_call *call)
{
    struct store *store = writer->dispatch->options.store;
    struct hook *hook = hook_map_get(&writer->subscribers.hooks, call->webhook);
    call->webhook_state = hook ? hook->subscriber->state : WEBHOOK_DELETED;
    if (call->webhook_state != WEBHOOK_ACTIVE) {
        call->call.result = DISPATCH_NOT_ACTIVE;
        return STORE_OK;
    }
    mono_ms due = clock_now(writer->dispatch->options.clock).mono;
    enum store_result result = store_reopen(store, call->delivery, due);
    if (result == STORE_NOT_FOUND || result == STORE_CONFLICT) {
        call->call.result = result == STORE_CONFLICT ? DISPATCH_CONFLICT : DISPATCH_NOT_FOUND;
        return STORE_OK;
    }
    if (result != STORE_OK)
        return result;
    struct reopened reopened = {writer, hook};
    bool more;
    writer->open++;
    call->call.result = DISPATCH_OK;
    return store_pending_after(store, call->webhook, due, call->delivery - 1, 1, report_reopened,
                               &reopened, &more);
}

/* ---- what is the store's alone ---- */

enum store_result writer_store(struct writer *writer, struct store_call *call)
{
    const struct dispatch_options *options = &writer->dispatch->options;
    call->call.result = DISPATCH_OK;
    return call->apply(call, options->store, clock_now(options->clock));
}
