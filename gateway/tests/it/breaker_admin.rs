//! Circuit breakers on the admin listener: seen, changed by hand, and measured.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Gateway, Reply, Upstream};

fn file(upstream: &Upstream) -> String {
    format!(
        "routes:\n- {{ id: r, uri: '{}', predicates: [Path=/**], filters: [CircuitBreaker=backend] }}\n",
        upstream.uri()
    )
}

fn with_token(upstream: &Upstream) -> Gateway {
    let environment = |name: &str| (name == "ADMIN_TOKEN").then(|| "let-me".to_owned());
    Gateway::with_environment(&file(upstream), Arc::new(environment))
}

fn change(token: &str, state: &str) -> String {
    format!(
        "POST /actuator/circuitbreakers/backend\nAuthorization: Bearer {token}\n\n{{\"updateState\":\"{state}\"}}"
    )
}

#[test]
fn a_breaker_is_shown_after_its_first_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&file(&upstream));
    let empty = json!({ "circuitBreakers": {} });
    assert_eq!(gateway.admin("GET /actuator/circuitbreakers").json(), empty);
    assert_eq!(gateway.admin("GET /actuator/circuitbreakers/backend").status, 404);
    assert_eq!(gateway.send("GET /").status, 200);
    let one = json!({
        "failureRate": "-1.0%", "slowCallRate": "-1.0%", "failureRateThreshold": "50.0%",
        "slowCallRateThreshold": "100.0%", "bufferedCalls": 1, "failedCalls": 0, "slowCalls": 0,
        "slowFailedCalls": 0, "notPermittedCalls": 0, "state": "CLOSED",
    });
    let all = json!({ "circuitBreakers": { "backend": one } });
    assert_eq!(gateway.admin("GET /actuator/circuitbreakers").json(), all);
    assert_eq!(gateway.admin("GET /actuator/circuitbreakers/backend").json(), one);
}

#[test]
fn r2_9_02_a_breaker_that_is_forced_open_is_503_until_it_is_closed() {
    let upstream = Upstream::start();
    let gateway = with_token(&upstream);
    gateway.send("GET /");
    let answer = gateway.admin(&change("let-me", "FORCE_OPEN"));
    let told = json!({
        "circuitBreakerName": "backend", "currentState": "FORCED_OPEN",
        "message": "backend state has been changed successfully",
    });
    assert_eq!((answer.status, answer.json()), (200, told));
    gateway.send("GET /refused").check_failure(503, "CIRCUIT_OPEN");
    assert_eq!(upstream.seen().len(), 1);
    assert_eq!(gateway.admin(&change("let-me", "CLOSE")).status, 200);
    assert_eq!(gateway.send("GET /").status, 200);
    let events =
        gateway.admin("GET /actuator/circuitbreakerevents/backend/STATE_TRANSITION").json();
    let events = events["circuitBreakerEvents"].as_array().unwrap();
    let transitions: Vec<_> = events.iter().map(|event| &event["stateTransition"]).collect();
    assert_eq!(transitions, ["CLOSED_TO_FORCED_OPEN", "FORCED_OPEN_TO_CLOSED"]);
    let all = gateway.admin("GET /actuator/circuitbreakerevents").json();
    let kinds: Vec<_> = all["circuitBreakerEvents"].as_array().unwrap().iter().collect();
    assert_eq!(kinds[0]["type"], "SUCCESS");
    assert!(kinds[0]["creationTime"].as_str().unwrap().ends_with("Z[UTC]"));
}

#[test]
fn a_change_needs_the_token() {
    let upstream = Upstream::start();
    let gateway = with_token(&upstream);
    gateway.send("GET /");
    let bare = "POST /actuator/circuitbreakers/backend\n\n{\"updateState\":\"FORCE_OPEN\"}";
    for request in [bare, &change("let-m", "FORCE_OPEN"), &change("", "FORCE_OPEN")] {
        assert_eq!(gateway.admin(request).status, 401, "{request}");
    }
    assert_eq!(gateway.send("GET /").status, 200);
    let without = Gateway::start(&file(&upstream));
    without.send("GET /");
    let answer = without.admin(&change("let-me", "FORCE_OPEN"));
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("ADMIN_TOKEN"), "{}", answer.text());
}

#[test]
fn a_change_that_cannot_be_is_told() {
    let upstream = Upstream::start();
    let gateway = with_token(&upstream);
    gateway.send("GET /");
    assert_eq!(gateway.admin(&change("let-me", "AJAR")).status, 400);
    let illegal = gateway.admin(&change("let-me", "HALF_OPEN"));
    assert_eq!(illegal.status, 409);
    let told =
        "CircuitBreaker 'backend' tried an illegal state transition from CLOSED to HALF_OPEN";
    assert_eq!(illegal.text().trim_end(), told);
    let unknown = change("let-me", "CLOSE").replace("backend", "other");
    assert_eq!(gateway.admin(&unknown).status, 404);
}

#[test]
fn r2_8_a_breaker_has_resilience4js_metrics() {
    let upstream = Upstream::answering(|seen| match seen.target() {
        "/gone" => Reply::nothing().close(),
        _ => Reply::ok(""),
    });
    let gateway = with_token(&upstream);
    assert!(!gateway.metrics().contains("resilience4j_circuitbreaker"));
    gateway.send("GET /");
    gateway.send("POST /gone\n\nx").check_failure(502, "UPSTREAM_RESET");
    gateway.admin(&change("let-me", "OPEN"));
    gateway.send("GET /");
    let labels = "{group=\"backend\",kind=\"KIND\",name=\"backend\"}";
    for (name, kind, value) in [
        ("calls_seconds_count", "successful", "1"),
        ("calls_seconds_count", "failed", "1"),
        ("calls_seconds_count", "ignored", "0"),
        ("not_permitted_calls_total", "not_permitted", "1"),
        ("buffered_calls", "successful", "1"),
        ("slow_calls", "failed", "0"),
    ] {
        let labels = labels.replace("KIND", kind);
        gateway.check_metric(&format!("resilience4j_circuitbreaker_{name}{labels}"), value);
    }
    for (state, value) in [("open", "1"), ("closed", "0"), ("half_open", "0")] {
        let labels = format!("{{group=\"backend\",name=\"backend\",state=\"{state}\"}}");
        gateway.check_metric(&format!("resilience4j_circuitbreaker_state{labels}"), value);
    }
    let labels = "{group=\"backend\",name=\"backend\"}";
    gateway.check_metric(&format!("resilience4j_circuitbreaker_failure_rate{labels}"), "-1");
    let types = gateway.metrics();
    assert!(types.contains("# TYPE resilience4j_circuitbreaker_calls_seconds summary"), "{types}");
    assert!(types.contains("# TYPE resilience4j_circuitbreaker_not_permitted_calls_total counter"));
}
