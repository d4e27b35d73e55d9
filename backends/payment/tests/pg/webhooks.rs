//! What the merchant is told of, until it answers 200.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use payment::pg::ConfirmOutcome;
use serde_json::{Value, json};
use service::testing::Signer;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{Bank, ORDER, Pg, cancel, confirm};

const PATH: &str = "/webhooks/toss";
const RETRY: (&str, &str) = ("TIMING_WEBHOOK_RETRY", "20ms, 40ms, 80ms");

/// What came, and how it is answered: with these statuses, then with 200.
#[derive(Default)]
struct Heard {
    refusals: Vec<u16>,
    events: Vec<(Value, HeaderMap)>,
}

type Ear = Arc<Mutex<Heard>>;

/// A merchant that refuses as often as told.
async fn listening(refusals: &[u16]) -> (String, Ear, JoinSet<()>) {
    let ear: Ear = Arc::new(Mutex::new(Heard { refusals: refusals.to_vec(), events: Vec::new() }));
    let hear = async |State(ear): State<Ear>, headers: HeaderMap, body: String| {
        let mut heard = ear.lock().unwrap();
        heard.events.push((serde_json::from_str(&body).unwrap(), headers));
        let status = if heard.refusals.is_empty() { 200 } else { heard.refusals.remove(0) };
        StatusCode::from_u16(status).unwrap()
    };
    let routes = Router::new().route(PATH, axum::routing::post(hear)).with_state(Arc::clone(&ear));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, ear, tasks)
}

async fn pay(pg: &Pg) -> String {
    let key = pg.check_out(ORDER);
    let outcome = pg.gateway.confirm("confirm:1", confirm(&key, ORDER)).await;
    assert!(matches!(outcome, ConfirmOutcome::Confirmed(_)), "{outcome:?}");
    key
}

/// Polls what is told of the webhooks until it fits.
async fn wait(pg: &Pg, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let webhooks = pg.process.get("/pg/admin/webhooks").unwrap().json;
        let webhooks = webhooks.as_array().unwrap().clone();
        if fits(&webhooks) {
            return webhooks;
        }
        tokio::task::yield_now().await;
    }
}

fn is_delivered(webhook: &Value) -> bool {
    webhook["deliveredAt"].is_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_sent_until_it_is_answered_200() {
    let (url, ear, _tasks) = listening(&[500, 204]).await;
    let pg = Bank::new().open(&[("WEBHOOK_URL", &url), RETRY]);
    let key = pay(&pg).await;
    let told = wait(&pg, |all| all.iter().all(is_delivered) && all.len() == 1).await;
    assert_eq!((&told[0]["attempts"], &told[0]["nextAttemptAt"]), (&json!(3), &Value::Null));
    let heard = ear.lock().unwrap().events.split_off(0);
    assert_eq!(heard.len(), 3);
    for (event, headers) in &heard {
        assert_eq!(event["eventType"], "PAYMENT_STATUS_CHANGED");
        assert!(event["createdAt"].is_string(), "{event}");
        assert_eq!(
            (&event["data"]["status"], &event["data"]["paymentKey"]),
            (&json!("DONE"), &json!(key))
        );
        // Unsigned, as the real one: it goes through the gateway.
        assert!(headers.get("x-gateway-auth").is_none());
    }
    pg.gateway.cancel("cancel:1:1", cancel(&key)).await;
    wait(&pg, |all| all.iter().all(is_delivered) && all.len() == 2).await;
    let (event, _) = ear.lock().unwrap().events.pop().unwrap();
    assert_eq!(
        (&event["data"]["status"], &event["data"]["balanceAmount"]),
        (&json!("CANCELED"), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_given_up_after_the_last_delay() {
    let (url, ear, _tasks) = listening(&[500; 9]).await;
    let pg = Bank::new().open(&[("WEBHOOK_URL", &url), RETRY]);
    pay(&pg).await;
    let is_over = |webhook: &Value| webhook["nextAttemptAt"].is_null();
    let told = wait(&pg, |all| all.len() == 1 && all.iter().all(is_over)).await;
    assert_eq!((&told[0]["attempts"], &told[0]["deliveredAt"]), (&json!(4), &Value::Null));
    assert_eq!(ear.lock().unwrap().events.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_survives_a_kill() {
    let (url, ear, _tasks) = listening(&[]).await;
    let bank = Bank::new();
    let nobody = "http://127.0.0.1:9/webhooks/toss";
    let pg = bank.open(&[("WEBHOOK_URL", nobody), ("TIMING_WEBHOOK_RETRY", "1ms, 1ms, 1ms, 1s")]);
    pay(&pg).await;
    wait(&pg, |all| all[0]["attempts"].as_i64().unwrap() >= 1).await;
    pg.process.kill().unwrap();
    let pg = bank.open(&[("WEBHOOK_URL", &url)]);
    wait(&pg, |all| all.len() == 1 && all.iter().all(is_delivered)).await;
    assert_eq!(ear.lock().unwrap().events.len(), 1);
}

/// Where no gateway is in between, a test can have the stand-in pass for it.
#[tokio::test(flavor = "multi_thread")]
async fn it_passes_for_the_gateway_where_it_has_its_keys() {
    let (url, ear, _tasks) = listening(&[]).await;
    let signer = Signer::new().unwrap();
    let keys = ("GATEWAY_PROOF_KEYS", signer.jwks());
    let pg = Bank::new().open(&[("WEBHOOK_URL", &url), keys]);
    pay(&pg).await;
    wait(&pg, |all| all.len() == 1 && all.iter().all(is_delivered)).await;
    let (_, headers) = ear.lock().unwrap().events.pop().unwrap();
    let proof = headers.get("x-gateway-auth").unwrap().to_str().unwrap();
    let time = |proof: &str| proof.split(';').nth(2).unwrap().to_owned();
    let own = signer.gateway("POST", PATH, None).remove(0).1;
    if time(proof) == time(&own) {
        assert_eq!(proof, own);
    }
}
