/*
 * canon_filter.c - canonical JSON as a filter, for tests that compare it with other programs.
 *
 * Reads lines, and prints for each the canonical form of the JSON document on it, or "!" and the
 * text of the error. Input lines must not contain a raw line feed, which JSON never needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/canon.h"

static void filter_line(const char *line, size_t bytes)
{
    size_t keys_max = canon_keys_max(bytes);
    size_t out_max = canon_out_max(bytes);
    struct canon c = {.in = line, .in_bytes = bytes, .out_capacity_bytes = out_max};
    enum canon_error error;

    c.out = malloc(out_max);
    c.keys = malloc(keys_max * sizeof(*c.keys));
    c.keys_max = keys_max;
    if (c.out == NULL || c.keys == NULL) {
        abort();
    }
    error = canon_document(&c);
    if (error == CANON_OK) {
        fwrite(c.out, 1, c.out_bytes, stdout);
    } else {
        printf("!%s", canon_error_text(error));
    }
    putchar('\n');
    free(c.out);
    free(c.keys);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;

    while ((bytes = getline(&line, &capacity, stdin)) >= 0) {
        if (bytes > 0 && line[bytes - 1] == '\n') {
            bytes--;
        }
        filter_line(line, (size_t)bytes);
    }
    free(line);
    return ferror(stdin) || fflush(stdout) != 0;
}
