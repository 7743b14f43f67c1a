/* A simulated world: one process with its store, its clocks, its receivers and its clients, in
 * virtual time and in one thread.
 *
 *     clients.c ──calls──▶ shell.c: the rounds of writer and senders ──POSTs──▶ receivers.c
 *                              │ commits                              ◀──ends──
 *                              ▼
 *                          observe.c ──what the store shows──▶ the auditor
 *
 * What is real: dispatcher/core, store/ with its memory back-end, and of the dispatcher the writer,
 * the loop around the core, mails, hooks, subscribers, recovery, the judge of echoes. What stands
 * in for the world outside: edge.c (clock, mailboxes, random numbers, log lines) and network.c
 * (libcurl). Both define the functions of the headers that they replace, so the linker takes them
 * in place of the dispatcher's own.
 *
 * There is one world at a time, `the_world`, because the functions that edge.c replaces know no
 * other argument. */
#ifndef REVHOOK_SIM_WORLD_H
#define REVHOOK_SIM_WORLD_H

#include "tools/sim/audit.h"
#include "tools/sim/random.h"

#include "dispatcher/loop_inside.h"
#include "dispatcher/threads.h"
#include "store/store_memory.h"

/* What is tried; see faults.def. */
enum fault {
#define X(group, name, weight, help) FAULT_##name,
#include "faults.def"
#undef X
    FAULT_COUNT
};

enum fault_group { GROUP_EVENT, GROUP_ECHO, GROUP_CLIENT, GROUP_DISASTER, GROUP_RESTART };

/* What a run counts, over all its worlds. */
struct tally {
    uint64_t faults[FAULT_COUNT];
    uint64_t outcomes[OUTCOME_COUNT]; /* of event POSTs, as the service saw them */
    uint64_t ends[DELIVERY_STATE_COUNT][REASON_COUNT];
    uint64_t webhooks, states[WEBHOOK_STATE_COUNT]; /* changes into each state */
    uint64_t calls_ok, calls_refused, calls_lost;
    uint64_t events, deliveries, posts, verifies, echoes, commits, commits_failed, crashes, worlds;
    uint64_t virtual_s;
};

/* ---- virtual time ---- */

enum moment_kind {
    MOMENT_THREAD,    /* a thread may run a round */
    MOMENT_OUTBOX,    /* it goes on handing over what its round made */
    MOMENT_END,       /* a POST ends */
    MOMENT_CLIENT,    /* a client asks something */
    MOMENT_ANSWERED,  /* an answer has reached its client */
    MOMENT_DISASTER,  /* one is drawn */
    MOMENT_HEAL,      /* the disk has room again */
    MOMENT_HICCUPED,  /* calls of the store fail no more */
    MOMENT_BRISK,     /* threads and commits are quick again */
    MOMENT_RECEIVERS, /* one of them draws another behaviour */
    MOMENT_DEATH,     /* it dies */
    MOMENT_START,     /* the process is started */
};

struct moment {
    int64_t at_ms;
    uint64_t order; /* of those at the same time */
    enum moment_kind kind;
    uint32_t life; /* of the process; 0: of the world */
    int64_t what;
    void *thing;
};

/* ---- threads ---- */

enum parcel_kind { PARCEL_MAIL, PARCEL_ANSWER, PARCEL_POST };

/* Something that a round hands over. */
struct parcel {
    enum parcel_kind kind;
    struct mailbox *mailbox;
    struct mail *mail;
    struct dispatch_call *call;
    struct post *post;
};

/* A thread between its rounds: thread 0 is the writer, the others are senders. What a round makes
 * is handed over piece by piece, in order; the thread goes on when all is handed over. */
struct sim_thread {
    struct parcel *parcels;
    unsigned count, capacity, next;
    int64_t wake_at; /* MONO_NEVER: not planned */
    int64_t rounded_at;
    unsigned rounds_now; /* at this very millisecond */
};

/* ---- receivers ---- */

struct receiver {
    enum fault event_mode, echo_mode;
    bool settled; /* it does not change any more */
};

#define RECEIVERS_MAX  96
#define WEBHOOKS_MAX   64
#define THREADS_MAX    4
#define CHALLENGE_ROOM 64

/* What a client knows of a webhook. */
struct known_webhook {
    int64_t key;
    unsigned receiver;
    uint32_t url_tag, secret_tag;
    bool deleted;
};

/* The kind of world that a seed decides. */
struct plan {
    uint64_t seed;
    bool calm, settle_well;
    unsigned senders, webhooks_first, webhooks_max, batch_max;
    int64_t client_mean_ms, disaster_mean_ms, receiver_mean_ms;
    uint64_t deliveries; /* so many, then it comes to rest */
    int64_t publish_ms;  /* or after so long */
    struct core_config core;
};

struct sim_call;
struct observer;

struct world {
    struct plan plan;
    struct tally *tally;
    struct audit *audit;
    FILE *trace;
    struct random random;  /* decides what happens */
    struct random entropy; /* what the service draws: ids, challenges */
    /* Time. */
    int64_t now_ms;
    wall_us wall_offset_us; /* wall = now_ms * 1000 + this */
    int64_t boot_at_ms;
    unsigned boot;
    struct moment *moments; /* a heap by (at_ms, order) */
    size_t moment_count, moment_capacity;
    uint64_t moment_order;
    int64_t paused_until_ms; /* no client asks for anything */
    bool over;
    /* The process. */
    struct store *store;
    struct dispatch *dispatch; /* NULL: it does not run */
    struct clock *clock;
    uint32_t life;
    bool dying; /* nothing that it hands over reaches anybody */
    struct sim_thread threads[THREADS_MAX];
    int running; /* the thread whose round it is; -1: none */
    unsigned slow_ms, commit_slow_ms;
    bool store_failing;
    enum fault crash;     /* planned for the next round of its thread; FAULT_COUNT: none */
    bool crash_on_change; /* soon after a webhook has left the active state */
    bool calm_now;
    int64_t calm_at_ms;
    /* Outside. */
    struct receiver receivers[RECEIVERS_MAX];
    unsigned receiver_count;
    struct known_webhook webhooks[WEBHOOKS_MAX];
    unsigned webhook_count;
    char previous_challenge[CHALLENGE_ROOM];
    struct sim_call *calls; /* without an answer */
    int64_t call_count, number_count, post_count;
    uint32_t tag_count;
    unsigned posts_under_way;
    struct observer *observer;
};

extern struct world *the_world;

/* ---- world.c ---- */

/* Plays one world to its end: until everything has come to rest or an invariant is violated. Adds
 * to `tally`; prints the event stream to `trace` unless it is NULL, and violations to `out`.
 * Returns how many there were. */
unsigned world_play(const struct plan *plan, struct tally *tally, FILE *trace, FILE *out);

/* Plans a moment of the process (it lapses when it dies) or of the world. */
void world_plan(struct world *world, int64_t at_ms, enum moment_kind kind, bool of_process,
                int64_t what, void *thing);
wall_us world_wall(const struct world *world);
/* Hands an event to the auditor; at_ms and wall are set here. */
void world_tell(struct world *world, struct audit_event *event);
/* Draws a row of a group by weight, and counts it if `counted`. */
enum fault world_draw(struct world *world, enum fault_group group);
void world_count(struct world *world, enum fault fault);

/* ---- shell.c ---- */

/* What seals for every life of the service, so that what one has sealed the next one opens. */
struct sealer *shell_sealer(void);
void shell_start(struct world *world, bool reboot);
/* The process dies: what was not committed is gone. */
void shell_crash(struct world *world);
/* Frees the process. */
void shell_free(struct world *world);
void shell_run(struct world *world, unsigned thread);
void shell_hand_over(struct world *world, unsigned thread);
/* Something may have become due for this thread. */
void shell_poke(struct world *world, unsigned thread);
/* Puts something among what the running round hands over. */
void shell_parcel(struct world *world, const struct parcel *parcel);
/* Mail from a client's thread. */
void shell_mail(struct world *world, struct mailbox *mailbox, struct mail *mail);
/* Nothing is under way. */
bool shell_at_rest(struct world *world);

/* ---- disasters.c ---- */

void disaster_strike(struct world *world);
void disaster_heal(struct world *world);
void disaster_hiccuped(struct world *world);
/* A webhook has come into this state. */
void disaster_watch(struct world *world, enum webhook_state state);
/* No more of them. */
void disaster_end(struct world *world);
/* The process died; plans its next start. */
void disaster_restart(struct world *world);

/* ---- network.c ---- */

/* A POST left the service. */
void network_send(struct world *world, struct post *post);
void network_ended(struct world *world, struct post *post);
/* Whether a sender has POSTs that ended. */
bool network_has_ended(struct sender *sender);

/* ---- receivers.c ---- */

/* What becomes of one POST. */
struct answer {
    enum outcome outcome;
    uint16_t http_status;
    int64_t after_ms; /* it is complete, or fails; the time limit is the network's */
    char body[256];
    char echo[AUDIT_TEXT_BYTES]; /* the challenge in the body, for the auditor */
};

unsigned receiver_new(struct world *world);
void receiver_change(struct world *world, unsigned receiver);
/* From now on it stays as it is: well, or as it was. */
void receiver_settle(struct world *world, unsigned receiver, bool well);
void receiver_take_event(struct world *world, unsigned receiver, struct answer *answer);
void receiver_take_verify(struct world *world, unsigned receiver, const char *challenge,
                          struct answer *answer);

/* ---- clients.c ---- */

void clients_begin(struct world *world);
void clients_act(struct world *world);
/* A call was answered by the service. */
void clients_told(struct world *world, struct dispatch_call *call);
/* The process died: nobody answers any more. */
void clients_lost(struct world *world);

/* ---- observe.c ---- */

void observe_begin(struct world *world);
void observe_end(struct world *world);
/* Tells the auditor what the store shows after a round of the writer, if there was a commit. */
void observe_commits(struct world *world);
/* A redelivery was asked for: look whether it is open after each commit. */
void observe_redelivery(struct world *world, int64_t delivery);
/* Tells it all deliveries that the store holds. */
void observe_all(struct world *world, bool last);
/* A number for everything that a recovered process and its store hold. */
uint64_t observe_hash(struct world *world);
/* How many deliveries there are, and the webhook of one (0: none). */
uint64_t observe_deliveries(const struct world *world);
int64_t observe_webhook_of(const struct world *world, int64_t delivery);

#endif
