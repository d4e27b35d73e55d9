use std::sync::Arc;

use super::*;

#[track_caller]
fn check(failure: &Failure, class: &str, message: &str, root: (&str, &str)) {
    assert_eq!((class_of(failure).name(), &*message_of(failure)), (class, message));
    let (root_class, root_message) = root_of(failure);
    assert_eq!((root_class.name(), &*root_message), root);
}

fn text() -> String {
    "10.0.0.1:80 of the upstream".to_owned()
}

#[test]
fn connections_fail_as_in_netty() {
    check(
        &Failure::UpstreamRefused(text()),
        "io.netty.channel.AbstractChannel$AnnotatedConnectException",
        REFUSED,
        ("java.net.ConnectException", REFUSED),
    );
    let timeout = ("io.netty.channel.ConnectTimeoutException", "connection timed out");
    check(&Failure::ConnectTimeout(text()), timeout.0, timeout.1, timeout);
    check(
        &Failure::UpstreamDns("up.test".to_owned()),
        "java.net.UnknownHostException",
        "Failed to resolve 'up.test'",
        ("io.netty.resolver.dns.DnsErrorCauseException", "Query failed with NXDOMAIN"),
    );
    let reset = (
        "reactor.netty.http.client.PrematureCloseException",
        "Connection prematurely closed BEFORE response",
    );
    check(&Failure::UpstreamReset(text()), reset.0, reset.1, reset);
    let tls = ("javax.net.ssl.SSLHandshakeException", "TLS handshake failed");
    check(&Failure::UpstreamTls(text()), tls.0, tls.1, tls);
}

#[test]
fn the_gateways_own_failures_have_their_messages() {
    check(
        &Failure::UpstreamTimeout("Response took longer than timeout: PT0.2S".to_owned()),
        "org.springframework.web.server.ResponseStatusException",
        "504 GATEWAY_TIMEOUT \"Response took longer than timeout: PT0.2S\"",
        (
            "org.springframework.cloud.gateway.support.TimeoutException",
            "Response took longer than timeout: PT0.2S",
        ),
    );
    let no_instance = (
        "org.springframework.cloud.gateway.support.NotFoundException",
        "503 SERVICE_UNAVAILABLE \"Unable to find instance for svc\"",
    );
    check(&Failure::NoInstance("svc".to_owned()), no_instance.0, no_instance.1, no_instance);
    let not_found = (no_instance.0, "404 NOT_FOUND \"Unable to find instance for svc\"");
    check(&Failure::NoInstanceNotFound("svc".to_owned()), not_found.0, not_found.1, not_found);
}

#[test]
fn circuit_breakers_have_the_words_of_resilience4j() {
    let refused = (
        "io.github.resilience4j.circuitbreaker.CallNotPermittedException",
        "CircuitBreaker 'cmd' is OPEN and does not permit further calls",
    );
    check(&Failure::CircuitOpen(Arc::from("cmd"), "OPEN"), refused.0, refused.1, refused);
    let limit = (
        "java.util.concurrent.TimeoutException",
        "Did not observe any item or terminal signal within 1000ms in 'circuitBreaker' \
         (and no fallback has been configured)",
    );
    check(&Failure::TimeLimit(1000), limit.0, limit.1, limit);
    let full = (
        "io.github.resilience4j.bulkhead.BulkheadFullException",
        "Bulkhead 'cmd' is full and does not permit further calls",
    );
    check(&Failure::BulkheadFull(Arc::from("cmd")), full.0, full.1, full);
    let status = (
        "org.springframework.cloud.gateway.filter.factory.\
         SpringCloudCircuitBreakerFilterFactory$CircuitBreakerStatusCodeException",
        "404 NOT_FOUND",
    );
    check(&Failure::UpstreamStatus(404), status.0, status.1, status);
}

#[test]
fn retries_without_time_tell_what_the_last_attempt_failed_with() {
    let last = Failure::UpstreamRefused(text());
    check(
        &Failure::RetryExhausted(Box::new(last)),
        "reactor.retry.RetryExhaustedException",
        &format!("io.netty.channel.AbstractChannel$AnnotatedConnectException: {REFUSED}"),
        ("java.net.ConnectException", REFUSED),
    );
}

#[test]
fn no_message_tells_an_address() {
    for failure in [
        Failure::UpstreamRefused(text()),
        Failure::ConnectTimeout(text()),
        Failure::UpstreamTls(text()),
        Failure::UpstreamReset(text()),
        Failure::UpstreamProtocol(text()),
        Failure::UpstreamTimeout(text()),
        Failure::StoreUnavailable(text()),
        Failure::MemberUnavailable(text()),
        Failure::LimiterUnavailable(text()),
    ] {
        let (_, root) = root_of(&failure);
        assert!(!message_of(&failure).contains("10.0.0.1"), "{failure:?}");
        assert!(!root.contains("10.0.0.1"), "{failure:?}");
    }
}

#[track_caller]
fn check_instance(failure: &Failure, class: &str, itself: bool, or_cause: bool) {
    let class = Class::named(class).unwrap();
    assert_eq!(is_instance(failure, class), itself, "{failure:?} {class:?}");
    assert_eq!(is_instance_or_cause(failure, class), or_cause, "{failure:?} {class:?}");
}

#[test]
fn a_failure_is_an_instance_of_what_its_class_extends() {
    let io = "java.io.IOException";
    for failure in [
        Failure::UpstreamRefused(text()),
        Failure::ConnectTimeout(text()),
        Failure::UpstreamDns(text()),
        Failure::UpstreamReset(text()),
        Failure::UpstreamTls(text()),
    ] {
        check_instance(&failure, io, true, true);
        check_instance(&failure, "java.lang.RuntimeException", false, {
            // What a resolver reports is no I/O exception.
            matches!(failure, Failure::UpstreamDns(_))
        });
    }
    check_instance(&Failure::TimeLimit(1), io, false, false);
    check_instance(&Failure::NoInstance(text()), io, false, false);
    let status = "org.springframework.web.server.ResponseStatusException";
    check_instance(&Failure::NoInstance(text()), status, true, true);
}

#[test]
fn only_the_direct_cause_counts_beside_the_failure() {
    let timeout = "org.springframework.cloud.gateway.support.TimeoutException";
    let late = Failure::UpstreamTimeout(text());
    check_instance(&late, timeout, false, true);
    check_instance(&late, "java.util.concurrent.TimeoutException", false, false);
    let exhausted = Failure::RetryExhausted(Box::new(late));
    check_instance(&exhausted, timeout, false, false);
}

#[test]
fn an_unknown_class_is_told_with_one_like_it() {
    assert!(is_known("java.io.IOException") && !is_known("IOException"));
    let help = |class| unknown("exceptions", class).help.unwrap();
    assert_eq!(help("java.io.IOExeption"), "did you mean `java.io.IOException`?");
    assert!(help("com.shop.BusinessException").contains("write the full name"));
}
