/* The store: what is accepted, decided and attempted, durably. A contract of verbs, kept by two
 * back-ends (store_sqlite.c, and store_memory.c for tests and the simulator); tests/store runs one
 * suite against both.
 *
 * Owns: rows of webhooks, events, deliveries, attempts, objects, idempotency keys, organisations
 * and tokens; the keys (numbers) of all but objects and idempotency keys; the service's time line
 * across restarts. Refuses: policy. It does not know when a delivery is due again or whether a
 * webhook degrades; it is told.
 *
 * Writing: one thread, one `struct store`. Verbs are called between store_begin and store_commit;
 * what was told stands when store_commit has returned STORE_OK (SQLite: synchronous=FULL), and
 * nothing of it otherwise. A verb that returns anything but STORE_OK has changed nothing; after
 * STORE_FULL or STORE_FAILED the caller must store_rollback.
 *
 * Reading: any number of `struct store_reader`, each used by one thread at a time; they see what
 * was committed when the call began. Rows given to a visitor live until it returns; a visitor
 * returns false to stop, and calls no verb of the same store or reader: it copies what it needs.
 *
 * Breaking the order of calls (a verb outside of a transaction, a reader left open at close) is a
 * fault of the program and stops it. After STORE_FULL or STORE_FAILED every further verb of that
 * transaction, store_commit too, changes nothing and returns the same result, so a caller may look
 * at the result of store_commit alone.
 *
 * What is not stored: whether a delivery is in flight or held. A delivery is open while its `due`
 * is not MONO_NEVER; an open delivery of an unverified webhook is held; the daemon knows which are
 * in flight. */
#ifndef REVHOOK_STORE_STORE_H
#define REVHOOK_STORE_STORE_H

#include "core/types.h"

struct store;
struct store_reader;

enum store_result {
    STORE_OK,
    STORE_NOT_FOUND, /* no such row */
    STORE_CONFLICT,  /* the row is not in a state that allows it */
    STORE_FULL,      /* no space left; may succeed later */
    STORE_FAILED,    /* any other failure of the medium; may succeed later */
    STORE_LOCKED,    /* open: another process has it open */
    STORE_NEWER,     /* open: written by a newer version of this program */
    STORE_CORRUPT,   /* open: not a store, or damaged */
};

/* Bytes that are somebody else's. Text, if a field is text, without the final zero counted. */
struct store_bytes {
    const char *at;
    size_t bytes;
};

#define STORE_WEBHOOK_ID_BYTES_MAX 32
#define STORE_FIRST_ORG            "dev0" /* is there from the start */
#define STORE_FIRST_PARTITION      "dvrv-us-1"
#define STORE_ORG_ID_BYTES_MAX     32
#define STORE_PARTITION_BYTES_MAX  32
#define STORE_NAME_BYTES_MAX       128
#define STORE_HASH_BYTES           32
#define STORE_ANSWER_BYTES_MAX     4096
#define STORE_SEAL_BYTES_MAX       64
#define STORE_ATTEMPTS_MAX         255 /* attempts kept of one delivery, redeliveries included */

/* An organisation. */
struct store_org {
    int64_t key;           /* given by the store at insert */
    struct store_bytes id; /* what `org` means in all other rows; unique for ever */
    struct store_bytes partition;
    struct store_bytes name; /* for people */
    wall_us created_us;      /* 0: it was there from the start */
};

/* A token of an organisation, without the token. */
struct store_token {
    int64_t key; /* given by the store at insert; never used again */
    struct store_bytes org;
    uint8_t hash[STORE_HASH_BYTES]; /* SHA-256 */
    struct store_bytes name;        /* for people */
    uint32_t scopes;                /* bits by enum scope; stored by name */
    wall_us created_us;
    wall_us expires_us; /* 0: never */
    wall_us revoked_us; /* 0: it is not */
};

struct store_webhook {
    int64_t key;                  /* given by the store at insert */
    struct store_bytes id;        /* the part of its DON after "webhook/"; unique for ever */
    struct store_bytes org;       /* "dev0" */
    struct store_bytes partition; /* the third part of its DON: "dvrv-us-1" */
    struct store_bytes url;       /* as the client wrote it */
    struct store_bytes target;    /* as it is dialled */
    struct store_bytes secret;    /* sealed (dispatcher/seal.h); empty once deleted */
    struct store_bytes headers;   /* sealed "name: value\n" lines; may be empty */
    struct store_bytes signature; /* "part=word" separated by spaces; may be empty */
    struct event_set event_types; /* stored by name */
    struct webhook_status status;
    wall_us created_us, modified_us;
    struct store_bytes created_by, modified_by; /* user id; may be empty */
};

struct store_event {
    int64_t key;   /* given by the store: ascending in the order of acceptance */
    uint64_t salt; /* random, below 62^6; part of its public id */
    struct store_bytes org;
    enum event_type type;       /* stored by name */
    struct store_bytes payload; /* canonical JSON: the value of the field named like the type */
    wall_us created_us;
    int64_t first_delivery; /* given by the store: its deliveries have consecutive keys from here */
    uint32_t delivery_count;
    /* For store_accept alone: it is the last version of an object from now on. Numbers for the
     * object's id and its display id, see dispatcher/object.h; 0: none. */
    int64_t object, object_alias;
};

/* The last version of an object: the event that brought it, or what is kept of that. */
struct store_object {
    struct store_bytes org;
    enum event_type type;
    struct store_bytes payload;
    bool by_alias; /* it was asked for by its display id */
};

/* One delivery to insert. */
struct store_target {
    int64_t webhook;
    mono_ms due;   /* MONO_NEVER: it ends at once, with `state` and `reason` */
    uint8_t state; /* DELIVERY_PENDING if due, else FAILED or DROPPED */
    uint8_t reason;
};

struct store_delivery {
    int64_t key;
    int64_t event, webhook;
    uint64_t salt;                 /* of its event */
    enum event_type type;          /* of its event */
    struct store_bytes webhook_id; /* of its webhook */
    uint8_t webhook_state;         /* of its webhook: tells held from pending */
    uint8_t state; /* PENDING, or the terminal state (kept while a redelivery is open) */
    uint8_t reason;
    uint8_t attempt_count;
    bool redelivery; /* what is open is a redelivery */
    mono_ms due;     /* MONO_NEVER: not open */
    wall_us created_us;
};

struct store_attempt {
    uint32_t n; /* 1, 2, ... */
    bool redelivery;
    uint8_t outcome;
    uint16_t http_status;
    wall_us started_us;
    dur_ms duration_ms;
    struct store_bytes answer; /* at most STORE_ANSWER_BYTES_MAX */
};

/* An attempt that ended and what follows from it. */
struct store_record {
    int64_t delivery;
    struct store_attempt attempt; /* n is given by the store: attempt_count + 1 */
    uint8_t state; /* PENDING with `due` (again, or held), or terminal with due == MONO_NEVER. For a
                      redelivery that was not acknowledged the stored terminal state and reason
                      stay, whatever stands here. */
    uint8_t reason;
    mono_ms due;
};

/* An open delivery with all that is needed to make its POST. */
struct store_pending {
    int64_t key, event, webhook;
    mono_ms due;
    uint8_t attempt_count;
    bool redelivery;
    uint64_t salt;
    enum event_type type;
    struct store_bytes payload;
};

/* What was answered under an idempotency key: events first_event .. first_event + count - 1. */
struct store_idempotency {
    uint8_t body_sha256[32];
    int64_t first_event;
    uint32_t count;
    bool batch; /* the request had "events", so the answer has */
    mono_ms expires;
};

/* ---- life ---- */

struct store_options {
    const char *directory; /* SQLite: holds revhook.db and revhook.lock; made (0700) if missing */
    uint32_t answer_bytes_max; /* so much of an attempt's answer is kept; at most
                                  STORE_ANSWER_BYTES_MAX */
};

/* Opens (and makes or migrates) a store. On success *store is the caller's, to close with
 * store_close. On error *store is NULL and `error` (of error_bytes) says what is wrong and what to
 * do. store_open_memory never fails but for want of memory. */
enum store_result store_open_sqlite(const struct store_options *options, struct store **store,
                                    char *error, size_t error_bytes);
enum store_result store_open_memory(struct store **store);
void store_close(struct store *store); /* NULL is fine. Close all readers first. */

/* A reader of an open store; NULL for want of resources, and `error` (of error_bytes, which may be
 * 0) says what is wrong. Memory back-end: same thread as the writer only. */
struct store_reader *store_reader_open(struct store *store, char *error, size_t error_bytes);
void store_reader_close(struct store_reader *reader);

/* The last failure of this store, or of this reader, in words, for the log; never NULL. Valid until
 * the next call. */
const char *store_error(const struct store *store);
const char *store_reader_error(const struct store_reader *reader);

/* ---- time ---- */

/* The newest commit's reading of the clock and the id of the boot that it was made in ("" if the
 * store is new). `boot` has room for 64 bytes. dispatcher/clock.h says what is made of it. */
enum store_result store_last_commit(struct store *store, struct instant *last, char boot[64]);

/* ---- writing: between begin and commit, one thread ---- */

enum store_result store_begin(struct store *store);
/* Makes everything since begin durable, together with `now` and `boot` for store_last_commit. */
enum store_result store_commit(struct store *store, struct instant now, const char *boot);
/* Forgets everything since begin, keys that were given included. Fine where no transaction is open.
 */
void store_rollback(struct store *store);

/* Inserts a webhook; sets row->key. STORE_CONFLICT: this id was used before. */
enum store_result store_webhook_insert(struct store *store, struct store_webhook *row);
/* Writes url, target, secret, headers, signature, event_types, modified_* of row->key (not its
 * status). A secret of 0 bytes wipes it. */
enum store_result store_webhook_configure(struct store *store, const struct store_webhook *row);
/* Visits at most `limit` webhooks with a key above `after`, by their keys, as this transaction has
 * them, deleted ones too. */
enum store_result store_webhook_walk(struct store *store, int64_t after, unsigned limit,
                                     bool (*visit)(void *ctx, const struct store_webhook *row),
                                     void *ctx);
/* Writes secret and headers of a webhook, and nothing else: the same, sealed again. */
enum store_result store_webhook_reseal(struct store *store, int64_t webhook,
                                       struct store_bytes secret, struct store_bytes headers);
/* Keeps a mark of the key that webhooks are sealed with, 1 to STORE_SEAL_BYTES_MAX bytes. */
enum store_result store_seal_put(struct store *store, struct store_bytes seal);
/* Writes the status of a webhook. */
enum store_result store_webhook_status(struct store *store, int64_t webhook,
                                       const struct webhook_status *status);
/* Visits a webhook as this transaction has it, a deleted one too. */
enum store_result store_webhook_look(struct store *store, int64_t webhook,
                                     bool (*visit)(void *ctx, const struct store_webhook *row),
                                     void *ctx);
/* Ends every open delivery of the webhook with state and reason (of those open as a redelivery the
 * old end stands), but for the `except_count` keys in `except`. Sets *settled to how many (may be
 * NULL). */
enum store_result store_settle(struct store *store, int64_t webhook, enum delivery_state state,
                               enum reason reason, const int64_t *except, size_t except_count,
                               uint64_t *settled);

/* Inserts an event and its deliveries, in the order of `targets`; sets event->key, first_delivery,
 * delivery_count. With event->object: what is found under that number, and under object_alias, is
 * this event from now on. An alias that an earlier version had and this one has not goes on to lead
 * to the object. */
enum store_result store_accept(struct store *store, struct store_event *event,
                               const struct store_target *targets, uint32_t target_count);
/* Visits the last version of the object under a number, an alias or not, as this transaction has
 * it. STORE_NOT_FOUND. */
enum store_result store_object_get(struct store *store, int64_t number,
                                   bool (*visit)(void *ctx, const struct store_object *row),
                                   void *ctx);
/* Forgets the object under a number, an alias or not; fine where there is none. */
enum store_result store_object_remove(struct store *store, int64_t number);
/* Finds what was answered under (org, key) and has not expired by `now`: STORE_OK or
 * STORE_NOT_FOUND. */
enum store_result store_idempotency_find(struct store *store, struct store_bytes org,
                                         struct store_bytes key, mono_ms now,
                                         struct store_idempotency *found);
/* Remembers it; replaces an expired one (and whatever else stands under (org, key): look first, in
 * the same transaction). */
enum store_result store_idempotency_insert(struct store *store, struct store_bytes org,
                                           struct store_bytes key,
                                           const struct store_idempotency *row);

/* Inserts an organisation; sets row->key. STORE_CONFLICT: this id was used before. */
enum store_result store_org_insert(struct store *store, struct store_org *row);
/* Inserts a token; sets row->key. STORE_NOT_FOUND: no such organisation. STORE_CONFLICT: there is a
 * token with this hash. */
enum store_result store_token_insert(struct store *store, struct store_token *row);
/* Marks a token as revoked. STORE_NOT_FOUND; STORE_CONFLICT: it was revoked before. */
enum store_result store_token_revoke(struct store *store, int64_t token, wall_us revoked_us);
/* Marks all tokens of an organisation that are not yet as revoked, and tells how many.
 * STORE_NOT_FOUND: no such organisation. */
enum store_result store_org_revoke(struct store *store, struct store_bytes org, wall_us revoked_us,
                                   uint64_t *tokens);
/* Removes the tokens that were revoked, or expired, before `before_us`. */
enum store_result store_token_forget(struct store *store, wall_us before_us);
/* How many organisations and tokens there are, as this transaction has it. */
enum store_result store_org_count(struct store *store, uint64_t *orgs, uint64_t *tokens);

/* Records an attempt and what follows. STORE_NOT_FOUND: no such delivery. STORE_CONFLICT: it is not
 * open (it has its end already). An attempt beyond STORE_ATTEMPTS_MAX moves the delivery but is not
 * itself kept. */
enum store_result store_record(struct store *store, const struct store_record *record);
/* Opens a terminal delivery for one more attempt at `due`. STORE_NOT_FOUND; STORE_CONFLICT: it is
 * open, or has had STORE_ATTEMPTS_MAX attempts. */
enum store_result store_reopen(struct store *store, int64_t delivery, mono_ms due);
/* Visits open deliveries of `webhook` behind (due, key), ascending, at most `limit`; *more tells
 * whether others follow. Sees what this transaction has written. May also be called outside of one,
 * by the writing thread. */
enum store_result store_pending_after(struct store *store, int64_t webhook, mono_ms due,
                                      int64_t key, unsigned limit,
                                      bool (*visit)(void *ctx, const struct store_pending *row),
                                      void *ctx, bool *more);
/* Removes up to `limit` events created before `before_us` that have no open delivery, with their
 * deliveries and attempts, and up to `limit` idempotency keys expired by `now`. Of an event that is
 * the last version of an object the payload is kept for store_object_get. *removed: how many events
 * or how many keys, whichever is more; so the caller goes on while it equals `limit`. */
enum store_result store_purge(struct store *store, wall_us before_us, mono_ms now, unsigned limit,
                              unsigned *removed);

/* ---- at start, writing thread, outside of a transaction ---- */

/* Visits every webhook that is not deleted; `has_open` tells whether it has open deliveries. Quick
 * at any number of those. Deliveries of deleted webhooks that were in flight when the service
 * stopped are ended first (dropped, webhook_deleted); if there is no space for that they stay open
 * until the next start. */
enum store_result
store_recover(struct store *store,
              bool (*visit)(void *ctx, const struct store_webhook *row, bool has_open), void *ctx);
/* How many deliveries are open, counted once at start. */
enum store_result store_open_count(struct store *store, uint64_t *count);

/* Gives the mark of the key; *bytes is 0 while there is none: nothing is sealed yet. */
enum store_result store_seal_get(struct store *store, uint8_t seal[STORE_SEAL_BYTES_MAX],
                                 size_t *bytes);
/* Leaves nothing readable of what webhooks had before. Writes all of them anew; no reader may be
 * open. */
enum store_result store_scrub(struct store *store);

/* ---- after a commit, writing thread ---- */

/* A step of house-keeping that is due after commits (SQLite: a short passive checkpoint when the
 * log has grown, new rows brought into the lists). What fails is as it was and due again. */
enum store_result store_tend(struct store *store);

/* ---- reading ---- */

/* One webhook by its id within `org`; deleted ones are STORE_NOT_FOUND. `visit` is called once. */
enum store_result store_webhook_get(struct store_reader *reader, struct store_bytes org,
                                    struct store_bytes id,
                                    bool (*visit)(void *ctx, const struct store_webhook *row),
                                    void *ctx);
/* The key of a webhook by id within `org`, deleted ones too (their deliveries can still be looked
 * at). */
enum store_result store_webhook_key(struct store_reader *reader, struct store_bytes org,
                                    struct store_bytes id, int64_t *key);
/* All webhooks of `org` that are not deleted, oldest first. */
enum store_result store_webhook_list(struct store_reader *reader, struct store_bytes org,
                                     bool (*visit)(void *ctx, const struct store_webhook *row),
                                     void *ctx);
/* One event by key; STORE_NOT_FOUND also where salt or org differ. Events first .. first+count-1 of
 * one request are read by store_event_list with `before` first+count and `limit` count. */
enum store_result store_event_get(struct store_reader *reader, struct store_bytes org, int64_t key,
                                  uint64_t salt,
                                  bool (*visit)(void *ctx, const struct store_event *row),
                                  void *ctx);
/* Events of `org` with key below `before` (0: from the newest), newest first, at most `limit`;
 * `type` -1: any. */
enum store_result store_event_list(struct store_reader *reader, struct store_bytes org,
                                   int64_t before, int type, unsigned limit,
                                   bool (*visit)(void *ctx, const struct store_event *row),
                                   void *ctx);

/* All organisations, all tokens (revoked and expired ones, too), oldest first. */
enum store_result store_org_list(struct store_reader *reader,
                                 bool (*visit)(void *ctx, const struct store_org *row), void *ctx);
enum store_result store_token_list(struct store_reader *reader,
                                   bool (*visit)(void *ctx, const struct store_token *row),
                                   void *ctx);

struct store_delivery_filter {
    struct store_bytes org;
    int64_t webhook; /* 0: any */
    int64_t event;   /* 0: any */
    int state; /* enum delivery_state as shown: PENDING and HELD are open (by the webhook's state;
                  open redeliveries too, which are not found under their old end), IN_FLIGHT is not
                  known here: ask for PENDING. -1: any */

    int64_t before; /* keys below; 0: from the newest */
    unsigned limit;
};

/* Deliveries by filter, newest first. The work is bounded by `limit`, the number of webhooks of
 * `org` and, with `event`, its deliveries; not by how many rows do not match. */
enum store_result store_delivery_list(struct store_reader *reader,
                                      const struct store_delivery_filter *filter,
                                      bool (*visit)(void *ctx, const struct store_delivery *row),
                                      void *ctx);
/* One delivery by key; STORE_NOT_FOUND also where salt or org differ. */
enum store_result store_delivery_get(struct store_reader *reader, struct store_bytes org,
                                     int64_t key, uint64_t salt,
                                     bool (*visit)(void *ctx, const struct store_delivery *row),
                                     void *ctx);
/* The attempts of one delivery, first to last. */
enum store_result store_attempt_list(struct store_reader *reader, int64_t delivery,
                                     bool (*visit)(void *ctx, const struct store_attempt *row),
                                     void *ctx);

#endif
