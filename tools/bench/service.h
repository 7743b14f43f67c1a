/* The service under test: a store prepared for a run, a daemon of its own on it. */
#ifndef REVHOOK_BENCH_SERVICE_H
#define REVHOOK_BENCH_SERVICE_H

#include "tools/bench/load.h"

#include <sys/types.h>

struct service {
    const char *program; /* revhookd */
    char folder[4096];   /* its store, its log, its certificate; "" : none */
    char ca_file[4200];  /* "" : none */
    uint16_t port;       /* 0: does not run */
    uint64_t began_ns;   /* when the program was started */
    double ready_ms;     /* from then to its line */
};

/* Makes a store with the webhooks of `load`, active, on these ports of 127.0.0.1, and the rows that
 * it asks for. In a process of its own. False after printing what is wrong. */
bool service_prepare(const struct service *service, const struct load *load, const uint16_t *ports);

/* Starts the daemon and waits until it answers; its process. -1 after printing what is wrong. */
pid_t service_start(struct service *service);

/* Reads counters of its /metrics ("commits_total") at one moment; -1: one that cannot be had. */
void service_metrics(const struct service *service, unsigned count, const char *const names[],
                     double values[]);

/* Writes a certificate for 127.0.0.1 and its key as one PEM file; it is its own authority. False
 * after printing what is wrong. */
bool service_certificate(const char *file);

#endif
