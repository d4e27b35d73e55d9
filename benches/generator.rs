//! The load: connections that each send the next request when the last answer is complete.

use std::io::{Read, Write};
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::process::{now, wait};

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

/// Sends requests at a steady rate over so many connections for `time`, and gives what each took in
/// milliseconds, the shortest first. A request counts from the moment it was due, so that a wait for
/// the one before is not left out.
///
/// # Errors
///
/// An answer other than 200, or none.
pub fn paced(
    address: SocketAddr,
    requests: &[Vec<u8>],
    (rate, connections): (u32, u32),
    time: Duration,
) -> Result<Vec<f64>> {
    let gap = Duration::from_secs(1) * connections / rate;
    let mut took = thread::scope(|scope| {
        let all: Vec<_> = (0..connections)
            .map(|number| {
                let from = requests.iter().cycle().skip(number.try_into().unwrap_or_default());
                // Side by side, not all at once.
                let begin = now() + gap * number / connections;
                scope.spawn(move || paced_alone(address, from, gap, begin, begin + time))
            })
            .collect();
        let mut took = Vec::new();
        for one in all {
            took.append(&mut one.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        anyhow::Ok(took)
    })?;
    took.sort_by(f64::total_cmp);
    Ok(took)
}

/// One connection's share of the requests.
fn paced_alone(
    address: SocketAddr,
    requests: impl Iterator<Item = impl AsRef<[u8]>>,
    gap: Duration,
    begin: Instant,
    end: Instant,
) -> Result<Vec<f64>> {
    let mut stream = net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut took = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let mut due = begin;
    for request in requests {
        if due >= end {
            break;
        }
        if let Some(early) = due.checked_duration_since(now()) {
            wait(early);
        }
        stream.write_all(request.as_ref())?;
        let mut answer = Answer::default();
        while !answer.is_whole(&buffer)? {
            answer.took_in(stream.read(answer.room(&mut buffer))?)?;
        }
        took.push(now().duration_since(due).as_secs_f64() * 1e3);
        due += gap;
    }
    Ok(took)
}

/// How much of an answer has come.
#[derive(Debug, Default)]
struct Answer {
    filled: usize,
    whole: Option<usize>,
}

impl Answer {
    fn room<'a>(&self, buffer: &'a mut [u8]) -> &'a mut [u8] {
        buffer.get_mut(self.filled..).unwrap_or_default()
    }

    fn took_in(&mut self, read: usize) -> Result<()> {
        if read == 0 {
            bail!("the connection was closed in the middle of an answer");
        }
        self.filled += read;
        Ok(())
    }

    fn is_whole(&mut self, buffer: &[u8]) -> Result<bool> {
        if self.whole.is_none() {
            self.whole = length(buffer.get(..self.filled).unwrap_or_default())?;
        }
        Ok(self.whole.is_some_and(|whole| self.filled >= whole))
    }
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut answer = Answer::default();
    while !answer.is_whole(buffer)? {
        answer.took_in(stream.read(answer.room(buffer)).await?)?;
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
