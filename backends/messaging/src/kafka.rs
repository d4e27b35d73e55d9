//! Apache Kafka, with the same promises as the embedded log.
//!
//! | file        | holds                                                                 |
//! |-------------|-----------------------------------------------------------------------|
//! | `producer`  | a relay's transactions                                                |
//! | `session`   | a member at work                                                      |

mod producer;
mod session;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use service::code::Code;
use service::timing::Timing;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

pub(crate) use self::producer::Transactional;
pub(crate) use self::session::{KafkaCommitter, run};
use crate::broker::{BrokerError, Placed, Record, Slot};
use crate::topic::{DEAD_LETTERS_KEPT, Topic};

/// How long an operator's question may take.
const ASK_LIMIT: Duration = Duration::from_secs(10);
/// How many servers keep a copy of each record, where there are so many.
const COPIES: usize = 3;
/// How many of them must have it before it counts.
const COPIES_NEEDED: &str = "2";

/// Kafka as one process sees it; cheap to clone.
#[derive(Clone)]
pub(crate) struct Kafka(Arc<Inner>);

struct Inner {
    config: ClientConfig,
    prefix: String,
    timing: Timing,
    /// Publishes what is no relay's, dead letters: it is opened for the first one.
    producer: Mutex<Option<FutureProducer>>,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kafka").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

impl Kafka {
    /// Makes every topic that is missing.
    pub(crate) async fn open(
        servers: &str,
        prefix: &str,
        timing: &Timing,
    ) -> Result<Self, KafkaError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers).set("client.id", "tollgate");
        let kafka = Self(Arc::new(Inner {
            config,
            prefix: prefix.to_owned(),
            timing: timing.clone(),
            producer: Mutex::default(),
        }));
        kafka.make_topics().await?;
        Ok(kafka)
    }

    async fn make_topics(&self) -> Result<(), KafkaError> {
        let admin: AdminClient<DefaultClientContext> = self.0.config.create()?;
        let asked = Arc::new(admin);
        let asking = Arc::clone(&asked);
        let metadata = blocking(move || asking.inner().fetch_metadata(None, ASK_LIMIT)).await?;
        let copies = metadata.brokers().len().clamp(1, COPIES);
        let known: Vec<_> = metadata.topics().iter().map(|topic| topic.name().to_owned()).collect();
        let missing: Vec<_> =
            self.topics().into_iter().filter(|topic| !known.contains(&topic.name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let count = i32::try_from(copies).unwrap_or(1);
        let new = missing.iter().map(|topic| {
            let new = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(count));
            let new = new.set("retention.ms", &topic.retention);
            if copies == COPIES { new.set("min.insync.replicas", COPIES_NEEDED) } else { new }
        });
        let new: Vec<_> = new.collect();
        let options =
            AdminOptions::new().request_timeout(Some(ASK_LIMIT)).operation_timeout(Some(ASK_LIMIT));
        for made in asked.create_topics(&new, &options).await? {
            match made {
                // Another process may have been faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code)),
            }
        }
        Ok(())
    }

    fn topics(&self) -> Vec<Wanted> {
        let topic = |name: &str, partitions, kept: Duration| Wanted {
            name: self.name(name),
            partitions,
            retention: kept.as_millis().to_string(),
        };
        Topic::ALL
            .iter()
            .flat_map(|each| {
                [
                    topic(each.name(), each.partitions(), each.retention()),
                    topic(&each.dead_letters(), 1, DEAD_LETTERS_KEPT),
                ]
            })
            .collect()
    }

    /// The name of a topic, a group or a transaction as Kafka knows it.
    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// Publishes records; all are there for good when it returns.
    pub(crate) async fn publish(&self, records: Vec<Record>) -> Result<(), BrokerError> {
        let producer = self.producer().map_err(BrokerError::outage)?;
        let mut deliveries = Vec::with_capacity(records.len());
        for record in &records {
            let topic = self.name(&record.topic);
            let sent = producer.send_result(outgoing(&topic, record));
            deliveries.push(sent.map_err(|(error, _)| BrokerError::outage(error))?);
        }
        for delivery in deliveries {
            let delivered = delivery.await.map_err(BrokerError::outage)?;
            delivered.map_err(|(error, _)| BrokerError::outage(error))?;
        }
        Ok(())
    }

    fn producer(&self) -> Result<FutureProducer, KafkaError> {
        let mut open = self.0.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*open {
            return Ok(producer.clone());
        }
        let producer: FutureProducer = producing(&self.0.config)
            .set("delivery.timeout.ms", millis(self.0.timing.transaction_timeout))
            .create()?;
        *open = Some(producer.clone());
        Ok(producer)
    }

    /// Records of a partition, the oldest first.
    pub(crate) async fn read(
        &self,
        slot: &Slot,
        from: i64,
        limit: usize,
    ) -> Result<Vec<Placed>, BrokerError> {
        let mut config = self.consuming("operations");
        config.set("enable.partition.eof", "true");
        let (kafka, slot) = (self.clone(), slot.clone());
        let read = move || kafka.read_blocking(&config, &slot, from, limit);
        blocking(read).await.map_err(BrokerError::outage)
    }

    fn read_blocking(
        &self,
        config: &ClientConfig,
        slot: &Slot,
        from: i64,
        limit: usize,
    ) -> Result<Vec<Placed>, KafkaError> {
        let consumer: BaseConsumer = config.create()?;
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_offset(
            &self.name(&slot.topic),
            slot.partition,
            Offset::Offset(from),
        )?;
        consumer.assign(&wanted)?;
        let deadline = Instant::now() + ASK_LIMIT;
        let mut records = Vec::new();
        while records.len() < limit {
            let left = deadline.saturating_duration_since(Instant::now());
            match consumer.poll(left) {
                Some(Ok(message)) => records.push(self.placed(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => return Err(error),
                None => return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)),
            }
        }
        Ok(records)
    }

    fn placed(&self, message: &impl Message) -> Placed {
        let name = message.topic();
        let record = Record {
            topic: name.strip_prefix(self.0.prefix.as_str()).unwrap_or(name).to_owned(),
            key: message.key().map(<[u8]>::to_vec),
            headers: message.headers().map(read_headers).unwrap_or_default(),
            body: message.payload().unwrap_or_default().to_vec(),
        };
        Placed { partition: message.partition(), offset: message.offset(), record }
    }

    /// What every consumer is told (C1).
    fn consuming(&self, group: &str) -> ClientConfig {
        let mut config = self.0.config.clone();
        config
            .set("group.id", self.name(group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed");
        config
    }
}

/// A topic that must be there.
struct Wanted {
    name: String,
    partitions: i32,
    retention: String,
}

/// What every producer is told (P4).
fn producing(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "1");
    config
}

fn outgoing<'a>(topic: &'a str, record: &'a Record) -> FutureRecord<'a, [u8], [u8]> {
    let outgoing = FutureRecord::to(topic).payload(record.body.as_slice());
    let outgoing = outgoing.headers(write_headers(record));
    match &record.key {
        Some(key) => outgoing.key(key.as_slice()),
        None => outgoing,
    }
}

fn write_headers(record: &Record) -> OwnedHeaders {
    record.headers.iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
        headers.insert(Header { key: name, value: Some(value) })
    })
}

fn read_headers(headers: &impl Headers) -> Vec<(String, String)> {
    let read = |header: Header<'_, &[u8]>| {
        let value = String::from_utf8_lossy(header.value.unwrap_or_default());
        (header.key.to_owned(), value.into_owned())
    };
    headers.iter().map(read).collect()
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// Runs what blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    // A panic of the library is an outage like others.
    spawn_blocking(work).await.unwrap_or(Err(KafkaError::Canceled))
}
