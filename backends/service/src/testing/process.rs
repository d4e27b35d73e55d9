//! One running binary on a port of its own, killed when dropped.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::Answer;

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A binary of a service that runs.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: Arc<Log>,
    /// How much of the log has been waited for.
    read: usize,
}

/// What the process has written. A thread takes it at once, so that the process never waits for a
/// reader.
#[derive(Debug, Default)]
struct Log {
    state: Mutex<Written>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Written {
    text: String,
    address: Option<String>,
    has_ended: bool,
}

impl Process {
    /// Starts a binary with these variables and no others, on free ports unless they say where.
    pub fn start(binary: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("ADMIN_LISTEN", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or("the process has no standard error")?;
        let log = Arc::new(Log::default());
        let writer = Arc::clone(&log);
        thread::spawn(move || writer.follow(stderr));
        Ok(Self { child, log, read: 0 })
    }

    /// Starts a binary and waits until it serves.
    pub fn serving(binary: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let mut process = Self::start(binary, variables)?;
        process.wait_for("\"message\":\"serving\"")?;
        Ok(process)
    }

    /// Waits for a line with `text` after those that have been waited for; everything up to it.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        let from = self.read;
        let (log, end) = self.log.wait(|written| {
            let rest = written.text.get(from..)?;
            let at = rest.find(text)?;
            let length = at + rest.get(at..)?.find('\n')? + 1;
            Some((rest.get(..length)?.to_owned(), from + length))
        })?;
        self.read = end;
        Ok(log)
    }

    /// Waits until `condition` holds, and fails early when the process ends.
    pub fn wait_until(&self, what: &str, condition: impl Fn() -> bool) -> Result<()> {
        let deadline = now() + LIMIT;
        while !condition() {
            if self.log.state.lock().unwrap_or_else(PoisonError::into_inner).has_ended {
                return Err(format!("the process ended before {what}: {}", self.log()).into());
            }
            if now() > deadline {
                return Err(format!("{what} never came: {}", self.log()).into());
            }
            thread::yield_now();
        }
        Ok(())
    }

    /// Everything the process has written so far.
    pub fn log(&self) -> String {
        self.log.state.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    /// Where it listens, once it serves.
    pub fn address(&self) -> Result<String> {
        self.log.wait(|written| written.address.clone())
    }

    /// Where its admin listener is, once it serves.
    pub fn admin_address(&self) -> Result<String> {
        self.address()?;
        let log = self.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let admin = lines.find(|line| line.get("message").is_some_and(|it| it == "admin"));
        let address = admin.and_then(|line| Some(line.get("address")?.as_str()?.to_owned()));
        address.ok_or_else(|| "it has no admin listener".into())
    }

    /// Where it listens, as the base of a URL.
    pub fn base(&self) -> Result<String> {
        Ok(format!("http://{}", self.address()?))
    }

    /// Asks without proof and body.
    pub fn get(&self, target: &str) -> Result<Answer> {
        self.request("GET", target, &[], "")
    }

    /// Sends one request and reads the answer.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Result<Answer> {
        Self::exchange(&self.address()?, method, target, headers, body)
    }

    /// The same at its admin listener.
    pub fn admin(&self, method: &str, target: &str, body: &str) -> Result<Answer> {
        Self::exchange(&self.admin_address()?, method, target, &[], body)
    }

    fn exchange(
        at: &str,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Result<Answer> {
        let mut lines = vec![
            format!("{method} {target} HTTP/1.1"),
            "Host: test".to_owned(),
            "Connection: close".to_owned(),
            format!("Content-Length: {}", body.len()),
        ];
        lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !body.is_empty() {
            lines.push("Content-Type: application/json".to_owned());
        }
        let text = format!("{}\r\n\r\n{body}", lines.join("\r\n"));
        let mut answer = String::new();
        connect(at, &text)?.read_to_string(&mut answer)?;
        parse(&answer)
    }

    /// Opens a connection and sends the beginning of something.
    pub fn send(&self, text: &str) -> Result<TcpStream> {
        connect(&self.address()?, text)
    }

    /// The id the system knows it by.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status()?;
        if status.success() { Ok(()) } else { Err("the signal was not sent".into()) }
    }

    /// Ends the process as `kill -9` does.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the end; everything the process has written.
    pub fn ended(mut self) -> Result<String> {
        self.log.wait(|written| written.has_ended.then_some(()))?;
        self.child.wait()?;
        Ok(self.log())
    }

    /// Waits for the end; the exit code.
    pub fn exit_code(mut self) -> Result<Option<i32>> {
        // Its end closes the log, so this waits for it.
        self.log.wait(|written| written.has_ended.then_some(()))?;
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is what this is for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Log {
    fn follow(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let is_serving = event.get("message").is_some_and(|message| message == "serving");
            let address = event.get("address").and_then(Value::as_str).filter(|_| is_serving);
            self.change(|written| {
                written.text.push_str(&line);
                written.text.push('\n');
                written.address = address.map(str::to_owned).or(written.address.take());
            });
        }
        self.change(|written| written.has_ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut Written)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.grown.notify_all();
    }

    /// Waits until there is something to find.
    fn wait<T>(&self, find: impl Fn(&Written) -> Option<T>) -> Result<T> {
        let deadline = now() + LIMIT;
        let mut written = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = find(&written) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(now());
            if written.has_ended || left.is_zero() {
                let why = if written.has_ended { "it ended" } else { "it was not told in time" };
                return Err(format!("{why}: {}", written.text).into());
            }
            let waited = self.grown.wait_timeout(written, left);
            (written, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn connect(at: &str, text: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(text.as_bytes())?;
    Ok(stream)
}

/// Reads an answer whose end is that of the connection.
pub(super) fn parse(answer: &str) -> Result<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer has no end of its head")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a header line without a colon")?;
        let value = HeaderValue::from_str(value.trim())?;
        headers.append(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    if headers.contains_key("transfer-encoding") {
        return Err("the answer is in chunks, which this reader does not know".into());
    }
    Ok(Answer {
        status: StatusCode::from_bytes(status.as_bytes())?,
        headers,
        text: body.to_owned(),
        json: serde_json::from_str(body).unwrap_or_default(),
    })
}

#[expect(clippy::disallowed_methods, reason = "real processes have no clock but the machine's")]
fn now() -> Instant {
    Instant::now()
}
