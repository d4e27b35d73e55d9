//! The stand-in of the payment gateway as a real process, called through the payment service's own
//! client.
#![cfg(test)]

mod contract;
mod crashes;
mod merchant;
mod platform;
mod webhooks;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use payment::pg::{Access, Cancel, Confirm, PaymentGateway, SecretKey};
use serde_json::{Value, json};
use service::testing::Process;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_pg");
const SECRET: &str = "test_sk_of_the_test";
const ORDER: &str = "order-1";
const TOTAL: i64 = 30_000;

/// The place of the stand-in: its store outlives its process.
struct Bank {
    folder: Arc<TempDir>,
}

/// A stand-in that runs.
struct Pg {
    process: Process,
    gateway: PaymentGateway,
    _folder: Arc<TempDir>,
}

impl Bank {
    fn new() -> Self {
        Self { folder: Arc::new(TempDir::new().unwrap()) }
    }

    fn open(&self, more: &[(&str, &str)]) -> Pg {
        let database = format!("sqlite://{}", self.folder.path().join("pg.db").display());
        let mut variables = vec![
            ("DATABASE_URL", database.as_str()),
            ("PG_SECRET_KEY", SECRET),
            ("TEST_MODE", "1"),
        ];
        if !more.iter().any(|(name, _)| *name == "PG_LATENCY") {
            variables.push(("PG_LATENCY", "zero"));
        }
        variables.extend(more);
        let process = Process::serving(BINARY, &variables).unwrap();
        let gateway = gateway(&process, Duration::from_mins(1));
        Pg { process, gateway, _folder: Arc::clone(&self.folder) }
    }
}

/// The client of the payment service, with its limit for one call.
fn gateway(process: &Process, limit: Duration) -> PaymentGateway {
    let url = format!("{}/pg", process.base().unwrap());
    let access = Access { url, secret: SecretKey::parse(SECRET).unwrap() };
    PaymentGateway::new(&access, limit).unwrap()
}

impl Pg {
    fn post(&self, target: &str, body: &Value) -> Value {
        let answer = self.process.request("POST", target, &[], &body.to_string()).unwrap();
        assert!(answer.status.is_success(), "{}", answer.text);
        answer.json
    }

    /// The client pays in the window; the payment key.
    fn check_out(&self, order: &str) -> String {
        let body = json!({ "orderId": order, "orderName": "달빛호텔", "amount": TOTAL });
        let opened = self.post("/pg/v1/checkout", &body);
        opened["paymentKey"].as_str().unwrap().to_owned()
    }

    fn arm(&self, operation: &str, kind: &str, value: Option<&str>) {
        let fault = json!({ "operation": operation, "kind": kind, "value": value, "times": 1 });
        self.post("/pg/admin/faults", &fault);
    }

    /// Charges and refunds of an order: how many, and what is left of the money.
    fn ledger(&self, order: &str) -> (usize, usize, i64) {
        let target = format!("/pg/admin/ledger?orderId={order}");
        let ledger = self.process.get(&target).unwrap().json;
        let Some(order) = ledger.get(0) else { return (0, 0, 0) };
        let count = |name: &str| order[name].as_array().unwrap().len();
        let sum = |name: &str| order[name].as_i64().unwrap();
        (count("charges"), count("refunds"), sum("charged") - sum("refunded"))
    }
}

fn confirm<'a>(payment_key: &'a str, order_id: &'a str) -> Confirm<'a> {
    Confirm { payment_key, order_id, amount: TOTAL }
}

fn cancel(payment_key: &str) -> Cancel<'_> {
    Cancel { payment_key, reason: "changed", amount: None }
}

#[test]
fn every_fault_of_the_environment_is_told() {
    let output = Command::new(BINARY)
        .env_clear()
        .envs([("LISTEN", "x"), ("DATABASE_URL", "mysql://x"), ("PG_LATENCY", "fast")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["LISTEN", "DATABASE_URL", "PG_SECRET_KEY", "PG_LATENCY"] {
        assert!(text.contains(&format!("`{name}`")), "{text}");
    }
}

#[test]
fn it_stops_when_it_is_told_to() {
    let pg = Bank::new().open(&[]);
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(pg.process.get(path).unwrap().status, 200, "{path}");
    }
    pg.process.signal("TERM").unwrap();
    assert_eq!(pg.process.exit_code().unwrap(), Some(0));
}
