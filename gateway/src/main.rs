//! The `tollgate` command.

use std::process::ExitCode;

use clap::Parser;
use tollgate::cli::Command;

/// The allocator with the least CPU per proxied request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Command::parse().execute()
}
