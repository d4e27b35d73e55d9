-- A notification of member 42 with every column that a member is shown.
INSERT INTO notifications (
    notification_id, source_event_id, kind, template_code, channel, member_id, destination, payload,
    rendered_title, rendered_body, status, attempts, sent_at, provider_message_id, read_at, version,
    created_at, updated_at)
VALUES (
    '01968a3e-0000-7000-8000-000000000001', '01968a3e-0000-7000-8000-000000000002', 'RESERVATION',
    'RESERVATION_CONFIRMED', 'EMAIL', 42, 'member@example.com', '{}', '예약 확정', '달빛호텔', 'SENT',
    1, '2026-11-01T00:00:01.000Z', 'm-1', '2026-11-01T00:00:02.000Z', 3,
    '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:02.000Z');

-- Deliveries that have failed, for whoever tries them again.
INSERT INTO notifications (
    notification_id, source_event_id, kind, template_code, channel, member_id, destination, payload,
    status, attempts, last_error, version, created_at, updated_at)
SELECT n.id, n.id, 'PAYMENT', 'PAYMENT_APPROVED', 'SMS', 42, '01000000000', '{}', 'FAILED', 6,
    'no answer', 3, '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:02.000Z'
FROM (
    SELECT '01968a3e-0000-7000-8000-000000000011' AS id
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000012'
    UNION ALL SELECT '01968a3e-0000-7000-8000-000000000013'
) n;
