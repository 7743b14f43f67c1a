/*
 * call.c - the HTTP side of the program: one libcurl handle, one call at a time.
 *
 * Happy path: POST <url>/<method> with a JSON body and the bearer token, read the whole answer,
 * parse it. The handle keeps its connection between calls, so publishing a large file needs one.
 *
 * Failure modes, each told in one readable line on stderr: no connection (which address, how to
 * start the service), an answer that is no JSON, an error body of the API (its type, field and
 * detail), an answer over the size limit, a call that takes longer than its limit.
 *
 * Refuses: redirects, and any scheme other than http and https.
 */
#include "call.h"

#include "print.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CURL *handle;

struct collected {
    char *bytes;
    size_t length;
    size_t capacity;
    bool too_large;
};

static size_t collect(char *bytes, size_t size, size_t count, void *context)
{
    struct collected *all = context;
    size_t n = size * count;
    if (n > ANSWER_BYTES_MAX - all->length) {
        all->too_large = true;
        return 0;
    }
    if (all->length + n + 1 > all->capacity) {
        size_t capacity = (all->length + n + 1) * 2;
        char *grown = realloc(all->bytes, capacity);
        if (grown == NULL)
            out_of_memory();
        all->bytes = grown;
        all->capacity = capacity;
    }
    memcpy(all->bytes + all->length, bytes, n);
    all->length += n;
    all->bytes[all->length] = '\0';
    return n;
}

static size_t read_header(char *bytes, size_t size, size_t count, void *context)
{
    static const char name[] = "idempotent-replayed:";
    struct answer *answer = context;
    size_t n = size * count;
    if (n > sizeof name && strncasecmp(bytes, name, sizeof name - 1) == 0) {
        const char *value = bytes + sizeof name - 1;
        size_t left = n - (sizeof name - 1);
        while (left > 0 && (*value == ' ' || *value == '\t'))
            value++, left--;
        while (left > 0 && strchr(" \t\r\n", value[left - 1]) != NULL)
            left--;
        free(answer->replayed);
        answer->replayed = strndup(value, left);
    }
    return n;
}

/* An option that libcurl has no memory for would leave a request that means something else. */
static void set(CURLcode code)
{
    if (code != CURLE_OK)
        out_of_memory();
}

#define SET(option, value) set(curl_easy_setopt(handle, option, value))

static void handle_open(const struct cli *cli)
{
    if (handle != NULL)
        return;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        out_of_memory();
    handle = curl_easy_init();
    if (handle == NULL)
        out_of_memory();
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_USERAGENT, "revhook/" REVHOOK_VERSION);
    SET(CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    if (cli->ca_file != NULL) /* in place of the system's one file; its folder stays */
        SET(CURLOPT_CAINFO, cli->ca_file);
    SET(CURLOPT_WRITEFUNCTION, collect);
    SET(CURLOPT_HEADERFUNCTION, read_header);
}

static struct curl_slist *add_line(struct curl_slist *list, const char *line)
{
    list = curl_slist_append(list, line);
    if (list == NULL)
        out_of_memory();
    return list;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    size_t n = strlen(name) + strlen(value) + 3;
    char *line = malloc(n);
    if (line == NULL)
        out_of_memory();
    snprintf(line, n, "%s: %s", name, value);
    list = add_line(list, line);
    free(line);
    return list;
}

/* Header values come from the command line; a line break in one would be a second header. */
static bool plain_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static void explain_failure(const struct cli *cli, const struct request *request, CURLcode code,
                            const char *detail, bool too_large)
{
    if (too_large)
        refused("the answer to %s is larger than %zu bytes", request->method, ANSWER_BYTES_MAX);
    else if (code == CURLE_COULDNT_CONNECT)
        refused("no service answers at %s\n"
                "start one with: tools/run    (or: revhookd --dev)\n"
                "or name another: --url URL before the command, or REVHOOK_URL",
                cli->url);
    else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        refused("%s cannot be trusted: %s\n"
                "name the authority of its certificate: --ca-file FILE before the command",
                cli->url, detail[0] != '\0' ? detail : curl_easy_strerror(code));
    else
        refused("%s/%s: %s", cli->url, request->method,
                detail[0] != '\0' ? detail : curl_easy_strerror(code));
}

static const char *member_text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* Prints the values that are allowed in place of a wrong one: all of a few, of many those that
 * begin like it. */
static void print_allowed(const json_t *allowed, const char *wrong)
{
    size_t n = strlen(wrong), same = 0, count = json_array_size(allowed), i;
    json_t *word;
    /* How far the closest goes along with it; the first letter alone says nothing. */
    json_array_foreach(allowed, i, word)
    {
        const char *text = json_string_value(word);
        size_t k = 0;
        while (text != NULL && k < n && text[k] == wrong[k])
            k++;
        same = k > same ? k : same;
    }
    bool all = count <= 10;
    if (count == 0 || (!all && same < 2))
        return;
    fputs(all ? "allowed:" : "did you mean:", stderr);
    json_array_foreach(allowed, i, word)
    {
        const char *text = json_string_value(word);
        if (text != NULL && (all || strncmp(text, wrong, same) == 0)) {
            fputc(' ', stderr);
            print_clean(stderr, text);
        }
    }
    fputc('\n', stderr);
}

/* What a person can do about it, for the refusals that have one usual cause. */
static void print_hint(const struct answer *answer, const struct request *request)
{
    const char *type = member_text(answer->json, "type");
    const char *value = member_text(answer->json, "value");
    if (type == NULL)
        type = "";
    if (strcmp(type, "invalid_enum_value") == 0 && value != NULL)
        print_allowed(json_object_get(answer->json, "allowed_values"), value);
    else if (strcmp(type, "invalid_id") == 0)
        fputs("an id is the whole text as it was printed, beginning with don:\n", stderr);
    else if (strcmp(type, "missing_required_field") == 0 &&
             strcmp(request->method, "events.publish") == 0)
        fputs("a complete event of a type, ready to publish: revhook trigger TYPE\n", stderr);
    else if (answer->status == 401)
        fputs("give the service's token: --token T or REVHOOK_TOKEN\n", stderr);
    else if (answer->status == 404 && strncmp(request->method, "clock.", 6) == 0)
        fputs("the clock can only be read and moved when the service runs with --clock virtual\n",
              stderr);
}

static void explain_refusal(const struct answer *answer, const struct request *request)
{
    const json_t *error = answer->json;
    const char *type = member_text(error, "type");
    const char *field = member_text(error, "field_name");
    const char *detail = member_text(error, "detail");
    const char *reason = member_text(error, "reason");
    if (type == NULL)
        type = member_text(error, "message");
    fprintf(stderr, "revhook: %s: %ld ", request->method, answer->status);
    print_clean(stderr, type != NULL ? type : "(no JSON error body)");
    if (field != NULL) {
        fputs(", field ", stderr);
        print_clean(stderr, field);
    }
    const json_t *value = json_object_get(error, "value");
    if (json_is_string(value)) {
        fputs(", value ", stderr);
        print_clean(stderr, json_string_value(value));
    }
    if (member_text(error, "expected") != NULL && member_text(error, "actual") != NULL)
        fprintf(stderr, ", expected %s, got %s", member_text(error, "expected"),
                member_text(error, "actual"));
    if (reason != NULL && (detail == NULL || strcmp(reason, detail) != 0)) {
        fputs(": ", stderr);
        print_clean(stderr, reason);
    }
    if (detail != NULL) {
        fputs(": ", stderr);
        print_clean(stderr, detail);
    }
    fputc('\n', stderr);
    print_hint(answer, request);
}

static json_t *parse(const char *text, size_t length)
{
    json_t *json = json_loadb(text, length, JSON_ALLOW_NUL, NULL);
    /* Payload numbers may be larger than any C integer; only the text of them matters here. */
    return json != NULL ? json
                        : json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
}

/* Sets what changes from call to call and performs it. */
static CURLcode perform(const struct cli *cli, const struct request *request, struct answer *answer,
                        struct collected *all, char *detail)
{
    size_t base = strlen(cli->url);
    while (base > 0 && cli->url[base - 1] == '/')
        base--;
    size_t n = base + strlen(request->method) + 2;
    char *url = malloc(n);
    size_t bearer_bytes = strlen(cli->token) + sizeof "Bearer ";
    char *bearer = malloc(bearer_bytes);
    if (url == NULL || bearer == NULL)
        out_of_memory();
    snprintf(url, n, "%.*s/%s", (int)base, cli->url, request->method);
    snprintf(bearer, bearer_bytes, "Bearer %s", cli->token);
    struct curl_slist *headers = add_header(NULL, "Authorization", bearer);
    headers = add_header(headers, "Content-Type", "application/json");
    headers = add_header(headers, "Accept", "application/json");
    headers = add_line(headers, "Expect:");
    if (request->idempotency_key != NULL)
        headers = add_header(headers, "Idempotency-Key", request->idempotency_key);
    detail[0] = '\0';
    SET(CURLOPT_ERRORBUFFER, detail);
    SET(CURLOPT_URL, url);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, request->body);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
    SET(CURLOPT_TIMEOUT_MS, request->timeout_ms != 0 ? request->timeout_ms : 30000L);
    SET(CURLOPT_WRITEDATA, all);
    SET(CURLOPT_HEADERDATA, answer);
    CURLcode code = curl_easy_perform(handle);
    SET(CURLOPT_HTTPHEADER, NULL);
    SET(CURLOPT_ERRORBUFFER, NULL);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_slist_free_all(headers);
    free(bearer);
    free(url);
    return code;
}

bool call_service(const struct cli *cli, const struct request *request, struct answer *answer)
{
    *answer = (struct answer){0};
    struct collected all = {0};
    char detail[CURL_ERROR_SIZE];
    if (!plain_line(cli->token) ||
        (request->idempotency_key != NULL && !plain_line(request->idempotency_key))) {
        refused("a token or key must not contain control characters");
        return false;
    }
    handle_open(cli);
    CURLcode code = perform(cli, request, answer, &all, detail);
    if (code != CURLE_OK) {
        answer->status = 0;
        explain_failure(cli, request, code, detail, all.too_large);
        free(all.bytes);
        answer_free(answer);
        return false;
    }
    answer->body = all.bytes != NULL ? all.bytes : calloc(1, 1);
    answer->length = all.length;
    if (answer->body == NULL)
        out_of_memory();
    bool good = answer->status >= 200 && answer->status <= 299;
    if (!good || !request->text_only)
        answer->json = parse(answer->body, answer->length);
    if (cli->json && !(good && request->quiet)) {
        fwrite(answer->body, 1, answer->length, stdout);
        fputc('\n', stdout);
    }
    if (!good) {
        explain_refusal(answer, request);
        return false;
    }
    if (!request->text_only && answer->json == NULL) {
        refused("%s/%s answered %ld with something that is not JSON; is this a revhook service?",
                cli->url, request->method, answer->status);
        return false;
    }
    return true;
}

bool call_json(const struct cli *cli, const char *method, json_t *body, struct answer *answer)
{
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (text == NULL)
        out_of_memory();
    struct request request = {.method = method, .body = text, .length = strlen(text)};
    bool good = call_service(cli, &request, answer);
    free(text);
    return good;
}

void answer_free(struct answer *answer)
{
    free(answer->body);
    free(answer->replayed);
    json_decref(answer->json);
    answer->body = NULL;
    answer->replayed = NULL;
    answer->json = NULL;
}

void call_end(void)
{
    if (handle == NULL)
        return;
    curl_easy_cleanup(handle);
    handle = NULL;
    curl_global_cleanup();
}
