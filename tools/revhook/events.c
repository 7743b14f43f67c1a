/*
 * events.c - `revhook events get|list`.
 *
 * Happy path: get prints the event's fields and its object indented, number by number as it was
 * published (the text is cut out of the answer, not read into C numbers); list prints a table, a
 * page or with --all page after page. Failure modes are those of the call.
 */
#include "body.h"
#include "call.h"
#include "jsontext.h"
#include "pages.h"
#include "print.h"

#include <stdlib.h>
#include <string.h>

#define TYPE_BYTES_MAX 128

static void print_plain(const char *label, struct span event, const char *member)
{
    char room[1024];
    struct span value = jsontext_member(event, member);
    if (jsontext_plain_string(value, room, sizeof room)) {
        print_field(label, room);
    } else if (value.at != NULL && value.length < sizeof room) {
        memcpy(room, value.at, value.length);
        room[value.length] = '\0';
        print_field(label, room);
    }
}

int events_get_run(const struct cli *cli)
{
    json_t *query = body_of_id(cli);
    if (query == NULL)
        return EXIT_USAGE;
    char *body = json_dumps(query, JSON_COMPACT);
    json_decref(query);
    if (body == NULL)
        out_of_memory();
    struct request request = {
        .method = "events.get", .body = body, .length = strlen(body), .text_only = true};
    struct answer answer;
    bool good = call_service(cli, &request, &answer);
    if (good && !cli->json) {
        char type[TYPE_BYTES_MAX];
        struct span event = jsontext_member(jsontext_object(answer.body, answer.length), "event");
        print_plain("event", event, "id");
        print_plain("type", event, "type");
        print_plain("created", event, "created_date");
        print_plain("deliveries", event, "deliveries");
        if (jsontext_plain_string(jsontext_member(event, "type"), type, sizeof type)) {
            struct span object = jsontext_member(event, type);
            if (object.at != NULL)
                printf("%s\n", type);
            jsontext_print(stdout, object, 2);
        }
        if (event.at == NULL)
            good = refused("the answer to events.get holds no event") == 0;
    }
    answer_free(&answer);
    free(body);
    return good ? 0 : EXIT_REFUSED;
}

static void event_row(struct table *table, const json_t *event)
{
    char room[32];
    table_cell(table, date_of(event, "created_date", room));
    table_cell(table, text_of(event, "type", room));
    table_cell(table, text_of(event, "deliveries", room));
    table_cell(table, text_of(event, "id", room));
}

int events_list_run(const struct cli *cli)
{
    static const char *const titles[] = {"CREATED", "TYPE", "DELIVERIES", "EVENT", NULL};
    static const struct page_list list = {"events.list", "events", titles, event_row};
    json_t *filters = body_new();
    if (!body_set(cli, filters, "type", args_value(cli, "type"))) {
        json_decref(filters);
        return EXIT_USAGE;
    }
    return pages_run(cli, &list, filters);
}
