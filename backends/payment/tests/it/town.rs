//! The payment service as its neighbours see it: a payment gateway, the reservation service that
//! sends commands and reads results, and processes that can be killed.

use std::io::{self, Write};
use std::iter;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use messaging::broker::{Broker, BrokerUrl, Record, Slot};
use messaging::envelope::Envelope;
use messaging::payload::{Payload, PaymentCancelRequested, PaymentConfirmRequested, RefundReason};
use messaging::topic::Topic;
use serde_json::{Value, json};
use service::clock::Clock;
use service::settings::Variables;
use service::testing::{Answer, Process, Signer};
use service::timing::Timing;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trial::backing::Backing;
use trial::profile::SCALED;
use uuid::Uuid;

use crate::BINARY;
use crate::fake_pg::FakePg;

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);
pub(crate) const TOTAL: i64 = 30_000;
pub(crate) const MEMBER: i64 = 42;

pub(crate) struct Town {
    pub(crate) pg: FakePg,
    signer: Signer,
    broker: Broker,
    runtime: Runtime,
    database: String,
    folder: TempDir,
}

/// A payment that the client has authenticated.
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) payment_id: Uuid,
    pub(crate) key: String,
}

impl Town {
    /// On embedded stores.
    pub(crate) fn new() -> Self {
        Self::on(&Backing::embedded())
    }

    /// On a `PostgreSQL` server, where `DATABASE_URL` names one.
    pub(crate) fn on_postgres() -> Option<Self> {
        let variables = Variables::of_process();
        let url = variables.get("DATABASE_URL").filter(|url| url.starts_with("postgres"));
        if url.is_none() {
            assert_ne!(variables.get("CI"), Some("true"), "set DATABASE_URL to a postgres:// URL");
            drop(writeln!(io::stderr(), "skipped: no DATABASE_URL (postgres://…)"));
        }
        url.map(|url| Self::on(&Backing::real(url, "", None)))
    }

    fn on(backing: &Backing) -> Self {
        let folder = TempDir::new().unwrap();
        let database = backing.database("payment", folder.path()).unwrap();
        let runtime = Runtime::new().unwrap();
        let url = BrokerUrl::Log(folder.path().join("broker.db"));
        let (timing, clock) = (Timing::default(), Clock::system());
        let broker = runtime.block_on(Broker::open(&url, &timing, &clock)).unwrap();
        let (pg, signer) = (FakePg::start(), Signer::new().unwrap());
        Self { pg, signer, broker, runtime, database, folder }
    }

    /// Starts the service and waits until it serves.
    pub(crate) fn serving(&self, more: &[(&str, &str)]) -> Process {
        let broker = format!("sqlite://{}", self.folder.path().join("broker.db").display());
        let pg = self.pg.base();
        let mut variables = SCALED.to_vec();
        variables.extend([
            ("DATABASE_URL", self.database.as_str()),
            ("BROKER_URL", broker.as_str()),
            ("PG_URL", pg.as_str()),
            ("PG_SECRET_KEY", "test_sk_of_the_town"),
            ("GATEWAY_PROOF_KEYS", self.signer.jwks()),
            ("TEST_MODE", "1"),
        ]);
        variables.extend(more);
        Process::serving(BINARY, &variables).unwrap()
    }

    /// Stops a process where it holds no lock that others need: a stopped writer of a file is an
    /// outage of the file, which is another scenario.
    pub(crate) fn stall(&self, process: &Process) {
        wait_until("a moment without a lock", || {
            process.signal("STOP").unwrap();
            let is_free = self.files().all(|file| self.runtime.block_on(is_free(&file)));
            if !is_free {
                process.signal("CONT").unwrap();
            }
            is_free
        });
    }

    /// The files that processes share.
    fn files(&self) -> impl Iterator<Item = String> {
        let log = format!("sqlite://{}", self.folder.path().join("broker.db").display());
        let store = Some(self.database.clone()).filter(|url| url.starts_with("sqlite:"));
        iter::once(log).chain(store)
    }

    /// Asks as the reservation service.
    pub(crate) fn try_ask(
        &self,
        process: &Process,
        method: &str,
        target: &str,
        body: &str,
    ) -> Option<Answer> {
        let headers = self.signer.service("reservation", method, target, body.as_bytes());
        process.request(method, target, &headers, body).ok()
    }

    pub(crate) fn ask(&self, process: &Process, method: &str, target: &str, body: &str) -> Answer {
        self.try_ask(process, method, target, body).unwrap()
    }

    /// Announces something as the payment gateway does.
    pub(crate) fn announce(&self, process: &Process, body: &Value) -> Answer {
        let target = "/v1/webhooks/toss";
        let headers = self.signer.gateway("POST", target, None);
        process.request("POST", target, &headers, &body.to_string()).unwrap()
    }

    /// What creates a payment.
    pub(crate) fn wish(order_id: Uuid) -> String {
        let body = json!({
            "orderId": order_id, "orderName": "달빛호텔", "memberId": MEMBER, "totalAmount": TOTAL,
            "currency": "KRW", "metadata": { "checkInDate": "2099-01-01" },
        });
        body.to_string()
    }

    /// Creates a payment whose client authenticates at once.
    pub(crate) fn order(&self, process: &Process) -> Order {
        let order_id = Uuid::now_v7();
        let created = self.ask(process, "POST", "/v1/payments", &Self::wish(order_id));
        assert_eq!(created.status, 201, "{}", created.text);
        let payment_id = created.json["payload"]["paymentId"].as_str().unwrap().parse().unwrap();
        let key = self.pg.check_out(&order_id.to_string(), TOTAL);
        Order { id: order_id, payment_id, key }
    }

    /// The payment of an order.
    pub(crate) fn payment(&self, process: &Process, order: &Order) -> Value {
        let target = format!("/v1/payments/orders/{}", order.id);
        self.ask(process, "GET", &target, "").json["payload"].clone()
    }

    /// The status of an order once it is `expected`.
    pub(crate) fn wait_for_status(&self, process: &Process, order: &Order, expected: &str) {
        let what = format!("status {expected}");
        let found = || self.payment(process, order)["status"] == expected;
        process.wait_until(&what, found).unwrap();
    }

    pub(crate) fn confirm(order: &Order) -> PaymentConfirmRequested {
        PaymentConfirmRequested {
            member_id: MEMBER,
            payment_id: order.payment_id,
            payment_key: order.key.clone(),
            order_id: order.id,
            order_name: "달빛호텔".to_owned(),
            total_amount: TOTAL,
            currency: "KRW".to_owned(),
            approve_by: jiff::Timestamp::now() + Duration::from_mins(5),
        }
    }

    pub(crate) fn cancel(order: &Order, refund_id: Uuid) -> PaymentCancelRequested {
        PaymentCancelRequested {
            refund_id,
            payment_id: order.payment_id,
            order_id: order.id,
            member_id: MEMBER,
            cancel_amount: TOTAL,
            reason: "changed my mind".to_owned(),
            reason_code: RefundReason::Customer,
        }
    }

    /// Sends a command; its message id.
    pub(crate) fn send<P: Payload>(&self, order: &Order, payload: &P) -> Uuid {
        let id = Uuid::now_v7();
        self.send_as(id, order, payload);
        id
    }

    /// Sends a command under an id, which may have been sent before.
    pub(crate) fn send_as<P: Payload>(&self, id: Uuid, order: &Order, payload: &P) {
        let key = order.id.to_string();
        let envelope = Envelope {
            id,
            kind: payload.kind().to_owned(),
            version: 1,
            occurred_at: jiff::Timestamp::now(),
            producer: P::TOPIC.producer().to_owned(),
            correlation_id: key.clone(),
            causation_id: None,
            traceparent: None,
            member_id: Some(MEMBER),
            payload: serde_json::to_value(payload).unwrap(),
        };
        let record = Record {
            topic: P::TOPIC.name().to_owned(),
            key: Some(key.into_bytes()),
            headers: envelope.headers(),
            body: serde_json::to_vec(&envelope).unwrap(),
        };
        self.runtime.block_on(self.broker.publish(vec![record])).unwrap();
    }

    /// What was published about an order on a topic, each message once, the oldest first.
    pub(crate) fn messages(&self, topic: Topic, order: &Order) -> Vec<Envelope> {
        let mut found: Vec<Envelope> = Vec::new();
        for partition in 0..topic.partitions() {
            let slot = Slot { topic: Arc::from(topic.name()), partition };
            let records = self.runtime.block_on(self.broker.read(&slot, 0, 1000)).unwrap();
            for placed in records {
                let envelope: Envelope = serde_json::from_slice(&placed.record.body).unwrap();
                let is_new = found.iter().all(|known| known.id != envelope.id);
                if envelope.correlation_id == order.id.to_string() && is_new {
                    found.push(envelope);
                }
            }
        }
        found
    }

    /// Results of confirms or cancels of an order, as `RESULT CODE`.
    pub(crate) fn results(&self, topic: Topic, order: &Order) -> Vec<String> {
        let messages = self.messages(topic, order);
        let texts = messages.iter().map(|message| {
            let member = |name: &str| message.payload[name].as_str().unwrap().to_owned();
            format!("{} {}", member("result"), member("code"))
        });
        texts.collect()
    }

    /// Waits until a result was published; all of them.
    pub(crate) fn wait_for_result(&self, topic: Topic, order: &Order, text: &str) -> Vec<String> {
        let mut results = Vec::new();
        wait_until(text, || {
            results = self.results(topic, order);
            results.iter().any(|result| result == text)
        });
        results
    }

    /// Waits until a group has dealt with everything, in whichever of these processes.
    pub(crate) fn wait_for_group(&self, processes: &[&Process], topic: Topic, group: &str) {
        let group = format!("group=\"{group}\"");
        for partition in 0..topic.partitions() {
            let slot = Slot { topic: Arc::from(topic.name()), partition };
            let records = self.runtime.block_on(self.broker.read(&slot, 0, 1000)).unwrap();
            let Some(last) = records.last() else { continue };
            let labels = [group.clone(), format!("partition=\"{partition}\"")];
            let committed = |process: &Process| {
                let text = process.get("/metrics").unwrap().text;
                let mut lines = text.lines().filter(|line| line.starts_with("offset_committed{"));
                let line = lines.find(|line| labels.iter().all(|label| line.contains(label)));
                line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
            };
            wait_until("the offset", || {
                processes.iter().any(|process| committed(process) > last.offset)
            });
        }
    }
}

pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "real processes have no clock but the machine's")]
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        #[expect(clippy::disallowed_methods, reason = "the same")]
        let now = Instant::now();
        assert!(now < deadline, "{what} never came");
        thread::yield_now();
    }
}

/// Whether nobody is writing a file.
async fn is_free(url: &str) -> bool {
    install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 0").execute(&mut connection).await.unwrap();
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await;
    connection.close().await.unwrap();
    begun.is_ok()
}
