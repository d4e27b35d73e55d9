use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Client, check_problem, on_stores};

const PAID: &str = "01968a3e-0000-7000-8000-000000000001";
const READY: &str = "01968a3e-0000-7000-8000-000000000002";
/// Of member 43.
const REFUSED: &str = "01968a3e-0000-7000-8000-000000000003";

/// Every member of the object in the order of the table of the API.
const FIELDS: &str = "version paymentKey type orderId orderName mId currency method totalAmount \
    balanceAmount status requestedAt approvedAt useEscrow cultureExpense lastTransactionKey \
    suppliedAmount vat taxFreeAmount taxExemptionAmount cancels isPartialCancelable card \
    virtualAccount transfer mobilePhone giftCertificate cashReceipt cashReceipts discount easyPay \
    secret country failure receipt checkout metadata paymentId memberId reservationId expiresAt";

/// The id of the payment that is found.
async fn found(client: &Client, target: &str) -> String {
    let answer = client.get(target).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.text);
    answer.json["payload"]["paymentId"].as_str().unwrap().to_owned()
}

/// PY-04
#[tokio::test]
async fn py_04_a_payment_is_found_by_id_key_and_order() {
    on_stores(async |client, _| {
        let order = "01968a3e-0000-7000-9000-000000000001";
        assert_eq!(found(&client, &format!("/v1/payment/{PAID}")).await, PAID);
        assert_eq!(found(&client, &format!("/v1/payment?orderId={order}")).await, PAID);
        assert_eq!(found(&client, "/v1/payment?paymentKey=key-1").await, PAID);
        assert_eq!(found(&client, &format!("/v1/payment/{READY}")).await, READY);
    })
    .await;
}

/// PY-04 A-25
#[tokio::test]
async fn py_04_those_of_others_do_not_exist() {
    on_stores(async |client, _| {
        for target in [
            &format!("/v1/payment/{REFUSED}"),
            "/v1/payment?orderId=01968a3e-0000-7000-9000-000000000003",
            "/v1/payment?paymentKey=key-3",
            "/v1/payment?paymentKey=",
            "/v1/payment/01968a3e-0000-7000-8000-000000000009",
            "/v1/payment/abc",
            "/v1/payment/%00",
        ] {
            check_problem(&client.get(target).await, 404, "NOT_FOUND_PAYMENT");
        }
        let target = format!("/v1/payment/{REFUSED}");
        assert_eq!(client.send_as(Some(43), "GET", &target, "").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn one_key_must_be_given() {
    on_stores(async |client, _| {
        for query in ["", "?orderId=a&paymentKey=b", "?orderId=a&orderId=b", "?paymentKey=%FF"] {
            let answer = client.get(&format!("/v1/payment{query}")).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
            assert!(!answer.json["errors"].as_array().unwrap().is_empty(), "{query}");
        }
    })
    .await;
}

/// PY-05
#[tokio::test]
async fn py_05_a_payment_has_the_members_of_the_payment_gateways_object() {
    on_stores(async |client, _| {
        for id in [PAID, READY] {
            let answer = client.get(&format!("/v1/payment/{id}")).await;
            let payment = answer.json["payload"].as_object().unwrap();
            let names: BTreeSet<_> = payment.keys().map(String::as_str).collect();
            assert_eq!(names, FIELDS.split_whitespace().collect(), "{id}");
        }
    })
    .await;
}

/// PY-05
#[tokio::test]
async fn py_05_shows_what_was_paid_and_returned() {
    on_stores(async |client, _| {
        let answer = client.get(&format!("/v1/payment/{PAID}")).await;
        let payment = &answer.json["payload"];
        assert_eq!(payment["version"], "2022-11-16");
        assert_eq!(payment["status"], "PARTIAL_CANCELED");
        assert_eq!(payment["balanceAmount"], 10_000);
        assert_eq!(payment["approvedAt"], "2026-11-01T09:05:00.000+09:00");
        assert_eq!(payment["card"]["number"], "12345678****000*");
        assert_eq!(payment["receipt"], json!({ "url": "https://example.com/receipt" }));
        assert_eq!(payment["orderId"], payment["reservationId"]);
        let metadata = json!({ "reservationId": payment["orderId"], "memberId": 42 });
        assert_eq!(payment["metadata"], metadata);
        let cancel = json!({
            "cancelAmount": 5000, "cancelReason": "one night less", "taxFreeAmount": 0,
            "taxExemptionAmount": 0, "refundableAmount": 10_000,
            "canceledAt": "2026-11-02T09:00:00.000+09:00", "transactionKey": "transaction-2",
            "receiptKey": null, "cancelStatus": "DONE", "cancelRequestId": null,
            "refundId": "01968a3e-0000-7000-a000-000000000001"
        });
        assert_eq!(payment["cancels"], json!([cancel]));
    })
    .await;
}

/// PY-05
#[tokio::test]
async fn py_05_a_payment_nobody_has_paid_knows_little() {
    on_stores(async |client, _| {
        let answer = client.get(&format!("/v1/payment/{READY}")).await;
        let payment = &answer.json["payload"];
        for name in ["paymentKey", "method", "approvedAt", "cancels", "card", "failure", "secret"] {
            assert!(payment[name].is_null(), "{name}: {}", answer.text);
        }
        assert_eq!(payment["isPartialCancelable"], true);
        assert_eq!(payment["expiresAt"], "2026-11-01T09:30:00.000+09:00");

        let target = format!("/v1/payment/{REFUSED}");
        let refused = client.send_as(Some(43), "GET", &target, "").await.json["payload"].clone();
        let failure =
            json!({ "code": "REJECT_CARD_PAYMENT", "message": "refused by the card company" });
        assert_eq!(refused["failure"], failure);
        assert_eq!(refused["easyPay"]["provider"], "토스페이");
    })
    .await;
}

///
#[tokio::test]
async fn a_18_only_members_that_come_through_the_gateway_are_served() {
    on_stores(async |client, _| {
        for target in ["/v1/payment?paymentKey=key-1", &format!("/v1/payment/{PAID}")] {
            let answer = client.send_directly("GET", target).await;
            check_problem(&answer, 401, "UNTRUSTED_CALLER");
            let answer = client.send_as(None, "GET", target, "").await;
            check_problem(&answer, 401, "UNTRUSTED_CALLER");
        }
    })
    .await;
}
