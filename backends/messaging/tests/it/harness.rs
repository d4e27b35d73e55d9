//! Processes that send and receive, on each kind of log.

use std::future::Future;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use messaging::broker::{Broker, BrokerUrl, Record, Slot};
use messaging::bus::Bus;
use messaging::consumer::{Cause, Consumer, Handler, Received, Trouble};
use messaging::dead_letter;
use messaging::health::Health;
use messaging::metrics::Metrics;
use messaging::outbox::{self, Draft};
use messaging::payload::{TravelEvent, TravelEventKind};
use messaging::relay::{Relay, RelayHandle};
use messaging::topic::Topic;
use service::app::Registry;
use service::clock::Clock;
use service::crash::Crash;
use service::database::{Database, DatabaseUrl, SchemaStep};
use service::settings::Variables;
use service::timing::Timing;
use tempfile::TempDir;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, interval};
use uuid::Uuid;

pub(crate) const TOPIC: Topic = Topic::TravelEvent;
pub(crate) const STEPS: &[SchemaStep] =
    &[SchemaStep { version: 1, name: "messages", sql: messaging::schema::SQL }];
/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// A log, and what every process on it is told.
pub(crate) struct Stage {
    pub(crate) url: BrokerUrl,
    pub(crate) timing: Arc<Timing>,
    pub(crate) folder: TempDir,
}

/// What a process has when it runs.
pub(crate) struct Process {
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
    tasks: Mutex<JoinSet<()>>,
}

/// What a test does with a message.
pub(crate) type Deed = Arc<dyn Fn(&Received) -> Result<(), Trouble> + Send + Sync>;

/// Notes every attempt, then does what the test says.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) seen: Seen,
    pub(crate) handed_over: Seen,
    pub(crate) deed: Deed,
    /// Messages with these keys are never done.
    pub(crate) stuck: Arc<Mutex<Vec<String>>>,
    /// How many messages are stuck.
    pub(crate) working: Arc<AtomicUsize>,
}

/// Messages as they came: correlation id and title.
pub(crate) type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// Counts a message as stuck until it is dropped.
struct Working(Arc<AtomicUsize>);

impl Working {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Handler for Listener {
    const GROUP: &'static str = "notification";
    const TOPICS: &'static [Topic] = &[TOPIC];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        let event: TravelEvent = record.payload()?;
        let key = record.envelope.correlation_id.clone();
        self.seen.lock().unwrap().push((key.clone(), event.title));
        if self.stuck.lock().unwrap().contains(&key) {
            let _working = Working::new(&self.working);
            std::future::pending::<()>().await;
        }
        (self.deed)(record)
    }

    async fn hand_over(&self, record: &Received, _cause: &Cause) -> Result<(), Trouble> {
        let event: TravelEvent = record.payload()?;
        let key = record.envelope.correlation_id.clone();
        self.handed_over.lock().unwrap().push((key, event.title));
        Ok(())
    }
}

impl Listener {
    pub(crate) fn new(
        deed: impl Fn(&Received) -> Result<(), Trouble> + Send + Sync + 'static,
    ) -> Self {
        Self {
            seen: Seen::default(),
            handed_over: Seen::default(),
            deed: Arc::new(deed),
            stuck: Arc::default(),
            working: Arc::default(),
        }
    }

    pub(crate) fn content() -> Self {
        Self::new(|_| Ok(()))
    }

    pub(crate) fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn titles(&self, key: &str) -> Vec<String> {
        let seen = self.seen();
        seen.into_iter().filter(|(known, _)| known == key).map(|(_, title)| title).collect()
    }
}

pub(crate) fn timing() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        step_retry: vec![ms(10), ms(20), ms(40)],
        pause_backoff: vec![ms(30), ms(60), ms(120)],
        inplace_budget: Duration::from_secs(10),
        max_poll_interval: Duration::from_secs(30),
        revoke_wait: ms(700),
        relay_poll: ms(20),
        relay_lease: ms(700),
        outbox_age: ms(500),
        log_heartbeat: ms(150),
        log_lease: ms(900),
        log_busy: ms(500),
        ..Timing::default()
    }
}

/// Runs a test on the embedded log and, where `KAFKA_BROKERS` names one, on Kafka.
pub(crate) async fn on_each_broker(test: impl AsyncFn(Stage)) {
    let folder = TempDir::new().unwrap();
    let url = BrokerUrl::Log(folder.path().join("broker.db"));
    test(Stage { url, timing: Arc::new(timing()), folder }).await;

    let variables = Variables::of_process();
    match variables.get("KAFKA_BROKERS") {
        Some(servers) => {
            let prefix = format!("t{}.", Uuid::new_v4().simple());
            let url = BrokerUrl::parse(&format!("kafka://{servers}/{prefix}")).unwrap();
            let folder = TempDir::new().unwrap();
            test(Stage { url, timing: Arc::new(timing()), folder }).await;
        }
        None if variables.get("CI") == Some("true") => {
            panic!("KAFKA_BROKERS is not set; with CI=true set it to host:port")
        }
        None => {
            writeln!(io::stderr(), "skipped: no KAFKA_BROKERS, tested on the embedded log only")
                .unwrap();
        }
    }
}

/// Polls until something holds.
#[track_caller]
pub(crate) fn eventually(
    what: &'static str,
    mut holds: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + LIMIT;
        let mut ticks = interval(Duration::from_millis(10));
        while !holds().await {
            assert!(Instant::now() < deadline, "{place}: {what} did not come true");
            ticks.tick().await;
        }
    }
}

impl Stage {
    pub(crate) async fn process(&self, instance: &str) -> Process {
        let registry = Registry::new();
        let clock = Clock::system();
        let bus = Bus {
            service: "planner",
            instance: instance.to_owned(),
            broker: Broker::open(&self.url, &self.timing, &clock).await.unwrap(),
            timing: Arc::clone(&self.timing),
            clock,
            crash: Crash::default(),
            metrics: Metrics::new(&registry).unwrap(),
            health: Health::default(),
        };
        Process { bus, registry, tasks: Mutex::default() }
    }

    pub(crate) async fn database(&self) -> Database {
        let file = DatabaseUrl::Sqlite(self.folder.path().join("service.db"));
        Database::open(&file, STEPS).await.unwrap()
    }
}

impl Process {
    pub(crate) fn consume(&self, listener: &Listener) -> AbortHandle {
        let consumer = Consumer::new(&self.bus, listener.clone()).unwrap();
        self.tasks.lock().unwrap().spawn(consumer.run())
    }

    pub(crate) fn consume_until(
        &self,
        listener: &Listener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        let consumer = Consumer::new(&self.bus, listener.clone()).unwrap();
        self.tasks.lock().unwrap().spawn(consumer.run_until(stop))
    }

    pub(crate) fn relay(&self, database: &Database) -> RelayHandle {
        let relay = Relay::new(&self.bus, database);
        let handle = relay.handle();
        self.tasks.lock().unwrap().spawn(relay.run());
        handle
    }

    /// Ends as a process that is told to.
    pub(crate) async fn end(self) {
        let mut tasks = self.tasks.into_inner().unwrap();
        tasks.shutdown().await;
        self.bus.broker.close().await;
    }

    pub(crate) async fn publish(&self, records: Vec<Record>) {
        self.bus.broker.publish(records).await.unwrap();
    }

    /// Every record of the topic.
    pub(crate) async fn records(&self, topic: &str, partitions: i32) -> Vec<Record> {
        let mut records = Vec::new();
        for partition in 0..partitions {
            let slot = Slot { topic: topic.into(), partition };
            let placed = self.bus.broker.read(&slot, 0, 10_000).await.unwrap();
            records.extend(placed.into_iter().map(|placed| placed.record));
        }
        records
    }

    pub(crate) async fn dead_letters(&self) -> Vec<Record> {
        let letters = dead_letter::list(&self.bus.broker, TOPIC, 0, 100).await.unwrap();
        letters.into_iter().map(|placed| placed.record).collect()
    }

    /// The sum of a metric over its labels.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let value = |metric: &prometheus::proto::Metric| {
            metric.get_counter().get_value() + metric.get_gauge().get_value()
        };
        let sum: f64 = family.map_or(0.0, |family| family.get_metric().iter().map(value).sum());
        format!("{sum:.0}").parse().unwrap()
    }
}

pub(crate) fn event(title: &str) -> TravelEvent {
    TravelEvent {
        kind: TravelEventKind::Created,
        travel_id: Some(7),
        member_id: 42,
        title: title.to_owned(),
        start_date: "2025-05-02".parse().unwrap(),
        end_date: "2025-05-03".parse().unwrap(),
        region_names: vec!["Busan".to_owned()],
        conflicting_travel_id: None,
    }
}

/// A record as a relay publishes it.
pub(crate) fn record(key: &str, title: &str) -> Record {
    let body = serde_json::json!({
        "id": Uuid::now_v7(), "type": "TravelCreated", "version": 1,
        "occurredAt": Timestamp::now(), "producer": "planner", "correlationId": key,
        "payload": event(title),
    });
    raw(key, body.to_string().as_bytes())
}

pub(crate) fn raw(key: &str, body: &[u8]) -> Record {
    Record {
        topic: TOPIC.name().to_owned(),
        key: Some(key.as_bytes().to_vec()),
        headers: vec![("event-type".to_owned(), "TravelCreated".to_owned())],
        body: body.to_vec(),
    }
}

/// Appends one message in a transaction of its own.
pub(crate) async fn append(database: &Database, key: &str, title: &str) -> Uuid {
    let payload = event(title);
    let draft = Draft {
        key,
        correlation_id: key,
        causation_id: None,
        member_id: Some(42),
        payload: &payload,
    };
    let mut transaction = database.write().await.unwrap();
    let id = outbox::append(&mut transaction, draft, Timestamp::now()).await.unwrap();
    transaction.commit().await.unwrap();
    id
}

pub(crate) fn title_of(record: &Record) -> String {
    let body: serde_json::Value = serde_json::from_slice(&record.body).unwrap();
    body["payload"]["title"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn id_of(record: &Record) -> String {
    let body: serde_json::Value = serde_json::from_slice(&record.body).unwrap();
    body["id"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn header<'a>(record: &'a Record, name: &str) -> &'a str {
    let found = record.headers.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}
