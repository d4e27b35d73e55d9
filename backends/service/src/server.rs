//! A service's life: start, serve, drain, end.
//!
//! Connections are served by hyper directly and not by `axum::serve`, which sets no limit on how
//! long a client may take to send a request's head.

use std::error::Error;
use std::future::{Future, pending};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::App;
use crate::causes::with_causes;
use crate::database::DatabaseError;
use crate::faults::HangUp;
use crate::settings::{Invalid, Variables};

/// How long a client may take to send a head, and how long a connection may stay unused. Longer
/// than the gateway keeps unused connections (50 s), so that it never reuses one as we close it.
const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// Connections beyond this wait in the kernel's queue.
const CONNECTION_LIMIT: usize = 4096;
/// Pause after the system had no file descriptor left for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A service waits for its store, its peers and the broker, and shares the machine with them. On two
/// cores a second worker thread in each service costs a twelfth of a reservation's processor time.
const CORES_FOR_A_WORKER: usize = 4;

/// Why a service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Variables that cannot be used.
    #[error("{}", lines(.0))]
    Settings(Vec<Invalid>),
    /// Another process listens there.
    #[error("{0} is in use; stop the process that listens there or set LISTEN to a free address")]
    PortInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; set LISTEN to an address of this machine")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is counted is registered twice, or under a name that is none.
    #[error("the metrics contradict themselves")]
    Metrics(#[from] prometheus::Error),
    /// Something a service needs to start is wrong.
    #[error("{0}")]
    Other(&'static str, #[source] Box<dyn Error + Send + Sync>),
}

/// Runs a service to its end, with a worker thread for every four cores; every failure is told on
/// standard error and is exit code 2.
pub fn main<F>(name: &str, run: impl FnOnce(Variables) -> F) -> ExitCode
where
    F: Future<Output = Result<(), StartError>>,
{
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads((cores / CORES_FOR_A_WORKER).max(1));
    let result = runtime.enable_all().build().map_or_else(
        |error| Err(StartError::Other("cannot start worker threads", error.into())),
        |runtime| {
            let result = runtime.block_on(run(Variables::of_process()));
            runtime.shutdown_timeout(Duration::from_secs(1));
            result
        },
    );
    let Err(error) = result else { return ExitCode::SUCCESS };
    let text = with_causes(error.to_string(), &error);
    // Nothing is left to do if even standard error is gone.
    drop(writeln!(io::stderr(), "{name}: {text}"));
    ExitCode::from(2)
}

/// Takes the address, before anything that takes time.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            return StartError::PortInUse(address);
        }
        StartError::Listen { address, source }
    })
}

/// Serves until SIGTERM or SIGINT, then lets open requests finish for up to `drain`.
///
/// New connections are refused from the first signal on, which tells balancers more surely than a
/// readiness probe would. A second signal ends at once.
pub async fn serve(listener: TcpListener, app: App, drain: Duration) -> Result<(), StartError> {
    let mut signals = StopSignals::new()
        .map_err(|error| StartError::Other("cannot wait for signals", error.into()))?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving");
    }
    let end = serve_until(listener, app, drain, async || signals.next().await).await;
    match end {
        End::Drained => tracing::info!("stopped"),
        End::Expired => tracing::warn!("stopped with requests still open"),
        End::ToldTwice => tracing::warn!("stopped at once by a second signal"),
    }
    Ok(())
}

/// Serves a second listener until it is dropped: that of a service's own operators. Its address is
/// told at once, before the service's own is.
pub fn serve_beside(listener: TcpListener, app: App) -> impl Future<Output = ()> + Send {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "admin");
    }
    async {
        let _end = serve_until(listener, app, Duration::ZERO, async || pending().await).await;
    }
}

/// How serving ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Every open request was answered.
    Drained,
    /// Some were still open when their time was up.
    Expired,
    /// A second signal came first.
    ToldTwice,
}

async fn serve_until(
    listener: TcpListener,
    app: App,
    drain: Duration,
    mut told_to_stop: impl AsyncFnMut(),
) -> End {
    let (draining, _) = watch::channel(());
    let mut connections = JoinSet::new();
    {
        let mut stop = pin!(told_to_stop());
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                stream = accept(&listener), if connections.len() < CONNECTION_LIMIT => {
                    connections.spawn(converse(stream, app.clone(), draining.subscribe()));
                }
            }
        }
    }
    drop(listener);
    draining.send_replace(());
    tracing::info!(open = connections.len(), "draining");
    let finished = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = told_to_stop() => End::ToldTwice,
        outcome = timeout(drain, finished) => match outcome {
            Ok(()) => End::Drained,
            Err(_) => End::Expired,
        },
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a back-off, not a wait for an event"
                )]
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection; when draining begins, the request at hand is its last.
async fn converse(stream: TcpStream, app: App, mut draining: watch::Receiver<()>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), Answering(TowerToHyperService::new(app.router)));
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        _ = draining.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers requests, but for those whose connection a fault closes instead.
#[derive(Debug)]
struct Answering(TowerToHyperService<Router>);

/// A fault wanted no answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Closed;

impl Service<Request<Incoming>> for Answering {
    type Response = Response;
    type Error = Closed;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Closed>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async {
            let Ok(answer) = answer.await;
            if answer.extensions().get::<HangUp>().is_some() { Err(Closed) } else { Ok(answer) }
        })
    }
}

#[derive(Debug)]
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn lines(invalid: &[Invalid]) -> String {
    let lines: Vec<_> = invalid.iter().map(ToString::to_string).collect();
    format!("the environment cannot be used: {}", lines.join("; "))
}

#[cfg(test)]
mod tests;
