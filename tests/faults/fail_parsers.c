/* What reads input, and every block of memory that it may not get.
 *
 * Method. Each reader (a body into a tree, a body of events.publish, a query string, the URL of a
 * webhook, the settings) reads the same input again and again; in the n-th run the n-th block is
 * not to be had, n = 1, 2, 3 ... until a run asks for fewer: once for that block alone, once for
 * all from there on. Blocks are those of our own code, of Jansson and of libcurl. Every run must
 * either give what a run with enough memory gives, or say that memory is what was short: never that
 * the input is wrong, never half of a result; and no block is left behind.
 *
 * Command: build/tests/fail_parsers. Prints `N of N injected, 0 wrong, 0 left` for each reader, at
 * last `N passed, N failed`. */
#include "allocator.h"

#include "server/body.h"
#include "server/config.h"
#include "server/publish.h"
#include "server/query.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum reading { READ, SHORT_OF_MEMORY, WRONG };

static char settings_file[64];

/* An error of the API: a 503 is what is expected, a 4xx blames the client. */
static enum reading told(const struct error *error)
{
    return error->type == ERROR_service_unavailable ? SHORT_OF_MEMORY : WRONG;
}

/* Many keys and numbers that grow make body_canonical begin anew with more room. */
static const char long_body[] =
    "{\"url\":\"https://example.com/\",\"event_types\":[\"work_created\",\"work_updated\"],"
    "\"numbers\":[1e20,1e20,1e20,1e20,1e20,1e20,1e20,1e20,1e20,1e20,1e20,1e20,1e20,1e20],"
    "\"deep\":[[[[{\"a\":{\"b\":{\"c\":[true,false,null,\"\\u00e4\\ud83d\\ude00\"]}}}]]]]}";

static enum reading read_tree(void)
{
    struct json_t *root;
    struct error error;
    if (!tree_read(text_of(long_body), 64, &root, &error))
        return told(&error);
    bool good = text_is(tree_text(tree_member(root, "url")), "https://example.com/") &&
                tree_count(tree_member(root, "numbers")) == 14 &&
                tree_count(tree_member(root, "event_types")) == 2;
    tree_free(root);
    return good ? READ : WRONG;
}

static enum reading read_publish(void)
{
    static const struct publish_limits limits = {
        .events_max = 100, .event_bytes_max = 1000, .lenient_payloads = true};
    char body[2048] = "{\"events\":[";
    struct text canonical;
    struct publish_event *events;
    struct error error;
    uint32_t count;
    bool batch;
    for (int i = 0; i < 40; i++)
        strcat(body, i == 0 ? "{\"type\":\"work_created\",\"work_created\":{}}"
                            : ",{\"type\":\"tag_created\",\"tag_created\":{}}");
    strcat(body, "]}");
    if (!body_canonical(text_of(body), 64, &canonical, &error))
        return told(&error);
    enum reading reading = WRONG;
    if (!publish_read(canonical, &limits, &events, &count, &batch, &error))
        reading = told(&error);
    else if (count == 40 && batch && events[0].type == EVENT_work_created)
        reading = READ;
    free(events);
    free((char *)canonical.at);
    return reading;
}

static enum reading read_query(void)
{
    static const struct tree_field fields[] = {{.name = "limit", .kind = CANON_NUMBER},
                                               {.name = "state", .kind = CANON_ARRAY},
                                               {.name = "webhook", .kind = CANON_STRING},
                                               {0}};
    struct json_t *root;
    struct error error;
    if (!query_read(text_of("limit=12&state=failed,dropped&state[]=%22held%22&webhook=%C3%A4"),
                    fields, &root, &error))
        return told(&error);
    int64_t limit = 0;
    bool good = tree_count(tree_member(root, "state")) == 3 &&
                tree_integer(tree_member(root, "limit"), &limit) && limit == 12 &&
                text_is(tree_text(tree_member(root, "webhook")), "\xc3\xa4");
    tree_free(root);
    return good ? READ : WRONG;
}

static enum reading read_url(void)
{
    static const char url[] = "HTTPS://Receiver.Example:8443/a/path?with=a&query=1";
    const struct egress_policy policy = {.allow_http = false};
    char normalised[EGRESS_URL_MAX + 1];
    const char *reason;
    if (egress_check_url(&policy, url, strlen(url), normalised, &reason))
        return strcmp(normalised, "https://receiver.example:8443/a/path?with=a&query=1") == 0
                   ? READ
                   : WRONG;
    return reason == egress_no_memory ? SHORT_OF_MEMORY : WRONG;
}

static enum reading read_settings(void)
{
    char file[80], set[] = "--set", value[] = "listen=127.0.0.1:1", name[] = "revhookd",
                   variable[] = "REVHOOK_TOKEN=a-token-of-sixteen-bytes";
    snprintf(file, sizeof file, "--config=%s", settings_file);
    char *argv[] = {name, file, set, value, NULL}, *environment[] = {variable, NULL};
    struct config config;
    enum config_action action;
    char error[512];
    if (!config_load(&config, 4, argv, environment, &action, error, sizeof error))
        return strstr(error, "memory") != NULL ? SHORT_OF_MEMORY : WRONG;
    bool good = strcmp(config.listen, "127.0.0.1:1") == 0 &&
                strcmp(config.token, "a-token-of-sixteen-bytes") == 0 && config.senders == 3;
    config_free(&config);
    return good ? READ : WRONG;
}

/* ---- the loop ---- */

static bool run_loop(const char *name, enum reading (*read)(void), bool on)
{
    unsigned long long runs = 0, wrong = 0, left = 0, tolerated = 0;
    for (uint64_t n = 0;; n++) { /* 0: enough memory */
        int64_t before = allocator_held;
        allocator_faults = (struct faults){.at = n, .on = on};
        enum reading reading = read();
        bool injected = allocator_faults.failed > 0;
        allocator_faults.at = 0;
        bool bad = reading == WRONG || (reading == SHORT_OF_MEMORY && !injected);
        if (bad || allocator_held != before)
            printf("  %s, block %llu: %s, %lld blocks left\n", name, (unsigned long long)n,
                   bad ? "wrong" : "well", (long long)(allocator_held - before));
        wrong += bad;
        left += allocator_held != before;
        if (n > 0 && !injected)
            break;
        runs += n > 0;
        tolerated += n > 0 && reading == READ;
    }
    printf("%s, %s: %llu of %llu injected, %llu wrong, %llu left (%llu did without)\n", name,
           on ? "all from there on" : "one block", runs, runs, wrong, left, tolerated);
    return runs > 0 && wrong == 0 && left == 0;
}

int main(void)
{
    static const struct {
        const char *name;
        enum reading (*read)(void);
    } readers[] = {{"body", read_tree},
                   {"events.publish", read_publish},
                   {"query", read_query},
                   {"url", read_url},
                   {"settings", read_settings}};
    const int count = (int)(sizeof readers / sizeof readers[0]);
    int good = 0;
    snprintf(settings_file, sizeof settings_file, "/tmp/revhook-settings-XXXXXX");
    int file = mkstemp(settings_file);
    if (file < 0 || write(file, "senders = 3\ndata = elsewhere\n", 29) != 29)
        return 2;
    close(file);
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, __wrap_malloc, __wrap_free, __wrap_realloc,
                         __wrap_strdup, __wrap_calloc);
    tree_set_up(); /* as the service does; its malloc is the wrapped one, too */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < count; i++) {
        readers[i].read(); /* what is made once stays */
        good += run_loop(readers[i].name, readers[i].read, false);
        good += run_loop(readers[i].name, readers[i].read, true);
    }
    unlink(settings_file);
    printf("%d passed, %d failed\n", good, 2 * count - good);
    return good == 2 * count ? 0 : 1;
}
