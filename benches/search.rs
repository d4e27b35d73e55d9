//! Measures how long a search for lodgings takes through the gateway, with login tokens, at a steady
//! rate. `README.md` tells the method.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tempfile::TempDir;
use tollgate_benches::generator::{paced, request};
use tollgate_benches::process::{Running, beside, build, free_address};
use tollgate_benches::statistics::percentile;
use tollgate_benches::{KEYS, auth_section, log_in, login_route};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Searches 3,000 lodgings with ten rooms each through the gateway. Ends with 1 if the best p99 is
/// above the bound.
#[derive(Debug, Parser)]
struct Flags {
    /// How many runs; the best counts.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Seconds of each run.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Searches a second, over all connections.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Connections of clients.
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// The p99 that is not to be exceeded, in milliseconds.
    #[arg(long, default_value_t = 10.0)]
    bound: f64,
    /// Measure the programs as they are, without building them first.
    #[arg(long)]
    no_build: bool,
}

fn main() -> Result<ExitCode> {
    let flags = Flags::parse();
    if !flags.no_build {
        for (package, program) in [
            ("tollgate", "tollgate"),
            ("cms", "cms"),
            ("reservation", "reservation"),
            ("tollgate-benches", "backend"),
        ] {
            build(package, program)?;
        }
    }
    let platform = Platform::start()?;
    let address = platform.gateway.address();
    let token = log_in(address)?;
    let requests: Vec<_> =
        SEARCHES.iter().map(|path| request(address, path, Some(&token))).collect();
    let pace = (flags.rate, flags.connections);
    paced(address, &requests, pace, Duration::from_secs(2))?;
    let mut best = f64::INFINITY;
    for number in 1..=flags.runs {
        let took = paced(address, &requests, pace, Duration::from_secs(flags.seconds))?;
        let of = |percent| percentile(&took, percent).context("no searches");
        let (median, late, latest) = (of(50)?, of(99)?, of(100)?);
        say(&format!(
            "run {number}: {} searches at {}/s, median {median:.2} ms, p99 {late:.2} ms, slowest {latest:.2} ms\n",
            took.len(),
            flags.rate,
        ))?;
        best = best.min(late);
    }
    let is_met = best <= flags.bound;
    let verdict = if is_met { "met" } else { "FAILED" };
    say(&format!("best p99 {best:.2} ms      bound {}: {verdict}\n", flags.bound))?;
    Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What guests look for: everything, a region, kinds, words, dates, prices, in every order.
const SEARCHES: &[&str] = &[
    "/place",
    "/place?area=1&sort=price,asc",
    "/place?type=MOTEL&type=HOTEL_RESORT&guests=4&size=20",
    "/place?area=5&availableOnly=true",
    "/place?minPrice=50000&maxPrice=150000&sort=price,desc",
    "/place?keyword=%EB%B0%94%EB%8B%A4",
    "/place?area=3&guests=2&size=50",
    "/place/1/rooms",
];

/// The gateway in front of reservations, which ask the CMS.
struct Platform {
    gateway: Running,
    _reservation: Running,
    _cms: Running,
    _members: Running,
    _folder: TempDir,
}

impl Platform {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let nothing: [&str; 0] = [];
        let members = free_address()?;
        let arguments = [members.to_string()];
        let running_members = Running::start(&beside("backend")?, arguments, members, "/")?;
        let cms = free_address()?;
        let own = [
            ("LISTEN", &*cms.to_string()),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("DATABASE_URL", &store("cms.db")),
            ("CMS_API_KEY", CMS_KEY),
            ("RUST_LOG", "warn"),
        ];
        let running_cms = Running::start_with(&beside("cms")?, nothing, &own, cms, "/readyz")?;
        let reservation = free_address()?;
        let own = [
            ("LISTEN", &*reservation.to_string()),
            ("DATABASE_URL", &store("reservation.db")),
            ("BROKER_URL", &store("broker.db")),
            ("GATEWAY_PROOF_KEYS", KEYS),
            ("CMS_URL", &format!("http://{cms}")),
            ("CMS_API_KEY", CMS_KEY),
            ("RUST_LOG", "warn"),
        ];
        let program = beside("reservation")?;
        let running_reservation =
            Running::start_with(&program, nothing, &own, reservation, "/readyz")?;
        let gateway = free_address()?;
        let file = folder.path().join("routes.yaml");
        fs::write(&file, routes(members, reservation))?;
        let (listen, file) = (gateway.to_string(), file.display().to_string());
        let arguments = ["run", &file, "--listen", &listen, "--admin", "127.0.0.1:0"];
        let secrets = [("TOKEN_KEYS", KEYS), ("GATEWAY_PROOF_KEYS", KEYS)];
        let gateway =
            Running::start_with(&beside("tollgate")?, arguments, &secrets, gateway, "/ready")?;
        Ok(Self {
            gateway,
            _reservation: running_reservation,
            _cms: running_cms,
            _members: running_members,
            _folder: folder,
        })
    }
}

const CMS_KEY: &str = "search-through-the-gateway";

/// As in the file that comes with the gateway, without its limit of 100 a second for each member.
fn routes(members: SocketAddr, reservation: SocketAddr) -> String {
    auth_section(members, &[])
        + &format!(
            "access-log: {{ output: off }}\nroutes:\n  \
             - {{ id: ready, uri: 'http://{members}', predicates: [Path=/ready] }}\n  \
             - id: places\n    uri: http://{reservation}\n    \
             predicates: [Path=/place/**, Method=GET]\n    \
             filters: [PrefixPath=/v1, CircuitBreaker=reservation]\n"
        )
        + &login_route(members)
}

fn say(text: &str) -> Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
