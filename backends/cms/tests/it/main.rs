//! The real binary over TCP: start, answer, be killed, start again, stop.
#![cfg(test)]

mod contract;
mod reservations;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use service::testing::{Answer, Process};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_cms");
const KEY: &str = "key-of-the-cms";

/// One running CMS with its data in a folder.
struct Cms(Process);

impl Cms {
    /// Starts to start.
    fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let url = format!("sqlite://{}", folder.join("cms.db").display());
        let own = [("DATABASE_URL", url.as_str()), ("CMS_API_KEY", KEY)];
        Self(Process::start(BINARY, &[&own, variables].concat()).unwrap())
    }

    /// Starts and waits until it serves; what it logged until then.
    fn serving(folder: &Path, variables: &[(&str, &str)]) -> (Self, String) {
        let mut cms = Self::start(folder, variables);
        let log = cms.0.wait_for("\"message\":\"serving\"").unwrap();
        (cms, log)
    }

    fn get(&self, target: &str) -> Answer {
        self.0.request("GET", target, &[("X-Api-Key", KEY.to_owned())], "").unwrap()
    }

    fn post(&self, target: &str, body: &Value) -> Answer {
        let key = [("X-Api-Key", KEY.to_owned())];
        self.0.request("POST", target, &key, &body.to_string()).unwrap()
    }

    fn payload(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text);
        answer.json["payload"].clone()
    }
}

/// A-18 CM-01 CM-02
#[test]
fn a_18_starts_answers_those_with_the_key_and_stops() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "30")]);
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(cms.0.get(path).unwrap().status, 200, "{path}");
    }
    for path in ["/v1/lodgings", "/v1/lodgings/30"] {
        let refused = cms.0.get(path).unwrap();
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(refused.json["code"], "UNTRUSTED_CALLER", "{path}");
    }
    let list = cms.get("/v1/lodgings?size=1");
    assert_eq!(list.json["page"]["totalCount"], 30);
    assert_eq!(list.json["payload"][0]["placeId"], 30);
    assert_eq!(cms.payload("/v1/lodgings/30")["rooms"].as_array().unwrap().len(), 10);
    assert!(!cms.0.log().contains(KEY));
    cms.0.signal("TERM").unwrap();
    assert_eq!(cms.0.exit_code().unwrap(), Some(0));
}

/// CM-09
#[test]
fn a_restart_finds_what_was_there_after_a_kill() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "30")]);
    let before = cms.payload("/v1/lodgings?size=30");
    cms.0.kill().unwrap();

    let other = [("CMS_LODGINGS", "50"), ("CMS_SEED", "1")];
    let (cms, log) = Cms::serving(folder.path(), &other);
    assert!(log.contains("CMS_SEED differs"), "{log}");
    assert!(!log.contains("filling the store"), "{log}");
    assert_eq!(cms.payload("/v1/lodgings?size=30"), before);
}

/// CM-07 CM-08 CM-09
#[test]
fn cm_07_a_kill_while_the_store_is_filled_leaves_no_half() {
    let folder = TempDir::new().unwrap();
    let mut cms = Cms::start(folder.path(), &[]);
    cms.0.wait_for("\"message\":\"filling the store\"").unwrap();
    // Rows are on their way to the disk: the log of writes is longer than an empty schema's.
    let writes = folder.path().join("cms.db-wal");
    let is_written = || fs::metadata(&writes).is_ok_and(|file| file.len() >= 4_000_000);
    cms.0.wait_until("a log of writes", is_written).unwrap();
    cms.0.kill().unwrap();

    let (cms, log) = Cms::serving(folder.path(), &[]);
    assert!(log.contains("\"message\":\"filling the store\""), "the kill came too late: {log}");
    assert_eq!(cms.get("/v1/lodgings?size=1").json["page"]["totalCount"], 3_000);

    let other = TempDir::new().unwrap();
    let (untouched, _) = Cms::serving(other.path(), &[]);
    for path in ["/v1/lodgings?size=100&sort=price,asc", "/v1/lodgings/1234"] {
        assert_eq!(cms.payload(path), untouched.payload(path), "{path}");
    }
}

#[test]
fn a_port_in_use_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let output = Command::new(BINARY)
        .env_clear()
        .envs([("LISTEN", address.as_str()), ("CMS_API_KEY", KEY)])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    let told = format!(
        "cms: {address} is in use; stop the process that listens there or set LISTEN to a free address\n"
    );
    assert_eq!(text, told);
    assert!(!folder.path().join("data").exists(), "nothing is made before the port is ours");
}

#[test]
fn every_fault_of_the_environment_is_told() {
    let output = Command::new(BINARY)
        .env_clear()
        .envs([("LISTEN", "x"), ("DATABASE_URL", "mysql://x"), ("CMS_SEED", "x")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["`LISTEN`", "`DATABASE_URL`", "`CMS_SEED`", "`CMS_API_KEY`"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = TempDir::new().unwrap();
    let (mut cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "30")]);
    let _half = cms.0.send("GET /healthz HTTP/1.1\r\n").unwrap();
    // Connections are taken in order, so the half request has been taken when this is answered.
    assert_eq!(cms.0.get("/healthz").unwrap().status, 200);
    cms.0.signal("INT").unwrap();
    cms.0.wait_for("\"message\":\"draining\"").unwrap();
    cms.0.signal("INT").unwrap();
    assert_eq!(cms.0.exit_code().unwrap(), Some(0));
}
