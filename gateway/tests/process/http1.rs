//! HTTP/1.1 in raw bytes, for both ends: nothing is normalised, nothing is added.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A head, and a body that may come later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Request line or status line.
    pub start: Vec<u8>,
    /// Header lines as they were sent.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Message {
    /// The first value of a header, by any spelling.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        String::from_utf8_lossy(&self.start)
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    }

    /// The target of a request.
    pub(crate) fn target(&self) -> String {
        String::from_utf8_lossy(&self.start).split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the sender closes the connection after this message.
    pub(crate) fn says_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    fn length(&self) -> Option<usize> {
        self.header("content-length")?.trim().parse().ok()
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn to(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::over(TcpStream::connect(address).await?))
    }

    /// Takes a connection that is there.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).ok();
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Reads more; false at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(64 << 10);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// Whatever comes next, as much as is there; empty at the end.
    pub(crate) async fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Everything up to the end of the connection, which may be abrupt.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await.unwrap_or(false) {}
        std::mem::take(&mut self.buffer)
    }

    async fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.buffer.split_off(count);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let mut line = self.exactly(at + 2).await?;
                line.truncate(at);
                return Ok(line);
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// A head; `None` if the connection ended before one began.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Message>> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Ok(None);
        }
        let mut message = Message { start: self.line().await?, ..Message::default() };
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(Some(message));
            }
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            message.headers.push((name.to_vec(), value.to_vec()));
        }
    }

    /// One chunk of a chunked body; empty for the last.
    pub(crate) async fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = String::from_utf8_lossy(&self.line().await?).into_owned();
        let size = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
        let chunk = self.exactly(size).await?;
        while !self.line().await?.is_empty() {}
        Ok(chunk)
    }

    async fn framed(&mut self, message: &mut Message) -> io::Result<bool> {
        if message.is_chunked() {
            loop {
                let chunk = self.chunk().await?;
                if chunk.is_empty() {
                    return Ok(true);
                }
                message.body.extend(chunk);
            }
        }
        if let Some(length) = message.length() {
            message.body = self.exactly(length).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// A whole request; `None` if the connection ended before one began.
    pub(crate) async fn request(&mut self) -> io::Result<Option<Message>> {
        let Some(mut message) = self.head().await? else { return Ok(None) };
        self.framed(&mut message).await?;
        Ok(Some(message))
    }

    /// A whole answer to a request that was not `HEAD`; interim answers are left out.
    pub(crate) async fn answer(&mut self) -> io::Result<Message> {
        loop {
            let mut message = self.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = message.status();
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let has_body = !matches!(status, 101 | 204 | 304);
            if has_body && !self.framed(&mut message).await? {
                message.body = self.rest().await;
            }
            return Ok(message);
        }
    }

    /// Asks with `GET` and waits for the answer.
    pub(crate) async fn get(&mut self, target: &str) -> io::Result<Message> {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")).await?;
        self.answer().await
    }
}

/// Asks with `GET` on a connection of its own.
pub(crate) async fn get(address: SocketAddr, target: &str) -> io::Result<Message> {
    Connection::to(address).await?.get(target).await
}
