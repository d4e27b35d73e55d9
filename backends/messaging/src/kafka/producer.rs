//! A relay's producer: each batch is a transaction (P4, KF-11).

use std::fmt;
use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use tokio::time::Instant;

use super::{Kafka, blocking, millis, producing, write_headers};
use crate::broker::{BrokerError, Record};

/// Between looks at what is on its way. The client's own waits burn the processor for their last
/// millisecond.
const LOOK: Duration = Duration::from_micros(500);

type Client = BaseProducer<DefaultProducerContext>;

/// Publishes batches whole or not at all.
pub(crate) struct Transactional {
    kafka: Kafka,
    id: String,
    /// Nothing before the first batch, and after an error that ends a producer.
    client: Option<Client>,
}

impl Transactional {
    /// `name` stays the same over restarts: the next producer with it ends what this one left open.
    pub(crate) fn new(kafka: &Kafka, name: &str) -> Self {
        Self { kafka: kafka.clone(), id: kafka.name(name), client: None }
    }

    /// Whether the producer is open.
    pub(crate) fn is_ready(&self) -> bool {
        self.client.is_some()
    }

    /// Opens the producer, unless it is open: this ends what an earlier one left open.
    pub(crate) async fn prepare(&mut self) -> Result<(), BrokerError> {
        if self.client.is_none() {
            let (kafka, id) = (self.kafka.clone(), self.id.clone());
            let client = blocking(move || open(&kafka, &id)).await;
            self.client = Some(client.map_err(BrokerError::outage)?);
        }
        Ok(())
    }

    /// Publishes all records or none.
    pub(crate) async fn publish(&mut self, records: Vec<Record>) -> Result<(), BrokerError> {
        self.prepare().await?;
        let (kafka, client) = (self.kafka.clone(), self.client.take());
        let publish = move || {
            let client = client.ok_or(KafkaError::Canceled)?;
            let outcome = transact(&kafka, &client, &records);
            let is_usable = outcome.is_ok() || give_up(&kafka, &client);
            Ok((is_usable.then_some(client), outcome))
        };
        let (client, outcome) = blocking(publish).await.map_err(BrokerError::outage)?;
        self.client = client;
        outcome.map_err(BrokerError::outage)
    }
}

impl fmt::Debug for Transactional {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transactional").field("id", &self.id).finish_non_exhaustive()
    }
}

fn open(kafka: &Kafka, id: &str) -> Result<Client, KafkaError> {
    let timeout = kafka.0.timing.transaction_timeout;
    let client: Client = producing(&kafka.0.config)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", millis(timeout))
        .create()?;
    client.init_transactions(timeout)?;
    Ok(client)
}

#[expect(clippy::disallowed_methods, reason = "the thread is one that may block")]
fn transact(kafka: &Kafka, client: &Client, records: &[Record]) -> Result<(), KafkaError> {
    client.begin_transaction()?;
    for record in records {
        let topic = kafka.name(&record.topic);
        let outgoing: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&topic).payload(record.body.as_slice()).headers(write_headers(record));
        let outgoing = match &record.key {
            Some(key) => outgoing.key(key.as_slice()),
            None => outgoing,
        };
        client.send(outgoing).map_err(|(error, _)| error)?;
    }
    let limit = kafka.0.timing.transaction_timeout;
    let deadline = Instant::now() + limit;
    while client.in_flight_count() > 0 && Instant::now() < deadline {
        thread::sleep(LOOK);
        client.poll(Duration::ZERO);
    }
    client.commit_transaction(limit)
}

/// Ends a transaction that failed; whether the producer can begin another.
fn give_up(kafka: &Kafka, client: &Client) -> bool {
    match client.abort_transaction(kafka.0.timing.transaction_timeout) {
        Ok(()) => true,
        // None had begun, and none can while the producer is in that state.
        Err(KafkaError::Transaction(error)) if error.code() == RDKafkaErrorCode::State => false,
        Err(error) => {
            tracing::debug!(%error, "a transaction is left to its time limit");
            false
        }
    }
}
