//! `CircuitBreaker` and `FallbackHeaders` through the proxy (GF-24, GF-25, `resilience.md` 2.9 and 3).

use crate::support::{Gate, Gateway, Reply, Upstream, eventually};

/// Answers `/status/S` with S, `/delay/…` never, and the rest with what arrived.
fn upstream() -> Upstream {
    Upstream::answering(|seen| {
        let path = seen.target().split('?').next().unwrap();
        if path.starts_with("/delay") {
            return Reply::nothing().never();
        }
        match path.strip_prefix("/status/").map(|status| status.parse().unwrap()) {
            Some(status) => Reply::new(status, "upstream").header("X-Upstream", "1"),
            None => Reply::ok(&seen.text()),
        }
    })
}

/// A route for `/delay/**` and `/status/**` with a breaker, a local answer, and a route that tells
/// what arrives at a fallback.
fn guarded(upstream: &Upstream, breaker: &str) -> Gateway {
    Gateway::start(&format!(
        "answers: {{ /local: {{ body: local }} }}\n\
         resilience4j: {{ timelimiter: {{ configs: {{ default: {{ timeoutDuration: 500ms }} }} }} }}\n\
         routes:\n\
         - id: guarded\n  uri: {uri}\n  predicates: ['Path=/delay/{{*segments}},/status/{{*segments}}', 'Host={{host}}.x.org']\n  \
           filters:\n  - AddRequestHeader=X-Before, 1\n  - AddResponseHeader=X-Outer, 1\n  - {{ name: CircuitBreaker, args: {breaker} }}\n  \
           - AddRequestHeader=X-Behind, 1\n  - AddResponseHeader=X-Inner, 1\n\
         - id: fallback\n  uri: {uri}\n  predicates: [Path=/F/**]\n  filters: [FallbackHeaders]\n",
        uri = upstream.uri()
    ))
}

fn get(path: &str) -> String {
    format!("GET {path}\nHost: www.x.org")
}

#[test]
fn r2_9_01_an_answer_passes() {
    let upstream = upstream();
    let answer = guarded(&upstream, "{ name: a }").send(&get("/status/200"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "upstream"));
    assert_eq!((answer.header("x-inner"), answer.header("x-outer")), (Some("1"), Some("1")));
}

#[test]
fn r2_9_03_a_late_answer_is_504_with_the_limit() {
    let upstream = upstream();
    let answer = guarded(&upstream, "{ name: a }").send(&get("/delay/3"));
    answer.check_failure(504, "UPSTREAM_TIMEOUT");
    assert!(answer.json()["detail"].as_str().unwrap().contains("500ms"), "{}", answer.text());
}

#[test]
fn r2_9_05_a_local_answer_takes_the_place_of_a_late_one() {
    let upstream = upstream();
    let answer =
        guarded(&upstream, "{ name: a, fallbackUri: 'forward:/local' }").send(&get("/delay/3?a=b"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "local"));
    assert_eq!(answer.header("x-outer"), None);
}

#[test]
fn r2_9_06_gf_25_the_fallback_is_told_why() {
    let upstream = upstream();
    let gateway = guarded(&upstream, "{ name: a, fallbackUri: 'forward:///F/x?c=d' }");
    let answer = gateway.send("GET /delay/3?a=b\nHost: www.x.org\nOrigin: http://o.test");
    assert_eq!(answer.status, 200);
    let seen = upstream.last();
    assert_eq!(seen.target(), "/F/x?a=b");
    let type_ = seen.header("execution-exception-type");
    assert_eq!(type_, Some("java.util.concurrent.TimeoutException"));
    assert!(seen.header("execution-exception-message").unwrap().contains("500ms"));
    assert_eq!(seen.header("root-cause-exception-type"), type_);
    assert_eq!((seen.header("x-before"), seen.header("x-behind")), (Some("1"), None));
    assert_eq!(seen.header("origin"), None);
    assert_eq!(gateway.log_of("/delay/3")["route"], "fallback");
}

#[test]
fn r2_9_07_the_path_of_the_fallback_takes_what_was_captured() {
    let upstream = upstream();
    let gateway = guarded(&upstream, "{ name: a, fallbackUri: 'forward:/F/{segments}/{host}' }");
    assert_eq!(gateway.send(&get("/delay/3/extra?a=b")).status, 200);
    assert_eq!(upstream.last().target(), "/F/3/extra/www?a=b");
}

#[test]
fn r2_9_08_r2_9_09_r2_9_10_statuses_that_count_go_to_the_fallback_and_others_pass() {
    let upstream = upstream();
    let args = "{ name: a, statusCodes: [500, NOT_FOUND], fallbackUri: 'forward:/local' }";
    let gateway = guarded(&upstream, args);
    for status in [500, 404] {
        let answer = gateway.send(&get(&format!("/status/{status}")));
        assert_eq!((answer.status, answer.text().as_str()), (200, "local"));
        assert_eq!(answer.header("x-upstream"), None);
    }
    let answer = gateway.send(&get("/status/200"));
    assert_eq!((answer.text().as_str(), answer.header("x-outer")), ("upstream", Some("1")));
    assert_eq!(gateway.send(&get("/status/503")).text(), "upstream");
}

#[test]
fn r2_4_statuses_that_count_are_500_without_a_fallback() {
    let upstream = upstream();
    let gateway = guarded(&upstream, "{ name: a, statusCodes: [404] }");
    gateway.send(&get("/status/404")).check_failure(500, "UPSTREAM_STATUS");
}

#[test]
fn r2_9_11_a_failure_is_none_where_the_route_says_so() {
    let upstream = upstream();
    let args = "{ name: a, statusCodes: [500, NOT_FOUND], resume-without-error: true }";
    let gateway = guarded(&upstream, args);
    for status in [500, 404, 200] {
        let answer = gateway.send(&get(&format!("/status/{status}")));
        assert_eq!((answer.status, answer.text().as_str()), (status, "upstream"));
    }
    gateway.send(&get("/delay/1")).check_failure(504, "UPSTREAM_TIMEOUT");
}

#[test]
fn r2_4_a_refused_connection_is_an_empty_200_where_the_route_says_so() {
    let gateway = Gateway::start(
        "routes:\n- { id: r, uri: 'http://127.0.0.1:1', predicates: [Path=/**], filters: [\"AddResponseHeader=X-Outer, 1\", \
         { name: CircuitBreaker, args: { resumeWithoutError: true } }, \"AddResponseHeader=X-Inner, 1\"] }\n",
    );
    let answer = gateway.send("GET /");
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    assert_eq!((answer.header("x-outer"), answer.header("x-inner")), (Some("1"), None));
}

#[test]
fn r2_9_12_the_fallback_gets_the_body() {
    let upstream = upstream();
    let args = "{ name: a, statusCodes: [200], fallbackUri: 'forward:/F/echo' }";
    let answer = guarded(&upstream, args).send("POST /status/200\nHost: www.x.org\n\nhello");
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.last().body, b"hello");
    assert_eq!(upstream.last().method(), "POST");
}

#[test]
fn a_body_that_is_not_there_any_more_keeps_its_failure() {
    let upstream = upstream();
    let args = "{ name: a, statusCodes: [200], fallbackUri: 'forward:/F/echo' }";
    let gateway = guarded(&upstream, args);
    let answer =
        gateway.send(&format!("POST /status/200\nHost: www.x.org\n\n{}", "x".repeat(70_000)));
    answer.check_failure(500, "UPSTREAM_STATUS");
    assert_eq!(gateway.log_of("/status/200")["code"], "UPSTREAM_STATUS");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn r2_9_15_an_upstream_that_refuses_keeps_its_reason() {
    let gateway = Gateway::start(
        "routes:\n- { id: r, uri: 'http://127.0.0.1:1', predicates: [Path=/**], filters: [CircuitBreaker=a] }\n",
    );
    gateway.send("GET /").check_failure(502, "UPSTREAM_REFUSED");
}

#[test]
fn a_fallback_that_nothing_takes_is_404() {
    let upstream = upstream();
    let gateway = guarded(&upstream, "{ name: a, fallbackUri: 'forward:/nowhere' }");
    gateway.send(&get("/delay/3")).check_failure(404, "ROUTE_NOT_FOUND");
}

#[test]
fn a_captured_value_that_needs_an_escape_fails_the_fallback() {
    let upstream = upstream();
    let gateway = guarded(&upstream, "{ name: a, fallbackUri: 'forward:/F/{segments}' }");
    gateway.send(&get("/delay/a%20b")).check_failure(500, "FILTER_FAILED");
}

#[test]
fn gf_24_an_open_breaker_asks_no_upstream_until_a_probe_closes_it() {
    let upstream = Upstream::answering(|seen| match seen.target() {
        "/bad" => Reply::new(500, "bad"),
        _ => Reply::ok("good"),
    });
    let gateway = Gateway::start(&format!(
        "answers: {{ /local: {{ status: 503, body: local }} }}\n\
         resilience4j: {{ circuitbreaker: {{ instances: {{ a: {{ slidingWindowSize: 4, minimumNumberOfCalls: 4, \
         waitDurationInOpenState: 300ms, permittedNumberOfCallsInHalfOpenState: 1 }} }} }} }}\n\
         routes:\n- {{ id: r, uri: '{}', predicates: [Path=/**], filters: [{{ name: CircuitBreaker, args: {{ name: a, \
         statusCodes: [500], fallbackUri: 'forward:/local' }} }}] }}\n",
        upstream.uri()
    ));
    for _ in 0..4 {
        assert_eq!(gateway.send("GET /bad").text(), "local");
    }
    assert_eq!(upstream.seen().len(), 4);
    assert_eq!(gateway.send("GET /good").text(), "local");
    assert_eq!(upstream.seen().len(), 4);
    eventually("the probe", || (gateway.send("GET /good").text() == "good").then_some(()));
    assert_eq!(gateway.send("GET /good").text(), "good");
}

#[test]
fn a_half_open_breaker_lets_exactly_so_many_try_under_a_hundred_clients() {
    let gate = Gate::closed();
    let for_upstream = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.target() {
        "/bad" => Reply::new(500, "bad"),
        _ => Reply::ok("good").after(&for_upstream),
    });
    let gateway = Gateway::start(&format!(
        "resilience4j: {{ timelimiter: {{ configs: {{ default: {{ timeoutDuration: 30s }} }} }}, \
         circuitbreaker: {{ instances: {{ a: {{ slidingWindowSize: 2, minimumNumberOfCalls: 2, \
         waitDurationInOpenState: 1ms, permittedNumberOfCallsInHalfOpenState: 5 }} }} }} }}\n\
         routes:\n- {{ id: r, uri: '{}', predicates: [Path=/**], filters: [{{ name: CircuitBreaker, args: {{ name: a, \
         statusCodes: [500] }} }}] }}\n",
        upstream.uri()
    ));
    for _ in 0..2 {
        gateway.send("GET /bad").check_failure(500, "UPSTREAM_STATUS");
    }
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..100).map(|_| scope.spawn(|| gateway.send("GET /probe").status)).collect();
        upstream.wait_for_heads(7);
        // The others are refused while the five are under way.
        eventually("the others", || {
            let done = clients.iter().filter(|client| client.is_finished()).count();
            (done == 95).then_some(())
        });
        gate.open();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(upstream.seen().len(), 7);
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 95);
    assert_eq!(gateway.send("GET /good").status, 200);
}

#[test]
fn a_retry_around_a_fallback_that_fails_begins_from_the_request_as_it_came() {
    let upstream = Upstream::with(Reply::new(500, "bad"));
    let gateway = Gateway::start(&format!(
        "routes:\n- {{ id: r, uri: '{}', predicates: [Path=/a], filters: [Retry=1, {{ name: CircuitBreaker, args: \
         {{ statusCodes: [500], fallbackUri: 'forward:/F' }} }}] }}\n\
         - {{ id: f, uri: 'http://127.0.0.1:1', predicates: [Path=/F] }}\n",
        upstream.uri()
    ));
    let answer = gateway.send("GET /a?x=1\nOrigin: http://o.test");
    answer.check_failure(502, "UPSTREAM_REFUSED");
    let seen = upstream.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!((seen.target(), seen.header("origin")), ("/a?x=1", Some("http://o.test")));
    }
}
