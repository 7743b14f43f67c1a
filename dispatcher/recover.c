/* What happens at start: everything that was open goes on.
 *
 * Owns: making hooks and subscribers of the webhooks in the store. Refuses: to read deliveries. A
 * webhook with open deliveries starts as "spilled": its sender's core asks for them a window at a
 * time, like for any backlog, so a start takes as long with a million open deliveries as with none.
 * What was in flight when the process ended is open in the store, at its old due time, and so is
 * attempted again: at least once. A verify run goes on at its next request, or at once if that is
 * past. */
#include "dispatcher/log.h"
#include "dispatcher/threads.h"
#include "dispatcher/webhook_json.h"

struct recovery {
    struct writer *writer;
    int64_t webhooks;
    char *error; /* set: a secret does not open */
    size_t error_bytes;
    bool broken;
};

/* The configuration of a row; NULL if it cannot be had, or, noted in `recovery`, not be opened. */
static struct webhook_config *open_config(struct recovery *recovery,
                                          const struct store_webhook *row, const char *don)
{
    struct store_webhook open = *row;
    struct sealed_row opened;
    struct webhook_config *config = NULL;
    enum seal_result result =
        seal_row_open(recovery->writer->dispatch->options.sealer, row, &opened);
    open.secret = opened.secret;
    open.headers = opened.headers;
    if (result == SEAL_OK && open.secret.bytes > 0) {
        config = webhook_config_from_row(&open, don);
    } else {
        recovery->broken = true;
        snprintf(recovery->error, recovery->error_bytes,
                 "the secret of %s %s; put the store and the key file back as they belong together",
                 don,
                 result == SEAL_NO_KEY ? "is sealed under a key that is not there"
                                       : "does not open with the key that sealed it");
    }
    sealed_row_free(&opened);
    return config;
}

static bool add_webhook(void *context, const struct store_webhook *row, bool has_open)
{
    struct recovery *recovery = context;
    struct writer *writer = recovery->writer;
    char don[IDS_DON_BYTES_MAX];
    webhook_json_don(don, row->partition, row->org, row->id);
    struct webhook_config *config = open_config(recovery, row, don);
    if (recovery->broken)
        return false;
    if (!config) {
        LOG(fault, LOG_TEXT("where", don),
            LOG_TEXT("error", "its stored target is no url, or its signature has an unknown word; "
                              "it is left alone"));
        return true;
    }
    struct hook *hook = hook_alloc(sizeof(*hook));
    hook->core.key = row->key;
    hook->core.status = row->status;
    hook->core.spilled = has_open;
    hook->config = config;
    subscribers_add(&writer->subscribers, hook,
                    subscribers_org(&writer->subscribers, row->org.at, row->org.bytes),
                    row->status.state, &row->event_types);
    reports_add(writer_reports(writer, row->key), REPORT_WEBHOOK)->hook = hook;
    recovery->webhooks++;
    return true;
}

bool recover(struct writer *writer, char *error, size_t error_bytes)
{
    struct recovery recovery = {writer, 0, error, error_bytes, false};
    int64_t began_ms = clock_span_ms();
    enum store_result result =
        store_recover(writer->dispatch->options.store, add_webhook, &recovery);
    subscribers_commit(&writer->subscribers);
    if (recovery.broken)
        return false;
    if (result ==
        STORE_OK) /* counted last: reading the webhooks ends what deleted ones left open */
        result = store_open_count(writer->dispatch->options.store, &writer->open);
    if (result == STORE_OK)
        LOG(recovered, LOG_NUMBER("webhooks", recovery.webhooks),
            LOG_NUMBER("open_deliveries", (int64_t)writer->open),
            LOG_NUMBER("duration_ms", clock_span_ms() - began_ms));
    else
        snprintf(error, error_bytes, "cannot read the store: %s",
                 store_error(writer->dispatch->options.store));
    return result == STORE_OK;
}
