/*
 * print.h - how answers look for a person.
 */
#ifndef REVHOOK_PRINT_H
#define REVHOOK_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define COLUMNS_MAX 8

/* Prints text that came from elsewhere: control bytes (terminal escapes among them) become '?'. */
void print_clean(FILE *to, const char *text);

/* The same for `length` bytes, which may hold zero bytes too. */
void print_clean_bytes(FILE *to, const char *at, size_t length);

/* Prints "label     text" on stdout; nothing when text is NULL. */
void print_field(const char *label, const char *text);

/* The member `key` of an object as text: a string as it is, a number or a boolean written out, and
 * NULL for null, for a missing member and for anything else. The text lives in the object or in
 * `room` (of at least 32 bytes). */
const char *text_of(const json_t *object, const char *key, char room[32]);

/* The same for a date: RFC 3339 cut to milliseconds. */
const char *date_of(const json_t *object, const char *key, char room[32]);

/* A table whose columns are as wide as the widest cell of what is printed at once. */
struct table {
    int columns;
    const char *titles[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX]; /* the widest so far, kept from page to page */
    char **cells;               /* row by row, owned */
    size_t cell_count;
    size_t capacity; /* in cells */
    bool begun;      /* the titles have been printed */
};

/* Sets up an empty table; titles is a NULL-terminated list of at most COLUMNS_MAX literals. */
void table_start(struct table *table, const char *const *titles);

/* Adds the next cell (copied; NULL prints as "-"). Cells fill rows from left to right. */
void table_cell(struct table *table, const char *text);

/* Prints the rows added since the last time, under the titles the first time. */
void table_print(struct table *table);

/* Releases the cells. */
void table_free(struct table *table);

#endif
