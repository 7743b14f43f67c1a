/* Whether settings fit together.
 *
 * Owns: what no row can say about itself alone. Happy path: true. Failure modes: the first thing
 * that does not fit is told in one sentence that names the keys. Refuses: to mend settings. */
#include "server/config.h"

#include <string.h>
#include <unistd.h>

/* A certificate is of no use without its key, nor the other way round. */
static bool check_pair(const char *cert_name, const char *cert_file, const char *key_name,
                       const char *key_file, char *error, size_t error_bytes)
{
    if ((cert_file[0] == 0) == (key_file[0] == 0))
        return true;
    snprintf(error, error_bytes, "%s and %s go together: set both, or neither", cert_name,
             key_name);
    return false;
}

/* A preset says all three; one of them that was set to something else contradicts it. */
static bool check_signature(const struct config *config, char *error, size_t error_bytes)
{
    const struct {
        enum config_key key;
        const char *value, *preset;
    } parts[] = {
        {CONFIG_signature_encoding, config->signature_encoding, "base64"},
        {CONFIG_signature_key, config->signature_key, "base64"},
        {CONFIG_signature_prefix, config->signature_prefix, ""},
    };
    for (size_t i = 0; config->signature_preset[0] != 0 && i < sizeof(parts) / sizeof(parts[0]);
         i++) {
        if (config->source[parts[i].key].layer == CONFIG_FROM_DEFAULT ||
            strcmp(parts[i].value, parts[i].preset) == 0)
            continue;
        snprintf(error, error_bytes,
                 "signature_preset = %s means %s = %s, but that is set to \"%s\"; leave one out",
                 config->signature_preset, config_row(parts[i].key)->name,
                 parts[i].preset[0] ? parts[i].preset : "(empty)", parts[i].value);
        return false;
    }
    return true;
}

bool config_egress(const struct config *config, struct egress_policy *policy, char *error,
                   size_t error_bytes)
{
    char why[200];
    const char *key = "allow_targets";
    bool any = strcmp(config->http_targets, "any") == 0;
    policy->allow_loopback = config->dev;
    policy->allow_http = any || (config->dev && config->http_targets[0] == 0);
    bool good = egress_read_networks(config->allow_targets, &policy->allowed, why, sizeof(why));
    if (good) {
        key = "http_targets";
        good =
            egress_read_networks(any ? "" : config->http_targets, &policy->http, why, sizeof(why));
    }
    if (!good)
        snprintf(error, error_bytes, "%s: %s", key, why);
    return good;
}

bool config_has_store(const struct config *config)
{
    char path[4100];
    snprintf(path, sizeof(path), "%s/revhook.db", config->data);
    return access(path, F_OK) == 0;
}

bool config_check(const struct config *config, char *error, size_t error_bytes)
{
    struct egress_policy egress;
    const struct config_spans *offsets = &config->verify_offsets_ms;
    if (config->token[0] == 0 && !config_has_store(config)) {
        snprintf(error, error_bytes, CONFIG_NO_TOKEN);
        return false;
    }
    for (unsigned i = 1; i < offsets->count; i++) {
        if (offsets->ms[i] <= offsets->ms[i - 1]) {
            snprintf(error, error_bytes,
                     "verify_offsets_ms: each must be larger than the one "
                     "before");
            return false;
        }
    }
    if (offsets->ms[offsets->count - 1] >= config->verify_window_ms) {
        snprintf(error, error_bytes,
                 "verify_offsets_ms: the last must be smaller than verify_window_ms");
        return false;
    }
    if (config->probe_delay_min_ms > config->probe_delay_max_ms) {
        snprintf(error, error_bytes,
                 "probe_delay_min_ms must not be larger than "
                 "probe_delay_max_ms");
        return false;
    }
    if (config->retention_ms < config->idempotency_ms) {
        snprintf(error, error_bytes,
                 "retention_ms must not be smaller than idempotency_ms: what is answered again "
                 "must still be there");
        return false;
    }
    if (config->event_bytes_max > config->request_bytes_max) {
        snprintf(error, error_bytes, "event_bytes_max must not be larger than request_bytes_max");
        return false;
    }
    if (config->request_bytes_max > config->request_memory_max) {
        snprintf(error, error_bytes,
                 "request_bytes_max must not be larger than request_memory_max");
        return false;
    }
    return config_egress(config, &egress, error, error_bytes) &&
           check_pair("tls_cert_file", config->tls_cert_file, "tls_key_file", config->tls_key_file,
                      error, error_bytes) &&
           check_pair("target_cert_file", config->target_cert_file, "target_key_file",
                      config->target_key_file, error, error_bytes) &&
           check_signature(config, error, error_bytes);
}
