/*
 * pages.h - lists that the service answers page by page.
 */
#ifndef REVHOOK_PAGES_H
#define REVHOOK_PAGES_H

#include "print.h"
#include "revhook.h"

#include <jansson.h>

struct page_list {
    const char *method;        /* "events.list" */
    const char *member;        /* the array in the answer: "events" */
    const char *const *titles; /* of the columns, ends with NULL */
    void (*row)(struct table *table, const json_t *item);
};

/* Prints one page, or with --all every page from --cursor on. Adds --limit and --cursor to filters,
 * which it takes over. When there is more, says on stderr how to go on. Returns the exit status. */
int pages_run(const struct cli *cli, const struct page_list *list, json_t *filters);

#endif
