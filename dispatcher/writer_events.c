/* Events that no client publishes: what the service itself tells of webhooks, and the answers to
 * webhooks.fetch. Each is made inside the transaction of what it tells of, so that it is durable
 * if and only if that is; from then on it is an event like any other.
 *
 * Owns: their payloads, and whom they go to. Failure modes: the store's. Refuses: to tell a webhook
 * of itself (a receiver that answers a change with a change would never come to rest), and to hold
 * up a change of a webhook: where more than backlog_max deliveries are open, its subscribers are
 * not told, and the log says so. */
#include "dispatcher/log.h"
#include "dispatcher/object.h"
#include "dispatcher/threads.h"
#include "dispatcher/webhook_json.h"

#include <assert.h>
#include <string.h>

static struct store_bytes text_bytes(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

/* ---- webhook_created, webhook_updated, webhook_deleted ---- */

struct telling {
    const struct dispatch_options *options;
    struct json_out *out;
};

/* The object as the API shows it, but for what may be a credential of the receiver: `secret`, which
 * DevRev's schema requires, is empty, and the webhook's own headers are left out. `health` and
 * `signature`, which are not DevRev's, have no place in an event of DevRev's. */
static bool put_webhook(void *context, const struct store_webhook *row)
{
    const struct telling *telling = context;
    struct store_webhook shown = *row;
    shown.secret = shown.headers = shown.signature = text_bytes("");
    json_out_key(telling->out, "webhook");
    json_out_object(telling->out);
    webhook_json_members(telling->out, telling->options->degraded_status_visible, &shown);
    json_out_object_end(telling->out);
    return true;
}

static enum store_result put_payload(struct writer *writer, enum event_type type,
                                     const struct hook *hook, struct json_out *out)
{
    const struct dispatch_options *options = &writer->dispatch->options;
    struct telling telling = {options, out};
    enum store_result result = STORE_OK;
    json_out_object(out);
    if (type == EVENT_webhook_deleted)
        json_out_pair_string(out, "id", hook->config->id);
    else
        result = store_webhook_look(options->store, hook->core.key, put_webhook, &telling);
    json_out_object_end(out);
    assert(result != STORE_NOT_FOUND); /* a webhook keeps its row for ever */
    return result;
}

enum store_result writer_own_event(struct writer *writer, enum event_type type,
                                   const struct hook *hook, struct instant now)
{
    uint32_t org = hook->subscriber->org;
    struct fan_out fan_out = writer_fan_out(writer, type, org, now.mono, hook->core.key);
    if (fan_out.targets == 0) { /* nobody would ever see it: a change costs nothing more then */
        writer->tally.events_skipped_total += fan_out.skipped;
        return STORE_OK;
    }
    if (writer->open + fan_out.queued > writer->dispatch->options.backlog_max) {
        LOG(event_left_out, LOG_TEXT("webhook", hook->config->id),
            LOG_TEXT("type", event_type_name(type)), LOG_NUMBER("deliveries", fan_out.targets));
        return STORE_OK;
    }
    struct json_out payload = {0};
    enum store_result result = put_payload(writer, type, hook, &payload);
    struct store_event row = {
        .org = text_bytes(writer->subscribers.orgs[org]),
        .type = type,
        .payload = {payload.at, payload.bytes},
        .created_us = now.wall,
    };
    if (result == STORE_OK)
        result = writer_accept(writer, &row, &fan_out);
    json_out_free(&payload);
    return result;
}

/* ---- webhooks.fetch ---- */

struct fetching {
    struct store_bytes org;
    struct canon_span name, quoted; /* of the object, canonical, without and with its quotes */
    enum event_type type;           /* of the answer */
    struct json_out *payload;
};

static bool put_version(void *context, const struct store_object *row)
{
    struct fetching *fetching = context;
    struct canon_span object;
    if (!object_in_version(row, fetching->org, fetching->name, &object))
        return true; /* another one with the same number */
    fetching->type = object_fetched_type((int)row->type, fetching->name);
    object_fetched_payload(fetching->payload, fetching->type, fetching->quoted, object);
    return true;
}

/* Writes the payload of the answer. */
static enum store_result fetch(struct store *store, struct fetching *fetching)
{
    int64_t number = object_number(fetching->org, fetching->name);
    enum store_result result = store_object_get(store, number, put_version, fetching);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return result;
    if (fetching->payload->bytes == 0) {
        fetching->type = object_fetched_type(-1, fetching->name);
        object_fetched_payload(fetching->payload, fetching->type, fetching->quoted,
                               (struct canon_span){NULL, 0});
    }
    return STORE_OK;
}

static enum store_result answer_fetch(struct writer *writer, const struct fetch_call *call,
                                      struct fetching *fetching)
{
    const struct dispatch_options *options = &writer->dispatch->options;
    struct instant now = clock_now(options->clock);
    enum store_result result = fetch(options->store, fetching);
    if (result != STORE_OK)
        return result;
    struct fan_out fan_out = writer_single_out(writer, call->webhook, now.mono);
    struct store_event row = {
        .org = fetching->org,
        .type = fetching->type,
        .payload = {fetching->payload->at, fetching->payload->bytes},
        .created_us = now.wall,
    };
    return writer_accept(writer, &row, &fan_out);
}

enum store_result writer_fetch(struct writer *writer, struct fetch_call *call)
{
    struct hook *hook = hook_map_get(&writer->subscribers.hooks, call->webhook);
    call->webhook_state = hook ? hook->subscriber->state : WEBHOOK_DELETED;
    call->call.result = DISPATCH_OK;
    if (call->webhook_state == WEBHOOK_DELETED)
        call->call.result = DISPATCH_NOT_FOUND;
    else if (call->webhook_state != WEBHOOK_ACTIVE)
        call->call.result = DISPATCH_NOT_ACTIVE;
    else if (writer->open + 1 > writer->dispatch->options.backlog_max)
        call->call.result = DISPATCH_BACKLOG;
    if (call->call.result != DISPATCH_OK)
        return STORE_OK;
    struct json_out name = {0}, payload = {0};
    json_out_text(&name, call->object);
    struct fetching fetching = {
        .org = text_bytes(writer->subscribers.orgs[hook->subscriber->org]),
        .name = {name.at + 1, name.bytes - 2},
        .quoted = {name.at, name.bytes},
        .payload = &payload,
    };
    enum store_result result = answer_fetch(writer, call, &fetching);
    json_out_free(&name);
    json_out_free(&payload);
    return result;
}
