//! One line for each request, and none that costs a request.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::http1::Connection;
use crate::load::Load;
use crate::poll::{soon, until};
use crate::process::Process;
use crate::upstream::{Upstream, refusing};
use crate::{measured, play, turn};

/// Waits for this many lines and reads them.
pub(crate) async fn lines(log: &Path, count: usize) -> Vec<Value> {
    until("access log lines", async || {
        let text = fs::read_to_string(log).ok()?;
        (text.ends_with('\n') && text.lines().count() >= count).then_some(text)
    })
    .await
    .lines()
    .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
    .collect()
}

/// The setting for a log in a file.
pub(crate) fn to_file(log: &Path) -> String {
    format!("access-log: {{ output: \"file:{}\" }}\n", log.display())
}

const MEMBERS: [&str; 13] = [
    "time",
    "route",
    "method",
    "path",
    "status",
    "code",
    "bytes_out",
    "duration_ms",
    "upstream",
    "upstream_ms",
    "attempts",
    "client",
    "trace_id",
];

#[test]
fn every_request_is_one_line() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let (_socket, gone) = refusing();
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("access.log");
        let mut process = Process::start(&format!(
            "{}routes:\n- id: fine\n  uri: {}\n  predicates: [Path=/fine/**]\n\
             - id: gone\n  uri: http://{gone}\n  predicates: [Path=/gone]\n",
            to_file(&log),
            upstream.uri()
        ))
        .await;
        for at in 0..50 {
            let mut kept = Connection::to(process.address()).await.expect("a connection");
            let target = format!("/fine/{at}?secret=1");
            assert_eq!(kept.get(&target).await.expect("an answer").status(), 200);
            assert_eq!(kept.get("/none").await.expect("an answer").status(), 404);
            assert_eq!(process.get("/gone").await.status(), 502);
            let bad = "GET /a/../b HTTP/1.1\r\nHost: test\r\n\r\n";
            let mut refused = Connection::to(process.address()).await.expect("a connection");
            refused.send(bad).await.expect("a gateway");
            assert_eq!(refused.answer().await.expect("an answer").status(), 400);
        }
        let traced = "POST /fine/\" HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\
                      traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\nabc";
        let mut connection = Connection::to(process.address()).await.expect("a connection");
        connection.send(traced.replace('"', "x")).await.expect("a gateway");
        assert_eq!(connection.answer().await.expect("an answer").status(), 200);
        let load = Load::start(process.address(), "/fine/load", 10, 500);
        until("some load", async || (upstream.accepted() > 3).then_some(())).await;
        process.signal(Signal::TERM);
        assert_eq!(process.exit().await.code(), Some(0));
        let outcome = load.end().await;
        outcome.is_flawless();
        // The process is gone: what it wrote is all there is.
        let lines = lines(&log, 0).await;
        let count = |path: &str| {
            let is_it = |line: &&Value| line["path"].as_str().expect("a path").starts_with(path);
            lines.iter().filter(is_it).count()
        };
        assert_eq!(count("/fine/load"), outcome.served);
        assert_eq!(count("/none"), 50);
        assert_eq!(count("/gone"), 50);
        assert_eq!(count("/a/../b"), 50);
        assert_eq!(lines.len(), 201 + outcome.served);
        measured("access log lines", lines.len());
        for line in &lines {
            let members: Vec<&String> = line.as_object().expect("an object").keys().collect();
            assert_eq!(members, MEMBERS);
            assert!(!line.to_string().contains("secret"), "{line}");
        }
        let find = |path: &str| lines.iter().find(|line| line["path"] == path).expect("a line");
        let gone_line = find("/gone");
        assert_eq!(gone_line["route"], "gone");
        assert_eq!(
            (&gone_line["status"], &gone_line["code"]),
            (&502.into(), &"UPSTREAM_REFUSED".into())
        );
        let none = find("/none");
        assert_eq!((&none["route"], &none["code"]), (&Value::Null, &"ROUTE_NOT_FOUND".into()));
        assert_eq!(find("/a/../b")["code"], "BAD_TARGET");
        let traced = find("/fine/x");
        assert_eq!(traced["method"], "POST");
        assert_eq!(traced["route"], "fine");
        assert_eq!(traced["code"], Value::Null);
        assert_eq!(traced["bytes_out"], "/fine/x".len());
        assert_eq!(traced["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(traced["upstream"], upstream.address().to_string());
        assert_eq!(traced["attempts"], 1);
        assert_eq!(traced["client"], "127.0.0.1");
        assert!(traced["duration_ms"].as_f64() >= traced["upstream_ms"].as_f64(), "{traced}");
    });
}

#[test]
fn a_client_that_leaves_is_one_line_without_a_status() {
    let _turn = turn::beside_others();
    play(async {
        let gate = crate::upstream::Gate::new();
        let upstream = gate.upstream().await;
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("access.log");
        let process = Process::start(&format!(
            "{}routes:\n- id: held\n  uri: {}\n  predicates: [Path=/**]\n",
            to_file(&log),
            upstream.uri()
        ))
        .await;
        let mut client = Connection::to(process.address()).await.expect("a connection");
        client.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("a gateway");
        gate.crowd(1).await;
        drop(client);
        let lines = lines(&log, 1).await;
        assert_eq!((&lines[0]["status"], &lines[0]["code"]), (&0.into(), &Value::Null));
        assert_eq!(lines[0]["route"], "held");
        until("nothing in flight", async || {
            (process.metric("tollgate_requests_in_flight").await == 0).then_some(())
        })
        .await;
    });
}

#[test]
fn a_full_disk_loses_lines_and_no_request() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let mut process = Process::start(&format!(
            "{}routes:\n- id: all\n  uri: {}\n  predicates: [Path=/**]\n",
            to_file(Path::new("/dev/full")),
            upstream.uri()
        ))
        .await;
        let mut connection = Connection::to(process.address()).await.expect("a connection");
        for _ in 0..200 {
            let answer = soon("an answer", connection.get("/a")).await.expect("an answer");
            assert_eq!(answer.status(), 200);
        }
        until("lost lines", async || {
            (process.metric("tollgate_access_log_lost_lines").await == 200).then_some(())
        })
        .await;
        process.signal(Signal::TERM);
        assert_eq!(process.exit().await.code(), Some(0));
    });
}
