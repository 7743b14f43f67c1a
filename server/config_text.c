/* Settings as text: reading one value by its row, and printing all of them.
 *
 * Owns: what each type of row accepts, the words of the text rows that allow only some, and the
 * forms of --print-config and --help. Failure modes: a value that its row does not allow is refused
 * with the bounds in words. Refuses: to know where a value came from (config.c does) and to print
 * the token. */
#include "server/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct config_row rows[CONFIG_KEY_COUNT] = {
#define X(key, type, default_text, min, max, unit, reloadable, help) \
    {#key, #type, default_text, min, max, unit, reloadable, help},
#include "../schema/config.def"
#undef X
};

const struct config_row *config_row(enum config_key key)
{
    return &rows[key];
}

enum config_key config_key_from_name(const char *name, size_t bytes)
{
    for (int key = 0; key < CONFIG_KEY_COUNT; key++)
        if (strlen(rows[key].name) == bytes && memcmp(rows[key].name, name, bytes) == 0)
            return (enum config_key)key;
    return CONFIG_KEY_COUNT;
}

/* ---- reading ---- */

/* Reads a decimal number of `bytes` bytes, digits only. */
static bool read_number(const char *text, size_t bytes, int64_t *number)
{
    *number = 0;
    if (bytes == 0 || bytes > 18)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (text[i] - '0');
    }
    return true;
}

static bool read_INT(int64_t *value, const struct config_row *row, const char *text, char *error,
                     size_t error_bytes)
{
    int64_t number;
    if (!read_number(text, strlen(text), &number) || number < row->min || number > row->max) {
        snprintf(error, error_bytes, "a whole number from %" PRId64 " to %" PRId64 "%s%s is needed",
                 row->min, row->max, *row->unit ? " " : "", row->unit);
        return false;
    }
    *value = number;
    return true;
}

static bool read_BOOL(bool *value, const struct config_row *row, const char *text, char *error,
                      size_t error_bytes)
{
    (void)row;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        snprintf(error, error_bytes, "true or false is needed");
        return false;
    }
    *value = strcmp(text, "true") == 0;
    return true;
}

static bool read_SPANS(struct config_spans *value, const struct config_row *row, const char *text,
                       char *error, size_t error_bytes)
{
    struct config_spans spans = {.count = 0};
    bool good = true;
    for (const char *at = text; good;) {
        size_t bytes = strcspn(at, ",");
        int64_t number;
        good = spans.count < CONFIG_SPANS_MAX && read_number(at, bytes, &number) &&
               number >= row->min && number <= row->max;
        if (good)
            spans.ms[spans.count++] = number;
        if (at[bytes] == 0)
            break;
        at += bytes + 1;
    }
    if (!good) {
        snprintf(error, error_bytes,
                 "1 to %d whole numbers from %" PRId64 " to %" PRId64
                 " ms are needed, separated by commas",
                 CONFIG_SPANS_MAX, row->min, row->max);
        return false;
    }
    *value = spans;
    return true;
}

/* Words that a text row is limited to, separated by spaces; NULL: any. A row whose `min` is 0 may
 * be empty, too. */
static const char *allowed_words(const struct config_row *row)
{
    if (row == &rows[CONFIG_clock])
        return "real virtual";
    if (row == &rows[CONFIG_log_format])
        return "plain json";
    if (row == &rows[CONFIG_log_level])
        return "trace debug info warn error";
    if (row == &rows[CONFIG_close_after_body])
        return "auto true false";
    if (row == &rows[CONFIG_signature_encoding])
        return "hex base64";
    if (row == &rows[CONFIG_signature_key])
        return "string base64";
    if (row == &rows[CONFIG_signature_prefix])
        return "sha256=";
    if (row == &rows[CONFIG_signature_preset])
        return "devrev-live";
    return NULL;
}

static bool is_one_of(const char *words, const char *text)
{
    size_t bytes = strlen(text);
    for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == bytes && memcmp(at, text, bytes) == 0)
            return true;
    return false;
}

static bool read_TEXT(char **value, const struct config_row *row, const char *text, char *error,
                      size_t error_bytes)
{
    const char *words = allowed_words(row);
    size_t bytes = strlen(text);
    bool good = true;
    if (words != NULL && !is_one_of(words, text) && !(bytes == 0 && row->min == 0)) {
        snprintf(error, error_bytes, "%sone of these is needed: %s",
                 row->min == 0 ? "nothing or " : "", words);
        return false;
    }
    if ((int64_t)bytes < row->min || (int64_t)bytes > row->max) {
        snprintf(error, error_bytes, "text of %" PRId64 " to %" PRId64 " bytes is needed", row->min,
                 row->max);
        return false;
    }
    for (size_t i = 0; i < bytes; i++)
        good = good && (unsigned char)text[i] >= ' ' && text[i] != 0x7f &&
               (row != &rows[CONFIG_token] || (text[i] > ' ' && text[i] < 0x7f));
    if (!good) {
        snprintf(error, error_bytes,
                 row == &rows[CONFIG_token] ? "visible ASCII characters without spaces are needed"
                                            : "text without control characters is needed");
        return false;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        snprintf(error, error_bytes, "there is no memory for it");
        return false;
    }
    free(*value);
    *value = copy;
    return true;
}

bool config_set(struct config *config, enum config_key key, const char *text, char *error,
                size_t error_bytes)
{
    switch (key) {
#define X(key, type, default_text, min, max, unit, reloadable, help) \
    case CONFIG_##key:                                               \
        return read_##type(&config->key, &rows[CONFIG_##key], text, error, error_bytes);
#include "../schema/config.def"
#undef X
    default: return false;
    }
}

/* ---- printing ---- */

static void print_INT(FILE *out, const int64_t *value)
{
    fprintf(out, "%" PRId64, *value);
}

static void print_BOOL(FILE *out, const bool *value)
{
    fprintf(out, "%s", *value ? "true" : "false");
}

static void print_TEXT(FILE *out, char *const *value)
{
    fprintf(out, "%s", *value);
}

static void print_SPANS(FILE *out, const struct config_spans *value)
{
    for (unsigned i = 0; i < value->count; i++)
        fprintf(out, "%s%" PRId64, i > 0 ? "," : "", value->ms[i]);
}

static void print_source(FILE *out, const struct config_source *source, const char *name)
{
    switch (source->layer) {
    case CONFIG_FROM_DEFAULT: fprintf(out, "default"); break;
    case CONFIG_FROM_DEV: fprintf(out, "default of --dev"); break;
    case CONFIG_FROM_FILE: fprintf(out, "file, line %u", source->line); break;
    case CONFIG_FROM_ENVIRONMENT:
        fprintf(out, "environment, REVHOOK_");
        for (const char *at = name; *at; at++)
            fputc(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at, out);
        break;
    case CONFIG_FROM_OPTION: fprintf(out, "command line"); break;
    }
}

static void print_head(FILE *out, const struct config *config, enum config_key key)
{
    const struct config_row *row = &rows[key];
    fprintf(out, "# %s%s%s%s\n# source: ", row->help, *row->unit ? " (" : "", row->unit,
            *row->unit ? ")" : "");
    print_source(out, &config->source[key], row->name);
    fprintf(out, "\n%s%s = ", key == CONFIG_token ? "# " : "", row->name);
}

void config_print(const struct config *config, FILE *out)
{
#define X(key, type, default_text, min, max, unit, reloadable, help) \
    print_head(out, config, CONFIG_##key);                           \
    if (CONFIG_##key == CONFIG_token)                                \
        fprintf(out, "%s", config->token[0] ? "set" : "unset");      \
    else                                                             \
        print_##type(out, &config->key);                             \
    fprintf(out, "\n\n");
#include "../schema/config.def"
#undef X
}

static void help_row(FILE *out, const struct config_row *row)
{
    fprintf(out, "  %s\n      %s\n      ", row->name, row->help);
    if (strcmp(row->type, "BOOL") == 0)
        fprintf(out, "true or false");
    else if (allowed_words(row) != NULL)
        fprintf(out, "%sone of: %s", row->min == 0 ? "empty, or " : "", allowed_words(row));
    else if (strcmp(row->type, "TEXT") == 0)
        fprintf(out, "text of %" PRId64 " to %" PRId64 " bytes", row->min, row->max);
    else
        fprintf(out, "%" PRId64 " to %" PRId64 "%s%s%s", row->min, row->max, *row->unit ? " " : "",
                row->unit, strcmp(row->type, "SPANS") == 0 ? ", separated by commas" : "");
    fprintf(out, "; default: %s%s\n", *row->default_text ? row->default_text : "(empty)",
            row->reloadable ? "; SIGHUP takes a new value in" : "");
}

void config_help(FILE *out)
{
    fprintf(out,
            "Usage: revhookd [OPTION]...\n"
            "       revhookd admin COMMAND   organisations and tokens; see revhookd admin --help\n"
            "Accepts events over HTTP, keeps them, and delivers them signed to webhooks.\n"
            "\n"
            "  --dev             developer mode: token from REVHOOK_TOKEN or dev-token; loopback "
            "and\n"
            "                    http targets allowed; /metrics without a token\n"
            "  --listen HOST:PORT, --data DIR, --clock real|virtual\n"
            "                    short for --set listen=..., --set data=..., --set clock=...\n"
            "  --set KEY=VALUE   any setting; may be repeated\n"
            "  --config FILE     settings from a file: lines `key = value`; lines that begin with "
            "# are\n"
            "                    comments\n"
            "  --print-config    print every setting, its source and its help, and exit\n"
            "  --help            print this, and exit\n"
            "  --version         print the version, and exit\n"
            "\n"
            "A setting is taken from, in this order: the command line; the environment, as "
            "REVHOOK_ and\n"
            "the key in capitals (REVHOOK_URL belongs to the command revhook and is ignored); the "
            "file;\n"
            "its default. When the service is ready it prints one line: listening on "
            "http://HOST:PORT\n"
            "(https with tls_cert_file). Log lines go to stderr. SIGTERM and SIGINT end it in "
            "order. SIGHUP\n"
            "reads file, environment and certificate again and takes in what may change while it "
            "runs.\n"
            "Exit status: 0 ended in order; 1 could not start; 2 wrong option or setting.\n"
            "\n"
            "Settings:\n");
    for (int key = 0; key < CONFIG_KEY_COUNT; key++)
        help_row(out, &rows[key]);
}
