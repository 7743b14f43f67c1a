-- Version 3: secrets and headers of webhooks are sealed (dispatcher/seal.h).

-- A text sealed under the key that the webhooks are sealed with: tells at the start whether the key file is the right one.
-- NULL: nothing is sealed yet. The next start of the service seals every webhook and then sets this, in one transaction.
ALTER TABLE meta ADD COLUMN seal BLOB;
