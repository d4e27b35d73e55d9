//! Connections of clients: what they may send first, how long they live, how a stop ends them.

use crate::support::{Gate, Gateway, Reply, Upstream, eventually};

#[test]
fn a_request_that_is_shorter_than_the_preface_of_http_2_is_answered() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_filters(&upstream, &[]);
    // A health probe in its oldest form: 18 bytes.
    assert_eq!(gateway.send_raw("GET / HTTP/1.0\r\n\r\n").text(), "ok");
    let mut client = gateway.client();
    for piece in ["P", "R", "I / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        client.write(piece);
    }
    assert_eq!(client.read_answer().status, 200);
    assert_eq!(upstream.last().line, "PRI / HTTP/1.1");
}

#[test]
fn a_connection_that_sends_nothing_does_not_outlive_the_keep_alive_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_settings(&upstream, "timeouts: { client-keep-alive: 1s }");
    gateway.client().check_closed();
}

#[test]
fn a_stop_waits_for_what_is_in_flight_and_for_nothing_else() {
    let gate = Gate::closed();
    let upstream = Upstream::with(Reply::ok("late").after(&gate));
    let mut gateway = Gateway::with_filters(&upstream, &[]);
    let _silent = gateway.client();
    let mut busy = gateway.client();
    busy.start("GET /");
    upstream.wait_for_heads(1);
    gateway.begin_stop();
    eventually("readiness to end", || (gateway.admin("GET /readyz").status == 503).then_some(()));
    assert!(!gateway.has_stopped());
    gate.open();
    let answer = busy.read_answer();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("late", Some("close")));
    eventually("the end", || gateway.has_stopped().then_some(()));
}
