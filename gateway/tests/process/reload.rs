//! A route file that changes while requests flow.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::interval;

use crate::http1::Connection;
use crate::load::{Load, percentile};
use crate::poll::{soon, until};
use crate::process::{Process, replace};
use crate::upstream::{Gate, Upstream};
use crate::{measured, now, play, turn};

/// A file of 20 routes whose answers carry `version`.
fn table(upstream: &Upstream, version: usize) -> String {
    let mut text = String::from("access-log: { output: off }\nroutes:\n");
    for at in 0..20 {
        let route = format!(
            "- id: r{at}\n  uri: {uri}\n  predicates:\n  - Path=/r{at}/**\n  - Method=GET,POST\n  \
             filters:\n  - StripPrefix=1\n  - AddResponseHeader=X-Served, yes\n  \
             - SetResponseHeader=X-Version, {version}\n",
            uri = upstream.uri(),
        );
        text.push_str(&route);
    }
    text
}

/// Five different mistakes, with what the report says of each.
const BROKEN: &str = "\
routes:
- id: first
  uri: http://127.0.0.1:9
  predicates:
  - Pth=/first/**
- id: second
  uri: http://127.0.0.1:9
  predicates: [Path=/second/**]
  filtres: [StripPrefix=1]
- id: third
  uri: http://127.0.0.1:9
  predicates: [Path=/third/**]
  filters: [StripPrefix=two]
- id: third
  uri: http://127.0.0.1:9
  predicates: [Path=/fourth/**]
- id: fifth
  uri: http://127.0.0.1:9
  predicates: [Path=/fifth/**]
  filters: ['RewritePath=/(, /x']
";

const MISTAKES: [(&str, &str); 5] = [
    (":5:", "Pth=/first/**"),
    (":9:", "filtres: [StripPrefix=1]"),
    (":13:", "StripPrefix=two"),
    (":14:", "id: third"),
    (":20:", "RewritePath=/(, /x"),
];

async fn version(connection: &mut Connection) -> usize {
    let answer = connection.get("/r7/x").await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.header("x-version").expect("a version").parse().expect("a number")
}

/// Asks until the answer carries the version.
async fn shows(process: &Process, wanted: usize) {
    let mut connection = Connection::to(process.address()).await.expect("a connection");
    soon(&format!("version {wanted}"), async { while version(&mut connection).await != wanted {} })
        .await;
}

/// The number of tables that were put into use, the first one included. It is counted after a table
/// serves.
async fn counts_applied(process: &Process, wanted: u64) {
    let count = until("the reload to be counted", async || {
        let count = process.reloads("applied").await;
        (count >= wanted).then_some(count)
    })
    .await;
    assert_eq!(count, wanted);
}

/// Asks for some time; the answers must carry the version all the time.
async fn keeps_showing(process: &Process, wanted: usize, time: Duration) {
    let mut connection = Connection::to(process.address()).await.expect("a connection");
    let mut ticks = interval(Duration::from_millis(10));
    let begin = now();
    while begin.elapsed() < time {
        ticks.tick().await;
        assert_eq!(version(&mut connection).await, wanted);
    }
}

/// Times from renames to the first answer of the new table.
async fn time_renames(process: &Process, upstream: &Upstream, first: usize) -> Vec<Duration> {
    let mut connection = Connection::to(process.address()).await.expect("a connection");
    let mut times = Vec::new();
    let mut ticks = interval(Duration::from_millis(50));
    let beside = process.file().with_extension("new");
    for wanted in first..first + 20 {
        ticks.tick().await;
        fs::write(&beside, table(upstream, wanted)).expect("a file");
        let begin = now();
        fs::rename(&beside, process.file()).expect("a rename");
        soon("the new table", async { while version(&mut connection).await != wanted {} }).await;
        times.push(begin.elapsed());
    }
    times
}

#[test]
fn a_rename_is_live_within_20_ms_while_requests_flow() {
    let _turn = turn::alone();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 0)).await;
        let load = Load::start(process.address(), "/r3/a", 10, 200);
        // A busy machine may spoil a measurement, not ten.
        let mut tried = Vec::new();
        for attempt in 0..10 {
            let times = time_renames(&process, &upstream, 1 + attempt * 20).await;
            let (median, worst) = (percentile(&times, 0.5), percentile(&times, 1.0));
            measured("rename to first new answer (median, worst)", (median, worst));
            tried.push((median, worst));
            if is_at_once(&(median, worst)) {
                break;
            }
        }
        let outcome = load.stop().await;
        measured("requests meanwhile", outcome.served);
        outcome.is_flawless();
        assert!(tried.iter().any(is_at_once), "medians and worst: {tried:?}");
    });
}

/// The bounds are for the binary as it is shipped; one built for debugging takes three times as long.
fn is_at_once((median, worst): &(Duration, Duration)) -> bool {
    let slower = if cfg!(debug_assertions) { 3 } else { 1 };
    *median < Duration::from_millis(20) * slower && *worst < Duration::from_millis(100) * slower
}

#[test]
fn a_broken_file_changes_nothing_and_all_its_mistakes_are_told_at_once() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        let load = Load::start(process.address(), "/r3/a", 4, 100);
        process.replace(BROKEN);
        process.logs("5 errors").await;
        until("the refusal to be told", async || {
            (process.ready().await.1["config"]["result"] == "refused").then_some(())
        })
        .await;
        shows(&process, 1).await;
        let log = process.log();
        assert_eq!(log.matches("the route file is not used").count(), 1, "{log}");
        for (place, excerpt) in MISTAKES {
            assert!(log.contains(&format!("routes.yaml{place}")), "{place} in {log}");
            assert!(log.contains(excerpt), "{excerpt} in {log}");
        }
        assert!(log.contains("did you mean `Path`"), "{log}");
        assert!(log.contains("did you mean `filters`"), "{log}");
        let (status, body) = process.ready().await;
        assert_eq!(status, 200);
        assert_eq!(body["status"], "UP");
        assert_eq!(body["config"]["result"], "refused");
        let lines: Vec<_> = body["config"]["problems"]
            .as_array()
            .expect("problems")
            .iter()
            .map(|problem| problem["line"].as_u64().expect("a line"))
            .collect();
        assert_eq!(lines, [5, 9, 13, 14, 20]);
        assert_eq!(process.reloads("refused").await, 1);
        counts_applied(&process, 1).await;
        process.replace(&table(&upstream, 2));
        shows(&process, 2).await;
        until("the refusal to be forgotten", async || {
            (process.ready().await.1["config"]["problems"] == json!([])).then_some(())
        })
        .await;
        assert_eq!(process.reloads("refused").await, 1);
        counts_applied(&process, 2).await;
        load.stop().await.is_flawless();
    });
}

#[test]
fn a_half_written_file_is_read_when_its_writer_closes_it() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        let text = table(&upstream, 2);
        // A whole number of routes: what is there is a valid file.
        let half = text.find("- id: r10").expect("a route");
        let mut file = fs::File::create(process.file()).expect("a file");
        file.write_all(&text.as_bytes()[..half]).expect("a write");
        // Other files come and go beside it.
        let other = process.file().with_extension("other");
        keeps_showing(&process, 1, Duration::from_millis(400)).await;
        fs::write(&other, "x").expect("a file");
        fs::rename(&other, other.with_extension("moved")).expect("a rename");
        // Longer than the file is looked at without an event.
        keeps_showing(&process, 1, Duration::from_millis(4500)).await;
        file.write_all(&text.as_bytes()[half..]).expect("a write");
        drop(file);
        shows(&process, 2).await;
        assert_eq!(process.get("/r19/a").await.status(), 200);
        assert_eq!(process.reloads("refused").await, 0);
        counts_applied(&process, 2).await;
    });
}

#[test]
fn a_file_that_is_created_in_place_is_read_when_its_writer_closes_it() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        fs::rename(process.file(), process.file().with_extension("old")).expect("a rename");
        let text = table(&upstream, 2);
        let half = text.find("- id: r10").expect("a route");
        let mut file = fs::File::create_new(process.file()).expect("a file");
        file.write_all(&text.as_bytes()[..half]).expect("a write");
        keeps_showing(&process, 1, Duration::from_millis(4500)).await;
        file.write_all(&text.as_bytes()[half..]).expect("a write");
        drop(file);
        shows(&process, 2).await;
        assert_eq!(process.get("/r19/a").await.status(), 200);
    });
}

#[test]
fn an_editor_that_moves_the_file_away_first_causes_no_refusal() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        let backup = process.file().with_extension("yaml~");
        for wanted in 2..12 {
            fs::rename(process.file(), &backup).expect("a rename");
            fs::write(process.file(), table(&upstream, wanted)).expect("a file");
            fs::remove_file(&backup).expect("a removal");
            shows(&process, wanted).await;
        }
        assert_eq!(process.reloads("refused").await, 0, "{}", process.log());
    });
}

#[test]
fn a_symlink_swap_is_seen_at_once() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let folder = tempfile::tempdir().expect("a folder");
        // As a volume of a ConfigMap looks.
        let content = |version: usize| {
            let into = folder.path().join(format!("..2024_{version}"));
            fs::create_dir(&into).expect("a folder");
            fs::write(into.join("routes.yaml"), table(&upstream, version)).expect("a file");
        };
        let root = folder.path().to_owned();
        content(1);
        symlink("..2024_1", root.join("..data")).expect("a link");
        let file = root.join("routes.yaml");
        symlink("..data/routes.yaml", &file).expect("a link");
        let swap = |version: usize| {
            symlink(format!("..2024_{version}"), root.join("..data_tmp")).expect("a link");
            fs::rename(root.join("..data_tmp"), root.join("..data")).expect("a rename");
        };
        let contents: Vec<_> = (2..8).collect();
        for version in &contents {
            content(*version);
        }
        let process = Process::start_in(folder, file, &[]).await;
        let mut times = Vec::new();
        for version in contents {
            let begin = now();
            swap(version);
            shows(&process, version).await;
            times.push(begin.elapsed());
            fs::remove_dir_all(root.join(format!("..2024_{}", version - 1))).expect("a removal");
        }
        let median = percentile(&times, 0.5);
        measured("symlink swap to first new answer (median)", median);
        assert!(median < Duration::from_millis(500), "{times:?}");
        assert_eq!(process.reloads("refused").await, 0, "{}", process.log());
    });
}

#[test]
fn a_missing_or_empty_file_never_replaces_a_table() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        let result = async |wanted: &str| {
            until(wanted, async || {
                (process.ready().await.1["config"]["result"] == wanted).then_some(())
            })
            .await;
        };
        fs::remove_file(process.file()).expect("a removal");
        result("refused").await;
        process.logs("cannot read").await;
        shows(&process, 1).await;
        fs::write(process.file(), table(&upstream, 1)).expect("a file");
        result("applied").await;
        for empty in ["", "\n\n", "# nothing yet\n", "---\n"] {
            fs::write(process.file(), empty).expect("a file");
            result("refused").await;
            shows(&process, 1).await;
            assert_eq!(process.ready().await.0, 200);
            process.replace(&table(&upstream, 1));
            result("applied").await;
        }
    });
}

#[test]
fn the_same_text_is_no_reload() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        for _ in 0..5 {
            process.replace(&table(&upstream, 1));
        }
        process.replace(&table(&upstream, 2));
        shows(&process, 2).await;
        fs::write(process.file(), table(&upstream, 2)).expect("a file");
        process.replace(&table(&upstream, 3));
        shows(&process, 3).await;
        counts_applied(&process, 3).await;
        assert_eq!(process.reloads("refused").await, 0);
    });
}

#[test]
fn a_change_that_needs_a_restart_is_told_until_it_is_taken_back() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        let text = |version| format!("workers: 3\n{}", table(&upstream, version));
        process.replace(&text(2));
        shows(&process, 2).await;
        let restart = || async { process.ready().await.1["config"]["restartRequired"].clone() };
        let waits = json!(["restart required: workers"]);
        until("restart required", async || (restart().await == waits).then_some(())).await;
        assert!(process.log().contains("restart required: workers"), "{}", process.log());
        assert_eq!(process.metric("tollgate_config_restart_required").await, 1);
        // The next change of a route does not make the process have three workers.
        process.replace(&text(3));
        shows(&process, 3).await;
        counts_applied(&process, 3).await;
        assert_eq!(restart().await, waits);
        assert_eq!(process.metric("tollgate_config_restart_required").await, 1);
        process.replace(&table(&upstream, 4));
        until("nothing to wait for", async || (restart().await == json!([])).then_some(())).await;
        assert_eq!(process.metric("tollgate_config_restart_required").await, 0);
    });
}

#[test]
fn a_thousand_reloads_under_load_lose_no_request_and_leak_nothing() {
    let _turn = turn::alone();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 0)).await;
        let load = Load::start(process.address(), "/r3/a", 10, 100);
        let mut connection = Connection::to(process.address()).await.expect("a connection");
        let begin = now();
        let mut memory = Vec::new();
        for wanted in 1..=1000 {
            replace(process.file(), &table(&upstream, wanted));
            soon("the new table", async { while version(&mut connection).await != wanted {} })
                .await;
            if wanted % 100 == 0 {
                memory.push(process.memory());
            }
        }
        let took = begin.elapsed();
        let outcome = load.stop().await;
        measured("1,000 reloads took", took);
        measured("resident KiB after each 100", &memory);
        measured("requests meanwhile", outcome.served);
        outcome.is_flawless();
        assert!(took < Duration::from_mins(1), "{took:?}");
        // The allocator settles in the beginning.
        let (settled, last) = (memory[2], memory[9]);
        assert!(last < settled + 6 * 1024, "{memory:?} KiB");
        counts_applied(&process, 1001).await;
        assert_eq!(process.reloads("refused").await, 0);
    });
}

#[test]
fn a_tunnel_lives_on_when_its_route_is_gone() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::start(|mut connection| async move {
            let request = connection.head().await.expect("a head").expect("a request");
            assert_eq!(request.header("upgrade").as_deref(), Some("websocket"));
            let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                          Connection: Upgrade\r\n\r\n";
            connection.send(switch).await.expect("a client");
            while let Ok(bytes) = connection.some().await {
                if bytes.is_empty() || connection.send(bytes).await.is_err() {
                    return;
                }
            }
        })
        .await;
        let plain = Upstream::echoing_targets().await;
        let routes =
            format!("routes:\n- id: ws\n  uri: {}\n  predicates: [Path=/ws]\n", upstream.uri());
        let process = Process::start(&routes).await;
        let mut tunnel = process.tunnel().await;
        tunnel.send("hello").await.expect("a tunnel");
        assert_eq!(soon("an echo", tunnel.some()).await.expect("a tunnel"), b"hello");
        for wanted in 1..=20 {
            tunnel.send(format!("message {wanted}")).await.expect("a tunnel");
            let echo = soon("an echo", tunnel.some()).await.expect("a tunnel");
            assert_eq!(echo, format!("message {wanted}").into_bytes());
            process.replace(&table(&plain, wanted));
            until("the route to be gone", async || {
                (process.get("/r7/x").await.status() == 200).then_some(())
            })
            .await;
            shows(&process, wanted).await;
        }
        assert_eq!(process.get("/ws").await.status(), 404);
        tunnel.send("the end").await.expect("a tunnel");
        assert_eq!(soon("an echo", tunnel.some()).await.expect("a tunnel"), b"the end");
    });
}

#[test]
fn a_request_in_flight_ends_with_the_table_it_began_with() {
    let _turn = turn::beside_others();
    play(async {
        let gate = Gate::new();
        let upstream = gate.upstream().await;
        let process = Process::start(&table(&upstream, 1)).await;
        let mut held = Connection::to(process.address()).await.expect("a connection");
        held.send("GET /r7/x HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("a gateway");
        gate.crowd(1).await;
        let plain = Upstream::echoing_targets().await;
        process.replace(&table(&plain, 2));
        counts_applied(&process, 2).await;
        shows(&process, 2).await;
        gate.open();
        let answer = soon("the answer", held.answer()).await.expect("an answer");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "/x"));
        assert_eq!(answer.header("x-version").as_deref(), Some("1"));
        // The same connection asks the new table next.
        assert_eq!(version(&mut held).await, 2);
    });
}

#[test]
fn a_hang_up_reads_the_file() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        process.signal(rustix::process::Signal::HUP);
        process.replace(&table(&upstream, 2));
        process.signal(rustix::process::Signal::HUP);
        shows(&process, 2).await;
    });
}

/// Hard links appear in place without a writer.
#[test]
fn a_hard_link_put_in_place_is_read() {
    let _turn = turn::beside_others();
    play(async {
        let upstream = Upstream::echoing_targets().await;
        let process = Process::start(&table(&upstream, 1)).await;
        let beside = process.file().with_extension("ready");
        fs::write(&beside, table(&upstream, 2)).expect("a file");
        fs::remove_file(process.file()).expect("a removal");
        link(&beside, process.file());
        shows(&process, 2).await;
    });
}

fn link(from: &Path, to: &Path) {
    fs::hard_link(from, to).expect("a link");
}

/// A breaker that opens after two requests that nobody answers, and a version.
fn guarded(version: usize) -> String {
    format!(
        "resilience4j: {{ circuitbreaker: {{ instances: {{ gone: {{ slidingWindowSize: 2, minimumNumberOfCalls: 2 }} }} }} }}\n\
         routes:\n- id: version\n  uri: no://op\n  predicates: [Path=/version]\n  \
         filters: ['AddResponseHeader=X-Version, {version}']\n\
         - id: gone\n  uri: http://127.0.0.1:1\n  predicates: [Path=/gone]\n  filters: [CircuitBreaker=gone]\n"
    )
}

#[test]
fn a_breaker_keeps_its_state_and_its_window() {
    let _turn = turn::beside_others();
    play(async {
        let process = Process::start(&guarded(1)).await;
        let serves = |version: usize| {
            let process = &process;
            async move {
                until("the new table", async || {
                    let answer = process.get("/version").await;
                    (answer.header("x-version") == Some(version.to_string())).then_some(())
                })
                .await;
            }
        };
        assert_eq!(process.get("/gone").await.status(), 502);
        process.replace(&guarded(2));
        serves(2).await;
        // The call before the reload counts: the second one opens it.
        assert_eq!(process.get("/gone").await.status(), 502);
        assert_eq!(process.get("/gone").await.status(), 503);
        process.replace(&guarded(3));
        serves(3).await;
        assert_eq!(process.get("/gone").await.status(), 503);
        let shown = process.ask_admin("/actuator/circuitbreakers/gone").await.text();
        assert!(shown.contains("\"state\":\"OPEN\""), "{shown}");
        assert!(shown.contains("\"failedCalls\":2"), "{shown}");
    });
}
