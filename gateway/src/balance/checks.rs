//! Active health checks, and probes of instances that are down: one thread for all services, so that
//! no client's request is needed to find out.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http::{Method, header};
use pingora_core::connectors::http::Connector;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType};
use pingora_http::RequestHeader;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Down, DownCause, Instance, InstanceKey, Service, Services};
use crate::clock;
use crate::config::HealthCheck;
use crate::upstream::Destination;

/// How often a look is taken at what is due.
const TICK: Duration = Duration::from_millis(100);

/// How often an instance is asked that is down.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How long a probe may take that only connects.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// So many checks at a time.
const AT_A_TIME: usize = 64;

/// Checks instances, on a thread of its own. Ends when it is dropped.
#[derive(Debug)]
pub struct Checks {
    /// The thread ends when this is gone. It is not waited for.
    _running: oneshot::Sender<()>,
}

impl Checks {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub fn start(services: Arc<Services>) -> io::Result<Self> {
        let (running, stopped) = oneshot::channel();
        thread::Builder::new().name("checks".to_owned()).spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "instances are not checked"),
            };
            runtime.block_on(async {
                tokio::select! {
                    // A sender that is gone is the sign.
                    _ = stopped => {}
                    () = run(&services) => {}
                }
            });
        })?;
        Ok(Self { _running: running })
    }
}

/// One instance of one service.
type Place = (String, InstanceKey);

/// What the checks of one instance came to.
#[derive(Debug)]
struct Record {
    due: Instant,
    is_running: bool,
    /// Checks that ended alike in a row.
    in_a_row: u32,
    were_well: bool,
}

/// A check that has ended.
struct Checked {
    place: Place,
    service: Arc<Service>,
    outcome: Result<(), String>,
}

async fn run(services: &Services) {
    let mut records: HashMap<Place, Record> = HashMap::new();
    let mut running: JoinSet<Checked> = JoinSet::new();
    // Making one reads the system's certificates: not before there is something to check.
    let mut connector = None;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(Ok(checked)) = running.join_next() => settle(&mut records, checked),
            _ = ticks.tick() => {
                for (place, service, instance) in due(services, &mut records, clock::now()) {
                    if running.len() >= AT_A_TIME {
                        break;
                    }
                    let new = || Arc::new(Connector::new(None));
                    let connector = Arc::clone(connector.get_or_insert_with(new));
                    if let Some(record) = records.get_mut(&place) {
                        record.is_running = true;
                    }
                    running.spawn(async move {
                        let health = service.health();
                        let outcome = check(&connector, &instance, health.as_ref()).await;
                        Checked { place, service, outcome }
                    });
                }
            }
        }
    }
}

/// Instances whose turn it is. Those that are gone are forgotten.
fn due(
    services: &Services,
    records: &mut HashMap<Place, Record>,
    now: Instant,
) -> Vec<(Place, Arc<Service>, Arc<Instance>)> {
    let mut found = Vec::new();
    let mut there = HashSet::new();
    for service in services.all() {
        let is_checked = service.health().is_some();
        for instance in service.instances().iter() {
            let is_down = instance.down().is_some();
            if !is_checked && !is_down {
                continue;
            }
            let place = (service.name().to_owned(), instance.key());
            let record = records.entry(place.clone()).or_insert_with(|| Record {
                // A probe of what was just found down would tell nothing new.
                due: if is_down { now + PROBE_EVERY } else { now },
                is_running: false,
                in_a_row: 0,
                were_well: true,
            });
            // One that a request found down is asked sooner than it would be.
            if is_down {
                record.due = record.due.min(now + PROBE_EVERY);
            }
            if !record.is_running && record.due <= now {
                found.push((place.clone(), Arc::clone(&service), Arc::clone(instance)));
            }
            there.insert(place);
        }
    }
    records.retain(|place, record| record.is_running || there.contains(place));
    // Those that wait longest come first, if there are too many.
    found.sort_by_key(|(place, ..)| records.get(place).map(|record| record.due));
    found
}

fn settle(records: &mut HashMap<Place, Record>, checked: Checked) {
    let Checked { place, service, outcome } = checked;
    let Some(record) = records.get_mut(&place) else { return };
    record.is_running = false;
    let is_well = outcome.is_ok();
    record.in_a_row = if record.were_well == is_well { record.in_a_row + 1 } else { 1 };
    record.were_well = is_well;
    let health = service.health();
    let instances = service.instances();
    let Some(instance) = instances.iter().find(|instance| instance.key() == place.1) else {
        return;
    };
    let is_down = instance.down().is_some();
    let (down_after, up_after) =
        health.as_ref().map_or((1, 1), |health| (health.unhealthy_after, health.healthy_after));
    match outcome {
        Ok(()) if is_down && record.in_a_row >= up_after => instance.mark_up(),
        Err(why) if !is_down && health.is_some() && record.in_a_row >= down_after => {
            instance.mark_down(Down { cause: DownCause::Check, why });
        }
        Ok(()) | Err(_) => {}
    }
    let usual = health.map_or(PROBE_EVERY, |health| health.interval);
    let is_down = instance.down().is_some();
    record.due = clock::now() + if is_down { usual.min(PROBE_EVERY) } else { usual };
}

async fn check(
    connector: &Connector,
    instance: &Instance,
    health: Option<&HealthCheck>,
) -> Result<(), String> {
    let destination = instance.destination(None);
    let limit = health.map_or(PROBE_LIMIT, |health| health.timeout);
    let asked = async {
        match health {
            Some(health) => ask(connector, destination, &health.path, limit).await,
            None => connect(connector, destination, limit).await,
        }
    };
    match timeout(limit, asked).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

/// Connects, with TLS where that is spoken, to any of the addresses.
async fn connect(
    connector: &Connector,
    destination: &Destination,
    limit: Duration,
) -> Result<(), String> {
    let mut last = "its name has no address".to_owned();
    for peer in peers(destination, limit) {
        match connector.get_http_session(&*peer).await {
            Ok(_) => return Ok(()),
            Err(error) => last = told(&error),
        }
    }
    Err(last)
}

async fn ask(
    connector: &Connector,
    destination: &Destination,
    path: &str,
    limit: Duration,
) -> Result<(), String> {
    let mut last = "its name has no address".to_owned();
    for peer in peers(destination, limit) {
        match exchange(connector, destination, &peer, path).await {
            Ok(200..=299) => return Ok(()),
            Ok(status) => return Err(format!("`GET {path}` answers {status}")),
            Err(error) => last = told(&error),
        }
    }
    Err(last)
}

async fn exchange(
    connector: &Connector,
    destination: &Destination,
    peer: &HttpPeer,
    path: &str,
) -> pingora_core::Result<u16> {
    let mut head = RequestHeader::build(Method::GET, path.as_bytes(), Some(4))?;
    head.insert_header(header::HOST, destination.host.clone())?;
    head.insert_header(header::ACCEPT, "*/*")?;
    head.insert_header(header::USER_AGENT, "tollgate-health-check")?;
    // Never handed back, so that each check shows that connections are taken.
    let (mut session, _) = connector.get_http_session(peer).await?;
    session.write_request_header(Box::new(head)).await?;
    session.finish_request_body().await?;
    session.read_response_header().await?;
    let status = session.response_header().map(|head| head.status.as_u16());
    session.shutdown().await;
    status.ok_or_else(|| Error::explain(ErrorType::InvalidHTTPHeader, "an answer without a head"))
}

fn peers(destination: &Destination, limit: Duration) -> impl Iterator<Item = Box<HttpPeer>> {
    let began_at = destination.upstream.preferred();
    (0..destination.upstream.address_count())
        .filter_map(move |refused| destination.peer(began_at, refused, Some(limit), limit, false))
}

/// In a few words, without the chain of causes.
fn told(error: &Error) -> String {
    match &error.context {
        Some(context) => format!("{}: {}", error.etype().as_str(), context.as_str()),
        None => error.etype().as_str().to_owned(),
    }
}
