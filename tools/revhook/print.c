/*
 * print.c - fields, tables and text for a terminal.
 *
 * Everything that came over the network passes print_clean_bytes, so that a receiver's answer or an
 * event's text cannot send escape sequences to the terminal. Missing members print as nothing
 * (fields) or "-" (tables): a newer or older service is no reason to fail.
 */
#include "print.h"

#include "revhook.h"

#include <stdlib.h>
#include <string.h>

void print_clean_bytes(FILE *to, const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)at[i];
        unsigned char after = i + 1 < length ? (unsigned char)at[i + 1] : 0;
        if (c == 0xc2 && after >= 0x80 && after <= 0x9f) {
            fputc('?', to); /* U+0080 to U+009F control a terminal as well */
            i++;
        } else {
            fputc(c < 0x20 || c == 0x7f ? '?' : c, to);
        }
    }
}

void print_clean(FILE *to, const char *text)
{
    print_clean_bytes(to, text, strlen(text));
}

void print_field(const char *label, const char *text)
{
    if (text == NULL)
        return;
    printf("%-13s ", label);
    print_clean(stdout, text);
    fputc('\n', stdout);
}

const char *text_of(const json_t *object, const char *key, char room[32])
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        snprintf(room, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(room, 32, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(room, 32, "%s", json_is_true(value) ? "true" : "false");
    else
        return NULL;
    return room;
}

const char *date_of(const json_t *object, const char *key, char room[32])
{
    const char *text = text_of(object, key, room);
    if (text == NULL)
        return NULL;
    const char *point = strchr(text, '.');
    const char *zone = point != NULL ? strpbrk(point, "Zz+-") : NULL;
    if (point == NULL || zone == NULL || zone - point <= 4 || strlen(text) >= 32)
        return text;
    char cut[32];
    snprintf(cut, sizeof cut, "%.*s%s", (int)(point - text) + 4, text, zone);
    memcpy(room, cut, sizeof cut);
    return room;
}

void table_start(struct table *table, const char *const *titles)
{
    *table = (struct table){0};
    for (; titles[table->columns] != NULL; table->columns++) {
        table->titles[table->columns] = titles[table->columns];
        table->widths[table->columns] = strlen(titles[table->columns]);
    }
}

void table_cell(struct table *table, const char *text)
{
    size_t used = table->cell_count;
    if (used == table->capacity) {
        table->capacity = table->capacity == 0 ? 256 : table->capacity * 2;
        table->cells = realloc(table->cells, table->capacity * sizeof table->cells[0]);
        if (table->cells == NULL)
            out_of_memory();
    }
    table->cells[used] = strdup(text != NULL && *text != '\0' ? text : "-");
    if (table->cells[used] == NULL)
        out_of_memory();
    size_t column = used % (size_t)table->columns;
    size_t width = strlen(table->cells[used]);
    if (width > table->widths[column])
        table->widths[column] = width;
    table->cell_count++;
}

static void print_cell(const struct table *table, int column, const char *text)
{
    print_clean(stdout, text);
    if (column + 1 == table->columns)
        fputc('\n', stdout);
    else
        printf("%*s", (int)(table->widths[column] - strlen(text)) + 2, "");
}

void table_print(struct table *table)
{
    if (!table->begun && table->cell_count > 0)
        for (int c = 0; c < table->columns; c++)
            print_cell(table, c, table->titles[c]);
    table->begun = table->begun || table->cell_count > 0;
    for (size_t i = 0; i < table->cell_count; i++) {
        print_cell(table, (int)(i % (size_t)table->columns), table->cells[i]);
        free(table->cells[i]);
    }
    table->cell_count = 0;
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    table->cells = NULL;
    table->cell_count = table->capacity = 0;
}
