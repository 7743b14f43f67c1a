/*
 * sign_form.c - the form of signatures in words.
 *
 * DevRev documents an HMAC-SHA256 of the body with the secret and says neither how the key is made
 * of the secret nor how the result is written; receivers in the field differ. So there is a form
 * for the whole service, and each webhook may set any of its parts for itself. What a webhook does
 * not set is looked up when it is used, so a change of the service's setting reaches it.
 *
 * Happy path: a text like "encoding=base64 key=base64" in, parts out, and back. Failure mode: a
 * word that is not in the lists (somebody wrote by hand, or a newer program): false, and the caller
 * says whose it is. Refuses: to sign (sign.c does) and to guess.
 */
#include "dispatcher/sign_form.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *const sign_encodings[] = {[SIGN_HEX] = "hex", [SIGN_BASE64] = "base64", NULL};
const char *const sign_keys[] = {[SIGN_KEY_STRING] = "string", [SIGN_KEY_BASE64] = "base64", NULL};
const char *const sign_prefixes[] = {"", "sha256=", NULL};
const char *const sign_presets[] = {
    [SIGN_PRESET_DEFAULT] = "default", [SIGN_PRESET_DEVREV_LIVE] = "devrev-live", NULL};

struct sign_own sign_own_of(enum sign_preset preset)
{
    struct sign_own own = {0};
    if (preset == SIGN_PRESET_DEVREV_LIVE) {
        own.has_encoding = own.has_key = own.has_prefix = true;
        own.form = (struct sign_form){SIGN_BASE64, SIGN_KEY_BASE64, false};
    }
    return own;
}

bool sign_own_any(const struct sign_own *own)
{
    return own->has_encoding || own->has_key || own->has_prefix;
}

bool sign_own_same(const struct sign_own *a, const struct sign_own *b)
{
    return a->has_encoding == b->has_encoding && a->has_key == b->has_key &&
           a->has_prefix == b->has_prefix && a->form.encoding == b->form.encoding &&
           a->form.key == b->form.key && a->form.prefix == b->form.prefix;
}

struct sign_own sign_own_merge(const struct sign_own *under, const struct sign_own *over)
{
    struct sign_own own = *under;
    if (over->has_encoding) {
        own.has_encoding = true;
        own.form.encoding = over->form.encoding;
    }
    if (over->has_key) {
        own.has_key = true;
        own.form.key = over->form.key;
    }
    if (over->has_prefix) {
        own.has_prefix = true;
        own.form.prefix = over->form.prefix;
    }
    return own;
}

struct sign_form sign_form_of(const struct sign_form *service, const struct sign_own *own)
{
    return (struct sign_form){
        .encoding = own->has_encoding ? own->form.encoding : service->encoding,
        .key = own->has_key ? own->form.key : service->key,
        .prefix = own->has_prefix ? own->form.prefix : service->prefix,
    };
}

/* ---- text ---- */

static void append(char text[SIGN_FORM_TEXT_BYTES], size_t *bytes, const char *part,
                   const char *word)
{
    int written = snprintf(text + *bytes, SIGN_FORM_TEXT_BYTES - *bytes, "%s%s=%s",
                           *bytes > 0 ? " " : "", part, word);
    *bytes += (size_t)written;
    assert(*bytes < SIGN_FORM_TEXT_BYTES);
}

size_t sign_own_write(const struct sign_own *own, char text[SIGN_FORM_TEXT_BYTES])
{
    size_t bytes = 0;
    text[0] = '\0';
    if (own->has_encoding)
        append(text, &bytes, "encoding", sign_encodings[own->form.encoding]);
    if (own->has_key)
        append(text, &bytes, "key", sign_keys[own->form.key]);
    if (own->has_prefix)
        append(text, &bytes, "prefix", sign_prefixes[own->form.prefix]);
    return bytes;
}

static int find(const char *const *words, const char *text, size_t bytes)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strlen(words[i]) == bytes && memcmp(words[i], text, bytes) == 0)
            return i;
    return -1;
}

/* Whether `text` begins with "part="; then *word is what is behind it. */
static bool is_part(const char *text, size_t bytes, const char *part, const char **word,
                    size_t *word_bytes)
{
    size_t length = strlen(part);
    if (bytes <= length || memcmp(text, part, length) != 0 || text[length] != '=')
        return false;
    *word = text + length + 1;
    *word_bytes = bytes - length - 1;
    return true;
}

static bool read_part(struct sign_own *own, const char *text, size_t bytes)
{
    const char *word;
    size_t word_bytes;
    int value = -1;
    if (is_part(text, bytes, "encoding", &word, &word_bytes)) {
        value = find(sign_encodings, word, word_bytes);
        own->has_encoding = true;
        own->form.encoding = value < 0 ? SIGN_HEX : (enum sign_encoding)value;
    } else if (is_part(text, bytes, "key", &word, &word_bytes)) {
        value = find(sign_keys, word, word_bytes);
        own->has_key = true;
        own->form.key = value < 0 ? SIGN_KEY_STRING : (enum sign_key)value;
    } else if (is_part(text, bytes, "prefix", &word, &word_bytes)) {
        value = find(sign_prefixes, word, word_bytes);
        own->has_prefix = true;
        own->form.prefix = value == 1;
    }
    return value >= 0;
}

bool sign_own_read(struct sign_own *own, const char *text, size_t bytes)
{
    *own = (struct sign_own){0};
    if (bytes == 0) /* `text` may be NULL */
        return true;
    const char *end = text + bytes;
    for (const char *at = text; at < end;) {
        const char *space = memchr(at, ' ', (size_t)(end - at)), *stop = space ? space : end;
        if (!read_part(own, at, (size_t)(stop - at))) {
            *own = (struct sign_own){0};
            return false;
        }
        at = space ? space + 1 : end;
    }
    return true;
}
