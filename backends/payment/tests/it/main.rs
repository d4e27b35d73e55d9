//! The real binary over TCP.
#![cfg(test)]

mod contract;
mod crashes;
mod fake_pg;
mod saga;
mod town;

use std::process::Command;

use serde_json::json;
use service::testing::{Answer, Process, Signer};
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_payment");
const MEMBER: (i64, &str) = (42, "USER");
const WEBHOOK: &str = "/v1/webhooks/toss";

/// One running service with its data in a folder of its own.
struct Payment {
    process: Process,
    signer: Signer,
    database: String,
    _folder: TempDir,
}

impl Payment {
    fn serving(more: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let database = format!("sqlite://{}", folder.path().join("payment.db").display());
        let signer = Signer::new().unwrap();
        let broker = format!("sqlite://{}", folder.path().join("broker.db").display());
        let mut variables = vec![
            ("DATABASE_URL", database.as_str()),
            ("BROKER_URL", broker.as_str()),
            ("GATEWAY_PROOF_KEYS", signer.jwks()),
            // Nobody listens there.
            ("PG_URL", "http://127.0.0.1:9"),
            ("PG_SECRET_KEY", "test_sk"),
        ];
        variables.extend(more);
        let process = Process::serving(BINARY, &variables).unwrap();
        Self { process, signer, database, _folder: folder }
    }

    fn send(&self, member: Option<(i64, &str)>, method: &str, target: &str, body: &str) -> Answer {
        let headers = self.signer.gateway(method, target, member);
        self.process.request(method, target, &headers, body).unwrap()
    }

    async fn connection(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.database).await.unwrap()
    }

    /// Stores what no endpoint makes yet.
    async fn store(&self) {
        let mut connection = self.connection().await;
        let sql = sqlx::raw_sql(include_str!("payments.sql"));
        sql.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// PY-04 PY-05
#[tokio::test]
async fn py_04_py_05_a_member_sees_its_own_payments_only() {
    let service = Payment::serving(&[]);
    service.store().await;
    let found = service.send(Some(MEMBER), "GET", "/v1/payment?paymentKey=key-1", "");
    assert_eq!(found.status, 200, "{}", found.text);
    let payment = &found.json["payload"];
    assert_eq!(payment["status"], "PARTIAL_CANCELED");
    assert_eq!(payment["cancels"][0]["cancelAmount"], 5000);
    let target = format!("/v1/payment/{}", payment["paymentId"].as_str().unwrap());
    assert_eq!(service.send(Some(MEMBER), "GET", &target, "").json["payload"], *payment);
    let foreign = service.send(Some((43, "USER")), "GET", &target, "");
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.json["code"], "NOT_FOUND_PAYMENT");
}

#[tokio::test]
async fn an_event_survives_a_kill_after_its_answer() {
    let service = Payment::serving(&[]);
    let event = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": {} }).to_string();
    assert_eq!(service.send(None, "POST", WEBHOOK, &event).status, 200);
    let mut connection = service.connection().await;
    service.process.kill().unwrap();
    let kept: Vec<(String,)> =
        sqlx::query_as("SELECT body FROM webhook_events").fetch_all(&mut connection).await.unwrap();
    assert_eq!(kept, [(event,)]);
}

///
#[test]
fn a_18_nobody_is_served_directly() {
    let service = Payment::serving(&[]);
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(service.process.get(path).unwrap().status, 200, "{path}");
    }
    for (method, path) in [("GET", "/v1/payment?paymentKey=key-1"), ("POST", WEBHOOK)] {
        let forged = [("X-Member-Id", "42".to_owned()), ("X-Member-Role", "USER".to_owned())];
        let answer = service.process.request(method, path, &forged, "{}").unwrap();
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.json["code"], "UNTRUSTED_CALLER", "{path}");
    }
    service.process.signal("TERM").unwrap();
    assert_eq!(service.process.exit_code().unwrap(), Some(0));
}

#[test]
fn every_fault_of_the_environment_is_told() {
    let output = Command::new(BINARY)
        .env_clear()
        .envs([("LISTEN", "x"), ("DATABASE_URL", "mysql://x")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["LISTEN", "DATABASE_URL", "GATEWAY_PROOF_KEYS"] {
        assert!(text.contains(&format!("`{name}`")), "{text}");
    }
}
