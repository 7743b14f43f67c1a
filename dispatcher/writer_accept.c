/* How events become durable: whom an event goes to, its rows, and what the senders are told. For
 * events that clients publish and for those that the service makes itself.
 *
 * Owns: salts of events, fan-out into rows, which event is the last version of an object. Happy
 * path: the targets are put down in writer->targets, then event, deliveries and object are written,
 * then the deliveries wait in the reports for the commit. Failure modes: the store's; then nothing
 * of the transaction has happened. Refuses: limits; who asks looks before he asks. */
#include "dispatcher/object.h"
#include "dispatcher/secret.h"
#include "dispatcher/threads.h"

static void make_room(struct writer *writer, uint32_t targets)
{
    if (targets <= writer->targets_capacity)
        return;
    writer->targets_capacity = targets * 2;
    writer->targets =
        hook_grow(writer->targets, writer->targets_capacity * sizeof(writer->targets[0]));
}

struct fan_out writer_fan_out(struct writer *writer, enum event_type type, uint32_t org,
                              mono_ms due, int64_t except)
{
    const struct fanout_list *list = fanout_list(&writer->subscribers.index, type);
    struct fan_out fan_out = {0};
    make_room(writer, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct subscriber *subscriber = list->at[i];
        if (subscriber->org != org || subscriber->state == WEBHOOK_DELETED ||
            subscriber->webhook == except)
            continue;
        struct store_target target = {
            .webhook = subscriber->webhook, .due = due, .state = DELIVERY_PENDING};
        switch (fanout_verdict(subscriber->state)) {
        case FANOUT_SKIP: fan_out.skipped++; continue;
        case FANOUT_FAIL:
            target.due = MONO_NEVER;
            target.state = DELIVERY_FAILED;
            target.reason = REASON_webhook_degraded;
            break;
        case FANOUT_QUEUE: fan_out.queued++; break;
        }
        writer->targets[fan_out.targets++] = target;
    }
    return fan_out;
}

struct fan_out writer_single_out(struct writer *writer, int64_t webhook, mono_ms due)
{
    make_room(writer, 1);
    writer->targets[0] =
        (struct store_target){.webhook = webhook, .due = due, .state = DELIVERY_PENDING};
    return (struct fan_out){.targets = 1, .queued = 1};
}

/* Hands the deliveries of an event, which are in writer->targets, to the reports of their senders.
 */
static void report_deliveries(struct writer *writer, const struct store_event *row,
                              uint32_t target_count)
{
    struct event_body *body =
        event_body_new(row->key, row->salt, row->type, row->payload.at, row->payload.bytes);
    for (uint32_t i = 0; i < target_count; i++) {
        const struct store_target *target = &writer->targets[i];
        if (target->due == MONO_NEVER)
            continue;
        struct hook *hook = hook_map_get(&writer->subscribers.hooks, target->webhook);
        struct delivery *delivery =
            hook_delivery_new(hook, body, row->first_delivery + i, target->due);
        struct reports *reports = writer_reports(writer, target->webhook);
        struct report *last = reports->count > 0 ? &reports->at[reports->count - 1] : NULL;
        if (!last || last->kind != REPORT_ACCEPTED)
            last = reports_add(reports, REPORT_ACCEPTED);
        if (last->deliveries.tail)
            last->deliveries.tail->next = delivery;
        else
            last->deliveries.head = delivery;
        last->deliveries.tail = delivery;
    }
    event_body_drop(body);
}

/* Gives the event the number of the object that it is a version of, or takes one that it deletes
 * out of the store. */
static enum store_result note_object(struct store *store, struct store_event *row)
{
    struct object_told told =
        object_told_by(row->type, (struct canon_span){row->payload.at, row->payload.bytes});
    switch (told.change) {
    case OBJECT_UNTOUCHED: break;
    case OBJECT_GONE: return store_object_remove(store, object_number(row->org, told.id));
    case OBJECT_VERSION:
        row->object = object_number(row->org, told.id);
        if (told.display_id.at)
            row->object_alias = object_number(row->org, told.display_id);
        if (row->object_alias == row->object) /* two names, one number */
            row->object_alias = 0;
        break;
    }
    return STORE_OK;
}

/* A salt for the next event; false if the random source fails. */
static bool next_salt(struct writer *writer, uint64_t *salt)
{
    if (writer->random_left == 0) {
        if (secret_random_numbers(writer->random, WRITER_RANDOM) != 0)
            return false;
        writer->random_left = WRITER_RANDOM;
    }
    *salt = writer->random[--writer->random_left] % IDS_SALT_END;
    return true;
}

enum store_result writer_accept(struct writer *writer, struct store_event *row,
                                const struct fan_out *fan_out)
{
    struct store *store = writer->dispatch->options.store;
    if (!next_salt(writer, &row->salt))
        return STORE_FAILED; /* without ids nothing can be accepted */
    enum store_result result = note_object(store, row);
    if (result == STORE_OK)
        result = store_accept(store, row, writer->targets, fan_out->targets);
    if (result != STORE_OK)
        return result;
    writer->open += fan_out->queued;
    if (fan_out->queued > 0)
        report_deliveries(writer, row, fan_out->targets);
    writer->tally.events_accepted_total++;
    writer->tally.deliveries_created_total += fan_out->targets;
    writer->tally.deliveries_failed_total += fan_out->targets - fan_out->queued;
    writer->tally.events_skipped_total += fan_out->skipped;
    return STORE_OK;
}
