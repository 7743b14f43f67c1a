/*
 * clock.c - `revhook clock get|advance`, for a service on the virtual clock.
 *
 * Happy path: advance by milliseconds, by a duration with a unit, or to the next deadline; the
 * service answers when everything that is due on the way has happened, which takes real time.
 * Failure modes: a duration it cannot read, and a service on the real clock (the hint says so).
 */
#include "body.h"
#include "call.h"
#include "print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADVANCE_TIMEOUT_MS 3600000L
#define ADVANCE_MS_MAX     (366LL * 24 * 3600 * 1000)

static int show_clock(const struct cli *cli, const char *method, json_t *query)
{
    char *body = json_dumps(query, JSON_COMPACT);
    json_decref(query);
    if (body == NULL)
        out_of_memory();
    struct request request = {
        .method = method, .body = body, .length = strlen(body), .timeout_ms = ADVANCE_TIMEOUT_MS};
    struct answer answer;
    bool good = call_service(cli, &request, &answer);
    if (good && !cli->json) {
        char room[32];
        const char *next = date_of(answer.json, "next", room);
        print_field("now", date_of(answer.json, "now", (char[32]){0}));
        print_field("attempts", text_of(answer.json, "attempts", (char[32]){0}));
        print_field("next", next != NULL ? next : "(nothing is waiting)");
    }
    answer_free(&answer);
    free(body);
    return good ? 0 : EXIT_REFUSED;
}

int clock_get_run(const struct cli *cli)
{
    return show_clock(cli, "clock.get", body_new());
}

/* Reads "1500", "1500ms", "30s", "3m", "2h" or "5d"; -1 when it is none of them. */
static long long duration_ms(const char *text)
{
    static const struct {
        const char *unit;
        long long ms;
    } units[] = {{"", 1},      {"ms", 1},          {"s", 1000},
                 {"m", 60000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}};
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || value > ADVANCE_MS_MAX)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0)
            return value <= ADVANCE_MS_MAX / units[i].ms ? value * units[i].ms : -1;
    return -1;
}

int clock_advance_run(const struct cli *cli)
{
    const char *by = cli->positionals[0];
    json_t *query = body_new();
    if (strcmp(by, "next") == 0) {
        json_object_set_new(query, "to", json_string("next"));
        return show_clock(cli, "clock.advance", query);
    }
    long long ms = duration_ms(by);
    if (ms < 0) {
        json_decref(query);
        return usage_error(cli,
                           "'%s' is no duration: milliseconds, 30s, 3m, 2h, 5d (at most a "
                           "year) or next",
                           by);
    }
    json_object_set_new(query, "ms", json_integer(ms));
    return show_clock(cli, "clock.advance", query);
}
