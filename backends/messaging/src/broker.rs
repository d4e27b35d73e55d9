//! Where messages go through.

use std::error::Error;
use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use service::clock::Clock;
use service::settings::Reader;
use service::timing::Timing;

use crate::consumer::Cause;
use crate::consumer::lanes::{Lanes, Work};
use crate::health::Health;
use crate::kafka::{self, Kafka, KafkaCommitter, Transactional};
use crate::log::{Log, LogCommitter, Session};
use crate::metrics::Metrics;

/// Where a process finds the log when it is not told.
pub const DEFAULT_URL: &str = "sqlite://data/broker.db";

/// Which log: `BROKER_URL`.
#[derive(Clone, PartialEq, Eq)]
pub enum BrokerUrl {
    /// `sqlite://FILE`: a log in one file that the processes of one machine share.
    Log(PathBuf),
    /// `kafka://HOST:PORT,HOST:PORT/PREFIX`: Apache Kafka. The prefix stands before the name of
    /// every topic, group and transaction, so that several platforms can share it.
    Kafka {
        /// `HOST:PORT,HOST:PORT`
        servers: String,
        /// Empty unless the URL has one.
        prefix: String,
    },
}

/// What a process is told about messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `BROKER_URL`
    pub url: BrokerUrl,
    /// `INSTANCE`: what tells this process from others of the same service; the same whenever it
    /// starts.
    pub instance: String,
}

impl Settings {
    /// Reads `BROKER_URL` ([`DEFAULT_URL`]) and `INSTANCE` (1).
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text("BROKER_URL").unwrap_or_else(|| DEFAULT_URL.to_owned());
        let url = BrokerUrl::parse(&text);
        let url = url.inspect_err(|error| reader.reject("BROKER_URL", error.to_string())).ok();
        let expected = "up to 64 letters, digits, `.`, `_` and `-`";
        let instance = reader.value("INSTANCE", "1".to_owned(), expected, |text| {
            let is_name = (1..=64).contains(&text.len()) && text.chars().all(is_of_name);
            is_name.then(|| text.to_owned())
        });
        Some(Self { url: url?, instance })
    }
}

/// The characters of a topic's name.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

/// A `BROKER_URL` that names no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("start it with sqlite:// and a file, or kafka:// and host:port,host:port/PREFIX")]
pub struct UnknownBroker;

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// The topic.
    pub topic: Arc<str>,
    /// Which of its partitions.
    pub partition: i32,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it goes.
    pub topic: String,
    /// Records of one key keep their order.
    pub key: Option<Vec<u8>>,
    /// What tools need to know of it.
    pub headers: Vec<(String, String)>,
    /// The message.
    pub body: Vec<u8>,
}

/// A record, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// The record.
    pub record: Record,
}

/// Why the log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It cannot be opened.
    #[error("cannot open {url}; check that it can be reached and BROKER_URL is right")]
    Open {
        /// Which log.
        url: BrokerUrl,
        /// What the system said.
        source: Cause,
    },
    /// There is no such topic, and none is made by publishing.
    #[error("there is no topic {0}")]
    UnknownTopic(String),
    /// `STALE_GENERATION`: the partitions have been shared out anew since.
    #[error("STALE_GENERATION: the partition may belong to another member now")]
    StaleGeneration,
    /// Another process has joined under this member's name.
    #[error("another process is this instance now; give each its own INSTANCE")]
    Replaced,
    /// The log is locked for too long, full, or cannot be reached.
    #[error("the log does not do its work")]
    Outage(#[source] Arc<dyn Error + Send + Sync>),
}

/// A log that is open; cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Log(Log),
    Kafka(Kafka),
}

/// What a relay publishes through.
#[derive(Debug)]
pub(crate) enum Producer {
    Log(Log),
    Kafka(Transactional),
}

/// What a partition's task commits with.
#[derive(Debug, Clone)]
pub(crate) enum Committer {
    Log(LogCommitter),
    Kafka(KafkaCommitter),
}

/// What a member of a group brings along.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) group: &'static str,
    /// The same whenever this instance of the service starts.
    pub(crate) member: String,
    pub(crate) topics: Vec<&'static str>,
    pub(crate) timing: Arc<Timing>,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
}

impl Broker {
    /// Opens the log and makes the topics that are missing.
    pub async fn open(
        url: &BrokerUrl,
        timing: &Timing,
        clock: &Clock,
    ) -> Result<Self, BrokerError> {
        let failed = |source: Cause| BrokerError::Open { url: url.clone(), source };
        match url {
            BrokerUrl::Log(path) => {
                make_folder(path).map_err(|error| failed(error.into()))?;
                let log = Log::open(path, timing, clock.clone()).await;
                Ok(Self(Kind::Log(log.map_err(|error| failed(error.into()))?)))
            }
            BrokerUrl::Kafka { servers, prefix } => {
                let kafka = Kafka::open(servers, prefix, timing).await;
                Ok(Self(Kind::Kafka(kafka.map_err(|error| failed(error.into()))?)))
            }
        }
    }

    /// Publishes records, in their order; all are there for good when it returns.
    pub async fn publish(&self, records: Vec<Record>) -> Result<(), BrokerError> {
        match &self.0 {
            Kind::Log(log) => log.publish(records).await,
            Kind::Kafka(kafka) => kafka.publish(records).await,
        }
    }

    /// Records of a partition from an offset on, the oldest first: for operators, and for tests.
    pub async fn read(
        &self,
        slot: &Slot,
        from: i64,
        limit: usize,
    ) -> Result<Vec<Placed>, BrokerError> {
        match &self.0 {
            Kind::Log(log) => log.read(slot, from, limit).await,
            Kind::Kafka(kafka) => kafka.read(slot, from, limit).await,
        }
    }

    /// Waits until members that have ended have left their groups.
    pub async fn close(&self) {
        match &self.0 {
            Kind::Log(log) => {
                if let Err(error) = log.flush().await {
                    tracing::warn!(%error, "the log is left in disorder; its leases run out");
                }
            }
            // Members leave as they end.
            Kind::Kafka(_) => {}
        }
    }

    /// `name` is the same whenever this instance of the service starts.
    pub(crate) fn producer(&self, name: &str) -> Producer {
        match &self.0 {
            Kind::Log(log) => Producer::Log(log.clone()),
            Kind::Kafka(kafka) => Producer::Kafka(Transactional::new(kafka, name)),
        }
    }

    /// Works on partitions until it is told to stop.
    pub(crate) async fn work(&self, joining: Joining, work: Work, stop: impl Future<Output = ()>) {
        match &self.0 {
            Kind::Log(log) => Session::new(log, joining, Lanes::new(work)).run(stop).await,
            Kind::Kafka(kafka) => kafka::run(kafka, joining, work, stop).await,
        }
    }
}

impl Producer {
    /// Gets ready for a batch, which may take time.
    pub(crate) async fn prepare(&mut self) -> Result<(), BrokerError> {
        match self {
            Self::Log(_) => Ok(()),
            Self::Kafka(kafka) => kafka.prepare().await,
        }
    }

    /// Whether a batch can be published at once.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Log(_) => true,
            Self::Kafka(kafka) => kafka.is_ready(),
        }
    }

    /// Publishes all records or none; they are there for good when it returns.
    pub(crate) async fn publish(&mut self, records: Vec<Record>) -> Result<(), BrokerError> {
        match self {
            Self::Log(log) => log.publish(records).await,
            Self::Kafka(kafka) => kafka.publish(records).await,
        }
    }
}

impl Committer {
    /// Notes that everything before `offset` has been handled.
    pub(crate) async fn commit(&self, offset: i64) -> Result<(), BrokerError> {
        match self {
            Self::Log(log) => log.commit(offset).await,
            Self::Kafka(kafka) => kafka.commit(offset).await,
        }
    }
}

fn make_folder(path: &Path) -> Result<(), io::Error> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder),
        None => Ok(()),
    }
}

impl BrokerError {
    pub(crate) fn outage(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Outage(Arc::new(error))
    }
}

impl BrokerUrl {
    /// Reads a `BROKER_URL`.
    pub fn parse(text: &str) -> Result<Self, UnknownBroker> {
        if let Some(rest) = text.strip_prefix("kafka://") {
            let (servers, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let is_server = |server: &str| {
                let port = server.rsplit_once(':').filter(|(host, _)| !host.is_empty());
                port.is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            };
            if !servers.split(',').all(is_server) || !prefix.chars().all(is_of_name) {
                return Err(UnknownBroker);
            }
            return Ok(Self::Kafka { servers: servers.to_owned(), prefix: prefix.to_owned() });
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        let path = path.and_then(|path| path.split('?').next()).filter(|path| !path.is_empty());
        path.map(|path| Self::Log(path.into())).ok_or(UnknownBroker)
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Kafka { servers, prefix } => write!(formatter, "kafka://{servers}/{prefix}"),
        }
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds() {
        let file = BrokerUrl::parse("sqlite://data/broker.db?mode=rwc").unwrap();
        assert_eq!(file, BrokerUrl::Log("data/broker.db".into()));
        let kafka = BrokerUrl::parse("kafka://a:9092,b:9093/test-1.").unwrap();
        let expected =
            BrokerUrl::Kafka { servers: "a:9092,b:9093".to_owned(), prefix: "test-1.".to_owned() };
        assert_eq!(kafka, expected);
        assert_eq!(BrokerUrl::parse(&kafka.to_string()).unwrap(), kafka);
        assert!(BrokerUrl::parse("kafka://a:9092").is_ok());
        for text in ["", "sqlite://", "kafka://", "kafka://a", "kafka://a:1,", "kafka://a:1/b c"] {
            assert_eq!(BrokerUrl::parse(text), Err(UnknownBroker), "{text}");
        }
    }
}
