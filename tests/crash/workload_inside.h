/* The inside of the workload, shared by its two files. */
#ifndef REVHOOK_TESTS_CRASH_WORKLOAD_INSIDE_H
#define REVHOOK_TESTS_CRASH_WORKLOAD_INSIDE_H

#include "workload.h"

sqlite3 *workload_database(struct workload *w);
/* Commits, and makes the promise; for the mutant that commits in the middle. */
enum store_result workload_commit(struct workload *w);

/* One deed each, in an open transaction: the verbs, and what they mean to the ledger. Nothing where
 * the ledger has nothing that fits. */
enum store_result do_webhook(struct workload *w);
enum store_result do_accept(struct workload *w);
enum store_result do_record(struct workload *w);
enum store_result do_degrade(struct workload *w);
enum store_result do_delete(struct workload *w);
enum store_result do_reopen(struct workload *w);
enum store_result do_purge(struct workload *w);
enum store_result do_token(struct workload *w);
/* After store_recover: what was open of deleted webhooks has ended. */
void ledger_recovered(struct workload *w);

#endif
