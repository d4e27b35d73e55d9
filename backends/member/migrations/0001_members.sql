-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, dates as YYYY-MM-DD, instants as RFC 3339
-- in UTC with milliseconds.

-- The last id given out. Both dialects count up in their own way, and not without gaps.
CREATE TABLE member_ids (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    last_id BIGINT NOT NULL
);

INSERT INTO member_ids (id, last_id) VALUES (1, 0);

-- A withdrawn member keeps its id and nothing personal.
CREATE TABLE members (
    member_id BIGINT NOT NULL PRIMARY KEY,
    member_email TEXT UNIQUE,
    member_name TEXT,
    nick_name TEXT UNIQUE,
    phone_number TEXT UNIQUE,
    birthday TEXT,
    gender TEXT CHECK (gender IN ('M', 'F')),
    member_role TEXT NOT NULL CHECK (member_role IN ('USER', 'ADMIN')),
    account_type TEXT NOT NULL CHECK (account_type IN ('LOCAL', 'GOOGLE', 'KAKAO', 'NAVER')),
    password_hash TEXT CHECK (password_hash IS NULL OR account_type = 'LOCAL'),
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'DORMANT', 'WITHDRAWN')),
    last_login_at TEXT,
    joined_at TEXT NOT NULL,
    dormant_at TEXT,
    withdrawn_at TEXT,
    modifier_id BIGINT,
    modified_at TEXT NOT NULL,
    version BIGINT NOT NULL,
    CHECK (status = 'WITHDRAWN' OR (member_email IS NOT NULL AND member_name IS NOT NULL))
);

-- Members whose sessions the gateway has not been told to end yet.
CREATE TABLE pending_revocations (
    member_id BIGINT NOT NULL PRIMARY KEY REFERENCES members (member_id),
    requested_at TEXT NOT NULL
);
