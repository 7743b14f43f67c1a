/* Settings as the dispatcher wants them.
 *
 * Owns: which setting becomes which option. Happy path: copied. Failure modes: none; the settings'
 * words and bounds were checked when they were read. Refuses: defaults of its own. */
#include "server/config_dispatch.h"

#include <string.h>

static unsigned copy_spans(dur_ms *out, const struct config_spans *spans)
{
    memcpy(out, spans->ms, spans->count * sizeof(*out));
    return spans->count;
}

static struct core_config core_settings(const struct config *config)
{
    struct core_config core = {
        .in_flight_max = (unsigned)config->in_flight_max,
        .in_flight_per_webhook_max = (unsigned)config->in_flight_per_webhook_max,
        .degrade_after = (unsigned)config->degrade_after,
        .verify_window_ms = config->verify_window_ms,
        .probe_delay_min_ms = config->probe_delay_min_ms,
        .probe_delay_max_ms = config->probe_delay_max_ms,
        .degraded_max_ms = config->degraded_max_ms,
        .window_max = (unsigned)config->queue_window,
        .memory_max = (unsigned)config->queue_memory_max,
    };
    core.retry_count = copy_spans(core.retry_delays_ms, &config->retry_delays_ms);
    core.verify_offset_count = copy_spans(core.verify_offsets_ms, &config->verify_offsets_ms);
    return core;
}

/* The settings' words were checked when they were read. */
static struct sign_form sign_settings(const struct config *config)
{
    const struct sign_form form = {
        .encoding = strcmp(config->signature_encoding, "base64") == 0 ? SIGN_BASE64 : SIGN_HEX,
        .key = strcmp(config->signature_key, "base64") == 0 ? SIGN_KEY_BASE64 : SIGN_KEY_STRING,
        .prefix = config->signature_prefix[0] != 0,
    };
    return config->signature_preset[0] != 0 ? sign_own_of(SIGN_PRESET_DEVREV_LIVE).form : form;
}

struct dispatch_options config_dispatch(const struct config *config)
{
    return (struct dispatch_options){
        .core = core_settings(config),
        .senders = (unsigned)config->senders,
        .verify_per_host_max = (unsigned)config->verify_per_host_max,
        .attempt_timeout_ms = config->attempt_timeout_ms,
        .response_bytes_max = (size_t)config->response_bytes_max,
        .response_kept_bytes = (size_t)config->response_kept_bytes,
        .challenge_bytes_max = (size_t)config->challenge_bytes_max,
        .top_level_challenge = config->top_level_challenge,
        .sign_form = sign_settings(config),
        .ca_file = config->ca_file,
        .target_cert_file = config->target_cert_file,
        .target_key_file = config->target_key_file,
        .user_agent = "revhook/" REVHOOK_VERSION,
        .batch_deliveries_max = (uint32_t)config->batch_deliveries_max,
        .backlog_max = (uint64_t)config->backlog_max,
        .webhooks_max = (uint64_t)config->webhooks_max,
        .idempotency_ms = config->idempotency_ms,
        .retention_ms = config->retention_ms,
        .degraded_status_visible = config->degraded_status_visible,
    };
}
