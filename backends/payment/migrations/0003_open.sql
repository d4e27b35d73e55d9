-- What is to be followed is looked up several times a second: its index holds nothing else, in the
-- order in which it is looked up.
DROP INDEX webhook_events_due;
CREATE INDEX webhook_events_open ON webhook_events (event_id) WHERE processed_at IS NULL;
