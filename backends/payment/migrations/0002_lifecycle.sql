-- What the service needs to take and return money, and to prove what it did.

-- Who owns the payment while the payment gateway is called; see leased_until.
ALTER TABLE payments ADD COLUMN lease_owner TEXT;
-- When the payment gateway is to be asked about it, and how often it was in vain.
ALTER TABLE payments ADD COLUMN next_look_at TEXT;
ALTER TABLE payments ADD COLUMN looks BIGINT NOT NULL DEFAULT 0;
-- When the stay begins; until then it is looked into once a day.
ALTER TABLE payments ADD COLUMN check_in_date TEXT;
-- Why an operator should look at it.
ALTER TABLE payments ADD COLUMN alert TEXT;

CREATE INDEX payments_ready ON payments (status, expires_at);
CREATE INDEX payments_due ON payments (status, next_look_at);
CREATE INDEX payments_alert ON payments (alert);

-- 0 or 1: whether the payment gateway may have been called for it, whether its command was answered,
-- whether an operator settled it.
ALTER TABLE refunds ADD COLUMN is_sent BIGINT NOT NULL DEFAULT 1;
ALTER TABLE refunds ADD COLUMN is_answered BIGINT NOT NULL DEFAULT 1;
ALTER TABLE refunds ADD COLUMN is_by_hand BIGINT NOT NULL DEFAULT 0;

CREATE INDEX refunds_due ON refunds (status, next_attempt_at);
CREATE UNIQUE INDEX cancels_once ON cancels (payment_id, transaction_key);

ALTER TABLE webhook_events ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook_events ADD COLUMN next_attempt_at TEXT;

CREATE INDEX webhook_events_due ON webhook_events (processed_at, next_attempt_at);

-- Every change, in the order of versions.
CREATE TABLE payment_history (
    payment_id TEXT NOT NULL REFERENCES payments (payment_id),
    seq BIGINT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    -- The rows of the tables that led to it, such as Y11+RF5.
    cause TEXT NOT NULL,
    actor TEXT NOT NULL CHECK (actor IN ('SYSTEM', 'OPERATOR')),
    message_id TEXT,
    at TEXT NOT NULL,
    PRIMARY KEY (payment_id, seq)
);

CREATE TABLE refund_history (
    refund_id TEXT NOT NULL REFERENCES refunds (refund_id),
    seq BIGINT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    cause TEXT NOT NULL,
    actor TEXT NOT NULL CHECK (actor IN ('SYSTEM', 'OPERATOR')),
    message_id TEXT,
    note TEXT,
    at TEXT NOT NULL,
    PRIMARY KEY (refund_id, seq)
);
