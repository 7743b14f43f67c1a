/*
 * call.h - one call of the service's HTTP API.
 */
#ifndef REVHOOK_CALL_H
#define REVHOOK_CALL_H

#include "revhook.h"

#include <jansson.h>

#define ANSWER_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct answer {
    long status;    /* HTTP status */
    char *body;     /* NUL-terminated, as it came */
    size_t length;  /* bytes of body */
    json_t *json;   /* the body parsed; NULL if it was not asked for */
    char *replayed; /* value of Idempotent-Replayed, or NULL */
};

struct request {
    const char *method;          /* "webhooks.get": the path without its slash */
    const char *body;            /* JSON text, sent as it is */
    size_t length;               /* bytes of body */
    const char *idempotency_key; /* or NULL */
    long timeout_ms;             /* of the whole call; 0 for the default of 30 s */
    bool text_only;              /* do not parse the answer */
    bool quiet;                  /* with --json: do not print a good answer here */
};

/* POSTs the request to cli->url. A 2xx answer: returns true, *answer is filled and the caller
 * releases it with answer_free; with --json its body has been printed. Anything else: returns
 * false, one line on stderr says why (with --json the service's error body is on stdout), and
 * *answer holds nothing but the status (0 when there was no answer) and, for a refusal, the parsed
 * error body, which answer_free releases too. The connection is kept for the next call. */
bool call_service(const struct cli *cli, const struct request *request, struct answer *answer);

/* The same with a JSON object as body, which it takes over (also on failure). */
bool call_json(const struct cli *cli, const char *method, json_t *body, struct answer *answer);

/* Releases what the answer holds. Safe after a failed call and twice. */
void answer_free(struct answer *answer);

/* Closes the connection. Once, at the end. */
void call_end(void);

#endif
