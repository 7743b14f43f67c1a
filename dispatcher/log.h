/* Log lines: one event of schema/log.def each, written to stderr as a plain line or a JSON object.
 *
 * Owns: form, level, escaping of control bytes. Refuses: events and fields that have no row. Never
 * pass a secret, token, challenge, signature, header value or body. */
#ifndef REVHOOK_DISPATCHER_LOG_H
#define REVHOOK_DISPATCHER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_trace,
    LOG_LEVEL_debug,
    LOG_LEVEL_info,
    LOG_LEVEL_warn,
    LOG_LEVEL_error
};

enum log_event {
#define X(event, level, fields, help) LOG_##event,
#include "../schema/log.def"
#undef X
    LOG_EVENT_COUNT
};

struct log_field {
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
};

#define LOG_TEXT(name, value) \
    {                         \
        (name), (value), 0    \
    }
#define LOG_NUMBER(name, value) \
    {                           \
        (name), NULL, (value)   \
    }

/* Sets form and least level, once, before threads are started. */
void log_setup(bool json, enum log_level least);

/* Changes the least level. Any thread. */
void log_set_level(enum log_level least);

/* Whether `event` would be written: spares the making of fields on hot paths. Any thread. */
bool log_wanted(enum log_event event);

/* Writes one line, whole, in one write; `fields` in the order of the row. Time is real wall-clock
 * time. Never fails, never blocks but for stderr itself. Any thread. */
void log_write(enum log_event event, const struct log_field *fields, size_t field_count);

#define LOG(event, ...)                                                                            \
    do {                                                                                           \
        if (log_wanted(LOG_##event))                                                               \
            log_write(LOG_##event, (const struct log_field[]){__VA_ARGS__},                        \
                      sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)); \
    } while (0)

#endif
