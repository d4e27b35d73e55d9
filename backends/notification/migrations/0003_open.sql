-- What is to be delivered is looked up several times a second: its index holds nothing else, and what
-- was delivered costs it nothing.
DROP INDEX notifications_by_due;
CREATE INDEX notifications_open ON notifications (next_attempt_at) WHERE status IN ('PENDING', 'SENDING');
