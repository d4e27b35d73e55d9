//! When the route file is read: after a rename, a symlink swap, or when its writer closes it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::RouteFile;

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
            if self.is_stopped {
                return;
            }
            if self.next == Next::Read && !self.is_written {
                continue;
            }
            let is_short = self.next == Next::WaitForIt || (self.is_written && !TELLS_CLOSE);
            match signals.recv_timeout(if is_short { QUIET } else { LOOK_EVERY }) {
                Ok(signal) => self.hear(signal),
                Err(RecvTimeoutError::Timeout) if is_short => self.was_quiet(),
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

    /// Nothing was told for a moment. On a busy machine what happened is told late, so a file that
    /// was moved away is missed, or a new one read, only when it looks the same twice.
    fn was_quiet(&mut self) {
        let now = Stamp::of(&self.file.path);
        let is_settled = self.next != Next::WaitForIt || now == self.looked;
        self.looked = now;
        if is_settled {
            self.is_written = false;
            self.next = Next::Read;
        }
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
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) | EventKind::Any if is_own => {
                written
            }
            // A link is whole at once; of a file the writer's close follows.
            EventKind::Create(_) if is_own => {
                if is_link(&self.file.path) {
                    whole
                } else {
                    written
                }
            }
            // Comes after the two events it sums up.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return,
            // Mostly another one follows at once, and tells when it is whole.
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_)
                if is_own =>
            {
                (false, Next::WaitForIt)
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
                if is_own =>
            {
                whole
            }
            EventKind::Create(_)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => {
                return self.moved();
            }
            EventKind::Access(_) | EventKind::Modify(_) | EventKind::Any | EventKind::Other => {
                return;
            }
        };
    }

    /// Something else was moved or removed, perhaps a link on the way to the file.
    fn moved(&mut self) {
        let now = Stamp::of(&self.file.path).file();
        if now.is_none() {
            self.is_written = false;
            self.next = Next::WaitForIt;
        } else if now != self.seen.file() && !self.is_written && self.next != Next::WaitForIt {
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
