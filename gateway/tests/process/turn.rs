//! Who may use the machine: measurements one at a time, everything else side by side.
//!
//! A file lock, so that it holds between threads and between test processes.

use std::fs::File;
use std::path::Path;

/// Held while a scenario runs.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "the lock goes with it")] File);

fn file() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("process-scenarios.lock");
    File::create(path).expect("a file in the target folder")
}

/// For scenarios that measure time or memory, or use much of either.
pub(crate) fn alone() -> Turn {
    let file = file();
    file.lock().expect("a lock");
    Turn(file)
}

/// For all others.
pub(crate) fn beside_others() -> Turn {
    let file = file();
    file.lock_shared().expect("a lock");
    Turn(file)
}
