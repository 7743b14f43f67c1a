/* Settings: layers, sources, and every way in which a start must be refused. */
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *const no_environment[] = {NULL};

/* Loads with arguments and an environment, both ending with NULL. */
static bool load(struct config *config, char *const *arguments, char *const *environment,
                 char error[512], enum config_action *action)
{
    char *argv[32] = {"revhookd"};
    int argc = 1;
    for (; arguments != NULL && *arguments != NULL; arguments++)
        argv[argc++] = *arguments;
    error[0] = 0;
    return config_load(config, argc, argv, environment, action, error, 512);
}

#define ARGS(...) ((char *const[]){__VA_ARGS__, NULL})

static void assert_loads(struct config *config, char *const *arguments, char *const *environment)
{
    enum config_action action;
    char error[512];
    bool good = load(config, arguments, environment, error, &action);
    if (!good)
        print_error("%s\n", error);
    assert_true(good);
}

/* Asserts that loading fails and that the message has each of the words. */
static void assert_refused(char *const *arguments, char *const *environment,
                           const char *const *words)
{
    struct config config;
    enum config_action action;
    char error[512];
    assert_false(load(&config, arguments, environment, error, &action));
    for (; *words != NULL; words++) {
        if (strstr(error, *words) == NULL)
            print_error("no \"%s\" in: %s\n", *words, error);
        assert_non_null(strstr(error, *words));
    }
    assert_null(config.listen); /* emptied */
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A file with this text; its name is the caller's to unlink and free. */
static char *file_with(const char *text)
{
    char *name = strdup("/tmp/revhook-config-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return name;
}

static void drop_file(char *name)
{
    unlink(name);
    free(name);
}

static void defaults_are_those_of_the_rows(void **state)
{
    struct config config;
    (void)state;
    assert_loads(&config, NULL, no_environment);
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_int_equal(config.attempt_timeout_ms, 3000);
    assert_int_equal(config.retry_delays_ms.count, 2);
    assert_int_equal(config.retry_delays_ms.ms[0], 30000);
    assert_int_equal(config.retry_delays_ms.ms[1], 180000);
    assert_int_equal(config.verify_offsets_ms.count, 8);
    assert_false(config.dev);
    assert_true(config.top_level_challenge);
    assert_string_equal(config.token, "");
    for (int key = 0; key < CONFIG_KEY_COUNT; key++)
        assert_int_equal(config.source[key].layer, CONFIG_FROM_DEFAULT);
    config_free(&config);
}

static void layers_count_in_their_order(void **state)
{
    struct config config;
    char *file = file_with("# a comment\n\n  senders = 3  \ndegrade_after=7\nwebhooks_max = 11\n");
    char *const environment[] = {"REVHOOK_DEGRADE_AFTER=8", "REVHOOK_WEBHOOKS_MAX=12", NULL};
    (void)state;
    assert_loads(&config, ARGS("--config", file, "--set", "webhooks_max=13"), environment);
    assert_int_equal(config.senders, 3);
    assert_int_equal(config.degrade_after, 8);
    assert_int_equal(config.webhooks_max, 13);
    assert_int_equal(config.source[CONFIG_senders].layer, CONFIG_FROM_FILE);
    assert_int_equal(config.source[CONFIG_senders].line, 3);
    assert_int_equal(config.source[CONFIG_degrade_after].layer, CONFIG_FROM_ENVIRONMENT);
    assert_int_equal(config.source[CONFIG_webhooks_max].layer, CONFIG_FROM_OPTION);
    config_free(&config);
    drop_file(file);
}

static void dedicated_options_set_their_keys(void **state)
{
    struct config config;
    (void)state;
    assert_loads(&config, ARGS("--dev", "--listen", "[::1]:0", "--data=/x=y", "--clock", "virtual"),
                 no_environment);
    assert_true(config.dev);
    assert_string_equal(config.listen, "[::1]:0");
    assert_string_equal(config.data, "/x=y");
    assert_string_equal(config.clock, "virtual");
    config_free(&config);
    assert_loads(&config, ARGS("--listen", "a:1", "--set", "listen=b:2"), no_environment);
    assert_string_equal(config.listen, "b:2");
    config_free(&config);
}

static void dev_gives_a_token_only_where_there_is_none(void **state)
{
    struct config config;
    char *const environment[] = {"REVHOOK_TOKEN=mine", NULL};
    char *const dev_environment[] = {"REVHOOK_DEV=true", NULL};
    char *const empty[] = {"REVHOOK_TOKEN=", NULL};
    (void)state;
    assert_loads(&config, ARGS("--dev"), no_environment);
    assert_string_equal(config.token, "dev-token");
    assert_int_equal(config.source[CONFIG_token].layer, CONFIG_FROM_DEV);
    config_free(&config);
    assert_loads(&config, ARGS("--dev"), empty);
    assert_string_equal(config.token, "dev-token");
    config_free(&config);
    assert_loads(&config, ARGS("--dev"), environment);
    assert_string_equal(config.token, "mine");
    config_free(&config);
    assert_loads(&config, NULL, dev_environment);
    assert_string_equal(config.token, "dev-token");
    config_free(&config);
}

static void the_url_of_the_command_line_tool_is_not_ours(void **state)
{
    struct config config;
    char *const environment[] = {"REVHOOK_URL=http://x", "REVHOOKD=/bin/x", "PATH=/bin", NULL};
    (void)state;
    assert_loads(&config, NULL, environment);
    config_free(&config);
}

static void bad_values_are_refused_with_key_value_bounds_and_place(void **state)
{
    (void)state;
    assert_refused(ARGS("--set", "senders=0"), no_environment,
                   WORDS("--set", "senders", "\"0\"", "1 to 64", "threads"));
    assert_refused(ARGS("--set", "senders=65"), no_environment, WORDS("1 to 64"));
    assert_refused(ARGS("--set", "senders=2x"), no_environment, WORDS("1 to 64"));
    assert_refused(ARGS("--set", "senders="), no_environment, WORDS("1 to 64"));
    assert_refused(ARGS("--set", "senders=-1"), no_environment, WORDS("1 to 64"));
    assert_refused(ARGS("--set", "senders=99999999999999999999"), no_environment, WORDS("1 to 64"));
    assert_refused(ARGS("--clock", "sundial"), no_environment,
                   WORDS("--clock", "clock", "sundial", "real virtual"));
    assert_refused(ARGS("--set", "dev=yes"), no_environment, WORDS("true or false"));
    assert_refused(ARGS("--set", "log_level=loud"), no_environment,
                   WORDS("trace debug info warn error"));
    assert_refused(ARGS("--set", "retry_delays_ms=1,,2"), no_environment, WORDS("commas"));
    assert_refused(ARGS("--set", "retry_delays_ms=1,"), no_environment, WORDS("commas"));
    assert_refused(ARGS("--set", "retry_delays_ms=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"),
                   no_environment, WORDS("1 to 16"));
    assert_refused(ARGS("--set", "data=a\nb"), no_environment, WORDS("control"));
    assert_refused(NULL, (char *const[]){"REVHOOK_SENDERS=many", NULL},
                   WORDS("environment", "REVHOOK_SENDERS", "many", "1 to 64"));
}

static void unknown_keys_are_refused_wherever_they_stand(void **state)
{
    char *file = file_with("senders = 3\nsender = 4\n");
    char *odd = file_with("senders 3\n");
    (void)state;
    assert_refused(ARGS("--set", "nonsense=1"), no_environment, WORDS("--set", "nonsense"));
    assert_refused(ARGS("--set", "Senders=1"), no_environment, WORDS("Senders"));
    assert_refused(NULL, (char *const[]){"REVHOOK_NONSENSE=1", NULL}, WORDS("REVHOOK_NONSENSE"));
    assert_refused(NULL, (char *const[]){"REVHOOK_senders=1", NULL}, WORDS("REVHOOK_senders"));
    assert_refused(ARGS("--config", file), no_environment, WORDS(file, "line 2", "sender"));
    assert_refused(ARGS("--config", odd), no_environment, WORDS(odd, "line 1", "key = value"));
    assert_refused(ARGS("--config", "/nowhere/at/all"), no_environment, WORDS("/nowhere/at/all"));
    assert_refused(ARGS("--frobnicate"), no_environment, WORDS("--frobnicate", "--help"));
    assert_refused(ARGS("--list", "x"), no_environment, WORDS("--list"));
    assert_refused(ARGS("stray"), no_environment, WORDS("stray"));
    assert_refused(ARGS("--listen"), no_environment, WORDS("--listen", "value"));
    assert_refused(ARGS("--set", "senders"), no_environment, WORDS("key=value"));
    assert_refused(ARGS("--config", file, "--config", file), no_environment, WORDS("twice"));
    drop_file(file);
    drop_file(odd);
}

static void a_bad_token_is_refused_without_showing_it(void **state)
{
    struct config config;
    enum config_action action;
    char error[512];
    char *const environment[] = {"REVHOOK_TOKEN=sesame open", NULL};
    (void)state;
    assert_false(load(&config, NULL, environment, error, &action));
    assert_non_null(strstr(error, "token"));
    assert_null(strstr(error, "sesame"));
}

static void a_start_needs_a_token_and_settings_that_fit(void **state)
{
    static char *const bad[] = {
        "retention_ms=60000",        "verify_offsets_ms=0,0",  "verify_offsets_ms=180000",
        "probe_delay_min_ms=700000", "request_bytes_max=4096",
    };
    struct config config;
    char error[512] = "";
    (void)state;
    assert_loads(&config, NULL, no_environment);
    assert_false(config_check(&config, error, sizeof(error)));
    assert_non_null(strstr(error, "REVHOOK_TOKEN"));
    assert_non_null(strstr(error, "--dev"));
    config_free(&config);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_loads(&config, ARGS("--dev", "--set", bad[i]), no_environment);
        assert_false(config_check(&config, error, sizeof(error)));
        config_free(&config);
    }
    assert_loads(&config, ARGS("--dev"), no_environment);
    assert_true(config_check(&config, error, sizeof(error)));
    config_free(&config);
}

static void developer_mode_has_no_rate_limit_unless_asked(void **state)
{
    struct config config;
    (void)state;
    assert_loads(&config, NULL, no_environment);
    assert_int_equal(config.rate_limit_per_minute, 8000);
    assert_int_equal(config.rate_limit_own_per_minute, 0);
    config_free(&config);
    assert_loads(&config, ARGS("--dev"), no_environment);
    assert_int_equal(config.rate_limit_per_minute, 0);
    assert_int_equal(config.source[CONFIG_rate_limit_per_minute].layer, CONFIG_FROM_DEV);
    config_free(&config);
    assert_loads(&config, ARGS("--dev", "--set", "rate_limit_per_minute=7"), no_environment);
    assert_int_equal(config.rate_limit_per_minute, 7);
    config_free(&config);
}

static void words_of_the_signature_are_checked(void **state)
{
    struct config config;
    (void)state;
    assert_refused(ARGS("--set", "signature_encoding=HEX"), no_environment, WORDS("hex base64"));
    assert_refused(ARGS("--set", "signature_encoding="), no_environment, WORDS("hex base64"));
    assert_refused(ARGS("--set", "signature_key=hex"), no_environment, WORDS("string base64"));
    assert_refused(ARGS("--set", "signature_prefix=sha1="), no_environment,
                   WORDS("nothing", "sha256="));
    assert_refused(ARGS("--set", "signature_preset=default"), no_environment, WORDS("devrev-live"));
    assert_loads(&config, ARGS("--set", "signature_prefix=sha256=", "--set", "signature_preset="),
                 no_environment);
    assert_string_equal(config.signature_prefix, "sha256=");
    config_free(&config);
}

static void a_preset_of_the_signature_must_not_be_contradicted(void **state)
{
    static const struct {
        char *setting;
        const char *word; /* NULL: it fits */
    } rows[] = {
        {"signature_encoding=hex", "signature_encoding"}, {"signature_encoding=base64", NULL},
        {"signature_key=string", "signature_key"},        {"signature_key=base64", NULL},
        {"signature_prefix=sha256=", "signature_prefix"}, {"signature_prefix=", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config;
        char error[512] = "";
        assert_loads(
            &config,
            ARGS("--dev", "--set", rows[i].setting, "--set", "signature_preset=devrev-live"),
            no_environment);
        assert_int_equal(config_check(&config, error, sizeof(error)), rows[i].word == NULL);
        if (rows[i].word != NULL)
            assert_non_null(strstr(error, rows[i].word));
        config_free(&config);
    }
}

static void what_is_printed_shows_all_but_the_token(void **state)
{
    struct config config;
    char *text = NULL;
    size_t bytes = 0;
    char *const environment[] = {"REVHOOK_TOKEN=sesame", "REVHOOK_SENDERS=5", NULL};
    FILE *out = open_memstream(&text, &bytes);
    (void)state;
    assert_loads(&config, ARGS("--print-config"), environment);
    config_print(&config, out);
    fclose(out);
    for (int key = 0; key < CONFIG_KEY_COUNT; key++)
        assert_non_null(strstr(text, config_row((enum config_key)key)->name));
    assert_null(strstr(text, "sesame"));
    assert_non_null(strstr(text, "token = set\n"));
    assert_non_null(strstr(text, "# source: environment, REVHOOK_SENDERS\nsenders = 5\n"));
    assert_non_null(strstr(text, "retry_delays_ms = 30000,180000\n"));
    free(text);
    config_free(&config);
}

/* What is printed can be read again, and says the same. */
static void what_is_printed_is_a_file(void **state)
{
    struct config first, second;
    char *text = NULL, *file;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    (void)state;
    assert_loads(&first, ARGS("--set", "retry_delays_ms=1,2,3", "--set", "ca_file=/a b"),
                 no_environment);
    config_print(&first, out);
    fclose(out);
    file = file_with(text);
    assert_loads(&second, ARGS("--config", file), no_environment);
    assert_string_equal(second.ca_file, "/a b");
    assert_int_equal(second.retry_delays_ms.count, 3);
    assert_int_equal(second.retention_ms, first.retention_ms);
    config_free(&first);
    config_free(&second);
    drop_file(file);
    free(text);
}

static void actions(void **state)
{
    struct config config;
    enum config_action action;
    char error[512];
    char *const bad[] = {"REVHOOK_NONSENSE=1", NULL};
    (void)state;
    assert_true(load(&config, ARGS("--help"), bad, error, &action));
    assert_int_equal(action, CONFIG_HELP);
    config_free(&config);
    assert_true(load(&config, ARGS("--version"), no_environment, error, &action));
    assert_int_equal(action, CONFIG_VERSION);
    config_free(&config);
    assert_true(load(&config, ARGS("--print-config"), no_environment, error, &action));
    assert_int_equal(action, CONFIG_PRINT);
    config_free(&config);
    assert_true(load(&config, NULL, no_environment, error, &action));
    assert_int_equal(action, CONFIG_RUN);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_rows),
        cmocka_unit_test(layers_count_in_their_order),
        cmocka_unit_test(dedicated_options_set_their_keys),
        cmocka_unit_test(dev_gives_a_token_only_where_there_is_none),
        cmocka_unit_test(the_url_of_the_command_line_tool_is_not_ours),
        cmocka_unit_test(bad_values_are_refused_with_key_value_bounds_and_place),
        cmocka_unit_test(unknown_keys_are_refused_wherever_they_stand),
        cmocka_unit_test(a_bad_token_is_refused_without_showing_it),
        cmocka_unit_test(a_start_needs_a_token_and_settings_that_fit),
        cmocka_unit_test(developer_mode_has_no_rate_limit_unless_asked),
        cmocka_unit_test(words_of_the_signature_are_checked),
        cmocka_unit_test(a_preset_of_the_signature_must_not_be_contradicted),
        cmocka_unit_test(what_is_printed_shows_all_but_the_token),
        cmocka_unit_test(what_is_printed_is_a_file),
        cmocka_unit_test(actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
