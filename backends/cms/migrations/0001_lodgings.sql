-- The common part of SQLite and PostgreSQL: BIGINT and TEXT, dates as YYYY-MM-DD.

CREATE TABLE data_set (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seed TEXT NOT NULL,
    generator TEXT NOT NULL,
    first_night TEXT NOT NULL,
    seeded_at TEXT NOT NULL
);

CREATE TABLE lodgings (
    place_id BIGINT NOT NULL PRIMARY KEY,
    type_code TEXT NOT NULL,
    area_code BIGINT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    latitude_e6 BIGINT NOT NULL,
    longitude_e6 BIGINT NOT NULL,
    description TEXT NOT NULL,
    check_in_time TEXT NOT NULL,
    check_out_time TEXT NOT NULL,
    amenities TEXT NOT NULL,
    grade BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('OPEN', 'CLOSED'))
);

CREATE TABLE rooms (
    room_id BIGINT NOT NULL PRIMARY KEY,
    place_id BIGINT NOT NULL REFERENCES lodgings (place_id),
    room_no BIGINT NOT NULL,
    name TEXT NOT NULL,
    bed_type TEXT NOT NULL,
    capacity BIGINT NOT NULL,
    max_capacity BIGINT NOT NULL,
    base_price BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('OPEN', 'CLOSED')),
    UNIQUE (place_id, room_no)
);

-- Only the nights that differ from the default, which is open. A night that was closed and is open
-- again keeps its row, so that its version goes on counting.
CREATE TABLE room_nights (
    night TEXT NOT NULL,
    room_id BIGINT NOT NULL REFERENCES rooms (room_id),
    status TEXT NOT NULL CHECK (status IN ('OPEN', 'CLOSED', 'HELD', 'BOOKED')),
    reservation_id TEXT,
    version BIGINT NOT NULL,
    PRIMARY KEY (night, room_id)
);
