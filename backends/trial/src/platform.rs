//! The services of the saga as real processes, on embedded parts or on `PostgreSQL` and Kafka.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use messaging::broker::{Broker, BrokerUrl, Record, Slot};
use messaging::topic::Topic;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use service::clock::Clock;
use service::code::Code;
use service::testing::{Process, Signer};
use service::timing::Timing;
use service::tls;
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::backing::Backing;
use crate::booker::{Addresses, Booker, Journal, LIMIT, Reply};
use crate::profile::Profile;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The key that the CMS and the reservation service share.
pub const CMS_API_KEY: &str = "key-of-the-trial";
/// The key that the payment service and the payment gateway share.
pub const PG_SECRET_KEY: &str = "test_sk_of_the_trial";

/// Where services listen.
const PORTS: Range<u16> = 10_000..32_000;
const PORT_ATTEMPTS: usize = 100;

/// A process of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Stands in for the payment gateway.
    Pg,
    /// Stands in for the system of the lodgings.
    Cms,
    /// Payments and refunds.
    Payment,
    /// Reservations.
    Reservation,
    /// Notifications.
    Notification,
}

/// Nobody reaches the broker until it is dropped.
#[derive(Debug)]
pub enum Outage {
    /// The connection that holds the write lock of the embedded log.
    Log(AnyConnection),
    /// The process of the Kafka server, which stands still.
    Kafka(String),
}

impl Drop for Outage {
    fn drop(&mut self) {
        match self {
            Self::Log(_) => {}
            // Without it the run hangs, and says so soon enough.
            Self::Kafka(process) => drop(signal(process, "CONT")),
        }
    }
}

impl Service {
    /// All of them, in the order they are started.
    pub const ALL: [Self; 5] =
        [Self::Pg, Self::Cms, Self::Payment, Self::Reservation, Self::Notification];

    /// Whether it stands in for somebody else's system.
    pub fn is_stand_in(self) -> bool {
        matches!(self, Self::Pg | Self::Cms)
    }

    /// The name of its program and of its store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pg => "pg",
            Self::Cms => "cms",
            Self::Payment => "payment",
            Self::Reservation => "reservation",
            Self::Notification => "notification",
        }
    }
}

/// The processes, and what they share.
#[derive(Debug)]
pub struct Platform {
    backing: Backing,
    profile: Profile,
    signer: Signer,
    journal: Journal,
    addresses: BTreeMap<Service, String>,
    admin: String,
    processes: Mutex<BTreeMap<Service, Process>>,
    others: Mutex<Vec<Process>>,
    http: Client,
    folder: TempDir,
}

impl Platform {
    /// Starts everything on empty stores, with timings of a profile, and waits until it serves.
    pub fn start(backing: Backing, profile: Profile) -> Result<Self> {
        let [admin, of_services @ ..] = free_addresses::<{ Service::ALL.len() + 1 }>()?;
        let platform = Self {
            backing,
            profile,
            signer: Signer::new()?,
            journal: Journal::default(),
            addresses: Service::ALL.into_iter().zip(of_services).collect(),
            admin,
            processes: Mutex::default(),
            others: Mutex::default(),
            // Processes come and go, and their connections with them.
            http: tls::client("http://127.0.0.1")?
                .timeout(LIMIT)
                .pool_max_idle_per_host(0)
                .build()?,
            folder: tempfile::tempdir()?,
        };
        for service in Service::ALL {
            platform.start_service(service, &[])?;
        }
        Ok(platform)
    }

    /// Starts a service, which must not run, with variables beside its usual ones.
    pub fn start_service(&self, service: Service, more: &[(&str, &str)]) -> Result<()> {
        let process = self.launch(service, more)?;
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).insert(service, process);
        Ok(())
    }

    fn launch(&self, service: Service, more: &[(&str, &str)]) -> Result<Process> {
        let variables = self.variables(service)?;
        let mut all: Vec<(&str, &str)> = self.profile.to_vec();
        all.extend(variables.iter().map(|(name, value)| (*name, value.as_str())));
        all.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        all.extend(more);
        let program = programs()?.join(service.name());
        let program = program.to_str().ok_or("the folder of the programs is not UTF-8")?;
        let process = Process::serving(program, &all)
            .map_err(|error| format!("{}: {error}", service.name()))?;
        Ok(process)
    }

    /// Ends a service as `kill -9` does.
    pub fn kill(&self, service: Service) -> Result<()> {
        let process =
            self.processes.lock().unwrap_or_else(PoisonError::into_inner).remove(&service);
        process.map_or(Ok(()), Process::kill)
    }

    /// Waits until a service has ended by itself; its log.
    pub fn ended(&self, service: Service) -> Result<String> {
        let process =
            self.processes.lock().unwrap_or_else(PoisonError::into_inner).remove(&service);
        let process = process.ok_or("it does not run")?;
        process.ended()
    }

    /// Sends a signal to a service, such as `STOP`.
    pub fn signal(&self, service: Service, name: &str) -> Result<()> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.get(&service).ok_or("it does not run")?.signal(name)
    }

    /// How long a service has used a processor since it was last started.
    pub fn processor_time(&self, service: Service) -> Result<Duration> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let id = processes.get(&service).ok_or("it does not run")?.id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // Behind the name, which may hold anything: fields 14 and 15 of proc(5), in hundredths.
        let rest = stat.rsplit_once(") ").ok_or("no name in stat")?.1;
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |at: usize| -> Result<u64> {
            Ok(fields.get(at).ok_or("too few fields in stat")?.parse()?)
        };
        Ok(Duration::from_millis((field(11)? + field(12)?) * 10))
    }

    /// Starts a second process of a service on an address of its own; it ends with the platform.
    pub fn start_another(&self, service: Service) -> Result<()> {
        let [address] = free_addresses()?;
        let process = self.launch(service, &[("LISTEN", &address), ("INSTANCE", "2")])?;
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        Ok(())
    }

    /// What a service has written since it was last started.
    pub fn log(&self, service: Service) -> String {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.get(&service).map(Process::log).unwrap_or_default()
    }

    /// The base URL of a service.
    pub fn base(&self, service: Service) -> String {
        let address = self.addresses.get(&service).map_or("", String::as_str);
        let path = if service == Service::Pg { "/pg" } else { "" };
        format!("http://{address}{path}")
    }

    /// The base URL of the CMS's admin listener.
    pub fn cms_admin(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// What customers were answered.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// A folder for files of the services.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A customer.
    pub fn booker(&self, member: i64) -> Result<Booker> {
        let addresses =
            Addresses { reservation: self.base(Service::Reservation), pg: self.base(Service::Pg) };
        Booker::new(addresses, self.signer.clone(), member, self.journal.clone())
    }

    /// Asks a service as another one does.
    pub async fn ask(
        &self,
        service: Service,
        method: Method,
        target: &str,
        body: Option<Value>,
    ) -> Result<Reply> {
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        let proof = self.signer.service("trial", method.as_str(), target, text.as_bytes());
        let mut request = self.http.request(method, format!("{}{target}", self.base(service)));
        for (name, value) in proof {
            request = request.header(name, value);
        }
        if !text.is_empty() {
            request = request.header("content-type", "application/json").body(text);
        }
        Ok(Reply::read(request.send().await?).await?)
    }

    /// Asks a service as the gateway does for a member.
    pub async fn ask_for_member(
        &self,
        service: Service,
        member: i64,
        (method, target): (Method, &str),
        body: Option<Value>,
    ) -> Result<Reply> {
        let proof = self.signer.gateway(method.as_str(), target, Some((member, "USER")));
        let mut request = self.http.request(method, format!("{}{target}", self.base(service)));
        for (name, value) in proof {
            request = request.header(name, value);
        }
        self.send(request, body).await
    }

    /// What the notification service has handed to those who deliver, line by line.
    pub fn delivered(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.folder().join("sink.jsonl"))?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Sends payment an announcement as the payment gateway does.
    pub async fn announce(&self, body: Value) -> Result<Reply> {
        let target = "/v1/webhooks/toss";
        let mut request = self.http.post(format!("{}{target}", self.base(Service::Payment)));
        for (name, value) in self.signer.gateway("POST", target, None) {
            request = request.header(name, value);
        }
        self.send(request, Some(body)).await
    }

    /// `DATABASE_URL` of a service.
    pub(crate) fn database(&self, service: Service) -> Result<String> {
        self.backing.database(service.name(), self.folder())
    }

    /// Takes what the services keep their messages or data in away for a while: the write lock of
    /// the embedded log, or every connection to the `PostgreSQL` server.
    pub async fn stop_storage(&self, time: Duration) -> Result<()> {
        if self.backing.is_embedded() {
            let outage = self.stop_broker().await?;
            #[expect(clippy::disallowed_methods, reason = "an outage takes its time")]
            sleep(time).await;
            drop(outage);
            return Ok(());
        }
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database(Service::Payment)?).await?;
        let all = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND datname = current_database()";
        sqlx::query(all).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Takes the broker away until the outage is dropped (L7): whoever holds the write lock of the
    /// embedded log keeps everybody from writing; the Kafka server stands still.
    pub async fn stop_broker(&self) -> Result<Outage> {
        if let Some(process) = self.backing.kafka_process()? {
            signal(process, "STOP")?;
            return Ok(Outage::Kafka(process.to_owned()));
        }
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.backing.broker(self.folder())).await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        Ok(Outage::Log(connection))
    }

    /// The log that all services share.
    pub async fn broker(&self) -> Result<Broker> {
        let url = BrokerUrl::parse(&self.backing.broker(self.folder()))?;
        Ok(Broker::open(&url, &Timing::default(), &Clock::system()).await?)
    }

    /// Everything that was ever sent through a topic.
    pub async fn records(&self, topic: &str, partitions: i32) -> Result<Vec<Record>> {
        let broker = self.broker().await?;
        let mut records = Vec::new();
        for partition in 0..partitions {
            let slot = Slot { topic: topic.into(), partition };
            let found = broker.read(&slot, 0, usize::MAX).await?;
            records.extend(found.into_iter().map(|placed| placed.record));
        }
        Ok(records)
    }

    /// How many records nobody could read.
    pub async fn dead_letters(&self) -> Result<usize> {
        let mut count = 0;
        for topic in Topic::ALL {
            count += self.records(&topic.dead_letters(), 1).await?.len();
        }
        Ok(count)
    }

    /// What a service counts, in the Prometheus text format.
    pub async fn metrics(&self, service: Service) -> Result<String> {
        let reply = self.http.get(format!("{}/metrics", self.base(service))).send().await?;
        Ok(reply.error_for_status()?.text().await?)
    }

    /// Asks the CMS as the reservation service does.
    pub async fn ask_cms(
        &self,
        method: Method,
        target: &str,
        body: Option<Value>,
    ) -> Result<Reply> {
        let url = format!("{}{target}", self.base(Service::Cms));
        self.send(self.http.request(method, url).header("x-api-key", CMS_API_KEY), body).await
    }

    /// Asks the payment gateway's stand-in, below its own path.
    pub async fn ask_pg(&self, method: Method, target: &str, body: Option<Value>) -> Result<Reply> {
        let url = format!("{}{target}", self.base(Service::Pg));
        self.send(self.http.request(method, url), body).await
    }

    /// Asks the CMS's admin listener.
    pub async fn ask_cms_admin(
        &self,
        method: Method,
        target: &str,
        body: Option<Value>,
    ) -> Result<Reply> {
        let url = format!("{}{target}", self.cms_admin());
        self.send(self.http.request(method, url), body).await
    }

    async fn send(&self, request: RequestBuilder, body: Option<Value>) -> Result<Reply> {
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Ok(Reply::read(request.send().await?).await?)
    }

    fn variables(&self, service: Service) -> Result<Vec<(&'static str, String)>> {
        let address = self.addresses.get(&service).cloned().unwrap_or_default();
        let database = self.backing.database(service.name(), self.folder())?;
        let mut variables = vec![
            ("LISTEN", address),
            ("DATABASE_URL", database),
            ("GATEWAY_PROOF_KEYS", self.signer.jwks().to_owned()),
            ("BROKER_URL", self.backing.broker(self.folder())),
            ("TEST_MODE", "1".to_owned()),
        ];
        match service {
            Service::Pg => variables.extend([
                ("PG_SECRET_KEY", PG_SECRET_KEY.to_owned()),
                ("PG_LATENCY", "zero".to_owned()),
                ("WEBHOOK_URL", format!("{}/v1/webhooks/toss", self.base(Service::Payment))),
            ]),
            Service::Cms => variables.extend([
                ("CMS_API_KEY", CMS_API_KEY.to_owned()),
                ("CMS_LODGINGS", "60".to_owned()),
                ("ADMIN_LISTEN", self.admin.clone()),
            ]),
            Service::Payment => variables.extend([
                ("PG_SECRET_KEY", PG_SECRET_KEY.to_owned()),
                ("PG_URL", self.base(Service::Pg)),
            ]),
            Service::Reservation => variables.extend([
                ("CMS_API_KEY", CMS_API_KEY.to_owned()),
                ("CMS_URL", self.base(Service::Cms)),
                ("PAYMENT_URL", self.base(Service::Payment)),
            ]),
            Service::Notification => {
                let sink = self.folder().join("sink.jsonl").display().to_string();
                variables.push(("SINK_FILE", sink));
            }
        }
        Ok(variables)
    }
}

fn signal(process: &str, name: &str) -> Result<()> {
    let status = Command::new("kill").args(["-s", name, process]).status()?;
    if status.success() { Ok(()) } else { Err(format!("no {name} for process {process}").into()) }
}

/// The folder with the programs of this build.
fn programs() -> Result<PathBuf> {
    let own = env::current_exe()?;
    let folder = own.parent().ok_or("this program is in no folder")?;
    // Tests are one folder deeper.
    let is_test = folder.file_name().is_some_and(|name| name == "deps");
    Ok(if is_test { folder.parent().unwrap_or(folder).to_owned() } else { folder.to_owned() })
}

/// Addresses that differ, below the range that the system takes ports of outgoing connections from:
/// one of those would take the place of a service that is down for a moment.
fn free_addresses<const COUNT: usize>() -> Result<[String; COUNT]> {
    // Held until all are found, and not longer.
    let mut held = Vec::new();
    for _ in 0..PORT_ATTEMPTS {
        if held.len() == COUNT {
            break;
        }
        let address = format!("127.0.0.1:{}", fastrand::u16(PORTS));
        held.extend(TcpListener::bind(&address).map(|listener| (address, listener)));
    }
    let addresses: Vec<_> = held.into_iter().map(|(address, _)| address).collect();
    addresses.try_into().map_err(|_| "no port is free".into())
}
