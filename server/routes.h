/* The table of routes; for routes.c and its test. */
#ifndef REVHOOK_SERVER_ROUTES_H
#define REVHOOK_SERVER_ROUTES_H

#include "server/api.h"

#define ROUTE_OPEN (-1) /* in place of a scope: nobody has to show a token */

/* Which limit on the rate of requests counts it. */
enum route_rate {
    RATE_NONE,
    RATE_DEVREV, /* rate_limit_per_minute */
    RATE_OWN,    /* rate_limit_own_per_minute */
};

enum route_method { ROUTE_GET = 1, ROUTE_POST = 2 };

struct route {
    unsigned methods; /* bits of enum route_method; HEAD goes with GET */
    const char *path;
    int scope; /* enum scope that the token must have, or ROUTE_OPEN. SCOPE_metrics with --dev: open
                */
    enum route_rate rate;
    bool virtual_clock_only;
    const struct tree_field *fields; /* NULL: the handler reads the request itself */
    void (*handle)(struct api *api, struct http_request *request, struct json_t *root);
};

/* The route of a path (its /internal prefix, which DevRev's own clients use, is taken off), or
 * NULL. Pure. */
const struct route *route_find(struct text path);

/* All routes; ends with a NULL path. */
extern const struct route routes[];

/* The bit of a method, or 0. */
unsigned route_method(struct text method);

#endif
