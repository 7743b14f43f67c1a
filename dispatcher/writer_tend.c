/* What the writer does between commits: the store's own house-keeping, events past their retention,
 * secrets under the newest key.
 *
 * Owns: when each is due, and their transactions. Refuses: to hold anybody up. Each does one short
 * step and comes again; one that fails has changed nothing and is tried again. */
#include "dispatcher/log.h"
#include "dispatcher/threads.h"

#define PURGE_EVENTS 500

static void tell(const char *what, const char *error)
{
    LOG(upkeep_failed, LOG_TEXT("what", what), LOG_TEXT("error", error));
}

void writer_tend(struct writer *writer)
{
    struct store *store = writer->dispatch->options.store;
    bool good = store_tend(store) == STORE_OK;
    if (!good && !writer->untended)
        tell("lists and log", store_error(store));
    writer->untended = !good;
}

/* Removes one step of the events past their retention; true if there are more. */
static bool purge_step(struct writer *writer, struct instant now)
{
    struct dispatch *dispatch = writer->dispatch;
    struct store *store = dispatch->options.store;
    unsigned removed = 0;
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = store_purge(store, now.wall - dispatch->options.retention_ms * 1000, now.mono,
                             PURGE_EVENTS, &removed);
    if (result == STORE_OK)
        result = store_commit(store, now, clock_boot(dispatch->options.clock));
    if (result != STORE_OK) {
        tell("events past their retention", store_error(store));
        store_rollback(store);
        return false;
    }
    if (removed > 0)
        LOG(events_removed, LOG_NUMBER("events", removed));
    return removed == PURGE_EVENTS;
}

void writer_purge(struct writer *writer)
{
    struct clock *clock = writer->dispatch->options.clock;
    struct instant now = clock_now(clock);
    if (now.mono < writer->purge_at)
        return;
    bool more = purge_step(writer, now);
    while (more && clock_is_virtual(clock))
        more = purge_step(writer, now);
    writer->purge_at = more ? now.mono : now.mono + PURGE_EVERY_MS;
}

void writer_reseal(struct writer *writer)
{
    struct dispatch *dispatch = writer->dispatch;
    const struct dispatch_options *options = &dispatch->options;
    if (atomic_exchange(&dispatch->reseal, false)) {
        writer->resealing = true;
        writer->reseal = (struct reseal_step){0};
        writer->resealed = 0;
    }
    if (!writer->resealing)
        return;
    enum store_result result =
        reseal_step(options->store, options->clock, options->sealer, &writer->reseal);
    if (result != STORE_OK) {
        /* Without space it is tried again; a secret that does not open stays so. */
        bool hopeless = result == STORE_CORRUPT;
        if (hopeless || !writer->reseal_stuck)
            tell("secrets under the newest key",
                 hopeless ? "a secret does not open under its key" : store_error(options->store));
        writer->resealing = writer->reseal_stuck = !hopeless;
        return;
    }
    writer->reseal_stuck = false;
    writer->resealed += writer->reseal.resealed;
    if (!writer->reseal.done)
        return;
    writer->resealing = false;
    LOG(resealed, LOG_NUMBER("webhooks", (int64_t)writer->resealed),
        LOG_NUMBER("key", sealer_version(options->sealer)));
    if (options->resealed)
        options->resealed(options->resealed_ctx);
}
