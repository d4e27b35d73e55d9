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

use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{GetSocketDigest, SocketDigest};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::buffered::Buffered;
use crate::drain::Drain;
use crate::proxy::Gateway;

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
    proxy: Arc<HttpProxy<Gateway>>,
    http2: bool,
    idle: Duration,
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
        let mut proxy = HttpProxy::new(gateway, Arc::new(configuration));
        let mut options = HttpServerOptions::default();
        options.h2c = http2;
        options.h2_idle_timeout = Some(idle);
        proxy.server_options = Some(options);
        proxy.handle_init_modules();
        Self { socket, proxy: Arc::new(proxy), http2, idle }
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
        let Listener { socket, proxy, http2, idle } = listener;
        let socket = TcpListener::from_std(socket)?;
        let phase = stopping.subscribe();
        let server = Server { proxy, http2, idle };
        accepting.spawn(accept(socket, server, phase, is_closing.clone()));
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

/// What every connection of a listener needs.
#[derive(Clone)]
struct Server {
    proxy: Arc<HttpProxy<Gateway>>,
    http2: bool,
    /// How long a connection may be silent before its first request.
    idle: Duration,
}

/// Accepts connections and owns their tasks; ends when the last one ends.
async fn accept(
    socket: TcpListener,
    server: Server,
    mut phase: watch::Receiver<Phase>,
    is_closing: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    while *phase.borrow() == Phase::Serving {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, server.clone(), is_closing.clone()));
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
        connections.spawn(connection(stream, server.clone(), is_closing.clone()));
        if *phase.borrow() == Phase::ClosingIdle {
            break;
        }
    }
    drop(socket);
    // The sender lives as long as this waits.
    drop(phase.wait_for(|phase| *phase == Phase::ClosingIdle).await);
    server.proxy.cleanup().await;
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, server: Server, mut is_closing: watch::Receiver<bool>) {
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    let mut stream = L4Stream::from(stream);
    stream.set_socket_digest(digest);
    if stream.set_nodelay().is_err() {
        // The client is gone already.
        return;
    }
    let is_http2 = server.http2
        && tokio::select! {
            told = timeout(server.idle, speaks_http2(&mut stream)) => match told {
                Ok(Ok(is_http2)) => is_http2,
                // Gone, or silent for too long.
                Ok(Err(_)) | Err(_) => return,
            },
            _ = is_closing.wait_for(|is_closing| *is_closing) => return,
        };
    if is_http2 {
        server.proxy.process_new(Box::new(Buffered::new(stream)), &is_closing).await;
    } else {
        serve_http1(&server, stream, &is_closing).await;
    }
}

/// Looks at the first bytes of a connection; they are read again by whoever serves it.
///
/// Pingora's own look waits for 24 bytes, and for ever; a request may be shorter than that.
async fn speaks_http2(stream: &mut L4Stream) -> io::Result<bool> {
    let mut seen = Vec::with_capacity(HTTP2_PREFACE.len());
    while seen.len() < HTTP2_PREFACE.len() && HTTP2_PREFACE.starts_with(&seen) {
        let missing = HTTP2_PREFACE.len() - seen.len();
        if (&mut *stream).take(missing.try_into().unwrap_or(0)).read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    stream.rewind(&seen);
    Ok(seen == HTTP2_PREFACE)
}

/// What an HTTP/2 client with prior knowledge sends first (RFC 9113 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves the requests of one HTTP/1 connection, as Pingora does where HTTP/2 is off.
async fn serve_http1(server: &Server, stream: L4Stream, is_closing: &watch::Receiver<bool>) {
    let mut session = ServerSession::new_http1(Box::new(Buffered::new(stream)));
    session.set_keepalive((!*is_closing.borrow()).then_some(server.idle.as_secs().max(1)));
    let mut reused = server.proxy.process_new_http(session, is_closing).await;
    while let Some((stream, settings)) = reused.map(ReusedHttpStream::consume) {
        let mut session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        reused = server.proxy.process_new_http(session, is_closing).await;
    }
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
