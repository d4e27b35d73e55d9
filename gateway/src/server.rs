//! The process: listeners, worker threads, signals, and a stop that loses no request.
//!
//! Connections are accepted here and not by Pingora's own server, so that a port that is taken is
//! an error at once, a free port can be asked for (`:0`), and a stop ends when nothing is in flight
//! instead of after a fixed time.

mod buffered;

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{GetSocketDigest, SocketDigest, Stream};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::buffered::Buffered;
use crate::drain::Drain;
use crate::proxy::Gateway;
use crate::snapshot::Snapshot;

/// Pingora counts attempts per request, for all routes alike; each route's own number is less.
const MAX_ATTEMPTS: usize = 64;

/// How long connections are still accepted after the signal, so that those the system had already
/// taken in are served.
const LAST_ACCEPTS: Duration = Duration::from_millis(100);

/// How long idle connections stay open after the signal: a client that is about to send its next
/// request gets an answer that tells it to close.
const IDLE_GRACE: Duration = Duration::from_millis(400);

/// How long to wait when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound address and the gateway that serves it.
pub struct Listener {
    socket: StdListener,
    front: Arc<Front>,
}

/// What serves the connections of a listener.
struct Front {
    proxy: Arc<HttpProxy<Gateway>>,
    current: Arc<ArcSwap<Snapshot>>,
    http2: bool,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Listener").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// Binds an address; port 0 takes a free one.
///
/// # Errors
///
/// The address is taken, or not one of this machine.
pub fn bind(address: SocketAddr) -> io::Result<StdListener> {
    let socket = if address.is_ipv6() {
        socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)?
    } else {
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?
    };
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connections the system may hold for us; it caps the number itself.
const BACKLOG: i32 = 65_535;

impl Listener {
    /// A gateway behind a bound address. `http2` also takes HTTP/2 with prior knowledge.
    pub fn new(
        socket: StdListener,
        gateway: Gateway,
        http2: bool,
        idle: Duration,
        workers: usize,
    ) -> Self {
        let configuration = ServerConf {
            threads: workers,
            max_retries: MAX_ATTEMPTS,
            upstream_keepalive_pool_size: 1024,
            ..ServerConf::default()
        };
        let current = Arc::clone(&gateway.current);
        let mut proxy = HttpProxy::new(gateway, Arc::new(configuration));
        let mut options = HttpServerOptions::default();
        options.h2c = http2;
        options.h2_idle_timeout = Some(idle);
        proxy.server_options = Some(options);
        proxy.handle_init_modules();
        Self { socket, front: Arc::new(Front { proxy: Arc::new(proxy), current, http2 }) }
    }

    /// The address, with the port the system chose.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Serves until `stop` resolves, then until nothing is in flight or `limit` is over.
///
/// # Errors
///
/// A socket that the runtime refuses.
pub async fn serve(
    listeners: Vec<Listener>,
    drain: Arc<Drain>,
    stop: impl Future<Output = ()>,
    limit: impl Fn() -> Duration,
) -> io::Result<()> {
    let (stopping, _) = watch::channel(Phase::Serving);
    let (closing, is_closing) = watch::channel(false);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let socket = TcpListener::from_std(listener.socket)?;
        let phase = stopping.subscribe();
        accepting.spawn(accept(socket, listener.front, phase, is_closing.clone()));
    }
    stop.await;
    drain.begin();
    tracing::info!("stopping: no new connections, waiting for requests in flight");
    let finish = async {
        stopping.send_replace(Phase::LastAccepts);
        sleep_for(IDLE_GRACE).await;
        closing.send_replace(true);
        stopping.send_replace(Phase::ClosingIdle);
        while accepting.join_next().await.is_some() {}
    };
    if timeout(limit(), finish).await.is_err() {
        tracing::warn!("requests were still in flight when the drain time was over");
    }
    Ok(())
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    LastAccepts,
    ClosingIdle,
}

/// Accepts connections and owns their tasks; ends when the last one ends.
async fn accept(
    socket: TcpListener,
    front: Arc<Front>,
    mut phase: watch::Receiver<Phase>,
    is_closing: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    while *phase.borrow() == Phase::Serving {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&front), is_closing.clone()));
                }
                Err(error) if is_lost_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted, trying again");
                    sleep_for(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = phase.changed() => {}
        }
    }
    while let Ok(Ok((stream, _))) = timeout(LAST_ACCEPTS, socket.accept()).await {
        connections.spawn(connection(stream, Arc::clone(&front), is_closing.clone()));
        if *phase.borrow() == Phase::ClosingIdle {
            break;
        }
    }
    // Closing a listener resets the connections in its queue, so none may come any more.
    refuse_new(&socket);
    while let Ok(Ok((stream, _))) = timeout(LAST_ACCEPTS, socket.accept()).await {
        connections.spawn(connection(stream, Arc::clone(&front), is_closing.clone()));
    }
    for stream in still_queued(socket) {
        connections.spawn(connection(stream, Arc::clone(&front), is_closing.clone()));
    }
    // The sender lives as long as this waits.
    drop(phase.wait_for(|phase| *phase == Phase::ClosingIdle).await);
    front.proxy.cleanup().await;
    while connections.join_next().await.is_some() {}
}

/// Lets the system take no further connections, and keeps those it has begun to take. Where that is
/// not possible a few may be reset.
#[cfg(target_os = "linux")]
fn refuse_new(socket: &TcpListener) {
    // Drops segments with the SYN flag: `ldb [13]; jset #2, drop, keep; drop: ret #0; keep: ret #-1`.
    let drop_syn = [
        SockFilter::new(0x30, 0, 0, 13),
        SockFilter::new(0x45, 0, 1, 2),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    if let Err(error) = SockRef::from(socket).attach_filter(&drop_syn) {
        tracing::debug!(%error, "new connections may be reset");
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_new(_: &TcpListener) {}

/// Closes a listener; what comes back are the connections that wait in its queue, which the system
/// would reset.
fn still_queued(socket: TcpListener) -> Vec<TcpStream> {
    let mut queued = Vec::new();
    let Ok(socket) = socket.into_std() else { return queued };
    while let Ok((stream, _)) = socket.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        queued.extend(stream.ok());
    }
    queued
}

async fn connection(stream: TcpStream, front: Arc<Front>, is_closing: watch::Receiver<bool>) {
    let (idle, read) = {
        let timeouts = &front.current.load().settings.timeouts;
        (timeouts.client_keep_alive, timeouts.client_read)
    };
    // A connection without a request is not in flight, and does not stay for ever.
    let (mut first, mut last) = ([0], [0]);
    let begun = tokio::select! {
        begun = timeout(idle, stream.peek(&mut first)) => begun,
        begun = async {
            // A sender that is gone means the same.
            drop(is_closing.clone().wait_for(|is_closing| *is_closing).await);
            timeout(LAST_ACCEPTS, stream.peek(&mut last)).await
        } => begun,
    };
    if !matches!(begun, Ok(Ok(1..))) || stream.set_nodelay(true).is_err() {
        return;
    }
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    let mut l4 = L4Stream::from(stream);
    l4.set_socket_digest(digest);
    let is_http2 =
        if front.http2 { timeout(read, speaks_http2(&mut l4)).await } else { Ok(Ok(false)) };
    let stream = Box::new(Buffered::new(l4));
    match is_http2 {
        Ok(Ok(true)) => {
            front.proxy.process_new(stream, &is_closing).await;
        }
        Ok(Ok(false)) => http1(stream, &front.proxy, read, &is_closing).await,
        // The client is gone or silent.
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Serves requests until the client or the gateway closes the connection.
///
/// Pingora would do so too, but where HTTP/2 is spoken it first waits for 24 bytes without a limit:
/// for ever, if the whole request is shorter.
async fn http1(
    stream: Stream,
    proxy: &Arc<HttpProxy<Gateway>>,
    read: Duration,
    is_closing: &watch::Receiver<bool>,
) {
    let mut session = ServerSession::new_http1(stream);
    // Until the head is there; then the settings that the request sees hold.
    let wait = if *is_closing.borrow() { None } else { Some(read.as_secs().max(1)) };
    session.set_keepalive(wait);
    session.set_read_timeout(Some(read));
    let mut reused = proxy.process_new_http(session, is_closing).await;
    while let Some((stream, settings)) = reused.map(ReusedHttpStream::consume) {
        let mut session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        reused = proxy.process_new_http(session, is_closing).await;
    }
}

/// What an HTTP/2 client with prior knowledge sends first (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Looks at the first bytes of a connection; they are read again by whoever serves it.
async fn speaks_http2(stream: &mut L4Stream) -> io::Result<bool> {
    let mut seen = Vec::with_capacity(PREFACE.len());
    while seen.len() < PREFACE.len() && PREFACE.starts_with(&seen) {
        let missing = PREFACE.len() - seen.len();
        if (&mut *stream).take(missing.try_into().unwrap_or(0)).read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    stream.rewind(&seen);
    Ok(seen == PREFACE)
}

fn is_lost_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[expect(clippy::disallowed_methods, reason = "a back-off and a grace, not a wait for an event")]
async fn sleep_for(time: Duration) {
    sleep(time).await;
}
