-- The tables of the embedded store, version 1 (store/migrate.c applies this file to a new database, in one transaction).
--
-- To read the file by hand while the service runs: sqlite3 -readonly revhook.db. States, reasons, outcomes and types stand in
-- words, but for delivery.state, whose words are in the view delivery_words. Times that end in _us are microseconds since 1970;
-- the others are milliseconds on the service's own time line (dispatcher/core/time.h), NULL for "never".
-- Nothing here checks a value: the only writer is the program, whose tests hold it to the words.

-- One row: the clock of the newest commit, the keys that come next (a key is never used again, not after a purge), and up to
-- which delivery the lists have been brought.
CREATE TABLE meta(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    mono_ms INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    boot TEXT NOT NULL,            -- id of the boot that mono_ms was read in
    next_event INTEGER NOT NULL,
    next_delivery INTEGER NOT NULL,
    listed INTEGER NOT NULL        -- deliveries up to this key have listed = 1, the others have NULL
);
INSERT INTO meta VALUES (1, 0, 0, '', 1, 1, 0);

CREATE TABLE webhook(
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,       -- the part of its DON after "webhook/"; kept when deleted
    org TEXT NOT NULL,
    url TEXT NOT NULL,             -- as the client wrote it
    target TEXT NOT NULL,          -- as it is dialled
    secret BLOB NOT NULL,          -- empty when deleted
    headers TEXT NOT NULL,         -- "name: value" lines
    signature TEXT NOT NULL,       -- what it sets of its form, like "encoding=base64 key=base64"; else the setting counts
    event_types TEXT NOT NULL,     -- separated by spaces
    state TEXT NOT NULL,           -- schema/webhook.def
    reason TEXT,                   -- schema/reason.def; NULL: none
    verified INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    consecutive_failures INTEGER NOT NULL,
    verify_count INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    last_success_us INTEGER NOT NULL,
    verify_since INTEGER NOT NULL,
    verify_next INTEGER,
    verify_until INTEGER,
    created_us INTEGER NOT NULL,
    modified_us INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    modified_by TEXT NOT NULL
);
CREATE INDEX webhook_of_org ON webhook(org);

-- Its deliveries have the keys first_delivery .. first_delivery + delivery_count - 1.
CREATE TABLE event(
    key INTEGER PRIMARY KEY,
    salt INTEGER NOT NULL,
    org TEXT NOT NULL,
    type TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    first_delivery INTEGER NOT NULL,
    delivery_count INTEGER NOT NULL,
    object INTEGER,                -- the number of the object that it is a version of; NULL: of none
    payload TEXT NOT NULL          -- last, so that long ones are not read through for the rest
);
CREATE INDEX event_by_type ON event(org, type);     -- lists of one type, newest first
CREATE INDEX event_by_age ON event(created_us);     -- retention

-- The last version of each object that webhooks.fetch can ask for. The number is made of its organisation and id
-- (dispatcher/object.h). The payload stays with its event until retention takes that; what is kept then moves here.
CREATE TABLE object(
    number INTEGER PRIMARY KEY,
    stands_for INTEGER,            -- of a display id: the number of the object; NULL: this is the object itself, and
    alias INTEGER,                 -- the number of its display id; NULL: it has none
    event INTEGER,                 -- the last version; NULL: the event is gone, and this was in it:
    org TEXT,
    type TEXT,
    payload TEXT
);

CREATE TABLE delivery(
    key INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    webhook INTEGER NOT NULL,
    state INTEGER NOT NULL,        -- 0 open, 3 delivered, 4 failed, 5 dropped
    reason TEXT,                   -- schema/reason.def; NULL: none. While a redelivery is open: of its old end
    attempt_count INTEGER NOT NULL,
    due INTEGER,                   -- of an open one: when its next attempt may start; NULL otherwise
    listed INTEGER,                -- 1: it is in delivery_by_state; set for thousands of rows at once
    ended INTEGER                  -- while a redelivery is open: the old end, as in state; NULL otherwise
);
CREATE INDEX delivery_open ON delivery(webhook, due) WHERE due IS NOT NULL; -- what is pending, and nothing else

-- Lists of one webhook or one state, newest first. With many webhooks each row lands on a page of its own, and to write 8 KiB for
-- each delivery would cost more than all the rest of its life; so rows come here some thousands at a time, when most have ended
-- (store_sqlite_list.c). The newest rows, which are not here yet, are looked through one by one.
CREATE INDEX delivery_by_state ON delivery(state, webhook) WHERE listed = 1;

CREATE TABLE attempt(
    delivery INTEGER NOT NULL,
    n INTEGER NOT NULL,
    redelivery INTEGER NOT NULL,
    outcome TEXT,                  -- schema/outcome.def; NULL: acknowledged
    http_status INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    answer BLOB,                   -- the beginning of what the receiver answered
    PRIMARY KEY (delivery, n)
) WITHOUT ROWID;

CREATE TABLE idempotency(
    org TEXT NOT NULL,
    key BLOB NOT NULL,
    body_sha256 BLOB NOT NULL,
    first_event INTEGER NOT NULL,
    count INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (org, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency(expires);

-- For people: deliveries in words.
CREATE VIEW delivery_words AS
SELECT d.key, e.type, w.id AS webhook, e.key AS event,
       CASE WHEN d.state = 0 THEN iif(w.state = 'unverified', 'held', 'pending')
            WHEN d.state = 3 THEN 'delivered' WHEN d.state = 4 THEN 'failed' ELSE 'dropped' END AS state,
       coalesce(d.reason, 'none') AS reason, d.attempt_count, d.ended IS NOT NULL AS redelivery, d.due,
       datetime(e.created_us / 1000000, 'unixepoch') AS created
FROM delivery d JOIN event e ON e.key = d.event JOIN webhook w ON w.key = d.webhook;
