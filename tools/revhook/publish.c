/*
 * publish.c - `revhook publish`: one event, one event many times, or a file of events.
 *
 * Happy path: the JSON text given is put into the request body byte for byte, never through a JSON
 * library, so numbers keep their text. --count and --file go in batches of up to 1,000 events and
 * BATCH_BYTES_MAX bytes a request over one connection; each accepted event is a line on stdout,
 * progress and the sum go to stderr.
 *
 * Failure modes: text that is not one JSON object (told with its line, nothing of that batch sent),
 * a refusal by the service (each request is all or nothing: the message says how many events went
 * in before, and the line that the refused index stands for), no connection.
 *
 * Refuses: to repair or reformat what it was given, and to repeat a request by itself.
 */
#include "publish.h"
#include "call.h"
#include "jsontext.h"
#include "print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH_EVENTS_MAX 1000
#define BATCH_BYTES_MAX  ((size_t)12 * 1024 * 1024) /* the service takes 16 MiB a request */
#define DATA_BYTES_MAX   ((size_t)16 * 1024 * 1024)
#define KEY_BYTES_MAX    255

/* Text that grows. */
struct text {
    char *bytes;
    size_t length;
    size_t capacity;
};

/* A publish in progress: the batch being filled and what went before it. */
struct publication {
    const struct cli *cli;
    struct text body;
    long lines[BATCH_EVENTS_MAX]; /* line of the file each event of the batch came from, or 0 */
    int events;                   /* in the batch */
    long batch;                   /* most events in a batch */
    long requests;
    long published;
    long long deliveries;
    struct timespec started;
};

static void append(struct text *text, const char *bytes, size_t length)
{
    if (text->length + length > text->capacity) {
        text->capacity = (text->length + length) * 2;
        text->bytes = realloc(text->bytes, text->capacity);
        if (text->bytes == NULL)
            out_of_memory();
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void append_string(struct text *text, const char *string)
{
    append(text, string, strlen(string));
}

/* Reads a whole stream; false after telling why not. */
static bool read_stream(FILE *from, const char *name, struct text *text)
{
    char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, from)) > 0) {
        if (text->length + n > DATA_BYTES_MAX) {
            refused("%s is larger than %zu bytes", name, DATA_BYTES_MAX);
            return false;
        }
        append(text, chunk, n);
    }
    if (ferror(from)) {
        refused("cannot read %s: %s", name, strerror(errno));
        return false;
    }
    return true;
}

/* The text of --data: as given, from a file (@FILE) or from standard input (-). */
static bool read_data(const char *data, struct text *text)
{
    if (data == NULL)
        data = "{}";
    if (strcmp(data, "-") == 0)
        return read_stream(stdin, "standard input", text);
    if (data[0] != '@') {
        append_string(text, data);
        return true;
    }
    FILE *file = fopen(data + 1, "r");
    if (file == NULL) {
        refused("cannot open %s: %s", data + 1, strerror(errno));
        return false;
    }
    bool good = read_stream(file, data + 1, text);
    fclose(file);
    return good;
}

static void print_event(const struct cli *cli, const json_t *event, struct publication *all)
{
    char room[32];
    const json_t *deliveries = json_object_get(event, "deliveries");
    all->published++;
    all->deliveries += json_integer_value(deliveries);
    if (cli->json || args_has(cli, "quiet"))
        return;
    const char *id = text_of(event, "id", room);
    print_clean(stdout, id != NULL ? id : "-");
    const char *type = text_of(event, "type", room);
    fputs("  ", stdout);
    print_clean(stdout, type != NULL ? type : "-");
    printf("  %lld %s\n", (long long)json_integer_value(deliveries),
           json_integer_value(deliveries) == 1 ? "delivery" : "deliveries");
}

/* "events[17].work_created" stands for a line of the file: says which. */
static void explain_index(const struct publication *all, const struct answer *answer)
{
    const char *field = json_string_value(json_object_get(answer->json, "field_name"));
    int index = -1;
    if (field != NULL && sscanf(field, "events[%d]", &index) == 1 && index >= 0 &&
        index < all->events && all->lines[index] != 0)
        fprintf(stderr, "events[%d] is line %ld\n", index, all->lines[index]);
    if (all->published > 0)
        fprintf(stderr, "%ld events were published before this request, none of it\n",
                all->published);
}

/* The idempotency key of the next request: the given one, then with -2, -3 ... behind it, so that
 * repeating the whole command repeats every request's key. */
static const char *next_key(const struct publication *all, char room[KEY_BYTES_MAX + 32])
{
    const char *key = args_value(all->cli, "idempotency-key");
    if (key == NULL || all->requests == 0)
        return key;
    snprintf(room, KEY_BYTES_MAX + 32, "%s-%ld", key, all->requests + 1);
    return room;
}

/* Sends one request body and prints the events of the answer. */
static bool send_body(struct publication *all, const char *body, size_t length)
{
    char room[KEY_BYTES_MAX + 32];
    struct answer answer;
    struct request request = {.method = "events.publish",
                              .body = body,
                              .length = length,
                              .idempotency_key = next_key(all, room),
                              .timeout_ms = 120000};
    bool good = call_service(all->cli, &request, &answer);
    if (good) {
        const json_t *events = json_object_get(answer.json, "events");
        const json_t *one = json_object_get(answer.json, "event");
        size_t i;
        json_t *event;
        if (one != NULL)
            print_event(all->cli, one, all);
        json_array_foreach(events, i, event) print_event(all->cli, event, all);
        if (answer.replayed != NULL && strcasecmp(answer.replayed, "true") == 0)
            fputs("this key was used before: the first answer again, nothing new was published\n",
                  stderr);
        all->requests++;
    } else if (answer.status != 0) {
        explain_index(all, &answer);
    }
    answer_free(&answer);
    return good;
}

static void print_progress(const struct publication *all, bool last)
{
    struct timespec now;
    bool terminal = isatty(STDERR_FILENO) == 1;
    if (!last && !terminal)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - all->started.tv_sec) +
                     (double)(now.tv_nsec - all->started.tv_nsec) / 1e9;
    fprintf(stderr, "%s%ld events published, %lld deliveries, %.1f s%s", terminal ? "\r" : "",
            all->published, all->deliveries, seconds, last ? "\n" : "");
}

/* Sends the batch, if there is anything in it, and begins the next one. */
static bool flush_batch(struct publication *all)
{
    if (all->events == 0)
        return true;
    append_string(&all->body, "]}");
    bool good = send_body(all, all->body.bytes, all->body.length);
    all->events = 0;
    all->body.length = 0;
    if (good)
        print_progress(all, false);
    return good;
}

/* Adds pieces of text that together are one event; sends the batch first when they do not fit. */
static bool add_event(struct publication *all, const struct span *pieces, int count, long line)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += pieces[i].length;
    if (all->events == all->batch ||
        (all->events > 0 && all->body.length + bytes > BATCH_BYTES_MAX))
        if (!flush_batch(all))
            return false;
    append_string(&all->body, all->events == 0 ? "{\"events\":[" : ",");
    for (int i = 0; i < count; i++)
        append(&all->body, pieces[i].at, pieces[i].length);
    all->lines[all->events++] = line;
    return true;
}

static int publish_file(struct publication *all, const char *name)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "r");
    if (file == NULL)
        return refused("cannot open %s: %s", name, strerror(errno));
    if (standard)
        name = "standard input";
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    bool good = true;
    for (long number = 1; good && (n = getline(&line, &room, file)) >= 0; number++) {
        if (strspn(line, " \t\r\n") == (size_t)n)
            continue;
        struct span event = jsontext_object(line, (size_t)n);
        if (event.at == NULL) {
            refused("%s, line %ld: not one JSON object", name, number);
            if (all->published > 0 || all->events > 0)
                fprintf(stderr, "%ld events were published, %d before this line were not\n",
                        all->published, all->events);
            good = false;
        } else {
            good = add_event(all, &event, 1, number);
        }
    }
    if (good && ferror(file))
        good = refused("cannot read %s: %s", name, strerror(errno)) == 0;
    good = good && flush_batch(all);
    free(line);
    if (!standard)
        fclose(file);
    if (good)
        print_progress(all, true);
    return good ? 0 : EXIT_REFUSED;
}

/* Event types are words; anything else could change the shape of the request around them. */
static bool is_type(const char *type)
{
    size_t n = strspn(type, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n > 0 && n <= 100 && type[n] == '\0';
}

/* Publishes an object as `count` events of a type. */
static bool publish_copies(struct publication *all, const char *type, struct span object,
                           long count)
{
    struct text head = {0};
    append_string(&head, "{\"type\":\"");
    append_string(&head, type);
    append_string(&head, "\",\"");
    append_string(&head, type);
    append_string(&head, "\":");
    struct span pieces[] = {{head.bytes, head.length}, object, {"}", 1}};
    bool good = true;
    if (count == 1) {
        for (int i = 0; i < 3; i++)
            append(&all->body, pieces[i].at, pieces[i].length);
        good = send_body(all, all->body.bytes, all->body.length);
        if (good && all->deliveries == 0 && !all->cli->json)
            fprintf(stderr, "no active webhook wants %s\n", type);
    } else {
        for (long i = 0; good && i < count; i++)
            good = add_event(all, pieces, 3, 0);
        good = good && flush_batch(all);
        if (good)
            print_progress(all, true);
    }
    free(head.bytes);
    return good;
}

static int publish_one(struct publication *all, const char *type, long count)
{
    struct text data = {0};
    int status = EXIT_REFUSED;
    if (read_data(args_value(all->cli, "data"), &data)) {
        struct span object = jsontext_object(data.bytes, data.length);
        if (object.at == NULL)
            status = usage_error(all->cli, "--data must be one JSON object, like {\"id\":\"x\"}");
        else if (publish_copies(all, type, object, count))
            status = 0;
    }
    free(data.bytes);
    return status;
}

static struct publication *publication_new(const struct cli *cli, long batch)
{
    struct publication *all = calloc(1, sizeof *all);
    if (all == NULL)
        out_of_memory();
    all->cli = cli;
    all->batch = batch;
    clock_gettime(CLOCK_MONOTONIC, &all->started);
    return all;
}

static void publication_free(struct publication *all)
{
    free(all->body.bytes);
    free(all);
}

int publish_object(const struct cli *cli, const char *type, struct span object, long count)
{
    struct publication *all = publication_new(cli, BATCH_EVENTS_MAX);
    bool good = publish_copies(all, type, object, count);
    publication_free(all);
    return good ? 0 : EXIT_REFUSED;
}

int publish_run(const struct cli *cli)
{
    const char *file = args_value(cli, "file");
    const char *key = args_value(cli, "idempotency-key");
    long count = 1;
    long batch = BATCH_EVENTS_MAX;
    if (!args_number(cli, "count", 1, 10000000, &count) ||
        !args_number(cli, "batch", 1, BATCH_EVENTS_MAX, &batch))
        return EXIT_USAGE;
    if (file == NULL && cli->positional_count == 0)
        return usage_error(cli, "publish needs an event type, or --file");
    if (file != NULL &&
        (cli->positional_count > 0 || args_has(cli, "data") || args_has(cli, "count")))
        return usage_error(cli, "--file brings its own types and data; leave out TYPE, --data "
                                "and --count");
    if (file == NULL && !is_type(cli->positionals[0]))
        return usage_error(cli, "'%s' is no event type: letters, digits and _ only",
                           cli->positionals[0]);
    if (key != NULL && (*key == '\0' || strlen(key) > KEY_BYTES_MAX))
        return usage_error(cli, "--idempotency-key must have 1 to %d bytes", KEY_BYTES_MAX);
    struct publication *all = publication_new(cli, batch);
    int status =
        file != NULL ? publish_file(all, file) : publish_one(all, cli->positionals[0], count);
    publication_free(all);
    return status;
}
