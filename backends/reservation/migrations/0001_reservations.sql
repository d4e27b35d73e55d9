-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, dates as YYYY-MM-DD, instants as RFC
-- 3339 in UTC with three digits of a second, so that they sort as text.

CREATE TABLE reservations (
    -- UUID version 7; also the order at the payment service and the external id at the CMS.
    reservation_id TEXT NOT NULL PRIMARY KEY,
    member_id BIGINT NOT NULL,

    -- What was booked, as it was called then: the CMS may change it later.
    place_id BIGINT NOT NULL,
    place_name TEXT NOT NULL,
    room_id BIGINT NOT NULL,
    room_name TEXT NOT NULL,
    check_in_date TEXT NOT NULL,
    check_out_date TEXT NOT NULL CHECK (check_out_date > check_in_date),
    guest_count BIGINT NOT NULL CHECK (guest_count > 0),
    client_name TEXT NOT NULL,
    client_phone_number TEXT NOT NULL,
    guest_name TEXT NOT NULL,
    guest_phone_number TEXT NOT NULL,

    -- JSON array of {date, amount}, whose sum is total_amount.
    nightly_prices TEXT NOT NULL,
    total_amount BIGINT NOT NULL CHECK (total_amount > 0),
    currency TEXT NOT NULL CHECK (currency = 'KRW'),

    status TEXT NOT NULL CHECK (status IN (
        'REQUESTED', 'PENDING_PAYMENT', 'APPROVING', 'CONFIRMING', 'CONFIRMED',
        'CANCELLING', 'CANCELLED', 'COMPENSATING', 'FAILED', 'EXPIRED')),
    refund_status TEXT NOT NULL CHECK (refund_status IN (
        'NONE', 'REQUESTED', 'DONE', 'NOTHING', 'FAILED')),
    -- The last refund command; the same one in every re-send.
    refund_id TEXT,
    failure_code TEXT,
    failure_message TEXT,

    -- What is known of the CMS.
    cms_status TEXT NOT NULL CHECK (cms_status IN (
        'NONE', 'UNKNOWN', 'HELD', 'APPROVED', 'PAID', 'CANCELLED', 'EXPIRED')),
    cms_reservation_id TEXT,
    hold_expires_at TEXT,

    -- What is known of the payment. charged_at is empty as long as no charge is known.
    payment_id TEXT,
    payment_key TEXT,
    payment_status TEXT,
    payment_method TEXT,
    payment_approved_at TEXT,
    charged_at TEXT,

    -- Set by the first cancellation that was accepted and never changed after it.
    cancel_requested_at TEXT,
    cancel_reason TEXT,

    approve_deadline TEXT,
    confirm_deadline TEXT,

    -- Of the call that made the reservation; empty again once the key is free.
    idempotency_key TEXT,
    request_hash TEXT,

    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE UNIQUE INDEX reservations_by_key ON reservations (member_id, idempotency_key);
CREATE INDEX reservations_by_creation ON reservations (member_id, created_at, reservation_id);
CREATE INDEX reservations_by_check_in ON reservations (member_id, check_in_date, reservation_id);
