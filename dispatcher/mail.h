/* What the threads of the dispatcher say to each other.
 *
 *     API ──create, publish, redeliver, fetch, store──▶ writer ──reports──▶ sender
 *     API ──update, answered──────────────────────────▶ sender ──operations──▶ writer
 *
 * Every mail is handled in the order in which it was sent, and the writer commits, and reports, in
 * the order of its mailbox. All correctness between threads rests on that order. Refuses: shared
 * state. */
#ifndef REVHOOK_DISPATCHER_MAIL_H
#define REVHOOK_DISPATCHER_MAIL_H

#include "dispatcher/hook.h"

enum mail_kind {
    MAIL_CREATE,     /* struct create_call, to the writer */
    MAIL_PUBLISH,    /* struct publish_call, to the writer */
    MAIL_REDELIVER,  /* struct redeliver_call, to the writer */
    MAIL_FETCH,      /* struct fetch_call, to the writer */
    MAIL_STORE,      /* struct store_call, to the writer */
    MAIL_OPERATIONS, /* struct operations, to the writer */
    MAIL_UPDATE,     /* struct update_call, to the sender */
    MAIL_ANSWERED,   /* struct answered, to the sender */
    MAIL_REPORTS,    /* struct reports, to the sender */
    MAIL_TICK,       /* to the sender: look at the clock, or at the store, again */
    MAIL_STOP,       /* to either: end */
    MAIL_ADVANCE,    /* struct advance_call, to the clock driver */
};

/* One thing that a sender wants committed. */
enum operation_kind { OPERATION_RECORD, OPERATION_CHANGE, OPERATION_NOTE, OPERATION_REFILL };

struct operation {
    enum operation_kind kind;
    struct hook *hook; /* of a change or refill: alive until it is reported */
    int64_t webhook;
    union {
        struct {
            struct store_record row; /* its answer is owned */
        } record;
        struct {
            struct webhook_status status;
            enum reason settle;
            bool command;    /* a client asked: on failure it is refused, not tried again */
            int64_t *except; /* owned: deliveries in flight, which are not settled */
            size_t except_count;
            struct webhook_config *config; /* held; NULL: as it was */
            wall_us modified_us;           /* 0: as it was */
            char *user;                    /* owned */
        } change;
        struct webhook_status note;
        struct {
            mono_ms due;
            int64_t key;
            unsigned limit;
        } refill;
    };
};

/* What one round of a sender wants committed: in one transaction, in this order. */
struct operations {
    struct mail mail;
    unsigned sender;
    bool urgent; /* something among it that somebody waits for: not records and notes alone */
    unsigned count, capacity;
    struct operation *at;
};

/* One thing that was committed (or refused) and concerns a sender. */
enum report_kind {
    REPORT_WEBHOOK,
    REPORT_ACCEPTED,
    REPORT_COMMITTED,
    REPORT_REFUSED,
    REPORT_REFILLED
};

struct report {
    enum report_kind kind;
    struct hook *hook;               /* all but ACCEPTED */
    struct delivery_list deliveries; /* ACCEPTED: of any webhooks; REFILLED */
    bool more;                       /* REFILLED */
    bool answered_later;             /* WEBHOOK: created just now */
};

struct reports {
    struct mail mail;
    unsigned count, capacity;
    struct report *at;
};

struct answered {
    struct mail mail;
    int64_t webhook;
};

/* Appends to a list of operations or reports, which grows. */
struct operation *operations_add(struct operations *operations, enum operation_kind kind);
struct report *reports_add(struct reports *reports, enum report_kind kind);

/* Free with all that they own. */
void operations_free(struct operations *operations);
void reports_free(struct reports *reports);

#endif
