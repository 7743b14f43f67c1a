/* events.get, events.list and events.sample.
 *
 * Happy path: a row of the store becomes an object; the payload of events.get is copied byte for
 * byte into the answer, because it is canonical JSON already; so is a sample of the catalogue,
 * whose event can be published as it is. Failure modes: an id that nothing has is 404; a store that
 * cannot be read is 500. Refuses: to show payloads in lists, and samples of what cannot be
 * published. */
#include "core/catalogue.h"
#include "server/api.h"
#include "server/id.h"
#include "server/page.h"
#include "server/render.h"
#include "server/words.h"

struct reading {
    const struct org *org; /* who asks */
    struct json_out out;
};

static bool visit_event(void *ctx, const struct store_event *row)
{
    struct reading *reading = ctx;
    struct json_out *out = &reading->out;
    json_out_object(out);
    render_event(out, reading->org, row->key, row->salt, row->type, row->created_us,
                 row->delivery_count);
    json_out_key(out, event_type_name(row->type));
    json_out_json(out, (struct text){row->payload.at, row->payload.bytes});
    json_out_object_end(out);
    return true;
}

void events_get(struct api *api, struct http_request *request, struct json_t *root)
{
    struct reading reading = {.org = api_org(request)};
    struct json_out *out = &reading.out;
    struct error error;
    struct ids_don don;
    enum store_result result;
    if (!id_check(tree_text(tree_member(root, "id")), "id", IDS_EVENT, reading.org, &don, &error)) {
        error_answer(request, &error);
        tree_free(root);
        return;
    }
    json_out_object(out);
    json_out_key(out, "event");
    result = store_event_get(api->reader, api_org_bytes(reading.org), don.key, don.salt,
                             visit_event, &reading);
    json_out_object_end(out);
    if (result == STORE_OK)
        http_answer(request, 200, "application/json", out);
    else if (result == STORE_NOT_FOUND)
        error_answer_plain(request, ERROR_not_found, NULL);
    else
        error_answer_fault(request, "events.get", store_reader_error(api->reader));
    json_out_free(out);
    tree_free(root);
}

struct listing {
    const struct org *org; /* who asks */
    struct page page;
};

static bool visit_listed(void *ctx, const struct store_event *row)
{
    struct listing *listing = ctx;
    struct page *page = &listing->page;
    if (!page_takes(page, row->key))
        return false;
    json_out_object(&page->out);
    render_event(&page->out, listing->org, row->key, row->salt, row->type, row->created_us,
                 row->delivery_count);
    json_out_object_end(&page->out);
    return true;
}

static bool read_type(const struct json_t *root, int *type, struct error *error)
{
    const struct json_t *value = tree_member(root, "type");
    struct text word;
    *type = -1;
    if (value == NULL)
        return true;
    word = tree_text(value);
    *type = event_type_from_name(word.at, word.bytes);
    if (*type >= 0)
        return true;
    error_enum(error, "type", word, words_event_types);
    return false;
}

void events_list(struct api *api, struct http_request *request, struct json_t *root)
{
    struct listing listing = {.org = api_org(request)};
    struct page *page = &listing.page;
    struct error error;
    int type;
    if (!read_type(root, &type, &error) || !page_read(page, CURSOR_EVENTS, root, &error)) {
        error_answer(request, &error);
    } else {
        page_begin(page, "events");
        if (store_event_list(api->reader, api_org_bytes(listing.org), page->before, type,
                             page->limit + 1, visit_listed, &listing) == STORE_OK)
            page_answer(page, request);
        else
            error_answer_fault(request, "events.list", store_reader_error(api->reader));
        json_out_free(&page->out);
    }
    tree_free(root);
}

void events_sample(struct api *api, struct http_request *request, struct json_t *root)
{
    struct text word = tree_text(tree_member(root, "type"));
    int type = event_type_from_name(word.at, word.bytes);
    (void)api;
    if (type < 0 || !event_type_publishable((enum event_type)type)) {
        struct error error;
        error_enum(&error, "type", word, words_publishable_types);
        error_answer(request, &error);
    } else {
        struct canon_span payload = catalogue_sample((enum event_type)type);
        struct json_out out = {0};
        json_out_object(&out);
        json_out_key(&out, "event");
        json_out_object(&out);
        json_out_pair_text(&out, "type", word);
        json_out_key(&out, event_type_name((enum event_type)type));
        json_out_json(&out, (struct text){payload.at, payload.bytes});
        json_out_object_end(&out);
        json_out_object_end(&out);
        http_answer(request, 200, "application/json", &out);
    }
    tree_free(root);
}
