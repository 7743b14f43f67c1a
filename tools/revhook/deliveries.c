/*
 * deliveries.c - `revhook deliveries get|list|redeliver`.
 *
 * Happy path: list prints a table, newest first; get prints the delivery's fields and a line for
 * each attempt: number, start, duration, HTTP status or reason, first line of the answer.
 * Failure modes are those of the call.
 */
#include "body.h"
#include "call.h"
#include "pages.h"
#include "print.h"

#include <string.h>

#define ANSWER_SHOWN_BYTES 100

static void delivery_row(struct table *table, const json_t *delivery)
{
    char room[32];
    table_cell(table, date_of(delivery, "created_date", room));
    table_cell(table, text_of(delivery, "type", room));
    table_cell(table, text_of(delivery, "state", room));
    table_cell(table, text_of(delivery, "reason", room));
    table_cell(table, text_of(delivery, "attempt_count", room));
    table_cell(table, date_of(delivery, "next_attempt_at", room));
    table_cell(table, text_of(delivery, "id", room));
}

int deliveries_list_run(const struct cli *cli)
{
    static const char *const titles[] = {"CREATED",  "TYPE",         "STATE",    "REASON",
                                         "ATTEMPTS", "NEXT ATTEMPT", "DELIVERY", NULL};
    static const struct page_list list = {"deliveries.list", "deliveries", titles, delivery_row};
    json_t *filters = body_new();
    if (!body_set(cli, filters, "webhook", args_value(cli, "webhook")) ||
        !body_set(cli, filters, "event", args_value(cli, "event")) ||
        !body_set(cli, filters, "state", args_value(cli, "state"))) {
        json_decref(filters);
        return EXIT_USAGE;
    }
    return pages_run(cli, &list, filters);
}

/* The first line of what a receiver answered, cut to a readable length. */
static void print_first_line(const char *body)
{
    size_t n = strcspn(body, "\r\n");
    bool whole = body[n + strspn(body + n, "\r\n")] == '\0' && n <= ANSWER_SHOWN_BYTES;
    char line[ANSWER_SHOWN_BYTES + 1];
    if (n > ANSWER_SHOWN_BYTES)
        n = ANSWER_SHOWN_BYTES;
    memcpy(line, body, n);
    line[n] = '\0';
    print_clean(stdout, line);
    fputs(whole ? "" : " ...", stdout);
}

static void print_attempt(const json_t *attempt)
{
    char room[32];
    const char *n = text_of(attempt, "n", room);
    printf("attempt %-5s ", n != NULL ? n : "?");
    const char *text = date_of(attempt, "started_at", room);
    print_clean(stdout, text != NULL ? text : "-");
    text = text_of(attempt, "duration_ms", room);
    printf("  %s ms  ", text != NULL ? text : "-");
    const char *reason = json_string_value(json_object_get(attempt, "reason"));
    json_int_t http = json_integer_value(json_object_get(attempt, "http_status"));
    if (http > 0)
        printf("%" JSON_INTEGER_FORMAT, http);
    if (reason != NULL) {
        fputs(http > 0 ? " " : "", stdout);
        print_clean(stdout, reason);
    }
    if (json_is_true(json_object_get(attempt, "redelivery")))
        fputs("  (redelivery)", stdout);
    const char *body = json_string_value(json_object_get(attempt, "response_body"));
    if (body != NULL && *body != '\0') {
        fputs("  | ", stdout);
        print_first_line(body);
    }
    fputc('\n', stdout);
}

static void print_delivery(const json_t *delivery)
{
    char room[32];
    size_t i;
    json_t *attempt;
    print_field("delivery", text_of(delivery, "id", room));
    print_field("event", text_of(delivery, "event", room));
    print_field("webhook", text_of(delivery, "webhook", room));
    print_field("type", text_of(delivery, "type", room));
    print_field("state", text_of(delivery, "state", room));
    print_field("reason", text_of(delivery, "reason", room));
    print_field("created", date_of(delivery, "created_date", room));
    if (json_is_array(json_object_get(delivery, "attempts"))) {
        json_array_foreach(json_object_get(delivery, "attempts"), i, attempt)
            print_attempt(attempt);
    } else {
        print_field("attempts", text_of(delivery, "attempt_count", room));
    }
    print_field("next attempt", date_of(delivery, "next_attempt_at", room));
}

static int show_delivery(const struct cli *cli, const char *method)
{
    struct answer answer;
    json_t *body = body_of_id(cli);
    if (body == NULL)
        return EXIT_USAGE;
    bool good = call_json(cli, method, body, &answer);
    if (good && !cli->json)
        print_delivery(json_object_get(answer.json, "delivery"));
    answer_free(&answer);
    return good ? 0 : EXIT_REFUSED;
}

int deliveries_get_run(const struct cli *cli)
{
    return show_delivery(cli, "deliveries.get");
}

int deliveries_redeliver_run(const struct cli *cli)
{
    return show_delivery(cli, "deliveries.redeliver");
}
