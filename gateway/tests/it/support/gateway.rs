//! A gateway in this process, on ports of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::{fs, thread};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tollgate::config::{self, AccessLog, Auth, Loaded, Settings};
use tollgate::gateway::{Overrides, Prepared};
use tollgate::reload::Environment;
use tollgate_filters::Route;

use super::{Answer, Client, Upstream, eventually, secrets};

/// A gateway that serves for as long as it lives.
pub(crate) struct Gateway {
    address: SocketAddr,
    admin: SocketAddr,
    drain: Option<oneshot::Sender<()>>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    log: PathBuf,
    folder: TempDir,
}

impl Gateway {
    /// Serves a route file.
    #[track_caller]
    pub(crate) fn start(file: &str) -> Self {
        match config::load(file, "routes.yaml", &|_| None) {
            Ok(loaded) => Self::serve(loaded),
            Err(error) => panic!("{error}\n{file}"),
        }
    }

    /// Serves routes that were built in code.
    pub(crate) fn from_routes(routes: Vec<Route>) -> Self {
        Self::serve(Loaded::in_code(Settings::default(), routes))
    }

    /// Serves one route, `r`, for all paths, with these filters.
    #[track_caller]
    pub(crate) fn with_filters(upstream: &Upstream, filters: &[&str]) -> Self {
        Self::start(&file(&upstream.uri(), &["Path=/**"], filters))
    }

    /// Serves one route, `r`, with these predicates.
    #[track_caller]
    pub(crate) fn with_predicates(upstream: &Upstream, predicates: &[&str]) -> Self {
        Self::start(&file(&upstream.uri(), predicates, &[]))
    }

    /// Serves one route, `r`, for all paths, with something more in the file.
    #[track_caller]
    pub(crate) fn with_settings(upstream: &Upstream, settings: &str) -> Self {
        Self::start(&format!("{}\n{settings}", file(&upstream.uri(), &["Path=/**"], &[])))
    }

    /// Serves one route, `r`, for all paths, to any target.
    #[track_caller]
    pub(crate) fn to(uri: &str) -> Self {
        Self::start(&file(uri, &["Path=/**"], &[]))
    }

    /// Serves routes that were built in code, with login tokens.
    pub(crate) fn with_auth(routes: Vec<Route>, auth: Auth) -> Self {
        let settings = Settings { auth: Some(auth), ..Settings::default() };
        Self::serve_with(Loaded::in_code(settings, routes), secrets())
    }

    /// Serves a route file with an environment, which has the secrets.
    #[track_caller]
    pub(crate) fn with_environment(file: &str, environment: Environment) -> Self {
        match config::load(file, "routes.yaml", &*environment) {
            Ok(loaded) => Self::serve_with(loaded, environment),
            Err(error) => panic!("{error}\n{file}"),
        }
    }

    /// Serves a route file and follows it; see [`Gateway::reload`].
    #[track_caller]
    pub(crate) fn following(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        fs::write(&path, file).unwrap();
        let environment: Environment = Arc::new(|_| None);
        match config::load(file, "routes.yaml", &*environment) {
            Ok(loaded) => {
                let file = Some((path, file.to_owned(), Arc::clone(&environment)));
                Self::serve_in(folder, loaded, environment, file)
            }
            Err(error) => panic!("{error}\n{file}"),
        }
    }

    /// Puts another file in the place of the one that is followed, and waits until it is in use.
    #[track_caller]
    pub(crate) fn reload(&self, file: &str) {
        let applied = || {
            let text = self.metrics();
            let of = "tollgate_config_reloads_total{result=\"applied\"} ";
            let line = text.lines().find_map(|line| line.strip_prefix(of)).unwrap();
            line.parse::<u32>().unwrap()
        };
        let before = applied();
        let new = self.folder.path().join("new.yaml");
        fs::write(&new, file).unwrap();
        fs::rename(&new, self.folder.path().join("routes.yaml")).unwrap();
        eventually("a reload", || (applied() > before).then_some(()));
    }

    fn serve(loaded: Loaded) -> Self {
        Self::serve_with(loaded, Arc::new(|_| None))
    }

    fn serve_with(loaded: Loaded, environment: Environment) -> Self {
        Self::serve_in(tempfile::tempdir().unwrap(), loaded, environment, None)
    }

    fn serve_in(
        folder: TempDir,
        mut loaded: Loaded,
        environment: Environment,
        file: Option<(PathBuf, String, Environment)>,
    ) -> Self {
        let log = folder.path().join("access.log");
        loaded.settings.access_log = AccessLog::File(log.clone());
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let overrides = Overrides {
            listen: vec![any_port],
            admin: Some(any_port),
            workers: Some(2),
            environment,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let prepared = {
            let _guard = runtime.enter();
            Prepared::new(loaded, &overrides, file).unwrap()
        };
        let address = prepared.addresses()[0];
        let admin = prepared.admin_address().unwrap();
        let (drain, draining) = oneshot::channel();
        let (kill, killed) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    outcome = prepared.serve(async {
                        if draining.await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }) => outcome.unwrap(),
                    _ = killed => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            address,
            admin,
            drain: Some(drain),
            kill: Some(kill),
            thread: Some(thread),
            log,
            folder,
        }
    }

    /// Asks it to stop, as a signal would.
    pub(crate) fn begin_stop(&mut self) {
        self.drain.take().unwrap().send(()).unwrap();
    }

    /// Whether it came to its end.
    pub(crate) fn has_stopped(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends a request on a connection of its own; see [`Client::send`].
    #[track_caller]
    pub(crate) fn send(&self, request: &str) -> Answer {
        self.client().send(request)
    }

    /// Sends bytes as they are on a connection of its own and reads an answer.
    #[track_caller]
    pub(crate) fn send_raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.client();
        client.write(bytes);
        client.read_answer()
    }

    /// Asks the admin listener.
    #[track_caller]
    pub(crate) fn admin(&self, request: &str) -> Answer {
        Client::connect(self.admin).send(request)
    }

    /// Everything on `/metrics`.
    #[track_caller]
    pub(crate) fn metrics(&self) -> String {
        self.admin("GET /metrics").text()
    }

    /// Waits until a series has this value; the series is written as it stands in the text.
    #[track_caller]
    pub(crate) fn check_metric(&self, series: &str, value: &str) {
        let line = format!("{series} {value}");
        eventually(&line, || self.metrics().lines().any(|found| found == line).then_some(()));
    }

    /// The access log's line for a path, as soon as it is written.
    #[track_caller]
    pub(crate) fn log_of(&self, path: &str) -> Value {
        eventually(path, || {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            text.lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line["path"] == path)
        })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.kill.take());
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            assert!(thread::panicking() || outcome.is_ok(), "the gateway panicked");
        }
    }
}

/// A native file with one route.
fn file(uri: &str, predicates: &[&str], filters: &[&str]) -> String {
    format!(
        "routes:\n- id: r\n  uri: {uri}\n  predicates: {predicates:?}\n  filters: {filters:?}\n"
    )
}
