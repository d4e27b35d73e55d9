//! The answers the gateway makes when it cannot serve (`global.md` 8, DESIGN's error bodies).

use crate::support::{Gateway, Upstream};

fn nothing_here() -> Gateway {
    Gateway::start(
        "services: { none: { instances: [] } }\nroutes: [{ id: r, uri: 'lb://none', predicates: [Path=/none] }]",
    )
}

#[test]
fn g8_the_body_has_the_members_of_the_reference_gateway_and_of_rfc_9457() {
    let answer = nothing_here().send("GET /a%20b?secret=1");
    answer.check_failure(404, "ROUTE_NOT_FOUND");
    let body = answer.json();
    let names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "timestamp",
        "path",
        "status",
        "error",
        "requestId",
        "type",
        "title",
        "detail",
        "instance",
        "code",
    ];
    assert_eq!(names, expected);
    assert_eq!(body["path"], "/a%20b");
    assert_eq!((&body["error"], &body["type"]), (&"Not Found".into(), &"about:blank".into()));
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    let (connection, count) = body["requestId"].as_str().unwrap().split_once('-').unwrap();
    assert!(connection.len() == 8 && count.parse::<u64>().is_ok());
    assert!(!answer.text().contains("secret"));
}

#[test]
fn g8_the_body_is_json_for_browsers_too() {
    nothing_here().send("GET /\nAccept: text/html").check_failure(404, "ROUTE_NOT_FOUND");
}

#[test]
fn g8_a_head_request_gets_the_headers_only() {
    let gateway = nothing_here();
    let mut client = gateway.client();
    let answer = client.send("HEAD /");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_ne!(answer.header("content-length"), Some("0"));
    client.send("GET /").check_failure(404, "ROUTE_NOT_FOUND");
}

#[test]
fn g8_an_answer_of_the_gateway_keeps_the_connection() {
    let gateway = nothing_here();
    let mut client = gateway.client();
    client.send("GET /").check_failure(404, "ROUTE_NOT_FOUND");
    client.send("POST /\n\nunread").check_failure(404, "ROUTE_NOT_FOUND");
    client.send("GET /%zz").check_failure(400, "BAD_TARGET");
    client.send("GET /none").check_failure(503, "NO_INSTANCE");
    client.send(&format!("GET /{}", "x".repeat(9000))).check_failure(414, "URI_TOO_LONG");
    let wide = format!("GET /\nX: {}", "x".repeat(17_000));
    client.send(&wide).check_failure(431, "HEADERS_TOO_LARGE");
    client.send("GET /").check_failure(404, "ROUTE_NOT_FOUND");
}

#[test]
fn a_refused_upload_that_is_long_or_not_sent_yet_ends_the_connection() {
    let gateway = nothing_here();
    for head in ["Content-Length: 1000000", "Content-Length: 6\nExpect: 100-continue"] {
        let mut client = gateway.client();
        client.start(&format!("POST /\n{head}"));
        let answer = client.read_answer();
        answer.check_failure(404, "ROUTE_NOT_FOUND");
        assert_eq!(answer.header("connection"), Some("close"), "{head}");
    }
}

#[test]
fn g8_filters_that_change_answers_leave_the_gateways_own_alone() {
    let uri = Upstream::start().uri();
    let gateway = Gateway::start(&format!(
        "default-filters: ['AddResponseHeader=X-A, 1', SetStatus=200]\n\
         routes: [{{ id: r, uri: '{uri}', predicates: [Path=/**] }}]"
    ));
    let answer = gateway.send("GET /");
    answer.check_failure(502, "UPSTREAM_REFUSED");
    assert_eq!(answer.header("x-a"), None);
}

#[test]
fn g8_nothing_of_the_upstreams_address_is_told() {
    let uri = Upstream::start().uri();
    let answer = Gateway::to(&uri).send("GET /");
    let address = uri.trim_start_matches("http://");
    assert!(!answer.text().contains(address) && !format!("{answer:?}").contains(address));
}
