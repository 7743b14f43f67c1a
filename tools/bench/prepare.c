/* A store as it is after much work, see prepare.h.
 *
 * Owns: rows by the million, at the speed of the store's verbs: an event with its deliveries, then
 * what became of them, some thousand events to a transaction. Refuses: to write a table itself. */
#include "tools/bench/prepare.h"

#include "tools/bench/child.h"
#include "tools/revhook/revhook.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARTITION     "dvrv-us-1"
#define BATCH         2000 /* events in a transaction */
#define PAYLOAD_BYTES 1024 /* of events that wait */
#define ENDED_BYTES   256  /* of events that have ended: ten millions must fit on a disk */

static struct store_bytes text(const char *at)
{
    return (struct store_bytes){at, strlen(at)};
}

static bool good(const struct prepared *prepared, enum store_result result, const char *what)
{
    if (result != STORE_OK)
        refused("the store cannot be prepared (%s): %s", what, store_error(prepared->store));
    return result == STORE_OK;
}

static wall_us wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Organisation 0 is there from the start, and --dev knows its token. */
static bool insert_org(struct prepared *prepared, unsigned n)
{
    struct store_org org = {.id = text(load_org(n)),
                            .partition = text(PARTITION),
                            .name = text("bench"),
                            .created_us = wall_now()};
    struct store_token token = {.org = org.id,
                                .name = text("bench"),
                                .scopes = 1u << SCOPE_publish,
                                .created_us = wall_now()};
    const char *secret = load_token(n);
    return EVP_Digest(secret, strlen(secret), token.hash, NULL, EVP_sha256(), NULL) == 1 &&
           good(prepared, store_org_insert(prepared->store, &org), "organisation") &&
           good(prepared, store_token_insert(prepared->store, &token), "token");
}

static bool insert_webhook(struct prepared *prepared, unsigned n, unsigned port,
                           enum event_type type, int64_t *key)
{
    const struct load *load = prepared->load;
    char id[32], url[64];
    snprintf(id, sizeof(id), "bench%05u", n);
    snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", load->tls ? "https" : "http", port);
    wall_us now = wall_now();
    struct store_webhook row = {.id = text(id),
                                .org = text(load_org(n / load->types % load->orgs)),
                                .partition = text(PARTITION),
                                .url = text(url),
                                .target = text(url),
                                .secret = text(LOAD_SECRET),
                                .status = {.state = WEBHOOK_ACTIVE,
                                           .verified = true,
                                           .generation = 1,
                                           .since_us = now,
                                           .verify_next = MONO_NEVER,
                                           .verify_until = MONO_NEVER},
                                .created_us = now,
                                .modified_us = now};
    event_set_add(&row.event_types, type);
    if (!good(prepared, store_webhook_insert(prepared->store, &row), "webhook"))
        return false;
    *key = row.key;
    return true;
}

bool prepare_commit(struct prepared *prepared)
{
    /* Mono 0: the daemon's own time line begins with its first commit. */
    struct instant now = {0, wall_now()};
    if (!good(prepared, store_commit(prepared->store, now, ""), "commit"))
        return false;
    store_tend(prepared->store);
    return true;
}

bool prepare_open(struct prepared *prepared, const char *folder, const struct load *load,
                  const uint16_t *ports)
{
    const struct store_options options = {folder, STORE_ANSWER_BYTES_MAX};
    char error[512];
    int64_t unused;
    *prepared = (struct prepared){.load = load};
    if (store_open_sqlite(&options, &prepared->store, error, sizeof(error)) != STORE_OK) {
        refused("the store cannot be prepared: %s", error);
        return false;
    }
    prepared->webhooks = calloc(load->endpoints, sizeof(prepared->webhooks[0]));
    if (prepared->webhooks == NULL)
        out_of_memory();
    if (!good(prepared, store_begin(prepared->store), "begin"))
        return false;
    for (unsigned i = 1; i < load->orgs; i++)
        if (!insert_org(prepared, i))
            return false;
    for (unsigned i = 0; i < load->endpoints; i++)
        if (!insert_webhook(prepared, i, ports[i], load_type(i % load->types),
                            &prepared->webhooks[i]))
            return false;
    for (unsigned i = 0; i < load->webhooks_more; i++)
        if (!insert_webhook(prepared, load->endpoints + i, ports[i % load->endpoints],
                            load_type_unused(), &unused))
            return false;
    return prepare_commit(prepared);
}

void prepare_close(struct prepared *prepared)
{
    free(prepared->webhooks);
    store_close(prepared->store);
}

bool prepare_accept(struct prepared *prepared, struct store_bytes payload, int64_t *first)
{
    static struct store_target targets[LOAD_ENDPOINTS_MAX];
    const struct load *load = prepared->load;
    unsigned type = (unsigned)(prepared->turn % load->types), count = 0;
    unsigned org = (unsigned)(prepared->turn / load->types % load->orgs);
    struct store_event event = {.salt = (prepared->turn * UINT64_C(2654435761)) % 1000000007,
                                .org = text(load_org(org)),
                                .type = load_type(type),
                                .payload = payload,
                                .created_us = wall_now()};
    for (unsigned i = org * load->types + type; i < load->endpoints; i += load->types * load->orgs)
        targets[count++] =
            (struct store_target){prepared->webhooks[i], 0, DELIVERY_PENDING, REASON_none};
    prepared->turn++;
    if (!good(prepared, store_accept(prepared->store, &event, targets, count), "accept"))
        return false;
    *first = event.first_delivery;
    return true;
}

bool prepare_record(struct prepared *prepared, int64_t delivery)
{
    struct store_record record = {.delivery = delivery,
                                  .attempt = {.outcome = OUTCOME_acknowledged,
                                              .http_status = 200,
                                              .started_us = wall_now(),
                                              .duration_ms = 1,
                                              .answer = text("ok")},
                                  .state = DELIVERY_DELIVERED,
                                  .due = MONO_NEVER};
    return good(prepared, store_record(prepared->store, &record), "record");
}

/* Events until there are `rows` deliveries more; `ended`: they have been delivered. The event's
 * type must fit its payload, so there is one for each. */
static bool fill(struct prepared *prepared, uint64_t rows, bool ended)
{
    char *payloads[LOAD_TYPES_MAX];
    unsigned types = prepared->load->types, fan_out = load_fan_out(prepared->load);
    bool fine = true;
    for (unsigned i = 0; i < types; i++)
        payloads[i] = load_payload(i, ended ? ENDED_BYTES : PAYLOAD_BYTES);
    for (uint64_t done = 0; fine && done < rows && !child_stopped();) {
        fine = good(prepared, store_begin(prepared->store), "begin");
        for (unsigned i = 0; fine && i < BATCH && done < rows; i++, done += fan_out) {
            int64_t first;
            fine = prepare_accept(prepared, text(payloads[prepared->turn % types]), &first);
            for (unsigned k = 0; fine && ended && k < fan_out; k++)
                fine = prepare_record(prepared, first + k);
        }
        fine = fine && prepare_commit(prepared);
    }
    for (unsigned i = 0; i < types; i++)
        free(payloads[i]);
    return fine && !child_stopped();
}

bool prepare_rows(struct prepared *prepared)
{
    return fill(prepared, prepared->load->rows, true) &&
           fill(prepared, prepared->load->pending, false);
}
