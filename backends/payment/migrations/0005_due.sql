-- What is due is looked up several times a second: its indexes hold nothing else, in the order in
-- which it is looked up.
DROP INDEX payments_ready;
DROP INDEX payments_due;
DROP INDEX payments_alert;
DROP INDEX refunds_due;
CREATE INDEX payments_ready ON payments (expires_at) WHERE status = 'READY';
CREATE INDEX payments_open ON payments (next_look_at) WHERE status = 'IN_PROGRESS';
CREATE INDEX payments_done ON payments (next_look_at) WHERE status IN ('DONE', 'PARTIAL_CANCELED');
CREATE INDEX payments_alert ON payments (updated_at) WHERE alert IS NOT NULL;
CREATE INDEX refunds_open ON refunds (next_attempt_at) WHERE status IN ('REQUESTED', 'REFUSED');
-- Counted every few seconds, and listed for operators.
CREATE INDEX refunds_refused ON refunds (created_at, refund_id) WHERE status = 'REFUSED';
