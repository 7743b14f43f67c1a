/* A libcurl client with nothing behind it: what one delivery costs if there were only the POST. */
#ifndef REVHOOK_BENCH_CEILING_CURL_H
#define REVHOOK_BENCH_CEILING_CURL_H

#include "tools/bench/worker.h"

#include <stdint.h>

struct curl_plan {
    const uint16_t *ports; /* of 127.0.0.1 */
    unsigned endpoints;
    const char *ca_file; /* NULL: plain */
    const char *body;
};

/* POSTs to the endpoints in turn, as fast as one thread can, until it is to stop; counts what
 * failed. False if libcurl cannot be set up. */
bool ceiling_curl(const struct curl_plan *plan, struct worker_board *board);

#endif
