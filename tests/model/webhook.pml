/* A model of one webhook: its deliveries, its sender, the writer, a client, a receiver and crashes.
 *
 * Owns: the names, the limits of a run, what is durable, what is in memory, what only the auditor
 * knows. core.pml mirrors dispatcher/core and the sender's loop, writer.pml the writer, world.pml
 * everything outside. README.md explains the model beside the code.
 *
 * The two tables of the model are schema/webhook.def and schema/delivery.def themselves.
 *
 * -DMUTANT_<name> changes one thing; the file `mutants` says which, and which property must notice.
 */

/* ---- limits of a run: everything that can go wrong does so a bounded number of times ---- */

#define DELIVERIES 2 /* the code below counts on two */
#ifndef EVENTS
#define EVENTS DELIVERIES /* so many are published */
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2 /* of one delivery */
#endif
#ifndef DEGRADE_AFTER
#define DEGRADE_AFTER 1 /* deliveries in a row that used up their attempts */
#endif
#ifndef VERIFIES
#define VERIFIES 1 /* verify requests of one run */
#endif
#ifndef REFILL_LIMIT
#define REFILL_LIMIT 2 /* rows that one refill reads; 1 makes the window of a backlog felt */
#endif
#ifndef CALLS
#define CALLS 1 /* what the client asks of the webhook */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef FAILURES
#define FAILURES 0 /* commits that fail */
#endif

/* ---- names ---- */

mtype = {
    NOBODY, /* no state, no value: 0 is not printable */
    /* schema/webhook.def */
    WEBHOOK_UNVERIFIED, WEBHOOK_ACTIVE, WEBHOOK_DEGRADED, WEBHOOK_INACTIVE, WEBHOOK_DELETED,
    WEBHOOK_ECHOED, WEBHOOK_CHANGED, WEBHOOK_ACTIVATE, WEBHOOK_RESUME, WEBHOOK_DEACTIVATE,
    WEBHOOK_DELETE, WEBHOOK_FAILING, WEBHOOK_WINDOW_OVER, WEBHOOK_GAVE_UP,
    WEBHOOK_IGNORE, WEBHOOK_BUG,
    /* schema/delivery.def; ABSENT: not in memory, or not in the store */
    ABSENT, DELIVERY_PENDING, DELIVERY_IN_FLIGHT, DELIVERY_HELD, DELIVERY_DELIVERED,
    DELIVERY_FAILED, DELIVERY_DROPPED,
    DELIVERY_START, DELIVERY_ACKNOWLEDGED, DELIVERY_RETRY, DELIVERY_EXHAUSTED, DELIVERY_HOLD,
    DELIVERY_RELEASE, DELIVERY_FAIL, DELIVERY_DROP, DELIVERY_REDELIVER,
    DELIVERY_IGNORE, DELIVERY_BUG,
    /* a POST */
    NO_POST, ON_WIRE, ANSWERED_2XX, ANSWERED_LATE, ANSWERED_OTHER, ANSWERED_ECHO,
    /* mails */
    CALL, ACCEPTED, CHANGE_OVER, REFILLED,
    /* the writer */
    IDLE, DONE
};

#define NAMES 64 /* more than there are */

/* What the tables say; filled in once, by init. `hidden`: no part of a state. */
hidden byte webhook_next[4096], webhook_fx[4096], webhook_end[4096], delivery_next[4096];

#define FX_OPEN_WINDOW 1
#define FX_PROBE       2
#define FX_STOP_VERIFY 4
#define FX_HOLD        8
#define FX_RELEASE     16
#define FX_SETTLE      32
#define FX_VERIFY      (FX_OPEN_WINDOW | FX_PROBE | FX_STOP_VERIFY)
#define FX_QUEUE       (FX_HOLD | FX_RELEASE | FX_SETTLE)

/* ---- durable: what a crash leaves ---- */

typedef status { /* struct webhook_status */
    mtype state;
    byte generation;
    bit verified;
    byte failures; /* in a row */
    bit window;    /* verify_until is not MONO_NEVER: a verify run may end it */
    byte verifies  /* verify_count */
};
typedef row { /* struct store_delivery; open while PENDING */
    mtype state;
    byte attempts;
    byte due /* an ordinal: orders open deliveries, tells no time */
};
status stored;
row rows[DELIVERIES];

/* ---- in memory: what a crash takes ---- */

typedef delivery { /* struct delivery */
    mtype state;
    byte attempts;
    byte due;
    byte generation /* of the webhook when its last attempt began */
};
bit present;     /* the sender has the webhook */
status known;    /* webhook->status */
status proposed; /* webhook->proposed */
bit changing;
bit command; /* a client asked for the change, so the store may refuse it */
bit echoed;
byte fx;      /* webhook->effects */
mtype settle; /* how the change ends the queue */
byte except;  /* bits: deliveries in flight, which are not settled */
bit spilled, refilling, stale;
byte frontier; /* a PLACE; 0: before everything */
delivery memory[DELIVERIES];
mtype wire[DELIVERIES];              /* the POST of a delivery */
mtype verify_wire[2];                /* the verify request under way, and one that is void */
byte verify_generation[2];           /* whose url and secret it was sent with */
bit verify_current[2];               /* its verify_seq is webhook->verify_seq */
mtype writer_stage;
#ifdef MUTANT_SETTLE_APART
mtype settle_left = NOBODY;
byte except_left;
#endif

#define PLACE(due, d) ((due) * DELIVERIES + (d) + 1)

chan to_sender = [8] of { mtype, byte, bit };               /* kind, argument, more */
chan to_writer = [8] of { byte, byte, mtype, byte, short }; /* parts, delivery, end, due, note */
chan line = [4] of { byte };                                /* hook->waiting: calls */

/* The parts of a mail to the writer: what it asks, or what one step of a sender tells. */
#define PUBLISH 1
#define RECORD  2
#define CHANGE  4
#define NOTE    8
#define REFILL  16

/* The mail that a step is filling; always empty between steps. */
hidden byte mail_parts, mail_d, mail_due;
hidden mtype mail_to;
hidden short mail_note;

/* A status in a short, for a note. */
#define PACK(s) \
    (s.state + NAMES * (s.generation + 8 * (s.verified + 2 * \
     (s.window + 2 * (s.verifies + 4 * s.failures)))))

/* ---- what only the auditor knows ---- */

byte posts[DELIVERIES];      /* POSTs begun */
byte overlaps[DELIVERIES];   /* crashes between the start of a POST and the commit of its outcome */
bit acknowledged[DELIVERIES]; /* a complete 2xx came in time and is not recorded yet */
byte echoes;                 /* bits: generations whose challenge was echoed */
byte blamed;                 /* the generation that the last failure in `failures` was sent to */
bit told[DELIVERIES];        /* publish was answered: accepted, and this webhook will get it */
bit refused[DELIVERIES];     /* publish was answered: unavailable */
bit deleted_told;            /* delete was answered */
byte calls_open;             /* not answered yet */
byte calls_left = CALLS, crashes_left = CRASHES, failures_left = FAILURES, published;

/* The name goes into the assertion, so that spin's message says which property broke. A mutant is
 * run with ONLY=<property>, the one that must notice it; the others are then not looked at. */
hidden byte S1 = 1, S2 = 2, S3 = 3, S8 = 8, S12 = 12, S13 = 13, S14 = 14, S15 = 15, S16 = 16,
            S20 = 20, CODE = 99; /* an assert of the code itself */
#ifdef ONLY
#define MUST(property, condition) assert(property != ONLY || (condition))
#else
#define MUST(property, condition) assert(property != 0 && (condition))
#endif

/* Scratch of one step. */
hidden byte i, v, keys, more, what, cell, last;
hidden mtype next, verdict, asked;
hidden byte argument;
hidden short note;
hidden status was;
hidden byte was_spilled;
hidden byte was_open;

#define OPEN(d)      (rows[d].state == DELIVERY_PENDING)
#define NONE_OPEN    (!OPEN(0) && !OPEN(1))
#define QUEUED(d)    (memory[d].state == DELIVERY_PENDING || memory[d].state == DELIVERY_HELD)
#define IN_FLIGHT(d) (memory[d].state == DELIVERY_IN_FLIGHT)

/* delivery_reason, as the end that it brings: NOBODY if an open delivery may stay open. */
#define WEBHOOK_ENDS(s) \
    (s.state == WEBHOOK_ACTIVE || s.state == WEBHOOK_UNVERIFIED && s.window -> NOBODY : \
    (s.state == WEBHOOK_UNVERIFIED || s.state == WEBHOOK_DEGRADED -> DELIVERY_FAILED : \
     DELIVERY_DROPPED))

inline copy_status(to, from)
{
    to.state = from.state;
    to.generation = from.generation;
    to.verified = from.verified;
    to.failures = from.failures;
    to.window = from.window;
    to.verifies = from.verifies
}

#include "writer.pml"
#include "core.pml"
#include "world.pml"

/* ---- the tables, word for word those of the program ---- */

#define none              NOBODY
#define webhook_unverified DELIVERY_FAILED
#define webhook_degraded   DELIVERY_FAILED
#define webhook_inactive   DELIVERY_DROPPED
#define webhook_deleted    DELIVERY_DROPPED

inline read_tables()
{
#define NONE        0
#define OPEN_WINDOW FX_OPEN_WINDOW
#define PROBE       FX_PROBE
#define STOP_VERIFY FX_STOP_VERIFY
#define HOLD        FX_HOLD
#define RELEASE     FX_RELEASE
#define SETTLE      FX_SETTLE
#define X(state, event, next, effects, reason) \
    webhook_next[WEBHOOK_##state * NAMES + WEBHOOK_##event] = WEBHOOK_##next; \
    webhook_fx[WEBHOOK_##state * NAMES + WEBHOOK_##event] = effects; \
    webhook_end[WEBHOOK_##state * NAMES + WEBHOOK_##event] = reason;
#include "../../schema/webhook.def"
#undef X
#undef NONE
#undef OPEN_WINDOW
#undef PROBE
#undef STOP_VERIFY
#undef HOLD
#undef RELEASE
#undef SETTLE
#define X(state, event, next) \
    delivery_next[DELIVERY_##state * NAMES + DELIVERY_##event] = DELIVERY_##next;
#include "../../schema/delivery.def"
#undef X
}

/* A webhook that was just created, with its first window open. */
init
{
    atomic {
        d_step {
            read_tables();
            stored.state = WEBHOOK_UNVERIFIED;
            stored.generation = 1;
            stored.window = 1;
            forget_all();
            i = 0;
            do
            :: i < DELIVERIES -> rows[i].state = ABSENT; i++
            :: else -> break
            od;
            recover_read();
            recover_go()
        }
        run writer();
        run sender();
        run receiver();
        run client();
        run crash()
    }
}

/* L: every accepted delivery ends, every call is answered, every verify run is decided. It needs no
 * fairness: what can fail fails a bounded number of times, so no run goes on for ever. */
ltl L { [] <> (NONE_OPEN && calls_open == 0 && !stored.window) }
