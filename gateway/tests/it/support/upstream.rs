//! An HTTP/1 server that shows exactly what reached it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::DEADLINE;
use super::reply::{Reply, Step};

/// A request as it arrived.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The connection it came on, from 1.
    pub(crate) connection: usize,
    /// The request line.
    pub(crate) line: String,
    /// The header lines in their order and spelling.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Whether the body is here as a whole.
    pub(crate) is_whole: bool,
}

impl Seen {
    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap()
    }

    /// The request target as it stands in the request line.
    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    /// The values of a header, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// The only value of a header.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name}: {all:?}");
        all.first().copied()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(super) fn values<'h>(headers: &'h [(String, String)], name: &str) -> Vec<&'h str> {
    let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
    headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

#[derive(Default)]
struct Log {
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
    open: Mutex<usize>,
}

impl Log {
    fn edit<T>(&self, edit: impl FnOnce(&mut Vec<Seen>) -> T) -> T {
        let outcome = edit(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
        outcome
    }
}

/// An upstream on a port of its own, for as long as it lives.
pub(crate) struct Upstream {
    address: SocketAddr,
    log: Arc<Log>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Upstream {
    /// Answers every request with 200 and `ok`.
    pub(crate) fn start() -> Self {
        Self::answering(|_| Reply::ok("ok"))
    }

    /// Gives every request the same answer.
    pub(crate) fn with(reply: Reply) -> Self {
        Self::answering(move |_| reply.clone())
    }

    /// Decides by the request's head.
    pub(crate) fn answering(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), handler)
    }

    /// Listens on an address of the test's choice.
    pub(crate) fn at(
        address: SocketAddr,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let socket = tollgate::server::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let (stop, stopped) = oneshot::channel();
        let handler: Arc<Handler> = Arc::new(handler);
        let for_thread = Arc::clone(&log);
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let socket = TcpListener::from_std(socket).unwrap();
                tokio::select! {
                    () = accept(socket, for_thread, handler) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, log, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What goes into `Host` for it.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Everything that arrived so far, whole or not.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.seen.lock().unwrap().clone()
    }

    /// The only request there was.
    #[track_caller]
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.wait_for(1);
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }

    /// The request that came last.
    #[track_caller]
    pub(crate) fn last(&self) -> Seen {
        self.wait_for(1).pop().unwrap()
    }

    /// Waits until so many requests are here as a whole.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Seen> {
        self.wait_until(|seen| seen.iter().filter(|seen| seen.is_whole).count() >= count)
    }

    /// Waits until so many requests' heads are here.
    #[track_caller]
    pub(crate) fn wait_for_heads(&self, count: usize) -> Vec<Seen> {
        self.wait_until(|seen| seen.len() >= count)
    }

    #[track_caller]
    fn wait_until(&self, is_there: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let (seen, outcome) = self
            .log
            .changed
            .wait_timeout_while(self.log.seen.lock().unwrap(), DEADLINE, |seen| !is_there(seen))
            .unwrap();
        assert!(!outcome.timed_out(), "waited in vain; arrived: {seen:#?}");
        seen.clone()
    }

    /// How many connections are open now.
    pub(crate) fn open_connections(&self) -> usize {
        *self.log.open.lock().unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// An address that lets nobody connect and refuses nobody: its queue is full.
pub(crate) struct Unreachable {
    address: SocketAddr,
    _waiting: Vec<std::net::TcpStream>,
    _socket: socket2::Socket,
}

impl Unreachable {
    pub(crate) fn start() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let connect =
            || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let waiting = std::iter::from_fn(connect).take(100).collect();
        Self { address, _waiting: waiting, _socket: socket }
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An address that refuses everybody. Nobody else gets the port as long as it lives.
pub(crate) struct Refusing {
    address: SocketAddr,
    _socket: socket2::Socket,
}

impl Refusing {
    pub(crate) fn start() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        // Bound, and never listening.
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { address, _socket: socket }
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address, for somebody who listens there at once.
    pub(crate) fn release(self) -> SocketAddr {
        self.address
    }
}

async fn accept(socket: TcpListener, log: Arc<Log>, handler: Arc<Handler>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = socket.accept() => {
                let Ok((stream, _)) = accepted else { return };
                number += 1;
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                connections.spawn(async move {
                    *log.open.lock().unwrap() += 1;
                    // A gateway that goes away is part of many tests.
                    let _gone = connection(stream, number, &log, &*handler).await;
                    *log.open.lock().unwrap() -= 1;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

type Wire = BufReader<TcpStream>;

async fn connection(
    stream: TcpStream,
    number: usize,
    log: &Log,
    handler: &Handler,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = BufReader::new(stream);
    while let Some(mut seen) = read_head(&mut wire).await? {
        seen.connection = number;
        let at = log.edit(|all| {
            all.push(seen.clone());
            all.len() - 1
        });
        let mut is_read = false;
        for step in handler(&seen).steps {
            match step {
                Step::ReadBody => {
                    read_body(&mut wire, log, at).await?;
                    is_read = true;
                }
                Step::Head(lines) => {
                    let text = format!("{}\r\n\r\n", lines.join("\r\n"));
                    wire.write_all(text.as_bytes()).await?;
                }
                Step::Send(bytes) => wire.write_all(&bytes).await?,
                Step::Wait(gate) => gate.pass().await,
                Step::Echo => {
                    let mut buffer = [0; 4096];
                    loop {
                        let count = wire.read(&mut buffer).await?;
                        if count == 0 {
                            return Ok(());
                        }
                        wire.write_all(&buffer[..count]).await?;
                    }
                }
                Step::Drip(bytes) => {
                    let mut ticks = tokio::time::interval(Duration::from_millis(20));
                    loop {
                        ticks.tick().await;
                        wire.write_all(&bytes).await?;
                    }
                }
                Step::Never => {
                    // Until the gateway closes the connection.
                    let mut rest = Vec::new();
                    wire.read_to_end(&mut rest).await?;
                    return Ok(());
                }
                Step::Close => return Ok(()),
            }
        }
        if !is_read {
            return Ok(());
        }
    }
    Ok(())
}

async fn read_line(wire: &mut Wire) -> std::io::Result<String> {
    let mut line = Vec::new();
    wire.read_until(b'\n', &mut line).await?;
    let text = String::from_utf8_lossy(&line).into_owned();
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn read_fields(wire: &mut Wire) -> std::io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(wire).await?;
        let Some((name, value)) = line.split_once(':') else { return Ok(fields) };
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

async fn read_head(wire: &mut Wire) -> std::io::Result<Option<Seen>> {
    let line = read_line(wire).await?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(Seen { line, headers: read_fields(wire).await?, ..Seen::default() }))
}

async fn read_body(wire: &mut Wire, log: &Log, at: usize) -> std::io::Result<()> {
    let head = log.edit(|all| all[at].clone());
    let add = |bytes: &[u8]| log.edit(|all| all[at].body.extend_from_slice(bytes));
    if head.header("transfer-encoding").is_some() {
        loop {
            let line = read_line(wire).await?;
            let Ok(length) = usize::from_str_radix(line.trim(), 16) else {
                return Err(std::io::ErrorKind::InvalidData.into());
            };
            if length == 0 {
                break;
            }
            let mut chunk = vec![0; length + 2];
            wire.read_exact(&mut chunk).await?;
            add(&chunk[..length]);
        }
        let trailers = read_fields(wire).await?;
        log.edit(|all| all[at].trailers = trailers);
    } else {
        let mut left: usize = head.header("content-length").map_or(0, |text| text.parse().unwrap());
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            let most = left.min(buffer.len());
            let count = wire.read(&mut buffer[..most]).await?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            add(&buffer[..count]);
            left -= count;
        }
    }
    log.edit(|all| all[at].is_whole = true);
    Ok(())
}
