/* The dispatcher as the API sees it: calls that change something, handed over without waiting and
 * answered by a callback when their effect is durable.
 *
 * Owns: the writer thread, the sender threads, what is in memory of webhooks and deliveries, the
 * virtual clock's movement. Refuses: JSON, HTTP towards clients, tokens, ids as text (but for
 * making them).
 *
 * A call is a struct that the caller allocates and leaves alone until `done` is called, exactly
 * once, on a thread of the dispatcher: it must only hand the call over to its own thread. Then the
 * call, with `result` and the out fields, is the caller's again. Pointers inside it (payloads,
 * patches) must stay valid until then. Reads go to the store directly. */
#ifndef REVHOOK_DISPATCHER_DISPATCH_H
#define REVHOOK_DISPATCHER_DISPATCH_H

#include "core/core.h"
#include "dispatcher/clock.h"
#include "dispatcher/egress.h"
#include "dispatcher/mailbox.h"
#include "dispatcher/reseal.h"
#include "dispatcher/sign_form.h"
#include "dispatcher/text.h"
#include "store/store.h"

enum dispatch_result {
    DISPATCH_OK,
    DISPATCH_NOT_FOUND,  /* no such webhook or delivery (any more) */
    DISPATCH_CONFLICT,   /* redeliver: it is still open; publish: the idempotency key was used for
                            another body */
    DISPATCH_NOT_ACTIVE, /* redeliver, fetch: the webhook is not active; `webhook_state` says what
                            it is */
    DISPATCH_TOO_MANY_HEADERS,    /* update: more than WEBHOOK_HEADERS_MAX afterwards */
    DISPATCH_TOO_MANY_DELIVERIES, /* publish: more than batch_deliveries_max */
    DISPATCH_TOO_MANY_WEBHOOKS,   /* create: more than webhooks_max */
    DISPATCH_BACKLOG,             /* publish, fetch: more than backlog_max are open; try again
                                     later */
    DISPATCH_UNAVAILABLE, /* the store cannot commit now, or the service is stopping; nothing has
                             changed */
};

#define WEBHOOK_HEADERS_MAX 8

struct webhook_header {
    const char *name;
    const char *value;
};

struct dispatch_call {
    struct mail mail; /* the dispatcher's */
    void (*done)(struct dispatch_call *call);
    enum dispatch_result result;
};

/* webhooks.create. In: all but key. Strings end with 0 and are checked already (url by egress,
 * secret, headers). */
struct create_call {
    struct dispatch_call call;
    const char *org, *partition;
    const char *id; /* random, unique; a clash is answered by DISPATCH_CONFLICT: draw again */
    const char *url, *target, *secret;
    struct event_set event_types;
    const struct webhook_header *headers;
    size_t header_count;
    struct sign_own signature;
    const char *user;
    int64_t key; /* out */
};

/* webhooks.update and webhooks.delete. NULL or 0: leave as it is. Applied in the order set, add,
 * remove; then `command`. */
struct update_call {
    struct dispatch_call call;
    int64_t webhook;
    const char *url,
        *target; /* both or neither; a url equal to the present one counts as a change, too */
    const char *secret;
    bool set_event_types, set_headers;
    struct event_set event_types, add_event_types, remove_event_types;
    const struct webhook_header *headers, *add_headers;
    size_t header_count, add_header_count;
    const char *const *remove_headers;
    size_t remove_header_count;
    bool reset_signature; /* to the service's form, before `signature` */
    struct sign_own signature;
    enum webhook_command command;
    const char *user;
};

/* events.publish: one to batch_events_max events, all or none. */
struct publish_event {
    enum event_type type;
    const char *payload; /* canonical JSON object */
    size_t payload_bytes;
    int64_t key;             /* out */
    uint64_t salt;           /* out */
    uint32_t delivery_count; /* out */
};

struct publish_call {
    struct dispatch_call call;
    const char *org;
    struct publish_event *events;
    uint32_t event_count;
    bool batch;
    const char *idempotency_key; /* NULL: none */
    uint8_t body_sha256[32];
    /* out */
    bool replayed; /* the key was used before for the same body: these are the events of then:
                      first_event, replayed_count, replayed_batch; `events` is untouched. Read them
                      from the store to answer again. */
    int64_t first_event;
    uint32_t replayed_count;
    bool replayed_batch;
    wall_us created_us;
};

/* deliveries.redeliver. */
struct redeliver_call {
    struct dispatch_call call;
    int64_t delivery, webhook;        /* checked by the caller to belong to its organisation */
    enum webhook_state webhook_state; /* out, with DISPATCH_NOT_ACTIVE */
};

/* webhooks.fetch: the last published version of an object goes to the webhook, and to nobody else,
 * as an event work_fetched or sla_tracker_fetched, subscribed or not; so does the answer that there
 * is none. */
struct fetch_call {
    struct dispatch_call call;
    int64_t webhook;                  /* checked by the caller to belong to its organisation */
    struct text object;               /* its id or display id, UTF-8 */
    enum webhook_state webhook_state; /* out, with DISPATCH_NOT_ACTIVE */
};

/* Anything else that is to be done to the store in one transaction, or not at all: organisations,
 * tokens. */
struct store_call {
    struct dispatch_call call;
    /* Called by the writer within its transaction; uses the verbs of the store that may be used
     * there, and none that dispatcher and sender know more about (webhooks, deliveries). What it
     * refuses it notes for itself, having changed nothing, and gives STORE_OK; anything else fails
     * the transaction. `now` is the clock's. */
    enum store_result (*apply)(struct store_call *call, struct store *store, struct instant now);
};

/* clock.advance; only with a virtual clock. One at a time: others wait in line. */
struct advance_call {
    struct dispatch_call call;
    bool to_next; /* else by `ms` */
    dur_ms ms;
    /* out */
    struct instant now;
    uint64_t attempts; /* event POSTs that began since the clock began to move */
    mono_ms next;      /* MONO_NEVER: none */
};

struct dispatch_options {
    struct core_config core; /* limits are for all senders together; divided here */
    unsigned senders;
    struct store *store;
    struct clock *clock;
    struct sealer *sealer;       /* the caller's; that of the store */
    void (*resealed)(void *ctx); /* after dispatch_reseal, when it is done; on the writer's thread;
                                    may be NULL */
    void *resealed_ctx;
    struct egress_policy egress;
    unsigned verify_per_host_max; /* verify requests a minute to one host; 0: no cap */
    dur_ms attempt_timeout_ms;
    size_t response_bytes_max, response_kept_bytes, challenge_bytes_max;
    bool top_level_challenge;
    struct sign_form sign_form; /* of webhooks that set none for themselves */
    const char *ca_file;        /* trusted besides the system's; "": none */
    const char *target_cert_file,
        *target_key_file; /* shown to targets that ask; NULL or "": none */
    const char *user_agent;
    uint32_t batch_deliveries_max;
    uint64_t backlog_max, webhooks_max;
    dur_ms idempotency_ms, retention_ms;
    bool degraded_status_visible; /* `status` of webhooks in events may be "degraded" */
};

struct dispatch;

/* Reads the store, starts the threads, goes on with what was open. On error NULL and `error` says
 * why; the store stays the caller's. */
struct dispatch *dispatch_start(const struct dispatch_options *options, char *error,
                                size_t error_bytes);

/* Ends: takes no more calls (they are answered DISPATCH_UNAVAILABLE), starts no attempt, lets those
 * in flight end for at most `patience_ms`, commits, joins the threads, frees. Returns how many
 * attempts were cut off (they are made again at the next start). Call from the thread that made it.
 */
unsigned dispatch_stop(struct dispatch *dispatch, dur_ms patience_ms);

/* Hand a call over. Any one thread at a time. */
void dispatch_create(struct dispatch *dispatch, struct create_call *call);
void dispatch_update(struct dispatch *dispatch, struct update_call *call);
void dispatch_publish(struct dispatch *dispatch, struct publish_call *call);
void dispatch_redeliver(struct dispatch *dispatch, struct redeliver_call *call);
void dispatch_fetch(struct dispatch *dispatch, struct fetch_call *call);
void dispatch_store(struct dispatch *dispatch, struct store_call *call);
void dispatch_advance(struct dispatch *dispatch, struct advance_call *call);

/* Seals what is not sealed under the newest key again, a little at a time. Any thread. */
void dispatch_reseal(struct dispatch *dispatch);

/* The answer to a create or update call that was DISPATCH_OK has gone out (or its client has gone):
 * the verify run may begin. Must be called exactly once for each of those, deletes included;
 * `webhook` is its key. */
void dispatch_answered(struct dispatch *dispatch, int64_t webhook);

/* The earliest time at which something is due (virtual clock: clock.get); MONO_NEVER if nothing is.
 * Any thread. */
mono_ms dispatch_next_deadline(struct dispatch *dispatch);

/* Whether a delivery is in flight now; and up to `keys_max` keys of those that are, in no order.
 * Any thread. */
bool dispatch_in_flight(struct dispatch *dispatch, int64_t delivery);
size_t dispatch_in_flight_keys(struct dispatch *dispatch, int64_t *keys, size_t keys_max);

/* What a metric row counts (schema/metric.def has names and help). */
struct dispatch_stats {
#define X(name, kind, help) uint64_t name;
#include "../schema/metric.def"
#undef X
};

/* Counters and gauges as of now. Any thread. */
void dispatch_stats(struct dispatch *dispatch, struct dispatch_stats *stats);

#endif
