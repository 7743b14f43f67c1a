/* The core: every decision about when to POST, when to verify and what an outcome means, as one
 * pure step.
 *
 * Owns: the two state machines (schema/webhook.def, schema/delivery.def), the schedule, the choice
 * of what goes next, the health of webhooks. Refuses: I/O, clocks, random numbers, threads, memory
 * of its own. It links libc alone.
 *
 * One instance serves one sender thread and knows the webhooks of that sender and the deliveries
 * that are open and in memory. The shell (dispatcher/loop.c, or the simulator) feeds it events with
 * the time in them, and carries out the effects that come back, in their order:
 *
 *     shell: event happened ─▶ core_step(core, &event, &update) ─▶ for each update.effects: commit,
 * send, free
 *
 * How a change of a webhook's state becomes true. The core never changes the state of a webhook by
 * itself: it proposes (EFFECT_CHANGE carries the proposed status), starts nothing for that webhook
 * meanwhile, and lets outcomes that arrive wait. When the store has committed (EVENT_COMMITTED) the
 * change is true and what it means for the queue is carried out; when the store refused
 * (EVENT_REFUSED, possible only for what a client asked) nothing has happened. So no POST can start
 * between a decision and its commit, and an answer to a client is never ahead of the truth.
 *
 * What is in memory. Of each webhook the earliest open deliveries, by (due, key), up to a window;
 * the rest stays in the store alone, behind `frontier`, and is asked for with EFFECT_REFILL when
 * the window runs low (dispatcher/core/backlog.c).
 *
 * Memory: the shell allocates struct webhook and struct delivery and hands them in; the core links
 * them together until it says EFFECT_FORGET or EFFECT_FORGET_WEBHOOK, from when on they are the
 * shell's again. Thread: one at a time. */
#ifndef REVHOOK_CORE_CORE_H
#define REVHOOK_CORE_CORE_H

#include "core/heap.h"
#include "core/types.h"

/* Every number that the rules depend on; the defaults stand in schema/config.def. */
struct core_config {
    dur_ms retry_delays_ms[16]; /* delay before attempt 2, 3, ..., from the end of the attempt
                                   before */
    unsigned retry_count;       /* how many of them: attempts = retry_count + 1 */
    unsigned in_flight_max;     /* POSTs at once, of this instance */
    unsigned in_flight_per_webhook_max;
    unsigned young_max; /* of those, POSTs to quick webhooks that are not overdue; 0: no limit */
    unsigned degrade_after; /* deliveries in a row that used up their attempts */
    dur_ms verify_window_ms;
    dur_ms verify_offsets_ms[16]; /* when a verify request goes out, after the window began;
                                     ascending */
    unsigned verify_offset_count;
    dur_ms
        probe_delay_min_ms; /* while degraded: delay after the first failed verify, then doubling */
    dur_ms probe_delay_max_ms;
    dur_ms degraded_max_ms; /* degraded for so long without an echo: inactive */
    unsigned window_max; /* weight of the open deliveries of one webhook in memory, while there is
                            room */
    unsigned memory_max; /* weight of all in memory from which on windows are small */
};

/* What is known of an attempt when it has ended: facts only. */
struct attempt_facts {
    uint8_t outcome;      /* enum outcome */
    uint16_t http_status; /* 0 if no answer came */
    wall_us started_us;
    dur_ms duration_ms; /* real time, also under the virtual clock */
};

/* One event to one webhook, as long as it is open and in memory. */
struct delivery {
    /* Set by the shell before EVENT_ACCEPTED or EVENT_REFILLED. */
    int64_t key; /* the store's; ascending in the order of acceptance */
    struct webhook *webhook;
    mono_ms due;
    uint8_t attempt_count; /* attempts recorded so far */
    bool redelivery;       /* one attempt that a person asked for, outside the schedule */
    uint32_t generation;   /* the core's: of the webhook when its last attempt began */
    uint32_t weight;       /* what it takes in memory: 1 for a small one; counts in windows */
    void *event;           /* the shell's; the core never looks */
    void *answer;          /* the shell's: what the receiver answered; the core never looks */

    /* The core's. */
    uint8_t state;              /* enum delivery_state */
    uint8_t reason;             /* enum reason: set when `state` is FAILED or DROPPED */
    struct attempt_facts facts; /* of the attempt that ended last */
    struct heap_node node;      /* in webhook->queue, by (due, key) */
    struct delivery *next;      /* in one of the core's lists */
    struct delivery *flight_prev, *flight_next;
    bool young; /* in flight to a quick webhook, and not overdue */
};

struct delivery_list {
    struct delivery *head, *tail;
};

/* How soon a webhook answers, see core/select.c. */
enum speed { SPEED_QUICK, SPEED_SLOW, SPEED_HANGING, SPEED_COUNT };

/* One webhook. The shell sets key, status, config, spilled, and zeroes the rest. */
struct webhook {
    int64_t key;
    struct webhook_status status; /* as committed */
    void *config;                 /* the shell's; the core never looks */
    bool spilled;                 /* the store holds open deliveries behind the frontier */

    /* The core's. */
    bool changing;        /* `proposed` is on its way to the store */
    bool verifying;       /* a verify request is under way */
    bool awaiting_answer; /* the client has not been told yet; verify starts after EVENT_ANSWERED */
    bool answered_later;  /* the client that asked for `proposed` is told after the commit */
    bool echoed;          /* an echo came in while changing */
    bool refilling;       /* EFFECT_REFILL was asked for */
    bool refill_stale;    /* its answer will miss something: throw it away and ask again */
    bool on_ring, on_timers;        /* where it is linked */
    uint8_t effects;                /* WEBHOOK_FX_* of the proposed change */
    uint8_t settle;                 /* enum reason: how the proposed change ends the queue */
    unsigned refill_limit;          /* what was asked for */
    wall_us noted_us;               /* the last success that was sent to the store */
    uint32_t verify_seq;            /* names the verify request under way; older ones are void */
    struct webhook_status proposed; /* while changing */
    struct heap queue;              /* open, not in flight, by (due, key) */
    unsigned queued, weight;        /* how many, and what they weigh */
    mono_ms
        frontier_due; /* behind (frontier_due, frontier_key) nothing is in memory while spilled */
    int64_t frontier_key;
    struct delivery *flight;      /* in flight */
    unsigned in_flight, young;    /* young: how many of them are */
    mono_ms quick_at;             /* when it last answered at once */
    uint8_t speed;                /* enum speed */
    struct delivery_list waiting; /* ended while changing */
    struct heap_node timer; /* in core->timers, by the earliest time something is to be done */
    struct webhook *ring_prev, *ring_next;
};

enum core_event_kind {
    EVENT_WEBHOOK,  /* `webhook` is new, or was read at start. Its open deliveries are in the store
                       (spilled) or none */
    EVENT_ACCEPTED, /* `delivery` was committed */
    EVENT_REFILLED, /* `deliveries` (ascending) answer EFFECT_REFILL; `more` tells whether the store
                       has others behind */
    EVENT_ENDED,    /* the POST of `delivery` ended with `facts` */
    EVENT_OVERDUE,  /* the POST of `delivery` was to be answered soon and was not yet */
    EVENT_VERIFIED, /* verify request `verify_seq` of `webhook` ended; `facts.outcome` acknowledged:
                       echoed */
    EVENT_POSTPONED, /* verify request `verify_seq` of `webhook` was not sent, for its host has had
                        enough for now; it may be tried again `at` that time */
    EVENT_COMMAND,   /* a client asks: `changed` url or secret, then `command`; not while
                        webhook_changing() */
    EVENT_COMMITTED, /* the proposed change of `webhook` is durable */
    EVENT_REFUSED,   /* the proposed change of `webhook`, asked for by a client, could not be
                        committed */
    EVENT_ANSWERED, /* the client has its answer: the verify run that its command began may start */
    EVENT_RUN,      /* nothing happened but time: do what is due, start what may start, but at most
                       `starts_max` POSTs (0: any number), and of these at most `hanging_starts_max`
                       to webhooks that hang */
};

/* What a client may ask of a webhook's state. */
enum webhook_command { COMMAND_NONE, COMMAND_ACTIVATE, COMMAND_DEACTIVATE, COMMAND_DELETE };

struct core_event {
    enum core_event_kind kind;
    struct instant now;
    struct webhook *webhook;
    struct delivery *delivery;
    struct delivery_list deliveries;
    bool more;
    bool changed;
    bool answered_later; /* EVENT_COMMAND: hold the verify run back until EVENT_ANSWERED */
    enum webhook_command command;
    uint32_t verify_seq;
    mono_ms at; /* EVENT_POSTPONED */
    unsigned starts_max, hanging_starts_max;
    struct attempt_facts facts;
};

enum core_effect_kind {
    EFFECT_RECORD, /* commit the attempt in delivery->facts and the state, reason and due that
                      follow from it */
    EFFECT_CHANGE, /* commit webhook->proposed, and settle its queue if `settle` is not REASON_none,
                      leaving out what is in flight (webhook->flight); in the same transaction as
                      the effects before it in this step */
    EFFECT_NOTE,  /* commit webhook->status as it stands: verify plan or health moved, the state did
                     not */
    EFFECT_START, /* POST `delivery` now */
    EFFECT_VERIFY,  /* send a challenge to `webhook` now; answer with EVENT_VERIFIED, or with
                       EVENT_POSTPONED, and `verify_seq` */
    EFFECT_REFILL,  /* read open deliveries of `webhook` behind its frontier, after all effects
                       before  this, until they weigh `limit` */
    EFFECT_FORGET,  /* `delivery` is the shell's again */
    EFFECT_SETTLED, /* the change of `webhook` is over, done or refused: next command */
    EFFECT_FORGET_WEBHOOK, /* `webhook` is deleted and nothing of it is in flight: it is the shell's
                              again */
};

struct core_effect {
    enum core_effect_kind kind;
    struct webhook *webhook;
    struct delivery *delivery;
    uint32_t verify_seq;
    unsigned limit;
    enum reason settle;
    bool command; /* EFFECT_CHANGE: a client asked for it, so the store may refuse */
};

#define UPDATE_EFFECTS_MAX 256

/* What one step wants done. `more`: the step was cut because the update is full; step again with
 * EVENT_RUN at once. */
struct update {
    struct core_effect effects[UPDATE_EFFECTS_MAX];
    unsigned count;
    bool more;
};

struct core {
    struct core_config config;
    struct instant now;                 /* of the last event */
    struct heap timers;                 /* webhooks by the next time something is to be done */
    struct webhook *rings[SPEED_COUNT]; /* webhooks that may have something to start now, in turn */
    uint8_t turn;                       /* which of them is first in the next run */
    bool starts_left;           /* the last EVENT_RUN began starts_max, and more may start ... */
    bool hanging_left;          /* ... or hanging_starts_max of those to webhooks that hang */
    struct delivery_list ended; /* outcomes to be worked off as soon as an update has room */
    struct delivery_list gone;  /* to be forgotten as soon as an update has room */
    unsigned in_flight, young;
    unsigned queued; /* open and not in flight, in memory, and those that refills were asked for */
    unsigned weight; /* of those */
};

/* Makes `core` ready; nothing to free. `config` is copied. */
void core_init(struct core *core, const struct core_config *config);

/* Takes one event and writes what is to be done to `update` (its old content is overwritten). Never
 * fails: what cannot happen by webhook.def or delivery.def stops the program. Time in events may
 * stand still but never goes back on the mono line. */
void core_step(struct core *core, const struct core_event *event, struct update *update);

/* When EVENT_RUN is due next: a time not after core->now if something can be done at once, a
 * millisecond later if hanging_starts_max held something back, MONO_NEVER if never. */
mono_ms core_deadline(const struct core *core);

/* The next state of a webhook or delivery by schema/webhook.def and schema/delivery.def: a state,
 * or *_IGNORE, or *_BUG. `effects` and `reason` may be NULL. Pure. */
enum webhook_state webhook_next(enum webhook_state state, enum webhook_event event,
                                unsigned *effects, enum reason *reason);
enum delivery_state delivery_next(enum delivery_state state, enum delivery_event event);

/* The terminal state of a delivery that ends for `reason` without an acknowledgement
 * (schema/reason.def). Pure. */
enum delivery_state delivery_end(enum reason reason);

/* Effects in a row of webhook.def. */
enum {
    WEBHOOK_FX_NONE = 0,
    WEBHOOK_FX_OPEN_WINDOW = 1,
    WEBHOOK_FX_PROBE = 2,
    WEBHOOK_FX_STOP_VERIFY = 4,
    WEBHOOK_FX_HOLD = 8,
    WEBHOOK_FX_RELEASE = 16,
    WEBHOOK_FX_SETTLE = 32,
};

/* The status of a webhook that was just created: unverified, window open, first verify due at once.
 * Semantics: the window runs from the create call. */
struct webhook_status webhook_status_new(const struct core_config *config, struct instant now);

/* What `outcome` is by schema/outcome.def. */
bool outcome_acknowledged(enum outcome outcome);
bool outcome_hurts_health(enum outcome outcome);

#endif
