/*
 * jsontext.c - JSON as text, see the header.
 *
 * One scanner: jump over white space, strings (with their escapes) and brackets, counting depth.
 * Happy path: the end of a value is found and its bytes are handed on unchanged. Failure mode: the
 * text ends first, and the span comes back empty. Refuses to judge numbers, escapes and UTF-8.
 */
#include "jsontext.h"

#include "print.h"

#include <string.h>

#define NESTING_MAX 512 /* far above what the service accepts */

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* p stands on a quote; returns the place after the closing one, NULL when there is none. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\')
            p++;
        else if (*p == '"')
            return p + 1;
    }
    return NULL;
}

/* p stands on the first byte of a value; returns the place after it, NULL when it does not end. */
static const char *skip_value(const char *p, const char *end)
{
    char closers[NESTING_MAX];
    int depth = 0;
    while (p != NULL && p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
        } else if (c == '{' || c == '[') {
            if (depth == NESTING_MAX)
                return NULL;
            closers[depth++] = c == '{' ? '}' : ']';
            p++;
        } else if (c == '}' || c == ']') {
            if (depth == 0 || closers[--depth] != c)
                return NULL;
            p++;
        } else if (depth == 0) {
            while (p < end && strchr(" \t\r\n,:]}", *p) == NULL)
                p++;
            return p;
        } else {
            p++;
        }
        if (depth == 0)
            return p;
    }
    return NULL;
}

struct span jsontext_object(const char *text, size_t length)
{
    const char *end = text + length;
    const char *begin = skip_space(text, end);
    if (begin == end || *begin != '{')
        return (struct span){NULL, 0};
    const char *after = skip_value(begin, end);
    if (after == NULL || skip_space(after, end) != end)
        return (struct span){NULL, 0};
    return (struct span){begin, (size_t)(after - begin)};
}

struct span jsontext_member(struct span object, const char *key)
{
    struct span nothing = {NULL, 0};
    if (object.at == NULL || object.length < 2 || object.at[0] != '{')
        return nothing;
    const char *end = object.at + object.length - 1;
    const char *p = object.at + 1;
    for (;;) {
        p = skip_space(p, end);
        if (p == end || *p != '"')
            return nothing;
        const char *name = p + 1;
        p = skip_string(p, end);
        if (p == NULL)
            return nothing;
        size_t name_length = (size_t)(p - 1 - name);
        p = skip_space(p, end);
        if (p == end || *p != ':')
            return nothing;
        const char *value = skip_space(p + 1, end);
        p = value < end ? skip_value(value, end) : NULL;
        if (p == NULL)
            return nothing;
        if (name_length == strlen(key) && memcmp(name, key, name_length) == 0)
            return (struct span){value, (size_t)(p - value)};
        p = skip_space(p, end);
        if (p == end || *p != ',')
            return nothing;
        p++;
    }
}

bool jsontext_plain_string(struct span value, char *room, size_t room_bytes)
{
    if (value.at == NULL || value.length < 2 || value.at[0] != '"' || value.length - 1 > room_bytes)
        return false;
    if (memchr(value.at, '\\', value.length) != NULL)
        return false;
    memcpy(room, value.at + 1, value.length - 2);
    room[value.length - 2] = '\0';
    return true;
}

static void new_line(FILE *to, int spaces)
{
    fprintf(to, "\n%*s", spaces, "");
}

void jsontext_print(FILE *to, struct span value, int indent)
{
    if (value.at == NULL)
        return;
    const char *end = value.at + value.length;
    int depth = 0;
    fprintf(to, "%*s", indent, "");
    for (const char *p = skip_space(value.at, end); p < end; p = skip_space(p, end)) {
        char c = *p;
        if (c == '{' || c == '[') {
            const char *inside = skip_space(p + 1, end);
            fputc(c, to);
            if (inside < end && (*inside == '}' || *inside == ']')) {
                fputc(*inside, to);
                p = inside + 1;
                continue;
            }
            new_line(to, indent + 2 * ++depth);
            p++;
        } else if (c == '}' || c == ']') {
            new_line(to, indent + 2 * (depth > 0 ? --depth : 0));
            fputc(c, to);
            p++;
        } else if (c == ',') {
            fputc(c, to);
            new_line(to, indent + 2 * depth);
            p++;
        } else if (c == ':') {
            fputs(": ", to);
            p++;
        } else {
            const char *after = skip_value(p, end);
            if (after == NULL || after == p)
                after = p + 1;
            print_clean_bytes(to, p, (size_t)(after - p));
            p = after;
        }
    }
    fputc('\n', to);
}
