/*
 * webhooks.c - `revhook webhooks ...`: create, get, list, update, delete, wait.
 *
 * Happy path: options become the members of the request that the DevRev OpenAPI names, the answer
 * is printed as fields (one webhook) or as a table (list). Secrets and header values are printed
 * only by create and with --show-secret: terminals are recorded and shared.
 *
 * Failure modes: a header that is not "Name: value", options that exclude each other, a refusal by
 * the service, and for wait the end of the time given.
 *
 * Refuses: to judge addresses, event types and secrets; that is the service's business.
 */
#include "body.h"
#include "call.h"
#include "print.h"
#include "signature.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_INTERVAL_MS 200

static void print_health(const json_t *health)
{
    char room[32];
    const char *state = text_of(health, "state", room);
    const char *since = date_of(health, "since", (char[32]){0});
    const char *reason = text_of(health, "reason", (char[32]){0});
    if (state != NULL) {
        printf("%-13s ", "health");
        print_clean(stdout, state);
        if (since != NULL) {
            fputs(" since ", stdout);
            print_clean(stdout, since);
        }
        if (reason != NULL) {
            fputs(", ", stdout);
            print_clean(stdout, reason);
        }
        fputc('\n', stdout);
    }
    print_field("failures", text_of(health, "consecutive_failures", room));
    print_field("next verify", date_of(health, "next_verify_at", room));
    print_field("last success", date_of(health, "last_success_at", room));
}

static void print_headers(const json_t *headers, bool show_secret)
{
    size_t i;
    json_t *header;
    json_array_foreach(headers, i, header)
    {
        const char *name = json_string_value(json_object_get(header, "name"));
        const char *value = json_string_value(json_object_get(header, "value"));
        printf("%-13s ", i == 0 ? "headers" : "");
        print_clean(stdout, name != NULL ? name : "?");
        fputs(": ", stdout);
        print_clean(stdout, show_secret && value != NULL ? value : "(hidden)");
        fputc('\n', stdout);
    }
}

static void print_event_types(const json_t *types)
{
    size_t i;
    json_t *type;
    if (json_array_size(types) == 0) {
        print_field("event types", "(none)");
        return;
    }
    json_array_foreach(types, i, type)
        print_field(i == 0 ? "event types" : "", json_string_value(type));
}

/* The parts that it sets for itself, as --signature takes them. */
static void print_signature(json_t *signature)
{
    char line[128] = "";
    const char *part;
    json_t *word;
    json_object_foreach(signature, part, word)
    {
        size_t bytes = strlen(line);
        snprintf(line + bytes, sizeof line - bytes, "%s%s=%s", bytes > 0 ? "," : "", part,
                 json_is_string(word) ? json_string_value(word) : "?");
    }
    print_field("signature", line[0] != '\0' ? line : NULL);
}

static void print_webhook(const json_t *webhook, bool show_secret)
{
    char room[32];
    print_field("webhook", text_of(webhook, "id", room));
    print_field("url", text_of(webhook, "url", room));
    print_field("status", text_of(webhook, "status", room));
    print_health(json_object_get(webhook, "health"));
    print_event_types(json_object_get(webhook, "event_types"));
    print_headers(json_object_get(webhook, "headers"), show_secret);
    if (show_secret)
        print_field("secret", text_of(webhook, "secret", room));
    print_signature(json_object_get(webhook, "signature"));
    print_field("created", date_of(webhook, "created_date", room));
    print_field("modified", date_of(webhook, "modified_date", room));
}

/* Calls a method whose answer is {"webhook":{...}} and prints it. Takes over body. */
static int show_webhook(const struct cli *cli, const char *method, json_t *body, bool show_secret)
{
    struct answer answer;
    bool good = call_json(cli, method, body, &answer);
    if (good && !cli->json)
        print_webhook(json_object_get(answer.json, "webhook"), show_secret);
    answer_free(&answer);
    return good ? 0 : EXIT_REFUSED;
}

/* Adds the values of a repeated "Name: value" option to body[key] as an array. */
static bool set_headers(const struct cli *cli, json_t *body, const char *key, const char *option)
{
    const char *text;
    if (!args_has(cli, option))
        return true;
    json_t *headers = json_array();
    if (headers == NULL || json_object_set_new(body, key, headers) != 0)
        out_of_memory();
    for (int i = 0; (text = args_nth(cli, option, i)) != NULL; i++) {
        const char *colon = strchr(text, ':');
        if (*text == '\0' && args_nth(cli, option, 1) == NULL)
            return true;
        if (colon == NULL || colon == text) {
            usage_error(cli, "--%s must look like 'Name: value', not '%s'", option, text);
            return false;
        }
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        json_t *header = json_pack("{s:o, s:s}", "name", json_stringn(text, (size_t)(colon - text)),
                                   "value", value);
        if (header == NULL || json_array_append_new(headers, header) != 0) {
            usage_error(cli, "--%s is not valid UTF-8", option);
            return false;
        }
    }
    return true;
}

int webhooks_create_run(const struct cli *cli)
{
    if (!args_has(cli, "url"))
        return usage_error(cli, "webhooks create needs --url, the address to deliver to");
    json_t *body = body_new();
    if (!body_set(cli, body, "url", args_value(cli, "url")) ||
        !body_set(cli, body, "secret", args_value(cli, "secret")) ||
        !body_set_words(cli, body, "event_types", args_value(cli, "event-types")) ||
        !set_headers(cli, body, "headers", "header") || !signature_set(cli, body)) {
        json_decref(body);
        return EXIT_USAGE;
    }
    return show_webhook(cli, "webhooks.create", body, true);
}

int webhooks_get_run(const struct cli *cli)
{
    json_t *body = body_of_id(cli);
    if (body == NULL)
        return EXIT_USAGE;
    return show_webhook(cli, "webhooks.get", body, args_has(cli, "show-secret"));
}

int webhooks_list_run(const struct cli *cli)
{
    static const char *const titles[] = {"WEBHOOK", "STATUS", "HEALTH", "TYPES", "URL", NULL};
    struct answer answer;
    json_t *body = body_new();
    if (!body_set_words(cli, body, "status", args_value(cli, "status"))) {
        json_decref(body);
        return EXIT_USAGE;
    }
    if (!call_json(cli, "webhooks.list", body, &answer)) {
        answer_free(&answer);
        return EXIT_REFUSED;
    }
    if (!cli->json) {
        struct table table;
        size_t i;
        json_t *webhook;
        table_start(&table, titles);
        json_array_foreach(json_object_get(answer.json, "webhooks"), i, webhook)
        {
            char room[32];
            table_cell(&table, text_of(webhook, "id", room));
            table_cell(&table, text_of(webhook, "status", room));
            table_cell(&table, text_of(json_object_get(webhook, "health"), "state", room));
            snprintf(room, sizeof room, "%zu",
                     json_array_size(json_object_get(webhook, "event_types")));
            table_cell(&table, room);
            table_cell(&table, text_of(webhook, "url", room));
        }
        if (table.cell_count == 0)
            fputs("no webhooks\n", stderr);
        table_print(&table);
        table_free(&table);
    }
    answer_free(&answer);
    return 0;
}

/* Puts changes under body[key] when there are any; takes over changes. */
static void set_changes(json_t *body, const char *key, json_t *changes)
{
    if (json_object_size(changes) == 0)
        json_decref(changes);
    else if (json_object_set_new(body, key, changes) != 0)
        out_of_memory();
}

static bool set_header_changes(const struct cli *cli, json_t *body)
{
    json_t *changes = body_new();
    const char *name;
    bool good = set_headers(cli, changes, "add", "add-header") &&
                set_headers(cli, changes, "set", "set-header");
    if (good && args_has(cli, "remove-header")) {
        json_t *names = json_array();
        for (int i = 0; good && (name = args_nth(cli, "remove-header", i)) != NULL; i++)
            good = json_array_append_new(names, json_string(name)) == 0;
        if (json_object_set_new(changes, "remove", names) != 0)
            out_of_memory();
        if (!good)
            usage_error(cli, "--remove-header is not valid UTF-8");
    }
    set_changes(body, "headers", changes);
    return good;
}

static bool set_type_changes(const struct cli *cli, json_t *body)
{
    json_t *changes = body_new();
    bool good = body_set_words(cli, changes, "add", args_value(cli, "add-event-types")) &&
                body_set_words(cli, changes, "remove", args_value(cli, "remove-event-types")) &&
                body_set_words(cli, changes, "set", args_value(cli, "set-event-types"));
    set_changes(body, "event_types", changes);
    return good;
}

int webhooks_update_run(const struct cli *cli)
{
    if (args_has(cli, "activate") && args_has(cli, "deactivate"))
        return usage_error(cli, "--activate and --deactivate exclude each other");
    if (args_has(cli, "secret") && args_has(cli, "rotate-secret"))
        return usage_error(cli, "--secret and --rotate-secret exclude each other");
    const char *secret = args_has(cli, "rotate-secret") ? "" : args_value(cli, "secret");
    const char *action = args_has(cli, "activate")     ? "activate"
                         : args_has(cli, "deactivate") ? "deactivate"
                                                       : NULL;
    json_t *body = body_new();
    if (!body_set(cli, body, "id", cli->positionals[0]) ||
        !body_set(cli, body, "url", args_value(cli, "url")) ||
        !body_set(cli, body, "secret", secret) || !body_set(cli, body, "action", action) ||
        !set_type_changes(cli, body) || !set_header_changes(cli, body) ||
        !signature_set(cli, body)) {
        json_decref(body);
        return EXIT_USAGE;
    }
    if (json_object_size(body) == 1) {
        json_decref(body);
        return usage_error(cli, "nothing to change");
    }
    return show_webhook(cli, "webhooks.update", body, args_has(cli, "show-secret"));
}

int webhooks_delete_run(const struct cli *cli)
{
    struct answer answer;
    json_t *body = body_of_id(cli);
    if (body == NULL)
        return EXIT_USAGE;
    bool good = call_json(cli, "webhooks.delete", body, &answer);
    if (good && !cli->json) {
        print_field("deleted", cli->positionals[0]);
    }
    answer_free(&answer);
    return good ? 0 : EXIT_REFUSED;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int webhooks_wait_run(const struct cli *cli)
{
    const char *wanted = args_has(cli, "status") ? args_value(cli, "status") : "active";
    long timeout_s = 30;
    if (!args_number(cli, "timeout", 0, 86400, &timeout_s))
        return EXIT_USAGE;
    json_t *query = body_of_id(cli);
    if (query == NULL)
        return EXIT_USAGE;
    char *body = json_dumps(query, JSON_COMPACT);
    json_decref(query);
    if (body == NULL)
        out_of_memory();
    struct request request = {
        .method = "webhooks.get", .body = body, .length = strlen(body), .quiet = true};
    long end_ms = now_ms() + timeout_s * 1000;
    int status = -1;
    while (status < 0) {
        struct answer answer;
        char room[32], health_room[32];
        bool good = call_service(cli, &request, &answer);
        const json_t *webhook = json_object_get(answer.json, "webhook");
        const char *now = text_of(webhook, "status", room);
        const char *health = text_of(json_object_get(webhook, "health"), "state", health_room);
        if (!good) {
            status = EXIT_REFUSED;
        } else if ((now != NULL && strcmp(now, wanted) == 0) ||
                   (health != NULL && strcmp(health, wanted) == 0)) {
            status = 0;
            if (cli->json)
                puts(answer.body);
            else
                print_webhook(webhook, false);
        } else if (now_ms() >= end_ms) {
            status = refused("still %s (health %s) after %ld s, not %s", now != NULL ? now : "?",
                             health != NULL ? health : "?", timeout_s, wanted);
        } else {
            poll(NULL, 0, POLL_INTERVAL_MS);
        }
        answer_free(&answer);
    }
    free(body);
    return status;
}
