/* The ceilings, see bench.h: what each part of a delivery costs when there is nothing else.
 *
 * Owns: how each is measured. Each works in a process of its own, with the sink or a client in
 * another where it needs one. A ceiling's rate is what one thread does; its CPU time is what counts
 * in the sum, because two processors are shared by everything. Failure modes: a ceiling that cannot
 * be measured is told, and the bench ends. */
#include "tools/bench/group.h"

#include "tools/bench/ceiling_curl.h"
#include "tools/bench/ceiling_h2o.h"
#include "tools/bench/child.h"
#include "tools/bench/prepare.h"

#include "core/canon.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_MS        400
#define END_MS         10000
#define ENVELOPE_BYTES 220 /* what the service puts around an event */
#define EVENT_BYTES    1024
#define BATCH          100
#define COMMIT_MAX     4096 /* events */
#define WORK_STEP      100  /* between two looks whether it is to stop */

/* ---- work of one thread ---- */

static bool to_stop(const struct stage *stage)
{
    return atomic_load_explicit(&stage->worker->stop, memory_order_relaxed);
}

static void did(const struct stage *stage, unsigned long count)
{
    atomic_fetch_add_explicit(&stage->worker->done, count, memory_order_relaxed);
}

static int run_curl(void *argument)
{
    const struct stage *stage = argument;
    char *body = load_event(0, EVENT_BYTES + ENVELOPE_BYTES);
    const struct curl_plan plan = {.ports = stage->sink->ports,
                                   .endpoints = stage->load.endpoints,
                                   .ca_file = stage->load.tls ? stage->service.ca_file : NULL,
                                   .body = body};
    return ceiling_curl(&plan, stage->worker) ? 0 : 1;
}

/* As many as the service itself had to a commit, a batch's if it is not measured. */
static unsigned events_to_commit(const struct bench *bench)
{
    unsigned seen = atomic_load_explicit(bench->events_per_commit, memory_order_relaxed);
    return seen == 0 ? BATCH : seen > COMMIT_MAX ? COMMIT_MAX : seen;
}

/* Events accepted in one transaction and recorded in the next. */
static int run_store(void *argument)
{
    const struct stage *stage = argument;
    static int64_t first[COMMIT_MAX];
    const struct load load = run_rows[RUN_batches].load;
    unsigned fan_out = load_fan_out(&load), waiting = 0;
    uint16_t ports[LOAD_ENDPOINTS_MAX] = {0};
    struct prepared prepared;
    char *payloads[LOAD_TYPES_MAX];
    bool good = prepare_open(&prepared, stage->service.folder, &load, ports);
    for (unsigned i = 0; i < load.types; i++)
        payloads[i] = load_payload(i, EVENT_BYTES);
    while (good && !to_stop(stage)) {
        unsigned batch = events_to_commit(stage->bench);
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
        waiting = batch;
        did(stage, batch * fan_out);
    }
    prepare_close(&prepared);
    return good ? 0 : 1;
}

static int run_hmac(void *argument)
{
    const struct stage *stage = argument;
    unsigned char mac[64];
    size_t mac_bytes;
    char *body = load_event(0, EVENT_BYTES + ENVELOPE_BYTES);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *kind = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(kind);
    if (EVP_MAC_init(context, (const unsigned char *)LOAD_SECRET, strlen(LOAD_SECRET), params) != 1)
        return 1;
    for (; !to_stop(stage); did(stage, WORK_STEP))
        for (int i = 0; i < WORK_STEP; i++)
            if (EVP_MAC_init(context, NULL, 0, NULL) != 1 ||
                EVP_MAC_update(context, (const unsigned char *)body, strlen(body)) != 1 ||
                EVP_MAC_final(context, mac, &mac_bytes, sizeof(mac)) != 1)
                return 1;
    return 0;
}

static int run_scan(void *argument)
{
    const struct stage *stage = argument;
    static char out[EVENT_BYTES * 4];
    static struct canon_key keys[EVENT_BYTES];
    char *event = load_event(0, EVENT_BYTES);
    for (; !to_stop(stage); did(stage, WORK_STEP))
        for (int i = 0; i < WORK_STEP; i++) {
            struct canon canon = {.in = event,
                                  .in_bytes = strlen(event),
                                  .out = out,
                                  .out_capacity_bytes = sizeof(out),
                                  .keys = keys,
                                  .keys_max = EVENT_BYTES};
            if (canon_document(&canon) != CANON_OK)
                return 1;
        }
    return 0;
}

static int (*const works[CEILING_COUNT])(void *argument) = {
    [CEILING_curl] = run_curl,   [CEILING_curl_1000] = run_curl, [CEILING_curl_tls] = run_curl,
    [CEILING_store] = run_store, [CEILING_hmac] = run_hmac,      [CEILING_scan] = run_scan};

static bool begin_work(struct stage *stage)
{
    stage->worker_pid = child_fork(works[stage->ceiling], stage);
    return stage->worker_pid > 0;
}

/* ---- the bare client ---- */

/* Against `port`, or against the sink if that is 0. */
static pid_t begin_client(struct stage *stage, uint16_t port)
{
    struct publisher_board *board = stage->publisher;
    board->load = stage->load;
    board->port_count = port != 0 ? 1 : stage->load.endpoints;
    for (unsigned i = 0; i < board->port_count; i++)
        board->ports[i] = port != 0 ? port : stage->sink->ports[i];
    snprintf(board->host, sizeof(board->host), "127.0.0.1");
    snprintf(board->head, sizeof(board->head),
             "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: revhook-bench\r\nAccept: "
             "*/*\r\nX-DevRev-Signature: %064d\r\nContent-Type: application/json\r\n",
             0);
    return publisher_start(board);
}

/* It is what is measured. */
static bool begin_epoll(struct stage *stage)
{
    stage->worker_pid = begin_client(stage, 0);
    return stage->worker_pid > 0;
}

static bool begin_h2o(struct stage *stage)
{
    stage->publisher_pid = begin_client(stage, (uint16_t)atomic_load(&stage->worker->port));
    return stage->publisher_pid > 0;
}

/* ---- a ceiling ---- */

static bool end_ceiling(struct stage *stage)
{
    const struct look *done = &stage->done;
    struct measured_ceiling *measured = &stage->bench->ceilings[stage->ceiling];
    double count = (double)done->count * stage->each;
    pid_t *client = stage->publisher_pid > 0 ? &stage->publisher_pid : &stage->worker_pid;
    bool ended = child_wait(*client, END_MS) == 0;
    unsigned long failed =
        atomic_load(&stage->publisher->failed) + atomic_load(&stage->worker->failed);
    *client = -1;
    if (!ended || failed > 0 || count == 0) {
        refused("%s could not be measured: %lu requests failed", stage->name, failed);
        return false;
    }
    sample_add(&measured->cpu_us, (double)usage_total(&done->worker) / 1e3 / count);
    sample_add(&measured->rate, count / ((double)done->at_ns / 1e9));
    if (stage->sink_pid > 0)
        sample_add(&measured->sink_us, (double)usage_total(&done->sink) / 1e3 / count);
    return true;
}

/* libh2o, and what the client sends it. */
static bool open_h2o(struct stage *stage)
{
    bool batches = stage->ceiling == CEILING_h2o_publish;
    stage->load.connections = batches ? 4 : 64;
    stage->load.types = stage->load.endpoints = batches ? 50 : 1;
    stage->load.batch = stage->each = stage->worker->answers = batches ? BATCH : 1;
    stage->worker->scan = batches;
    stage->begin = begin_h2o;
    stage->count = &stage->worker->done;
    stage->worker_pid = ceiling_h2o_start(stage->worker);
    return stage->worker_pid > 0;
}

/* A client, and the sink. */
static bool open_client(struct stage *stage)
{
    stage->load.endpoints = stage->ceiling == CEILING_curl_1000 ? 1000 : 100;
    stage->load.tls = stage->ceiling == CEILING_curl_tls;
    if (stage->ceiling == CEILING_epoll) {
        stage->load.event_bytes = EVENT_BYTES + ENVELOPE_BYTES;
        stage->load.connections = stage->load.endpoints;
        stage->begin = begin_epoll;
    }
    return stage_start_sink(stage);
}

bool ceiling_open(struct stage *stage, struct bench *bench, enum ceiling ceiling)
{
    const struct ceiling_row *row = &ceiling_rows[ceiling];
    if (!stage_set(stage, bench, row->plan.name))
        return false;
    stage->ceiling = ceiling;
    stage->load = (struct load){.orgs = 1, .types = 1, .batch = 1, .event_bytes = EVENT_BYTES};
    stage->warm_ms = WARM_MS;
    if (row->measure_ms_most < stage->measure_ms)
        stage->measure_ms = row->measure_ms_most;
    stage->begin = begin_work;
    stage->end = end_ceiling;
    switch (ceiling) {
    case CEILING_epoll:
    case CEILING_curl:
    case CEILING_curl_1000:
    case CEILING_curl_tls: return open_client(stage);
    case CEILING_h2o:
    case CEILING_h2o_publish: return open_h2o(stage);
    case CEILING_store:
    case CEILING_hmac:
    case CEILING_scan: stage->count = &stage->worker->done; return true;
    case CEILING_COUNT: break;
    }
    return false;
}
