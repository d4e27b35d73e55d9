//! A running program: its log, its signals, and its end when the test ends.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// Everything that any program of this test run has written: no secret may be in it.
pub(crate) static EVERYTHING: Mutex<String> = Mutex::new(String::new());

#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    output: Arc<Mutex<String>>,
}

/// The folder with the programs of this workspace.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap().to_owned()
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{name}: {error}; build it first: cargo build --workspace")
        });
        let output = Arc::default();
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        Self { child, output }
    }

    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until its output has what `find` looks for.
    #[track_caller]
    pub(crate) fn tells<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        wait::until(what, || {
            let output = self.output.lock().unwrap();
            let found = find(&output);
            if found.is_none()
                && let Some(status) = self.child.try_wait().unwrap()
            {
                panic!("ended with {status} before {what}: {output}");
            }
            found
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may be stopped, or have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn collect(from: impl Read + Send + 'static, into: &Arc<Mutex<String>>) {
    let into = Arc::clone(into);
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line);
            into.lock().unwrap().push_str(&text);
            EVERYTHING.lock().unwrap().push_str(&text);
            line.clear();
        }
    });
}

/// The address behind a text in a log.
pub(crate) fn address_after(log: &str, text: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(text)?;
    let end = rest.find(|char: char| char == '"' || char.is_whitespace())?;
    rest.get(..end)?.parse().ok()
}

/// An address nobody listens on now.
pub(crate) fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// How long a process may take to start or stop.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
