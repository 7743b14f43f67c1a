/* revhookd: from options to a service that answers, and back.
 *
 * Owns: the order in which the parts start and end, the signals, the exit codes. Happy path:
 * options, settings, the port, root given up, the store (locked), most of the file system given up,
 * the clock that goes on from the last commit, the dispatcher (recovery), the API's thread, then
 * the one line on stdout. The main thread sleeps until a signal. SIGHUP reads the settings and the
 * certificate again. SIGTERM or SIGINT ends it: no more connections, new requests are answered 503,
 * attempts in flight may end, everything is committed, answers go out, the store is closed.
 *
 * Failure modes: a wrong option or setting is exit code 2, anything else that keeps it from
 * starting is 1, both with one sentence on stderr, and what was started is ended again. Refuses: to
 * run without a token, to print anything else on stdout, to take longer than five seconds to end
 * for the sake of clients that do not take their answers. */
#include "dispatcher/log.h"
#include "dispatcher/secret.h"
#include "server/admin.h"
#include "server/admin_serve.h"
#include "server/admin_socket.h"
#include "server/config_dispatch.h"
#include "server/confine.h"
#include "server/keys.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXIT_SETTINGS       2
#define ATTEMPT_PATIENCE_MS 3000
#define ANSWER_PATIENCE_MS  500
#define OWN_ADDRESSES_MAX   1024
#define ERROR_BYTES_MAX     512

/* Everything that runs. NULL or -1: not started. */
struct daemon {
    struct config config;
    struct egress_address own[OWN_ADDRESSES_MAX];
    char url[300];
    int listener;
    char **argv;
    int argc;
    struct store *store;
    struct keys keys;
    struct clock *clock;
    struct dispatch *dispatch;
    struct api api;
    struct http *http;
    int admin_listener;
    struct admin_server *admin;
};

extern char **environ;

static sigset_t own_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

/* One descriptor for each client and each attempt: take as many as the system gives. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum log_level log_settings(const struct config *config)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    enum log_level least = LOG_LEVEL_info;
    for (int level = LOG_LEVEL_trace; level <= LOG_LEVEL_error; level++)
        if (strcmp(config->log_level, levels[level]) == 0)
            least = (enum log_level)level;
    return least;
}

static const char *token_source(const struct config *config)
{
    switch (config->source[CONFIG_token].layer) {
    case CONFIG_FROM_FILE: return "file";
    case CONFIG_FROM_ENVIRONMENT: return "REVHOOK_TOKEN";
    case CONFIG_FROM_OPTION: return "command line";
    default: return "the well-known dev-token";
    }
}

static bool start_store(struct daemon *daemon, char *error, size_t error_bytes)
{
    const struct config *config = &daemon->config;
    const struct store_options options = {config->data, (uint32_t)config->response_kept_bytes};
    struct instant last;
    char boot[64];
    if (store_open_sqlite(&options, &daemon->store, error, error_bytes) != STORE_OK)
        return false;
    if (store_last_commit(daemon->store, &last, boot) != STORE_OK) {
        snprintf(error, error_bytes, "the store cannot be read: %s", store_error(daemon->store));
        return false;
    }
    daemon->clock =
        strcmp(config->clock, "virtual") == 0 ? clock_virtual(last, boot) : clock_real(last, boot);
    if (daemon->clock == NULL)
        snprintf(error, error_bytes, "not enough memory");
    return daemon->clock != NULL;
}

static bool start_dispatch(struct daemon *daemon, char *error, size_t error_bytes)
{
    struct egress_policy *egress = &daemon->api.egress;
    struct dispatch_options options;
    if (!config_egress(&daemon->config, egress, error, error_bytes))
        return false;
    int own = egress_own_addresses(daemon->own, OWN_ADDRESSES_MAX);
    if (own < 0) {
        snprintf(error, error_bytes, "the addresses of this host cannot be read: %s",
                 strerror(errno));
        return false;
    }
    egress->own = daemon->own;
    egress->own_count = own < OWN_ADDRESSES_MAX ? (size_t)own : OWN_ADDRESSES_MAX;
    options = config_dispatch(&daemon->config);
    options.store = daemon->store;
    options.clock = daemon->clock;
    options.egress = *egress;
    options.sealer = daemon->api.sealer = daemon->keys.sealer;
    options.resealed = keys_resealed;
    options.resealed_ctx = &daemon->keys;
    daemon->dispatch = dispatch_start(&options, error, error_bytes);
    if (daemon->dispatch != NULL)
        keys_serve(&daemon->keys, daemon->dispatch);
    return daemon->dispatch != NULL;
}

static bool closes_after_body(const struct daemon *daemon)
{
    const char *setting = daemon->config.close_after_body;
    return strcmp(setting, "auto") == 0 ? !http_is_loopback(daemon->listener)
                                        : strcmp(setting, "true") == 0;
}

static bool is_https(const struct config *config)
{
    return config->tls_cert_file[0] != 0;
}

/* Reads who may call. */
static bool start_tenants(struct daemon *daemon, char *error, size_t error_bytes)
{
    const struct config *config = &daemon->config;
    struct tenants *tenants = &daemon->api.tenants;
    tenants_init(tenants, config->token, config->rate_limit_per_minute,
                 config->rate_limit_own_per_minute);
    if (!tenants_load(tenants, daemon->api.reader)) {
        snprintf(error, error_bytes, "organisations and tokens cannot be read: %s",
                 store_reader_error(daemon->api.reader));
        return false;
    }
    if (tenants_any(tenants, clock_now(daemon->clock).wall))
        return true;
    snprintf(error, error_bytes, CONFIG_NO_TOKEN);
    return false;
}

static bool start_admin(struct daemon *daemon, char *error, size_t error_bytes)
{
    const struct admin_server_options options = {
        .listener = daemon->admin_listener,
        .config = &daemon->config,
        .store = daemon->store,
        .clock = daemon->clock,
        .dispatch = daemon->dispatch,
        .http = daemon->http,
        .keys = &daemon->keys,
        .api = &daemon->api,
    };
    daemon->admin_listener = -1;
    daemon->admin = admin_server_start(&options, error, error_bytes);
    return daemon->admin != NULL;
}

static bool start_api(struct daemon *daemon, char *error, size_t error_bytes)
{
    const struct config *config = &daemon->config;
    struct http_options options = {
        .listener = daemon->listener,
        .request_bytes_max = (size_t)config->request_bytes_max,
        .memory_max = (size_t)config->request_memory_max,
        .connections_max = (unsigned)config->connections_max,
        .connections_per_address_max = (unsigned)config->connections_per_address_max,
        .address_requests_per_minute = config->rate_limit_address_per_minute,
        .close_after_body = closes_after_body(daemon),
        .request_timeout_ms = config->request_timeout_ms,
        .response_timeout_ms = config->response_timeout_ms,
        .handle = api_handle,
        .pause = api_pause,
        .ctx = &daemon->api,
    };
    daemon->api.config = config;
    daemon->api.clock = daemon->clock;
    daemon->api.dispatch = daemon->dispatch;
    daemon->api.reader = store_reader_open(daemon->store, error, error_bytes);
    if (daemon->api.reader == NULL || !start_tenants(daemon, error, error_bytes))
        return false;
    if (is_https(config) && (options.tls = http_tls_new(config->tls_cert_file, config->tls_key_file,
                                                        error, error_bytes)) == NULL)
        return false;
    daemon->listener = -1;
    daemon->http = http_start(&options, error, error_bytes);
    return daemon->http != NULL;
}

/* Gives up what is not needed from here on. Before the threads, which inherit it. */
static void confine(const struct config *config)
{
    char key_file[PATH_MAX];
    snprintf(key_file, sizeof(key_file), "%s", config->key_file);
    const char *keys = key_file[0] != 0 ? dirname(key_file) : NULL; /* for admin keys rotate */
    const char *why = config->sandbox ? confine_files(config->data, keys) : "switched off";
    if (geteuid() == 0 && !config->dev)
        LOG(running_as_root, LOG_NUMBER("uid", geteuid()));
    LOG(confined, LOG_NUMBER("uid", geteuid()),
        LOG_TEXT("files", why == NULL ? "the data directory" : why));
}

static bool start(struct daemon *daemon, char *error, size_t error_bytes)
{
    const struct config *config = &daemon->config;
    LOG(starting, LOG_TEXT("version", REVHOOK_VERSION), LOG_TEXT("data", config->data),
        LOG_TEXT("clock", config->clock));
    if (config->dev)
        LOG(developer_mode, LOG_TEXT("token_source", token_source(config)),
            LOG_TEXT("targets", "loopback and http allowed"));
    raise_descriptor_limit();
    confine_memory();
    tree_set_up();
    if (!secret_start(error, error_bytes))
        return false;
    daemon->listener = http_listen(config->listen, is_https(config) ? "https" : "http", daemon->url,
                                   sizeof(daemon->url), error, error_bytes);
    if (daemon->listener < 0 || !confine_user(config->user, config->data, error, error_bytes) ||
        !key_file_check_directory(config->data, error, error_bytes) ||
        !start_store(daemon, error, error_bytes) ||
        !keys_start(&daemon->keys, config, daemon->store, daemon->clock, error, error_bytes) ||
        (daemon->admin_listener = admin_socket_listen(config->data, error, error_bytes)) < 0)
        return false;
    confine(config);
    return start_dispatch(daemon, error, error_bytes) && start_api(daemon, error, error_bytes) &&
           start_admin(daemon, error, error_bytes);
}

/* Ends what was started, last first. */
static void stop(struct daemon *daemon)
{
    if (daemon->admin != NULL)
        admin_server_stop(daemon->admin);
    if (daemon->admin_listener >= 0) {
        close(daemon->admin_listener);
        admin_socket_remove(daemon->config.data);
    }
    if (daemon->http != NULL)
        http_pause(daemon->http);
    if (daemon->dispatch != NULL)
        dispatch_stop(daemon->dispatch, ATTEMPT_PATIENCE_MS);
    if (daemon->http != NULL)
        http_stop(daemon->http, ANSWER_PATIENCE_MS);
    if (daemon->listener >= 0)
        close(daemon->listener);
    if (daemon->api.reader != NULL)
        store_reader_close(daemon->api.reader);
    keys_stop(&daemon->keys);
    tenants_free(&daemon->api.tenants);
    store_close(daemon->store);
    if (daemon->clock != NULL)
        clock_free(daemon->clock);
    config_free(&daemon->config);
}

/* ---- SIGHUP ---- */

/* Reads all settings as the start did. On true *next is to be freed and *tls is the certificate, if
 * the API has one. */
static bool read_again(const struct daemon *daemon, struct config *next, struct ssl_ctx_st **tls,
                       char *error, size_t error_bytes)
{
    enum config_action action;
    *tls = NULL;
    if (!config_load(next, daemon->argc, daemon->argv, environ, &action, error, error_bytes))
        return false;
    bool good = config_check(next, error, error_bytes);
    if (good && is_https(next) != is_https(&daemon->config)) {
        snprintf(error, error_bytes, "tls_cert_file: only a start changes between http and https");
        good = false;
    }
    if (good && is_https(next)) {
        *tls = http_tls_new(next->tls_cert_file, next->tls_key_file, error, error_bytes);
        good = *tls != NULL;
    }
    if (!good)
        config_free(next);
    return good;
}

static void reload(struct daemon *daemon)
{
    char error[ERROR_BYTES_MAX] = "";
    struct config next;
    struct config_changes changes;
    struct ssl_ctx_st *tls;
    if (!read_again(daemon, &next, &tls, error, sizeof(error))) {
        LOG(reload_failed, LOG_TEXT("error", error));
        return;
    }
    config_take_over(&daemon->config, &next, &changes);
    config_free(&next);
    log_set_level(log_settings(&daemon->config));
    if (tls != NULL)
        http_tls_replace(daemon->http, tls);
    LOG(reloaded, LOG_TEXT("settings", changes.taken));
    if (changes.left[0] != 0)
        LOG(reload_left, LOG_TEXT("settings", changes.left));
}

/* Waits for a signal that asks to end, and ends. */
static void run(struct daemon *daemon)
{
    sigset_t signals = own_signals();
    struct dispatch_stats stats;
    int number = 0;
    int64_t began_ms;
    while (sigwait(&signals, &number) != 0 || number == SIGHUP)
        if (number == SIGHUP)
            reload(daemon);
    began_ms = clock_span_ms();
    dispatch_stats(daemon->dispatch, &stats);
    LOG(stopping, LOG_TEXT("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"),
        LOG_NUMBER("in_flight", (int64_t)stats.attempts_in_flight));
    stop(daemon);
    LOG(stopped, LOG_NUMBER("duration_ms", clock_span_ms() - began_ms));
}

static int fail(const char *error, int code)
{
    fprintf(stderr, "revhookd: %s\n", error);
    return code;
}

int main(int argc, char **argv)
{
    static struct daemon daemon = {.listener = -1, .admin_listener = -1};
    if (argc > 1 && strcmp(argv[1], "admin") == 0)
        return admin_command(argc - 2, argv + 2, environ);
    daemon.argc = argc;
    daemon.argv = argv;
    sigset_t signals = own_signals();
    char error[ERROR_BYTES_MAX] = "";
    enum config_action action;

    if (!config_load(&daemon.config, argc, argv, environ, &action, error, sizeof(error)))
        return fail(error, EXIT_SETTINGS);
    if (action != CONFIG_RUN) {
        if (action == CONFIG_HELP)
            config_help(stdout);
        else if (action == CONFIG_VERSION)
            printf("revhookd " REVHOOK_VERSION "\n");
        else
            config_print(&daemon.config, stdout);
        config_free(&daemon.config);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (!config_check(&daemon.config, error, sizeof(error))) {
        config_free(&daemon.config);
        return fail(error, EXIT_SETTINGS);
    }
    log_setup(strcmp(daemon.config.log_format, "json") == 0, log_settings(&daemon.config));
    /* Before any thread: they all inherit it. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!start(&daemon, error, sizeof(error))) {
        stop(&daemon);
        return fail(error, EXIT_FAILURE);
    }
    LOG(listening, LOG_TEXT("address", daemon.url));
    printf("listening on %s\n", daemon.url);
    fflush(stdout);
    run(&daemon);
    return EXIT_SUCCESS;
}
