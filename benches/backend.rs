//! The server behind the proxies that are compared: the same 1 KB answer for every request.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Parser;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers every request with 1 KB.
#[derive(Debug, Parser)]
struct Flags {
    /// Where to listen.
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let socket = TcpListener::bind(Flags::parse().listen).await?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = socket.accept().await?;
        connections.spawn(serve(stream));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection until it ends, however it ends.
async fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
         Content-Length: 1024\r\n\r\n{:1024}",
        "{}"
    );
    // What a member service says to the gateway about a login.
    let login =
        answer.replacen("\r\n", "\r\nX-Auth-Member-Id: 42\r\nX-Auth-Member-Role: USER\r\n", 1);
    let mut buffer = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        if memmem::find(buffer.get(..filled).unwrap_or_default(), b"\r\n\r\n").is_some() {
            filled = 0;
            let is_login = buffer.starts_with(b"POST ");
            let answer = if is_login { &login } else { &answer };
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}
