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
    '2026-11-02T00:00:00.000Z', 7, '2026-11-01T00:00:00.000Z', '2026-11-02T00:00:01.000Z');

-- Reservations that an operator can do something about, and a message that can be sent again.
INSERT INTO reservations (
    reservation_id, member_id, place_id, place_name, room_id, room_name, check_in_date,
    check_out_date, guest_count, client_name, client_phone_number, guest_name, guest_phone_number,
    nightly_prices, total_amount, currency, status, refund_status, refund_id, refund_amount,
    refund_reason, failure_code, cms_status, hold_expires_at, payment_id, payment_key,
    payment_status, charged_at, version, created_at, updated_at)
SELECT r.id, 42, 93, '달빛호텔', 921, '달빛호텔_킹_1', '2026-12-01', '2026-12-03', 2, '김하나',
    '01000000001', '이둘', '01000000002', '[]', 220000, 'KRW', r.status, r.refund, r.refund_id,
    220000, 'LATE_APPROVAL', r.failure, 'HELD', '2999-11-01T00:15:00.000Z',
    '01968a3e-0000-7000-8000-000000000002', 'key',
    'DONE', '2026-11-01T00:05:00.000Z', 7, '2026-11-01T00:00:00.000Z', '2026-11-02T00:00:01.000Z'
FROM (
    SELECT '01968a3e-0000-7000-8000-000000000011' AS id, 'CONFIRMING' AS status, 'NONE' AS refund,
        NULL AS refund_id, NULL AS failure
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000012', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000013', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000014', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000015', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000016', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000017', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000018', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000019', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000020', 'CONFIRMING', 'NONE',
        NULL, NULL
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000021', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000021', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000022', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000022', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000023', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000023', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000024', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000024', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000025', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000025', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000026', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000026', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000027', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000027', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000028', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000028', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000029', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000029', 'REJECT_CARD_PAYMENT'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000030', 'FAILED', 'FAILED',
        '01968a3e-0000-7000-a000-000000000030', 'REJECT_CARD_PAYMENT'
) r;

INSERT INTO saga_step (
    id, reservation_id, kind, position, state, content, attempts, next_attempt_at, created_at,
    updated_at)
SELECT reservation_id, reservation_id, 'cms_approve', 1, 'OPEN', '', 0, '2999-01-01T00:00:00.000Z',
    '2026-11-02T00:00:01.000Z', '2026-11-02T00:00:01.000Z'
FROM reservations WHERE status = 'CONFIRMING';

INSERT INTO alerts (id, reservation_id, kind, detail, created_at)
SELECT reservation_id, reservation_id, 'CMS_SILENT', 'it says nothing', '2026-11-02T00:00:01.000Z'
FROM reservations WHERE status <> 'CANCELLED';

INSERT INTO outbox (id, topic, record_key, sequence, headers, body, created_at, published_at, attempts)
VALUES (
    '01968a3e-0000-7000-b000-000000000001', 'RESERVATION-EVENT',
    '01968a3e-0000-7000-8000-000000000001', 1, '[]', '{"type":"ReservationCancelled"}',
    '2026-11-02T00:00:01.000Z', '2026-11-02T00:00:01.000Z', 1);
