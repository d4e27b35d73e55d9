-- Who delivers it at this moment; a delivery whose lease is over is taken up again.
ALTER TABLE notifications ADD COLUMN lease_owner TEXT;
ALTER TABLE notifications ADD COLUMN leased_until TEXT;
-- After this moment it is not worth sending.
ALTER TABLE notifications ADD COLUMN stale_after TEXT;

CREATE INDEX notifications_by_due ON notifications (status, next_attempt_at);
