//! The real binary: started, read, signalled, and killed when the scenario ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::http1::Connection;
use crate::poll::until;
use crate::{http1, now};

/// Lines a process wrote.
type Output = Arc<Mutex<String>>;

/// A gateway that serves.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    log: Output,
    file: PathBuf,
    _folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The binary with its output captured.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(arguments).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Collects what is written until the writer ends.
fn collect(from: impl Read + Send + 'static) -> (Output, thread::JoinHandle<()>) {
    let output = Output::default();
    let into = Arc::clone(&output);
    let thread = thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    (output, thread)
}

fn address_after(log: &str, text: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(text)?;
    rest.split_whitespace().next()?.parse().ok()
}

impl Process {
    /// Starts the gateway with a route file of this text, on free ports.
    pub(crate) async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("routes.yaml");
        fs::write(&file, text).expect("a file");
        Self::start_in(folder, file, &[]).await
    }

    /// Starts the gateway with a route file that is there.
    pub(crate) async fn start_in(folder: TempDir, file: PathBuf, more: &[&str]) -> Self {
        let name = file.to_str().expect("a name");
        let mut arguments = vec!["run", name, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        arguments.extend(more);
        let mut child = command(&arguments).spawn().expect("the binary");
        // Only errors are looked at on standard output.
        collect(child.stdout.take().expect("a pipe"));
        let (log, _) = collect(child.stderr.take().expect("a pipe"));
        let (address, admin) = until("the gateway to start", async || {
            if let Some(status) = child.try_wait().expect("a process") {
                panic!("the gateway ended with {status}: {}", log.lock().unwrap());
            }
            let log = log.lock().unwrap();
            let admin = address_after(&log, "admin on http://")?;
            Some((address_after(&log, "listening on http://")?, admin))
        })
        .await;
        Self { child, address, admin, log, file, _folder: folder }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the admin listener is.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The route file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Everything it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until its log has this text.
    #[track_caller]
    pub(crate) fn logs<'a>(&'a self, text: &'a str) -> impl Future<Output = ()> + 'a {
        until("a text in the log", async move || self.log().contains(text).then_some(()))
    }

    /// Asks the gateway on a connection of its own.
    pub(crate) async fn get(&self, target: &str) -> http1::Message {
        http1::get(self.address, target).await.expect("an answer")
    }

    /// A connection on which the upstream switched protocols.
    pub(crate) async fn tunnel(&self) -> Connection {
        let mut tunnel = Connection::to(self.address).await.expect("a connection");
        let handshake = "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n\
                         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        tunnel.send(handshake).await.expect("a gateway");
        assert_eq!(tunnel.answer().await.expect("an answer").status(), 101);
        tunnel
    }

    /// Asks the admin listener.
    pub(crate) async fn ask_admin(&self, target: &str) -> http1::Message {
        http1::get(self.admin, target).await.expect("an answer of the admin listener")
    }

    /// `/readyz`.
    pub(crate) async fn ready(&self) -> (u16, Value) {
        let answer = self.ask_admin("/readyz").await;
        (answer.status(), serde_json::from_slice(&answer.body).expect("JSON"))
    }

    /// The value of a series; 0 if it is not there.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let text = self.ask_admin("/metrics").await.text();
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
            .unwrap_or_default()
    }

    /// How many times a file was taken or refused.
    pub(crate) async fn reloads(&self, result: &str) -> u64 {
        self.metric(&format!("tollgate_config_reloads_total{{result=\"{result}\"}}")).await
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a process");
    }

    /// Waits for its end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        until("the gateway to end", async || self.child.try_wait().expect("a process")).await
    }

    /// Resident memory in KiB now.
    pub(crate) fn memory(&self) -> u64 {
        memory_of(self.child.id(), "VmRSS:").expect("a process")
    }

    /// The most resident memory in KiB since [`Process::forget_peak`] or the start.
    pub(crate) fn peak(&self) -> u64 {
        memory_of(self.child.id(), "VmHWM:").expect("a process")
    }

    /// Starts measuring the peak anew.
    pub(crate) fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("procfs");
    }

    /// Puts another text in the file's place by a rename, as editors do.
    pub(crate) fn replace(&self, text: &str) {
        replace(&self.file, text);
    }
}

/// Puts another text in a file's place by a rename.
pub(crate) fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).expect("a file");
    fs::rename(beside, file).expect("a rename");
}

fn memory_of(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A run of the binary that came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
    /// How long it took.
    pub took: Duration,
    /// The most resident memory that was seen, in KiB.
    pub peak: u64,
}

/// Runs the binary to its end, ten seconds at most.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    let begin = now();
    let mut child = command(arguments).spawn().expect("the binary");
    let (output, out) = collect(child.stdout.take().expect("a pipe"));
    let (errors, err) = collect(child.stderr.take().expect("a pipe"));
    let mut peak = 0;
    let status = loop {
        peak = peak.max(memory_of(child.id(), "VmHWM:").unwrap_or_default());
        if let Some(status) = child.try_wait().expect("a process") {
            break status;
        }
        if begin.elapsed() > Duration::from_secs(10) {
            child.kill().expect("a process");
            break child.wait().expect("a process");
        }
        thread::park_timeout(Duration::from_millis(1));
    };
    let took = begin.elapsed();
    out.join().expect("a reader");
    err.join().expect("a reader");
    let text = |output: Output| output.lock().unwrap().clone();
    Ended { code: status.code(), output: text(output), errors: text(errors), took, peak }
}
