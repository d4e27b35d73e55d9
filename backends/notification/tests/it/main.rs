//! The real binary over TCP.
#![cfg(test)]

mod contract;

use std::process::Command;

use serde_json::json;
use service::testing::{Answer, Process, Signer};
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_notification");
const MEMBER: (i64, &str) = (42, "USER");
const STORED: &str = include_str!("notification.sql");

/// One running service with its data in a folder of its own.
struct Notification {
    process: Process,
    signer: Signer,
    database: String,
    folder: TempDir,
}

impl Notification {
    fn serving() -> Self {
        Self::over(TempDir::new().unwrap())
    }

    fn over(folder: TempDir) -> Self {
        let database = format!("sqlite://{}", folder.path().join("notification.db").display());
        let broker = format!("sqlite://{}", folder.path().join("broker.db").display());
        let sink = folder.path().join("sink.jsonl").display().to_string();
        let signer = Signer::new().unwrap();
        let variables = [
            ("DATABASE_URL", database.as_str()),
            ("GATEWAY_PROOF_KEYS", signer.jwks()),
            ("BROKER_URL", &broker),
            ("SINK_FILE", &sink),
        ];
        let process = Process::serving(BINARY, &variables).unwrap();
        Self { process, signer, database, folder }
    }

    fn send(&self, method: &str, target: &str, body: &str) -> Answer {
        let headers = self.signer.gateway(method, target, Some(MEMBER));
        self.process.request(method, target, &headers, body).unwrap()
    }

    /// Stores what no endpoint makes yet.
    async fn store(&self, sql: &'static str) {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_read_and_chosen_survives_a_kill() {
    let service = Notification::serving();
    service.store(STORED).await;
    let list = service.send("GET", "/v1/notification?kind=RESERVATION", "");
    assert_eq!(list.status, 200, "{}", list.text);
    let id = list.json["payload"][0]["notificationId"].as_str().unwrap().to_owned();
    let one = format!("/v1/notification/{id}");
    assert_eq!(service.send("POST", &format!("{one}/read"), "").status, 204);
    let choice = json!({ "kind": "PAYMENT", "channel": "SMS", "enabled": true });
    let body = json!({ "preferences": [choice] }).to_string();
    assert_eq!(service.send("POST", "/v1/notification/preferences", &body).status, 204);
    service.process.kill().unwrap();

    let service = Notification::over(service.folder);
    assert!(!service.send("GET", &one, "").json["payload"]["readAt"].is_null());
    let preferences = service.send("GET", "/v1/notification/preferences", "");
    let preferences = preferences.json["payload"]["preferences"].as_array().unwrap().clone();
    assert!(preferences.contains(&choice), "{preferences:?}");
}

///
#[test]
fn a_18_nobody_is_served_directly() {
    let service = Notification::serving();
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(service.process.get(path).unwrap().status, 200, "{path}");
    }
    for path in ["/v1/notification", "/v1/notification/preferences"] {
        let forged = [("X-Member-Id", "42".to_owned()), ("X-Member-Role", "USER".to_owned())];
        let answer = service.process.request("GET", path, &forged, "").unwrap();
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
