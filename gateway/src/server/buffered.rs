//! A client's connection with a write buffer, so that the head of an answer and a small body leave
//! in one packet and one system call.
//!
//! Pingora's own listeners put such a buffer in place before the first request, by a function of
//! theirs that others cannot call; a stream that was accepted elsewhere has none. Unlike theirs,
//! this one holds nothing back while an upstream pauses: whoever waits for an upstream also waits
//! for the client, and that sends what is there.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::protocols::l4::stream::{DEFAULT_L4_WRITE_BUFFER_SIZE, Stream as L4Stream};
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf};

/// A client's connection with a write buffer. Reads are not buffered: the framework has a buffer
/// of its own for them.
#[derive(Debug)]
pub(super) struct Buffered(BufWriter<L4Stream>);

impl Buffered {
    pub(super) fn new(stream: L4Stream) -> Self {
        Self(BufWriter::with_capacity(DEFAULT_L4_WRITE_BUFFER_SIZE, stream))
    }
}

impl AsyncRead for Buffered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.0.buffer().is_empty()
            && let Poll::Ready(Err(error)) = Pin::new(&mut self.0).poll_flush(context)
        {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Drop for Buffered {
    /// Sends what an answer that broke off left, as far as the system takes it at once.
    fn drop(&mut self) {
        if !self.0.buffer().is_empty() {
            let mut context = Context::from_waker(Waker::noop());
            // The connection ends here either way.
            let _is_sent = Pin::new(&mut self.0).poll_flush(&mut context);
        }
    }
}

impl AsyncWrite for Buffered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Buffered {
    async fn shutdown(&mut self) {
        // What is still buffered goes out first. Nobody can be told if that fails.
        drop(self.0.shutdown().await);
    }
}

#[async_trait]
impl Peek for Buffered {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.0.get_mut().try_peek(buffer).await
    }
}

impl UniqueID for Buffered {
    fn id(&self) -> UniqueIDType {
        self.0.get_ref().id()
    }
}

impl Ssl for Buffered {}

impl GetTimingDigest for Buffered {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.0.get_ref().get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.0.get_ref().get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.0.get_ref().get_write_pending_time()
    }
}

impl GetProxyDigest for Buffered {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.0.get_ref().get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.0.get_mut().set_proxy_digest(digest);
    }
}

impl GetSocketDigest for Buffered {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.0.get_ref().get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.0.get_mut().set_socket_digest(digest);
    }
}
