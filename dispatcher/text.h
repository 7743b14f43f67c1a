/* Bytes that belong to somebody else, as the dispatcher and the server hand them around: of a
 * request, of a JSON tree. No final zero. */
#ifndef REVHOOK_DISPATCHER_TEXT_H
#define REVHOOK_DISPATCHER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *at;
    size_t bytes;
};

/* The bytes of a C string. */
static inline struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

/* Whether `text` is exactly the C string `word`. */
static inline bool text_is(struct text text, const char *word)
{
    return text.bytes == strlen(word) && memcmp(text.at, word, text.bytes) == 0;
}

/* The same, letters of ASCII compared without regard to case. */
static inline bool text_is_caseless(struct text text, const char *word)
{
    if (text.bytes != strlen(word))
        return false;
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char a = (unsigned char)text.at[i], b = (unsigned char)word[i];
        a = a >= 'A' && a <= 'Z' ? a + 32 : a;
        b = b >= 'A' && b <= 'Z' ? b + 32 : b;
        if (a != b)
            return false;
    }
    return true;
}

#endif
