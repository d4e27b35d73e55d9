-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, instants as RFC 3339 in UTC with three
-- digits of a second, so that they sort as text.

-- One delivery: an event, worded by a template, on one channel.
CREATE TABLE notifications (
    -- UUID version 7.
    notification_id TEXT NOT NULL PRIMARY KEY,
    source_event_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('RESERVATION', 'PAYMENT', 'TRAVEL_PLANNER')),
    template_code TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('IN_APP', 'EMAIL', 'SMS', 'PUSH', 'WEBHOOK')),
    member_id BIGINT NOT NULL,
    -- Empty when the channel needs an address that nobody knows.
    destination TEXT,
    -- JSON object: what the event told.
    payload TEXT NOT NULL,
    -- Empty until the template was applied.
    rendered_title TEXT,
    rendered_body TEXT,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'SENDING', 'SENT', 'FAILED', 'SKIPPED')),
    attempts BIGINT NOT NULL,
    next_attempt_at TEXT,
    last_error TEXT,
    sent_at TEXT,
    provider_message_id TEXT,
    -- When the member read it; no state of the delivery.
    read_at TEXT,
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (source_event_id, template_code, channel)
);

CREATE INDEX notifications_by_creation ON notifications (member_id, created_at, notification_id);

-- What a member chose; where nothing was chosen the channel's default holds.
CREATE TABLE preferences (
    member_id BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('RESERVATION', 'PAYMENT', 'TRAVEL_PLANNER')),
    channel TEXT NOT NULL CHECK (channel IN ('IN_APP', 'EMAIL', 'SMS', 'PUSH', 'WEBHOOK')),
    choice TEXT NOT NULL CHECK (choice IN ('ON', 'OFF')),
    updated_at TEXT NOT NULL,
    PRIMARY KEY (member_id, kind, channel)
);
