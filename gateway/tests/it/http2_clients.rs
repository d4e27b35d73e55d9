//! Clients that speak HTTP/2 with prior knowledge.

use http::Request;

use crate::support::{Gateway, Http2, Reply, Upstream};

fn request(method: &str, path: &str, body: &'static str) -> Request<&'static str> {
    let uri = format!("http://shop.test{path}");
    Request::builder().method(method).uri(uri).header("x-own", "1").body(body).unwrap()
}

#[test]
fn a_get_reaches_the_upstream_as_http_1() {
    let upstream = Upstream::with(Reply::ok("ok").header("X-Up", "1"));
    let gateway = Gateway::with_predicates(&upstream, &["Path=/a/**", "Host=shop.test"]);
    let mut client = Http2::connect(gateway.address());
    for _ in 0..3 {
        let answer = client.send(request("GET", "/a/b?x=%2F", ""));
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(answer.header("x-up"), Some("1"));
    }
    let seen = upstream.last();
    assert_eq!(seen.line, "GET /a/b?x=%2F HTTP/1.1");
    assert_eq!(seen.header("host"), Some(upstream.authority().as_str()));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.test"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-own"), Some("1"));
}

#[test]
fn a_post_keeps_its_body() {
    let upstream = Upstream::with(Reply::chunked(&["re", "ply"]));
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = Http2::connect(gateway.address());
    let answer = client.send(request("POST", "/", "hello"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "reply"));
    assert_eq!(upstream.only().text(), "hello");
}

#[test]
fn the_clients_host_is_preserved_where_the_route_says_so() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &["PreserveHostHeader"]);
    let mut client = Http2::connect(gateway.address());
    assert_eq!(client.send(request("GET", "/", "")).status, 200);
    assert_eq!(upstream.only().header("host"), Some("shop.test"));
}

#[test]
fn what_cannot_be_served_is_told_as_over_http_1() {
    let gateway = Gateway::start(
        "services: { none: { instances: [] } }\nroutes: [{ id: r, uri: 'lb://none', predicates: [Path=/a] }]",
    );
    let mut client = Http2::connect(gateway.address());
    client.send(request("GET", "/b", "")).check_failure(404, "ROUTE_NOT_FOUND");
    client.send(request("GET", "/a", "")).check_failure(503, "NO_INSTANCE");
    client.send(request("GET", "/a/%2e%2e/b", "")).check_failure(400, "BAD_TARGET");
    client.send(request("POST", "/b", "unread")).check_failure(404, "ROUTE_NOT_FOUND");
    let answer = client.send(request("HEAD", "/b", ""));
    assert_eq!((answer.status, answer.body.len()), (404, 0));
}

#[test]
fn http_2_is_not_spoken_where_the_listener_is_told_so() {
    let upstream = Upstream::start();
    let gateway =
        Gateway::with_settings(&upstream, "listeners: [{ address: '127.0.0.1:0', http2: false }]");
    let rest = {
        let mut client = gateway.client();
        client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        client.read_to_end()
    };
    assert!(!rest.starts_with(b"\0\0"), "{rest:?}");
    assert_eq!(gateway.send("GET /").status, 200);
}
