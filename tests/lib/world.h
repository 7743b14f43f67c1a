/* A small world around the core, for tests: one thread, virtual time, a model of the store.
 *
 * Owns: a shell that allocates webhooks and deliveries, carries out effects, commits in memory, and
 * writes down what a person would see (the transcript); and the rules that must hold after every
 * step, whatever the test is about, as assertions (world_check.c). Refuses: sockets, threads, the
 * real clock, the code of the store.
 *
 * As in the daemon, what the core wants committed waits in line (`ops`), one writer works the line
 * off in order, and what it has to tell waits in line, too (`reports`). By default both lines are
 * worked off at once. With `held` set a test works them off by hand, to see what happens between a
 * decision and its commit.
 *
 * The transcript has one line for each POST, verify request, recorded attempt and change of state,
 * with the time in seconds in front:
 *
 *     0 verify w1           a verify request goes out
 *     0 w1 active           a change of state was committed (with its reason, if it has one)
 *     0 post d1             an attempt begins
 *     3 d1 pending 33       an attempt was recorded: due again at 33 s
 *     33 d1 delivered       ... or the delivery ended */
#ifndef REVHOOK_TESTS_LIB_WORLD_H
#define REVHOOK_TESTS_LIB_WORLD_H

#include "core/core.h"

#include <stdio.h>

#define WORLD_ROWS_MAX     16384
#define WORLD_WEBHOOKS_MAX 256
#define WORLD_FLIGHT_MAX   1024
#define WORLD_TEXT_BYTES   65536

/* A webhook as the shell and the store see it. Lives as long as the world. */
struct world_webhook {
    int64_t key;
    struct webhook *core; /* NULL once the core has let go of it */
    struct webhook_status stored;
    uint32_t verify_seq; /* of the newest verify request */
    bool verify_open;    /* it has not been answered */
    unsigned verify_count, in_memory, in_queue;
    bool answer_owed; /* EVENT_ANSWERED is still to come */
};

/* A delivery as the store sees it, and what the core has been told of it. */
struct world_row {
    int64_t key;
    struct world_webhook *webhook;
    uint8_t state, reason, attempt_count;
    bool redelivery;
    mono_ms due;            /* MONO_NEVER: not open */
    unsigned opened, ended; /* how often; equal when it is not open */
    bool known;             /* open as far as the core knows */
    mono_ms known_due;
    bool flying;           /* started, and its outcome not yet worked off */
    struct delivery *post; /* its POST is under way ... */
    mono_ms posted_at;     /* ... and began then */
    unsigned posts;        /* how many there were */
    bool in_queue;         /* scratch of the checks */
};

struct world_op {
    enum core_effect_kind kind; /* RECORD, CHANGE, NOTE or REFILL */
    unsigned step;              /* the step that wanted it */
    struct world_webhook *webhook;
    struct webhook_status status;
    bool command;
    enum reason settle;
    int64_t except[WORLD_FLIGHT_MAX];
    unsigned except_count;
    struct world_row *row;
    uint8_t state, reason;
    mono_ms due; /* RECORD: next; REFILL: the frontier */
    int64_t key;
    unsigned limit;
    struct world_op *next;
};

struct world_report {
    struct core_event event;
    struct world_webhook *webhook;
    bool command;
    enum reason settle;
    struct world_report *next;
};

struct world {
    struct core core;
    struct instant now;
    bool held;                      /* commits and reports wait for world_commit and world_report */
    unsigned starts_max;            /* of every EVENT_RUN ... */
    unsigned hanging_starts_max;    /* ... likewise; any number at first */
    uint32_t (*weigh)(int64_t key); /* what a delivery weighs; NULL: 1 */
    bool hold_answers;              /* clients wait for world_answer */
    unsigned refuse_count; /* so many of the next changes that clients ask for are refused */
    struct world_webhook *webhooks[WORLD_WEBHOOKS_MAX];
    unsigned webhook_count;
    struct world_row *rows; /* by key, from 1 */
    int64_t row_count;
    int64_t first_open; /* scratch: no row before this is open */
    struct world_delivery *deliveries;
    struct world_op *ops, **ops_end;
    struct world_report *reports, **reports_end;
    unsigned steps;
    unsigned round; /* how many posts began in the last world_run */
    unsigned posts, refills, stale_refills;
    struct update update;
    size_t text_bytes;
    char text[WORLD_TEXT_BYTES];
};

/* The defaults of schema/config.def, for one sender. */
struct core_config world_config(void);

/* A new world at time 0, `config` NULL: the defaults. Free with world_free, which also checks that
 * nothing leaks. */
struct world *world_new(const struct core_config *config);
void world_free(struct world *world);

/* ---- what happens from outside; each is worked off completely unless `held` ---- */

struct world_webhook *world_create(struct world *world);
/* ... verified, and the transcript emptied. */
struct world_webhook *world_create_active(struct world *world);
/* Publishes one event for `webhook`; the key of the delivery, 0 if none came of it. */
int64_t world_publish(struct world *world, struct world_webhook *webhook);
/* `count` of them; the key of the first. */
int64_t world_publish_many(struct world *world, struct world_webhook *webhook, unsigned count);
/* False if it is open or its webhook is not active. */
bool world_redeliver(struct world *world, int64_t key);
/* The POST of a delivery ends. */
void world_end(struct world *world, int64_t key, enum outcome outcome);
/* The POST of a delivery has been under way for longer than a quick webhook takes. */
void world_overdue(struct world *world, int64_t key);
/* Every POST that is under way ends, in the order of the keys. */
void world_end_all(struct world *world, enum outcome outcome);
/* Makes a delivery use up its attempts, letting the time pass that this takes. */
void world_exhaust(struct world *world, int64_t key);
/* The newest verify request ends: acknowledged means that the challenge came back. */
void world_verified(struct world *world, struct world_webhook *webhook, enum outcome outcome);
void world_verified_seq(struct world *world, struct world_webhook *webhook, uint32_t seq,
                        enum outcome outcome);
/* Verify request `seq` was not sent; it may be tried again at `at`. */
void world_postponed(struct world *world, struct world_webhook *webhook, uint32_t seq, mono_ms at);
void world_command(struct world *world, struct world_webhook *webhook, bool changed,
                   enum webhook_command command);
void world_answer(struct world *world, struct world_webhook *webhook);
/* Lets time pass from deadline to deadline. */
void world_advance(struct world *world, dur_ms ms);
/* EVENT_RUN, without letting time pass. */
void world_run(struct world *world);
/* Several outcomes reach the core before it is run again. */
void world_end_quietly(struct world *world, int64_t key, enum outcome outcome);
/* The service stops without warning and starts again on what was committed. */
void world_crash(struct world *world);

/* ---- the two lines; false when empty ---- */

bool world_commit(struct world *world);
bool world_report(struct world *world);
/* Works both off, and runs, until nothing is left to do now. */
void world_drain(struct world *world);

/* ---- looking ---- */

struct world_row *world_row(struct world *world, int64_t key);
/* The transcript since the last call; valid until something happens. */
const char *world_text(struct world *world);
/* How many POSTs are under way, of one webhook (NULL: of all). */
unsigned world_posts_open(struct world *world, const struct world_webhook *webhook);

/* world_check.c: the rules, checked after every step and at every start of a POST. */
void world_check_start(struct world *world, const struct world_row *row,
                       const struct webhook *webhook, const struct delivery *delivery);
void world_check_forget(struct world *world, const struct core_effect *effect);
void world_check(struct world *world);

/* Shared by world.c and world_check.c: a delivery as it is allocated. */
struct world_delivery {
    struct delivery delivery; /* first */
    struct world_delivery *prev, *next;
};

#endif
