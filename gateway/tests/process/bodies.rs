//! Large bodies stream through; the gateway's memory does not grow with them.

use std::io;
use std::time::Duration;

use crate::http1::Connection;
use crate::process::Process;
use crate::upstream::Upstream;
use crate::{measured, now, play, turn};

/// How long a body is.
const LENGTH: usize = 1 << 30;

/// 64 KiB that differ from place to place.
fn piece() -> Vec<u8> {
    (0..PIECE).map(|at| u8::try_from(at % 251).expect("a byte")).collect()
}

const PIECE: usize = 64 << 10;

/// Compares what arrives with pieces sent one after the other.
struct Check {
    twice: Vec<u8>,
    seen: usize,
}

impl Check {
    fn new() -> Self {
        Self { twice: piece().repeat(2), seen: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        for bytes in bytes.chunks(PIECE) {
            let from = self.seen % PIECE;
            assert!(bytes == &self.twice[from..from + bytes.len()], "other bytes at {}", self.seen);
            self.seen += bytes.len();
        }
    }
}

async fn send_body(connection: &mut Connection, chunked: bool) -> io::Result<()> {
    let piece = piece();
    let chunk = [format!("{PIECE:x}\r\n").into_bytes(), piece.clone(), b"\r\n".to_vec()].concat();
    for _ in 0..LENGTH / PIECE {
        connection.send(if chunked { &chunk } else { &piece }).await?;
    }
    if chunked { connection.send("0\r\n\r\n").await } else { Ok(()) }
}

async fn receive_body(connection: &mut Connection, chunked: bool) {
    let mut check = Check::new();
    while check.seen < LENGTH {
        let bytes = if chunked { connection.chunk().await } else { connection.some().await };
        let bytes = bytes.expect("a body");
        assert!(!bytes.is_empty(), "the body ended after {}", check.seen);
        check.add(&bytes);
    }
    if chunked {
        assert_eq!(connection.chunk().await.expect("the last chunk"), b"");
    }
}

fn framing(chunked: bool) -> String {
    if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {LENGTH}")
    }
}

fn is_chunked(target: &str) -> bool {
    target.ends_with("chunked")
}

/// Uploads and downloads as the target says.
async fn serve(mut connection: Connection) {
    while let Ok(Some(request)) = connection.head().await {
        let target = request.target();
        let chunked = is_chunked(&target);
        if target.starts_with("/up") {
            receive_body(&mut connection, chunked).await;
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
            connection.send(answer).await.expect("a gateway");
        } else {
            let head = format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", framing(chunked));
            connection.send(head).await.expect("a gateway");
            if send_body(&mut connection, chunked).await.is_err() {
                return;
            }
        }
    }
}

/// A gateway that sends everything to the upstream and writes no log.
async fn gateway(upstream: &Upstream) -> Process {
    let uri = upstream.uri();
    Process::start(&format!(
        "access-log: {{ output: off }}\nroutes:\n- id: all\n  uri: {uri}\n  predicates: [Path=/**]\n"
    ))
    .await
}

#[test]
fn a_body_of_a_gigabyte_passes_both_ways_in_little_memory() {
    let _turn = turn::alone();
    play(async {
        let upstream = Upstream::start(serve).await;
        let process = gateway(&upstream).await;
        let mut client = Connection::to(process.address()).await.expect("a connection");
        process.forget_peak();
        for target in ["/up/sized", "/up/chunked", "/down/sized", "/down/chunked"] {
            let begin = now();
            let chunked = is_chunked(target);
            if target.starts_with("/up") {
                let framing = framing(chunked);
                let head = format!("POST {target} HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n");
                client.send(head).await.expect("a gateway");
                send_body(&mut client, chunked).await.expect("a gateway");
                assert_eq!(client.answer().await.expect("an answer").text(), "done");
            } else {
                client
                    .send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"))
                    .await
                    .expect("a gateway");
                let answer = client.head().await.expect("an answer").expect("an answer");
                assert_eq!(answer.status(), 200);
                receive_body(&mut client, chunked).await;
            }
            measured(&format!("{target}: {} MiB", LENGTH >> 20), begin.elapsed());
        }
        measured("peak resident KiB", process.peak());
        assert!(process.peak() < 60 * 1024, "{} KiB", process.peak());
    });
}

/// A client that reads slowly holds the upstream back, not the gateway's memory.
#[test]
fn a_slow_reader_holds_the_upstream_back() {
    let _turn = turn::alone();
    play(async {
        let upstream = Upstream::start(serve).await;
        let process = gateway(&upstream).await;
        let before = process.memory();
        process.forget_peak();
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = Connection::to(process.address()).await.expect("a connection");
            client.send("GET /down/sized HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("a gateway");
            client.head().await.expect("an answer").expect("an answer");
            clients.push(client);
        }
        let begin = now();
        crate::poll::until("two seconds", async || {
            (begin.elapsed() > Duration::from_secs(2)).then_some(())
        })
        .await;
        let grown = process.peak().saturating_sub(before);
        measured("KiB for 20 readers that do not read", grown);
        // 4 MiB for each, of a body of 1 GiB.
        assert!(grown < 80 * 1024, "{grown} KiB");
    });
}
