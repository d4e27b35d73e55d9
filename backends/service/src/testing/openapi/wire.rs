//! A made-up request over TCP, byte for byte: libraries would tidy it up first.

use std::error::Error;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::GeneratedRequest;
use crate::testing::{Answer, process};

/// Sends a request with headers besides its own to `address`, on a connection of its own.
pub async fn over_tcp(
    address: &str,
    request: &GeneratedRequest,
    headers: &[(&str, String)],
) -> Result<Answer, Box<dyn Error>> {
    let (method, target, body) = (request.method(), request.target(), request.body());
    let own = request.headers().iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let more = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines: String = own.chain(more).collect();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{lines}\r\n"
    );
    let mut stream = TcpStream::connect(address).await?;
    // A service may answer and close before it has read a body it does not want.
    let sent = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    if answer.is_empty() {
        sent?;
        read?;
    }
    process::parse(&answer)
}
