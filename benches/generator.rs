//! The load: connections that each send the next request when the last answer is complete.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::process::now;

/// Kept-alive connections to one server. They stay open between slices.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    requests: Arc<[Vec<u8>]>,
    next: usize,
    buffer: Vec<u8>,
}

/// The head of a request as browsers and services send it, with a token if there is one.
pub fn request(host: SocketAddr, path: &str, token: Option<&str>) -> Vec<u8> {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load/1.0\r\nAccept: application/json\r\n\
         Accept-Encoding: gzip, br\r\nAccept-Language: en\r\nCookie: session=0123456789abcdef\r\n\
         X-Request-Id: 0190a5f2-7a55-7cc0-8000-3c6ef372fe94\r\n{token}\r\n"
    )
    .into_bytes()
}

impl Load {
    /// Connects so many times. Every connection goes round `requests`, each from a place of its own.
    ///
    /// # Errors
    ///
    /// The server does not accept.
    pub fn connect(
        address: SocketAddr,
        connections: usize,
        requests: &Arc<[Vec<u8>]>,
    ) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connections = runtime.block_on(async {
            let mut open = Vec::new();
            for number in 0..connections {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let next = number * requests.len() / connections;
                let requests = Arc::clone(requests);
                open.push(Connection { stream, requests, next, buffer: vec![0; 16 << 10] });
            }
            anyhow::Ok(open)
        })?;
        Ok(Self { runtime, connections })
    }

    /// Sends requests for `time` and gives how many were answered.
    ///
    /// # Errors
    ///
    /// An answer other than 200, or none.
    pub fn run(&mut self, time: Duration) -> Result<u32> {
        let end = now() + time;
        let connections = std::mem::take(&mut self.connections);
        let mut answered = 0;
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for connection in connections {
                tasks.spawn(connection.run_until(end));
            }
            while let Some(done) = tasks.join_next().await {
                let (connection, count) = done??;
                self.connections.push(connection);
                answered += count;
            }
            anyhow::Ok(())
        })?;
        Ok(answered)
    }
}

impl Connection {
    async fn run_until(mut self, end: Instant) -> Result<(Self, u32)> {
        let mut count = 0;
        while now() < end {
            let request = self.requests.get(self.next).context("no requests")?;
            self.next = (self.next + 1) % self.requests.len();
            self.stream.write_all(request).await?;
            read_answer(&mut self.stream, &mut self.buffer).await?;
            count += 1;
        }
        Ok((self, count))
    }
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    let mut whole = usize::MAX;
    while filled < whole {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(room).await?;
        if read == 0 {
            bail!("the connection was closed in the middle of an answer");
        }
        filled += read;
        if whole == usize::MAX {
            whole = length(buffer.get(..filled).unwrap_or_default())?.unwrap_or(usize::MAX);
        }
    }
    Ok(())
}

/// Length of an answer, as soon as its head is complete.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = memmem::find(answer, b"\r\n\r\n") else { return Ok(None) };
    let head = answer.get(..head + 4).unwrap_or_default();
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("not a 200: {}", String::from_utf8_lossy(head));
    }
    let lower = head.to_ascii_lowercase();
    let at = memmem::find(&lower, b"content-length: ").context("an answer without a length")?;
    let digits = lower.get(at + 16..).unwrap_or_default();
    let number = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let body = number.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    Ok(Some(head.len() + body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_length_of_an_answer() {
        let length = |text: &str| length(text.as_bytes()).unwrap();
        assert_eq!(length("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n"), None);
        assert_eq!(length("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nab"), Some(39 + 12));
    }
}
