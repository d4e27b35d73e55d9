//! Processes that are measured: started on a free port, asked for their CPU time and memory,
//! stopped when they are dropped.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// How long a process may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that serves on a port of its own.
#[derive(Debug)]
pub struct Running {
    child: Child,
    clock: ClockId,
    address: SocketAddr,
}

impl Running {
    /// Starts a program and waits until `ready_path` is answered with 200.
    ///
    /// # Errors
    ///
    /// The program cannot be started, ends, or does not answer in time.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        address: SocketAddr,
        ready_path: &str,
    ) -> Result<Self> {
        Self::start_with(program, arguments, &[], address, ready_path)
    }

    /// As [`Running::start`], with something more in the environment.
    ///
    /// # Errors
    ///
    /// As [`Running::start`].
    pub fn start_with<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
        address: SocketAddr,
        ready_path: &str,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let name = program.display();
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = Pid::from_raw(child.id().try_into()?);
        let mut running = Self { clock: clock_getcpuclockid(pid)?, child, address };
        let deadline = now() + PATIENCE;
        while !answers(address, ready_path) {
            if let Some(status) = running.child.try_wait()? {
                bail!("{name} ended: {status}");
            }
            if now() > deadline {
                bail!("{name} does not answer on http://{address}{ready_path}");
            }
            wait(Duration::from_millis(1));
        }
        Ok(running)
    }

    /// Where the process serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time the process has used: all threads, user and system.
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub fn cpu(&self) -> Result<Duration> {
        Ok(clock_gettime(self.clock)?.into())
    }

    /// Memory that is resident now, in bytes.
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.context("the process is gone")?.parse::<u64>()? * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether a request for `path` is answered with 200.
pub fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(start.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// Posts a JSON text and gives the whole answer.
///
/// # Errors
///
/// There is no answer, or it takes longer than 30 s.
pub fn post(address: SocketAddr, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Builds a program as it is shipped, beside this one. Each by itself, so that none gets a
/// feature of a dependency that only another one asked for.
///
/// # Errors
///
/// It cannot be built.
pub fn build(package: &str, program: &str) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--profile", "dist", "-p", package, "--bin", program]);
    let status = cargo.status().context("cannot start cargo; or pass --no-build")?;
    if !status.success() {
        bail!("cannot build {program}");
    }
    Ok(())
}

/// An address of this machine that nobody listens on.
///
/// # Errors
///
/// There is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The program `name` that was built beside this one.
///
/// # Errors
///
/// The system does not tell where this program is.
pub fn beside(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// The time, for deadlines and durations.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this crate is for")]
pub fn now() -> Instant {
    Instant::now()
}

/// Lets time pass: between polls, and until a process has written its log.
#[expect(clippy::disallowed_methods, reason = "between polls of another process")]
pub fn wait(time: Duration) {
    thread::sleep(time);
}
