/* The body of events.publish, read from its canonical text. For api_events.c and tests. */
#ifndef REVHOOK_SERVER_PUBLISH_H
#define REVHOOK_SERVER_PUBLISH_H

#include "dispatcher/dispatch.h"
#include "server/errors.h"

struct publish_limits {
    uint32_t events_max;
    size_t event_bytes_max;
    bool lenient_payloads; /* do not look into payloads */
};

/* Reads one event, `{"type":T,T:{...}}`, or `{"events":[...]}`. `canonical` is what canon_document
 * wrote. On success true, *events is malloc'd and the caller's, its payloads point into
 * `canonical`. On false *error is the first fault in the order kind, unknown field, missing field,
 * value over the whole request; `field_name` is a path like events[3].work_created.work.title. Pure
 * but for malloc. */
bool publish_read(struct text canonical, const struct publish_limits *limits,
                  struct publish_event **events, uint32_t *count, bool *batch, struct error *error);

#endif
