//! A client that sends exactly the bytes it is told, and reads what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::upstream::values;
use super::{DEADLINE, eventually};

/// What a client got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The statuses of interim answers that came before.
    pub(crate) interim: Vec<u16>,
}

impl Answer {
    /// The values of a header, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// The only value of a header.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name}: {all:?}");
        all.first().copied()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// Asserts that the gateway refused, with the reason in the body and in `Proxy-Status`.
    #[track_caller]
    pub(crate) fn check_failure(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?} {}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        let proxy_status = self.header("proxy-status").unwrap_or_default();
        assert!(proxy_status.starts_with("tollgate; error="), "{proxy_status}");
        assert!(proxy_status.contains(code), "{proxy_status}");
    }
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Sends a request and reads its answer.
    ///
    /// `GET /path` in the first line, then header lines, then, after an empty line, the body. The
    /// version, `Host` and `Content-Length` are added where they are missing.
    #[track_caller]
    pub(crate) fn send(&mut self, request: &str) -> Answer {
        self.start(request);
        if request.starts_with("HEAD ") { self.read_head() } else { self.read_answer() }
    }

    /// Sends a request as [`Client::send`] does and reads nothing.
    #[track_caller]
    pub(crate) fn start(&mut self, request: &str) {
        self.write(wire(request));
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads an answer with its body.
    #[track_caller]
    pub(crate) fn read_answer(&mut self) -> Answer {
        let mut answer = self.read_head();
        if matches!(answer.status, 101 | 204 | 304) {
            return answer;
        }
        if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.read_chunk() {
                answer.body.extend_from_slice(&chunk);
            }
        } else if let Some(length) = answer.header("content-length") {
            answer.body = self.read_bytes(length.parse().unwrap());
        } else {
            while self.fill() {}
            answer.body = std::mem::take(&mut self.buffer);
        }
        answer
    }

    /// Reads status and header lines, past interim answers.
    #[track_caller]
    pub(crate) fn read_head(&mut self) -> Answer {
        let mut interim = Vec::new();
        loop {
            let line = self.read_line();
            let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
            let mut headers = Vec::new();
            loop {
                let line = self.read_line();
                let Some((name, value)) = line.split_once(':') else { break };
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            if status >= 200 || status == 101 || status > 103 {
                return Answer { status, headers, body: Vec::new(), interim };
            }
            interim.push(status);
        }
    }

    /// Reads one chunk of a chunked body; `None` is the last one.
    #[track_caller]
    pub(crate) fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.read_line();
        let length = usize::from_str_radix(line.trim(), 16)
            .unwrap_or_else(|_| panic!("not a chunk: {line:?}"));
        let mut chunk = self.read_bytes(length + 2);
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    #[track_caller]
    pub(crate) fn read_bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.fill(), "the connection ended after {:?}", self.shown());
        }
        self.buffer.drain(..count).collect()
    }

    /// Everything until the gateway closes the connection.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    /// Asserts that the gateway closes the connection without another byte.
    #[track_caller]
    pub(crate) fn check_closed(&mut self) {
        let rest = self.read_to_end();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }

    /// Sends a byte every few milliseconds until the gateway says something.
    pub(crate) fn drip_until_answered(&mut self) {
        self.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        eventually("an answer to a dripped upload", || {
            let mut piece = [0; 1024];
            let Ok(count) = self.stream.read(&mut piece) else {
                let _gone = self.stream.write_all(b"x");
                return None;
            };
            self.buffer.extend_from_slice(&piece[..count]);
            Some(())
        });
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
    }

    #[track_caller]
    fn read_line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line);
                return text.trim_end_matches(['\r', '\n']).to_owned();
            }
            assert!(self.fill(), "the connection ended after {:?}", self.shown());
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads more; false at the end of the connection.
    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing more came ({error}) after {:?}", self.shown()),
        }
    }
}

/// A request as it goes on the wire.
fn wire(request: &str) -> Vec<u8> {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let mut text = first.to_owned();
    if !first.contains(" HTTP/") {
        text.push_str(" HTTP/1.1");
    }
    text.push_str("\r\n");
    let has = |name: &str| {
        head.lines().skip(1).any(|line| {
            line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name))
        })
    };
    if !has("host") {
        text.push_str("Host: shop.test\r\n");
    }
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    if !body.is_empty() && !has("content-length") && !has("transfer-encoding") {
        let line = format!("Content-Length: {}\r\n", body.len());
        text.push_str(&line);
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}
