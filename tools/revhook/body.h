/*
 * body.h - the JSON objects that requests send. The caller owns what body_new and body_of_id
 * return.
 */
#ifndef REVHOOK_BODY_H
#define REVHOOK_BODY_H

#include "revhook.h"

#include <jansson.h>

/* A new empty object, never NULL. */
json_t *body_new(void);

/* Sets key to a string. Prints an error and returns false when the text is not UTF-8. NULL as text
 * sets nothing and is fine. */
bool body_set(const struct cli *cli, json_t *body, const char *key, const char *text);

/* {"id": the first positional argument}. Prints an error and returns NULL when that is not UTF-8.
 */
json_t *body_of_id(const struct cli *cli);

/* Sets key to the array of the comma-separated words of text; the empty text gives []. Prints an
 * error and returns false on an empty word or invalid UTF-8. NULL sets nothing and is fine. */
bool body_set_words(const struct cli *cli, json_t *body, const char *key, const char *text);

#endif
