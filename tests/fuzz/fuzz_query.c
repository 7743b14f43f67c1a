/*
 * fuzz_query.c - query strings on arbitrary bytes.
 *
 * Checked for every input:
 *   - decoding never grows, fails only where a '%' has not two hexadecimal digits behind it, and
 *     text in which everything is percent-encoded decodes to what it was;
 *   - a query that is taken gives a tree that, written out again as a query in which every byte is
 *     encoded, is taken again and gives an equal tree;
 *   - a refusal is value_not_permitted and leaves no tree.
 */
#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/query.h"
#include "tests/fuzz/fuzz.h"

static const struct tree_field fields[] = {
    {.name = "id", .kind = CANON_STRING},
    {.name = "limit", .kind = CANON_NUMBER},
    {.name = "status", .kind = CANON_ARRAY, .element = CANON_STRING},
    {.name = NULL},
};

struct out {
    char *at;
    size_t bytes;
};

static void put_encoded(struct out *out, const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out->bytes += (size_t)sprintf(out->at + out->bytes, "%%%02X", (unsigned char)at[i]);
}

static void put_pair(struct out *out, const char *name, const char *value, size_t bytes)
{
    if (out->bytes > 0)
        out->at[out->bytes++] = '&';
    put_encoded(out, name, strlen(name));
    out->at[out->bytes++] = '=';
    put_encoded(out, value, bytes);
}

/* Whether an element of a list may be written as it is: a comma would split it, and quotes around
 * it would be taken off. */
static bool is_plain(const json_t *element)
{
    const char *at = json_string_value(element);
    size_t bytes = json_string_length(element);
    return bytes > 0 && memchr(at, ',', bytes) == NULL && at[0] != '"';
}

/* Each is a field of its own when it is written, and a query has a limit. */
#define ELEMENTS_MAX 8

/* Writes the tree as a query; false where that cannot be done in one way. */
static bool write_query(json_t *tree, struct out *out)
{
    const char *name;
    json_t *value;
    json_object_foreach(tree, name, value)
    {
        char number[32];
        if (json_is_integer(value)) {
            snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            put_pair(out, name, number, strlen(number));
        } else if (json_is_string(value)) {
            put_pair(out, name, json_string_value(value), json_string_length(value));
        }
        if (json_is_array(value) && json_array_size(value) > ELEMENTS_MAX)
            return false;
        for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
            json_t *element = json_array_get(value, i);
            if (!is_plain(element))
                return false;
            put_pair(out, name, json_string_value(element), json_string_length(element));
        }
    }
    return true;
}

/* Whether some '%' has not two hexadecimal digits behind it. */
static bool is_broken(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (text.at[i] == '%' && (i + 2 >= text.bytes || !isxdigit((unsigned char)text.at[i + 1]) ||
                                  !isxdigit((unsigned char)text.at[i + 2])))
            return true;
    return false;
}

static void check_decode(struct text text)
{
    char *decoded = malloc(text.bytes + 1), *again = malloc(3 * text.bytes + 1);
    struct out encoded = {malloc(3 * text.bytes + 1), 0};
    assert(decoded != NULL && again != NULL && encoded.at != NULL);
    size_t bytes = query_decode(decoded, text);
    assert((bytes == SIZE_MAX) == is_broken(text));
    assert(bytes == SIZE_MAX || bytes <= text.bytes);
    put_encoded(&encoded, text.at, text.bytes);
    assert(query_decode(again, (struct text){encoded.at, encoded.bytes}) == text.bytes);
    assert(text.bytes == 0 || memcmp(again, text.at, text.bytes) == 0);
    free(encoded.at);
    free(again);
    free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct text query = {(const char *)data, bytes};
    struct error error = {0};
    struct json_t *tree, *again;
    check_decode(query);
    if (!query_read(query, fields, &tree, &error)) {
        assert(tree == NULL && error.type == ERROR_value_not_permitted);
        return 0;
    }
    struct out out = {malloc(9 * bytes + 64), 0};
    assert(out.at != NULL);
    if (write_query(tree, &out)) {
        assert(query_read((struct text){out.at, out.bytes}, fields, &again, &error));
        assert(json_equal(tree, again));
        tree_free(again);
    }
    free(out.at);
    tree_free(tree);
    return 0;
}
