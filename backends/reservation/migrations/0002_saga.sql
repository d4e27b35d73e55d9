-- What the saga needs beside the reservation itself.

-- When the CMS had given the nights back.
ALTER TABLE reservations ADD COLUMN released_at TEXT;
-- What the last refund command said, for its re-sends.
ALTER TABLE reservations ADD COLUMN refund_amount BIGINT;
ALTER TABLE reservations ADD COLUMN refund_reason TEXT;
-- Whoever is making it.
ALTER TABLE reservations ADD COLUMN create_owner TEXT;
ALTER TABLE reservations ADD COLUMN create_leased_until TEXT;
-- When the state, or the open refund, has to be looked into.
ALTER TABLE reservations ADD COLUMN due_at TEXT;

CREATE INDEX reservations_by_due ON reservations (due_at);
CREATE INDEX reservations_by_status ON reservations (status);

-- Everything that happened, also what changed nothing.
CREATE TABLE reservation_history (
    reservation_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    -- Rows of the table of transitions, or how the event was taken.
    cause TEXT NOT NULL,
    actor TEXT NOT NULL,
    message_id TEXT,
    note TEXT,
    at TEXT NOT NULL,
    PRIMARY KEY (reservation_id, seq)
);

-- Calls of the CMS, and results that wait for the end of the create.
CREATE TABLE saga_step (
    id TEXT NOT NULL PRIMARY KEY,
    reservation_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN (
        'cms_approve', 'cms_payment_complete', 'release_room', 'apply_result')),
    -- In which order those of one reservation are taken.
    position BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('OPEN', 'DONE', 'CLOSED')),
    -- The message of a result; why a room is released.
    content TEXT NOT NULL,
    lease_owner TEXT,
    leased_until TEXT,
    attempts BIGINT NOT NULL,
    next_attempt_at TEXT NOT NULL,
    last_error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE INDEX saga_step_by_reservation ON saga_step (reservation_id, position);
CREATE INDEX saga_step_by_due ON saga_step (state, next_attempt_at);

-- What an operator has to look at: open until cleared.
CREATE TABLE alerts (
    id TEXT NOT NULL PRIMARY KEY,
    -- Without a reservation of that id when a result names one that nobody knows.
    reservation_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at TEXT NOT NULL,
    cleared_at TEXT,
    note TEXT
);

CREATE INDEX alerts_by_reservation ON alerts (reservation_id, kind);
CREATE INDEX alerts_open ON alerts (cleared_at, created_at);

-- Answers that decided a create with an Idempotency-Key.
CREATE TABLE create_answers (
    member_id BIGINT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (member_id, idempotency_key)
);
