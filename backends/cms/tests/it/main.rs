//! The real binary over TCP: start, answer, be killed, start again, stop.
#![cfg(test)]

mod process;

use std::net::TcpListener;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Cms;

#[test]
fn starts_answers_and_stops() {
    let folder = TempDir::new().unwrap();
    let mut cms = Cms::start(folder.path(), &[("CMS_LODGINGS", "30")]);
    cms.wait_for("\"message\":\"serving\"");
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/lodgings/30"] {
        assert!(cms.get(path).starts_with("HTTP/1.1 200 OK\r\n"), "{path}");
    }
    assert!(cms.get("/v1/lodgings?size=1").contains("\"totalCount\":30"));
    cms.signal("TERM");
    assert_eq!(cms.exit_code(), Some(0));
}

#[test]
fn a_restart_finds_what_was_there_after_a_kill() {
    let folder = TempDir::new().unwrap();
    let mut cms = Cms::start(folder.path(), &[("CMS_LODGINGS", "30")]);
    cms.wait_for("\"message\":\"serving\"");
    let before = cms.payload("/v1/lodgings?size=30");
    cms.kill();

    let mut cms = Cms::start(folder.path(), &[("CMS_LODGINGS", "50"), ("CMS_SEED", "1")]);
    let log = cms.wait_for("\"message\":\"serving\"");
    assert!(log.contains("CMS_SEED differs"), "{log}");
    assert!(!log.contains("filling the store"), "{log}");
    assert_eq!(cms.payload("/v1/lodgings?size=30"), before);
}

/// CM-07 CM-09
#[test]
fn a_kill_while_the_store_is_filled_leaves_no_half() {
    let folder = TempDir::new().unwrap();
    let mut cms = Cms::start(folder.path(), &[]);
    cms.wait_for("\"message\":\"filling the store\"");
    // Rows are on their way to the disk: the log of writes is longer than an empty schema's.
    cms.wait_until_written(&folder.path().join("cms.db-wal"), 4_000_000);
    cms.kill();

    let mut cms = Cms::start(folder.path(), &[]);
    let log = cms.wait_for("\"message\":\"serving\"");
    assert!(log.contains("\"message\":\"filling the store\""), "the kill came too late: {log}");
    assert!(cms.get("/v1/lodgings?size=1").contains("\"totalCount\":3000"));

    let other = TempDir::new().unwrap();
    let mut untouched = Cms::start(other.path(), &[]);
    untouched.wait_for("\"message\":\"serving\"");
    for path in ["/v1/lodgings?size=100&sort=price,asc", "/v1/lodgings/1234"] {
        assert_eq!(cms.payload(path), untouched.payload(path), "{path}");
    }
}

#[test]
fn a_port_in_use_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cms"))
        .env_clear()
        .env("LISTEN", &address)
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
    let output = Command::new(env!("CARGO_BIN_EXE_cms"))
        .env_clear()
        .envs([("LISTEN", "x"), ("DATABASE_URL", "mysql://x"), ("CMS_SEED", "x")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["`LISTEN`", "`DATABASE_URL`", "`CMS_SEED`"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = TempDir::new().unwrap();
    let mut cms = Cms::start(folder.path(), &[("CMS_LODGINGS", "30")]);
    cms.wait_for("\"message\":\"serving\"");
    let _half = cms.send("GET /healthz HTTP/1.1\r\n");
    // Connections are taken in order, so the half request has been taken when this is answered.
    assert!(cms.get("/healthz").starts_with("HTTP/1.1 200 OK"));
    cms.signal("INT");
    cms.wait_for("\"message\":\"draining\"");
    cms.signal("INT");
    assert_eq!(cms.exit_code(), Some(0));
}
