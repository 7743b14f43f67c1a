/* The first look at a request body.
 *
 * Happy path of body_canonical: one pass of canon_document with room for as many bytes as came in
 * and for a few thousand open keys, which is enough for nearly every body. Failure modes: the rare
 * body that grows (1e20 has 21 digits) or holds more keys open is done again with room for the
 * worst case; a body that is not JSON is refused with the place. Refuses: to look at what the JSON
 * says. */
#include "server/body.h"

#include "core/canon.h"

#include <stdio.h>
#include <stdlib.h>

#define USUAL_KEYS 2048

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The media type without parameters. */
static struct text media_type(struct text value)
{
    const char *semicolon = value.bytes ? memchr(value.at, ';', value.bytes) : NULL;
    if (semicolon != NULL)
        value.bytes = (size_t)(semicolon - value.at);
    while (value.bytes > 0 && is_blank(value.at[value.bytes - 1]))
        value.bytes--;
    while (value.bytes > 0 && is_blank(value.at[0])) {
        value.at++;
        value.bytes--;
    }
    return value;
}

bool body_check_type(const struct http_request *request, bool *empty, struct error *error)
{
    struct text value = http_header(request, "content-type");
    struct text type = media_type(value);
    bool json = text_is_caseless(type, "application/json");
    *empty = request->body.bytes == 0;
    if (value.at == NULL || text_is_caseless(type, "application/x-www-form-urlencoded") ||
        (json && !*empty))
        return true;
    error_text(error, ERROR_invalid_content_type, value);
    return false;
}

static bool refuse(struct error *error, enum canon_error why, size_t offset)
{
    char detail[ERROR_DETAIL_BYTES_MAX];
    snprintf(detail, sizeof(detail), "%s, at byte %zu", canon_error_text(why), offset);
    error_plain(error, ERROR_parse_error, detail);
    return false;
}

bool body_canonical(struct text body, unsigned depth_max, struct text *canonical,
                    struct error *error)
{
    static struct canon_key usual_keys[USUAL_KEYS]; /* the loop's thread alone gets here */
    struct canon_key *all_keys = NULL;
    struct canon canon = {
        .in = body.at,
        .in_bytes = body.bytes,
        .out_capacity_bytes = body.bytes + 1,
        .keys = usual_keys,
        .keys_max = USUAL_KEYS,
        .depth_max = depth_max,
    };
    char *out = malloc(canon.out_capacity_bytes);
    enum canon_error why = CANON_OK;

    canon.out = out;
    if (out != NULL)
        why = canon_document(&canon);
    if (why == CANON_TOO_LARGE || why == CANON_TOO_MANY_KEYS) {
        canon.out_capacity_bytes = canon_out_max(body.bytes);
        canon.keys_max = canon_keys_max(body.bytes);
        free(out);
        out = malloc(canon.out_capacity_bytes);
        all_keys = calloc(canon.keys_max, sizeof(*all_keys));
        canon.out = out;
        canon.keys = all_keys;
        if (out != NULL && all_keys != NULL)
            why = canon_document(&canon);
    }
    free(all_keys);
    if (canon.out == NULL || canon.keys == NULL) {
        free(out);
        error_plain(error, ERROR_service_unavailable, "not enough memory for this body");
        return false;
    }
    if (why != CANON_OK) {
        free(out);
        return refuse(error, why, canon.error_offset_bytes);
    }
    *canonical = (struct text){out, canon.out_bytes};
    return true;
}
