//! The command line: `tollgate run` and `tollgate check`.
//!
//! Exit code 0: fine. 1: the file has problems. 2: cannot start, such as a missing or hostile file,
//! a port in use, or a wrong option. Diagnostics go to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::config::{self, LoadError};
use crate::gateway::{self, Overrides};
use crate::reload::Environment;

/// An API gateway that speaks the Spring Cloud Gateway language.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve the routes of a file, and follow its changes.
    Run {
        /// The route file: native, or an `application.yml` of Spring.
        #[arg(default_value = "routes.yaml")]
        file: PathBuf,
        /// Listen here instead of where the file says; may be given more than once.
        #[arg(long, value_name = "ADDR")]
        listen: Vec<SocketAddr>,
        /// Put the admin listener here instead of where the file says.
        #[arg(long, value_name = "ADDR")]
        admin: Option<SocketAddr>,
        /// Worker threads; by default as many as there are cores.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
        workers: Option<u16>,
    },
    /// Tell everything that is wrong with a file, without serving it.
    Check {
        /// The route file.
        #[arg(default_value = "routes.yaml")]
        file: PathBuf,
        /// How problems are shown.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the lines of the file, on standard error.
    Text,
    /// As a JSON array, on standard output.
    Json,
}

/// The process cannot start.
const CANNOT_START: u8 = 2;

impl Command {
    /// Does what was asked for.
    pub fn execute(self) -> ExitCode {
        let environment: Environment = Arc::new(gateway::from_process);
        match self.action {
            Action::Check { file, format } => check(&file, format, &environment),
            Action::Run { file, listen, admin, workers } => {
                log_to_stderr();
                let workers = workers.map(usize::from);
                let overrides = Overrides { listen, admin, workers, ..Overrides::default() };
                match gateway::run(file, &overrides, environment) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(gateway::StartError::Load(error)) => refused(&error),
                    Err(error) => {
                        say(&error);
                        ExitCode::from(CANNOT_START)
                    }
                }
            }
        }
    }
}

fn check(file: &Path, format: Format, environment: &Environment) -> ExitCode {
    let loaded = config::load_file(file, &**environment);
    let (report, code) = match &loaded {
        Ok(loaded) => (&loaded.warnings, 0),
        Err(error) => (error.report(), error.exit_code()),
    };
    if format == Format::Json {
        say_to(&mut io::stdout(), &report.to_json().unwrap_or_default());
        return ExitCode::from(code);
    }
    if !report.is_empty() {
        say(&report.render(io::stderr().is_terminal()));
    }
    if let Ok(loaded) = &loaded {
        say(&format_args!("{}: {} routes, fine", file.display(), loaded.routes.len()));
    }
    ExitCode::from(code)
}

fn refused(error: &LoadError) -> ExitCode {
    say(&error.report().render(io::stderr().is_terminal()));
    ExitCode::from(error.exit_code())
}

fn say(text: &dyn Display) {
    say_to(&mut io::stderr(), text);
}

fn say_to(output: &mut dyn Write, text: &dyn Display) {
    // Nobody reads the output any more if this fails.
    drop(writeln!(output, "{text}"));
}

/// `RUST_LOG` sets what is logged; by default what an operator wants to know.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,pingora_core=error,pingora_proxy=error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
