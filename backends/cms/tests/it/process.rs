//! One running CMS on a port of its own, killed when dropped.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) struct Cms {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Cms {
    /// Starts the binary with its data in `folder`.
    pub(crate) fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let url = format!("sqlite://{}", folder.join("cms.db").display());
        let mut child = Command::new(env!("CARGO_BIN_EXE_cms"))
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", url)
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log, address: String::new() }
    }

    /// Reads the log up to a line with `text`; everything read.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut log = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "ended before {text}: {log}");
            if line.contains("\"message\":\"serving\"") {
                let event: Value = serde_json::from_str(&line).unwrap();
                self.address = event["address"].as_str().unwrap().to_owned();
            }
            log.push_str(&line);
            if line.contains(text) {
                return log;
            }
        }
    }

    /// Waits until a file holds `bytes`.
    pub(crate) fn wait_until_written(&mut self, path: &Path, bytes: u64) {
        let deadline = deadline();
        while fs::metadata(path).map_or(0, |file| file.len()) < bytes {
            assert!(self.child.try_wait().unwrap().is_none(), "the process ended");
            assert!(now() < deadline, "{} stays small", path.display());
        }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: cms\r\nConnection: close\r\n\r\n");
        read(&mut self.send(&head))
    }

    pub(crate) fn payload(&self, path: &str) -> Value {
        let answer = self.get(path);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        body["payload"].clone()
    }

    /// Opens a connection and sends the beginning of something.
    pub(crate) fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        write(&mut stream, text);
        stream
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(status.success());
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn exit_code(mut self) -> Option<i32> {
        let mut rest = String::new();
        // Its end closes the log, so this waits for it.
        self.log.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Cms {
    fn drop(&mut self) {
        // It may have ended already, which is what this is for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn deadline() -> Instant {
    now() + LIMIT
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of real processes has no clock but the machine's"
)]
fn now() -> Instant {
    Instant::now()
}
