//! Hot reload: watches the route file, loads what changed, swaps one pointer.
//!
//! A file that does not validate changes nothing: the table in use stays, and the reason is on the
//! log, in a metric and on the admin listener. Renames and symlink swaps are read at once; a file
//! written in place is read when its writer closes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::config::{self, LoadError, Report};
use crate::snapshot::{Shared, Snapshot};

/// Looks a name up in the environment.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The route file, and what became of it the last time it was read.
pub struct RouteFile {
    path: PathBuf,
    environment: Environment,
    shared: Arc<Shared>,
    current: Arc<ArcSwap<Snapshot>>,
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
        Self {
            path,
            environment,
            shared,
            current,
            status: Mutex::default(),
            text: Mutex::new(text),
        }
    }

    /// What became of the file the last time it was read.
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file and, if it changed and is fine, puts it into use.
    pub fn reload(&self) {
        let text = match config::read_file(&self.path) {
            Ok(text) => text,
            Err(error) => {
                // When the file is back its text is read again, even if it is the same.
                self.text.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return self.keep(&error);
            }
        };
        if *self.text.lock().unwrap_or_else(PoisonError::into_inner) == text {
            return;
        }
        let loaded = config::load(&text, &self.path.display().to_string(), &*self.environment);
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
        match loaded {
            Ok(loaded) => self.apply(loaded),
            Err(error) => self.keep(&error),
        }
    }

    fn keep(&self, error: &LoadError) {
        self.shared.metrics.refused();
        let report = error.report();
        tracing::error!("the route file is not used, the routes in use stay:\n{report}");
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.refused = report.clone();
    }

    fn apply(&self, loaded: config::Loaded) {
        let restart_required = {
            let current = self.current.load();
            current.settings.start_only_changes(&loaded.settings)
        };
        if !loaded.warnings.is_empty() {
            tracing::warn!("\n{}", loaded.warnings);
        }
        let (snapshot, warnings) = Snapshot::new(loaded.routes, loaded.settings, &self.shared);
        for warning in warnings {
            tracing::warn!("{warning}");
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
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) =
            Status { restart_required, ..Status::default() };
        tracing::info!(routes, "route file applied");
        drop(before);
    }
}

/// Watches a route file for as long as it lives.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Signal {
    Changed(Changed),
    Reload,
    Stop,
}

/// How a change shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    /// The file is whole: it was renamed into place, or its writer closed it.
    Whole,
    /// Somebody is writing; where the system does not tell when that ends, quiet does.
    Writing,
}

/// Where the system does not tell when a writer closes a file.
const QUIET: Duration = Duration::from_millis(100);

/// Some file systems tell nothing at all, so the file is looked at from time to time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Watch {
    /// Starts watching.
    ///
    /// # Errors
    ///
    /// The system cannot watch the file's folder.
    pub fn start(file: Arc<RouteFile>) -> io::Result<Self> {
        let (stop, signals) = mpsc::channel();
        let watcher = watch(&file.path, stop.clone()).map_err(io::Error::other)?;
        let thread = thread::Builder::new()
            .name("route-file".to_owned())
            .spawn(move || follow(&file, &signals, watcher))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Reads the file now, as `SIGHUP` asks for.
    pub fn reload(&self) {
        // The thread ends only with the watch.
        drop(self.stop.send(Signal::Reload));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.send(Signal::Stop));
        if let Some(thread) = self.thread.take() {
            // A panicked thread has nothing left to give back.
            drop(thread.join());
        }
    }
}

/// Watches the folder of the file and the folder of what it links to: a rename or a symlink swap
/// changes the folder, not the file.
fn watch(path: &Path, signals: Sender<Signal>) -> notify::Result<RecommendedWatcher> {
    let folders = folders(path);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if let Some(changed) = event.ok().and_then(|event| what(event.kind)) {
            // The receiver ends only with the watch.
            drop(signals.send(Signal::Changed(changed)));
        }
    })?;
    for folder in folders {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let own = parent(path);
    let linked = fs::canonicalize(path).ok().map(|target| parent(&target));
    match linked {
        Some(linked) if fs::canonicalize(&own).ok().as_ref() != Some(&linked) => vec![own, linked],
        _ => vec![own],
    }
}

fn what(kind: EventKind) -> Option<Changed> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(_))
        | EventKind::Remove(_) => Some(Changed::Whole),
        // A new file is still empty unless it is a link; its writer's close follows.
        EventKind::Create(_) => Some(Changed::Writing),
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) | EventKind::Any => {
            if cfg!(target_os = "linux") { None } else { Some(Changed::Writing) }
        }
        EventKind::Access(_) | EventKind::Modify(_) | EventKind::Other => None,
    }
}

/// What tells that a file is another one, or another text, without reading it.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(Option<(u64, u64, std::time::SystemTime)>);

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok();
    Stamp(metadata.and_then(|data| Some((data.ino(), data.len(), data.modified().ok()?))))
}

fn follow(file: &RouteFile, signals: &Receiver<Signal>, mut watcher: RecommendedWatcher) {
    let mut known_folders = folders(&file.path);
    let mut seen = stamp(&file.path);
    loop {
        match signals.recv_timeout(LOOK_EVERY) {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Signal::Reload) => file.reload(),
            Ok(Signal::Changed(changed)) => {
                if changed == Changed::Writing && !is_link(&file.path) {
                    while let Ok(Signal::Changed(Changed::Writing)) = signals.recv_timeout(QUIET) {}
                }
                file.reload();
                seen = stamp(&file.path);
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = stamp(&file.path);
                if now != seen {
                    seen = now;
                    file.reload();
                }
            }
        }
        // A symlink swap may lead to another folder.
        let folders = folders(&file.path);
        if folders != known_folders {
            for folder in folders.iter().filter(|folder| !known_folders.contains(folder)) {
                if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                    tracing::warn!(%error, "the route file is looked at every two seconds only");
                }
            }
            known_folders = folders;
        }
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_symlink())
}
