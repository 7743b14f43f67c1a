/* The check of a token.
 *
 * Happy path: the scheme word is taken off, the rest is compared in constant time. Failure modes:
 * none but "no". Refuses: an empty token, of the client's or of ours, and other schemes. */
#include "server/auth.h"

#include "dispatcher/sign.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trim(struct text text)
{
    while (text.bytes > 0 && is_space(text.at[0])) {
        text.at++;
        text.bytes--;
    }
    while (text.bytes > 0 && is_space(text.at[text.bytes - 1]))
        text.bytes--;
    return text;
}

bool auth_accepts(struct text authorization, const char *token)
{
    static const char scheme[] = "Bearer";
    const size_t scheme_bytes = sizeof(scheme) - 1, token_bytes = strlen(token);
    struct text given = trim(authorization);
    if (given.bytes > scheme_bytes && is_space(given.at[scheme_bytes]) &&
        text_is_caseless((struct text){given.at, scheme_bytes}, scheme))
        given = trim((struct text){given.at + scheme_bytes, given.bytes - scheme_bytes});
    return given.bytes > 0 && token_bytes > 0 &&
           sign_equal(given.at, given.bytes, token, token_bytes);
}
