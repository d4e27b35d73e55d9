//! Operations, their objects and their refusals.

use payment::pg::PgPayment;
use serde_json::{Value, json};

use crate::harness::{CONFIRM, TOTAL, check_error, on_stores};

/// PY-02 PY-03 PY-05
#[tokio::test]
async fn py_05_objects_are_those_of_the_payment_gateway() {
    on_stores(async |client| {
        let key = client.check_out("order-1").await;
        let open = client.query(&key).await;
        assert_eq!((&open["status"], &open["approvedAt"]), (&json!("IN_PROGRESS"), &Value::Null));

        let paid = client.confirm("confirm:1", &key, "order-1").await;
        assert_eq!(paid.status, 200, "{}", paid.text);
        let mut expected = json!({
            "version": "2022-11-16", "paymentKey": key, "type": "NORMAL", "orderId": "order-1",
            "orderName": "달빛호텔", "mId": "tollgate", "currency": "KRW", "method": "카드",
            "totalAmount": TOTAL, "balanceAmount": TOTAL, "status": "DONE",
            "requestedAt": "2025-05-01T10:00:00.000+09:00",
            "approvedAt": "2025-05-01T10:00:00.000+09:00", "useEscrow": false,
            "lastTransactionKey": paid.json["lastTransactionKey"], "suppliedAmount": 13_636,
            "vat": 1_364, "cultureExpense": false, "taxFreeAmount": 0, "taxExemptionAmount": 0,
            "cancels": null, "isPartialCancelable": true, "card": {
                "amount": TOTAL, "issuerCode": "41", "acquirerCode": "41",
                "number": "43301234****123*", "installmentPlanMonths": 0, "approveNo": "00000000",
                "useCardPoint": false, "cardType": "신용", "ownerType": "개인",
                "acquireStatus": "READY", "isInterestFree": false, "interestPayer": null,
            },
            "virtualAccount": null, "transfer": null, "mobilePhone": null,
            "giftCertificate": null, "cashReceipt": null, "cashReceipts": null, "discount": null,
            "easyPay": null, "secret": null, "country": "KR", "failure": null, "receipt": null,
            "checkout": null, "metadata": null,
        });
        assert_eq!(paid.json, expected);
        assert_eq!(client.query(&key).await, expected);
        let by_order = client
            .send("GET", "/pg/v1/payments/orders/order-1", ("accept", "*/*"), Value::Null)
            .await;
        assert_eq!(by_order.json, expected);

        let wish = json!({ "cancelReason": "one night less", "cancelAmount": 5_000 });
        let part = client.cancel("cancel:1", &key, wish).await;
        assert_eq!(part.status, 200, "{}", part.text);
        expected["status"] = "PARTIAL_CANCELED".into();
        expected["balanceAmount"] = 10_000.into();
        expected["lastTransactionKey"] = part.json["lastTransactionKey"].clone();
        expected["cancels"] = json!([{
            "cancelAmount": 5_000, "cancelReason": "one night less", "taxFreeAmount": 0,
            "taxExemptionAmount": 0, "refundableAmount": 10_000,
            "canceledAt": "2025-05-01T10:00:00.000+09:00",
            "transactionKey": part.json["lastTransactionKey"], "receiptKey": null,
            "cancelStatus": "DONE", "cancelRequestId": null,
        }]);
        assert_eq!(part.json, expected);
        // The client of the payment service reads it, too.
        let read: PgPayment = serde_json::from_value(part.json).unwrap();
        assert_eq!((read.returned(), read.balance_amount), (5_000, 10_000));
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 1, 5_000));
    })
    .await;
}

#[tokio::test]
async fn money_is_returned_in_parts_until_nothing_is_left() {
    on_stores(async |client| {
        let key = client.paid("order-1").await;
        let part = |amount: i64| json!({ "cancelReason": "changed", "cancelAmount": amount });
        let all = || json!({ "cancelReason": "changed" });
        assert_eq!(client.cancel("c1", &key, part(1)).await.status, 200);
        let refused = client.cancel("c2", &key, part(TOTAL)).await;
        check_error(&refused, 403, "NOT_CANCELABLE_AMOUNT");
        assert_eq!(client.cancel("c3", &key, part(4_999)).await.status, 200);
        let last = client.cancel("c4", &key, all()).await;
        assert_eq!((last.status.as_u16(), &last.json["status"]), (200, &json!("CANCELED")));
        let left: Vec<_> = last.json["cancels"].as_array().unwrap().iter().collect();
        let left: Vec<_> = left.iter().map(|cancel| cancel["refundableAmount"].clone()).collect();
        assert_eq!(left, [json!(14_999), json!(10_000), json!(0)]);
        let again = client.cancel("c5", &key, all()).await;
        check_error(&again, 400, "ALREADY_CANCELED_PAYMENT");
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 3, TOTAL));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_done_has_the_code_of_the_payment_gateway() {
    on_stores(async |client| {
        let cancel = json!({ "cancelReason": "changed" });
        let missing = client.cancel("c", "pk_x", cancel.clone()).await;
        check_error(&missing, 404, "NOT_FOUND_PAYMENT");
        check_error(&client.confirm("k1", "pk_x", "order-1").await, 404, "NOT_FOUND_PAYMENT");
        let key = client.check_out("order-1").await;
        let refused = client.cancel("c", &key, cancel.clone()).await;
        check_error(&refused, 403, "NOT_CANCELABLE_PAYMENT");
        check_error(&client.confirm("k2", &key, "order-2").await, 400, "INVALID_REQUEST");
        for body in [
            json!({}),
            json!({ "paymentKey": key, "orderId": "order-1" }),
            json!({ "paymentKey": key, "orderId": "order-1", "amount": 0 }),
            json!({ "paymentKey": key, "orderId": "order-1", "amount": 1 }),
            json!({ "paymentKey": "\u{0}", "orderId": "order-1", "amount": TOTAL }),
        ] {
            let answer = client.send("POST", CONFIRM, ("accept", "*/*"), body.clone()).await;
            assert_eq!(answer.json["code"].as_str().unwrap(), "INVALID_REQUEST", "{body}");
        }
        assert_eq!(client.status(&key).await, "IN_PROGRESS");
        assert_eq!(client.confirm("k3", &key, "order-1").await.status, 200);
        for body in [
            json!({}),
            json!({ "cancelReason": "x".repeat(201) }),
            json!({ "cancelReason": "changed", "cancelAmount": 0 }),
            json!({ "cancelReason": "changed", "taxFreeAmount": 1 }),
        ] {
            check_error(&client.cancel("c2", &key, body).await, 400, "INVALID_REQUEST");
        }
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 0, 0));
    })
    .await;
}

/// Two attempts at paying one order.
#[tokio::test]
async fn an_order_is_paid_once_whatever_the_payment_key() {
    on_stores(async |client| {
        let (first, second) =
            (client.check_out("order-1").await, client.check_out("order-1").await);
        assert_eq!(client.confirm("k1", &second, "order-1").await.status, 200);
        let refused = client.confirm("k2", &first, "order-1").await;
        check_error(&refused, 400, "DUPLICATED_ORDER_ID");
        let body = json!({ "orderId": "order-1", "orderName": "x", "amount": 1 }).to_string();
        let answer = client.ask("POST", "/pg/v1/checkout", &[], &body).await;
        check_error(&answer, 400, "DUPLICATED_ORDER_ID");
        let target = "/pg/v1/payments/orders/order-1";
        let found = client.send("GET", target, ("accept", "*/*"), Value::Null).await;
        assert_eq!(found.json["paymentKey"], second);
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 0, 0));
    })
    .await;
}

/// B.3: `pg_window` and `pg_session`.
#[tokio::test]
async fn time_runs_out_for_clients_and_for_merchants() {
    on_stores(async |client| {
        let key = client.check_out("order-1").await;
        assert_eq!(client.after(10).status(&key).await, "IN_PROGRESS");
        let late = client.after(11);
        assert_eq!(late.status(&key).await, "EXPIRED");
        let refused = late.confirm("k1", &key, "order-1").await;
        check_error(&refused, 404, "NOT_FOUND_PAYMENT_SESSION");
        assert_eq!(client.ledger("order-1").await, (0, 0, 0, 0));

        let wish = json!({
            "orderId": "order-2", "orderName": "달빛호텔", "amount": TOTAL, "authenticate": false,
        });
        let (slow, slower) = (client.open(wish.clone()).await, client.open(wish).await);
        assert_eq!(client.status(&slow).await, "READY");
        let early = client.confirm("k2", &slow, "order-2").await;
        check_error(&early, 404, "NOT_FOUND_PAYMENT_SESSION");
        let authenticate = |key: &str| format!("/pg/v1/checkout/{key}/authenticate");
        let in_time = client.after(30).ask("POST", &authenticate(&slow), &[], "").await;
        assert_eq!((in_time.status.as_u16(), &in_time.json["paymentKey"]), (200, &json!(slow)));
        assert_eq!(client.after(39).confirm("k3", &slow, "order-2").await.status, 200);
        let again = client.after(30).ask("POST", &authenticate(&slow), &[], "").await;
        check_error(&again, 400, "ALREADY_PROCESSED_PAYMENT");
        assert_eq!(client.after(31).status(&slower).await, "EXPIRED");
        let late = client.after(31).ask("POST", &authenticate(&slower), &[], "").await;
        check_error(&late, 404, "NOT_FOUND_PAYMENT_SESSION");
    })
    .await;
}

#[tokio::test]
async fn only_the_merchant_is_served() {
    on_stores(async |client| {
        let key = client.paid("order-1").await;
        let cancel = format!("/pg/v1/payments/{key}/cancel");
        let query = format!("/pg/v1/payments/{key}");
        let by_order = "/pg/v1/payments/orders/order-1".to_owned();
        for (method, target) in
            [("POST", CONFIRM.to_owned()), ("POST", cancel), ("GET", query), ("GET", by_order)]
        {
            let nobody = client.ask(method, &target, &[], "{}").await;
            check_error(&nobody, 401, "UNAUTHORIZED_KEY");
            for (shown, status, code) in [
                ("Basic dGVzdF9za18yOg==", 401, "UNAUTHORIZED_KEY"),
                ("Basic dGVzdF9za18x", 403, "INCORRECT_BASIC_AUTH_FORMAT"),
                ("Basic ?", 403, "INCORRECT_BASIC_AUTH_FORMAT"),
                ("Bearer dGVzdF9za18xOg==", 403, "INCORRECT_BASIC_AUTH_FORMAT"),
            ] {
                let headers = [("authorization", shown.to_owned())];
                check_error(&client.ask(method, &target, &headers, "{}").await, status, code);
            }
        }
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 0, 0));
    })
    .await;
}

/// money is returned from the payment gateway's own console, and announced.
#[tokio::test]
async fn x_36_the_console_asks_nobody() {
    on_stores(async |client| {
        let key = client.paid("order-1").await;
        let target = format!("/pg/admin/payments/{key}/cancel");
        let body = json!({ "cancelReason": "complaint" }).to_string();
        let answer = client.ask("POST", &target, &[], &body).await;
        assert_eq!((answer.status.as_u16(), &answer.json["status"]), (200, &json!("CANCELED")));
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 1, TOTAL));
        let again = client.ask("POST", &target, &[], &body).await;
        check_error(&again, 400, "ALREADY_CANCELED_PAYMENT");
        let webhooks = client.ask("GET", "/pg/admin/webhooks?orderId=order-1", &[], "").await.json;
        assert_eq!(webhooks.as_array().unwrap().len(), 2, "{webhooks}");
        assert_eq!(webhooks[1]["eventType"], "PAYMENT_STATUS_CHANGED");
        let calls = client.ask("GET", "/pg/admin/calls?orderId=order-1", &[], "").await.json;
        assert_eq!(calls.as_array().unwrap().len(), 1, "{calls}");
        assert_eq!(calls[0]["idempotencyKey"], "confirm:order-1");
        let nothing = client.ask("GET", "/pg/admin/ledger?orderId=", &[], "").await;
        assert_eq!(nothing.status, 400);
    })
    .await;
}
