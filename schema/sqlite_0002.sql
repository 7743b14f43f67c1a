-- Version 2: organisations and their tokens. What a store of version 1 holds is the first organisation's, which is always there.

CREATE TABLE org(
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,       -- the part of a DON after "devo/"; what other tables mean by org
    partition TEXT NOT NULL,       -- the third part of a DON
    name TEXT NOT NULL,            -- for people
    created_us INTEGER NOT NULL    -- 0: it was there from the start
);
INSERT INTO org VALUES (1, 'dev0', 'dvrv-us-1', 'first organisation', 0);

-- The token itself is not kept: 256 random bits need no salt, and nobody gets back from the hash to them.
CREATE TABLE token(
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    org TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,     -- SHA-256 of the token
    name TEXT NOT NULL,            -- for people
    scopes TEXT NOT NULL,          -- schema/scope.def, separated by spaces
    created_us INTEGER NOT NULL,
    expires_us INTEGER,            -- NULL: never
    revoked_us INTEGER             -- NULL: it is not
);

-- The third part of its DON; that of its organisation when it was made.
ALTER TABLE webhook ADD COLUMN partition TEXT NOT NULL DEFAULT 'dvrv-us-1';
