-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, dates as YYYY-MM-DD, instants as RFC
-- 3339 in UTC with three digits of a second, so that they sort as text.

-- The last id given out of each kind. Both dialects count up in their own way, and not without gaps.
CREATE TABLE last_ids (
    kind TEXT NOT NULL PRIMARY KEY CHECK (kind IN ('TRAVEL', 'REGION', 'PLAN')),
    last_id BIGINT NOT NULL
);

INSERT INTO last_ids (kind, last_id) VALUES ('TRAVEL', 0), ('REGION', 0), ('PLAN', 0);

-- One row for each member who ever had a travel, locked while a travel of theirs is given its days:
-- travels that overlap are rows of their own, so only a row they share can keep them apart.
CREATE TABLE calendars (
    member_id BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

CREATE TABLE travels (
    travel_id BIGINT NOT NULL PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES calendars (member_id),
    -- Empty when the title is derived from the regions.
    travel_name TEXT,
    start_date TEXT NOT NULL,
    end_date TEXT NOT NULL CHECK (end_date >= start_date),
    -- Counts every change of the travel, its regions or its plans.
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    -- Travels of one member have no day in common, so no first day either.
    UNIQUE (member_id, start_date)
);

CREATE TABLE travel_regions (
    region_id BIGINT NOT NULL PRIMARY KEY,
    travel_id BIGINT NOT NULL REFERENCES travels (travel_id) ON DELETE CASCADE,
    region_name TEXT NOT NULL,
    region_order BIGINT NOT NULL CHECK (region_order > 0)
);

CREATE INDEX travel_regions_in_order ON travel_regions (travel_id, region_order);

CREATE TABLE travel_plans (
    plan_id BIGINT NOT NULL PRIMARY KEY,
    travel_id BIGINT NOT NULL REFERENCES travels (travel_id) ON DELETE CASCADE,
    location_name TEXT NOT NULL,
    -- Degrees as the shortest decimal text that reads as the number that was sent.
    longitude TEXT NOT NULL,
    latitude TEXT NOT NULL,
    location_category TEXT,
    location_address TEXT NOT NULL,
    location_road_address TEXT NOT NULL,
    location_telephone TEXT,
    plan_date TEXT NOT NULL,
    -- 1, 2, 3 … on each day. Not unique: both dialects check row by row, which a shift cannot pass.
    plan_order BIGINT NOT NULL CHECK (plan_order > 0),
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE INDEX travel_plans_in_order ON travel_plans (travel_id, plan_date, plan_order);
