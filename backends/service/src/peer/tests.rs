use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::header::LOCATION;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::edge::{Edge, TIME_LIMIT, surround};
use crate::envelope::Payload;
use crate::metrics::Metrics;
use crate::proof::{CallingService, from_services};
use crate::testing::Signer;

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), call: Duration::from_secs(20), retries: 2 };
/// What a call may take where it is meant to run out.
const SHORT: Duration = Duration::from_millis(100);

/// A peer that is served until the set is dropped.
async fn serve(routes: Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (format!("http://{address}"), tasks)
}

fn peer(base: &str) -> Peer {
    Peer::new("peer", base, LIMITS).unwrap()
}

/// Answers 503 as often as told, then with the number of the call.
async fn recover(
    State((failures, calls)): State<(u32, Arc<AtomicU32>)>,
) -> Result<String, Problem> {
    let number = calls.fetch_add(1, Ordering::Relaxed) + 1;
    if number > failures {
        return Ok(number.to_string());
    }
    Err(Problem::unavailable("STORE_UNAVAILABLE", "not now", RETRY_AFTER))
}

async fn recovering(failures: u32) -> (Peer, Arc<AtomicU32>, JoinSet<()>) {
    let calls = Arc::new(AtomicU32::new(0));
    let routes = Router::new()
        .route("/", get(recover).post(recover))
        .with_state((failures, Arc::clone(&calls)));
    let (base, tasks) = serve(routes).await;
    (peer(&base), calls, tasks)
}

#[tokio::test]
async fn reads_a_value_out_of_its_envelope() {
    let answer = || async { axum::Json(json!({ "timestamp": "t", "payload": { "count": 2 } })) };
    let (base, _tasks) = serve(Router::new().route("/x", get(answer))).await;
    let value: Payload<Value> = peer(&base).get("/x?y=%20").await.unwrap();
    assert_eq!(value.payload["count"], 2);
}

#[tokio::test]
async fn sends_json_and_reads_an_empty_answer() {
    let echo = |body: crate::body::Json<Value>| async move { axum::Json(body.0) };
    let routes = Router::new()
        .route("/echo", post(echo))
        .route("/empty", post(|| async { StatusCode::NO_CONTENT }));
    let (base, _tasks) = serve(routes).await;
    let sent = json!({ "memberId": 42 });
    let told: Value = peer(&base).post("/echo", &sent, Retry::Never).await.unwrap();
    assert_eq!(told, sent);
    peer(&base).post::<_, ()>("/empty", &sent, Retry::Never).await.unwrap();
}

#[tokio::test]
async fn an_idempotent_call_is_sent_again() {
    let (peer, calls, _tasks) = recovering(2).await;
    assert_eq!(peer.get::<u32>("/").await.unwrap(), 3);
    assert_eq!(peer.post::<_, u32>("/", &(), Retry::Idempotent).await.unwrap(), 4);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn retries_end() {
    let (peer, calls, _tasks) = recovering(9).await;
    let error = peer.get::<u32>("/").await.unwrap_err();
    assert!(matches!(error, PeerError::Refused { status, .. } if status == 503), "{error}");
    assert_eq!(calls.load(Ordering::Relaxed), LIMITS.retries + 1);
}

#[tokio::test]
async fn a_call_that_is_not_idempotent_is_sent_once() {
    let (peer, calls, _tasks) = recovering(1).await;
    peer.post::<_, u32>("/", &(), Retry::Never).await.unwrap_err();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_peers_words_and_not_repeated() {
    let calls = Arc::new(AtomicU32::new(0));
    let refuse = |State(calls): State<Arc<AtomicU32>>| async move {
        calls.fetch_add(1, Ordering::Relaxed);
        let told = json!({ "code": "ROOM_NOT_AVAILABLE", "message": "taken",
            "errors": [{ "field": "roomId", "reason": "is taken" }] });
        (StatusCode::CONFLICT, axum::Json(told))
    };
    let (base, _tasks) =
        serve(Router::new().route("/", get(refuse)).with_state(Arc::clone(&calls))).await;
    let error = peer(&base).get::<Value>("/").await.unwrap_err();
    assert_eq!(error.to_string(), "answered 409 Conflict ROOM_NOT_AVAILABLE: taken");
    let PeerError::Refused { errors, .. } = &error else { panic!("{error}") };
    assert_eq!(errors[0].field, "roomId");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let problem = error.into_problem("CMS_UNAVAILABLE");
    assert_eq!((problem.status.as_u16(), &*problem.code), (502, "UPSTREAM_PROTOCOL"));
}

#[tokio::test]
async fn a_hung_peer_is_a_time_out() {
    let (base, _tasks) =
        serve(Router::new().route("/", get(std::future::pending::<&'static str>))).await;
    let limits = Limits { call: SHORT, retries: 1, ..LIMITS };
    let error = Peer::new("peer", &base, limits).unwrap().get::<Value>("/").await.unwrap_err();
    assert!(matches!(error, PeerError::TimedOut), "{error}");
    let problem = error.into_problem("CMS_UNAVAILABLE");
    assert_eq!((problem.status.as_u16(), &*problem.code), (504, "UPSTREAM_TIMEOUT"));
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = peer(&base).get::<Value>("/secret?key=1").await.unwrap_err();
    assert!(matches!(error, PeerError::Unreachable(_)), "{error}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let problem = error.into_problem("CMS_UNAVAILABLE");
    assert_eq!((problem.status.as_u16(), &*problem.code), (503, "CMS_UNAVAILABLE"));
    assert_eq!(problem.retry_after, Some(RETRY_AFTER));
}

#[tokio::test]
async fn answers_that_were_not_agreed_are_garbled() {
    let routes = Router::new()
        .route("/text", get(|| async { "text" }))
        .route("/large", get(|| async { "1".repeat(ANSWER_LIMIT_BYTES + 1) }))
        .route("/moved", get(|| async { (StatusCode::FOUND, [(LOCATION, "/text")]) }));
    let (base, _tasks) = serve(routes).await;
    let peer = peer(&base);
    let error = peer.get::<Value>("/text").await.unwrap_err();
    assert!(matches!(error, PeerError::Garbled(_)), "{error}");
    assert_eq!(error.into_problem("X").status, 502);
    let error = peer.get::<Value>("/large").await.unwrap_err();
    assert!(matches!(error, PeerError::TooLarge), "{error}");
    let error = peer.get::<Value>("/moved").await.unwrap_err();
    assert!(matches!(error, PeerError::Refused { status, .. } if status == 302), "{error}");
}

#[tokio::test]
async fn bases_and_targets_are_checked() {
    for base in ["", "peer", "https://", "ftp://peer"] {
        let error = Peer::new("peer", base, LIMITS).unwrap_err();
        assert!(matches!(error, PeerError::Target(_)), "{base}");
    }
    for target in ["", "x", "@other/", ":1/"] {
        let error = peer("http://127.0.0.1:1").get::<Value>(target).await.unwrap_err();
        assert!(matches!(error, PeerError::Target(_)), "{target}");
    }
}

#[tokio::test]
async fn calls_are_signed_and_carry_what_they_were_told_to() {
    let signer = Signer::new().unwrap();
    let show = |CallingService(name): CallingService,
                OriginalUri(uri): OriginalUri,
                headers: HeaderMap,
                body: String| async move {
        let key = headers["x-api-key"].to_str().unwrap().to_owned();
        axum::Json(json!([name, uri.to_string(), key, body]))
    };
    let routes = Router::new().route("/x", get(show).post(show));
    let (base, _tasks) = serve(from_services(routes, signer.keys(), &Clock::system())).await;
    let peer = peer(&base)
        .with_header(HeaderName::from_static("x-api-key"), HeaderValue::from_static("secret"))
        .with_proof("member", signer.keys().clone(), Clock::system());
    // The URL parser spells some characters its own way; what is sent is what is signed.
    let told: Value = peer.get("/x?a=\"b\"&c=%2f").await.unwrap();
    assert_eq!(told, json!(["member", "/x?a=%22b%22&c=%2f", "secret", ""]));
    let told: Value = peer.post("/x", &json!({ "n": 1 }), Retry::Never).await.unwrap();
    assert_eq!(told, json!(["member", "/x", "secret", "{\"n\":1}"]));
    assert!(!format!("{peer:?}").contains("secret"), "{peer:?}");
}

#[tokio::test]
async fn calls_made_for_a_request_belong_to_its_trace() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let show = |headers: HeaderMap| async move { axum::Json(correlation::trace_id(&headers)) };
    let (base, _tasks) = serve(Router::new().route("/", get(show))).await;
    let relay = |State(peer): State<Peer>| async move { peer.get::<String>("/").await.unwrap() };
    let metrics = Metrics::new(prometheus::Registry::new()).unwrap();
    let edge = Edge { clock: Clock::system(), metrics, time_limit: TIME_LIMIT };
    let router = Router::new()
        .route("/", get(relay))
        .with_state(peer(&base))
        .layer(axum::middleware::from_fn_with_state(edge, surround));
    let headers = [("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))];
    let answer = crate::testing::call(&router, "GET", "/", &headers, "").await.unwrap();
    assert_eq!(answer.text, TRACE);
}
