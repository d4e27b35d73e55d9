//! The embedded log out of order (L5, L7).

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

use messaging::broker::BrokerUrl;

use crate::harness::{Listener, Stage, append, eventually, record, timing};

struct Locked(SqliteConnection);

impl Locked {
    async fn lock(stage: &Stage) -> Self {
        let BrokerUrl::Log(path) = &stage.url else { panic!("not a file") };
        let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 30000").execute(&mut connection).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn release(mut self) {
        sqlx::query("ROLLBACK").execute(&mut self.0).await.unwrap();
        self.0.close().await.unwrap();
    }
}

fn stage() -> Stage {
    let folder = TempDir::new().unwrap();
    let url = BrokerUrl::Log(folder.path().join("broker.db"));
    Stage { url, timing: Arc::new(timing()), folder }
}

/// L4: a member that cannot renew drops what it works on by itself; the record in flight comes again.
#[tokio::test(flavor = "multi_thread")]
async fn l4_a_member_that_cannot_renew_stops_by_itself() {
    let stage = stage();
    let process = stage.process("1").await;
    let listener = Listener::content();
    listener.stuck.lock().unwrap().push("a".to_owned());
    process.consume(&listener);
    process.publish(vec![record("a", "x")]).await;
    eventually("it is in flight", async || listener.count() == 1).await;
    let locked = Locked::lock(&stage).await;
    eventually("the member has stopped", async || listener.working.load(Ordering::SeqCst) == 0)
        .await;
    assert_eq!(listener.count(), 1);
    listener.stuck.lock().unwrap().clear();
    locked.release().await;
    eventually("it comes again", async || listener.count() == 2).await;
    process.end().await;
}

/// X-16, L5, L7, A-12: while the log is locked nothing is lost, the process is not ready, and all of
/// it arrives afterwards; nothing is a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn a_12_a_locked_log_is_an_outage_and_nothing_more() {
    let stage = stage();
    let database = stage.database().await;
    let (sends, receives) = (stage.process("1").await, stage.process("2").await);
    sends.relay(&database);
    let listener = Listener::content();
    receives.consume(&listener);
    append(&database, "a", "before").await;
    eventually("it flows", async || listener.count() == 1).await;

    let locked = Locked::lock(&stage).await;
    for number in 0..30 {
        append(&database, &format!("k{number}"), "meanwhile").await;
    }
    eventually("the sender is not ready", async || sends.bus.health.check().is_err()).await;
    eventually("the receiver is not ready", async || receives.bus.health.check().is_err()).await;
    assert_eq!(listener.count(), 1);
    let late = stage.process("3").await;
    locked.release().await;

    eventually("all arrives", async || {
        listener.seen().into_iter().collect::<HashSet<_>>().len() == 31
    })
    .await;
    eventually("the sender is ready", async || sends.bus.health.check().is_ok()).await;
    eventually("the receiver is ready", async || receives.bus.health.check().is_ok()).await;
    assert!(receives.dead_letters().await.is_empty());
    for process in [sends, receives, late] {
        process.end().await;
    }
}
