//! Hot reload: watches the route file, loads what changed, swaps one pointer.
//!
//! A file that does not validate changes nothing: the table in use stays, and the reason is on the
//! log, in a metric and on the admin listener. Renames and symlink swaps are read at once; a file
//! written in place is read when its writer closes it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::clock;
use crate::config::{self, LoadError, Report, Settings};
use crate::snapshot::{Shared, Snapshot};
use crate::upstream::RESOLVE_EVERY;

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
        *lock(&self.status) = Status { restart_required, ..Status::default() };
        tracing::info!(routes, "route file applied");
        drop(before);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a route file for as long as it lives.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Signal {
    Event(Event),
    Reload,
    Stop,
}

/// How long a file may be missing or broken before that is told, since editors move it away and
/// writers empty it; and, where the system does not tell when a writer closes a file, how long nothing
/// may be written.
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
        let follower = Follower::new(file, stop.clone()).map_err(io::Error::other)?;
        let thread = thread::Builder::new()
            .name("route-file".to_owned())
            .spawn(move || follower.follow(&signals))?;
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

/// What is known of the file and of those who write to it.
///
/// The folder of the file and the folder of what it links to are watched: a rename or a symlink
/// swap changes the folder, not the file.
#[derive(Debug)]
struct Follower {
    file: Arc<RouteFile>,
    watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
    /// The last components of the file and of what it links to.
    names: Vec<OsString>,
    /// The file as it was when it was read last.
    seen: Stamp,
    /// The file as it was when it was looked at last.
    looked: Stamp,
    /// Somebody writes to the file and has not closed it.
    is_written: bool,
    next: Next,
    is_stopped: bool,
    last_refresh: Instant,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Nothing,
    Read,
    /// The file was moved away or removed; mostly another one follows at once.
    WaitForIt,
}

/// What tells that a file is another one, or another text, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(u64, u64, SystemTime)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        Self(metadata.and_then(|data| Some((data.ino(), data.len(), data.modified().ok()?))))
    }

    fn file(self) -> Option<u64> {
        self.0.map(|(file, _, _)| file)
    }
}

impl Follower {
    fn new(file: Arc<RouteFile>, signals: Sender<Signal>) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Some(event) = event.ok().filter(|event| !is_reading(event.kind)) {
                // The receiver ends only with the watch.
                drop(signals.send(Signal::Event(event)));
            }
        })?;
        let seen = Stamp::of(&file.path);
        let mut follower = Self {
            file,
            watcher,
            folders: Vec::new(),
            names: Vec::new(),
            seen,
            looked: seen,
            is_written: false,
            next: Next::Read,
            is_stopped: false,
            last_refresh: clock::now(),
        };
        follower.find_folders()?;
        Ok(follower)
    }

    /// Reads the file whenever it is whole and may have changed, and at the beginning: it may have
    /// changed since the process was started.
    fn follow(mut self, signals: &Receiver<Signal>) {
        loop {
            if self.next == Next::Read && !self.is_written {
                self.read(signals);
            }
            // A symlink swap may lead to another folder.
            if let Err(error) = self.find_folders() {
                tracing::warn!(%error, "the route file is looked at every two seconds only");
            }
            let now = clock::now();
            if now.duration_since(self.last_refresh) >= RESOLVE_EVERY {
                self.last_refresh = now;
                self.file.shared.upstreams.refresh();
            }
            if self.is_stopped {
                return;
            }
            if self.next == Next::Read && !self.is_written {
                continue;
            }
            let is_short = self.next == Next::WaitForIt || (self.is_written && !TELLS_CLOSE);
            match signals.recv_timeout(if is_short { QUIET } else { LOOK_EVERY }) {
                Ok(signal) => self.hear(signal),
                Err(RecvTimeoutError::Timeout) if is_short => {
                    self.is_written = false;
                    self.next = Next::Read;
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Reads the file, but uses nothing that somebody began to write over meanwhile.
    fn read(&mut self, signals: &Receiver<Signal>) {
        self.next = Next::Nothing;
        self.seen = Stamp::of(&self.file.path);
        let file = Arc::clone(&self.file);
        file.reload_if(|is_fine| {
            let is_done = |this: &Self| this.is_written || (!is_fine && this.next != Next::Nothing);
            for signal in signals.try_iter() {
                self.hear(signal);
            }
            // What cannot be used may be half of something: its writer is soon heard of.
            while !is_fine && !is_done(self) {
                let Ok(signal) = signals.recv_timeout(QUIET) else { break };
                self.hear(signal);
            }
            !is_done(self)
        });
    }

    fn hear(&mut self, signal: Signal) {
        match signal {
            Signal::Stop => self.is_stopped = true,
            Signal::Reload => {
                self.is_written = false;
                self.next = Next::Read;
            }
            Signal::Event(event) => self.told(&event),
        }
    }

    /// Something happened in one of the folders.
    fn told(&mut self, event: &Event) {
        let is_own = event.paths.iter().any(|path| {
            path.file_name().is_some_and(|name| self.names.iter().any(|own| own == name))
        });
        let whole = (false, Next::Read);
        let written = (true, Next::Nothing);
        (self.is_written, self.next) = match event.kind {
            // Events were lost.
            _ if event.need_rescan() => whole,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(
                RenameMode::To | RenameMode::Any | RenameMode::Other,
            )) if is_own => whole,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) | EventKind::Any if is_own => {
                written
            }
            // A link is whole at once; of a file the writer's close follows.
            EventKind::Create(_) if is_own && is_link(&self.file.path) => whole,
            EventKind::Create(_) if is_own => written,
            // Comes after the two events it sums up.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return,
            EventKind::Create(_)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => return self.moved(),
            EventKind::Access(_) | EventKind::Modify(_) | EventKind::Any | EventKind::Other => {
                return;
            }
        };
    }

    /// Something was moved or removed: the file, one that had its name in another folder, or a link
    /// on the way to it.
    fn moved(&mut self) {
        let now = Stamp::of(&self.file.path).file();
        if now.is_none() {
            self.is_written = false;
            self.next = Next::WaitForIt;
        } else if now != self.seen.file() && !self.is_written {
            self.next = Next::Read;
        }
    }

    /// Looks for a change that nobody told of. It counts when it has not gone on since the look
    /// before.
    fn look(&mut self) {
        let now = Stamp::of(&self.file.path);
        if now != self.seen && now == self.looked && !self.is_written {
            self.next = Next::Read;
        }
        self.looked = now;
    }

    fn find_folders(&mut self) -> notify::Result<()> {
        let path = &self.file.path;
        let target = fs::canonicalize(path).ok();
        let places = [Some(path.as_path()), target.as_deref()];
        let names = places.iter().flatten().filter_map(|place| place.file_name());
        self.names = names.map(OsStr::to_owned).collect();
        let folders = folders(path, target.as_deref());
        let mut outcome = Ok(());
        for folder in folders.iter().filter(|folder| !self.folders.contains(folder)) {
            outcome = outcome.and(self.watcher.watch(folder, RecursiveMode::NonRecursive));
        }
        for folder in self.folders.iter().filter(|folder| !folders.contains(folder)) {
            // A folder that was removed is not watched any more.
            drop(self.watcher.unwatch(folder));
        }
        self.folders = folders;
        outcome
    }
}

/// Whether the system tells when a writer closes a file.
const TELLS_CLOSE: bool = cfg!(target_os = "linux");

fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write))
}

fn folders(path: &Path, target: Option<&Path>) -> Vec<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let own = parent(path);
    match target.map(parent) {
        Some(linked) if fs::canonicalize(&own).ok().as_ref() != Some(&linked) => vec![own, linked],
        _ => vec![own],
    }
}

/// Whether a name was given to a file that exists, so that nobody has to write it.
fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_symlink() || data.nlink() > 1)
}
