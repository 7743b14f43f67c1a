/*
 * pages.c - lists that the service answers page by page, see the header.
 *
 * Happy path: ask, print, follow next_cursor while --all says so. Failure modes: those of the
 * calls, and a service that gives the same cursor again (told and ended, so that a faulty service
 * cannot keep the command going for ever).
 */
#include "pages.h"

#include "body.h"
#include "call.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 100 /* what the service takes */

/* Prints one page; returns its next_cursor as a copy, NULL when it was the last. */
static char *print_page(const struct cli *cli, const struct page_list *list, const json_t *page,
                        struct table *table)
{
    size_t i;
    json_t *item;
    if (!cli->json) {
        json_array_foreach(json_object_get(page, list->member), i, item) list->row(table, item);
        table_print(table);
    }
    const char *cursor = json_string_value(json_object_get(page, "next_cursor"));
    if (cursor == NULL || *cursor == '\0')
        return NULL;
    char *copy = strdup(cursor);
    if (copy == NULL)
        out_of_memory();
    return copy;
}

int pages_run(const struct cli *cli, const struct page_list *list, json_t *filters)
{
    long limit = 0;
    bool good = args_number(cli, "limit", 1, LIMIT_MAX, &limit) &&
                body_set(cli, filters, "cursor", args_value(cli, "cursor"));
    if (!good) {
        json_decref(filters);
        return EXIT_USAGE;
    }
    if (limit > 0 && json_object_set_new(filters, "limit", json_integer(limit)) != 0)
        out_of_memory();
    struct table table;
    table_start(&table, list->titles);
    char *cursor = NULL;
    do {
        struct answer answer;
        good = call_json(cli, list->method, json_incref(filters), &answer);
        char *next = good ? print_page(cli, list, answer.json, &table) : NULL;
        answer_free(&answer);
        if (next != NULL && cursor != NULL && strcmp(next, cursor) == 0)
            good = refused("%s gave the same cursor twice", list->method) == 0;
        free(cursor);
        cursor = next;
        if (cursor != NULL && json_object_set_new(filters, "cursor", json_string(cursor)) != 0)
            out_of_memory();
    } while (good && cursor != NULL && args_has(cli, "all"));
    if (good && cursor != NULL && !cli->json)
        fprintf(stderr, "there are more: --cursor %s (or --all)\n", cursor);
    else if (good && !table.begun && !cli->json)
        fprintf(stderr, "no %s\n", list->member);
    free(cursor);
    table_free(&table);
    json_decref(filters);
    return good ? 0 : EXIT_REFUSED;
}
