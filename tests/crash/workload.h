/* What is done to a store while its disk is recorded: a random series of transactions over the
 * store's real verbs, and what each of them promised.
 *
 * Owns: the store, the series, a ledger of its own (what must stand in the store after each commit,
 * kept by the rules of store.h and not by looking), and a picture of the database for each promise:
 * a commit that was answered, or house-keeping that has ended. The ledger is compared with the
 * database at each commit, so a picture that a crash is measured by is not only what the store
 * says.
 *
 * Happy path: workload_open makes or opens the store, workload_run does some transactions,
 * workload_close ends. Failure modes: what the ledger does not expect is printed, counted in
 * `wrong`, and no picture is made. A call that fails is expected while the disk has been told to
 * fail (disk.h): the transaction is rolled back, and workload_run stops with what it gave. */
#ifndef REVHOOK_TESTS_CRASH_WORKLOAD_H
#define REVHOOK_TESTS_CRASH_WORKLOAD_H

#include "disk.h"
#include "look.h"
#include "store/store.h"

enum { WEBHOOKS_MAX = 48, EVENTS_MAX = 512, DELIVERIES_MAX = 1024, TOKENS_MAX = 64 };

/* What a series is made of; each is counted. */
enum deed {
    DEED_OPEN, /* a new store, an upgrade, a restart */
    DEED_WEBHOOK,
    DEED_ACCEPT,
    DEED_RECORD,
    DEED_DEGRADE,
    DEED_DELETE,
    DEED_REOPEN,
    DEED_PURGE,
    DEED_TOKEN,   /* an organisation, a token, the end of one */
    DEED_GIVE_UP, /* a transaction that is rolled back */
    DEED_TEND,    /* checkpoint, lists */
    DEED_COUNT,
};
extern const char *const deed_names[DEED_COUNT];

/* Ways to do it wrong, so that the checker can be seen to notice. */
enum mutant {
    MUTANT_NONE,
    MUTANT_SYNCS_DROPPED,      /* every third sync is answered and not done */
    MUTANT_SYNCHRONOUS_NORMAL, /* the log is not synced at a commit */
    MUTANT_SYNCHRONOUS_OFF,
    MUTANT_DEGRADE_IN_TWO,   /* the state in one transaction, the queue in the next */
    MUTANT_ANSWER_EARLY,     /* acknowledged before the commit */
    MUTANT_RECOVERED_IN_TWO, /* after a crash (judge.c): a webhook, and its event in the next */
    MUTANT_COUNT,
};
extern const char *const mutant_names[MUTANT_COUNT];

struct ledger {
    struct {
        int64_t key;
        uint8_t state;
    } webhooks[WEBHOOKS_MAX];
    struct {
        int64_t key, first;
        uint32_t count;
        wall_us created_us;
    } events[EVENTS_MAX];
    struct ledger_delivery {
        int64_t key, event;
        int webhook; /* its place in the ledger */
        uint8_t state, reason, attempts;
        bool redelivery;
        mono_ms due;
    } deliveries[DELIVERIES_MAX];
    int64_t tokens[TOKENS_MAX]; /* their keys; negative: revoked */
    int webhook_count, event_count, delivery_count, token_count, org_count;
    int64_t events_ever, deliveries_ever;
};

/* What an acknowledgement promised: this content, and that these keys and those below are used. */
struct promise {
    struct look picture;
    int64_t webhook, event, delivery;
};

struct workload {
    struct disk *disk;
    struct faults *faults; /* paused while a promise is checked: the disk's, unless it is set */
    const char *directory;
    enum mutant mutant;
    struct random random;
    struct store *store; /* NULL while it is closed */
    struct ledger ledger, before;
    struct instant clock;
    struct promise *promises;
    size_t promise_count, promise_capacity;
    struct look scratch;
    uint64_t deeds[DEED_COUNT];
    unsigned wrong;
    char error[256]; /* why the last call failed */
};

/* Makes a new directory for the store's lock, in memory where the system has that, and removes it
 * with what stores leave in it. The program ends if there can be none. */
void workload_directory(char directory[64]);
void workload_directory_remove(const char *directory);

/* Begins a series on a disk, with a directory as above. */
void workload_begin(struct workload *w, struct disk *disk, const char *directory, uint64_t seed,
                    enum mutant mutant);
void workload_end(struct workload *w);

/* Puts a database of the oldest schema on an empty disk (not the recorded one) and into the ledger.
 */
bool workload_old(struct workload *w, struct disk *disk);
/* Opens the store, recovers it, and makes the first picture of it. */
enum store_result workload_open(struct workload *w);
void workload_close(struct workload *w);
/* Does `count` transactions. */
enum store_result workload_run(struct workload *w, unsigned count);
/* Compares the ledger with the database; false, and printed, where they differ. */
bool workload_check(struct workload *w);

#endif
