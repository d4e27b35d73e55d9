use serde_json::{Value, json};

use crate::harness::{check_problem, on_stores};

const TARGET: &str = "/v1/payments";
const ORDER: &str = "01968a3e-0000-7000-9000-0000000000aa";

fn wish() -> Value {
    json!({ "orderId": ORDER, "orderName": "달빛호텔_킹", "memberId": 42, "totalAmount": 15_000 })
}

/// PY-01, Y01
#[tokio::test]
async fn py_01_y01_an_order_has_one_payment() {
    on_stores(async |client, database| {
        let created = client.send_as_service("POST", TARGET, &wish().to_string()).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let payment = &created.json["payload"];
        assert_eq!((&payment["status"], &payment["orderId"]), (&json!("READY"), &json!(ORDER)));
        assert_eq!((&payment["suppliedAmount"], &payment["vat"]), (&json!(13_636), &json!(1_364)));
        assert_eq!(payment["expiresAt"], "2025-05-01T10:30:00.000+09:00");
        let again = client.send_as_service("POST", TARGET, &wish().to_string()).await;
        assert_eq!((again.status.as_u16(), &again.json["payload"]), (200, payment));
        let outbox: Vec<(String,)> =
            sqlx::query_as("SELECT topic FROM outbox").fetch_all(database.pool()).await.unwrap();
        assert_eq!(outbox, [("PAYMENT-EVENT".to_owned(),)]);
    })
    .await;
}

#[tokio::test]
async fn another_amount_or_member_is_a_conflict() {
    on_stores(async |client, _| {
        client.send_as_service("POST", TARGET, &wish().to_string()).await;
        for (name, value) in [("totalAmount", 15_001), ("memberId", 43)] {
            let mut other = wish();
            other[name] = value.into();
            let answer = client.send_as_service("POST", TARGET, &other.to_string()).await;
            check_problem(&answer, 409, "ORDER_AMOUNT_CONFLICT");
        }
    })
    .await;
}

#[tokio::test]
async fn every_fault_of_a_wish_is_told() {
    on_stores(async |client, _| {
        let body = json!({
            "orderId": "x", "orderName": "", "memberId": 0, "totalAmount": 99, "currency": "USD",
            "metadata": { "checkInDate": "tomorrow" },
        });
        let answer = client.send_as_service("POST", TARGET, &body.to_string()).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        assert_eq!(answer.json["errors"].as_array().unwrap().len(), 6, "{}", answer.text);
    })
    .await;
}

/// PY-04
#[tokio::test]
async fn py_04_other_services_find_every_payment() {
    on_stores(async |client, _| {
        for target in
            ["/v1/payments/key-3", "/v1/payments/orders/01968a3e-0000-7000-9000-000000000003"]
        {
            let found = client.send_as_service("GET", target, "").await;
            assert_eq!(found.json["payload"]["memberId"], 43, "{}", found.text);
        }
        for target in ["/v1/payments/none", "/v1/payments/orders/none", "/v1/payments/a%00b"] {
            let missing = client.send_as_service("GET", target, "").await;
            check_problem(&missing, 404, "NOT_FOUND_PAYMENT");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_for_tests_is_not_there_otherwise() {
    on_stores(async |client, _| {
        let confirm = client.send_as_service("POST", "/v1/payments/confirm", "{}").await;
        assert_ne!(confirm.status, 200);
        let cancel = client.send_as_service("POST", "/v1/payments/key-1/cancel", "{}").await;
        check_problem(&cancel, 404, "NOT_FOUND");
    })
    .await;
}
