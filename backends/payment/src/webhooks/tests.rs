use serde_json::{Value, json};
use service::database::Database;

use crate::harness::{Client, check_problem, on_stores};

const TARGET: &str = "/v1/webhooks/toss";

/// As the gateway passes it on: on behalf of nobody.
async fn announce(client: &Client, body: &str) -> service::testing::Answer {
    client.send_as(None, "POST", TARGET, body).await
}

/// What was kept, the oldest first.
async fn kept(database: &Database) -> Vec<(Option<String>, String, String)> {
    sqlx::query_as("SELECT event_type, body, received_at FROM webhook_events ORDER BY event_id")
        .fetch_all(database.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_event_is_kept_as_it_came() {
    on_stores(async |client, database| {
        let event = json!({
            "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2022-01-01T00:00:00.000000",
            "data": { "paymentKey": "key-1", "status": "DONE", "orderName": "방\u{0}" }
        });
        let answer = announce(&client, &event.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        let [(name, body, received_at)] = kept(&database).await.try_into().unwrap();
        assert_eq!(name.as_deref(), Some("PAYMENT_STATUS_CHANGED"));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), event);
        assert_eq!(received_at, "2025-05-01T01:00:00.000Z");
    })
    .await;
}

#[tokio::test]
async fn an_event_without_a_usable_name_is_kept_too() {
    on_stores(async |client, database| {
        let deposit = json!({ "orderId": "o-1", "status": "DONE", "secret": "s" });
        let odd =
            [json!({}), json!({ "eventType": 5 }), json!({ "eventType": "a\u{0}b" }), deposit];
        for event in &odd {
            assert_eq!(announce(&client, &event.to_string()).await.status, 200, "{event}");
        }
        let kept = kept(&database).await;
        assert_eq!(kept.len(), odd.len());
        assert!(kept.iter().all(|(name, ..)| name.is_none()));
    })
    .await;
}

///
#[tokio::test]
async fn a_26_an_event_changes_no_payment() {
    on_stores(async |client, database| {
        let state = async || -> Vec<(String, String, i64)> {
            sqlx::query_as("SELECT payment_id, status, version FROM payments ORDER BY payment_id")
                .fetch_all(database.pool())
                .await
                .unwrap()
        };
        let before = state().await;
        let forged = json!({
            "eventType": "PAYMENT_STATUS_CHANGED",
            "data": { "orderId": "01968a3e-0000-7000-9000-000000000002", "status": "DONE" }
        });
        assert_eq!(announce(&client, &forged.to_string()).await.status, 200);
        assert_eq!(state().await, before);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_event_is_refused() {
    on_stores(async |client, database| {
        check_problem(&announce(&client, "{").await, 400, "MALFORMED_JSON");
        check_problem(&announce(&client, "[]").await, 400, "INVALID_REQUEST");
        check_problem(&announce(&client, "").await, 415, "UNSUPPORTED_MEDIA_TYPE");
        let large = json!({ "data": "x".repeat(70_000) });
        check_problem(&announce(&client, &large.to_string()).await, 413, "REQUEST_TOO_LARGE");
        assert!(kept(&database).await.is_empty());
    })
    .await;
}

///
#[tokio::test]
async fn a_18_only_the_gateway_may_pass_events_on() {
    on_stores(async |client, database| {
        let answer = client.send_directly("POST", TARGET).await;
        check_problem(&answer, 401, "UNTRUSTED_CALLER");
        assert!(kept(&database).await.is_empty());
    })
    .await;
}
