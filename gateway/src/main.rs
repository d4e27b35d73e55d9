//! The `tollgate` command.

use std::process::ExitCode;

use clap::Parser;
use tollgate::cli::Command;

/// The allocator with the least CPU per proxied request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    use_small_pages();
    Command::parse().execute()
}

/// The allocator asks for huge pages wherever the system leaves that to the program. They double
/// the memory of a large route table, and a request is not served any faster.
#[cfg(target_os = "linux")]
fn use_small_pages() {
    // A kernel without huge pages refuses, and has nothing to switch off.
    let _is_off = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
fn use_small_pages() {}
