/* What the files of the auditor share; nobody else includes this. */
#ifndef REVHOOK_SIM_AUDIT_INSIDE_H
#define REVHOOK_SIM_AUDIT_INSIDE_H

#include "tools/sim/audit.h"

#define AUDIT_RING     16384 /* events remembered for the report of a violation */
#define AUDIT_WEBHOOKS 512
#define ON_TIME_MS     1000 /* what L1 and L2 allow beyond the schedule */

/* What the store shows of a webhook. */
struct audit_shown {
    uint8_t state, reason;
    uint32_t generation, url_tag, secret_tag, failures;
    mono_ms run_since, until;
    struct event_set types;
};

struct audit_webhook {
    bool known;
    struct audit_shown now, before; /* before: when the commit that is being shown began */
    bool changed;                   /* by the commit that is being shown */
    uint8_t seen_states;            /* bit by state: was ever in it */
    uint32_t echoed_generation;     /* the last one that echoed rightly; 0: none */
    bool echoed_in_run;             /* since the present window or probing began */
    unsigned run;                   /* counts windows and probings */
    bool delete_told;
    unsigned asked[4]; /* by enum webhook_command, ever */
    unsigned probes;   /* verify requests since it was degraded */
    unsigned in_flight;
    /* Exhausted deliveries in a row: at most so many, and at least; and whether the first was ever
     * enough to degrade it while it was active as it is now. */
    unsigned streak, streak_sure;
    bool enough;
    int64_t first_started; /* greatest key whose first attempt began in this boot */
    int64_t settled_to;    /* deliveries up to this key ended with a change, or were in flight */
    mono_ms active_since;
    int64_t left_active_at_ms; /* when it was last seen to become anything but active */
    mono_ms full_at;           /* when it last had as many attempts in flight as it may */
    mono_ms must_at; /* something must have happened by then; MONO_NEVER: nothing is due */
    enum invariant must;
};

struct audit_delivery {
    bool known, in_flight, done; /* done: its last attempt ended, in this boot */
    bool excepted;               /* was in flight when its queue ended */
    bool reopened, closed;       /* a redelivery is open; its end was seen */
    uint8_t type, state, reason, lost_boot;
    int64_t event, webhook;
    mono_ms accepted;
    mono_ms ends[16]; /* by number of the attempt, from 1 */
    wall_us stamp;
    uint32_t recorded, posts_boot; /* attempts in the store when the boot began; POSTs since */
    uint32_t posts, lost, acknowledged, redeliveries;
    uint32_t scan; /* the last listing that showed it */
};

struct audit_accepted {
    bool known;
    int64_t number, first_delivery;
    uint64_t salt;
    uint8_t type;
    uint32_t count, shown;
};

enum audit_call_state { CALL_NONE, CALL_ASKED, CALL_OK, CALL_REFUSED, CALL_UNKNOWN };

/* A call, by its number; and for a publish its range of event numbers. */
struct audit_call {
    enum audit_call_state state;
    enum audit_kind kind;
    int64_t webhook, number, at_ms;
    uint32_t count, shown, url_tag, secret_tag;
    uint32_t redeliveries; /* of its delivery, before */
    uint8_t command;
    bool failing; /* the store failed when it was asked */
};

struct audit_post {
    int64_t webhook, delivery; /* delivery 0: a verify request */
    uint32_t generation, n;
    unsigned run; /* of the webhook, for a verify request */
    mono_ms line;
    int64_t at_ms;
    bool scheduled;
    char challenge[AUDIT_TEXT_BYTES];
};

struct audit {
    struct audit_rules rules;
    FILE *out;
    unsigned counts[INVARIANT_COUNT], count;
    /* Time. The service's line is at_ms + offset; after a reboot it goes on from the last commit by
     * wall time, never back. */
    int64_t at_ms, offset, commit_line;
    wall_us commit_wall;
    unsigned boot, commit_boot; /* counted from 1; commit_boot 0: nothing was ever committed */
    bool up, calm, failing;
    int64_t failing_since, healed_at, hiccup_until, started_at;
    struct audit_webhook webhooks[AUDIT_WEBHOOKS];
    int64_t webhook_max;
    mono_ms next_must;
    struct audit_delivery *deliveries; /* by key */
    int64_t delivery_max, delivery_capacity, delivery_count;
    struct audit_accepted *events; /* by key */
    int64_t event_max, event_capacity, event_count, event_before;
    struct audit_call *calls; /* by number */
    int64_t call_max, call_capacity;
    int64_t *number_calls; /* by number of an event: the call that published it */
    int64_t number_capacity;
    struct audit_post *posts; /* by number */
    int64_t post_capacity;
    uint64_t *challenges; /* hashes seen, open addressing */
    size_t challenge_capacity, challenge_count;
    unsigned in_flight;
    uint32_t scan, scan_count;
    uint64_t taken;
    struct audit_event ring[AUDIT_RING];
};

/* Says that `invariant` does not hold; `event` led to it. */
void audit_violation(struct audit *audit, enum invariant invariant, const struct audit_event *event,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The service's time line at the present event. */
mono_ms audit_line(const struct audit *audit);

/* NULL if never shown. */
struct audit_webhook *audit_webhook(struct audit *audit, int64_t key);
struct audit_delivery *audit_delivery(struct audit *audit, int64_t key);
struct audit_accepted *audit_accepted(struct audit *audit, int64_t key);
struct audit_call *audit_call(struct audit *audit, int64_t number);
struct audit_post *audit_post(struct audit *audit, int64_t number); /* made if it is new */

/* Gives `*array` room for index `at`, zeroed. */
void *audit_room(void *array, int64_t at, int64_t *capacity, size_t element_bytes);

/* From `line` on, `invariant` is violated unless audit_relax comes first. Only where calm. */
void audit_must(struct audit *audit, struct audit_webhook *webhook, enum invariant invariant,
                mono_ms line);
void audit_relax(struct audit_webhook *webhook);

/* audit_webhook.c */
void audit_take_webhook(struct audit *audit, const struct audit_event *event);
void audit_take_verify(struct audit *audit, const struct audit_event *event);
void audit_take_verify_ended(struct audit *audit, const struct audit_event *event);
void audit_expect(struct audit *audit, struct audit_webhook *webhook);

/* audit_calls.c */
void audit_take_call(struct audit *audit, const struct audit_event *event);
void audit_take_event(struct audit *audit, const struct audit_event *event);
void audit_take_shown(struct audit *audit, const struct audit_event *event);
void audit_take_shown_all(struct audit *audit, const struct audit_event *event);
void audit_calls_lost(struct audit *audit);
void audit_calls_over(struct audit *audit, const struct audit_event *event);

/* audit_post.c */
void audit_take_post(struct audit *audit, const struct audit_event *event);
void audit_take_post_ended(struct audit *audit, const struct audit_event *event);

/* audit_kept.c */
void audit_take_open(struct audit *audit, const struct audit_event *event);
void audit_take_kept(struct audit *audit, const struct audit_event *event);
void audit_take_kept_all(struct audit *audit, const struct audit_event *event);
void audit_over(struct audit *audit, const struct audit_event *event);

#endif
