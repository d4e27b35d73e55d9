-- A reservation of member 42 with every column that its owner is shown.
INSERT INTO reservations (
    reservation_id, member_id, place_id, place_name, room_id, room_name, check_in_date,
    check_out_date, guest_count, client_name, client_phone_number, guest_name, guest_phone_number,
    nightly_prices, total_amount, currency, status, refund_status, failure_code, failure_message,
    cms_status, hold_expires_at, payment_id, payment_key, payment_status, payment_method,
    payment_approved_at, charged_at, cancel_requested_at, version, created_at, updated_at)
VALUES (
    '01968a3e-0000-7000-8000-000000000001', 42, 93, '달빛호텔', 921, '달빛호텔_킹_1', '2026-12-01',
    '2026-12-03', 2, '김하나', '01000000001', '이둘', '01000000002',
    '[{"date":"2026-12-01","amount":110000},{"date":"2026-12-02","amount":110000}]', 220000, 'KRW',
    'CANCELLED', 'DONE', 'OPERATOR', 'closed', 'CANCELLED', '2026-11-01T00:15:00.000Z',
    '01968a3e-0000-7000-8000-000000000002', '5EnNZRJGvaBX7zk2yd8ydw26XvwXkLrx9POLqKQjmAw4b0e1',
    'CANCELED', '카드', '2026-11-01T00:05:00.000Z', '2026-11-01T00:05:00.000Z',
    '2026-11-02T00:00:00.000Z', 7, '2026-11-01T00:00:00.000Z', '2026-11-02T00:00:01.000Z')
