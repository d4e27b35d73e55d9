-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, instants as RFC 3339 in UTC with three
-- digits of a second, so that they sort as text. Amounts are KRW.

-- One attempt at paying an order.
CREATE TABLE payments (
    payment_key TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL,
    order_name TEXT NOT NULL,
    -- What was decided. Whether time has run out meanwhile is seen when it is looked at.
    status TEXT NOT NULL CHECK (status IN (
        'READY', 'IN_PROGRESS', 'DONE', 'CANCELED', 'PARTIAL_CANCELED', 'ABORTED')),
    total_amount BIGINT NOT NULL CHECK (total_amount > 0),
    balance_amount BIGINT NOT NULL CHECK (balance_amount BETWEEN 0 AND total_amount),
    tax_free_amount BIGINT NOT NULL CHECK (tax_free_amount BETWEEN 0 AND total_amount),
    -- When the window was opened, and when the client authenticated in it.
    requested_at TEXT NOT NULL,
    authenticated_at TEXT,
    approved_at TEXT,
    last_transaction_key TEXT,
    failure_code TEXT,
    failure_message TEXT,
    -- Rises with every change, which also keeps others from changing it at the same time.
    version BIGINT NOT NULL
);
CREATE INDEX payments_order ON payments (order_id, requested_at);
-- An order is paid once.
CREATE UNIQUE INDEX payments_paid ON payments (order_id)
    WHERE status IN ('DONE', 'CANCELED', 'PARTIAL_CANCELED');

-- Every movement of money; nothing is ever changed here.
CREATE TABLE ledger (
    transaction_key TEXT NOT NULL PRIMARY KEY,
    payment_key TEXT NOT NULL REFERENCES payments (payment_key),
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('CHARGE', 'REFUND')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    -- Of a refund: what could be returned after it, and why it was made.
    refundable_amount BIGINT NOT NULL,
    tax_free_amount BIGINT NOT NULL,
    reason TEXT,
    -- Position among the movements of its payment, from 1.
    position BIGINT NOT NULL,
    moved_at TEXT NOT NULL,
    UNIQUE (payment_key, position)
);
CREATE INDEX ledger_order ON ledger (order_id);
-- One payment key is charged once, whatever the key of the request.
CREATE UNIQUE INDEX ledger_charge ON ledger (payment_key) WHERE kind = 'CHARGE';

-- What was answered to a request with an Idempotency-Key.
CREATE TABLE answers (
    -- Digest of the API key, the method, the URL and the key.
    scope TEXT NOT NULL PRIMARY KEY,
    status BIGINT NOT NULL,
    body TEXT NOT NULL,
    answered_at TEXT NOT NULL
);

-- Calls that move money, as they came.
CREATE TABLE calls (
    call_id TEXT NOT NULL PRIMARY KEY,
    operation TEXT NOT NULL,
    payment_key TEXT,
    order_id TEXT,
    idempotency_key TEXT,
    came_at TEXT NOT NULL
);
CREATE INDEX calls_order ON calls (order_id);

-- What the merchant is told of, until it has answered 200.
CREATE TABLE webhooks (
    webhook_id TEXT NOT NULL PRIMARY KEY,
    payment_key TEXT NOT NULL,
    order_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    body TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    -- Empty when it was delivered or given up.
    next_attempt_at TEXT,
    delivered_at TEXT,
    created_at TEXT NOT NULL
);
CREATE INDEX webhooks_due ON webhooks (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
