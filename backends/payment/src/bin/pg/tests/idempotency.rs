//! Idempotency keys, and one charge for one payment key.

use payment::pg::code::{OnCancel, OnConfirm, RULES};
use serde_json::{Value, json};

use crate::harness::{CONFIRM, TOTAL, check_error, on_stores};

#[tokio::test]
async fn the_same_key_is_answered_the_same_whatever_it_asks() {
    on_stores(async |client| {
        let (key, other) = (client.check_out("order-1").await, client.check_out("order-2").await);
        let first = client.confirm("k1", &key, "order-1").await;
        let again = client.confirm("k1", &key, "order-1").await;
        assert_eq!((again.status.as_u16(), again.text), (200, first.text.clone()));
        // A key that is not the payment's own is told of another payment.
        let wrong = client.confirm("k1", &other, "order-2").await;
        assert_eq!(wrong.text, first.text);
        assert_eq!(client.ledger("order-2").await, (0, 0, 0, 0));

        let wish = json!({ "cancelReason": "changed", "cancelAmount": 1_000 });
        let part = client.cancel("k1", &key, wish.clone()).await;
        assert_eq!(part.json["status"], "PARTIAL_CANCELED", "the URL is part of the scope");
        assert_eq!(client.cancel("k1", &key, wish.clone()).await.text, part.text);
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 1, 1_000));
        // Fifteen days later the key is as good as new.
        let later = client.after(15 * 24 * 60 + 1);
        assert_eq!(later.cancel("k1", &key, wish).await.json["balanceAmount"], 13_000);
    })
    .await;
}

#[tokio::test]
async fn a_key_has_at_most_300_characters() {
    on_stores(async |client| {
        let key = client.check_out("order-1").await;
        let answer = client.confirm(&"x".repeat(301), &key, "order-1").await;
        check_error(&answer, 400, "INVALID_IDEMPOTENCY_KEY");
        assert_eq!(client.confirm(&"x".repeat(300), &key, "order-1").await.status, 200);
    })
    .await;
}

/// The mark is set before anything takes its time.
#[tokio::test]
async fn a_key_in_flight_is_refused() {
    on_stores(async |client| {
        let slow = client.taking("60s-60s");
        let key = slow.check_out("order-1").await;
        // Nobody waits for its answer any more: it is being worked on all the same.
        slow.confirm_and_leave("k1", &key, "order-1").await;
        for _ in 0..2 {
            let refused = slow.confirm("k1", &key, "order-1").await;
            check_error(&refused, 409, "IDEMPOTENT_REQUEST_PROCESSING");
        }
        // A fault that waits comes after the mark, too.
        let fast = client.taking("zero");
        let fault = json!({ "operation": "confirm", "kind": "delay", "value": "60s", "times": 1 });
        fast.arm(fault).await;
        fast.confirm_and_leave("k2", &key, "order-1").await;
        let marked = fast.confirm("k2", &key, "order-1").await;
        check_error(&marked, 409, "IDEMPOTENT_REQUEST_PROCESSING");
        // Neither mark is an answer that is kept.
        assert_eq!(client.confirm("k1", &key, "order-1").await.status, 200);
    })
    .await;
}

/// a client that has given up is charged all the same, once.
#[tokio::test]
async fn x_04_a_confirm_lands_although_its_client_is_gone() {
    on_stores(async |client| {
        let slow = client.taking("200ms-200ms");
        let key = slow.check_out("order-1").await;
        slow.confirm_and_leave("k1", &key, "order-1").await;
        while client.status(&key).await != "DONE" {
            tokio::task::yield_now().await;
        }
        assert_eq!(client.confirm("k1", &key, "order-1").await.json["status"], "DONE");
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn one_payment_key_is_charged_once_whatever_the_key() {
    on_stores(async |client| {
        let key = client.check_out("order-1").await;
        let names: Vec<_> = (0..12).map(|number| format!("k{number}")).collect();
        let mut calls = Vec::new();
        for name in &names {
            calls.push(client.confirm(name, &key, "order-1"));
        }
        let mut charged = 0;
        for answer in join(calls).await {
            if answer.status == 200 {
                charged += 1;
            } else {
                check_error(&answer, 400, "ALREADY_PROCESSED_PAYMENT");
            }
        }
        assert_eq!(charged, 1);
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 0, 0));
    })
    .await;
}

/// Polls all of them together.
async fn join<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

/// A.3: every code, with its status, by the header of the real payment gateway; what is definite is
/// kept under its key and everything else is not.
#[tokio::test]
async fn a_3_every_code_of_a_confirm_can_be_asked_for() {
    on_stores(async |client| {
        let mut number = 0;
        for rule in RULES.iter().filter(|rule| rule.confirm.is_some()) {
            let all = rule.codes.iter();
            for (status, code) in
                all.flat_map(|(status, codes)| codes.iter().map(move |code| (*status, *code)))
            {
                number += 1;
                let order = format!("order-{number}");
                let key = client.check_out(&order).await;
                let name = format!("confirm:{number}");
                let body = json!({ "paymentKey": key, "orderId": order, "amount": TOTAL });
                let fault = json!({
                    "operation": "confirm", "kind": "pg_code", "value": code, "times": 1,
                });
                client.arm(fault).await;
                check_error(&client.confirm(&name, &key, &order).await, status, code);
                let again = client.confirm(&name, &key, &order).await;
                if rule.confirm == Some(OnConfirm::Refused) {
                    check_error(&again, status, code);
                    let ended = if status == 404 { "IN_PROGRESS" } else { "ABORTED" };
                    assert_eq!(client.status(&key).await, ended, "{code}");
                    assert_eq!(client.ledger(&order).await, (0, 0, 0, 0));
                } else {
                    assert_eq!(again.status, 200, "{code}: {}", again.text);
                    assert_eq!(client.ledger(&order).await, (1, TOTAL, 0, 0));
                }
                let header = ("tosspayments-test-code", code);
                let asked = client.send("POST", CONFIRM, header, body).await;
                check_error(&asked, status, code);
            }
        }
        assert_eq!(number, 48);
    })
    .await;
}

/// A.3, 4.2.1: a refund that was refused needs a new key, any other may use its own again.
#[tokio::test]
async fn a_3_a_refused_cancel_needs_a_new_key() {
    on_stores(async |client| {
        let mut number = 0;
        for rule in RULES.iter().filter(|rule| rule.cancel.is_some()) {
            let all = rule.codes.iter();
            for (status, code) in
                all.flat_map(|(status, codes)| codes.iter().map(move |code| (*status, *code)))
            {
                number += 1;
                let order = format!("order-{number}");
                let key = client.paid(&order).await;
                let wish = json!({ "cancelReason": "changed" });
                let fault = json!({
                    "operation": "cancel", "kind": "pg_code", "value": code, "times": 1,
                    "match": { "orderId": order },
                });
                client.arm(fault).await;
                let name = format!("cancel:{number}:1");
                check_error(&client.cancel(&name, &key, wish.clone()).await, status, code);
                if rule.cancel == Some(OnCancel::Refused) {
                    check_error(&client.cancel(&name, &key, wish.clone()).await, status, code);
                    assert_eq!(client.ledger(&order).await, (1, TOTAL, 0, 0));
                    let name = format!("cancel:{number}:2");
                    assert_eq!(client.cancel(&name, &key, wish).await.status, 200);
                } else {
                    assert_eq!(client.cancel(&name, &key, wish).await.status, 200, "{code}");
                }
                assert_eq!(client.ledger(&order).await, (1, TOTAL, 1, TOTAL));
            }
        }
        assert_eq!(number, 33);
    })
    .await;
}

/// A code nobody knows is 400; a fault of the stand-in's own store is no answer that is kept.
#[tokio::test]
async fn a_3_an_unknown_code_can_be_asked_for() {
    on_stores(async |client| {
        let key = client.check_out("order-1").await;
        let body = json!({ "paymentKey": key, "orderId": "order-1", "amount": TOTAL });
        let header = ("tosspayments-test-code", "NEW_CODE");
        check_error(&client.send("POST", CONFIRM, header, body).await, 400, "NEW_CODE");
        let target = format!("/pg/v1/payments/{key}");
        let asked = client.send("GET", &target, header, Value::Null).await;
        check_error(&asked, 400, "NEW_CODE");
        let fault = json!({
            "operation": "confirm", "kind": "status", "value": "500 NEW_CODE", "times": 1,
        });
        client.arm(fault).await;
        let answer = client.confirm("k1", &key, "order-1").await;
        assert_eq!((answer.status.as_u16(), &answer.json["code"]), (500, &json!("NEW_CODE")));
        assert_eq!(client.confirm("k1", &key, "order-1").await.status, 200);
    })
    .await;
}
