//! What a file says of circuit breakers and bulkheads, as the admin listener shows it.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Gateway, Upstream};

const DECLARED: &str = "
resilience4j:
  circuitbreaker:
    tags: { '[app.zone]': a }
    configs: { default: { failureRateThreshold: 30 } }
    instances: { declared: { slowCallRateThreshold: 12.5, initialState: METRICS_ONLY } }
  bulkhead:
    tags: { zone: b }
    instances: { declared: { maxConcurrentCalls: 3 }, on-demand: { maxConcurrentCalls: 4 } }
";

#[test]
fn r2_8_what_is_declared_is_there_before_its_first_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&format!(
        "{DECLARED}\nroutes:\n\
         - {{ id: r, uri: '{0}', predicates: [Path=/r], filters: [CircuitBreaker=of-a-route] }}\n\
         - {{ id: d, uri: '{0}', predicates: [Path=/d], filters: [CircuitBreaker=declared] }}",
        upstream.uri()
    ));
    let all = gateway.admin("GET /actuator/circuitbreakers").json();
    let declared = json!({ "circuitBreakers": { "declared": {
        "failureRate": "-1.0%", "slowCallRate": "-1.0%", "failureRateThreshold": "30.0%",
        "slowCallRateThreshold": "12.5%", "bufferedCalls": 0, "failedCalls": 0, "slowCalls": 0,
        "slowFailedCalls": 0, "notPermittedCalls": 0, "state": "METRICS_ONLY",
    } } });
    assert_eq!(all, declared);
    let state = "resilience4j_circuitbreaker_state";
    let labels = "app_zone=\"a\",group=\"none\",name=\"declared\",state";
    gateway.check_metric(&format!("{state}{{{labels}=\"metrics_only\"}}"), "1");
    gateway.check_metric(&format!("{state}{{{labels}=\"closed\"}}"), "0");
    let places = "resilience4j_bulkhead_max_allowed_concurrent_calls";
    gateway.check_metric(&format!("{places}{{group=\"none\",name=\"declared\",zone=\"b\"}}"), "3");
    assert!(!gateway.metrics().contains("of-a-route"), "{}", gateway.metrics());

    assert_eq!(gateway.send("GET /r").status, 200);
    assert_eq!(gateway.send("GET /d").status, 200);
    let labels = "app_zone=\"a\",group=\"of-a-route\",name=\"of-a-route\",state=\"closed\"";
    gateway.check_metric(&format!("{state}{{{labels}}}"), "1");
    let calls = "resilience4j_circuitbreaker_calls_seconds_count";
    let labels = "app_zone=\"a\",group=\"none\",kind=\"successful\",name=\"declared\"";
    gateway.check_metric(&format!("{calls}{{{labels}}}"), "1");
    let free = "resilience4j_bulkhead_available_concurrent_calls";
    gateway.check_metric(&format!("{free}{{group=\"none\",name=\"declared\",zone=\"b\"}}"), "3");
}

#[test]
fn r2_8_spring_names_the_group_or_leaves_it_out() {
    let file = |switches: &str| {
        format!(
            "resilience4j.circuitbreaker.instances.declared.slidingWindowSize: 5\n\
             spring.cloud.circuitbreaker.resilience4j: {{ {switches} }}"
        )
    };
    let rate = "resilience4j_circuitbreaker_failure_rate";
    let gateway = Gateway::start(&file("default-group-tag: house"));
    gateway.check_metric(&format!("{rate}{{group=\"house\",name=\"declared\"}}"), "-1");
    let gateway = Gateway::start(&file("enable-group-meter-filter: false"));
    gateway.check_metric(&format!("{rate}{{name=\"declared\"}}"), "-1");
    let gateway = Gateway::start(&file("micrometer.enabled: false"));
    assert!(!gateway.metrics().contains("resilience4j_"), "{}", gateway.metrics());
    assert_eq!(gateway.admin("GET /actuator/circuitbreakers/declared").status, 200);
}

#[test]
fn a_declared_breaker_is_changed_and_tells_it() {
    let environment = |name: &str| (name == "ADMIN_TOKEN").then(|| "let-me".to_owned());
    let gateway =
        Gateway::with_environment(&format!("{DECLARED}\nroutes: []"), Arc::new(environment));
    for (word, state) in [
        ("FORCE_OPEN", "FORCED_OPEN"),
        ("HALF_OPEN", "HALF_OPEN"),
        ("DISABLE", "DISABLED"),
        ("OPEN", "OPEN"),
        ("RESET", "CLOSED"),
    ] {
        let answer = gateway.admin(&format!(
            "POST /actuator/circuitbreakers/declared\nAuthorization: Bearer let-me\n\n\
             {{\"updateState\":\"{word}\"}}"
        ));
        let expected = json!({
            "circuitBreakerName": "declared", "currentState": state,
            "message": "declared state has been changed successfully",
        });
        assert_eq!((answer.status, answer.json()), (200, expected));
    }
    let events = gateway.admin("GET /actuator/circuitbreakerevents/declared").json();
    let events = events["circuitBreakerEvents"].as_array().unwrap().clone();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["stateTransition"].as_str()))
        .collect();
    let expected = [
        ("STATE_TRANSITION", Some("METRICS_ONLY_TO_FORCED_OPEN")),
        ("STATE_TRANSITION", Some("FORCED_OPEN_TO_HALF_OPEN")),
        ("STATE_TRANSITION", Some("HALF_OPEN_TO_DISABLED")),
        ("STATE_TRANSITION", Some("DISABLED_TO_OPEN")),
        ("STATE_TRANSITION", Some("OPEN_TO_CLOSED")),
        ("RESET", None),
    ];
    assert_eq!(told, expected);
}
