/*
 * arrival.h - one request that `revhook listen` received: what it is and how it is shown.
 */
#ifndef REVHOOK_ARRIVAL_H
#define REVHOOK_ARRIVAL_H

#include "jsontext.h"
#include "revhook.h"
#include "seen.h"
#include "signature.h"

#include <h2o.h>

/* The library's headers choose another event loop and other structures without this. */
_Static_assert(H2O_USE_LIBUV == 0, "compile with -DH2O_USE_LIBUV=0");

#define ARRIVAL_ID_BYTES_MAX   512
#define ARRIVAL_TYPE_BYTES_MAX 128

enum signature { SIGNATURE_UNCHECKED, SIGNATURE_MISSING, SIGNATURE_BAD, SIGNATURE_OK };

struct arrival {
    char type[ARRIVAL_TYPE_BYTES_MAX]; /* "?" when the body tells none */
    char id[ARRIVAL_ID_BYTES_MAX];     /* "?" when the body tells none */
    struct span challenge;             /* of a verify request, quotes included */
    enum signature signature;
    uint32_t times; /* the same id was seen, this time included; 0 for a verify request */
    int status;     /* answered; set by the caller before arrival_print */
    bool echoed;    /* the challenge is in the answer; set by the caller too */
};

/* How arrivals are judged and shown. */
struct arrival_style {
    const char *secret; /* or NULL */
    struct sign_form form;
    bool json;  /* a JSON object a line */
    bool quiet; /* nothing at all */
    bool show_body;
};

/* Reads what a request is, checks its signature by the style's secret (NULL: unchecked) and form,
 * and counts its id in seen unless it is a verify request. The span points into the request's body.
 */
void arrival_read(struct arrival *arrival, const h2o_req_t *request,
                  const struct arrival_style *style, struct seen *seen);

/* Prints it on stdout. */
void arrival_print(const struct arrival *arrival, const h2o_req_t *request,
                   const struct arrival_style *style);

#endif
