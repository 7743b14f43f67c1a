/* `revhookd admin` where no daemon runs: the command opens the store itself.
 *
 * Owns: one transaction, or one look, on a store that it has locked. Happy path: open, carry out,
 * commit, close. Failure modes: a store that another process has open is told as busy, and left
 * alone; one that is not there is made by what may make it, and otherwise the directory is named,
 * because it is likely the wrong one. Run by root it becomes `user`, if that is set, as the daemon
 * would; so the files are those of who will open them next. Refuses: to write next to a daemon. */
#include "server/admin.h"
#include "server/confine.h"

static void refuse_failed(struct admin_call *call, const char *why)
{
    error_plain(&call->refused, ERROR_service_unavailable, why);
    admin_call_refuse(call);
}

static void run_change(struct admin_call *call, struct store *store, struct clock *clock)
{
    struct instant now = clock_now(clock);
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = call->operation->apply(&call->store, store, now);
    if (result == STORE_OK)
        result = store_commit(store, now, clock_boot(clock));
    if (result == STORE_OK)
        return;
    refuse_failed(call, store_error(store));
    store_rollback(store);
}

static void run_look(struct admin_call *call, struct store *store, struct clock *clock)
{
    char error[512] = "";
    struct store_reader *reader = store_reader_open(store, error, sizeof(error));
    if (reader == NULL)
        refuse_failed(call, error);
    else if (call->operation->list(call, reader, clock_now(clock)) != STORE_OK)
        refuse_failed(call, store_reader_error(reader));
    if (reader != NULL)
        store_reader_close(reader);
}

static void carry_out(struct admin_call *call, struct store *store, bool is_virtual)
{
    struct instant last;
    char boot[64];
    store_last_commit(store, &last, boot);
    struct clock *clock = is_virtual ? clock_virtual(last, boot) : clock_real(last, boot);
    if (clock == NULL)
        refuse_failed(call, "there is no memory for it");
    else if (call->operation->apply != NULL)
        run_change(call, store, clock);
    else
        run_look(call, store, clock);
    if (clock != NULL)
        clock_free(clock);
}

bool admin_offline(const struct config *config, const struct admin_operation *operation,
                   struct text request, struct json_out *out, bool *busy, char *error,
                   size_t error_bytes)
{
    const struct store_options options = {config->data, (uint32_t)config->response_kept_bytes};
    struct admin_call call;
    struct store *store;
    *busy = false;
    if (!operation->makes_store && !config_has_store(config)) {
        snprintf(error, error_bytes,
                 "%.200s has no store; name the service's data directory with --data",
                 config->data);
        return false;
    }
    if (!confine_user(config->user, config->data, error, error_bytes))
        return false;
    enum store_result result = store_open_sqlite(&options, &store, error, error_bytes);
    *busy = result == STORE_LOCKED;
    if (result != STORE_OK)
        return false;
    admin_call_begin(&call, request, config);
    if (!call.is_refused)
        carry_out(&call, store, strcmp(config->clock, "virtual") == 0);
    admin_call_end(&call);
    store_close(store);
    *out = call.out;
    return true;
}
