/*
 * jsontext.h - JSON as text: finding a value and printing it without changing a byte of it.
 *
 * A JSON library turns numbers into C numbers and loses their text (20-digit integers, 1e400,
 * 0.10). What a person publishes must arrive as it was written, and what is shown must be what was
 * stored, so these functions only look for where a value begins and ends. They do not validate: the
 * service does, and says what is wrong.
 */
#ifndef REVHOOK_JSONTEXT_H
#define REVHOOK_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A piece of somebody else's text; at == NULL means "not there". */
struct span {
    const char *at;
    size_t length;
};

/* The one object that `text` consists of, without the white space around it. at == NULL when the
 * text does not begin with '{', when brackets or strings do not close, or when anything follows. */
struct span jsontext_object(const char *text, size_t length);

/* The value of member `key` of an object (a span that jsontext_object or this function gave). The
 * key is compared byte by byte with the text between its quotes. at == NULL when it is not there.
 */
struct span jsontext_member(struct span object, const char *key);

/* Copies a string value without escapes, quotes removed, into room. False when the span is no
 * string, contains an escape, or does not fit with its NUL. */
bool jsontext_plain_string(struct span value, char *room, size_t room_bytes);

/* Prints a value over several lines, each one after `indent` spaces, two more per level. Strings
 * and numbers are printed as they stand, control bytes as '?'. */
void jsontext_print(FILE *to, struct span value, int indent);

#endif
