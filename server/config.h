/* The settings of revhookd: one struct made from the rows of schema/config.def, filled from layers.
 *
 * Layers, each over the one before: the row's default; what --dev makes the default; the lines of
 * the file named by --config; the environment (REVHOOK_<KEY> in capitals); the command line (--set
 * key=value and --dev, --listen, --data, --clock). An unknown key or a value out of bounds is an
 * error that names the key, the value, the bounds and where the value came from. The value of the
 * token is never printed. */
#ifndef REVHOOK_SERVER_CONFIG_H
#define REVHOOK_SERVER_CONFIG_H

#include "dispatcher/egress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_SPANS_MAX 16

struct config_spans {
    int64_t ms[CONFIG_SPANS_MAX];
    unsigned count;
};

enum config_key {
#define X(key, type, default_text, min, max, unit, reloadable, help) CONFIG_##key,
#include "../schema/config.def"
#undef X
    CONFIG_KEY_COUNT
};

/* The layer that a value came from. */
enum config_layer {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_DEV,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_OPTION,
};

struct config_source {
    enum config_layer layer;
    unsigned line; /* of the file; 0 elsewhere */
};

/* C types of the row types. TEXT is owned by the struct config and never NULL after config_load. */
#define CONFIG_TYPE_INT   int64_t
#define CONFIG_TYPE_BOOL  bool
#define CONFIG_TYPE_TEXT  char *
#define CONFIG_TYPE_SPANS struct config_spans

struct config {
#define X(key, type, default_text, min, max, unit, reloadable, help) CONFIG_TYPE_##type key;
#include "../schema/config.def"
#undef X
    struct config_source source[CONFIG_KEY_COUNT];
};

/* What the command line asks for besides settings. */
enum config_action { CONFIG_RUN, CONFIG_PRINT, CONFIG_HELP, CONFIG_VERSION };

/* Fills *config from all layers; argv is the program's, environment ends with NULL. On success
 * true, and *config is to be freed with config_free. On error false, `error` says why, *config is
 * empty. */
bool config_load(struct config *config, int argc, char *const *argv, char *const *environment,
                 enum config_action *action, char *error, size_t error_bytes);

/* Frees what config_load allocated; a zeroed struct is fine. The token's memory is wiped. */
void config_free(struct config *config);

/* What is said where no token is to be had. */
#define CONFIG_NO_TOKEN                                                                          \
    "an API token is needed: make one with `revhookd admin token create`, or set REVHOOK_TOKEN " \
    "in "                                                                                        \
    "the environment, or `token` in the file of --config, or try it out with --dev"

/* Whether the data directory has a store. */
bool config_has_store(const struct config *config);

/* Whether a start with these settings can do: settings fit together, and there is a token, or a
 * store that may have some. On error false and `error` says what to do. Not part of config_load, so
 * that --print-config works without a token. */
bool config_check(const struct config *config, char *error, size_t error_bytes);

/* Sets what the settings say about targets; leaves the addresses of this host alone. On error false
 * and `error` names the key and says what is wrong. */
bool config_egress(const struct config *config, struct egress_policy *policy, char *error,
                   size_t error_bytes);

/* Writes every setting as `key = value`, with its help and source in comment lines above it. The
 * token is shown as set or unset only. */
void config_print(const struct config *config, FILE *out);

/* Writes the usage text: options, and every key with default, bounds, unit and help. */
void config_help(FILE *out);

/* Settings that differ from those in force, by name, separated by spaces. */
struct config_changes {
    char taken[256]; /* reloadable: in force now */
    char left[2048]; /* the others: they count from the next start on */
};

/* Compares `next`, as config_load gave it, with *config; moves over what is reloadable and differs.
 * What was moved is in *config alone; `next` is still to be freed. */
void config_take_over(struct config *config, struct config *next, struct config_changes *changes);

/* ---- one row, for config_text.c and its tests ---- */

/* Reads `text` as the value of `key` into *config (an earlier value is freed). On error false,
 * nothing changed, and `error` says what is allowed, without naming key, value or source. */
bool config_set(struct config *config, enum config_key key, const char *text, char *error,
                size_t error_bytes);

/* The key of a name of `bytes` bytes, or CONFIG_KEY_COUNT. */
enum config_key config_key_from_name(const char *name, size_t bytes);

/* The row as it stands in the .def file. */
struct config_row {
    const char *name;
    const char *type; /* "INT", "BOOL", "TEXT" or "SPANS" */
    const char *default_text;
    int64_t min, max;
    const char *unit;
    bool reloadable;
    const char *help;
};

const struct config_row *config_row(enum config_key key);

#endif
