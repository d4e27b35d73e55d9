//! Clients that are slow, silent or odd: each wait for them has an end.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::http1::Connection;
use crate::poll::{soon, until};
use crate::process::Process;
use crate::upstream::Upstream;
use crate::{measured, now, play, turn};

const SHORT: &str = "timeouts: { client-keep-alive: 1s, client-read: 1s }";

async fn gateway(settings: &str) -> (Process, Upstream) {
    let upstream = Upstream::echoing_targets().await;
    let process = Process::start(&format!(
        "{settings}\naccess-log: {{ output: off }}\nroutes:\n- id: all\n  uri: {}\n  predicates: [Path=/all/**]\n",
        upstream.uri()
    ))
    .await;
    (process, upstream)
}

/// The gateway closes a connection after about a second of silence; what it sent before comes back.
async fn check_closed(what: &str, mut client: Connection) -> String {
    let begin = now();
    let rest = soon("the gateway to close", client.rest()).await;
    let took = begin.elapsed();
    measured(what, took);
    assert!(took > Duration::from_millis(500), "{what}: {took:?}");
    assert!(took < Duration::from_secs(6), "{what}: {took:?}");
    String::from_utf8_lossy(&rest).into_owned()
}

async fn saying(process: &Process, bytes: &[u8]) -> Connection {
    let mut client = Connection::to(process.address()).await.expect("a connection");
    client.send(bytes).await.expect("a gateway");
    client
}

#[test]
fn silent_clients_are_left() {
    let _turn = turn::beside_others();
    play(async {
        let (process, _upstream) = gateway(SHORT).await;
        let mut idle = Connection::to(process.address()).await.expect("a connection");
        assert_eq!(idle.get("/all/a").await.expect("an answer").status(), 200);
        assert_eq!(check_closed("idle after an answer", idle).await, "");
        check_closed("nothing sent", saying(&process, b"").await).await;
        check_closed("three bytes sent", saying(&process, b"GET").await).await;
        check_closed("half of an HTTP/2 preface", saying(&process, b"PRI * HTT").await).await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        check_closed("an HTTP/2 preface", saying(&process, preface).await).await;
        let half = b"GET /all/a HTTP/1.1\r\nHost: test\r\nX-Ha";
        check_closed("half a head", saying(&process, half).await).await;
        let mut again = Connection::to(process.address()).await.expect("a connection");
        assert_eq!(again.get("/all/a").await.expect("an answer").status(), 200);
        again.send(half).await.expect("a gateway");
        check_closed("half a second head", again).await;
    });
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let _turn = turn::beside_others();
    play(async {
        let (process, _upstream) = gateway(SHORT).await;
        let sized = b"POST /all/a HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf";
        check_closed("half a sized body", saying(&process, sized).await).await;
        let chunked =
            b"POST /all/a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha";
        check_closed("half a chunk", saying(&process, chunked).await).await;
        until("nothing in flight", async || {
            (process.metric("tollgate_requests_in_flight").await == 0).then_some(())
        })
        .await;
        assert_eq!(process.get("/all/b").await.status(), 200);
    });
}

#[test]
fn a_request_shorter_than_an_http2_preface_is_served() {
    let _turn = turn::beside_others();
    play(async {
        let (process, _upstream) = gateway("").await;
        let mut client = saying(&process, b"GET / HTTP/1.0\r\n\r\n").await;
        let answer = soon("an answer", client.answer()).await.expect("an answer");
        assert!(matches!(answer.status(), 400 | 404), "{}", answer.text());
    });
}

#[test]
fn a_client_that_sends_all_of_its_body_gets_the_answer_to_it() {
    let _turn = turn::beside_others();
    play(async {
        let (process, _upstream) = gateway("").await;
        let body = vec![b'x'; 20 << 20];
        for keep in ["keep-alive", "close"] {
            let head = format!(
                "POST /none HTTP/1.1\r\nHost: test\r\nConnection: {keep}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            for _ in 0..5 {
                let mut client = saying(&process, head.as_bytes()).await;
                soon("the body to be taken", client.send(&body)).await.expect("a gateway");
                let answer = soon("an answer", client.answer()).await.expect("an answer");
                assert_eq!(answer.status(), 404);
            }
        }
    });
}

/// What a refused request still sends is read, so that the client sees the answer; not for ever.
#[test]
fn a_large_body_that_nobody_reads_does_not_hold_the_connection() {
    let _turn = turn::beside_others();
    play(async {
        let (process, _upstream) = gateway("").await;
        let head = b"POST /none HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000000\r\n\r\n";
        let mut silent = saying(&process, head).await;
        let begin = now();
        let answer = soon("an answer", silent.answer()).await.expect("an answer");
        assert_eq!(answer.status(), 404);
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
        soon("the gateway to close", silent.rest()).await;
        measured("404 to a body that does not come: closed after", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        let mut eager = saying(&process, head).await;
        let begin = now();
        let piece = vec![b'x'; 64 << 10];
        soon("the gateway to close", async { while eager.send(&piece).await.is_ok() {} }).await;
        measured("404 to a body that keeps coming: closed after", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    });
}

#[test]
fn many_connections_that_say_nothing_do_no_harm() {
    let _turn = turn::alone();
    play(async {
        let (process, _upstream) = gateway("").await;
        let before = process.memory();
        let mut silent = Vec::new();
        for _ in 0..2000 {
            silent.push(TcpStream::connect(process.address()).await.expect("a connection"));
        }
        assert_eq!(process.get("/all/a").await.status(), 200);
        measured("KiB for 2,000 silent connections", process.memory().saturating_sub(before));
        assert!(process.memory() < before + 40 * 1024);
    });
}
