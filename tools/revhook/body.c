/*
 * body.c - request bodies from what stands on the command line.
 *
 * Happy path: a new object, a member for each option that was given. Failure modes: a value that is
 * not UTF-8 or a list with an empty word, each told as a wrong command line. Refuses to know which
 * values the service takes; it says so itself.
 */
#include "body.h"

#include <string.h>

json_t *body_new(void)
{
    json_t *body = json_object();
    if (body == NULL)
        out_of_memory();
    return body;
}

bool body_set(const struct cli *cli, json_t *body, const char *key, const char *text)
{
    if (text == NULL)
        return true;
    if (json_object_set_new(body, key, json_string(text)) == 0)
        return true;
    usage_error(cli, "the value for '%s' is not valid UTF-8", key);
    return false;
}

json_t *body_of_id(const struct cli *cli)
{
    json_t *body = body_new();
    if (body_set(cli, body, "id", cli->positionals[0]))
        return body;
    json_decref(body);
    return NULL;
}

bool body_set_words(const struct cli *cli, json_t *body, const char *key, const char *text)
{
    if (text == NULL)
        return true;
    json_t *words = json_array();
    if (words == NULL)
        out_of_memory();
    while (*text != '\0') {
        size_t n = strcspn(text, ",");
        json_t *word = n > 0 ? json_stringn(text, n) : NULL;
        if (word == NULL || json_array_append_new(words, word) != 0) {
            json_decref(words);
            usage_error(cli, "empty or invalid word in the list for '%s'", key);
            return false;
        }
        text += n;
        if (*text == ',' && *++text == '\0')
            break;
    }
    if (json_object_set_new(body, key, words) != 0)
        out_of_memory();
    return true;
}
