-- After how many attempts nobody knows whether it has arrived.
ALTER TABLE notifications ADD COLUMN unknowns BIGINT NOT NULL DEFAULT 0;
