//! What every scenario stands on.

use std::future::Future;
use std::io::{self, Write};
use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{Timestamp, ToSpan, Zoned};
use messaging::broker::Record;
use messaging::envelope::Envelope;
use messaging::payload::Payload;
use reqwest::Method;
use serde_json::{Value, json};
use service::settings::Variables;
use tokio::time::{Instant, interval};
use trial::backing::Backing;
use trial::booker::{Booker, Pending, Reply, Wish};
use trial::platform::{Platform, Service};
use trial::profile::SCALED;
use uuid::Uuid;

/// Longer than anything takes with the profile of trials on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Five processes are enough for two cores.
static TURN: Mutex<()> = Mutex::new(());

/// A platform with a customer.
pub(crate) struct Stage {
    pub(crate) platform: Platform,
    pub(crate) booker: Booker,
}

/// Runs a scenario on embedded parts, and on the servers that the environment names.
pub(crate) fn on_each(scenario: impl AsyncFn(&Stage) + Copy) {
    run(Backing::embedded(), scenario);
    let variables = Variables::of_process();
    match Backing::named(&variables) {
        Some(backing) => run(backing, scenario),
        None if variables.get("CI") == Some("true") => {
            panic!("with CI=true set DATABASE_URL and KAFKA_BROKERS")
        }
        None => writeln!(io::stderr(), "skipped: no DATABASE_URL and KAFKA_BROKERS, embedded only")
            .unwrap(),
    }
}

fn run(backing: Backing, scenario: impl AsyncFn(&Stage) + Copy) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let platform = Platform::start(backing, SCALED).unwrap();
    let booker = platform.booker(42).unwrap();
    let stage = Stage { platform, booker };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(scenario(&stage));
}

/// Polls until something is there.
#[track_caller]
pub(crate) fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let place = Location::caller();
    async move {
        let deadline = Instant::now() + LIMIT;
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?} ({place})");
        }
    }
}

impl Stage {
    /// A room and two nights that are free, from `ahead` days on; never the same room twice when
    /// `number` differs.
    pub(crate) async fn wish(&self, number: usize) -> Wish {
        let today = Zoned::now().in_tz("Asia/Seoul").unwrap().date();
        let (check_in, check_out) = (today + 14.days(), today + 16.days());
        let place = 1 + number % 60;
        let target = format!("/v1/place/{place}/rooms?checkIn={check_in}&checkOut={check_out}");
        let rooms = self.booker.ask(Method::GET, &target, None, None).await.unwrap();
        let rooms = rooms.payload().as_array().unwrap_or_else(|| panic!("{rooms}")).clone();
        let free: Vec<_> = rooms.iter().filter(|room| room["available"] == true).collect();
        let room = free[(number / 60) % free.len()];
        Wish {
            room_id: room["roomId"].as_i64().unwrap(),
            check_in: check_in.to_string(),
            check_out: check_out.to_string(),
        }
    }

    /// A reservation that waits for its payment. A customer sends the same request again when the
    /// answer is that somebody was too slow, as may be on a busy machine.
    pub(crate) async fn pending(&self, number: usize) -> Pending {
        let wish = self.wish(number).await;
        let key = fastrand::u64(..).to_string();
        let reply = eventually("a reservation is made", async || {
            let reply = self.booker.reserve(&wish, Some(&key)).await.ok()?;
            (!reply.is_passing()).then_some(reply)
        })
        .await;
        assert_eq!(reply.status, 201, "{reply}");
        assert_eq!(reply.text("/status"), "PENDING_PAYMENT", "{reply}");
        reply.pending().unwrap()
    }

    /// A reservation whose payment was approved by the booker.
    pub(crate) async fn approved(&self, number: usize) -> Pending {
        let pending = self.pending(number).await;
        self.approve(&pending).await;
        pending
    }

    pub(crate) async fn approve(&self, pending: &Pending) {
        let key = self.booker.check_out(pending).await.unwrap();
        let reply = self.booker.approve(pending, &key).await.unwrap();
        assert_eq!(reply.status, 202, "{reply}");
    }

    /// Waits for a state, and for what became of the money.
    pub(crate) async fn wait_for(&self, id: &str, status: &str, refund: &str) -> Reply {
        let mut last = None;
        let what = format!("{id} {status} {refund}");
        let found = eventually(&what, async || {
            let Ok(reply) = self.booker.look(id).await else { return None };
            let is_there = reply.text("/status") == status && reply.text("/refundStatus") == refund;
            if last.as_deref() != Some(reply.text("/status")) {
                last = Some(reply.text("/status").to_owned());
                writeln!(io::stderr(), "{id}: {}", reply.text("/status")).unwrap();
            }
            is_there.then_some(reply)
        });
        found.await
    }

    /// The booker's own reservations, the newest first.
    pub(crate) async fn reservations(&self) -> Vec<Value> {
        let reply = self.booker.ask(Method::GET, "/v1/reservation", None, None).await.unwrap();
        reply.payload().as_array().unwrap_or_else(|| panic!("{reply}")).clone()
    }

    /// What an operator sees of a reservation.
    pub(crate) async fn operations(&self, id: &str) -> Value {
        let target = format!("/internal/v1/reservations/{id}");
        let reply = self.platform.ask(Service::Reservation, Method::GET, &target, None).await;
        reply.unwrap().payload().clone()
    }

    /// The state of the booking at the CMS; `NONE` when it has never heard of it.
    pub(crate) async fn cms_status(&self, id: &str) -> String {
        let target = format!("/v1/reservations/{id}");
        let reply = self.platform.ask_cms(Method::GET, &target, None).await.unwrap();
        if reply.status == 404 { "NONE".to_owned() } else { reply.text("/status").to_owned() }
    }

    /// What the payment gateway's ledger has of an order.
    async fn order(&self, id: &str) -> Option<Value> {
        let orders = self.platform.ask_pg(Method::GET, "/admin/ledger", None).await.unwrap();
        let orders = orders.body.as_array().unwrap_or_else(|| panic!("{orders}"));
        orders.iter().find(|order| order["orderId"] == id).cloned()
    }

    /// What the payment gateway charged for an order, and what it returned.
    pub(crate) async fn money(&self, id: &str) -> (i64, i64) {
        let order = self.order(id).await;
        order.map_or((0, 0), |order| {
            (order["charged"].as_i64().unwrap(), order["refunded"].as_i64().unwrap())
        })
    }

    /// How often the ledger charged an order.
    pub(crate) async fn charges(&self, id: &str) -> usize {
        self.order(id).await.map_or(0, |order| order["charges"].as_array().unwrap().len())
    }

    /// Waits until the payment gateway was asked for money so many times.
    pub(crate) async fn asked_for_money(&self, times: usize) {
        eventually("the payment gateway is asked for the money", async || {
            let calls = self.platform.ask_pg(Method::GET, "/admin/calls", None).await.unwrap();
            let calls = calls.body.as_array().unwrap_or_else(|| panic!("{calls}"));
            let confirms = calls.iter().filter(|call| call["operation"] == "confirm").count();
            (confirms >= times).then_some(())
        })
        .await;
    }

    /// The payment of an order, as payment knows it.
    pub(crate) async fn payment_status(&self, id: &str) -> String {
        let target = format!("/v1/payments/orders/{id}");
        let reply = self.platform.ask(Service::Payment, Method::GET, &target, None).await.unwrap();
        reply.text("/status").to_owned()
    }

    /// Makes the CMS behave badly.
    pub(crate) async fn cms_fault(&self, fault: Value) {
        let reply = self.platform.ask_cms_admin(Method::POST, "/admin/faults", Some(fault)).await;
        let reply = reply.unwrap();
        assert!(reply.status.is_success(), "{reply}");
    }

    /// Makes the payment gateway behave badly.
    pub(crate) async fn pg_fault(&self, fault: Value) {
        let reply = self.platform.ask_pg(Method::POST, "/admin/faults", Some(fault)).await.unwrap();
        assert!(reply.status.is_success(), "{reply}");
    }

    /// Publishes a message about a reservation, as the service whose message it is.
    pub(crate) async fn say<P: Payload>(&self, reservation_id: &str, payload: &P) {
        let envelope = Envelope {
            id: Uuid::now_v7(),
            kind: payload.kind().to_owned(),
            version: P::VERSION,
            occurred_at: Timestamp::now(),
            producer: P::TOPIC.producer().to_owned(),
            correlation_id: reservation_id.to_owned(),
            causation_id: None,
            traceparent: None,
            member_id: Some(42),
            payload: serde_json::to_value(payload).unwrap(),
        };
        let record = Record {
            topic: P::TOPIC.name().to_owned(),
            key: Some(reservation_id.as_bytes().to_vec()),
            headers: envelope.headers(),
            body: serde_json::to_vec(&envelope).unwrap(),
        };
        self.platform.broker().await.unwrap().publish(vec![record]).await.unwrap();
    }

    /// A fault of one operation, once.
    pub(crate) fn once(operation: &str, kind: &str, value: impl Into<Value>) -> Value {
        json!({ "operation": operation, "kind": kind, "value": value.into(), "times": 1 })
    }

    /// CONFIRMED, DONE and PAID, charged once.
    pub(crate) async fn check_confirmed(&self, pending: &Pending) {
        let id = &pending.reservation_id;
        self.wait_for(id, "CONFIRMED", "NONE").await;
        assert_eq!(self.cms_status(id).await, "PAID");
        assert_eq!(self.payment_status(id).await, "DONE");
        assert_eq!(self.money(id).await, (pending.amount, 0));
        assert_eq!(self.charges(id).await, 1);
    }

    /// An end without a room and without money (4.9.8).
    pub(crate) async fn check_undone(&self, pending: &Pending, status: &str, refund: &str) {
        let id = &pending.reservation_id;
        self.wait_for(id, status, refund).await;
        eventually("the room is given back", async || {
            matches!(self.cms_status(id).await.as_str(), "CANCELLED" | "EXPIRED").then_some(())
        })
        .await;
        let (charged, refunded) = self.money(id).await;
        assert_eq!(charged, refunded, "{id}");
    }
}
