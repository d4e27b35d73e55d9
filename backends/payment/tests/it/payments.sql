-- Member 42 has a payment that was returned in part and one that nobody has paid yet; member 43 has
-- one that was refused, and two whose refunds the payment gateway refuses.
INSERT INTO payments (
    payment_id, order_id, order_name, member_id, m_id, payment_key, status, method, currency,
    total_amount, balance_amount, supplied_amount, vat, tax_free_amount, tax_exemption_amount,
    requested_at, expires_at, approved_at, last_transaction_key, failure_code, failure_message,
    details, confirm_attempts, version, created_at, updated_at)
VALUES
    ('01968a3e-0000-7000-8000-000000000001', '01968a3e-0000-7000-9000-000000000001',
     '달빛호텔_킹_1', 42, 'tollgate', 'key-1', 'PARTIAL_CANCELED', '카드', 'KRW', 15000, 10000, 13636,
     1364, 0, 0, '2026-11-01T00:00:00.000Z', '2026-11-01T00:30:00.000Z',
     '2026-11-01T00:05:00.000Z', 'transaction-2', NULL, NULL,
     '{"useEscrow":false,"isPartialCancelable":true,"card":{"amount":15000,"issuerCode":"61",'
     || '"number":"12345678****000*","installmentPlanMonths":0,"isInterestFree":false},'
     || '"receipt":{"url":"https://example.com/receipt"},"virtualAccount":null}',
     1, 3, '2026-11-01T00:00:00.000Z', '2026-11-02T00:00:00.000Z'),
    ('01968a3e-0000-7000-8000-000000000002', '01968a3e-0000-7000-9000-000000000002',
     '달빛호텔_킹_2', 42, 'tollgate', NULL, 'READY', NULL, 'KRW', 30000, 30000, 27273, 2727, 0, 0,
     '2026-11-01T00:00:00.000Z', '2026-11-01T00:30:00.000Z', NULL, NULL, NULL, NULL, '{}', 0, 1,
     '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z'),
    ('01968a3e-0000-7000-8000-000000000003', '01968a3e-0000-7000-9000-000000000003',
     '달빛호텔_킹_3', 43, 'tollgate', 'key-3', 'ABORTED', '간편결제', 'KRW', 9026, 9026, 8205, 821, 0,
     0, '2026-11-01T00:00:00.000Z', '2026-11-01T00:30:00.000Z', NULL, NULL, 'REJECT_CARD_PAYMENT',
     'refused by the card company', '{"easyPay":{"provider":"토스페이","amount":0,"discountAmount":0}}',
     1, 2, '2026-11-01T00:00:00.000Z', '2026-11-01T00:05:00.000Z'),
    ('01968a3e-0000-7000-8000-000000000004', '01968a3e-0000-7000-9000-000000000004',
     '달빛호텔_킹_4', 43, 'tollgate', 'key-4', 'DONE', '카드', 'KRW', 9026, 9026, 8205, 821, 0, 0,
     '2026-11-01T00:00:00.000Z', '2026-11-01T00:30:00.000Z', '2026-11-01T00:05:00.000Z',
     'transaction-4', NULL, NULL, '{}', 1, 2, '2026-11-01T00:00:00.000Z',
     '2026-11-01T00:05:00.000Z'),
    ('01968a3e-0000-7000-8000-000000000005', '01968a3e-0000-7000-9000-000000000005',
     '달빛호텔_킹_5', 43, 'tollgate', 'key-5', 'DONE', '카드', 'KRW', 9026, 9026, 8205, 821, 0, 0,
     '2026-11-01T00:00:00.000Z', '2026-11-01T00:30:00.000Z', '2026-11-01T00:05:00.000Z',
     'transaction-5', NULL, NULL, '{}', 1, 2, '2026-11-01T00:00:00.000Z',
     '2026-11-01T00:05:00.000Z');

INSERT INTO refunds (
    refund_id, payment_id, origin, amount, reason, reason_code, status, n, attempts,
    next_attempt_at, last_code, version, created_at, updated_at)
VALUES
    ('01968a3e-0000-7000-a000-000000000004', '01968a3e-0000-7000-8000-000000000004', 'COMMAND',
     9026, 'no room', 'CMS_APPROVE_FAILED', 'REFUSED', 2, 1, '2099-01-01T00:00:00.000Z',
     'EXCEED_MAX_REFUND_DUE', 2, '2026-11-03T00:00:00.000Z', '2026-11-03T00:00:00.000Z'),
    ('01968a3e-0000-7000-a000-000000000005', '01968a3e-0000-7000-8000-000000000005', 'COMMAND',
     9026, 'no room', 'CMS_APPROVE_FAILED', 'REFUSED', 2, 1, '2099-01-01T00:00:00.000Z',
     'EXCEED_MAX_REFUND_DUE', 2, '2026-11-03T00:00:00.000Z', '2026-11-03T00:00:00.000Z');

INSERT INTO refunds (
    refund_id, payment_id, origin, amount, reason, reason_code, status, n, attempts, version,
    created_at, updated_at)
VALUES (
    '01968a3e-0000-7000-a000-000000000001', '01968a3e-0000-7000-8000-000000000001', 'COMMAND', 5000,
    'one night less', 'CUSTOMER', 'DONE', 1, 1, 2, '2026-11-02T00:00:00.000Z',
    '2026-11-02T00:00:00.000Z');

INSERT INTO cancels (
    payment_id, position, refund_id, cancel_amount, cancel_reason, tax_free_amount,
    tax_exemption_amount, refundable_amount, canceled_at, transaction_key, receipt_key,
    cancel_status, cancel_request_id)
VALUES (
    '01968a3e-0000-7000-8000-000000000001', 1, '01968a3e-0000-7000-a000-000000000001', 5000,
    'one night less', 0, 0, 10000, '2026-11-02T00:00:00.000Z', 'transaction-2', NULL, 'DONE', NULL);

UPDATE payments SET alert = 'PARTLY_RETURNED_OUTSIDE'
WHERE payment_id = '01968a3e-0000-7000-8000-000000000001';
