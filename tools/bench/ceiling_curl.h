/* A libcurl client with nothing behind it: what one delivery costs if there were only the POST. */
#ifndef REVHOOK_BENCH_CEILING_CURL_H
#define REVHOOK_BENCH_CEILING_CURL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct curl_plan {
    const uint16_t *ports; /* of 127.0.0.1 */
    unsigned endpoints;
    const char *ca_file; /* NULL: plain */
    const char *body;
};

struct client_result {
    uint64_t requests, cpu_ns, elapsed_ns; /* of the measured part */
    uint64_t failed;                       /* of all of it */
};

enum client_phase { CLIENT_WARMS, CLIENT_MEASURES, CLIENT_ENDS };

/* POSTs to the endpoints in turn, as fast as one thread can; another process moves the phase.
 * False if libcurl cannot be set up. */
bool ceiling_curl(const struct curl_plan *plan, const atomic_int *phase,
                  struct client_result *result);

#endif
