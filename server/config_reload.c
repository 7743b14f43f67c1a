/* Settings that change while the service runs.
 *
 * Owns: the comparison of two sets of settings, row by row, and what becomes of a difference. Happy
 * path: SIGHUP, the layers are read again, what schema/config.def calls reloadable moves over.
 * Failure modes: none; settings that cannot be read or do not fit never come here. Refuses: to
 * change a row in part, and to be silent about one that has to wait for the next start. */
#include "server/config.h"

#include <string.h>

static bool same_INT(const int64_t *a, const int64_t *b)
{
    return *a == *b;
}

static bool same_BOOL(const bool *a, const bool *b)
{
    return *a == *b;
}

static bool same_TEXT(char *const *a, char *const *b)
{
    return strcmp(*a, *b) == 0;
}

static bool same_SPANS(const struct config_spans *a, const struct config_spans *b)
{
    return a->count == b->count && memcmp(a->ms, b->ms, a->count * sizeof(a->ms[0])) == 0;
}

static void note(char *names, size_t names_bytes, enum config_key key)
{
    size_t used = strlen(names);
    snprintf(names + used, names_bytes - used, "%s%s", used > 0 ? " " : "", config_row(key)->name);
}

void config_take_over(struct config *config, struct config *next, struct config_changes *changes)
{
    *changes = (struct config_changes){.taken = ""};
#define X(key, type, default_text, min, max, unit, reloadable, help)    \
    if (!same_##type(&config->key, &next->key)) {                       \
        if (reloadable) {                                               \
            CONFIG_TYPE_##type old = config->key;                       \
            config->key = next->key;                                    \
            next->key = old; /* freed with the rest of it */            \
            config->source[CONFIG_##key] = next->source[CONFIG_##key];  \
            note(changes->taken, sizeof(changes->taken), CONFIG_##key); \
        } else {                                                        \
            note(changes->left, sizeof(changes->left), CONFIG_##key);   \
        }                                                               \
    }
#include "../schema/config.def"
#undef X
}
