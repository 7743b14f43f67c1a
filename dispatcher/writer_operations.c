/* The writer's part of what the senders tell: outcomes, changes of state, notes, refills. Each runs
 * inside the transaction of its batch, in the order in which the sender told it.
 *
 * Owns: the rows that follow, and what of the tally comes from them. Refuses: to judge; what an
 * outcome means stands in the operation. */
#include "dispatcher/log.h"
#include "dispatcher/threads.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void tally_end(struct writer *writer, enum delivery_state state, uint64_t count)
{
    if (state == DELIVERY_DELIVERED)
        writer->tally.deliveries_delivered_total += count;
    else if (state == DELIVERY_FAILED)
        writer->tally.deliveries_failed_total += count;
    else
        writer->tally.deliveries_dropped_total += count;
}

static enum store_result record(struct writer *writer, const struct operation *operation)
{
    const struct store_record *row = &operation->record.row;
    enum store_result result = store_record(writer->dispatch->options.store, row);
    if (result == STORE_NOT_FOUND) { /* cannot be while it is open; say so and go on */
        LOG(fault, LOG_TEXT("where", "record"),
            LOG_TEXT("error", "an attempt of a delivery that is not in the store"));
        return STORE_OK;
    }
    if (result != STORE_OK)
        return result;
    writer->tally.attempts_total++;
    writer->tally.attempts_failed_total += !outcome_acknowledged(row->attempt.outcome);
    if (row->due == MONO_NEVER) {
        writer->open--;
        /* a redelivery that failed changes nothing of how its delivery ended */
        if (row->state == DELIVERY_DELIVERED || !row->attempt.redelivery)
            tally_end(writer, row->state, 1);
    }
    return STORE_OK;
}

static struct store_bytes text_bytes(const char *text)
{
    return (struct store_bytes){text, strlen(text)};
}

static enum store_result configure(const struct dispatch_options *options,
                                   const struct operation *operation,
                                   const struct webhook_config *config)
{
    bool deleted =
        operation->change.status.state == WEBHOOK_DELETED; /* nothing secret outlives it */
    char *headers = webhook_config_header_lines(config), signature[SIGN_FORM_TEXT_BYTES];
    sign_own_write(&config->signature, signature);
    struct store_webhook row = {
        .key = operation->webhook,
        .id = text_bytes(strrchr(config->id, '/') + 1),
        .status = operation->change.status,
        .url = text_bytes(config->url),
        .target = text_bytes(config->target),
        .secret = text_bytes(deleted ? "" : config->secret),
        .headers = text_bytes(deleted ? "" : headers),
        .signature = text_bytes(signature),
        .event_types = config->event_types,
        .modified_us = operation->change.modified_us,
        .modified_by = text_bytes(operation->change.user),
    };
    struct sealed_row sealed;
    seal_row(options->sealer, &row, &sealed);
    row.secret = sealed.secret;
    row.headers = sealed.headers;
    enum store_result result = store_webhook_configure(options->store, &row);
    sealed_row_free(&sealed);
    webhook_config_free_lines(headers);
    return result;
}

static enum store_result change(struct writer *writer, const struct operation *operation)
{
    struct store *store = writer->dispatch->options.store;
    const struct webhook_config *config = operation->change.config;
    enum store_result result =
        store_webhook_status(store, operation->webhook, &operation->change.status);
    if (result == STORE_OK && config)
        result = configure(&writer->dispatch->options, operation, config);
    if (result == STORE_OK && operation->change.settle != REASON_none) {
        enum delivery_state end = delivery_end(operation->change.settle);
        uint64_t settled = 0;
        result = store_settle(store, operation->webhook, end, operation->change.settle,
                              operation->change.except, operation->change.except_count, &settled);
        writer->open -= settled;
        tally_end(writer, end, settled);
        if (settled > 0 && result == STORE_OK)
            LOG(queue_settled, LOG_TEXT("webhook", operation->hook->config->id),
                LOG_NUMBER("deliveries", (int64_t)settled),
                LOG_TEXT("reason", reason_name(operation->change.settle)));
    }
    if (result != STORE_OK)
        return result;
    writer->tally.webhooks_degraded_total += operation->change.status.state == WEBHOOK_DEGRADED &&
                                             operation->hook->subscriber->state != WEBHOOK_DEGRADED;
    subscribers_change(&writer->subscribers, operation->hook, operation->change.status.state,
                       config ? &config->event_types : NULL);
    reports_add(writer_reports(writer, operation->webhook), REPORT_COMMITTED)->hook =
        operation->hook;
    if (!operation->change.command || operation->change.modified_us == 0)
        return STORE_OK; /* nothing that a client changed */
    bool deleted = operation->change.status.state == WEBHOOK_DELETED;
    return writer_own_event(writer, deleted ? EVENT_webhook_deleted : EVENT_webhook_updated,
                            operation->hook, clock_now(writer->dispatch->options.clock));
}

/* ---- refill ---- */

struct refill {
    struct hook *hook;
    struct delivery_list rows;
    unsigned weight, limit;
};

static bool add_row(void *context, const struct store_pending *row)
{
    struct refill *refill = context;
    struct event_body *body =
        event_body_new(row->event, row->salt, row->type, row->payload.at, row->payload.bytes);
    struct delivery *delivery = hook_delivery_new(refill->hook, body, row->key, row->due);
    delivery->attempt_count = row->attempt_count;
    delivery->redelivery = row->redelivery;
    event_body_drop(body);
    if (refill->rows.tail)
        refill->rows.tail->next = delivery;
    else
        refill->rows.head = delivery;
    refill->rows.tail = delivery;
    refill->weight += delivery->weight;
    return refill->weight < refill->limit;
}

/* Read here, in its place among the operations, so that it sees what was told before it and nothing
 * that was told after. */
static enum store_result refill(struct writer *writer, const struct operation *operation)
{
    struct refill refill = {.hook = operation->hook, .limit = operation->refill.limit};
    bool more = false;
    enum store_result result = store_pending_after(
        writer->dispatch->options.store, operation->webhook, operation->refill.due,
        operation->refill.key, operation->refill.limit, add_row, &refill, &more);
    struct report *report =
        reports_add(writer_reports(writer, operation->webhook), REPORT_REFILLED);
    report->hook = operation->hook;
    report->deliveries = refill.rows;
    report->more = more;
    return result;
}

enum store_result writer_operations(struct writer *writer, struct operations *operations)
{
    enum store_result result = STORE_OK;
    for (unsigned i = 0; i < operations->count && result == STORE_OK; i++) {
        const struct operation *operation = &operations->at[i];
        switch (operation->kind) {
        case OPERATION_RECORD: result = record(writer, operation); break;
        case OPERATION_CHANGE: result = change(writer, operation); break;
        case OPERATION_NOTE:
            result = store_webhook_status(writer->dispatch->options.store, operation->webhook,
                                          &operation->note);
            break;
        case OPERATION_REFILL: result = refill(writer, operation); break;
        }
    }
    return result;
}

void writer_trace(const struct operations *operations)
{
    if (!log_wanted(LOG_attempt_recorded))
        return;
    for (unsigned i = 0; i < operations->count; i++) {
        const struct store_record *row = &operations->at[i].record.row;
        if (operations->at[i].kind == OPERATION_RECORD)
            LOG(attempt_recorded, LOG_NUMBER("key", row->delivery),
                LOG_NUMBER("started_us", row->attempt.started_us),
                LOG_TEXT("outcome", outcome_name(row->attempt.outcome)),
                LOG_TEXT("state", delivery_state_name(row->state)));
    }
}
