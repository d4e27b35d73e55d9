//! What the time limit of a circuit breaker bounds, and what lives on behind it.

use crate::support::{Client, Gate, Gateway, Reply, Upstream};

const HANDSHAKE: &str = "GET /tunnel\nConnection: Upgrade\nUpgrade: WebSocket\n\
                         Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A route for `/**` behind a breaker with a limit of 400 ms; `/clock` has as much, without one.
fn limited(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        "resilience4j: {{ timelimiter: {{ instances: {{ limited: {{ timeoutDuration: 400ms }} }} }} }}\n\
         routes:\n\
         - {{ id: clock, uri: '{uri}', predicates: [Path=/clock], metadata: {{ response-timeout: 400 }} }}\n\
         - {{ id: r, uri: '{uri}', predicates: [Path=/**], filters: [CircuitBreaker=limited] }}\n",
        uri = upstream.uri()
    ))
}

/// Lets the limit pass three times.
#[track_caller]
fn let_time_pass(gateway: &Gateway) {
    for _ in 0..3 {
        gateway.send("GET /clock").check_failure(504, "UPSTREAM_TIMEOUT");
    }
}

#[track_caller]
fn check_expired(client: &mut Client) {
    let answer = client.read_answer();
    answer.check_failure(504, "UPSTREAM_TIMEOUT");
    assert!(answer.json()["detail"].as_str().unwrap().contains("400ms"), "{}", answer.text());
}

#[test]
fn an_event_stream_with_long_gaps_lives_behind_a_short_limit() {
    let gate = Gate::closed();
    let for_upstream = gate.clone();
    let upstream = Upstream::answering(move |seen| match seen.target() {
        "/clock" => Reply::nothing().never(),
        _ => Reply::raw(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
             Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
        )
        .wait(&for_upstream)
        .send("9\r\ndata: 2\n\n\r\n0\r\n\r\n"),
    });
    let gateway = limited(&upstream);
    let mut client = gateway.client();
    client.start("GET /events\nAccept: text/event-stream");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_chunk().unwrap(), b"data: 1\n\n");
    let_time_pass(&gateway);
    gate.open();
    assert_eq!(client.read_chunk().unwrap(), b"data: 2\n\n");
    assert_eq!(client.read_chunk(), None);
}

#[test]
fn a_dripped_upload_does_not_put_the_limit_off() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream);
    let mut client = gateway.client();
    client.start("POST /\nContent-Length: 1000000");
    client.drip_until_answered();
    check_expired(&mut client);
}

#[test]
fn an_upload_that_stops_in_the_middle_is_over_with_the_limit() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream);
    let mut client = gateway.client();
    client.start("POST /\nContent-Length: 10\nX-Part: 1");
    client.write("half");
    check_expired(&mut client);
}

#[test]
fn interim_answers_do_not_put_the_limit_off() {
    let upstream =
        Upstream::with(Reply::nothing().drip("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
    let gateway = limited(&upstream);
    let mut client = gateway.client();
    client.start("GET /");
    check_expired(&mut client);
}

#[test]
fn a_tunnel_lives_behind_a_short_limit() {
    let upstream = Upstream::answering(|seen| match seen.target() {
        "/clock" => Reply::nothing().never(),
        _ => Reply::nothing().send(SWITCHED).echo(),
    });
    let gateway = limited(&upstream);
    let mut client = gateway.client();
    assert_eq!(client.send(HANDSHAKE).status, 101);
    let_time_pass(&gateway);
    client.write("hello");
    assert_eq!(client.read_bytes(5), b"hello");
}
