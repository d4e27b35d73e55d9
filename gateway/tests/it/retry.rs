//! `Retry` through the proxy (GF-21, `resilience.md` 4).

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Gateway, Refusing, Reply, Seen, Upstream};

/// Fails until it is called for the n-th time; then it tells how often it was called.
fn good_from(count: usize, status: u16) -> Upstream {
    let calls = AtomicUsize::new(0);
    Upstream::answering(move |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        let reply = if call < count {
            Reply::new(status, "permanently broken")
        } else {
            Reply::ok(&call.to_string())
        };
        reply.header("X-Retry-Count", &call.to_string())
    })
}

const NEVER: usize = usize::MAX;

/// A route for all paths with these filters, in YAML.
fn with(upstream: &str, filters: &str) -> Gateway {
    Gateway::start(&format!(
        "routes:\n- {{ id: r, uri: '{upstream}', predicates: [Path=/**], filters: {filters} }}\n"
    ))
}

/// Sends a request through these filters; what comes back, and how often the upstream was called.
#[track_caller]
fn check(upstream: &Upstream, filters: &str, request: &str, expected: (u16, &str), calls: usize) {
    let answer = with(&upstream.uri(), filters).send(request);
    assert_eq!((answer.status, answer.text().as_str()), expected);
    assert_eq!(upstream.wait_for_heads(calls).len(), calls);
}

#[track_caller]
fn check_failure(
    upstream: &Upstream,
    filters: &str,
    request: &str,
    expected: (u16, &str),
    calls: usize,
) {
    let gateway = with(&upstream.uri(), filters);
    check_failure_of(&gateway, upstream, request, expected, calls);
}

/// As [`check_failure`], with 200 ms for each answer of an upstream that gives none.
#[track_caller]
fn check_silence(filters: &str, request: &str, expected: (u16, &str), calls: usize) {
    let upstream = Upstream::with(Reply::nothing().never());
    let gateway = Gateway::start(&format!(
        "httpclient: {{ response-timeout: 200ms }}\n\
         routes:\n- {{ id: r, uri: '{}', predicates: [Path=/**], filters: {filters} }}\n",
        upstream.uri()
    ));
    check_failure_of(&gateway, &upstream, request, expected, calls);
}

#[track_caller]
fn check_failure_of(
    gateway: &Gateway,
    upstream: &Upstream,
    request: &str,
    expected: (u16, &str),
    calls: usize,
) {
    let answer = gateway.send(request);
    answer.check_failure(expected.0, expected.1);
    assert_eq!(upstream.wait_for_heads(calls).len(), calls);
}

#[test]
fn r4_4_01_gf_21_an_upstream_is_asked_until_it_is_well() {
    check(&good_from(3, 500), "[Retry]", "GET /", (200, "3"), 3);
}

#[test]
fn r4_4_02_another_method_may_be_named() {
    let filters = "[{ name: Retry, args: { retries: 2, methods: [POST, GET] } }]";
    check(&good_from(2, 500), filters, "GET /", (200, "2"), 2);
}

#[test]
fn r4_4_03_gf_21_the_last_answer_passes_after_as_many_retries_as_there_may_be() {
    let filters = "[{ name: Retry, args: { retries: 2, methods: 'POST,GET' } }]";
    check(&good_from(NEVER, 500), filters, "GET /", (500, "permanently broken"), 3);
}

#[test]
fn r4_4_04_an_answer_after_waits_has_its_headers() {
    let filters = "[{ name: Retry, args: { retries: 2, backoff: { firstBackoff: 100ms, factor: 2, basedOnPreviousValue: true } } }]";
    let upstream = good_from(3, 500);
    let answer = with(&upstream.uri(), filters).send("GET /");
    assert_eq!((answer.status, answer.all("x-retry-count")), (200, vec!["3"]));
}

#[test]
fn r4_4_05_waits_with_jitter_fit_into_the_time() {
    let filters = "[{ name: Retry, args: { retries: 3, timeout: 10s, jitter: { randomFactor: 0.1 }, backoff: { firstBackoff: 50ms, maxBackoff: 100ms } } }]";
    check(&good_from(3, 500), filters, "GET /", (200, "3"), 3);
}

#[test]
fn r4_4_06_no_attempt_begins_when_its_wait_would_end_too_late() {
    let filters = "[{ name: Retry, args: { retries: 3, timeout: 2s, backoff: { firstBackoff: 1s, factor: 2 } } }]";
    check(&good_from(3, 500), filters, "GET /", (500, "permanently broken"), 2);
}

#[test]
fn r4_4_07_gf_21_every_attempt_has_the_same_body() {
    let upstream = good_from(3, 500);
    let filters = "[{ name: Retry, args: { methods: 'GET,POST' } }]";
    check(&upstream, filters, "POST /\n\nhello", (200, "3"), 3);
    let bodies: Vec<String> = upstream.seen().iter().map(Seen::text).collect();
    assert_eq!(bodies, ["hello"; 3]);
}

#[test]
fn r4_4_08_a_good_answer_is_the_only_one() {
    let filters = "[{ name: Retry, args: { methods: 'GET,POST' } }]";
    check(&good_from(1, 500), filters, "POST /\n\nhello", (200, "1"), 1);
}

#[test]
fn r4_4_09_gf_21_a_late_answer_has_another_try() {
    let filters = "[{ name: Retry, args: { retries: 2 } }]";
    check_silence(filters, "GET /", (504, "UPSTREAM_TIMEOUT"), 3);
}

#[test]
fn r4_4_10_a_method_that_is_not_named_has_one_try() {
    let filters = "[{ name: Retry, args: { retries: 2, methods: GET } }]";
    for request in ["POST /", "POST /\n\nhello"] {
        check_silence(filters, request, (504, "UPSTREAM_TIMEOUT"), 1);
    }
}

#[test]
fn r4_4_11_an_instance_without_an_address_is_followed_by_one_that_answers() {
    let upstream = Upstream::with(Reply::ok("good"));
    let gateway = Gateway::start(&format!(
        "services:\n  svc:\n    instances:\n    - {{ uri: 'https://nowhere.invalid' }}\n    \
         - {{ uri: '{}' }}\n\
         routes:\n- {{ id: r, uri: 'lb://svc', predicates: [Path=/**], filters: [Retry=2] }}\n",
        upstream.uri()
    ));
    // Whichever of the two has the first turn.
    for _ in 0..2 {
        let answer = gateway.send("GET /");
        assert_eq!((answer.status, answer.text().as_str()), (200, "good"));
    }
    assert_eq!(upstream.wait_for_heads(2).len(), 2);
}

#[test]
fn r4_4_12_a_series_of_statuses_may_be_named() {
    let filters = "[{ name: Retry, args: { retries: 2, series: CLIENT_ERROR } }]";
    check(&good_from(3, 404), filters, "GET /", (200, "3"), 3);
}

/// Closes the first connections without an answer.
fn resets(count: usize) -> Upstream {
    let calls = AtomicUsize::new(0);
    Upstream::answering(move |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        if call <= count { Reply::nothing().close() } else { Reply::ok(&call.to_string()) }
    })
}

#[test]
fn gf_21_a_connection_that_ends_without_an_answer_has_another_try() {
    check(&resets(2), "[Retry]", "GET /", (200, "3"), 3);
    let post = "[{ name: Retry, args: { methods: POST, retries: 1 } }]";
    check(&resets(1), post, "POST /\n\nhello", (200, "2"), 2);
}

#[test]
fn gf_21_a_refused_connection_is_tried_as_often_as_the_filter_says() {
    let refusing = Refusing::start();
    let gateway = with(&refusing.uri(), "[{ name: Retry, args: { retries: 2 } }]");
    gateway.send("GET /refused").check_failure(502, "UPSTREAM_REFUSED");
    assert_eq!(gateway.log_of("/refused")["attempts"], 3);
}

#[test]
fn the_access_log_tells_how_many_attempts_there_were() {
    let upstream = good_from(3, 503);
    let gateway = with(&upstream.uri(), "[Retry]");
    assert_eq!(gateway.send("GET /counted").status, 200);
    let line = gateway.log_of("/counted");
    assert_eq!((&line["attempts"], &line["status"]), (&3.into(), &200.into()));
}

#[test]
fn r4_3_a_failure_without_time_for_another_try_is_500() {
    let filters = "[{ name: Retry, args: { timeout: 100ms } }]";
    check_silence(filters, "GET /", (500, "RETRY_EXHAUSTED"), 1);
}

#[test]
fn r4_2_edits_of_an_attempt_do_not_add_up() {
    let upstream = good_from(3, 500);
    let filters = "['AddRequestHeader=X-Before, 1', 'AddResponseHeader=X-Outer, 1', Retry, 'AddRequestHeader=X-Tag, 1', 'AddRequestParameter=a, 1', \
                   'AddResponseHeader=X-Inner, 1', StripPrefix=1, PrefixPath=/v1]";
    let answer = with(&upstream.uri(), filters).send("GET /x/y");
    assert_eq!((answer.status, answer.text().as_str()), (200, "3"));
    assert_eq!((answer.all("x-inner"), answer.all("x-outer")), (vec!["1"], vec!["1"]));
    for seen in upstream.seen() {
        assert_eq!(seen.target(), "/v1/y?a=1");
        assert_eq!((seen.all("x-tag"), seen.all("x-before")), (vec!["1"], vec!["1"]));
    }
}

#[test]
fn r4_2_the_status_after_the_inner_filters_counts() {
    check(&good_from(1, 500), "[Retry=2, SetStatus=503]", "GET /", (503, "3"), 3);
    check(
        &good_from(NEVER, 500),
        "[Retry=2, SetStatus=200]",
        "GET /",
        (200, "permanently broken"),
        1,
    );
    check(
        &good_from(NEVER, 500),
        "[SetStatus=200, Retry=2]",
        "GET /",
        (200, "permanently broken"),
        3,
    );
}

#[test]
fn r4_2_two_filters_share_what_they_may_do() {
    check(&good_from(NEVER, 500), "[Retry=2, Retry=3]", "GET /", (500, "permanently broken"), 4);
    check(&good_from(NEVER, 500), "[Retry=3, Retry=2]", "GET /", (500, "permanently broken"), 3);
}

#[test]
fn r4_2_a_breaker_behind_it_takes_its_statuses_away() {
    let breaker = "{ name: CircuitBreaker, args: { name: inner, statusCodes: [500] } }";
    let filters = format!("[Retry, {breaker}]");
    check_failure(&good_from(NEVER, 500), &filters, "GET /", (500, "UPSTREAM_STATUS"), 1);
    let filters = format!("[{breaker}, Retry=2]");
    check_failure(&good_from(NEVER, 500), &filters, "GET /", (500, "UPSTREAM_STATUS"), 3);
}

#[test]
fn the_time_limit_of_a_breaker_in_front_covers_all_attempts_and_waits() {
    let filters =
        "[CircuitBreaker=outer, { name: Retry, args: { backoff: { firstBackoff: 1h } } }]";
    check_failure(&good_from(NEVER, 500), filters, "GET /", (504, "UPSTREAM_TIMEOUT"), 1);
}

/// The first attempt gets no answer.
fn slow_once() -> Upstream {
    let calls = AtomicUsize::new(0);
    Upstream::answering(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::nothing().never(),
        _ => Reply::ok("late"),
    })
}

#[test]
fn an_attempt_may_have_less_time_than_the_request() {
    let upstream = slow_once();
    let gateway = Gateway::start(&format!(
        "routes:\n- id: r\n  uri: {}\n  predicates: [Path=/**]\n  \
         filters: [{{ name: Retry, args: {{ attempt-timeout: 1s }} }}]\n",
        upstream.uri()
    ));
    let answer = gateway.send("GET /");
    assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
    assert_eq!(upstream.wait_for_heads(2).len(), 2);
}

#[test]
fn an_attempt_whose_time_is_over_is_504_when_none_is_left() {
    let filters = "[{ name: Retry, args: { retries: 1, attempt-timeout: 100ms } }]";
    check_silence(filters, "GET /", (504, "UPSTREAM_TIMEOUT"), 2);
}

/// 64 KiB are kept for another attempt.
#[test]
fn a_body_that_is_not_kept_has_one_try_and_its_answer_stands() {
    let filters = "[{ name: Retry, args: { methods: POST } }]";
    let small = format!("POST /\n\n{}", "x".repeat(60_000));
    check(&good_from(2, 500), filters, &small, (200, "2"), 2);
    let large = format!("POST /\n\n{}", "x".repeat(200_000));
    check(&good_from(2, 500), filters, &large, (500, "permanently broken"), 1);
}

#[test]
fn nothing_is_tried_again_once_the_answer_has_begun() {
    let upstream =
        Upstream::with(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close());
    let gateway = with(&upstream.uri(), "[Retry]");
    let mut client = gateway.client();
    client.start("GET /");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_to_end(), b"half");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_filter_that_answers_is_not_asked_again() {
    let filters =
        "[{ name: Retry, args: { series: REDIRECTION } }, 'RedirectTo=302, http://x.test']";
    let upstream = good_from(1, 500);
    let answer = with(&upstream.uri(), filters).send("GET /");
    assert_eq!((answer.status, upstream.seen().len()), (302, 0));
}
