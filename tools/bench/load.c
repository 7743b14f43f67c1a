/* The events of a bench, see load.h.
 *
 * Owns: their texts. One object satisfies what the catalogue asks of every family used here, so
 * that the service's check of payloads is part of what is measured. Refuses: families whose objects
 * webhooks.fetch keeps (works, SLA trackers); those cost a row more. */
#define _GNU_SOURCE /* memmem */
#include "tools/bench/load.h"

#include "tools/revhook/revhook.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP_NAME "bench_ns"

static const struct {
    const char *family;
    enum event_type types[3];
} families[] = {
#define X(name) {#name, {EVENT_##name##_created, EVENT_##name##_updated, EVENT_##name##_deleted}},
#include "tools/bench/families.def"
#undef X
};

_Static_assert(sizeof(families) / sizeof(families[0]) * 3 == LOAD_TYPES_MAX + 1,
               "every type but the last may be published");

enum event_type load_type(unsigned n)
{
    unsigned number = n % LOAD_TYPES_MAX;
    return families[number / 3].types[number % 3];
}

enum event_type load_type_unused(void)
{
    return families[LOAD_TYPES_MAX / 3].types[LOAD_TYPES_MAX % 3];
}

unsigned load_fan_out(const struct load *load)
{
    unsigned targets = load->types * load->orgs;
    assert(targets > 0 && load->endpoints % targets == 0);
    return load->endpoints / targets;
}

const char *load_org(unsigned n)
{
    static char names[LOAD_ORGS_MAX][16];
    assert(n < LOAD_ORGS_MAX);
    snprintf(names[n], sizeof(names[n]), n > 0 ? "bench%u" : "dev0", n);
    return names[n];
}

const char *load_token(unsigned n)
{
    static char tokens[LOAD_ORGS_MAX][32];
    assert(n < LOAD_ORGS_MAX);
    snprintf(tokens[n], sizeof(tokens[n]), n > 0 ? "rvk_bench-token-%u" : "dev-token", n);
    return tokens[n];
}

static const char words[] = "the quick brown fox jumps over the lazy dog and rests in the shade ";

/* Writes the payload; `more` bytes of prose make the event as long as asked for. */
static int write_payload(char *room, size_t room_bytes, unsigned n, unsigned more)
{
    unsigned number = n % LOAD_TYPES_MAX;
    const char *family = families[number / 3].family;
    bool deleted = number % 3 == 2;
    char id[96], head[160];
    snprintf(id, sizeof(id), "don:core:dvrv-us-1:devo/dev0:%s/%u", family, 1 + n);
    if (deleted)
        snprintf(head, sizeof(head), "\"id\":\"%s\",\"old_%s\"", id, family);
    else
        snprintf(head, sizeof(head), "\"%s\"", family);
    int bytes = snprintf(room, room_bytes,
                         "{%s:{\"id\":\"%s\",\"" STAMP_NAME "\":\"%020d\",\"type\":\"issue\","
                         "\"owned_by\":[],\"members\":[],\"is_default\":false,\"title\":\"bench\","
                         "\"name\":\"bench\",\"job_category\":\"export\",\"job_id\":\"7\","
                         "\"progress\":0.5,\"state\":\"running\",\"text\":\"",
                         head, id, 0);
    for (unsigned i = 0; i < more; i++)
        room[bytes++] = words[i % (sizeof(words) - 1)];
    return bytes + snprintf(room + bytes, room_bytes - (size_t)bytes, "\"}}");
}

static char *memory(size_t bytes)
{
    char *at = malloc(bytes);
    if (at == NULL)
        out_of_memory();
    return at;
}

char *load_payload(unsigned n, unsigned event_bytes)
{
    const char *type = event_type_name(load_type(n));
    char *room = memory(event_bytes + 1024);
    size_t least = (size_t)write_payload(room, 1024, n, 0) + 2 * strlen(type) +
                   strlen("{\"type\":\"\",\"\":}");
    if (event_bytes > least)
        write_payload(room, event_bytes + 1024, n, event_bytes - (unsigned)least);
    return room;
}

char *load_event(unsigned n, unsigned event_bytes)
{
    const char *type = event_type_name(load_type(n));
    char *payload = load_payload(n, event_bytes);
    size_t bytes = strlen(payload) + 2 * strlen(type) + 32;
    char *event = memory(bytes);
    snprintf(event, bytes, "{\"type\":\"%s\",\"%s\":%s}", type, type, payload);
    free(payload);
    return event;
}

static void find_stamps(struct request_text *request)
{
    size_t room = 0;
    for (char *at = request->text; (at = strstr(at, STAMP_NAME)) != NULL;) {
        at += strlen(STAMP_NAME);
        at += strcspn(at, "0123456789");
        if (request->stamp_count == room) {
            room = room > 0 ? room * 2 : 16;
            request->stamps = realloc(request->stamps, room * sizeof(request->stamps[0]));
            if (request->stamps == NULL)
                out_of_memory();
        }
        if (strspn(at, "0123456789") >= LOAD_STAMP_BYTES)
            request->stamps[request->stamp_count++] = (size_t)(at - request->text);
    }
}

struct request_text load_request(const struct load *load, unsigned first)
{
    struct request_text request = {0};
    size_t room = 64 + (size_t)load->batch * ((size_t)load->event_bytes + 1024);
    request.text = memory(room);
    request.bytes = (size_t)snprintf(request.text, room, load->batch > 1 ? "{\"events\":[" : "");
    for (unsigned i = 0; i < load->batch; i++) {
        char *event = load_event((first + i) % load->types, load->event_bytes);
        request.bytes += (size_t)snprintf(request.text + request.bytes, room - request.bytes,
                                          "%s%s", i > 0 ? "," : "", event);
        free(event);
    }
    if (load->batch > 1)
        request.bytes += (size_t)snprintf(request.text + request.bytes, room - request.bytes, "]}");
    find_stamps(&request);
    return request;
}

struct request_text load_request_framed(const struct load *load, const char *frame, unsigned first)
{
    const char *type = event_type_name(load_type(first));
    char *event = load_event(first, load->event_bytes);
    char *payload = load_payload(first, load->event_bytes);
    const struct {
        const char *name, *value;
    } places[] = {{"{event}", event}, {"{payload}", payload}, {"{type}", type}};
    struct request_text request = {0};
    size_t room = strlen(frame) + 1;
    for (const char *at = frame; (at = strchr(at, '{')) != NULL; at++)
        room += strlen(event);
    request.text = memory(room);
    for (const char *at = frame; *at != '\0';) {
        const char *value = NULL;
        for (size_t i = 0; i < 3 && value == NULL; i++)
            if (strncmp(at, places[i].name, strlen(places[i].name)) == 0) {
                value = places[i].value;
                at += strlen(places[i].name);
            }
        if (value != NULL) {
            memcpy(request.text + request.bytes, value, strlen(value));
            request.bytes += strlen(value);
        } else {
            request.text[request.bytes++] = *at++;
        }
    }
    request.text[request.bytes] = '\0';
    free(event);
    free(payload);
    find_stamps(&request);
    return request;
}

void request_text_free(struct request_text *request)
{
    free(request->text);
    free(request->stamps);
}

void load_stamp(char *at, uint64_t ns)
{
    for (int i = LOAD_STAMP_BYTES - 1; i >= 0; i--, ns /= 10)
        at[i] = (char)('0' + ns % 10);
}

uint64_t load_stamp_in(const char *body, size_t bytes)
{
    const char *at = memmem(body, bytes, STAMP_NAME, strlen(STAMP_NAME)), *end = body + bytes;
    if (at == NULL)
        return 0;
    at += strlen(STAMP_NAME);
    while (at < end && (*at < '0' || *at > '9'))
        at++;
    uint64_t ns = 0;
    for (int i = 0; i < LOAD_STAMP_BYTES && at < end && *at >= '0' && *at <= '9'; i++)
        ns = ns * 10 + (uint64_t)(*at++ - '0');
    return ns;
}
