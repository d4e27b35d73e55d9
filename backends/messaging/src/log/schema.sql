CREATE TABLE topics (
    name TEXT NOT NULL PRIMARY KEY,
    partitions INTEGER NOT NULL,
    retention_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE partitions (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    -- Records before it have been purged.
    first_offset INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    place INTEGER NOT NULL,
    record_key BLOB,
    -- JSON: an array of pairs.
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    appended_ms INTEGER NOT NULL,
    PRIMARY KEY (topic, partition, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer_groups (
    name TEXT NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    consumer_group TEXT NOT NULL,
    member TEXT NOT NULL,
    -- The process: the last one to join under a member's name is the member.
    session TEXT NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, member)
) STRICT, WITHOUT ROWID;

CREATE TABLE assignments (
    consumer_group TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    member TEXT,
    is_revoking INTEGER NOT NULL,
    -- The generation with which the member got it.
    since INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE commits (
    consumer_group TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    -- The first record that was not handled.
    place INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition)
) STRICT, WITHOUT ROWID;
