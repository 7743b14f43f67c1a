/* The ceilings, see bench.h: what each part of a delivery costs when there is nothing else.
 *
 * Owns: how each is measured. Each runs in a process of its own, with the sink or a sender in
 * another where it needs one. A ceiling's rate is what one thread does; its CPU time is what counts
 * in the sum, because two processors are shared by everything. Failure modes: a ceiling that cannot
 * be measured is told, and the bench ends. */
#include "tools/bench/bench.h"
#include "tools/bench/ceiling_curl.h"
#include "tools/bench/ceiling_h2o.h"
#include "tools/bench/child.h"
#include "tools/bench/prepare.h"
#include "tools/bench/publisher.h"
#include "tools/bench/service.h"
#include "tools/bench/sink.h"

#include "core/canon.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_MS        400
#define ENVELOPE_BYTES 220 /* what the service puts around an event */
#define EVENT_BYTES    1024
#define BATCH          100
#define LIFE_PATIENCE  60000 /* ms */

/* What a ceiling needs of other processes. */
struct pit {
    struct bench *bench;
    char folder[4096], certificate[4200];
    struct sink_board *sink;
    struct publisher_board *publisher;
    struct h2o_board *h2o;
    struct client_result *result;
    atomic_int *phase; /* of the libcurl client */
    pid_t sink_pid;
    unsigned events_per_commit; /* for the store */
};

static void add(struct bench *bench, enum ceiling ceiling, uint64_t count, uint64_t cpu_ns,
                uint64_t elapsed_ns)
{
    struct measured_ceiling *measured = &bench->ceilings[ceiling];
    if (count == 0 || elapsed_ns == 0)
        return;
    sample_add(&measured->cpu_us, (double)cpu_ns / 1e3 / (double)count);
    sample_add(&measured->rate, (double)count / ((double)elapsed_ns / 1e9));
}

/* ---- clients ---- */

static bool start_sink(struct pit *pit, unsigned endpoints, bool tls)
{
    pit->sink->endpoints = endpoints;
    pit->sink->tls = tls;
    atomic_store(&pit->sink->record_from_ns, UINT64_MAX);
    if (tls) {
        snprintf(pit->certificate, sizeof(pit->certificate), "%s/certificate.pem", pit->folder);
        snprintf(pit->sink->certificate, sizeof(pit->sink->certificate), "%s", pit->certificate);
        if (!service_certificate(pit->certificate))
            return false;
    }
    pit->sink_pid = sink_start(pit->sink);
    return pit->sink_pid > 0;
}

/* The bare client against the sink, or against `port`; `server` is whose time counts, 0: the
 * client's own. `each`: operations in a request. */
static bool measure_bare(struct pit *pit, enum ceiling ceiling, struct load load, uint16_t port,
                         pid_t server, const atomic_ulong *requests)
{
    struct publisher_board *board = pit->publisher;
    board->load = load;
    board->port_count = server > 0 ? 1 : load.endpoints;
    for (unsigned i = 0; i < board->port_count; i++)
        board->ports[i] = server > 0 ? port : pit->sink->ports[i];
    snprintf(board->host, sizeof(board->host), "127.0.0.1");
    snprintf(board->head, sizeof(board->head),
             "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: revhook-bench\r\nAccept: "
             "*/*\r\nX-DevRev-Signature: %064d\r\nContent-Type: application/json\r\n",
             0);
    pid_t pid = publisher_start(board);
    if (pid < 0 || !child_pause(WARM_MS))
        return false;
    pid_t whose = server > 0 ? server : pid;
    struct usage from = usage_of(whose), sink = usage_of(pit->sink_pid);
    uint64_t began = now_ns(), count = atomic_load(requests);
    if (!child_pause(pit->bench->measure_ms))
        return false;
    struct usage to = usage_of(whose), sink_to = usage_of(pit->sink_pid);
    uint64_t elapsed = now_ns() - began;
    count = atomic_load(requests) - count;
    atomic_store(&board->stop, true);
    child_wait(pid, 5000);
    add(pit->bench, ceiling, count * load.batch, usage_total(&to) - usage_total(&from), elapsed);
    if (server <= 0 && count > 0)
        sample_add(&pit->bench->ceilings[ceiling].sink_us,
                   (double)(usage_total(&sink_to) - usage_total(&sink)) / 1e3 / (double)count);
    if (atomic_load(&board->failed) > 0)
        refused("%s: %lu requests failed", ceiling_rows[ceiling].name, atomic_load(&board->failed));
    return atomic_load(&board->failed) == 0;
}

static bool measure_epoll(struct pit *pit)
{
    const struct load load = {.orgs = 1,
                              .types = 1,
                              .endpoints = 100,
                              .batch = 1,
                              .connections = 100,
                              .event_bytes = EVENT_BYTES + ENVELOPE_BYTES};
    return start_sink(pit, load.endpoints, false) &&
           measure_bare(pit, CEILING_epoll, load, 0, 0, &pit->sink->arrivals);
}

static bool measure_h2o(struct pit *pit, enum ceiling ceiling)
{
    struct load load = {.orgs = 1,
                        .types = 1,
                        .endpoints = 1,
                        .batch = 1,
                        .connections = 64,
                        .event_bytes = EVENT_BYTES};
    pit->h2o->answers = 1;
    if (ceiling == CEILING_h2o_publish) {
        load.types = load.endpoints = 50;
        load.connections = 4;
        load.batch = pit->h2o->answers = BATCH;
        pit->h2o->scan = true;
    }
    pid_t server = ceiling_h2o_start(pit->h2o);
    bool good = server > 0 && measure_bare(pit, ceiling, load, (uint16_t)pit->h2o->port, server,
                                           &pit->h2o->requests);
    child_end(server, 1000);
    return good;
}

static int run_curl(void *argument)
{
    const struct pit *pit = argument;
    char *body = load_event(0, EVENT_BYTES + ENVELOPE_BYTES);
    const struct curl_plan plan = {.ports = pit->sink->ports,
                                   .endpoints = pit->sink->endpoints,
                                   .ca_file = pit->sink->tls ? pit->certificate : NULL,
                                   .body = body};
    return ceiling_curl(&plan, pit->phase, pit->result) ? 0 : 1;
}

static bool measure_curl(struct pit *pit, enum ceiling ceiling)
{
    unsigned endpoints = ceiling == CEILING_curl_1000 ? 1000 : 100;
    if (!start_sink(pit, endpoints, ceiling == CEILING_curl_tls))
        return false;
    pid_t pid = child_fork(run_curl, pit);
    if (pid < 0 || !sink_settle(pit->sink, WARM_MS, pit->bench->settle_ms))
        return false;
    atomic_store(pit->phase, CLIENT_MEASURES);
    struct usage from = usage_of(pit->sink_pid);
    uint64_t arrivals = atomic_load(&pit->sink->arrivals);
    if (!child_pause(pit->bench->measure_ms))
        return false;
    struct usage to = usage_of(pit->sink_pid);
    arrivals = atomic_load(&pit->sink->arrivals) - arrivals;
    atomic_store(pit->phase, CLIENT_ENDS);
    if (child_wait(pid, 10000) != 0 || pit->result->failed > 0) {
        refused("%s: %lu requests failed", ceiling_rows[ceiling].name,
                (unsigned long)pit->result->failed);
        return false;
    }
    add(pit->bench, ceiling, pit->result->requests, pit->result->cpu_ns, pit->result->elapsed_ns);
    if (arrivals > 0)
        sample_add(&pit->bench->ceilings[ceiling].sink_us,
                   (double)(usage_total(&to) - usage_total(&from)) / 1e3 / (double)arrivals);
    return true;
}

/* ---- work of one thread ---- */

/* Events accepted in one transaction and recorded in the next, with as many to a transaction as the
 * service had under load. */
static int run_store(void *argument)
{
    const struct pit *pit = argument;
    static int64_t first[4096];
    const struct load load = run_rows[RUN_batches].load;
    unsigned fan_out = load_fan_out(&load), batch = pit->events_per_commit, waiting = 0;
    uint16_t ports[LOAD_ENDPOINTS_MAX] = {0};
    struct prepared prepared;
    char *payloads[LOAD_TYPES_MAX];
    bool good = prepare_open(&prepared, pit->folder, &load, ports);
    for (unsigned i = 0; i < load.types; i++)
        payloads[i] = load_payload(i, EVENT_BYTES);
    uint64_t began = now_ns(), cpu = usage_own_ns(), events = 0, now = began;
    while (good && (now = now_ns()) < began + (uint64_t)pit->bench->measure_ms * 1000000) {
        good = store_begin(prepared.store) == STORE_OK;
        for (unsigned i = 0; good && i < waiting; i++)
            for (unsigned k = 0; good && k < fan_out; k++)
                good = prepare_record(&prepared, first[i] + k);
        for (unsigned i = 0; good && i < batch; i++) {
            const char *payload = payloads[prepared.turn % load.types];
            good = prepare_accept(&prepared, (struct store_bytes){payload, strlen(payload)},
                                  &first[i]);
        }
        good = good && prepare_commit(&prepared);
        events += waiting = batch;
    }
    *pit->result = (struct client_result){events * fan_out, usage_own_ns() - cpu, now - began, 0};
    prepare_close(&prepared);
    return good ? 0 : 1;
}

static int run_hmac(void *argument)
{
    const struct pit *pit = argument;
    unsigned char mac[64];
    size_t mac_bytes;
    char *body = load_event(0, EVENT_BYTES + ENVELOPE_BYTES);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *kind = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(kind);
    uint64_t count = 0, began = now_ns(), cpu = usage_own_ns(), now;
    if (EVP_MAC_init(context, (const unsigned char *)LOAD_SECRET, strlen(LOAD_SECRET), params) != 1)
        return 1;
    while ((now = now_ns()) < began + (uint64_t)pit->bench->measure_ms * 250000)
        for (int i = 0; i < 100; i++, count++)
            if (EVP_MAC_init(context, NULL, 0, NULL) != 1 ||
                EVP_MAC_update(context, (const unsigned char *)body, strlen(body)) != 1 ||
                EVP_MAC_final(context, mac, &mac_bytes, sizeof(mac)) != 1)
                return 1;
    *pit->result = (struct client_result){count, usage_own_ns() - cpu, now - began, 0};
    return 0;
}

static int run_scan(void *argument)
{
    const struct pit *pit = argument;
    static char out[EVENT_BYTES * 4];
    static struct canon_key keys[EVENT_BYTES];
    char *event = load_event(0, EVENT_BYTES);
    uint64_t count = 0, began = now_ns(), cpu = usage_own_ns(), now;
    while ((now = now_ns()) < began + (uint64_t)pit->bench->measure_ms * 250000)
        for (int i = 0; i < 100; i++, count++) {
            struct canon canon = {.in = event,
                                  .in_bytes = strlen(event),
                                  .out = out,
                                  .out_capacity_bytes = sizeof(out),
                                  .keys = keys,
                                  .keys_max = EVENT_BYTES};
            if (canon_document(&canon) != CANON_OK)
                return 1;
        }
    *pit->result = (struct client_result){count, usage_own_ns() - cpu, now - began, 0};
    return 0;
}

static bool measure_alone(struct pit *pit, enum ceiling ceiling, int (*run)(void *argument))
{
    if (!child_run(run, pit, LIFE_PATIENCE)) {
        refused("%s could not be measured", ceiling_rows[ceiling].name);
        return false;
    }
    add(pit->bench, ceiling, pit->result->requests, pit->result->cpu_ns, pit->result->elapsed_ns);
    return true;
}

static bool measure(struct pit *pit, enum ceiling ceiling)
{
    switch (ceiling) {
    case CEILING_epoll: return measure_epoll(pit);
    case CEILING_curl:
    case CEILING_curl_1000:
    case CEILING_curl_tls: return measure_curl(pit, ceiling);
    case CEILING_h2o:
    case CEILING_h2o_publish: return measure_h2o(pit, ceiling);
    case CEILING_store: return measure_alone(pit, ceiling, run_store);
    case CEILING_hmac: return measure_alone(pit, ceiling, run_hmac);
    case CEILING_scan: return measure_alone(pit, ceiling, run_scan);
    case CEILING_COUNT: break;
    }
    return false;
}

/* The batch that the service itself had in this round, 100 if it was not measured. */
static unsigned batch_seen(const struct bench *bench)
{
    const struct sample *seen = &bench->runs[RUN_batches].figures[FIGURE_EVENTS_PER_COMMIT];
    double last = seen->count > 0 ? seen->values[seen->count - 1] : BATCH;
    return last < 1 ? 1 : last > 4096 ? 4096 : (unsigned)last;
}

bool ceiling_measure(struct bench *bench, enum ceiling ceiling)
{
    struct pit pit = {.bench = bench, .sink_pid = -1, .events_per_commit = batch_seen(bench)};
    if (!child_folder(bench->folder, pit.folder, sizeof(pit.folder))) {
        refused("cannot make a folder in %s (see --dir)", bench->folder);
        return false;
    }
    pit.sink = child_share(sizeof(*pit.sink));
    pit.publisher = child_share(sizeof(*pit.publisher));
    pit.h2o = child_share(sizeof(*pit.h2o));
    pit.result = child_share(sizeof(*pit.result));
    pit.phase = child_share(sizeof(*pit.phase));
    bool good = measure(&pit, ceiling);
    child_end(pit.sink_pid, 1000);
    child_remove(pit.folder);
    child_unshare(pit.sink, sizeof(*pit.sink));
    child_unshare(pit.publisher, sizeof(*pit.publisher));
    child_unshare(pit.h2o, sizeof(*pit.h2o));
    child_unshare(pit.result, sizeof(*pit.result));
    child_unshare(pit.phase, sizeof(*pit.phase));
    return good;
}
