-- The first day of which the member was told that it is tomorrow.
ALTER TABLE travels ADD COLUMN announced_start TEXT;

CREATE INDEX travels_by_start ON travels (start_date);
