//! The stand-in as the merchant sees it, without a socket.

use std::time::Duration;

use axum::Router;
use jiff::{SignedDuration, Timestamp};
use payment::pg::SecretKey;
use serde_json::{Value, json};
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::crash::Crash;
use service::database::Database;
use service::faults::Faults;
use service::testing::{Answer, call, on_each_database};
use tokio::task::JoinSet;

use crate::desk::Desk;
use crate::keys::Marks;
use crate::latency::Latency;
use crate::webhooks::Announcer;
use crate::windows::Windows;
use crate::{api, jobs, schema};

pub(crate) const TOTAL: i64 = 15_000;
pub(crate) const CONFIRM: &str = "/pg/v1/payments/confirm";
const NOW: &str = "2025-05-01T10:00:00+09:00";

pub(crate) struct Client {
    router: Router,
    database: Database,
    secret: SecretKey,
    _workers: JoinSet<()>,
}

/// Runs a test with an empty store of each kind.
pub(crate) async fn on_stores(test: impl AsyncFn(Client)) {
    on_each_database(schema::STEPS, async |database| {
        test(Client::new(&database, "zero", 0)).await;
    })
    .await
    .unwrap();
}

impl Client {
    fn new(database: &Database, latency: &str, minutes: i64) -> Self {
        let now: Timestamp = NOW.parse().unwrap();
        let clock = Clock::fixed(now + SignedDuration::from_mins(minutes));
        let url = "http://127.0.0.1:9/webhooks/toss";
        // Announced and never sent: nobody runs it.
        let announcer = Announcer::new(database, &clock, url, None, Vec::new()).unwrap();
        let secret = SecretKey::parse("test_sk_1").unwrap();
        let desk = Desk {
            database: database.clone(),
            clock: clock.clone(),
            secret: secret.clone(),
            merchant: "tollgate".into(),
            windows: Windows { open: Duration::from_mins(30), session: Duration::from_mins(10) },
            latency: Latency::parse(latency).unwrap(),
            crash: Crash::default(),
            marks: Marks::default(),
            announcements: announcer.announcements(),
        };
        let (jobs, workshop) = jobs::open();
        let mut workers = JoinSet::new();
        workers.spawn(workshop.run());
        let merchant = api::routes(&desk, &Faults::new(true), &jobs);
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let app = App::new(merchant, &api::document(), shared).unwrap();
        let router = app.into_router();
        let database = database.clone();
        Self { router, database, secret, _workers: workers }
    }

    /// The same store some minutes later.
    pub(crate) fn after(&self, minutes: i64) -> Self {
        Self::new(&self.database, "zero", minutes)
    }

    /// The same store with confirms that take their time.
    pub(crate) fn taking(&self, latency: &str) -> Self {
        Self::new(&self.database, latency, 0)
    }

    /// Asks without a secret key.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Answer {
        call(&self.router, method, target, headers, body).await.unwrap()
    }

    /// Asks as the merchant, with one more header.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        header: (&str, &str),
        body: Value,
    ) -> Answer {
        let proof = ("authorization", self.secret.authorization());
        let headers = [proof, (header.0, header.1.to_owned())];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(method, target, &headers, &body).await
    }

    /// Opens the window and pays in it; the payment key.
    pub(crate) async fn check_out(&self, order: &str) -> String {
        self.open(json!({ "orderId": order, "orderName": "달빛호텔", "amount": TOTAL })).await
    }

    pub(crate) async fn open(&self, body: Value) -> String {
        let answer = self.ask("POST", "/pg/v1/checkout", &[], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json["paymentKey"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn confirm(&self, key: &str, payment_key: &str, order: &str) -> Answer {
        let body = json!({ "paymentKey": payment_key, "orderId": order, "amount": TOTAL });
        self.send("POST", CONFIRM, ("idempotency-key", key), body).await
    }

    /// Pays an order; the payment key.
    pub(crate) async fn paid(&self, order: &str) -> String {
        let payment_key = self.check_out(order).await;
        let answer = self.confirm(&format!("confirm:{order}"), &payment_key, order).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        payment_key
    }

    /// Confirms as a client that gives up once its call has come in.
    pub(crate) async fn confirm_and_leave(&self, key: &str, payment_key: &str, order: &str) {
        let before = self.calls(order).await;
        let came = async {
            while self.calls(order).await == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = self.confirm(key, payment_key, order) => panic!("{}", answer.text),
            () = came => {}
        }
    }

    /// How many calls came for an order.
    async fn calls(&self, order: &str) -> usize {
        let target = format!("/pg/admin/calls?orderId={order}");
        let calls = self.ask("GET", &target, &[], "").await.json;
        calls.as_array().unwrap().len()
    }

    pub(crate) async fn cancel(&self, key: &str, payment_key: &str, body: Value) -> Answer {
        let target = format!("/pg/v1/payments/{payment_key}/cancel");
        self.send("POST", &target, ("idempotency-key", key), body).await
    }

    pub(crate) async fn query(&self, payment_key: &str) -> Value {
        let target = format!("/pg/v1/payments/{payment_key}");
        let answer = self.send("GET", &target, ("accept", "*/*"), Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json
    }

    pub(crate) async fn status(&self, payment_key: &str) -> String {
        self.query(payment_key).await["status"].as_str().unwrap().to_owned()
    }

    /// Charges and refunds of an order: how many, and how much.
    pub(crate) async fn ledger(&self, order: &str) -> (usize, i64, usize, i64) {
        let target = format!("/pg/admin/ledger?orderId={order}");
        let ledger = self.ask("GET", &target, &[], "").await.json;
        let Some(order) = ledger.get(0) else { return (0, 0, 0, 0) };
        let count = |name: &str| order[name].as_array().unwrap().len();
        let sum = |name: &str| order[name].as_i64().unwrap();
        (count("charges"), sum("charged"), count("refunds"), sum("refunded"))
    }

    pub(crate) async fn arm(&self, fault: Value) {
        let answer = self.ask("POST", "/pg/admin/faults", &[], &fault.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
}

/// In the payment gateway's own words.
#[track_caller]
pub(crate) fn check_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["code"], code, "{}", answer.text);
    assert!(answer.json["message"].is_string(), "{}", answer.text);
}
