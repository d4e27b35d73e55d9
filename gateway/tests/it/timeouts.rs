//! How long an upstream may take (`global.md` 4.3, `predicates.md` 2.9).

use crate::support::{Gate, Gateway, Reply, Unreachable, Upstream};

/// A gateway with a global limit of 150 ms and this metadata on its route for `/**`; `/clock` has
/// the global limit.
fn limited(upstream: &Upstream, metadata: &str) -> Gateway {
    Gateway::start(&format!(
        "httpclient: {{ response-timeout: 150ms }}\nroutes:\n\
         - {{ id: clock, uri: '{uri}', predicates: [Path=/clock] }}\n\
         - {{ id: r, uri: '{uri}', predicates: [Path=/**], metadata: {metadata} }}\n",
        uri = upstream.uri()
    ))
}

/// Never answers `/clock`, and the others when the gate opens.
fn slow(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::answering(move |seen| {
        if seen.target() == "/clock" {
            Reply::nothing().never()
        } else {
            Reply::ok("late").after(&gate)
        }
    })
}

/// Lets the global limit pass once.
#[track_caller]
fn let_time_pass(gateway: &Gateway) {
    gateway.send("GET /clock").check_failure(504, "UPSTREAM_TIMEOUT");
}

#[track_caller]
fn check_times_out(metadata: &str) {
    let upstream = Upstream::with(Reply::nothing().never());
    limited(&upstream, metadata).send("GET /").check_failure(504, "UPSTREAM_TIMEOUT");
}

/// Asserts that an answer after the global limit is waited for.
#[track_caller]
fn check_waits(metadata: &str) {
    let gate = Gate::closed();
    let upstream = slow(&gate);
    let gateway = limited(&upstream, metadata);
    let mut client = gateway.client();
    client.start("GET /");
    upstream.wait_for_heads(1);
    let_time_pass(&gateway);
    gate.open();
    assert_eq!(client.read_answer().text(), "late", "{metadata}");
}

#[test]
fn g4_3_the_global_limit_holds() {
    check_times_out("{}");
}

#[test]
fn g4_3_a_routes_own_limit_replaces_the_global_one() {
    check_waits("{ response-timeout: 20000 }");
    check_waits("{ response-timeout: '20000' }");
    let upstream = Upstream::with(Reply::nothing().never());
    let gateway = Gateway::start(&format!(
        "routes: [{{ id: r, uri: '{}', predicates: [Path=/**], \
         metadata: {{ response-timeout: 100 }} }}]",
        upstream.uri()
    ));
    gateway.send("GET /").check_failure(504, "UPSTREAM_TIMEOUT");
}

#[test]
fn g4_3_a_negative_limit_is_none() {
    check_waits("{ response-timeout: -1 }");
}

#[test]
fn g4_3_text_that_is_no_number_leaves_the_global_limit() {
    for text in ["notANumber", "2s", "' 3000 '", "'3000.5'", "true"] {
        check_times_out(&format!("{{ response-timeout: {text} }}"));
    }
}

#[test]
fn g4_3_a_limit_of_0_is_over_at_once() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, "{ response-timeout: 0 }");
    gateway.send("GET /").check_failure(504, "UPSTREAM_TIMEOUT");
    assert!(upstream.seen().is_empty());
}

#[test]
fn g4_3_a_limit_from_a_placeholder_holds() {
    let upstream = Upstream::with(Reply::nothing().never());
    limited(&upstream, "{ response-timeout: '${limit:100}' }")
        .send("GET /")
        .check_failure(504, "UPSTREAM_TIMEOUT");
}

#[test]
fn g4_3_a_routes_own_connect_limit_holds() {
    for limit in ["150", "'150'"] {
        let upstream = Unreachable::start();
        let gateway = Gateway::start(&format!(
            "routes: [{{ id: r, uri: '{}', predicates: [Path=/**], \
             metadata: {{ connect-timeout: {limit} }} }}]",
            upstream.uri()
        ));
        gateway.send("GET /").check_failure(504, "CONNECT_TIMEOUT");
    }
}

#[test]
fn g4_3_a_connect_limit_that_is_no_number_fails_every_request() {
    let upstream = Upstream::start();
    for limit in ["5s", "500.0", "'500.0'"] {
        let gateway = Gateway::start(&format!(
            "spring.cloud.gateway.routes: [{{ id: r, uri: '{}', predicates: [Path=/**], \
             metadata: {{ connect-timeout: {limit} }} }}]",
            upstream.uri()
        ));
        gateway.send("GET /").check_failure(500, "FILTER_FAILED");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_dripped_upload_does_not_put_the_limit_off() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, "{}");
    let mut client = gateway.client();
    client.start("POST /\nContent-Length: 1000000");
    client.drip_until_answered();
    client.read_answer().check_failure(504, "UPSTREAM_TIMEOUT");
}

#[test]
fn interim_answers_do_not_put_the_limit_off() {
    let upstream =
        Upstream::with(Reply::nothing().drip("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
    let gateway = limited(&upstream, "{}");
    let answer = gateway.send("GET /");
    assert!(answer.interim.contains(&103));
    answer.check_failure(504, "UPSTREAM_TIMEOUT");
}

#[test]
fn the_limit_bounds_each_silence_of_the_body() {
    let upstream = Upstream::with(
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").never(),
    );
    let gateway = limited(&upstream, "{}");
    let mut client = gateway.client();
    client.start("GET /silent");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read_chunk().unwrap(), b"one");
    client.check_closed();
    assert_eq!(gateway.log_of("/silent")["code"], "UPSTREAM_TIMEOUT");
}

#[test]
fn an_event_stream_may_be_silent_for_longer() {
    let gate = Gate::closed();
    let for_upstream = gate.clone();
    let upstream = Upstream::answering(move |seen| {
        if seen.target() == "/clock" {
            return Reply::nothing().never();
        }
        Reply::raw(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
             Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
        )
        .wait(&for_upstream)
        .send("9\r\ndata: 2\n\n\r\n0\r\n\r\n")
    });
    let gateway = limited(&upstream, "{}");
    let mut client = gateway.client();
    client.start("GET /events\nAccept: text/event-stream");
    let head = client.read_head();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(client.read_chunk().unwrap(), b"data: 1\n\n");
    let_time_pass(&gateway);
    let_time_pass(&gateway);
    gate.open();
    assert_eq!(client.read_chunk().unwrap(), b"data: 2\n\n");
    assert_eq!(client.read_chunk(), None);
}
