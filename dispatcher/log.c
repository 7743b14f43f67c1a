/* Log lines, as schema/log.def lists them.
 *
 * Owns: the two forms of a line, the least level, and the escaping that keeps one event on one line
 * whatever bytes a field carries.
 *
 *     plain  2026-01-31T12:00:00.000Z info listening address=127.0.0.1:8080
 *     json   {"time":"2026-01-31T12:00:00.000Z","level":"info","event":"listening","address":"..."}
 *
 * Happy path: the line is built on the stack and goes out in one write(2), so lines of several
 * threads do not mix and nothing is lost in a buffer when the process is killed. Failure modes: a
 * field longer than FIELD_BYTES_MAX is cut and marked with "..."; a field that the row of the event
 * does not name is left out; a stderr that takes nothing loses the line. Refuses: to fail, to
 * allocate, to keep a line for later. */
#include "dispatcher/log.h"

#include "core/time.h"
#include "dispatcher/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX  16384 /* five fields of FIELD_BYTES_MAX, each byte escaped, fit */
#define FIELD_BYTES_MAX 500

struct row {
    const char *event;
    enum log_level level;
    const char *fields;
};

static const struct row rows[LOG_EVENT_COUNT] = {
#define X(event, level, fields, help) {#event, LOG_LEVEL_##level, fields},
#include "../schema/log.def"
#undef X
};

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error"};

static bool as_json;
static atomic_int least_level = LOG_LEVEL_info; /* may change while threads log */

struct line {
    char text[LINE_BYTES_MAX];
    size_t bytes;
};

static void put(struct line *line, const char *text, size_t bytes)
{
    /* One byte stays free for the newline. */
    if (bytes > sizeof(line->text) - 1 - line->bytes)
        bytes = sizeof(line->text) - 1 - line->bytes;
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += bytes;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Bytes of the UTF-8 character at `at` (of `bytes` > 0 left), or 0 if it is not one. */
static size_t utf8_bytes(const unsigned char *at, size_t bytes)
{
    size_t count = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] >= 0x80 && (at[0] < 0xc2 || at[0] > 0xf4))
        return 0;
    if (count > bytes)
        return 0;
    for (size_t i = 1; i < count; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return count;
}

/* Writes text with control bytes, quotes and what is not UTF-8 escaped; the result is the inside of
 * a JSON string in either form. */
static void put_escaped(struct line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text);
    bool cut = left > FIELD_BYTES_MAX;
    if (cut)
        left = FIELD_BYTES_MAX;
    while (left > 0) {
        size_t count = utf8_bytes(at, left);
        char escape[8];
        if (count == 0 && cut && left < 4 && *at >= 0xc0)
            break; /* the cut went through a character */
        if (count == 0) {
            put_text(line, "\\ufffd");
            count = 1;
        } else if (*at == '"' || *at == '\\') {
            put(line, (const char[]){'\\', (char)*at}, 2);
        } else if (*at < 0x20 || *at == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", *at);
            put_text(line, escape);
        } else {
            put(line, (const char *)at, count);
        }
        at += count;
        left -= count;
    }
    if (cut)
        put_text(line, "...");
}

/* Whether a value can stand in a plain line without quotes. */
static bool is_plain(const char *text)
{
    if (*text == 0)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f || *text == '"' || *text == '\\' || *text == '=')
            return false;
    return true;
}

static void put_field(struct line *line, const struct log_field *field)
{
    char number[24];
    put_text(line, as_json ? ",\"" : " ");
    put_text(line, field->name);
    put_text(line, as_json ? "\":" : "=");
    if (field->text == NULL) {
        snprintf(number, sizeof(number), "%" PRId64, field->number);
        put_text(line, number);
    } else if (!as_json && strlen(field->text) <= FIELD_BYTES_MAX && is_plain(field->text)) {
        put_text(line, field->text);
    } else {
        put_text(line, "\"");
        put_escaped(line, field->text);
        put_text(line, "\"");
    }
}

/* Whether `name` is one of the words in `fields`. */
static bool names_field(const char *fields, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *at = fields; (at = strstr(at, name)) != NULL; at += bytes)
        if ((at == fields || at[-1] == ' ') && (at[bytes] == 0 || at[bytes] == ' '))
            return true;
    return false;
}

static void write_line(const struct line *line)
{
    size_t done = 0;
    while (done < line->bytes) {
        ssize_t wrote = write(STDERR_FILENO, line->text + done, line->bytes - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            return;
    }
}

void log_setup(bool json, enum log_level least)
{
    as_json = json;
    log_set_level(least);
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

bool log_wanted(enum log_event event)
{
    return (int)rows[event].level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_write(enum log_event event, const struct log_field *fields, size_t field_count)
{
    const struct row *row = &rows[event];
    struct line line = {.bytes = 0};
    char time[TIMESTAMP_BYTES + 1];
    int saved_errno = errno;

    timestamp_format(time, clock_wall_real());
    memcpy(time + TIMESTAMP_BYTES - 4, "Z", 2); /* milliseconds will do */
    put_text(&line, as_json ? "{\"time\":\"" : "");
    put_text(&line, time);
    put_text(&line, as_json ? "\",\"level\":\"" : " ");
    put_text(&line, level_names[row->level]);
    put_text(&line, as_json ? "\",\"event\":\"" : " ");
    put_text(&line, row->event);
    put_text(&line, as_json ? "\"" : "");
    for (size_t i = 0; i < field_count; i++)
        if (names_field(row->fields, fields[i].name))
            put_field(&line, &fields[i]);
    put_text(&line, as_json ? "}" : "");
    line.text[line.bytes++] = '\n';
    write_line(&line);
    errno = saved_errno;
}
