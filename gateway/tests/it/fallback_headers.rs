//! What a fallback is told about a failure (GF-25, `resilience.md` 2.6 and 3).

use crate::support::{Gateway, Refusing, Reply, Seen, Upstream};

/// Sends a request to an upstream that fails; what arrives at the fallback.
#[track_caller]
fn told(failing: &str, filters: &str) -> Seen {
    let fallback = Upstream::start();
    let gateway = Gateway::start(&format!(
        "services: {{ nobody: {{ instances: [] }} }}\nroutes:\n- id: guarded\n  uri: {failing}\n  predicates: [Path=/guarded]\n  \
         metadata: {{ response-timeout: 100 }}\n  \
         filters: [{{ name: CircuitBreaker, args: {{ fallbackUri: forward:/fallback }} }}, {filters}]\n\
         - id: fallback\n  uri: {}\n  predicates: [Path=/fallback]\n  filters: [FallbackHeaders]\n",
        fallback.uri()
    ));
    assert_eq!(gateway.send("GET /guarded\nRoot-Cause-Exception-Type: mine").status, 200);
    fallback.only()
}

/// Class and message of a failure, then of its root cause.
#[track_caller]
fn check(seen: &Seen, exception: [&str; 2], root: [&str; 2]) {
    let found = |part: &str| {
        ["Type", "Message"].map(|what| seen.header(&format!("{part}-{what}")).unwrap())
    };
    assert_eq!(found("Execution-Exception"), exception);
    assert_eq!(found("Root-Cause-Exception"), root);
}

#[test]
fn gf_25_a_late_answer_is_told_with_the_limit() {
    let upstream = Upstream::with(Reply::nothing().never());
    check(
        &told(&upstream.uri(), "PrefixPath=/v1"),
        [
            "org.springframework.web.server.ResponseStatusException",
            "504 GATEWAY_TIMEOUT \"Response took longer than timeout: PT0.1S\"",
        ],
        [
            "org.springframework.cloud.gateway.support.TimeoutException",
            "Response took longer than timeout: PT0.1S",
        ],
    );
}

#[test]
fn gf_25_a_refused_connection_is_told_without_the_address() {
    let refused = "finishConnect(..) failed with error(-111): Connection refused";
    let refusing = Refusing::start();
    check(
        &told(&refusing.uri(), "PrefixPath=/v1"),
        ["io.netty.channel.AbstractChannel$AnnotatedConnectException", refused],
        ["java.net.ConnectException", refused],
    );
}

#[test]
fn gf_25_a_service_without_instances_is_told_by_name() {
    let not_found = [
        "org.springframework.cloud.gateway.support.NotFoundException",
        "503 SERVICE_UNAVAILABLE \"Unable to find instance for nobody\"",
    ];
    check(&told("lb://nobody", "PrefixPath=/v1"), not_found, not_found);
}

#[test]
fn gf_25_retries_without_time_are_told_with_what_failed_last() {
    let upstream = Upstream::with(Reply::nothing().never());
    let retry = "{ name: Retry, args: { timeout: 10ms } }";
    check(
        &told(&upstream.uri(), retry),
        [
            "reactor.retry.RetryExhaustedException",
            "org.springframework.web.server.ResponseStatusException: \
             504 GATEWAY_TIMEOUT \"Response took longer than timeout: PT0.1S\"",
        ],
        [
            "org.springframework.cloud.gateway.support.TimeoutException",
            "Response took longer than timeout: PT0.1S",
        ],
    );
}

#[test]
fn r3_03_a_request_that_no_breaker_sent_is_left_alone() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &["FallbackHeaders"]);
    gateway.send("GET /\nRoot-Cause-Exception-Type: mine");
    let seen = upstream.only();
    assert_eq!(seen.header("root-cause-exception-type"), Some("mine"));
    assert_eq!(seen.header("execution-exception-type"), None);
}
