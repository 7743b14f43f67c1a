/*
 * fuzz_headers.c - a webhook's own headers on arbitrary bytes: from a request to the wire and back
 * from the store.
 *
 * The input is "name:value" lines, which become the list of a request. Checked for every input:
 *   - a list is taken only with at most 8 headers, and of each the name is a token that the service
 *     does not set itself, and the value has no byte that could end the line;
 *   - no two that are kept have one name, and the last value given for a name is the one kept;
 *   - libcurl gets each as one line that begins with the name;
 *   - what the store keeps of them reads back as the same headers.
 */
#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dispatcher/hook.h"
#include "server/webhook_fields.h"
#include "tests/fuzz/fuzz.h"

static void check_header(const struct webhook_header *header)
{
    static const char *const ours[] = {"host",
                                       "content-length",
                                       "content-type",
                                       "connection",
                                       "transfer-encoding",
                                       "x-devrev-signature",
                                       "expect",
                                       "te",
                                       "upgrade"};
    size_t bytes = strlen(header->name);
    assert(bytes > 0 && bytes <= HEADER_NAME_BYTES_MAX);
    for (const char *c = header->name; *c != '\0'; c++)
        assert(isalnum((unsigned char)*c) || *c == '-' || *c == '_');
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        assert(strcasecmp(header->name, ours[i]) != 0);
    assert(strlen(header->value) <= HEADER_VALUE_BYTES_MAX);
    assert(strpbrk(header->value, "\r\n\v\f\x7f") == NULL);
}

/* The value of the last element that has this name. */
static const char *last_value(const json_t *list, const char *name)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *element = json_array_get(list, i);
        if (strcasecmp(json_string_value(json_object_get(element, "name")), name) == 0)
            return json_string_value(json_object_get(element, "value"));
    }
    return NULL;
}

static void check_kept(const struct webhook_header *headers, size_t count)
{
    struct create_call call = {.url = "https://a.example/",
                               .target = "https://a.example/",
                               .secret = "12345678",
                               .headers = headers,
                               .header_count = count};
    struct webhook_config *config = webhook_config_new(&call, "don:x"), *again;
    assert(config != NULL && config->header_count == count);
    for (size_t i = 0; i < count; i++) {
        const char *line = config->header_list[i].data;
        size_t bytes = strlen(headers[i].name);
        assert(strncmp(line, headers[i].name, bytes) == 0);
        assert(line[bytes] == (headers[i].value[0] != '\0' ? ':' : ';'));
        assert(strpbrk(line, "\r\n") == NULL);
    }
    char *lines = webhook_config_header_lines(config);
    struct store_webhook row = {.url = {"https://a.example/", 18},
                                .target = {"https://a.example/", 18},
                                .secret = {"12345678", 8},
                                .headers = {lines, strlen(lines)}};
    again = webhook_config_from_row(&row, "don:x");
    assert(again != NULL && again->header_count == count);
    for (size_t i = 0; i < count; i++) {
        assert(strcmp(again->headers[i].name, headers[i].name) == 0);
        assert(strcmp(again->headers[i].value, headers[i].value) == 0);
    }
    webhook_config_drop(again);
    free(lines);
    webhook_config_drop(config);
}

/* A list of the request, of the lines that are UTF-8. */
static json_t *make_list(const char *at, size_t bytes)
{
    json_t *list = json_array();
    while (bytes > 0) {
        const char *end = memchr(at, '\n', bytes);
        size_t line = end != NULL ? (size_t)(end - at) : bytes;
        const char *colon = memchr(at, ':', line);
        size_t name = colon != NULL ? (size_t)(colon - at) : line;
        size_t value = colon != NULL ? line - name - 1 : 0;
        json_t *element = json_pack("{s:s%,s:s%}", "name", at, name, "value",
                                    colon != NULL ? colon + 1 : at, value);
        if (element != NULL)
            json_array_append_new(list, element);
        at += line + (end != NULL);
        bytes -= line + (end != NULL);
    }
    return list;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct webhook_header headers[WEBHOOK_HEADERS_MAX];
    struct error error = {0};
    size_t count;
    json_t *list = make_list((const char *)data, bytes);
    if (fields_headers(list, "headers", headers, &count, &error)) {
        assert(count <= json_array_size(list));
        for (size_t i = 0; i < count; i++) {
            check_header(&headers[i]);
            assert(strcmp(last_value(list, headers[i].name), headers[i].value) == 0);
            for (size_t k = 0; k < i; k++)
                assert(strcasecmp(headers[k].name, headers[i].name) != 0);
        }
        check_kept(headers, count);
    } else {
        assert(error.type == ERROR_value_not_permitted && error.has_field);
    }
    json_decref(list);
    return 0;
}
