-- The nights of each reservation. Those that are active are a second guard beside room_nights: no
-- night of a room is two reservations', whatever goes wrong there.
CREATE TABLE reservation_nights (
    external_id TEXT NOT NULL,
    night TEXT NOT NULL,
    room_id BIGINT NOT NULL,
    -- 1 as long as the reservation is held, approved or paid; 0 afterwards.
    is_active BIGINT NOT NULL CHECK (is_active IN (0, 1)),
    PRIMARY KEY (external_id, night)
);

CREATE UNIQUE INDEX reservation_nights_active ON reservation_nights (room_id, night)
    WHERE is_active = 1;

INSERT INTO reservation_nights (external_id, night, room_id, is_active)
SELECT reservation_id, night, room_id, 1 FROM room_nights
WHERE status IN ('HELD', 'BOOKED') AND reservation_id IS NOT NULL;
