//! A client of one request a connection, which tells everything it got.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// An answer, read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A request to one server.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    server: SocketAddr,
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Request {
    pub(crate) fn new(server: SocketAddr, line: &str) -> Self {
        Self { server, line: line.to_owned(), headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header(format!("Authorization: Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("Content-Type: application/json")
    }

    pub(crate) fn text(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self.header("Content-Type: application/json")
    }

    pub(crate) fn try_send(&self) -> io::Result<Answer> {
        let mut text = format!("{} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n", self.line);
        for line in &self.headers {
            text.push_str(line);
            text.push_str("\r\n");
        }
        if !self.body.is_empty() {
            write!(text, "Content-Length: {}\r\n", self.body.len()).unwrap();
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        exchange(self.server, text.as_bytes())
    }

    #[track_caller]
    pub(crate) fn send(&self) -> Answer {
        self.try_send().unwrap_or_else(|error| panic!("{}: {error}", self.line))
    }
}

/// Sends bytes as they are and reads an answer.
pub(crate) fn exchange(server: SocketAddr, bytes: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    stream.write_all(bytes)?;
    let mut all = Vec::new();
    // The end may be abrupt; what was sent before it counts.
    let end = stream.read_to_end(&mut all);
    if all.is_empty() {
        end?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Answer::parse(&all))
}

impl Answer {
    fn parse(all: &[u8]) -> Self {
        let text = String::from_utf8_lossy(all);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let is_chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
        let body = if is_chunked { unchunk(body) } else { body.to_owned() };
        Self { status: status.unwrap_or_default(), headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn payload(&self) -> Value {
        self.json()["payload"].clone()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The new token.
    pub(crate) fn token(&self) -> Option<String> {
        self.header("access-token").map(str::to_owned)
    }

    #[track_caller]
    pub(crate) fn check(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn check_code(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.body);
        self
    }
}

fn unchunk(body: &str) -> String {
    let mut rest = body;
    let mut whole = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or_default();
        let Some(chunk) = more.get(..size).filter(|_| size > 0) else { break };
        whole.push_str(chunk);
        rest = more.get(size + 2..).unwrap_or_default();
    }
    whole
}
