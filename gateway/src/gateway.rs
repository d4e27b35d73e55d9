//! Puts the parts together: file, listeners, admin, signals.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::admin::{self, Admin};
use crate::auth::{AuthError, KeyWatch};
use crate::balance::Checks;
use crate::config::{self, LoadError, Loaded, Settings};
use crate::proxy::Gateway;
use crate::reload::{Environment, RouteFile, Watch};
use crate::server::{self, Listener};
use crate::snapshot::{Shared, Snapshot};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Resolver;

/// What the command line says instead of the file.
#[derive(Clone)]
pub struct Overrides {
    /// Addresses to listen on; empty for those of the file.
    pub listen: Vec<SocketAddr>,
    /// Address of the admin listener.
    pub admin: Option<SocketAddr>,
    /// Number of worker threads.
    pub workers: Option<usize>,
    /// Where secrets are read from if routes come from no file.
    pub environment: Environment,
}

impl Overrides {
    /// Nothing but the environment of this process.
    pub fn of_process() -> Self {
        Self { environment: Arc::new(from_process), ..Self::default() }
    }
}

/// A variable of the environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn from_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Default for Overrides {
    fn default() -> Self {
        let nothing: Environment = Arc::new(|_| None);
        Self { listen: Vec::new(), admin: None, workers: None, environment: nothing }
    }
}

/// Without the environment, which holds secrets.
impl fmt::Debug for Overrides {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listen, admin, workers, .. } = self;
        formatter.debug_tuple("Overrides").field(&(listen, admin, workers)).finish()
    }
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The route file cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}\n{help}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
        /// What to do.
        help: &'static str,
    },
    /// The access log cannot be written.
    #[error(
        "cannot write the access log: {0}\nset `access-log.output` to a file that can be written, or to `stdout`"
    )]
    AccessLog(#[source] io::Error),
    /// The system lacks something the gateway needs.
    #[error("cannot start: {0}\nfree memory, threads or file descriptors and start again")]
    System(#[from] io::Error),
    /// Login tokens cannot be used.
    #[error("cannot start: {0}")]
    Auth(#[from] AuthError),
    /// Two metrics have one name.
    #[error("cannot start: {0}\nthis is a defect; please report it")]
    Metrics(#[from] prometheus::Error),
}

/// A gateway whose sockets are bound and whose routes are loaded, ready to serve.
#[derive(Debug)]
pub struct Prepared {
    listeners: Vec<Listener>,
    admin_socket: TcpListener,
    admin: Admin,
    watch: Option<Watch>,
    resolver: Resolver,
    keys: KeyWatch,
    checks: Checks,
    workers: usize,
}

/// Serves a route file until a signal stops the process.
///
/// # Errors
///
/// What keeps the gateway from starting.
pub fn run(
    path: PathBuf,
    overrides: &Overrides,
    environment: Environment,
) -> Result<(), StartError> {
    let text = config::read_file(&path)?;
    let loaded = config::load(&text, &path.display().to_string(), &*environment)?;
    if !loaded.warnings.is_empty() {
        tracing::warn!("\n{}", loaded.warnings);
    }
    Prepared::new(loaded, overrides, Some((path, text, environment)))?.serve_until_signal()
}

impl Prepared {
    /// Binds sockets and prepares routes. `file` is where the routes came from, to be followed.
    ///
    /// # Errors
    ///
    /// What keeps the gateway from starting.
    pub fn new(
        loaded: Loaded,
        overrides: &Overrides,
        file: Option<(PathBuf, String, Environment)>,
    ) -> Result<Self, StartError> {
        let Loaded { settings, routes, .. } = loaded;
        let workers = overrides.workers.or(settings.workers.map(NonZeroUsize::get));
        let workers = workers.unwrap_or_else(cores);
        let environment = file.as_ref().map(|(_, _, environment)| Arc::clone(environment));
        let environment = environment.unwrap_or_else(|| Arc::clone(&overrides.environment));
        let shared = Arc::new(Shared::new(Metrics::new()?, environment));
        shared.metrics.show_breakers(Arc::clone(&shared.parts.breakers))?;
        shared.metrics.show_services(Arc::clone(&shared.services))?;
        let access_log =
            AccessLog::start(&settings.access_log, workers + 1).map_err(StartError::AccessLog)?;
        let (admin_address, addresses) = addresses(&settings, overrides);
        let admin_socket = listen(admin_address)?;
        let idle = settings.timeouts.client_keep_alive;
        let (snapshot, warnings) = Snapshot::new(routes, settings, &shared)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        shared.metrics.applied(&snapshot.settings.metrics, snapshot.table.routes().len(), 0);
        let current = Arc::new(ArcSwap::from_pointee(snapshot));
        let admin = Admin {
            current: Arc::clone(&current),
            shared: Arc::clone(&shared),
            drain: Arc::default(),
            file: file.map(|(path, text, environment)| {
                Arc::new(RouteFile::new(path, text, environment, shared, current))
            }),
            access_log: Arc::new(access_log),
        };
        let mut listeners = Vec::new();
        for listener in addresses {
            let gateway = Gateway {
                current: Arc::clone(&admin.current),
                shared: Arc::clone(&admin.shared),
                access_log: Arc::clone(&admin.access_log),
                drain: Arc::clone(&admin.drain),
                target_policy: listener.target_policy,
            };
            let socket = listen(listener.address)?;
            listeners.push(Listener::new(socket, gateway, listener.http2, idle, workers));
        }
        let watch = admin.file.as_ref().map(|file| Watch::start(Arc::clone(file))).transpose()?;
        let resolver = Resolver::start(Arc::clone(&admin.shared))?;
        let keys = KeyWatch::start(Arc::clone(&admin.shared))?;
        let checks = Checks::start(Arc::clone(&admin.shared.services))?;
        Ok(Self { listeners, admin_socket, admin, watch, resolver, keys, checks, workers })
    }

    /// The addresses requests are taken on, with the ports the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.address().ok()).collect()
    }

    /// The address of the admin listener.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin_socket.local_addr()
    }

    fn announce(&self) {
        for address in self.addresses() {
            tracing::info!("listening on http://{address}");
        }
        if let Ok(address) = self.admin_address() {
            tracing::info!(
                "admin on http://{address} (/healthz /readyz /metrics /routes /services)"
            );
        }
    }

    /// Serves until SIGTERM or SIGINT, then until nothing is in flight; a second signal ends at
    /// once.
    ///
    /// # Errors
    ///
    /// The system lacks something the gateway needs.
    pub fn serve_until_signal(mut self) -> Result<(), StartError> {
        let watch = self.watch.take();
        let runtime = workers(self.workers)?;
        let (first, second) = {
            let _guard = runtime.enter();
            (Signals::new()?, Signals::new()?)
        };
        let hang_up = {
            let _guard = runtime.enter();
            signal(SignalKind::hangup())?
        };
        // Whoever reads this may send signals.
        self.announce();
        runtime.spawn(reload_on_hang_up(hang_up, watch));
        let outcome = runtime.block_on(async {
            tokio::select! {
                outcome = self.serve(first.any()) => outcome,
                () = twice(second) => Ok(()),
            }
        });
        runtime.shutdown_background();
        outcome
    }

    /// Serves until `stop` resolves, then until nothing is in flight. Must run on a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The system lacks something the gateway needs.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let Self { listeners, admin_socket, admin, .. } = self;
        let _running = (self.watch, self.resolver, self.keys, self.checks);
        let access_log = Arc::clone(&admin.access_log);
        let (stop_admin, admin_stops) = watch::channel(false);
        let drain = Arc::clone(&admin.drain);
        let current = Arc::clone(&admin.current);
        let shared = Arc::clone(&admin.shared);
        let admin_thread = thread::Builder::new().name("admin".to_owned()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(admin::serve(admin_socket, admin, admin_stops))
        })?;
        shared.stores.connect().await;
        let limit = || current.load().settings.drain;
        let outcome = server::serve(listeners, drain, stop, limit).await;
        stop_admin.send_replace(true);
        if let Ok(Err(error)) = admin_thread.join() {
            tracing::error!(%error, "the admin listener ended");
        }
        access_log.close();
        Ok(outcome?)
    }
}

fn addresses(settings: &Settings, overrides: &Overrides) -> (SocketAddr, Vec<config::Listener>) {
    let admin = overrides.admin.unwrap_or(settings.admin);
    if overrides.listen.is_empty() {
        return (admin, settings.listeners.clone());
    }
    // What the file says about its first listener holds for those that replace it.
    let listeners = overrides.listen.iter().map(|address| match settings.listeners.first() {
        Some(like) => config::Listener { address: *address, ..like.clone() },
        None => config::Listener::at(*address),
    });
    (admin, listeners.collect())
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    server::bind(address).map_err(|source| StartError::Listen {
        help: help(source.kind()),
        address,
        source,
    })
}

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn help(kind: io::ErrorKind) -> &'static str {
    if kind == io::ErrorKind::AddrInUse {
        "another process uses this port; stop it, or choose another with --listen or --admin"
    } else if kind == io::ErrorKind::PermissionDenied {
        "ports below 1024 need privileges; choose a higher one with --listen or --admin"
    } else {
        "choose an address of this machine with --listen or --admin"
    }
}

fn workers(count: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(count).thread_name("worker").enable_all().build()
}

/// The signals that stop the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    async fn any(mut self) {
        self.next().await;
    }
}

async fn twice(mut signals: Signals) {
    signals.next().await;
    signals.next().await;
    tracing::warn!("stopping at once");
}

/// Keeps the watch alive as long as the process serves.
async fn reload_on_hang_up(mut hang_up: Signal, watch: Option<Watch>) {
    while hang_up.recv().await.is_some() {
        if let Some(watch) = &watch {
            watch.reload();
        }
    }
    pending::<()>().await;
}
