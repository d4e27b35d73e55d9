//! Where Tollgate differs from a running Spring Cloud Gateway on purpose, beside the conformance
//! cases: the rows of the table in `ARCHITECTURE.md` that need a client and an upstream.

use crate::support::{Gateway, Upstream};

fn forwarding(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        "routes:\n- {{ id: outer, uri: 'forward:/in', predicates: [Path=/out], \
         filters: ['AddResponseHeader=X-Outer, 1'] }}\n\
         - {{ id: inner, uri: '{}', predicates: [Path=/in] }}",
        upstream.uri()
    ))
}

#[test]
fn a_forwarded_request_counts_once_under_the_route_that_answers() {
    let upstream = Upstream::start();
    let gateway = forwarding(&upstream);
    gateway.send("GET /out");
    gateway.log_of("/out");
    let text = gateway.metrics();
    let counts: Vec<&str> =
        text.lines().filter(|line| line.contains("requests_seconds_count{")).collect();
    assert_eq!(counts.len(), 1, "{text}");
    assert!(counts[0].contains("routeId=\"inner\"") && counts[0].ends_with(" 1"), "{counts:?}");
}

#[test]
fn outer_response_filters_do_not_show_on_a_forwarded_head() {
    let upstream = Upstream::start();
    let answer = forwarding(&upstream).send("HEAD /out");
    assert_eq!((answer.status, answer.header("x-outer")), (200, None));
}

#[test]
fn the_body_passes_whatever_status_a_filter_sets() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &["SetStatus=205"]);
    let answer = gateway.send("GET /");
    assert_eq!(answer.status, 205);
    assert!(!answer.text().is_empty());
}

#[test]
fn a_header_repeated_in_another_letter_case_leaves_once_each() {
    let upstream = Upstream::start();
    Gateway::to(&upstream.uri()).send("GET /\nX-Tag: a\nx-tag: b");
    assert_eq!(upstream.only().all("x-tag"), ["a", "b"]);
}

#[test]
fn a_post_without_a_length_has_no_body_upstream() {
    let upstream = Upstream::start();
    Gateway::to(&upstream.uri()).send_raw("POST / HTTP/1.1\r\nHost: h\r\n\r\n");
    let seen = upstream.only();
    assert_eq!((seen.header("transfer-encoding"), seen.text().as_str()), (None, ""));
}

#[test]
fn a_pipelined_request_ends_the_connection_after_the_first_answer() {
    let upstream = Upstream::start();
    let gateway = Gateway::to(&upstream.uri());
    let mut client = gateway.client();
    client.write("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.read_answer().status, 200);
    client.check_closed();
    assert_eq!(upstream.seen().len(), 1);
}
