//! Signals: nothing that was accepted is lost, and the process ends in time.

use std::time::Duration;

use bytes::Bytes;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http1::Connection;
use crate::load::Load;
use crate::poll::{soon, until};
use crate::process::Process;
use crate::upstream::{Gate, Upstream};
use crate::{measured, now, play, turn};

fn routes(upstream: &Upstream, settings: &str) -> String {
    format!(
        "{settings}\naccess-log: {{ output: off }}\nroutes:\n- id: all\n  uri: {}\n  predicates: [Path=/**]\n",
        upstream.uri()
    )
}

async fn stop_under_load(signal: Signal) {
    let upstream = Upstream::echoing_targets().await;
    let mut process = Process::start(&routes(&upstream, "")).await;
    let load = Load::start(process.address(), "/a", 20, 400);
    until("some load", async || (upstream.accepted() >= 10).then_some(())).await;
    let mut idle = Connection::to(process.address()).await.expect("a connection");
    assert_eq!(idle.get("/idle").await.expect("an answer").status(), 200);
    let silent = TcpStream::connect(process.address()).await.expect("a connection");
    let begin = now();
    process.signal(signal);
    let status = process.exit().await;
    measured("signal to exit", begin.elapsed());
    assert_eq!(status.code(), Some(0), "{}", process.log());
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let outcome = load.end().await;
    measured("served, refused", (outcome.served, outcome.refused));
    outcome.is_flawless();
    assert_eq!(outcome.refused, 20, "clients end when nobody listens any more");
    assert_eq!(soon("the end of an idle connection", idle.rest()).await, b"");
    drop(silent);
}

#[test]
fn sigterm_under_load_loses_no_request() {
    let _turn = turn::alone();
    play(stop_under_load(Signal::TERM));
}

#[test]
fn sigint_under_load_loses_no_request() {
    let _turn = turn::alone();
    play(stop_under_load(Signal::INT));
}

async fn held(process: &Process, gate: &Gate) -> Connection {
    let mut connection = Connection::to(process.address()).await.expect("a connection");
    connection.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("a gateway");
    gate.crowd(1).await;
    connection
}

#[test]
fn a_request_in_flight_is_finished() {
    let _turn = turn::beside_others();
    play(async {
        let gate = Gate::new();
        let upstream = gate.upstream().await;
        let mut process = Process::start(&routes(&upstream, "")).await;
        let mut held = held(&process, &gate).await;
        process.signal(Signal::TERM);
        until("the listener to close", async || {
            TcpStream::connect(process.address()).await.is_err().then_some(())
        })
        .await;
        let (status, body) = process.ready().await;
        assert_eq!((status, &body["status"]), (503, &"OUT_OF_SERVICE".into()));
        assert_eq!(process.ask_admin("/healthz").await.status(), 200);
        gate.open();
        let answer = soon("the answer", held.answer()).await.expect("an answer");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "/held"));
        assert!(answer.says_close(), "{answer:?}");
        let begin = now();
        assert_eq!(process.exit().await.code(), Some(0));
        measured("last answer to exit", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn a_request_that_takes_too_long_is_cut_off() {
    let _turn = turn::beside_others();
    play(async {
        let gate = Gate::new();
        let upstream = gate.upstream().await;
        let mut process = Process::start(&routes(&upstream, "shutdown: { drain: 1s }")).await;
        let mut held = held(&process, &gate).await;
        let begin = now();
        process.signal(Signal::TERM);
        assert_eq!(process.exit().await.code(), Some(0));
        let took = begin.elapsed();
        measured("exit with a drain limit of 1 s", took);
        assert!(took > Duration::from_millis(900), "{took:?}");
        // Far less than the limit that holds if none is set.
        assert!(took < Duration::from_secs(12), "{took:?}");
        assert!(process.log().contains("still in flight"), "{}", process.log());
        soon("the end of the connection", held.rest()).await;
    });
}

#[test]
fn clients_of_the_admin_listener_do_not_hold_the_process() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let mut process = Process::start(&routes(&upstream, "shutdown: { drain: 2s }")).await;
        let mut kept = Connection::to(process.admin()).await.expect("a connection");
        assert_eq!(kept.get("/healthz").await.expect("an answer").status(), 200);
        let silent = TcpStream::connect(process.admin()).await.expect("a connection");
        let mut half = Connection::to(process.admin()).await.expect("a connection");
        half.send("GET /metrics HT").await.expect("a gateway");
        // All of them are accepted before the signal.
        assert_eq!(process.ready().await.0, 200);
        let begin = now();
        process.signal(Signal::TERM);
        assert_eq!(process.exit().await.code(), Some(0));
        measured("exit with clients of the admin listener", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
        drop(silent);
    });
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let _turn = turn::beside_others();
    play(async {
        let gate = Gate::new();
        let upstream = gate.upstream().await;
        let mut process = Process::start(&routes(&upstream, "")).await;
        let _held = held(&process, &gate).await;
        process.signal(Signal::TERM);
        process.logs("stopping").await;
        let begin = now();
        process.signal(Signal::INT);
        process.exit().await;
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
        assert!(process.log().contains("stopping at once"), "{}", process.log());
    });
}

#[test]
fn a_tunnel_is_cut_when_the_drain_time_is_over() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::start(|mut connection| async move {
            drop(connection.head().await);
            let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                          Connection: Upgrade\r\n\r\n";
            drop(connection.send(switch).await);
            connection.rest().await;
        })
        .await;
        let mut process = Process::start(&routes(&upstream, "shutdown: { drain: 1s }")).await;
        let mut tunnel = process.tunnel().await;
        let begin = now();
        process.signal(Signal::TERM);
        assert_eq!(process.exit().await.code(), Some(0));
        assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
        soon("the end of the tunnel", tunnel.rest()).await;
    });
}

#[test]
fn clients_of_http2_are_drained_too() {
    let _turn = turn::beside_others();
    play(async {
        let gate = Gate::new();
        let upstream = gate.upstream().await;
        let mut process = Process::start(&routes(&upstream, "")).await;
        let stream = TcpStream::connect(process.address()).await.expect("a connection");
        let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        let mut client = client.ready().await.expect("HTTP/2");
        let ask = |path: &str| {
            let uri = format!("http://test{path}");
            http::Request::builder().uri(uri).body(()).expect("a request")
        };
        let answers: Vec<_> = (1..=3)
            .map(|at| {
                let (answer, _) =
                    client.send_request(ask(&format!("/{at}")), true).expect("HTTP/2");
                answer
            })
            .collect();
        gate.crowd(3).await;
        process.signal(Signal::TERM);
        until("the listener to close", async || {
            TcpStream::connect(process.address()).await.is_err().then_some(())
        })
        .await;
        gate.open();
        for (at, answer) in (1..).zip(answers) {
            let answer = soon("an answer", answer).await.expect("an answer");
            assert_eq!(answer.status(), 200);
            let mut body = answer.into_body();
            let mut text = Bytes::new();
            while let Some(data) = soon("a body", body.data()).await {
                text = data.expect("a body");
                body.flow_control().release_capacity(text.len()).expect("HTTP/2");
            }
            assert_eq!(text, format!("/{at}"));
        }
        drop(client);
        let begin = now();
        assert_eq!(process.exit().await.code(), Some(0));
        measured("last HTTP/2 answer to exit", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(5));
    });
}
