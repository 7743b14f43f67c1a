/* Settings from their layers.
 *
 * Owns: the command line, the file, the environment, and the order in which they count. Happy path:
 * every row gets its default; the layers are read from the weakest to the strongest, each value
 * over the one before; whether --dev is on is known before, because it changes defaults. Failure
 * modes: each mistake ends the load with one sentence that names the key, the value, what is
 * allowed and the place. Refuses: to guess (no abbreviations, no unknown keys), and to show a
 * token. */
#include "server/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX     (1 << 20)
#define OPTIONS_MAX        256
#define ENVIRONMENT_PREFIX "REVHOOK_"

/* A load under way. */
struct load {
    struct config *config;
    char *error;
    size_t error_bytes;
};

/* Takes one value in; `where` says in words where it stands. */
static bool take(struct load *load, const char *name, size_t name_bytes, const char *value,
                 struct config_source source, const char *where)
{
    char why[256] = "";
    enum config_key key = config_key_from_name(name, name_bytes);
    if (key == CONFIG_KEY_COUNT) {
        snprintf(load->error, load->error_bytes,
                 "%s: there is no setting \"%.*s\"; --help lists all", where,
                 (int)(name_bytes < 100 ? name_bytes : 100), name);
        return false;
    }
    if (!config_set(load->config, key, value, why, sizeof(why))) {
        bool secret = key == CONFIG_token;
        snprintf(load->error, load->error_bytes, "%s: %s cannot be %s%.100s%s: %s", where,
                 config_row(key)->name, secret ? "what it is" : "\"", secret ? "" : value,
                 secret ? "" : "\"", why);
        return false;
    }
    load->config->source[key] = source;
    return true;
}

/* ---- the file ---- */

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t bytes = strlen(text);
    while (bytes > 0 && strchr(" \t\r", text[bytes - 1]) != NULL)
        bytes--;
    text[bytes] = 0;
    return text;
}

static bool take_line(struct load *load, const char *path, char *text, unsigned line)
{
    char where[300];
    char *equals, *name;
    snprintf(where, sizeof(where), "%.200s, line %u", path, line);
    text = trim(text);
    if (*text == 0 || *text == '#')
        return true;
    equals = strchr(text, '=');
    if (equals == NULL) {
        snprintf(load->error, load->error_bytes, "%s: a line is `key = value`, or begins with #",
                 where);
        return false;
    }
    *equals = 0;
    name = trim(text);
    return take(load, name, strlen(name), trim(equals + 1),
                (struct config_source){CONFIG_FROM_FILE, line}, where);
}

static bool take_lines(struct load *load, const char *path, char *text)
{
    unsigned line = 0;
    for (char *end; text != NULL; text = end) {
        end = strchr(text, '\n');
        if (end != NULL)
            *end++ = 0;
        if (!take_line(load, path, text, ++line))
            return false;
    }
    return true;
}

static bool take_file(struct load *load, const char *path)
{
    bool good = false;
    size_t bytes;
    char *text = malloc(FILE_BYTES_MAX + 1);
    FILE *file = text == NULL ? NULL : fopen(path, "re");
    if (file == NULL) {
        snprintf(load->error, load->error_bytes, "--config: %.200s cannot be read: %s", path,
                 strerror(errno));
        free(text);
        return false;
    }
    bytes = fread(text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file)) {
        snprintf(load->error, load->error_bytes, "--config: %.200s cannot be read: %s", path,
                 strerror(errno));
    } else if (bytes > FILE_BYTES_MAX || memchr(text, 0, bytes) != NULL) {
        snprintf(load->error, load->error_bytes,
                 "--config: %.200s is not a text file of at most 1 MiB", path);
    } else {
        text[bytes] = 0;
        good = take_lines(load, path, text);
    }
    fclose(file);
    explicit_bzero(text, FILE_BYTES_MAX + 1); /* a token may have stood in it */
    free(text);
    return good;
}

/* ---- the environment ---- */

static bool take_environment(struct load *load, char *const *environment)
{
    const size_t prefix_bytes = strlen(ENVIRONMENT_PREFIX);
    for (; *environment != NULL; environment++) {
        char name[64] = "", where[100];
        const char *at = *environment + prefix_bytes, *equals = strchr(*environment, '=');
        if (equals == NULL || strncmp(*environment, ENVIRONMENT_PREFIX, prefix_bytes) != 0)
            continue;
        size_t bytes = (size_t)(equals - at);
        if (bytes == 3 && memcmp(at, "URL", 3) == 0)
            continue; /* where the command revhook finds the service */
        if (equals[1] == 0)
            continue; /* set to nothing is not set, as in most shells and containers */
        snprintf(where, sizeof(where), "environment, %.*s",
                 (int)(equals - *environment < 80 ? equals - *environment : 80), *environment);
        for (size_t i = 0; i < bytes && i < sizeof(name) - 1; i++)
            name[i] = at[i] >= 'A' && at[i] <= 'Z'   ? (char)(at[i] - 'A' + 'a')
                      : at[i] >= 'a' && at[i] <= 'z' ? '?'
                                                     : at[i];
        if (!take(load, name, bytes, equals + 1, (struct config_source){CONFIG_FROM_ENVIRONMENT, 0},
                  where))
            return false;
    }
    return true;
}

/* ---- the command line ---- */

struct option {
    const char *name; /* "--set" ... */
    const char *value;
};

struct options {
    struct option at[OPTIONS_MAX];
    unsigned count;
    const char *file;
    bool print, help, version;
};

static bool has_value(const char *name, size_t bytes)
{
    static const char *const names[] = {"--set", "--config", "--listen", "--data", "--clock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == bytes && memcmp(names[i], name, bytes) == 0)
            return true;
    return false;
}

/* One argument that is not followed by a value, or carries none. */
static bool split_plain(struct load *load, struct options *options, const char *argument)
{
    if (strcmp(argument, "--dev") == 0)
        options->at[options->count++] = (struct option){"--dev", "true"};
    else if (strcmp(argument, "--print-config") == 0)
        options->print = true;
    else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
        options->help = true;
    else if (strcmp(argument, "--version") == 0)
        options->version = true;
    else {
        snprintf(load->error, load->error_bytes, "there is no option \"%.100s\"; --help lists all",
                 argument);
        return false;
    }
    return true;
}

static bool split_options(struct load *load, struct options *options, int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        size_t bytes = strcspn(argv[i], "=");
        const char *value;
        if (options->count == OPTIONS_MAX) {
            snprintf(load->error, load->error_bytes, "more than %d options", OPTIONS_MAX);
            return false;
        }
        if (!has_value(argv[i], bytes)) {
            if (!split_plain(load, options, argv[i]))
                return false;
            continue;
        }
        value = argv[i][bytes] == '=' ? argv[i] + bytes + 1 : i + 1 < argc ? argv[i + 1] : NULL;
        if (value == NULL) {
            snprintf(load->error, load->error_bytes, "%s needs a value", argv[i]);
            return false;
        }
        if (bytes == strlen("--config") && memcmp(argv[i], "--config", bytes) == 0) {
            if (options->file != NULL) {
                snprintf(load->error, load->error_bytes, "--config is there twice");
                return false;
            }
            options->file = value;
        } else {
            options->at[options->count++] = (struct option){argv[i], value};
        }
        i += argv[i][bytes] == 0;
    }
    return true;
}

static bool take_options(struct load *load, const struct options *options)
{
    const struct config_source source = {CONFIG_FROM_OPTION, 0};
    for (unsigned i = 0; i < options->count; i++) {
        const char *name = options->at[i].name, *value = options->at[i].value;
        size_t bytes = strcspn(name, "=");
        if (bytes == strlen("--set") && memcmp(name, "--set", bytes) == 0) {
            size_t key_bytes = strcspn(value, "=");
            if (value[key_bytes] == 0) {
                snprintf(load->error, load->error_bytes, "--set needs key=value, not \"%.100s\"",
                         value);
                return false;
            }
            if (!take(load, value, key_bytes, value + key_bytes + 1, source, "--set"))
                return false;
        } else {
            char where[16];
            snprintf(where, sizeof(where), "%.*s", (int)bytes, name);
            if (!take(load, where + 2, bytes - 2, value, source, where))
                return false;
        }
    }
    return true;
}

/* ---- all layers ---- */

static bool take_defaults(struct load *load)
{
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        const struct config_row *row = config_row((enum config_key)key);
        if (!take(load, row->name, strlen(row->name), row->default_text,
                  (struct config_source){CONFIG_FROM_DEFAULT, 0}, "config.def"))
            return false;
    }
    return true;
}

/* What developer mode makes the default: it counts where no layer has said anything. */
static bool take_dev_defaults(struct load *load)
{
    static const struct {
        enum config_key key;
        const char *value;
    } defaults[] = {{CONFIG_token, "dev-token"},
                    {CONFIG_rate_limit_per_minute, "0"},
                    {CONFIG_verify_per_host_max, "0"}};
    for (size_t i = 0; load->config->dev && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        const char *name = config_row(defaults[i].key)->name;
        if (load->config->source[defaults[i].key].layer == CONFIG_FROM_DEFAULT &&
            !take(load, name, strlen(name), defaults[i].value,
                  (struct config_source){CONFIG_FROM_DEV, 0}, "--dev"))
            return false;
    }
    return true;
}

bool config_load(struct config *config, int argc, char *const *argv, char *const *environment,
                 enum config_action *action, char *error, size_t error_bytes)
{
    struct load load = {config, error, error_bytes};
    struct options options = {.count = 0};

    memset(config, 0, sizeof(*config));
    *action = CONFIG_RUN;
    if (!split_options(&load, &options, argc, argv) || !take_defaults(&load)) {
        config_free(config);
        return false;
    }
    if (options.help || options.version) {
        *action = options.help ? CONFIG_HELP : CONFIG_VERSION;
        return true;
    }
    if ((options.file != NULL && !take_file(&load, options.file)) ||
        !take_environment(&load, environment) || !take_options(&load, &options) ||
        !take_dev_defaults(&load)) {
        config_free(config);
        return false;
    }
    if (options.print)
        *action = CONFIG_PRINT;
    return true;
}

static void free_INT(int64_t *value)
{
    (void)value;
}

static void free_BOOL(bool *value)
{
    (void)value;
}

static void free_SPANS(struct config_spans *value)
{
    (void)value;
}

static void free_TEXT(char **value)
{
    if (*value != NULL)
        explicit_bzero(*value, strlen(*value));
    free(*value);
}

void config_free(struct config *config)
{
#define X(key, type, default_text, min, max, unit, reloadable, help) free_##type(&config->key);
#include "../schema/config.def"
#undef X
    memset(config, 0, sizeof(*config));
}
