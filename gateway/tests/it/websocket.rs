//! Upgrades to WebSocket (`global.md` 5): bytes pass both ways until either side closes.

use crate::support::{Client, Gateway, Reply, Upstream};

const HANDSHAKE: &str = "GET /websocket%20upgrade?x=1\nConnection: Upgrade\nUpgrade: WebSocket\n\
                         Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
                         Sec-WebSocket-Protocol: echo-v1, echo-v2\nX-Own: 1";

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                        Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                        Sec-WebSocket-Protocol: echo-v1\r\n\r\n";

fn accepts() -> Reply {
    Reply::nothing().send(ACCEPTED)
}

/// Echoes what comes through a tunnel; never answers `/clock`.
fn echo() -> Upstream {
    Upstream::answering(|seen| {
        if seen.target() == "/clock" { Reply::nothing().never() } else { accepts().echo() }
    })
}

#[track_caller]
fn check_tunnel(client: &mut Client) {
    for text in ["hello", "\u{0}\u{1}binary", "last"] {
        client.write(text);
        assert_eq!(client.read_bytes(text.len()), text.as_bytes());
    }
}

#[track_caller]
fn check_upgrades(uri: &str, upstream: &Upstream) {
    let gateway = Gateway::to(uri);
    let mut client = gateway.client();
    let head = client.send(HANDSHAKE);
    assert_eq!(head.status, 101, "{head:?}");
    assert_eq!(head.header("upgrade"), Some("websocket"));
    assert_eq!(head.header("sec-websocket-protocol"), Some("echo-v1"));
    check_tunnel(&mut client);
    let seen = upstream.last();
    assert_eq!((seen.target(), seen.header("x-own")), ("/websocket%20upgrade?x=1", Some("1")));
    assert!(seen.header("upgrade").unwrap().eq_ignore_ascii_case("websocket"));
    assert!(seen.header("connection").unwrap().eq_ignore_ascii_case("upgrade"));
    assert_eq!(seen.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.test"));
}

#[test]
fn g5_a_tunnel_passes_bytes_both_ways() {
    let upstream = echo();
    check_upgrades(&upstream.uri(), &upstream);
    check_upgrades(&upstream.uri().replace("http:", "ws:"), &upstream);
}

#[test]
fn g5_a_ws_route_refuses_requests_that_ask_for_no_upgrade() {
    let upstream = echo();
    let gateway = Gateway::to(&upstream.uri().replace("http:", "ws:"));
    assert_eq!(gateway.send("GET /").status, 400);
    assert_eq!(gateway.send("POST /\n\nx").status, 405);
    assert!(upstream.seen().is_empty());
}

#[test]
fn g5_an_upstream_that_refuses_the_upgrade_answers_the_client() {
    let upstream = Upstream::with(Reply::new(403, "no"));
    let gateway = Gateway::with_filters(&upstream, &[]);
    for _ in 0..20 {
        let answer = gateway.send(HANDSHAKE);
        assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    }
}

#[test]
fn a_tunnel_outlives_the_limits_of_ordinary_requests() {
    let upstream = echo();
    let gateway = Gateway::with_settings(
        &upstream,
        "httpclient: { response-timeout: 100ms }\n\
         timeouts: { client-read: 100ms, client-keep-alive: 1s }",
    );
    let mut client = gateway.client();
    assert_eq!(client.send(HANDSHAKE).status, 101);
    check_tunnel(&mut client);
    // Each of these takes as long as an ordinary request may be silent.
    for _ in 0..12 {
        gateway.send("GET /clock").check_failure(504, "UPSTREAM_TIMEOUT");
    }
    check_tunnel(&mut client);
}

#[test]
fn a_silent_tunnel_ends_with_the_stream_idle_time() {
    let upstream = echo();
    let gateway = Gateway::with_settings(&upstream, "timeouts: { stream-idle: 500ms }");
    let mut client = gateway.client();
    assert_eq!(client.send(HANDSHAKE).status, 101);
    client.check_closed();
}

#[test]
fn a_tunnel_closes_when_the_upstream_closes() {
    let upstream = Upstream::with(accepts().send("bye").close());
    let gateway = Gateway::with_filters(&upstream, &[]);
    let mut client = gateway.client();
    assert_eq!(client.send(HANDSHAKE).status, 101);
    assert_eq!(client.read_to_end(), b"bye");
}

/// The upstream's answer may be there before the proxy has told it that the request has no body.
#[test]
fn every_handshake_becomes_a_tunnel_however_fast_the_upstream_is() {
    let upstream = echo();
    let gateway = Gateway::to(&upstream.uri());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let mut client = gateway.client();
                    assert_eq!(client.send(HANDSHAKE).status, 101);
                    check_tunnel(&mut client);
                }
            });
        }
    });
}
