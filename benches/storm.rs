//! Measures whether a storm of logins slows others down: the p99 of a plain route while nobody logs
//! in and while many do, in alternated rounds. `README.md` tells the method.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tollgate_benches::generator::{paced, request};
use tollgate_benches::process::{Running, beside, build, free_address, post};
use tollgate_benches::statistics::{median, percentile};
use tollgate_benches::{KEYS, auth_section};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares the p99 of a plain route in calm and in a storm of logins. Ends with 1 if it is more than
/// twice as long.
#[derive(Debug, Parser)]
struct Flags {
    /// How many alternated rounds of each.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Seconds of each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Clients that log in again and again.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Requests a second to the plain route, over all connections.
    #[arg(long, default_value_t = 2000)]
    rate: u32,
    /// Connections to the plain route.
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Measure the programs as they are, without building them first.
    #[arg(long)]
    no_build: bool,
}

fn main() -> Result<ExitCode> {
    let flags = Flags::parse();
    if !flags.no_build {
        for (package, program) in
            [("tollgate", "tollgate"), ("member", "member"), ("tollgate-benches", "backend")]
        {
            build(package, program)?;
        }
    }
    let platform = Platform::start()?;
    let (mut calm, mut storm, mut logins) = (Vec::new(), Vec::new(), 0);
    for _ in 0..flags.rounds {
        calm.push(platform.p99(&flags)?);
        let (slow, count) = platform.in_storm(&flags)?;
        storm.push(slow);
        logins += count;
    }
    let (calm, storm) = (median(&calm), median(&storm));
    let took = f64::from(flags.rounds) * f64::from(u32::try_from(flags.seconds)?);
    let rate = f64::from(u32::try_from(logins)?) / took;
    let ratio = storm / calm;
    let text = format!(
        "{} alternated rounds of {} s, {} requests/s to a plain route, {} clients logging in\n\n\
         p99 in calm   {calm:>8.2} ms\np99 in storm  {storm:>8.2} ms   {rate:.0} logins/s\n\
         ratio         {ratio:>8.2}      bound 2: {}\n",
        flags.rounds,
        flags.seconds,
        flags.rate,
        flags.clients,
        if ratio <= 2.0 { "met" } else { "FAILED" }
    );
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if ratio <= 2.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The gateway in front of the member service and of a backend.
struct Platform {
    gateway: Running,
    _member: Running,
    _backend: Running,
    _folders: [tempfile::TempDir; 2],
}

impl Platform {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // The gateway watches the folder of its file; the member service's writes are none of its
        // business.
        let data = tempfile::tempdir()?;
        let (backend, member, gateway) = (free_address()?, free_address()?, free_address()?);
        let arguments = [backend.to_string()];
        let running_backend = Running::start(&beside("backend")?, arguments, backend, "/")?;
        let database = format!("sqlite://{}", data.path().join("member.db").display());
        let listen = member.to_string();
        let own = [
            ("LISTEN", listen.as_str()),
            ("DATABASE_URL", &database),
            ("GATEWAY_PROOF_KEYS", KEYS),
            ("RUST_LOG", "warn"),
        ];
        let nothing: [&str; 0] = [];
        let member_program = beside("member")?;
        let running_member =
            Running::start_with(&member_program, nothing, &own, member, "/healthz")?;
        let file = folder.path().join("routes.yaml");
        fs::write(&file, routes(member, backend))?;
        let (listen, file) = (gateway.to_string(), file.display().to_string());
        let arguments = ["run", &file, "--listen", &listen, "--admin", "127.0.0.1:0"];
        let secrets = [("TOKEN_KEYS", KEYS), ("GATEWAY_PROOF_KEYS", KEYS)];
        let program = beside("tollgate")?;
        let gateway = Running::start_with(&program, arguments, &secrets, gateway, "/ready")?;
        let platform = Self {
            gateway,
            _member: running_member,
            _backend: running_backend,
            _folders: [folder, data],
        };
        let answer = post(platform.gateway.address(), "/members", SIGN_UP)?;
        if !answer.starts_with("HTTP/1.1 201") {
            bail!("no member: {answer}");
        }
        Ok(platform)
    }

    /// The p99 of a plain route, in milliseconds.
    fn p99(&self, flags: &Flags) -> Result<f64> {
        let request = request(self.gateway.address(), "/plain", None);
        let time = Duration::from_secs(flags.seconds);
        let took = paced(self.gateway.address(), &[request], (flags.rate, flags.connections), time);
        percentile(&took?, 99).context("no requests")
    }

    /// The same while clients log in; and how many logins there were.
    fn in_storm(&self, flags: &Flags) -> Result<(f64, usize)> {
        let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..flags.clients {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let answer = post(self.gateway.address(), "/login", LOG_IN);
                        if answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            let p99 = self.p99(flags);
            stop.store(true, Ordering::Relaxed);
            Ok((p99?, count.load(Ordering::Relaxed)))
        })
    }
}

/// Limits of logins are out of the way: every client is the same member.
fn routes(member: SocketAddr, backend: SocketAddr) -> String {
    auth_section(member, &["/plain", "/members"])
        + &format!(
            "  throttle: {{ per-email: 1000000, per-address: 1000000 }}\naccess-log: {{ output: off }}\n\
             routes:\n  - {{ id: ready, uri: 'http://{backend}', predicates: [Path=/ready] }}\n  \
             - {{ id: plain, uri: 'http://{backend}', predicates: [Path=/plain] }}\n  \
             - {{ id: members, uri: 'http://{member}', predicates: [Path=/members], filters: [PrefixPath=/v1] }}\n  \
             - {{ id: login, uri: 'http://{member}', predicates: [Path=/login], filters: [PrefixPath=/v1, \
             MemberParameterFilter, MemberResponseFilter, PostfixLoginTokenFilter] }}\n"
        )
}

const SIGN_UP: &str = r#"{"memberEmail":"load@example.com","password":"a long password","memberName":"Load","phoneNumber":"01000000000","accountType":"LOCAL"}"#;
const LOG_IN: &str = r#"{"memberEmail":"load@example.com","password":"a long password"}"#;
