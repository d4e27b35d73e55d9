//! Where a circuit breaker's fallback leads, and where there is none (`resilience.md` 2.3, 2.9).

use crate::support::{Gateway, Refusing, Reply, Upstream};

/// A route `r` with these filters, and what else is in the file.
fn guarded(uri: &str, filters: &str, more: &str) -> Gateway {
    Gateway::start(&format!(
        "routes:\n- {{ id: r, uri: '{uri}', predicates: [Path=/x/**], filters: {filters} }}\n{more}\n"
    ))
}

#[test]
fn r2_9_02_a_breaker_that_is_forced_open_is_503() {
    let upstream = Upstream::start();
    let gateway = guarded(
        &upstream.uri(),
        "[CircuitBreaker=forced]",
        "resilience4j.circuitbreaker.instances.forced.initialState: FORCED_OPEN",
    );
    gateway.send("GET /x").check_failure(503, "CIRCUIT_OPEN");
    assert!(upstream.seen().is_empty());
}

#[test]
fn r2_9_04_the_gateways_own_timeout_stays_504() {
    let upstream = Upstream::with(Reply::nothing().never());
    let limit = "httpclient: { response-timeout: 100ms }";
    let answer = guarded(&upstream.uri(), "[CircuitBreaker=a]", limit).send("GET /x");
    answer.check_failure(504, "UPSTREAM_TIMEOUT");
    assert!(!answer.text().contains("1000ms"), "{}", answer.text());
}

/// Fails, and leads to a route that sets another path at this upstream.
fn to_route(fallback: &Upstream, request: &str) -> (u16, String) {
    let refusing = Refusing::start();
    let gateway = guarded(
        &refusing.uri(),
        "[{ name: CircuitBreaker, args: { fallbackUri: forward:/other } }]",
        &format!(
            "- {{ id: other, uri: '{}', predicates: [Path=/other], filters: [SetPath=/set] }}",
            fallback.uri()
        ),
    );
    let answer = gateway.send(request);
    (answer.status, answer.text())
}

#[test]
fn r2_9_13_a_fallback_may_be_another_route() {
    let fallback = Upstream::with(Reply::ok("fallback"));
    assert_eq!(to_route(&fallback, "GET /x?a=b"), (200, "fallback".to_owned()));
    assert_eq!(fallback.only().target(), "/set?a=b");
}

#[test]
fn r2_9_14_a_request_of_another_origin_is_forwarded_without_it() {
    let fallback = Upstream::with(Reply::ok("fallback"));
    let request = "GET /x\nOrigin: https://other.test";
    assert_eq!(to_route(&fallback, request), (200, "fallback".to_owned()));
    assert_eq!(fallback.only().header("origin"), None);
}

#[test]
fn r2_9_15_headers_of_the_failed_answer_are_gone_and_those_of_the_request_stay() {
    let failing = Upstream::with(Reply::new(500, "bad").header("X-Test-Header-1", "upstream"));
    let fallback = Upstream::with(Reply::ok("fallback"));
    let gateway = guarded(
        &failing.uri(),
        "[{ name: CircuitBreaker, args: { statusCodes: [500], fallbackUri: forward:/other } }]",
        &format!("- {{ id: other, uri: '{}', predicates: [Path=/other] }}", fallback.uri()),
    );
    let answer = gateway.send("POST /x\nX-Test-Header-1: client\n\nhello");
    assert_eq!((answer.status, answer.text().as_str()), (200, "fallback"));
    assert_eq!(answer.header("x-test-header-1"), None);
    let seen = fallback.only();
    assert_eq!((seen.method(), seen.text().as_str()), ("POST", "hello"));
    assert_eq!(seen.header("x-test-header-1"), Some("client"));
}

#[test]
fn r2_9_16_an_upstream_that_cannot_be_reached_is_told() {
    let refusing = Refusing::start();
    let answer = guarded(&refusing.uri(), "[CircuitBreaker]", "").send("GET /x");
    answer.check_failure(502, "UPSTREAM_REFUSED");
    assert_eq!(answer.json()["error"], "Bad Gateway");
}

#[test]
fn r2_4_a_failed_fallback_is_an_empty_200_where_the_route_says_so() {
    let refusing = Refusing::start();
    for (resumes, status) in [("true", 200), ("false", 502)] {
        let gateway = guarded(
            &refusing.uri(),
            &format!(
                "[{{ name: CircuitBreaker, args: {{ fallbackUri: forward:/other, resumeWithoutError: {resumes} }} }}]"
            ),
            &format!("- {{ id: other, uri: '{}', predicates: [Path=/other] }}", refusing.uri()),
        );
        let answer = gateway.send("GET /x");
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.body.is_empty(), status == 200);
    }
}

#[test]
fn r2_3_a_fallback_that_leads_back_ends() {
    let refusing = Refusing::start();
    let filters = "[{ name: CircuitBreaker, args: { fallbackUri: forward:/x } }]";
    let answer = guarded(&refusing.uri(), filters, "").send("GET /x");
    answer.check_failure(500, "FILTER_FAILED");
}
