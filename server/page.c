/* What all lists have in common. Happy path: rows are offered until the page is full; one more than
 * fits tells that there is a next page. Failure modes: a limit or cursor that is none. Refuses:
 * pages over 100 rows. */
#include "server/page.h"

bool page_read(struct page *page, enum cursor_list list, const struct json_t *root,
               struct error *error)
{
    const struct json_t *limit = tree_member(root, "limit"), *cursor = tree_member(root, "cursor");
    int64_t number = API_LIMIT_DEFAULT;
    memset(page, 0, sizeof(*page));
    page->list = list;
    if (limit != NULL && (!tree_integer(limit, &number) || number < 1 || number > API_LIMIT_MAX)) {
        error_value(error, "limit", "a limit is a whole number from 1 to 100");
        return false;
    }
    if (cursor != NULL && !cursor_read(tree_text(cursor), list, &page->before)) {
        error_value(error, "cursor", "this is no cursor of this list");
        return false;
    }
    page->limit = (unsigned)number;
    return true;
}

void page_begin(struct page *page, const char *name)
{
    json_out_object(&page->out);
    json_out_key(&page->out, name);
    json_out_array(&page->out);
}

bool page_takes(struct page *page, int64_t key)
{
    if (page->count == page->limit) {
        page->more = true;
        return false;
    }
    page->count++;
    page->last = key;
    return true;
}

void page_answer(struct page *page, struct http_request *request)
{
    char cursor[CURSOR_BYTES + 1];
    json_out_array_end(&page->out);
    if (page->more) {
        cursor_write(cursor, page->list, page->last);
        json_out_pair_string(&page->out, "next_cursor", cursor);
    }
    json_out_object_end(&page->out);
    http_answer(request, 200, "application/json", &page->out);
}
