//! Where requests go: host names resolved off the request path, and connection settings prepared
//! once.

mod destination;
mod upgrade;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use tollgate_filters::{RetryBudget, RetryBudgetSettings};

use crate::clock;
use crate::snapshot::Shared;

pub use destination::Destination;

use upgrade::UpgradeConnector;

/// A host and port with the addresses it has now. Outlives reloads: the same host and port is the
/// same upstream.
#[derive(Debug)]
pub struct Upstream {
    host: String,
    port: u16,
    addresses: ArcSwap<Vec<SocketAddr>>,
    /// The address that worked last; attempts begin there.
    preferred: AtomicUsize,
    /// What clients ask of it, and what retries may add.
    budget: RetryBudget,
}

impl Upstream {
    /// The place in the list of addresses where a request begins.
    pub fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    /// The address for a request that began at a place and was `refused` by so many addresses;
    /// `None` if there are no more.
    pub fn address(&self, began_at: usize, refused: usize) -> Option<SocketAddr> {
        let addresses = self.addresses.load();
        if refused >= addresses.len() {
            return None;
        }
        addresses.get((began_at + refused) % addresses.len()).copied()
    }

    /// How many addresses the host has.
    pub fn address_count(&self) -> usize {
        self.addresses.load().len()
    }

    /// Remembers that `address` cannot be connected to, so that other requests begin elsewhere.
    pub fn avoid(&self, address: SocketAddr) {
        let addresses = self.addresses.load();
        if let Some(at) = addresses.iter().position(|known| *known == address) {
            let next = (at + 1) % addresses.len();
            // Only the request that met the preferred address moves it.
            let _moved =
                self.preferred.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// What clients ask of it directly, and what retries may add. The instances of a service share
    /// the service's.
    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// The host as written, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn resolve(&self) -> Result<(), String> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut found: Vec<SocketAddr> = found.map_err(|error| error.to_string())?.collect();
        // Services on the same machine often listen on IPv4 only.
        found.sort_by_key(|address| (address.is_ipv6(), *address));
        found.dedup();
        if found.is_empty() {
            return Err("the name has no address".to_owned());
        }
        if **self.addresses.load() != found {
            self.preferred.store(0, Ordering::Relaxed);
            self.addresses.store(Arc::new(found));
        }
        Ok(())
    }
}

/// All upstreams in use, by host and port.
#[derive(Debug, Default)]
pub struct Upstreams {
    /// Locked when routes are loaded and when names are resolved again, never by a request.
    known: Mutex<HashMap<(String, u16), Weak<Upstream>>>,
}

/// Upstreams by host and port.
pub type Prepared = HashMap<(String, u16), Arc<Upstream>>;

/// How long a load waits for names; later answers are taken in the background.
const LOAD_WAIT: Duration = Duration::from_secs(2);

/// How often names are resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);

impl Upstreams {
    /// The upstreams for hosts and ports; the same ones as before where there were some. New names
    /// are resolved, all at once and for two seconds at most; what failed is told by name and
    /// reason.
    pub fn prepare(
        &self,
        wanted: impl IntoIterator<Item = (String, u16)>,
    ) -> (Prepared, Vec<(String, String)>) {
        let mut prepared = HashMap::new();
        let mut unresolved = Vec::new();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, upstream| upstream.strong_count() > 0);
        for key in wanted {
            if prepared.contains_key(&key) {
                continue;
            }
            let upstream = known.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
                let upstream = Arc::new(new_upstream(&key));
                known.insert(key.clone(), Arc::downgrade(&upstream));
                upstream
            });
            if upstream.address_count() == 0 {
                unresolved.push(Arc::clone(&upstream));
            }
            prepared.insert(key, upstream);
        }
        drop(known);
        (prepared, resolve_all(unresolved))
    }

    /// Resolves all names again; where that fails the last good answer stays.
    pub fn refresh(&self) {
        let known: Vec<Arc<Upstream>> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().filter_map(Weak::upgrade).collect()
        };
        for upstream in known.iter().filter(|upstream| upstream.host.parse::<IpAddr>().is_err()) {
            if let Err(reason) = upstream.resolve() {
                tracing::warn!(host = %upstream.host, %reason, "name not resolved, keeping its addresses");
            }
        }
    }
}

/// Resolves all names again every thirty seconds, on a thread of its own: a name server that is
/// slow delays nothing else. Ends when it is dropped.
#[derive(Debug)]
pub struct Resolver {
    /// The thread ends when this is gone. It is not waited for: a look-up may hang.
    _running: mpsc::Sender<()>,
}

impl Resolver {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (running, stopped) = mpsc::channel();
        thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            while stopped.recv_timeout(RESOLVE_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                shared.upstreams.refresh();
            }
        })?;
        Ok(Self { _running: running })
    }
}

fn new_upstream((host, port): &(String, u16)) -> Upstream {
    let literal = host.parse::<IpAddr>().ok();
    Upstream {
        host: host.clone(),
        port: *port,
        addresses: ArcSwap::from_pointee(
            literal.map(|ip| SocketAddr::new(ip, *port)).into_iter().collect(),
        ),
        preferred: AtomicUsize::new(0),
        budget: RetryBudget::new(&RetryBudgetSettings::default(), clock::now()),
    }
}

/// How many names are looked up at the same time.
const RESOLVERS: usize = 16;

fn resolve_all(unresolved: Vec<Arc<Upstream>>) -> Vec<(String, String)> {
    let count = unresolved.len();
    let queue = Arc::new(Mutex::new(unresolved));
    let (answers, answered) = mpsc::channel();
    for _ in 0..count.min(RESOLVERS) {
        let queue = Arc::clone(&queue);
        let answers = answers.clone();
        thread::spawn(move || {
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some(upstream) = next() {
                let outcome = upstream.resolve();
                // Nobody listens any more if the load stopped waiting.
                drop(answers.send((upstream.host.clone(), outcome)));
            }
        });
    }
    drop(answers);
    let mut failed = Vec::new();
    while let Ok((host, outcome)) = answered.recv_timeout(LOAD_WAIT) {
        if let Err(reason) = outcome {
            failed.push((host, reason));
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_an_upstream_as_long_as_somebody_uses_it() {
        let upstreams = Upstreams::default();
        let key = ("127.0.0.1".to_owned(), 80);
        let (first, failed) = upstreams.prepare([key.clone()]);
        assert!(failed.is_empty());
        let (second, _) = upstreams.prepare([key.clone()]);
        assert!(Arc::ptr_eq(&first[&key], &second[&key]));
    }

    #[test]
    fn tells_which_name_has_no_address() {
        let (prepared, failed) = Upstreams::default().prepare([("name.invalid".to_owned(), 80)]);
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0, "name.invalid");
        assert_eq!(prepared[&("name.invalid".to_owned(), 80)].address(0, 0), None);
    }

    #[test]
    fn begins_with_an_address_that_worked() {
        let upstream = new_upstream(&("10.0.0.1".to_owned(), 80));
        let (one, two) = ("10.0.0.1:80".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        upstream.addresses.store(Arc::new(vec![one, two]));
        let running = upstream.preferred();
        upstream.avoid(one);
        assert_eq!(upstream.address(running, 1), Some(two));
        let begin = upstream.preferred();
        assert_eq!(upstream.address(begin, 0), Some(two));
        assert_eq!(upstream.address(begin, 1), Some(one));
        assert_eq!(upstream.address(begin, 2), None);
    }
}
