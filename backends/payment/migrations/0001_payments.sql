-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, instants as RFC 3339 in UTC with three
-- digits of a second, so that they sort as text. Amounts are KRW.

CREATE TABLE payments (
    -- UUID version 7.
    payment_id TEXT NOT NULL PRIMARY KEY,
    -- The reservation's id: one payment per reservation.
    order_id TEXT NOT NULL UNIQUE,
    order_name TEXT NOT NULL,
    member_id BIGINT NOT NULL,
    m_id TEXT NOT NULL,
    -- Known once the client has authenticated.
    payment_key TEXT UNIQUE,
    status TEXT NOT NULL CHECK (status IN (
        'READY', 'IN_PROGRESS', 'WAITING_FOR_DEPOSIT', 'DONE', 'CANCELED', 'PARTIAL_CANCELED',
        'ABORTED', 'EXPIRED')),
    method TEXT,

    currency TEXT NOT NULL CHECK (currency = 'KRW'),
    total_amount BIGINT NOT NULL CHECK (total_amount > 0),
    balance_amount BIGINT NOT NULL CHECK (balance_amount BETWEEN 0 AND total_amount),
    supplied_amount BIGINT NOT NULL,
    vat BIGINT NOT NULL,
    tax_free_amount BIGINT NOT NULL,
    tax_exemption_amount BIGINT NOT NULL,

    requested_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    approve_by TEXT,
    approved_at TEXT,
    last_transaction_key TEXT,
    failure_code TEXT,
    failure_message TEXT,
    -- JSON object: what the payment gateway told and nobody here interprets (card, receipt, …).
    details TEXT NOT NULL,

    -- The call of the payment gateway. in_doubt_since is empty unless its outcome is unknown.
    confirm_attempts BIGINT NOT NULL,
    last_attempt_at TEXT,
    in_doubt_since TEXT,
    leased_until TEXT,
    last_pg_error_code TEXT,
    -- JSON object: the last final result, published again when a command is repeated.
    stored_result TEXT,

    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CHECK (supplied_amount + vat + tax_free_amount = total_amount)
);

-- One request to return money, written before the payment gateway is called.
CREATE TABLE refunds (
    refund_id TEXT NOT NULL PRIMARY KEY,
    payment_id TEXT NOT NULL REFERENCES payments (payment_id),
    origin TEXT NOT NULL CHECK (origin IN ('COMMAND', 'OUTSIDE')),
    amount BIGINT NOT NULL CHECK (amount >= 0),
    reason TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('REQUESTED', 'REFUSED', 'DONE', 'NOTHING')),
    -- Part of the key sent to the payment gateway; rises after a definite refusal only.
    n BIGINT NOT NULL CHECK (n > 0),
    attempts BIGINT NOT NULL,
    next_attempt_at TEXT,
    last_code TEXT,
    note TEXT,
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE INDEX refunds_by_payment ON refunds (payment_id);

-- Money that was returned, in the order in which it was.
CREATE TABLE cancels (
    payment_id TEXT NOT NULL REFERENCES payments (payment_id),
    position BIGINT NOT NULL CHECK (position > 0),
    refund_id TEXT NOT NULL REFERENCES refunds (refund_id),
    cancel_amount BIGINT NOT NULL CHECK (cancel_amount > 0),
    cancel_reason TEXT NOT NULL,
    tax_free_amount BIGINT NOT NULL,
    tax_exemption_amount BIGINT NOT NULL,
    refundable_amount BIGINT NOT NULL,
    canceled_at TEXT NOT NULL,
    transaction_key TEXT NOT NULL,
    receipt_key TEXT,
    cancel_status TEXT NOT NULL,
    cancel_request_id TEXT,
    PRIMARY KEY (payment_id, position)
);

-- What the payment gateway announced. It is unsigned, hence only a hint to ask for the truth.
CREATE TABLE webhook_events (
    -- UUID version 7, which sorts by time.
    event_id TEXT NOT NULL PRIMARY KEY,
    -- Empty when the event names none.
    event_type TEXT,
    body TEXT NOT NULL,
    received_at TEXT NOT NULL,
    processed_at TEXT
);
