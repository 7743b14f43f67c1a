/* A libcurl client with nothing behind it: what one delivery costs if there were only the POST. */
#ifndef REVHOOK_BENCH_CEILING_CURL_H
#define REVHOOK_BENCH_CEILING_CURL_H

#include <stdbool.h>
#include <stdint.h>

struct curl_plan {
    const uint16_t *ports; /* of 127.0.0.1 */
    unsigned endpoints;
    const char *ca_file; /* NULL: plain */
    const char *body;
    unsigned warm_ms, measure_ms;
};

struct client_result {
    uint64_t requests, cpu_ns, elapsed_ns; /* of the measured part */
    uint64_t failed;                       /* of all of it */
};

/* POSTs to the endpoints in turn, as fast as one thread can. False if libcurl cannot be set up. */
bool ceiling_curl(const struct curl_plan *plan, struct client_result *result);

#endif
