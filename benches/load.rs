//! Compares what a request costs: CPU time per request of Tollgate, of a bare Pingora proxy and of
//! nginx, behind the same load and in front of the same backend. `README.md` tells the method.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use tempfile::TempDir;
use tollgate_benches::generator::{Load, request};
use tollgate_benches::process::{Running, answers, beside, build, free_address, now, wait};
use tollgate_benches::statistics::{Estimate, median};
use tollgate_benches::{
    KEYS, auth_section, log_in, login_route, many_routes, path_routes, plain_route, service_path,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares what a request costs. By default: a plain route of Tollgate, a bare Pingora proxy, and
/// nginx if it is installed. Ends with 1 if the whole 95 % interval of a ratio lies above its bound.
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the command line")]
#[derive(Debug, Parser)]
struct Flags {
    /// Instead: requests over all paths of so many routes, against one route.
    #[arg(long, value_name = "N", conflicts_with = "report")]
    routes: Option<usize>,
    /// Instead: requests with a login token, sessions in the process, against the same route
    /// without login tokens.
    #[arg(long, conflicts_with_all = ["report", "routes"])]
    auth: bool,
    /// Instead: requests with a login token through a rate limiter and a circuit breaker, state in
    /// the process, against a bare Pingora proxy.
    #[arg(long, conflicts_with_all = ["report", "routes", "auth"])]
    protected: bool,
    /// Instead: memory, and time until routes are live.
    #[arg(long)]
    report: bool,
    /// Also an earlier build of Tollgate, to see what a change does.
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// The largest ratio that is fine [default: 1.15 to bare Pingora, 1.03 for many routes, 1.25 for
    /// login tokens, 1.5 for a protected route].
    #[arg(long)]
    bound: Option<f64>,
    /// How many alternated measurements of each; at least 7.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(7..))]
    pairs: u16,
    /// Milliseconds of load per measurement.
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    slice: u64,
    /// Connections that send a request as soon as they have the answer to the last one.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Measure the programs as they are, without building them first.
    #[arg(long)]
    no_build: bool,
}

fn main() -> Result<ExitCode> {
    let flags = Flags::parse();
    if !flags.no_build {
        build("tollgate", "tollgate")?;
        build("tollgate-benches", "bare")?;
        build("tollgate-benches", "backend")?;
    }
    let bench = Bench::start(&flags)?;
    let fine = match flags.routes {
        _ if flags.report => bench.report()?,
        _ if flags.auth => bench.compare_auth()?,
        _ if flags.protected => bench.compare_protected()?,
        Some(routes) => bench.compare_routes(routes)?,
        None => bench.compare_proxies()?,
    };
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The backend, and what is told about the run.
struct Bench<'a> {
    flags: &'a Flags,
    folder: TempDir,
    backend: Running,
    tollgate: PathBuf,
}

/// A proxy under load.
struct Subject {
    name: String,
    process: Running,
    load: Load,
    /// CPU microseconds per request, one number for each slice.
    cost: Vec<f64>,
    /// Requests per second, likewise.
    rate: Vec<f64>,
}

impl Subject {
    fn new(
        name: &str,
        process: Running,
        requests: &Arc<[Vec<u8>]>,
        connections: usize,
    ) -> Result<Self> {
        let load = Load::connect(process.address(), connections, requests)?;
        Ok(Self { name: name.to_owned(), process, load, cost: Vec::new(), rate: Vec::new() })
    }

    fn measure(&mut self, slice: Duration) -> Result<()> {
        let (before, began) = (self.process.cpu()?, now());
        let answered = f64::from(self.load.run(slice)?.max(1));
        let took = now().duration_since(began);
        // What is written behind the requests belongs to them.
        wait(Duration::from_millis(30));
        let spent = self.process.cpu()?.saturating_sub(before);
        self.cost.push(spent.as_secs_f64() * 1e6 / answered);
        self.rate.push(answered / took.as_secs_f64());
        Ok(())
    }

    /// What this costs in units of what `other` costs, slice by slice.
    fn ratio_to(&self, other: &Self) -> Estimate {
        let ratios = self.cost.iter().zip(&other.cost).map(|(own, other)| own / other);
        Estimate::of(&ratios.collect::<Vec<f64>>())
    }
}

impl<'a> Bench<'a> {
    fn start(flags: &'a Flags) -> Result<Self> {
        let address = free_address()?;
        let backend = Running::start(&beside("backend")?, [address.to_string()], address, "/")?;
        Ok(Self { flags, folder: tempfile::tempdir()?, backend, tollgate: beside("tollgate")? })
    }

    /// A plain route against the other proxies.
    fn compare_proxies(&self) -> Result<bool> {
        let backend = self.backend.address();
        let plain = plain_route(backend);
        let mut subjects = vec![
            self.subject("bare Pingora", self.bare()?, &["/places/42"])?,
            self.subject("Tollgate", self.tollgate(&self.tollgate, &plain, "/")?, &["/places/42"])?,
        ];
        if let Some(earlier) = &self.flags.against {
            let process = self.tollgate(earlier, &plain, "/")?;
            subjects.push(self.subject("Tollgate, earlier", process, &["/places/42"])?);
        }
        match self.nginx() {
            Ok(process) => subjects.push(self.subject("nginx", process, &["/places/42"])?),
            Err(error) => say(&format!("nginx is left out: {error}\n"))?,
        }
        self.alternate(&mut subjects)?;
        self.tell(&subjects, self.flags.bound.unwrap_or(1.15))
    }

    /// What the number of routes costs: of routes that only ask for a path, and then of routes that
    /// have filters of their own as well. The first is held to the bound.
    fn compare_routes(&self, count: usize) -> Result<bool> {
        let bound = self.flags.bound.unwrap_or(1.03);
        let subjects = self.over_all_paths("", count, path_routes)?;
        let fine = self.tell(&subjects, bound)?;
        drop(subjects);
        say("\n")?;
        let subjects = self.over_all_paths(", two filters each", count, many_routes)?;
        self.tell(&subjects, bound)?;
        Ok(fine)
    }

    /// What a login token costs.
    fn compare_auth(&self) -> Result<bool> {
        let plain = plain_route(self.backend.address());
        let without = self.tollgate(&self.tollgate, &plain, "/ready")?;
        let mut subjects = [
            self.subject("without login tokens", without, &["/places/42"])?,
            self.logged_in("with a token", &plain)?,
        ];
        self.alternate(&mut subjects)?;
        self.tell(&subjects, self.flags.bound.unwrap_or(1.25))
    }

    /// What everything that protects a route costs together.
    fn compare_protected(&self) -> Result<bool> {
        let route = protected_route(self.backend.address());
        let mut subjects = [
            self.subject("bare Pingora", self.bare()?, &["/places/42"])?,
            self.logged_in("token, limiter, breaker", &route)?,
        ];
        self.alternate(&mut subjects)?;
        self.tell(&subjects, self.flags.bound.unwrap_or(1.5))
    }

    /// A gateway with login tokens, and requests that bring one.
    fn logged_in(&self, name: &str, routes: &str) -> Result<Subject> {
        let backend = self.backend.address();
        let (file, address) =
            self.route_file(&(auth_section(backend, &[]) + routes + &login_route(backend)))?;
        let secrets = [("TOKEN_KEYS", KEYS), ("GATEWAY_PROOF_KEYS", KEYS)];
        let process = Self::run_tollgate(&self.tollgate, &file, &secrets, address, "/ready")?;
        let token = log_in(address)?;
        let requests: Arc<[Vec<u8>]> = [request(address, "/places/42", Some(&token))].into();
        Subject::new(name, process, &requests, self.flags.connections)
    }

    /// Requests over all paths of many routes against requests to the one route of a small file.
    fn over_all_paths(
        &self,
        kind: &str,
        count: usize,
        file: fn(usize, SocketAddr) -> String,
    ) -> Result<Vec<Subject>> {
        let backend = self.backend.address();
        let path = |number| format!("{}/places/42", service_path(number));
        let mut paths: Vec<String> = (0..count).map(path).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut paths);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let first = path(0);
        let one = self.tollgate(&self.tollgate, &file(1, backend), &first)?;
        let many = self.tollgate(&self.tollgate, &file(count, backend), &first)?;
        let mut subjects = vec![
            self.subject(&format!("one route{kind}"), one, &[&first])?,
            self.subject(&format!("{count} routes{kind}"), many, &paths)?,
        ];
        self.alternate(&mut subjects)?;
        Ok(subjects)
    }

    /// Measures all subjects in one order and then in the other, so that what changes slowly
    /// falls on all alike.
    fn alternate(&self, subjects: &mut [Subject]) -> Result<()> {
        let slice = Duration::from_millis(self.flags.slice);
        for subject in subjects.iter_mut() {
            // Connections, pools and caches are filled.
            subject.measure(slice)?;
            subject.cost.clear();
            subject.rate.clear();
        }
        for _ in 0..self.flags.pairs {
            for subject in subjects.iter_mut() {
                subject.measure(slice)?;
            }
            subjects.reverse();
        }
        if !self.flags.pairs.is_multiple_of(2) {
            subjects.reverse();
        }
        Ok(())
    }

    /// Prints the table. The second subject is held to the bound, in units of the first.
    fn tell(&self, subjects: &[Subject], bound: f64) -> Result<bool> {
        let [first, second, ..] = subjects else { bail!("nothing to compare") };
        let Flags { pairs, slice, connections, .. } = self.flags;
        say(&format!(
            "{pairs} alternated slices of {slice} ms each, {connections} connections, 1 KB answers\n\n\
             {:<32} {:>14} {:>12}   ratio to {} [95 %]\n",
            "", "CPU µs/request", "requests/s", first.name
        ))?;
        for subject in subjects {
            let (cost, rate) = (median(&subject.cost), median(&subject.rate));
            let ratio = subject.ratio_to(first);
            say(&format!("{:<32} {cost:>14.2} {rate:>12.0}   {ratio}\n", subject.name))?;
        }
        if let [_, second, earlier, ..] = subjects
            && self.flags.against.is_some()
        {
            say(&format!("\n{} to {}: {}\n", second.name, earlier.name, second.ratio_to(earlier)))?;
        }
        let ratio = second.ratio_to(first);
        let verdict = if ratio.is_above(bound) {
            "FAILED: the whole interval lies above it"
        } else if ratio.high <= bound {
            "met by the whole interval"
        } else {
            "not refuted: the interval reaches below it"
        };
        say(&format!("\n{}: bound {bound}, {verdict}\n", second.name))?;
        Ok(!ratio.is_above(bound))
    }

    fn subject(&self, name: &str, process: Running, paths: &[&str]) -> Result<Subject> {
        let host = process.address();
        let requests: Arc<[Vec<u8>]> = paths.iter().map(|path| request(host, path, None)).collect();
        Subject::new(name, process, &requests, self.flags.connections)
    }

    fn bare(&self) -> Result<Running> {
        let address = free_address()?;
        let arguments = [address.to_string(), self.backend.address().to_string()];
        Running::start(&beside("bare")?, arguments, address, "/")
    }

    /// Writes a route file with the defaults, but for the access log that goes to a file.
    fn route_file(&self, routes: &str) -> Result<(PathBuf, SocketAddr)> {
        let address = free_address()?;
        let log = self.folder.path().join(format!("access-{}.log", address.port()));
        let file = self.folder.path().join(format!("routes-{}.yaml", address.port()));
        let output = format!("access-log: {{ output: 'file:{}' }}\n", log.display());
        fs::write(&file, output + routes)?;
        Ok((file, address))
    }

    fn tollgate(&self, program: &Path, routes: &str, ready_path: &str) -> Result<Running> {
        let (file, address) = self.route_file(routes)?;
        Self::run_tollgate(program, &file, &[], address, ready_path)
    }

    fn run_tollgate(
        program: &Path,
        file: &Path,
        environment: &[(&str, &str)],
        address: SocketAddr,
        ready_path: &str,
    ) -> Result<Running> {
        let (listen, file) = (address.to_string(), file.display().to_string());
        let arguments =
            ["run", &file, "--listen", &listen, "--admin", "127.0.0.1:0", "--workers", "1"];
        Running::start_with(program, arguments, environment, address, ready_path)
    }

    fn nginx(&self) -> Result<Running> {
        let address = free_address()?;
        let folder = self.folder.path();
        let file = folder.join("nginx.conf");
        let text = NGINX
            .replace("FOLDER", &folder.display().to_string())
            .replace("ADDRESS", &address.to_string())
            .replace("BACKEND", &self.backend.address().to_string());
        fs::write(&file, text)?;
        let arguments = ["-e".as_ref(), "stderr".as_ref(), "-c".as_ref(), file.as_os_str()];
        let start = |program: &str| Running::start(program.as_ref(), arguments, address, "/");
        start("nginx").or_else(|_| start("/usr/sbin/nginx"))
    }
}

/// A route with a limit that is never reached and a breaker that never opens.
fn protected_route(backend: SocketAddr) -> String {
    format!(
        "routes:\n  - id: ready\n    uri: http://{backend}\n    predicates: [Path=/ready]\n  \
         - id: protected\n    uri: http://{backend}\n    predicates: [Path=/places/**]\n    filters:\n      \
         - name: RequestRateLimiter\n        args:\n          redis-rate-limiter: \
         {{ replenish-rate: 1000000, burst-capacity: 2000000 }}\n      \
         - CircuitBreaker=backend\n"
    )
}

/// One process without a master, so that all it uses is counted; otherwise what people run.
const NGINX: &str = "daemon off; master_process off; worker_processes 1; pid FOLDER/nginx.pid;
events { worker_connections 1024; }
http {
  access_log FOLDER/nginx.log combined buffer=64k flush=1s;
  client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fast;
  uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
  keepalive_timeout 75s; keepalive_requests 1000000000;
  upstream backend { server BACKEND; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen ADDRESS;
    location / {
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection '';
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_connect_timeout 5s; proxy_read_timeout 60s; proxy_send_timeout 30s;
    }
  }
}
";

/// How often each number of the report is taken.
const TIMES: usize = 7;

impl Bench<'_> {
    /// Memory, and time until routes are live.
    fn report(&self) -> Result<bool> {
        let backend = self.backend.address();
        let path = |count: usize| service_path(count - 1);
        let start = |count: usize| -> Result<(f64, f64)> {
            let (file, address) = self.route_file(&many_routes(count, backend))?;
            let began = now();
            let process = Self::run_tollgate(&self.tollgate, &file, &[], address, &path(count))?;
            let took = now().duration_since(began);
            Ok((took.as_secs_f64() * 1000.0, megabytes(&process)?))
        };
        let one = Self::times(|| start(1))?;
        let some = Self::times(|| start(5_000))?;
        let many = Self::times(|| start(10_000))?;
        let (rest, loaded) = self.memory_after_load()?;
        let changes = self.changes(10_000)?;
        let mut fine = true;
        for (what, sample, unit, bound) in [
            ("resident at rest, one route", &one.1, "MB", 30.0),
            ("resident after load, one route", &loaded, "MB", 60.0),
            ("resident at rest again, one route", &rest, "MB", 60.0),
            ("resident, 5,000 routes", &some.1, "MB", 40.0),
            ("resident, 10,000 routes", &many.1, "MB", 80.0),
            ("start until served, one route", &one.0, "ms", 500.0),
            ("start until served, 10,000 routes", &many.0, "ms", 500.0),
            ("rename until served, 10,000 routes", &changes, "ms", 500.0),
        ] {
            let estimate = Estimate::of(sample);
            let verdict = if estimate.is_above(bound) { "FAILED" } else { "fine" };
            fine &= !estimate.is_above(bound);
            say(&format!(
                "{what:<36} {:>8.1} {unit:<3} (bound {bound}: {verdict})\n",
                estimate.median
            ))?;
        }
        Ok(fine)
    }

    fn times(once: impl Fn() -> Result<(f64, f64)>) -> Result<(Vec<f64>, Vec<f64>)> {
        let taken = (0..TIMES).map(|_| once()).collect::<Result<Vec<(f64, f64)>>>()?;
        Ok(taken.into_iter().unzip())
    }

    /// Memory with connections open right after load, and a while after they are closed.
    fn memory_after_load(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let process = self.tollgate(&self.tollgate, &plain_route(self.backend.address()), "/")?;
        let requests: Arc<[Vec<u8>]> = [request(process.address(), "/places/42", None)].into();
        let (mut loaded, mut rest) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            let mut load = Load::connect(process.address(), self.flags.connections, &requests)?;
            load.run(Duration::from_millis(self.flags.slice))?;
            loaded.push(megabytes(&process)?);
            drop(load);
            wait(Duration::from_millis(500));
            rest.push(megabytes(&process)?);
        }
        Ok((rest, loaded))
    }

    /// Milliseconds from the rename of a route file until its newest route is served.
    fn changes(&self, count: usize) -> Result<Vec<f64>> {
        let backend = self.backend.address();
        let (file, address) = self.route_file(&many_routes(count, backend))?;
        let process = Self::run_tollgate(&self.tollgate, &file, &[], address, &service_path(0))?;
        let mut taken = Vec::new();
        for more in 1..=TIMES {
            let (next, _) = self.route_file(&many_routes(count + more, backend))?;
            let newest = service_path(count + more - 1);
            fs::rename(next, &file)?;
            let began = now();
            while !answers(address, &newest) {
                if now().duration_since(began) > Duration::from_secs(20) {
                    bail!("the changed file is not served");
                }
                wait(Duration::from_millis(1));
            }
            taken.push(now().duration_since(began).as_secs_f64() * 1000.0);
        }
        drop(process);
        Ok(taken)
    }
}

fn megabytes(process: &Running) -> Result<f64> {
    Ok(f64::from(u32::try_from(process.resident()? / 1024)?) * 1.024e-3)
}

fn say(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}
