/* The SQLite back-end: every statement that runs while the service does.
 *
 * They stand together so that a test can ask SQLite for the plan of each: none may read a table
 * from end to end, and none may sort (tests/store/test_sqlite.c names the exceptions). INDEXED BY
 * makes a statement fail to prepare where its index is gone; CROSS JOIN keeps the order of the
 * tables. The tables are in schema/sqlite_*.sql; the numbers of the parameters are those that the
 * verbs bind, in store_sqlite_webhook.c, store_sqlite_delivery.c, store_sqlite_object.c,
 * store_sqlite_org.c and store_sqlite_read.c. */
#include "store/store_sqlite.h"

const char *const sqlite_write_sql[WRITE_COUNT] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_META] =
        "UPDATE meta SET mono_ms = ?1, wall_us = ?2, boot = ?3, next_event = ?4, next_delivery = ?5"
        " WHERE id = 1",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_ROLLBACK] = "ROLLBACK",
    [WRITE_WEBHOOK_INSERT] =
        "INSERT INTO webhook(" SQLITE_WEBHOOK_COLUMNS
        ") VALUES (NULL, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
        " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
    [WRITE_WEBHOOK_CONFIGURE] =
        "UPDATE webhook SET url = ?4, target = ?5, secret = ?6, headers = ?7, event_types = ?8,"
        " modified_us = ?21, modified_by = ?23, signature = ?24 WHERE key = ?1",
    [WRITE_WEBHOOK_LOOK] = "SELECT " SQLITE_WEBHOOK_COLUMNS " FROM webhook WHERE key = ?1",
    [WRITE_WEBHOOK_WALK] =
        "SELECT " SQLITE_WEBHOOK_COLUMNS " FROM webhook WHERE key > ?1 ORDER BY key LIMIT ?2",
    [WRITE_WEBHOOK_RESEAL] = "UPDATE webhook SET secret = ?2, headers = ?3 WHERE key = ?1",
    [WRITE_SEAL_GET] = "SELECT seal FROM meta WHERE id = 1",
    [WRITE_SEAL_PUT] = "UPDATE meta SET seal = ?1 WHERE id = 1",
    [WRITE_WEBHOOK_STATUS] =
        "UPDATE webhook SET state = ?9, reason = ?10, verified = ?11, generation = ?12,"
        " consecutive_failures = ?13, verify_count = ?14, since_us = ?15, last_success_us = ?16,"
        " verify_since = ?17, verify_next = ?18, verify_until = ?19 WHERE key = ?1",
    [WRITE_EVENT_INSERT] = "INSERT INTO event(key, salt, org, type, created_us, first_delivery, "
                           "delivery_count, object, payload)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?9, ?8)",
    [WRITE_DELIVERY_INSERT] =
        "INSERT INTO delivery(key, event, webhook, state, reason, attempt_count, due, ended)"
        " VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, NULL)",
    [WRITE_DELIVERY_LOOK] = "SELECT attempt_count, due, ended, reason FROM delivery WHERE key = ?1",
    [WRITE_DELIVERY_AGAIN] = "UPDATE delivery SET attempt_count = ?2, due = ?3 WHERE key = ?1",
    [WRITE_DELIVERY_END] =
        "UPDATE delivery SET attempt_count = ?2, due = NULL, ended = NULL, state = ?3, reason = ?4"
        " WHERE key = ?1",
    [WRITE_ATTEMPT_INSERT] = "INSERT INTO attempt(delivery, n, redelivery, outcome, http_status, "
                             "started_us, duration_ms,"
                             " answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [WRITE_REOPEN] = "UPDATE delivery SET ended = state, state = 0, due = ?2 WHERE key = ?1",
    [WRITE_SETTLE] =
        "UPDATE delivery SET due = NULL, ended = NULL, state = ifnull(ended, ?2),"
        " reason = iif(ended IS NULL, ?3, reason) WHERE webhook = ?1 AND due IS NOT NULL"
        " AND key NOT IN (SELECT value FROM json_each(?4))",
    [WRITE_PENDING_AT] =
        "SELECT d.key, d.event, d.due, d.attempt_count, d.ended IS NOT NULL, e.salt, e.type, "
        "e.payload"
        " FROM delivery d INDEXED BY delivery_open CROSS JOIN event e ON e.key = d.event"
        " WHERE d.webhook = ?1 AND d.due = ?2 AND d.key > ?3 ORDER BY d.key LIMIT ?4",
    [WRITE_PENDING_BEHIND] =
        "SELECT d.key, d.event, d.due, d.attempt_count, d.ended IS NOT NULL, e.salt, e.type, "
        "e.payload"
        " FROM delivery d INDEXED BY delivery_open CROSS JOIN event e ON e.key = d.event"
        " WHERE d.webhook = ?1 AND d.due > ?2 ORDER BY d.due, d.key LIMIT ?4",
    [WRITE_LIST] = "UPDATE delivery SET listed = 1 WHERE key > ?1 AND key <= ?2",
    [WRITE_TYPE] =
        "INSERT INTO event_of_type SELECT org, type, key FROM event WHERE key > ?1 AND key <= ?2",
    [WRITE_TYPED] = "UPDATE meta SET typed = ?1 WHERE id = 1",
    [WRITE_LISTED] = "UPDATE meta SET listed = ?1 WHERE id = 1",
    [WRITE_OBJECT_PUT] =
        "INSERT INTO object(number, alias, event) VALUES (?1, ?2, ?3) ON CONFLICT(number)"
        " DO UPDATE SET stands_for = NULL, alias = ifnull(excluded.alias, alias),"
        " event = excluded.event, org = NULL, type = NULL, payload = NULL",
    [WRITE_OBJECT_ALIAS] =
        "INSERT INTO object(number, stands_for) VALUES (?1, ?2) ON CONFLICT(number)"
        " DO UPDATE SET stands_for = excluded.stands_for, alias = NULL, event = NULL, org = NULL,"
        " type = NULL, payload = NULL WHERE stands_for IS NOT excluded.stands_for",
    [WRITE_OBJECT_FIND] =
        "SELECT o.number, o.alias, ifnull(e.org, o.org), ifnull(e.type, o.type),"
        " ifnull(e.payload, o.payload) FROM object a CROSS JOIN object o"
        " ON o.number = ifnull(a.stands_for, a.number) LEFT JOIN event e ON e.key = o.event"
        " WHERE a.number = ?1 AND o.stands_for IS NULL",
    [WRITE_OBJECT_REMOVE] = "DELETE FROM object WHERE number IN (?1, ?2)"
                            " AND ifnull(stands_for, number) = ?1",
    [WRITE_ORG_INSERT] = "INSERT INTO org VALUES (NULL, ?2, ?3, ?4, ?5)",
    [WRITE_ORG_COUNT] = "SELECT (SELECT count(*) FROM org), (SELECT count(*) FROM token)",
    [WRITE_TOKEN_INSERT] = "INSERT INTO token(org, hash, name, scopes, created_us, expires_us)"
                           " SELECT id, ?3, ?4, ?5, ?6, ?7 FROM org WHERE id = ?2",
    [WRITE_TOKEN_LOOK] = "SELECT revoked_us IS NOT NULL FROM token WHERE key = ?1",
    [WRITE_TOKEN_REVOKE] = "UPDATE token SET revoked_us = ?2 WHERE key = ?1",
    [WRITE_ORG_LOOK] = "SELECT 0 FROM org WHERE id = ?1",
    [WRITE_ORG_REVOKE] = "UPDATE token SET revoked_us = ?2 WHERE org = ?1 AND revoked_us IS NULL",
    [WRITE_TOKEN_FORGET] = "DELETE FROM token WHERE revoked_us < ?1 OR expires_us < ?1",
    [WRITE_IDEMPOTENCY_FIND] =
        "SELECT body_sha256, first_event, count, batch, expires FROM idempotency"
        " WHERE org = ?1 AND key = ?2 AND expires > ?3",
    [WRITE_IDEMPOTENCY_INSERT] =
        "INSERT OR REPLACE INTO idempotency(org, key, body_sha256, first_event, count, batch,"
        " expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_PURGE_FIND] =
        "SELECT key, first_delivery, delivery_count, object FROM event WHERE created_us < ?1"
        " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.key >= first_delivery"
        " AND d.key < first_delivery + delivery_count AND d.due IS NOT NULL)"
        " ORDER BY created_us LIMIT ?2",
    [WRITE_PURGE_ATTEMPTS] = "DELETE FROM attempt WHERE delivery >= ?1 AND delivery < ?2",
    [WRITE_PURGE_DELIVERIES] = "DELETE FROM delivery WHERE key >= ?1 AND key < ?2",
    [WRITE_PURGE_OBJECT] =
        "UPDATE object SET event = NULL,"
        " (org, type, payload) = (SELECT org, type, payload FROM event WHERE key = ?2)"
        " WHERE number = ?1 AND event = ?2",
    [WRITE_PURGE_TYPE] =
        "DELETE FROM event_of_type WHERE (org, type, event) = (SELECT org, type, key FROM event"
        " WHERE key = ?1)",
    [WRITE_PURGE_EVENT] = "DELETE FROM event WHERE key = ?1",
    [WRITE_PURGE_KEYS] =
        "DELETE FROM idempotency WHERE (org, key) IN (SELECT org, key FROM idempotency"
        " WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
    [WRITE_RECOVER] = "SELECT " SQLITE_WEBHOOK_COLUMNS
                      ", EXISTS (SELECT 1 FROM delivery d INDEXED BY delivery_open"
                      " WHERE d.webhook = w.key AND d.due IS NOT NULL) FROM webhook w ORDER BY key",
    [WRITE_OPEN_COUNT] =
        "SELECT count(*) FROM delivery INDEXED BY delivery_open WHERE due IS NOT NULL",
};

#define DELIVERY_COLUMNS                                                            \
    "d.key, d.event, d.webhook, e.salt, e.type, w.id, w.state, d.state, d.reason, " \
    "d.attempt_count, d.due, d.ended, e.created_us, e.org"
#define EVENT_COLUMNS "key, salt, org, type, created_us, first_delivery, delivery_count, payload"

const char *const sqlite_read_sql[READ_COUNT] = {
    [READ_BEGIN] = "BEGIN",
    [READ_END] = "COMMIT",
    [READ_WEBHOOK_GET] =
        "SELECT " SQLITE_WEBHOOK_COLUMNS " FROM webhook WHERE id = ?2 AND org = ?1",
    [READ_WEBHOOK_LIST] =
        "SELECT " SQLITE_WEBHOOK_COLUMNS " FROM webhook WHERE org = ?1 AND state <> 'deleted'"
        " ORDER BY key",
    [READ_WEBHOOK_STATES] = "SELECT key, state FROM webhook WHERE org = ?1",
    [READ_WEBHOOK_STATE] = "SELECT key, state FROM webhook WHERE org = ?1 AND key = ?2",
    [READ_EVENT_GET] = "SELECT " EVENT_COLUMNS " FROM event WHERE key = ?1",
    [READ_EVENT_WALK] = "SELECT key, org = ?1 FROM event WHERE key < ?2 ORDER BY key DESC LIMIT ?3",
    [READ_EVENT_STREAM] =
        "SELECT event FROM event_of_type WHERE org = ?1 AND type = ?2 AND event < ?3"
        " ORDER BY event DESC",
    [READ_EVENT_TAIL] =
        "SELECT key FROM event WHERE key > (SELECT typed FROM meta WHERE id = 1) AND key < ?1"
        " AND org = ?2 AND (?3 IS NULL OR type = ?3) ORDER BY key DESC LIMIT ?4",
    [READ_DELIVERY_WALK] =
        "SELECT d.key, w.org = ?1 FROM delivery d CROSS JOIN webhook w ON w.key = d.webhook"
        " WHERE d.key < ?2 ORDER BY d.key DESC LIMIT ?3",
    [READ_DELIVERY_STREAM] =
        "SELECT key FROM delivery INDEXED BY delivery_by_state WHERE listed = 1 AND state = ?1"
        " AND webhook = ?2 AND key < ?3 ORDER BY key DESC",
    [READ_DELIVERY_TAIL] = "SELECT d.key FROM delivery d CROSS JOIN webhook w ON w.key = d.webhook"
                           " WHERE d.key > (SELECT listed FROM meta WHERE id = 1) AND d.key < ?1"
                           " AND (?3 = 0 OR d.webhook = ?3) AND (?5 = -1 OR d.state = ?5)"
                           " AND w.org = ?2 AND (?5 <> 0 OR ?4 = iif(w.state = 'unverified', 2, 0))"
                           " ORDER BY d.key DESC LIMIT ?6",
    [READ_DELIVERY_OF_EVENT] =
        "SELECT d.key FROM event e CROSS JOIN delivery d CROSS JOIN webhook w ON w.key = d.webhook"
        " WHERE e.key = ?1 AND e.org = ?2 AND d.key >= e.first_delivery"
        " AND d.key < min(?3, e.first_delivery + e.delivery_count)"
        " AND (?4 = 0 OR d.webhook = ?4)"
        " AND (?5 = -1 OR ?5 = iif(d.state = 0 AND w.state = 'unverified', 2, d.state))"
        " ORDER BY d.key DESC LIMIT ?6",
    [READ_DELIVERY_GET] =
        "SELECT " DELIVERY_COLUMNS " FROM delivery d CROSS JOIN event e ON e.key = d.event"
        " CROSS JOIN webhook w ON w.key = d.webhook WHERE d.key = ?1",
    [READ_ATTEMPTS] =
        "SELECT n, redelivery, outcome, http_status, started_us, duration_ms, answer FROM attempt"
        " WHERE delivery = ?1 ORDER BY n",
    [READ_ORGS] = "SELECT key, id, partition, name, created_us FROM org ORDER BY key",
    [READ_TOKENS] =
        "SELECT key, org, hash, name, scopes, created_us, expires_us, revoked_us FROM token"
        " ORDER BY key",
};
