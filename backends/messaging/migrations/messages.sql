-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, instants as RFC 3339 in UTC with three
-- digits of a second, so that they sort as text.

-- Messages that were decided on; the relay publishes them.
CREATE TABLE outbox (
    -- UUID version 7: the message's id.
    id TEXT NOT NULL PRIMARY KEY,
    topic TEXT NOT NULL,
    -- The aggregate: messages of one key are published in the order of their sequence.
    record_key TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    -- JSON: an array of pairs.
    headers TEXT NOT NULL,
    -- JSON: the envelope.
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    published_at TEXT,
    -- How often the relay tried.
    attempts BIGINT NOT NULL,
    UNIQUE (record_key, sequence)
);

CREATE INDEX outbox_pending ON outbox (sequence, created_at, id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- The last sequence of each key. Its row is locked from an append to the end of the transaction, so
-- that sequences become visible in their order.
CREATE TABLE outbox_keys (
    record_key TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    used_at TEXT NOT NULL
);

-- Which relay publishes.
CREATE TABLE relay_lease (
    -- 1: there is one.
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    -- The service and its instance.
    owner TEXT NOT NULL,
    -- The process.
    epoch TEXT NOT NULL,
    leased_until TEXT NOT NULL
);

INSERT INTO relay_lease (id, owner, epoch, leased_until)
VALUES (1, '', '', '1970-01-01T00:00:00.000Z');

-- Messages that had their effect.
CREATE TABLE inbox (
    consumer_group TEXT NOT NULL,
    message_id TEXT NOT NULL,
    -- JSON: the ids of the outbox rows that are its answer.
    produced TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (consumer_group, message_id)
);

CREATE INDEX inbox_by_creation ON inbox (created_at);
