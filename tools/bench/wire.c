/* Where an HTTP/1.1 message ends, see wire.h.
 *
 * Owns: Content-Length and chunked bodies. Refuses: to know requests from answers, so an answer
 * that ends with its connection counts as one without a body. */
#define _GNU_SOURCE /* memmem */
#include "tools/bench/wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BODY_BYTES_MAX (512u << 20)

/* The text behind `name` (with its colon) at the start of a line of the head, or NULL. */
static const char *header_in(const char *head, const char *end, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = head; (line = memchr(line, '\n', (size_t)(end - line))) != NULL;) {
        line++;
        if ((size_t)(end - line) < n)
            return NULL;
        if ((line[0] | 0x20) == name[0] && strncasecmp(line, name, n) == 0)
            return line + n;
    }
    return NULL;
}

/* How long a chunked body is; 0 if more must come, -1 if it is none. */
static ssize_t chunked_length(const char *body, const char *end)
{
    for (const char *at = body;;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        if (line == NULL)
            return 0;
        char *stop;
        unsigned long chunk = strtoul(at, &stop, 16);
        if (stop == at || chunk > BODY_BYTES_MAX)
            return -1;
        if ((size_t)(end - line - 1) < chunk + 2)
            return 0;
        at = line + 1 + chunk + 2;
        if (chunk == 0)
            return at - body; /* trailers are not understood; nobody sends any here */
    }
}

ssize_t wire_length(const char *at, size_t bytes, size_t *head_bytes)
{
    const char *empty = memmem(at, bytes, "\r\n\r\n", 4);
    if (empty == NULL)
        return bytes > 65536 ? -1 : 0;
    const char *end = empty + 4;
    *head_bytes = (size_t)(end - at);
    const char *value = header_in(at, end, "content-length:");
    size_t body = 0;
    if (value != NULL) {
        body = strtoul(value, NULL, 10);
        if (body > BODY_BYTES_MAX)
            return -1;
    } else if ((value = header_in(at, end, "transfer-encoding:")) != NULL) {
        ssize_t length = chunked_length(end, at + bytes);
        return length > 0 ? (ssize_t)*head_bytes + length : length;
    }
    return bytes - *head_bytes >= body ? (ssize_t)(*head_bytes + body) : 0;
}

int wire_status(const char *at, size_t bytes)
{
    bool answer = bytes >= 12 && memcmp(at, "HTTP/1.", 7) == 0;
    return answer ? (int)strtol(at + 9, NULL, 10) : 0;
}
