//! Clients with keep-alive connections that ask at a given rate and keep every failure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::http1::Connection;
use crate::now;

/// Clients that go on until they are stopped, or until nobody takes connections any more.
#[derive(Debug)]
pub(crate) struct Load {
    clients: JoinSet<Outcome>,
    is_over: Arc<AtomicBool>,
}

/// What the clients saw.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many requests were answered with 200.
    pub served: usize,
    /// Everything else, with the time since the load began.
    pub failures: Vec<(Duration, String)>,
    /// How long each answer took.
    pub latencies: Vec<Duration>,
    /// How many connections could not be made.
    pub refused: usize,
}

impl Outcome {
    /// Nothing failed, and something was served.
    #[track_caller]
    pub(crate) fn is_flawless(&self) {
        assert!(self.failures.is_empty(), "{} failed: {:?}", self.failures.len(), self.failures);
        assert!(self.served > 0, "no request was made");
    }

    /// The latency that a share of the answers did not pass.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        percentile(&self.latencies, share)
    }
}

/// The value that a share of all values do not pass.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index"
)]
pub(crate) fn percentile(values: &[Duration], share: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort();
    let at = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted[at]
}

impl Load {
    /// `clients` clients that together ask `rate` times a second for `target`.
    pub(crate) fn start(address: SocketAddr, target: &str, clients: u32, rate: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let begin = now();
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let client = Client {
                address,
                target: target.to_owned(),
                begin,
                every: Duration::from_secs(1) * clients / rate,
                is_over: Arc::clone(&is_over),
            };
            tasks.spawn(client.go());
        }
        Self { clients: tasks, is_over }
    }

    /// Ends the load after the requests that are on their way.
    pub(crate) async fn stop(self) -> Outcome {
        self.is_over.store(true, Ordering::Relaxed);
        self.end().await
    }

    /// Waits until no client can connect any more.
    pub(crate) async fn end(mut self) -> Outcome {
        let mut all = Outcome::default();
        while let Some(one) = self.clients.join_next().await {
            let one = one.expect("a client");
            all.served += one.served;
            all.refused += one.refused;
            all.failures.extend(one.failures);
            all.latencies.extend(one.latencies);
        }
        all
    }
}

struct Client {
    address: SocketAddr,
    target: String,
    begin: Instant,
    every: Duration,
    is_over: Arc<AtomicBool>,
}

impl Client {
    async fn go(self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept: Option<Connection> = None;
        while !self.is_over.load(Ordering::Relaxed) {
            ticks.tick().await;
            let connection = match kept.take() {
                Some(connection) => Ok(connection),
                None => Connection::to(self.address).await,
            };
            let Ok(mut connection) = connection else {
                outcome.refused += 1;
                return outcome;
            };
            let sent = now();
            let answer = timeout(Duration::from_secs(15), connection.get(&self.target)).await;
            let failure = match answer {
                Ok(Ok(answer)) if answer.status() == 200 => {
                    outcome.served += 1;
                    outcome.latencies.push(sent.elapsed());
                    if !answer.says_close() {
                        kept = Some(connection);
                    }
                    continue;
                }
                Ok(Ok(answer)) => String::from_utf8_lossy(&answer.start).into_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in 15 s".to_owned(),
            };
            outcome.failures.push((self.begin.elapsed(), failure));
        }
        outcome
    }
}
