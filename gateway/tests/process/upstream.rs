//! Upstreams in this process, on free ports.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http1::{Connection, Message};

/// Serves until it is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// Ends the connections too.
    _tasks: JoinSet<()>,
}

impl Upstream {
    /// Serves each connection by `serve`.
    pub(crate) async fn start<F>(serve: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), serve).await
    }

    /// Serves each connection to an address by `serve`.
    pub(crate) async fn start_at<F>(
        address: SocketAddr,
        serve: impl Fn(Connection) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                connections.spawn(serve(Connection::over(stream)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, accepted, _tasks: tasks }
    }

    /// Answers each request with the bytes that `answer` makes of it.
    pub(crate) async fn answering(
        answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        Self::start(move |connection| answer_all(connection, Arc::clone(&answer))).await
    }

    /// Answers each request with its target.
    pub(crate) async fn echoing_targets() -> Self {
        Self::answering(|request| ok(&request.target())).await
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As `uri:` of a route.
    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn answer_all(
    mut connection: Connection,
    answer: Arc<impl Fn(&Message) -> Vec<u8> + Send + Sync>,
) {
    while let Ok(Some(request)) = connection.request().await {
        if connection.send(answer(&request)).await.is_err() {
            return;
        }
    }
}

/// A plain answer.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Holds requests until it is opened.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Gate {
    /// A closed one.
    pub(crate) fn new() -> Self {
        Self { open: watch::channel(false).0, waiting: watch::channel(0).0 }
    }

    /// Lets everybody through.
    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until it is open.
    pub(crate) async fn pass(&self) {
        self.waiting.send_modify(|count| *count += 1);
        self.open.subscribe().wait_for(|open| *open).await.expect("a gate");
    }

    /// Waits until so many came to it.
    pub(crate) async fn crowd(&self, count: usize) {
        let mut waiting = self.waiting.subscribe();
        crate::poll::soon("requests at the gate", waiting.wait_for(|now| *now >= count))
            .await
            .expect("a gate");
    }

    /// An upstream that answers requests when the gate is open.
    pub(crate) async fn upstream(&self) -> Upstream {
        let gate = self.clone();
        Upstream::start(move |mut connection| {
            let gate = gate.clone();
            async move {
                while let Ok(Some(request)) = connection.request().await {
                    gate.pass().await;
                    if connection.send(ok(&request.target())).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }
}

/// An address that refuses everybody. Nobody else gets the port as long as the socket lives.
pub(crate) fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket_of_its_own();
    let address = socket.local_addr().expect("an address").as_socket().expect("an IP address");
    (socket, address)
}

/// Bound, and not listening yet.
fn socket_of_its_own() -> socket2::Socket {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    socket
}

/// A listener whose queue is full: connecting to it waits for ever.
pub(crate) async fn full_queue() -> (std::net::TcpListener, Vec<TcpStream>, SocketAddr) {
    let socket = socket_of_its_own();
    socket.listen(0).expect("a listener");
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr().expect("an address");
    let mut held = Vec::new();
    let patience = std::time::Duration::from_millis(300);
    while let Ok(stream) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        held.push(stream.expect("a connection"));
    }
    (listener, held, address)
}
