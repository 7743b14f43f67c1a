/* The writer of JSON: the API's answers and the payloads of the service's own events.
 *
 * Owns: escaping, commas, growth, the form of dates. Happy path: one buffer that doubles, handed to
 * the connection as it is, so a stored payload is copied once and never parsed again. Failure
 * modes: text that is not UTF-8 (an answer that a receiver gave) is repaired with U+FFFD, byte by
 * byte, so that whatever is written here is JSON. Refuses: to check nesting. */
#include "dispatcher/json_out.h"

#include "dispatcher/hook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void reserve(struct json_out *out, size_t more)
{
    if (out->capacity - out->bytes >= more)
        return;
    size_t capacity = out->capacity ? out->capacity : 512;
    while (capacity - out->bytes < more)
        capacity *= 2;
    out->at = hook_grow(out->at, capacity);
    out->capacity = capacity;
}

void json_out_bytes(struct json_out *out, const char *at, size_t bytes)
{
    if (bytes == 0)
        return;
    reserve(out, bytes);
    memcpy(out->at + out->bytes, at, bytes);
    out->bytes += bytes;
}

void json_out_free(struct json_out *out)
{
    free(out->at);
    memset(out, 0, sizeof(*out));
}

/* What stands before a value or key. */
static void begin(struct json_out *out)
{
    if (out->comma)
        json_out_bytes(out, ",", 1);
    out->comma = true;
}

void json_out_object(struct json_out *out)
{
    begin(out);
    json_out_bytes(out, "{", 1);
    out->comma = false;
}

void json_out_object_end(struct json_out *out)
{
    json_out_bytes(out, "}", 1);
    out->comma = true;
}

void json_out_array(struct json_out *out)
{
    begin(out);
    json_out_bytes(out, "[", 1);
    out->comma = false;
}

void json_out_array_end(struct json_out *out)
{
    json_out_bytes(out, "]", 1);
    out->comma = true;
}

void json_out_key(struct json_out *out, const char *key)
{
    begin(out);
    json_out_bytes(out, "\"", 1);
    json_out_bytes(out, key, strlen(key));
    json_out_bytes(out, "\":", 2);
    out->comma = false;
}

/* Bytes of the UTF-8 character that begins at `at` (`left` > 0 bytes are there), or 0 if there is
 * none. */
static size_t character_bytes(const unsigned char *at, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t bytes;
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    bytes = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (bytes > left)
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0; /* overlong */
    if (at[0] == 0xed)
        high = 0x9f; /* surrogates */
    if (at[0] == 0xf0)
        low = 0x90; /* overlong */
    if (at[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return bytes;
}

static void put_escape(struct json_out *out, unsigned char byte)
{
    static const char names[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    char escape[8];
    for (size_t i = 0; i < sizeof(names) - 1; i += 2) {
        if ((unsigned char)names[i] == byte) {
            json_out_bytes(out, (const char[]){'\\', names[i + 1]}, 2);
            return;
        }
    }
    snprintf(escape, sizeof(escape), "\\u%04x", byte);
    json_out_bytes(out, escape, 6);
}

void json_out_text(struct json_out *out, struct text text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t plain = 0, i = 0; /* from `plain` on nothing is written yet */
    begin(out);
    json_out_bytes(out, "\"", 1);
    while (i < text.bytes) {
        size_t bytes = character_bytes(at + i, text.bytes - i);
        if (bytes > 0 && at[i] >= 0x20 && at[i] != '"' && at[i] != '\\') {
            i += bytes;
            continue;
        }
        json_out_bytes(out, text.at + plain, i - plain);
        if (bytes == 0)
            json_out_bytes(out, "\xef\xbf\xbd", 3);
        else
            put_escape(out, at[i]);
        plain = ++i;
    }
    json_out_bytes(out, text.at + plain, i - plain);
    json_out_bytes(out, "\"", 1);
}

void json_out_string(struct json_out *out, const char *string)
{
    json_out_text(out, text_of(string));
}

void json_out_number(struct json_out *out, int64_t number)
{
    char text[24];
    int bytes = snprintf(text, sizeof(text), "%" PRId64, number);
    json_out_json(out, (struct text){text, (size_t)bytes});
}

void json_out_bool(struct json_out *out, bool value)
{
    json_out_json(out, text_of(value ? "true" : "false"));
}

void json_out_null(struct json_out *out)
{
    json_out_json(out, text_of("null"));
}

void json_out_json(struct json_out *out, struct text json)
{
    begin(out);
    json_out_bytes(out, json.at, json.bytes);
}

void json_out_pair_string(struct json_out *out, const char *key, const char *string)
{
    json_out_key(out, key);
    if (string == NULL)
        json_out_null(out);
    else
        json_out_string(out, string);
}

void json_out_pair_text(struct json_out *out, const char *key, struct text text)
{
    json_out_key(out, key);
    json_out_text(out, text);
}

void json_out_pair_number(struct json_out *out, const char *key, int64_t number)
{
    json_out_key(out, key);
    json_out_number(out, number);
}

void json_out_pair_date(struct json_out *out, const char *key, wall_us wall)
{
    char date[TIMESTAMP_BYTES + 1];
    timestamp_format(date, wall);
    memcpy(date + JSON_OUT_DATE_BYTES - 1, "Z", 2);
    json_out_pair_string(out, key, wall == 0 ? NULL : date);
}
