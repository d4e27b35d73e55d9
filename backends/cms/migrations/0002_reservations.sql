-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, dates as YYYY-MM-DD, instants as RFC 3339
-- in UTC with three digits of a second, so that they sort as text. Amounts are KRW.

-- What other systems hold or have booked. Its nights are those of room_nights with its external id.
CREATE TABLE reservations (
    -- UUID version 7.
    cms_reservation_id TEXT NOT NULL PRIMARY KEY,
    -- The other system's id.
    external_id TEXT NOT NULL UNIQUE,
    -- Empty in the tombstone of a reservation that was cancelled before it came.
    room_id BIGINT REFERENCES rooms (room_id),
    check_in TEXT,
    check_out TEXT,
    guest_count BIGINT,
    amount BIGINT,
    -- JSON object: who booked, who stays.
    people TEXT,
    status TEXT NOT NULL CHECK (status IN ('HELD', 'APPROVED', 'PAID', 'CANCELLED', 'EXPIRED')),
    hold_expires_at TEXT,
    paid_at TEXT,
    payment_ref TEXT,
    cancel_reason TEXT,
    cancel_reason_code TEXT,
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CHECK (status = 'CANCELLED' OR (room_id IS NOT NULL AND amount IS NOT NULL))
);

CREATE INDEX reservations_by_deadline ON reservations (hold_expires_at) WHERE status = 'HELD';

CREATE TABLE reservations_history (
    external_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    cause TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (external_id, seq)
);

-- How often the batch has run.
CREATE TABLE batch (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    tick BIGINT NOT NULL
);

INSERT INTO batch (id, tick) VALUES (1, 0);
