//! Hot reload: watches the route file, loads what changed, swaps one pointer.
//!
//! A file that does not validate changes nothing: the table in use stays, and the reason is on the
//! log, in a metric and on the admin listener. Renames and symlink swaps are read at once; a file
//! written in place is read when its writer closes it.

mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::config::{self, LoadError, Report, Settings};
use crate::snapshot::{Shared, Snapshot};

pub use watch::Watch;

/// Looks a name up in the environment.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The route file, and what became of it the last time it was read.
pub struct RouteFile {
    path: PathBuf,
    environment: Environment,
    shared: Arc<Shared>,
    current: Arc<ArcSwap<Snapshot>>,
    /// What the process was started with: start-only keys keep these values.
    started: Settings,
    status: Mutex<Status>,
    text: Mutex<String>,
}

impl std::fmt::Debug for RouteFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RouteFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the admin listener tells about the route file.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Problems of the text that was refused last; empty if the table in use is the newest.
    pub refused: Report,
    /// Start-only keys that changed in the file and wait for a restart.
    pub restart_required: Vec<&'static str>,
}

impl RouteFile {
    /// Keeps `current` up to date with the file at `path`; `text` is what was loaded from it.
    pub fn new(
        path: PathBuf,
        text: String,
        environment: Environment,
        shared: Arc<Shared>,
        current: Arc<ArcSwap<Snapshot>>,
    ) -> Self {
        let started = current.load().settings.clone();
        Self {
            path,
            environment,
            shared,
            current,
            started,
            status: Mutex::default(),
            text: Mutex::new(text),
        }
    }

    /// What became of the file the last time it was read.
    pub fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// Reads the file and, if it changed and is fine, puts it into use.
    pub fn reload(&self) {
        self.reload_if(|_| true);
    }

    /// As [`RouteFile::reload`], but what was read is forgotten unless `counts`, which is told
    /// whether it can be served.
    fn reload_if(&self, counts: impl FnOnce(bool) -> bool) {
        let read = config::read_file(&self.path);
        if read.as_ref().is_ok_and(|text| *text == *lock(&self.text)) {
            return;
        }
        let (text, loaded) = match read {
            Ok(text) => {
                let name = self.path.display().to_string();
                let loaded = config::load(&text, &name, &*self.environment);
                (text, loaded)
            }
            // When the file is back its text is read again, even if it is the same.
            Err(error) => (String::new(), Err(error)),
        };
        if !counts(loaded.is_ok()) {
            return;
        }
        *lock(&self.text) = text;
        match loaded {
            Ok(loaded) => self.apply(loaded),
            Err(error) => self.keep(&error),
        }
    }

    fn keep(&self, error: &LoadError) {
        self.shared.metrics.refused();
        let report = error.report();
        tracing::error!("the route file is not used, the routes in use stay:\n{report}");
        let mut status = lock(&self.status);
        status.refused = report.clone();
    }

    fn apply(&self, loaded: config::Loaded) {
        let restart_required = self.started.start_only_changes(&loaded.settings);
        if !loaded.warnings.is_empty() {
            tracing::warn!("\n{}", loaded.warnings);
        }
        let new = Snapshot::new(loaded.routes, loaded.settings, &self.shared);
        let (snapshot, warnings) = match new {
            Ok(new) => new,
            Err(error) => {
                let name = self.path.display().to_string();
                return self.keep(&config::not_usable_here(&name, &error));
            }
        };
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        if snapshot.auth.is_none() && self.current.load().auth.is_some() {
            tracing::warn!("`auth` is gone from the route file: nobody needs a token any more");
        }
        for key in &restart_required {
            tracing::warn!("restart required: {key}");
        }
        let routes = snapshot.table.routes().len();
        let timer = snapshot.settings.metrics.clone();
        // The last request that sees the old table drops it; its routes are many, so that a worker
        // should not have to, but a copy kept for longer would double the memory.
        let before = self.current.swap(Arc::new(snapshot));
        self.shared.metrics.applied(&timer, routes, restart_required.len());
        *lock(&self.status) = Status { restart_required, ..Status::default() };
        tracing::info!(routes, "route file applied");
        drop(before);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
