use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::Request as Outgoing;
use axum::routing::{get as on_get, post as on_post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use utoipa::openapi::OpenApi;

use super::*;
use crate::app::{App, Registry, Shared};
use crate::body;
use crate::database::{Database, DatabaseUrl};
use crate::testing::{Answer, get, send};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[derive(Debug, Deserialize)]
struct Greeting {
    name: String,
}

async fn greet(body::Json(greeting): body::Json<Greeting>) -> String {
    greeting.name
}

async fn fall() -> &'static str {
    panic!("over")
}

async fn never() -> &'static str {
    std::future::pending().await
}

/// A service with handlers that go wrong, and its store in a folder that must be kept.
async fn app() -> (Router, Database, TempDir) {
    let folder = TempDir::new().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
    let database = Database::open(&url, &[]).await.unwrap();
    let routes = Router::new()
        .route("/greetings", on_post(greet))
        .route("/fall", on_get(fall))
        .route("/never", on_get(never))
        .route(
            "/foreign",
            on_get(|| async {
                let words = Json(serde_json::json!({ "code": "FOREIGN" }));
                (StatusCode::IM_A_TEAPOT, Extension(InOtherWords), words)
            }),
        )
        .route("/plain", on_get(|| async { (StatusCode::IM_A_TEAPOT, "internal text") }));
    let clock = Clock::fixed("2025-05-01T01:00:00Z".parse().unwrap());
    let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
    let app = App::new(routes, &OpenApi::default(), shared).unwrap();
    (app.into_router(), database, folder)
}

async fn post(kind: &str, text: impl Into<Body>) -> Answer {
    let (router, ..) = app().await;
    let request = Outgoing::post("/greetings").header("content-type", kind).body(text.into());
    send(&router, request.unwrap()).await.unwrap()
}

#[track_caller]
fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json["status"], status);
    assert_eq!(answer.json["code"], code);
    assert_eq!(answer.json["type"], "about:blank");
    assert_eq!(answer.json["timestamp"], "2025-05-01T10:00:00.000+09:00");
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let (router, ..) = app().await;
    let answer = get(&router, "/nowhere?secret=1").await.unwrap();
    check_problem(&answer, 404, "NOT_FOUND");
    assert_eq!(answer.json["instance"], "/nowhere");
    assert_eq!(answer.json["title"], "Not Found");
    assert_eq!(answer.json["errors"], Value::Null);
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_says_which_are_right() {
    let (router, ..) = app().await;
    let answer = get(&router, "/greetings").await.unwrap();
    check_problem(&answer, 405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn bodies_are_refused_by_kind_form_content_and_size() {
    check_problem(&post("text/plain", "{}").await, 415, "UNSUPPORTED_MEDIA_TYPE");
    check_problem(&post("application/json", "{").await, 400, "MALFORMED_JSON");
    check_problem(&post("application/json", "{}").await, 400, "INVALID_REQUEST");
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(body::LIMIT_BYTES));
    check_problem(&post("application/json", large).await, 413, "REQUEST_TOO_LARGE");
    let fine = post("application/json; charset=utf-8", r#"{"name":"a","more":1}"#).await;
    assert_eq!(fine.text, "a");
}

#[tokio::test]
async fn an_answer_in_the_words_of_others_passes_as_it_is() {
    let (router, ..) = app().await;
    let answer = get(&router, "/foreign").await.unwrap();
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.text, r#"{"code":"FOREIGN"}"#);
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_panic_is_a_problem_without_its_text() {
    let (router, ..) = app().await;
    let answer = get(&router, "/fall").await.unwrap();
    check_problem(&answer, 500, "INTERNAL_ERROR");
    assert!(!answer.text.contains("over"));
}

#[tokio::test]
async fn a_handler_that_never_ends_is_given_up() {
    let (router, ..) = app().await;
    tokio::time::pause();
    let answer = get(&router, "/never").await.unwrap();
    check_problem(&answer, 503, "TIMEOUT");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn an_error_answer_nobody_made_a_problem_of_becomes_one() {
    let (router, ..) = app().await;
    let answer = get(&router, "/plain").await.unwrap();
    check_problem(&answer, 418, "INVALID_REQUEST");
    assert!(!answer.text.contains("internal text"));
}

#[tokio::test]
async fn ids_of_the_caller_come_back() {
    let (router, ..) = app().await;
    let request = Outgoing::get("/nowhere")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .header("x-request-id", "r-1")
        .body(Body::empty());
    let answer = send(&router, request.unwrap()).await.unwrap();
    assert_eq!(answer.json["traceId"], TRACE);
    assert_eq!(answer.header("x-request-id"), "r-1");
}

#[tokio::test]
async fn tells_how_it_is() {
    let (router, database, _folder) = app().await;
    assert_eq!(get(&router, "/healthz").await.unwrap().text, "ok");
    assert_eq!(get(&router, "/readyz").await.unwrap().text, "ready");
    database.close().await;
    check_problem(&get(&router, "/readyz").await.unwrap(), 503, "STORE_UNAVAILABLE");
    assert_eq!(get(&router, "/healthz").await.unwrap().text, "ok");
    assert_eq!(get(&router, "/openapi.json").await.unwrap().json["openapi"], "3.1.0");
}

#[tokio::test]
async fn a_service_adds_to_what_ready_means() {
    let folder = TempDir::new().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
    let database = Database::open(&url, &[]).await.unwrap();
    let clock = Clock::fixed("2025-05-01T01:00:00Z".parse().unwrap());
    let shared = Shared { database, clock, registry: Registry::new() };
    let is_out = Arc::new(AtomicBool::new(true));
    let check = Arc::clone(&is_out);
    let app = App::new(Router::new(), &OpenApi::default(), shared).unwrap().ready_when(move || {
        if check.load(Ordering::SeqCst) { Err("messages wait".to_owned()) } else { Ok(()) }
    });
    let router = app.into_router();
    let answer = get(&router, "/readyz").await.unwrap();
    check_problem(&answer, 503, "NOT_READY");
    assert!(answer.text.contains("messages wait"), "{}", answer.text);
    is_out.store(false, Ordering::SeqCst);
    assert_eq!(get(&router, "/readyz").await.unwrap().text, "ready");
}

#[tokio::test]
async fn counts_by_route_and_never_by_what_clients_send() {
    let (router, ..) = app().await;
    get(&router, "/nowhere").await.unwrap();
    let request = Outgoing::builder().method("BREW").uri("/plain").body(Body::empty());
    send(&router, request.unwrap()).await.unwrap();
    let text = get(&router, "/metrics").await.unwrap().text;
    assert!(text.contains(r#"_count{method="GET",route="unmatched",status="404"} 1"#), "{text}");
    assert!(text.contains(r#"_count{method="OTHER",route="/plain",status="405"} 1"#), "{text}");
    assert!(!text.contains("nowhere") && !text.contains("BREW"), "{text}");
}
