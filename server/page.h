/* Pages of lists: `limit` and `cursor` of a request, `next_cursor` of an answer. */
#ifndef REVHOOK_SERVER_PAGE_H
#define REVHOOK_SERVER_PAGE_H

#include "server/api.h"
#include "server/cursor.h"

/* A page that is being filled, newest first. */
struct page {
    struct json_out out;
    enum cursor_list list;
    unsigned limit;
    int64_t before; /* keys below; 0: from the newest */
    unsigned count; /* rows on it */
    int64_t last;   /* key of the last */
    bool more;      /* there are others behind */
};

/* Reads limit (1 to 100, 50 by default) and cursor. On false *error says what is wrong. */
bool page_read(struct page *page, enum cursor_list list, const struct json_t *root,
               struct error *error);

/* Begins `{"<name>":[`. */
void page_begin(struct page *page, const char *name);

/* Whether one more row fits; if not, notes that there are more. The row is then to be written as
 * one object. */
bool page_takes(struct page *page, int64_t key);

/* Ends the object, with next_cursor only if there are more, and answers. */
void page_answer(struct page *page, struct http_request *request);

#endif
