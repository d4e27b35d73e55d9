-- Steps that are done cost the look for those that are due nothing.
DROP INDEX saga_step_by_due;
CREATE INDEX saga_step_open ON saga_step (next_attempt_at) WHERE state = 'OPEN';
