/* A database as version 1 of the schema wrote it, with a webhook, three deliveries and attempts in
 * it: what an upgrade begins with; see workload.h. The newest of it stands in the log, as after a
 * crash. Whatever the schema becomes, this stays as it is: such files are out there. */
#include "workload_inside.h"

#include "sqlite_0001.h"
#include "store/migrate.h"
#include "store/store_sqlite.h"

#include <stdio.h>

static const char rows[] =
    "INSERT INTO webhook(key, id, org, url, target, secret, headers, signature, event_types,"
    " state, reason, verified, generation, consecutive_failures, verify_count, since_us,"
    " last_success_us, verify_since, verify_next, verify_until, created_us, modified_us,"
    " created_by, modified_by) VALUES (1, 'wh0', 'dev0', 'https://receiver.example/hook',"
    " 'https://receiver.example:443/hook', x'3132333435363738', 'x-old: yes' || char(10), '',"
    " 'work_created', 'active', NULL, 1, 1, 0, 1, 5, 6, 7, NULL, NULL, 8, 9, 'user', 'user');"
    "INSERT INTO event(key, salt, org, type, created_us, first_delivery, delivery_count, object,"
    " payload) VALUES (1, 7, 'dev0', 'work_created', 1700000000000000, 1, 3, 4, '{\"id\":1}');"
    "INSERT INTO object(number, event) VALUES (4, 1);"
    "INSERT INTO delivery(key, event, webhook, state, reason, attempt_count, due, ended) VALUES"
    " (1, 1, 1, 3, NULL, 1, NULL, NULL), (2, 1, 1, 0, NULL, 0, 1000, NULL),"
    " (3, 1, 1, 0, 'attempts_exhausted', 1, 1000, 4);"
    "INSERT INTO attempt VALUES (1, 1, 0, NULL, 200, 10, 20, x'6f6b'),"
    " (3, 1, 0, 'timeout', 0, 11, 3000, NULL);"
    "INSERT INTO idempotency VALUES ('dev0', x'6b', x'00', 1, 1, 0, 2000);"
    "UPDATE meta SET mono_ms = 1000, wall_us = 1700000000000000, boot = 'boot-0', next_event = 2,"
    " next_delivery = 4";

bool workload_old(struct workload *w, struct disk *disk)
{
    char marks[96];
    sqlite3 *db = NULL;
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = 1; COMMIT",
             STORE_APPLICATION_ID);
    disk_use(disk);
    bool made = sqlite_connect("revhook.db", SQLITE_OPEN_READWRITE, &db) == SQLITE_OK &&
                sqlite3_exec(db, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; BEGIN", NULL,
                             NULL, NULL) == SQLITE_OK &&
                sqlite3_exec(db, sqlite_0001_sql, NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_exec(db, marks, NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_exec(db, rows, NULL, NULL, NULL) == SQLITE_OK;
    if (!made)
        printf("  a database of version 1 cannot be made: %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    struct ledger *l = &w->ledger;
    l->webhooks[0].key = 1;
    l->webhooks[0].state = WEBHOOK_ACTIVE;
    l->events[0].key = l->events[0].first = 1;
    l->events[0].count = 3;
    l->events[0].created_us = 1700000000000000;
    l->deliveries[0] = (struct ledger_delivery){
        .key = 1, .event = 1, .state = DELIVERY_DELIVERED, .attempts = 1, .due = MONO_NEVER};
    l->deliveries[1] = (struct ledger_delivery){.key = 2, .event = 1, .due = 1000};
    l->deliveries[2] = (struct ledger_delivery){.key = 3,
                                                .event = 1,
                                                .state = DELIVERY_FAILED,
                                                .reason = REASON_attempts_exhausted,
                                                .attempts = 1,
                                                .redelivery = true,
                                                .due = 1000};
    l->webhook_count = l->event_count = 1;
    l->delivery_count = 3;
    l->events_ever = 1;
    l->deliveries_ever = 3;
    return made;
}
