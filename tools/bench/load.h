/* What is published and to whom: the shape of a run, and the texts of its events.
 *
 * A run has `orgs` organisations, `types` event types, and `endpoints` webhooks, each with a port
 * of its own on the sink; webhook n is subscribed to type n % types and belongs to organisation n /
 * types % orgs. Events are published for every organisation and type in turn. So each goes to
 * endpoints / types / orgs webhooks; a hundred endpoints with an event to one of them each take
 * two organisations, because there are fewer types than that. */
#ifndef REVHOOK_BENCH_LOAD_H
#define REVHOOK_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/types.h"

#define LOAD_TYPES_MAX     50
#define LOAD_ORGS_MAX      20
#define LOAD_ENDPOINTS_MAX 1000
#define LOAD_SECRET        "revhook-bench-secret-0001"
#define LOAD_STAMP_BYTES   20 /* decimal digits: CLOCK_MONOTONIC in nanoseconds */

struct load {
    unsigned orgs;
    unsigned types;
    unsigned endpoints;
    unsigned batch;         /* events in a request; 1: published one by one */
    unsigned connections;   /* of the publisher */
    unsigned event_bytes;   /* of the JSON of one event */
    unsigned backlog;       /* deliveries on their way at once, if not by schedule */
    double rate;            /* events a second, by schedule; 0: as fast as they are taken */
    bool tls;               /* endpoints are https */
    unsigned hanging;       /* of the endpoints, the last ones never answer in time */
    unsigned webhooks_more; /* subscribed to a type that nobody publishes */
    uint64_t rows;          /* deliveries that have ended, in the store before the start */
    uint64_t pending;       /* deliveries that are due, in the store before the start */
};

/* To how many webhooks an event goes. */
unsigned load_fan_out(const struct load *load);

/* The organisation with number `n` and the token that may publish for it; static memory. */
const char *load_org(unsigned n);
const char *load_token(unsigned n);

/* The event type with number `n` of a run, and one that no run publishes. */
enum event_type load_type(unsigned n);
enum event_type load_type_unused(void);

/* One body of events.publish, with places where the time of sending is written. */
struct request_text {
    char *text; /* malloc'd */
    size_t bytes;
    unsigned stamp_count;
    size_t *stamps; /* malloc'd: offsets of LOAD_STAMP_BYTES digits */
};

/* The JSON of event `n` as it is published, of exactly `event_bytes` bytes if that is enough for
 * what it must hold, NUL-terminated, malloc'd. */
char *load_event(unsigned n, unsigned event_bytes);
/* Its payload alone. */
char *load_payload(unsigned n, unsigned event_bytes);

/* The body of the request that begins with event `first`. Free with request_text_free. */
struct request_text load_request(const struct load *load, unsigned first);
/* The same made of `frame`, in which {event}, {payload} and {type} stand for those of event `first`
 * (for another service). */
struct request_text load_request_framed(const struct load *load, const char *frame, unsigned first);
void request_text_free(struct request_text *request);

/* Writes `ns` as LOAD_STAMP_BYTES digits. */
void load_stamp(char *at, uint64_t ns);

/* Finds a stamp in a body that was delivered; 0 if there is none. */
uint64_t load_stamp_in(const char *body, size_t bytes);

#endif
