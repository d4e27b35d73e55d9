//! What goes wrong on purpose.

use serde_json::json;

use crate::harness::{TOTAL, on_stores};

/// Twice what a client sent once is one charge, and both are answered the same.
#[tokio::test]
async fn a_call_that_is_processed_twice_moves_money_once() {
    on_stores(async |client| {
        client.arm(json!({ "operation": "confirm", "kind": "duplicate" })).await;
        client.arm(json!({ "operation": "cancel", "kind": "duplicate" })).await;
        let key = client.paid("order-1").await;
        let wish = json!({ "cancelReason": "changed", "cancelAmount": 1_000 });
        assert_eq!(client.cancel("c1", &key, wish).await.json["balanceAmount"], 14_000);
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 1, 1_000));
    })
    .await;
}

/// Faults find the order of a call that only names a payment key.
#[tokio::test]
async fn a_fault_finds_the_order_of_every_call() {
    on_stores(async |client| {
        let (key, other) = (client.paid("order-1").await, client.paid("order-2").await);
        for operation in ["cancel", "query"] {
            let fault = json!({
                "operation": operation, "kind": "status", "value": "500 COMMON_ERROR",
                "match": { "orderId": "order-1" },
            });
            client.arm(fault).await;
        }
        let wish = json!({ "cancelReason": "changed" });
        assert_eq!(client.cancel("c1", &key, wish.clone()).await.status, 500);
        assert_eq!(client.cancel("c2", &other, wish).await.status, 200);
        for (target, status) in [
            (format!("/pg/v1/payments/{key}"), 500),
            (format!("/pg/v1/payments/{other}"), 200),
            ("/pg/v1/payments/orders/order-1".to_owned(), 500),
            ("/pg/v1/payments/orders/order-2".to_owned(), 200),
        ] {
            let answer = client.send("GET", &target, ("accept", "*/*"), json!(null)).await;
            assert_eq!(answer.status.as_u16(), status, "{target}");
        }
        let gone = client.ask("DELETE", "/pg/admin/faults", &[], "").await;
        assert_eq!(gone.status, 204);
        assert_eq!(client.status(&key).await, "DONE");
    })
    .await;
}

/// In test mode one call can bring its own.
#[tokio::test]
async fn a_call_can_bring_its_own_fault() {
    on_stores(async |client| {
        let key = client.check_out("order-1").await;
        let body = json!({ "paymentKey": key, "orderId": "order-1", "amount": TOTAL });
        let header = ("x-fault", "garbage");
        let answer = client.send("POST", crate::harness::CONFIRM, header, body).await;
        assert_eq!((answer.status.as_u16(), answer.json), (200, json!(null)));
        assert_eq!(client.ledger("order-1").await, (1, TOTAL, 0, 0));
    })
    .await;
}
