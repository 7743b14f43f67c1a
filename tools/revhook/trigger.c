/*
 * trigger.c - `revhook trigger`: publishes the service's own sample of an event type.
 *
 * Happy path: events.sample gives a payload, each --set changes one place of its text, and it goes
 * out as `revhook publish` would send it. The text is never read into C numbers, so what is set
 * keeps its digits.
 *
 * Failure modes: a type without sample (the service says so), a --set without '=' or with an empty
 * name, a path through something that is not an object; nothing is published then. Whether what
 * came out is a payload that the service takes, the service decides.
 *
 * Refuses: to reach into arrays (set the whole array instead), and names with a dot in them.
 */
#include "body.h"
#include "call.h"
#include "jsontext.h"
#include "publish.h"

#include <stdlib.h>
#include <string.h>

/* A piece of text to be put in place of another. */
struct edit {
    struct span place; /* in the payload; empty: insert there */
    char *text;        /* malloc'd */
};

static char *joined(const char *a, const char *b, const char *c)
{
    size_t room = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(room);
    if (text == NULL)
        out_of_memory();
    snprintf(text, room, "%s%s%s", a, b, c);
    return text;
}

/* A string as JSON with its quotes, malloc'd; NULL if it is not UTF-8. */
static char *quoted(const char *string, size_t length)
{
    json_t *value = json_stringn(string, length);
    char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    return text;
}

/* Whether a text is one JSON value. A number too large for C is one nevertheless. */
static bool is_json(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
    bool good = value != NULL || json_error_code(&error) == json_error_numeric_overflow;
    json_decref(value);
    return good;
}

/* The value of a --set as JSON text, malloc'd; NULL if it is not UTF-8. */
static char *value_of(const char *text)
{
    return is_json(text) ? joined(text, "", "") : quoted(text, strlen(text));
}

/* The member of an object whose name is the JSON string `name`. */
static struct span member_of(struct span object, const char *name)
{
    char *key = joined(name + 1, "", "");
    key[strlen(key) - 1] = '\0';
    struct span member = jsontext_member(object, key);
    free(key);
    return member;
}

/* `"name":value` to go behind the last member of an object. Takes the value over. */
static struct edit added(struct span object, const char *name, char *value)
{
    bool first = strspn(object.at + 1, " \t\r\n") == object.length - 2;
    char *head = joined(first ? "" : ",", name, ":");
    struct edit edit = {{object.at + object.length - 1, 0}, joined(head, value, "")};
    free(head);
    free(value);
    return edit;
}

/* What --set PATH=VALUE does to the payload. `path` has `length` bytes. False after telling what is
 * wrong with it. Takes the value over. */
static bool edit_of(const struct cli *cli, struct span object, const char *path, size_t length,
                    char *value, struct edit *edit)
{
    const char *dot = memchr(path, '.', length);
    size_t part = dot != NULL ? (size_t)(dot - path) : length;
    char *name = part > 0 ? quoted(path, part) : NULL;
    struct span member = {NULL, 0};
    bool good = false;
    if (name == NULL) {
        usage_error(cli, "--set: an empty name, or one that is not UTF-8, in '%.*s'", (int)length,
                    path);
    } else if (object.at[0] != '{') {
        usage_error(cli, "--set: what stands before '%.*s' is no object", (int)length, path);
    } else {
        member = member_of(object, name);
        good = true;
    }
    if (good && dot == NULL) {
        *edit = member.at != NULL ? (struct edit){member, value} : added(object, name, value);
        value = NULL;
    } else if (good) {
        struct span inner = member.at != NULL ? member : (struct span){"{}", 2};
        good = edit_of(cli, inner, dot + 1, length - part - 1, value, edit);
        value = NULL;
        if (good && member.at == NULL) {
            char *made = joined("{", edit->text, "}");
            free(edit->text);
            *edit = added(object, name, made);
        }
    }
    free(value);
    free(name);
    return good;
}

/* Carries out one --set on the payload, a malloc'd text that is replaced. */
static bool set_field(const struct cli *cli, char **payload, const char *setting)
{
    const char *equals = strchr(setting, '=');
    struct span object = jsontext_object(*payload, strlen(*payload));
    struct edit edit;
    if (equals == NULL) {
        usage_error(cli, "--set needs PATH=VALUE, not '%s'", setting);
        return false;
    }
    char *value = value_of(equals + 1);
    if (value == NULL) {
        usage_error(cli, "--set: the value is not valid UTF-8");
        return false;
    }
    if (!edit_of(cli, object, setting, (size_t)(equals - setting), value, &edit))
        return false;
    const char *behind = edit.place.at + edit.place.length;
    char *before = joined(*payload, "", "");
    before[edit.place.at - *payload] = '\0';
    char *text = joined(before, edit.text, behind);
    free(before);
    free(edit.text);
    free(*payload);
    *payload = text;
    return true;
}

static char *copy(const char *at, size_t bytes)
{
    char *text = strndup(at, bytes);
    if (text == NULL)
        out_of_memory();
    return text;
}

/* Asks for the sample of a type: its payload as malloc'd text. Otherwise tells why not and returns
 * the exit status. */
static int sample_of(const struct cli *cli, const char *type, char **payload)
{
    json_t *query = body_new();
    *payload = NULL;
    if (!body_set(cli, query, "type", type)) {
        json_decref(query);
        return EXIT_USAGE;
    }
    char *body = json_dumps(query, JSON_COMPACT);
    json_decref(query);
    if (body == NULL)
        out_of_memory();
    struct request request = {.method = "events.sample",
                              .body = body,
                              .length = strlen(body),
                              .text_only = true,
                              .quiet = true};
    struct answer answer;
    if (call_service(cli, &request, &answer)) {
        struct span event = jsontext_member(jsontext_object(answer.body, answer.length), "event");
        struct span object = jsontext_member(event, type);
        if (object.at == NULL || object.at[0] != '{')
            refused("the answer to events.sample holds no event of this type");
        else
            *payload = copy(object.at, object.length);
    }
    answer_free(&answer);
    free(body);
    return *payload != NULL ? 0 : EXIT_REFUSED;
}

int trigger_run(const struct cli *cli)
{
    const char *type = cli->positionals[0];
    const char *setting;
    long count = 1;
    if (!args_number(cli, "count", 1, 10000000, &count))
        return EXIT_USAGE;
    char *payload;
    int status = sample_of(cli, type, &payload);
    for (int i = 0; status == 0 && (setting = args_nth(cli, "set", i)) != NULL; i++)
        if (!set_field(cli, &payload, setting))
            status = EXIT_USAGE;
    if (status == 0)
        status = publish_object(cli, type, jsontext_object(payload, strlen(payload)), count);
    free(payload);
    return status;
}
