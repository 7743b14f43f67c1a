-- Version 4: lists of events of one type, newest first, come out of the way of those who publish.

-- Each type grows on a page of its own, so an index of `event` writes nearly a page more for each event where a transaction has a
-- few of many types; the rows come here some hundreds at a time, like those of delivery_by_state in version 1.
CREATE TABLE event_of_type(
    org TEXT NOT NULL,
    type TEXT NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (org, type, event)
) WITHOUT ROWID;
INSERT INTO event_of_type SELECT org, type, key FROM event ORDER BY org, type, key;
DROP INDEX event_by_type;

-- Events up to this key are in event_of_type.
ALTER TABLE meta ADD COLUMN typed INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET typed = next_event - 1;
