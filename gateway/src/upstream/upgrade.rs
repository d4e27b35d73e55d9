//! Connections for requests that ask for another protocol (`global.md` 5).
//!
//! Pingora reads an upstream's answer and sends it the request's body at the same time. An upgrade
//! request has no body, and once the 101 is there, the end of the body is taken for the end of the
//! tunnel. An upstream that answers at once can be read first: then the tunnel closes before it
//! begins. So what reads from such a connection has to ask a few times after each write, which
//! lets whatever else is ready go first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::l4::ext::connect;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora_core::{Error, ErrorType, OrErr, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Connects for upgrade requests. The wait is bounded by the peer's `total_connection_timeout`.
#[derive(Debug)]
pub(crate) struct UpgradeConnector;

#[async_trait]
impl L4Connect for UpgradeConnector {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let Some(address) = address.as_inet() else {
            return Error::e_explain(ErrorType::ConnectError, "not an internet address");
        };
        let stream = connect(address, None).await?;
        stream.set_nodelay(true).or_err(ErrorType::SocketError, "cannot set TCP_NODELAY")?;
        Ok(VirtualSocketStream::new(Box::new(Yielding { stream, turns: 0 })).into())
    }
}

/// How often a reader has to ask after a write. At the first time Pingora has not yet taken up the
/// body, at the second it may look here before it looks there.
const TURNS: u8 = 2;

/// A connection whose reader lets others go first after each write.
#[derive(Debug)]
struct Yielding<S> {
    stream: S,
    turns: u8,
}

impl<S: AsyncRead + Unpin> AsyncRead for Yielding<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(left) = self.turns.checked_sub(1) {
            self.turns = left;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Yielding<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.turns = TURNS;
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl VirtualSocket for Yielding<TcpStream> {
    /// Nothing is left to set: `TCP_NODELAY` is, and no upstream asks for more.
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_reader_lets_others_go_first_after_each_write() {
        let (stream, mut other) = duplex(64);
        let mut stream = Yielding { stream, turns: 0 };
        for _ in 0..2 {
            stream.write_all(b"ask").await.unwrap();
            other.write_all(b"answer").await.unwrap();
            let (mut buffer, mut asked) = ([0; 8], 0);
            let read = poll_fn(|context| {
                asked += 1;
                let mut buffer = ReadBuf::new(&mut buffer);
                Pin::new(&mut stream)
                    .poll_read(context, &mut buffer)
                    .map_ok(|()| buffer.filled().len())
            });
            assert_eq!((read.await.unwrap(), asked), (6, usize::from(TURNS) + 1));
        }
        other.write_all(b"more").await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 4);
    }
}
