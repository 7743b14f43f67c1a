/*
 * fuzz_echo.c - what counts as the echo of a challenge, on arbitrary bytes.
 *
 * The answer is the input with every '*' replaced by the challenge, so that echoes are found.
 * Checked for every input, with Jansson, which was written by others, as the judge:
 *   - an answer is an echo only if it is one JSON object, without a member twice, whose member
 *     "challenge" is exactly the challenge, and not that of another request;
 *   - if Jansson finds such an object, it is an echo, unless it is nested deeper than is taken.
 */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dispatcher/verify.h"
#include "tests/fuzz/fuzz.h"

static const char challenge[] = "Zk3qT9vB1xR7nM5wLd0c", other[] = "Zk3qT9vB1xR7nM5wLd0d";

#define DEPTH_MAX 64

static bool is_echo_to_jansson(const char *answer, size_t bytes, bool *limited)
{
    json_error_t error;
    json_t *root = json_loadb(
        answer, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    const json_t *value = json_object_get(root, "challenge");
    bool echoed = json_is_string(value) && json_string_length(value) == strlen(challenge) &&
                  memcmp(json_string_value(value), challenge, strlen(challenge)) == 0;
    /* what Jansson refuses without its being wrong JSON */
    *limited = root == NULL && (json_error_code(&error) == json_error_numeric_overflow ||
                                json_error_code(&error) == json_error_null_byte_in_key);
    json_decref(root);
    return echoed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *answer = malloc(bytes * sizeof(challenge) + 1);
    size_t length = 0, opened = 0;
    bool limited;
    assert(answer != NULL);
    for (size_t i = 0; i < bytes; i++) {
        opened += data[i] == '{' || data[i] == '[';
        if (data[i] != '*') {
            answer[length++] = (char)data[i];
            continue;
        }
        memcpy(answer + length, challenge, strlen(challenge));
        length += strlen(challenge);
    }
    bool echo = verify_is_echo(answer, length, challenge);
    bool judged = is_echo_to_jansson(answer, length, &limited);
    if (memchr(answer, '\0', length) == NULL) { /* Jansson takes one after the object for the end */
        assert(!echo || judged || limited);
        assert(!judged || echo || opened > DEPTH_MAX);
    }
    assert(!echo || !verify_is_echo(answer, length, other));
    free(answer);
    return 0;
}
