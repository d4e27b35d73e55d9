//! From the outbox into the log (7.4).

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;
use messaging::broker::BrokerUrl;
use messaging::bus::Bus;
use messaging::consumer::{Cause, Consumer, Handler, Received, Trouble};
use messaging::inbox;
use messaging::relay::{CRASH_POINT, Relay, RelayHandle};
use messaging::topic::Topic;
use service::crash::Crash;
use service::database::{Database, DatabaseUrl};
use service::settings::Variables;
use tempfile::TempDir;
use uuid::Uuid;

use crate::harness::{
    Listener, STEPS, Stage, TOPIC, append, eventually, id_of, on_each_broker, record, timing,
    title_of,
};

/// KF-01, KF-11, X-08: what was committed is published once the relay runs, in the order of its key.
#[tokio::test(flavor = "multi_thread")]
async fn x_08_what_was_committed_before_a_crash_is_published_after_it() {
    on_each_broker(async |stage: Stage| {
        let database = stage.database().await;
        let mut ids = Vec::new();
        for number in 0..20 {
            let key = if number % 2 == 0 { "a" } else { "b" };
            ids.push(append(&database, key, &number.to_string()).await);
        }
        let process = stage.process("1").await;
        let relay = process.relay(&database);
        relay.published(&ids).await.unwrap();
        let records = process.records(TOPIC.name(), TOPIC.partitions()).await;
        assert_eq!(records.len(), 20);
        let of_a: Vec<_> = records
            .iter()
            .filter(|record| record.key.as_deref() == Some(b"a"))
            .map(title_of)
            .collect();
        let expected: Vec<_> = (0..10).map(|number| (number * 2).to_string()).collect();
        assert_eq!(of_a, expected);
        for record in &records {
            for name in ["event-id", "event-type", "event-version", "correlation-id", "traceparent"]
            {
                assert!(record.headers.iter().any(|(known, _)| known == name), "{name}");
            }
        }
        assert_eq!(process.counted("messages_published_total"), 20);
        process.end().await;
    })
    .await;
}

/// a relay that died before it marked sends again, under the same id.
#[tokio::test(flavor = "multi_thread")]
async fn x_09_what_was_not_marked_is_sent_again_under_its_id() {
    on_each_broker(async |stage: Stage| {
        let database = stage.database().await;
        let process = stage.process("1").await;
        let id = append(&database, "a", "one").await;
        let relay = process.relay(&database);
        relay.published(&[id]).await.unwrap();
        process.end().await;
        // As it stands when the process dies between the two.
        sqlx::query("UPDATE outbox SET published_at = NULL")
            .execute(database.pool())
            .await
            .unwrap();
        let process = stage.process("1").await;
        process.relay(&database).published(&[id]).await.unwrap();
        let ids: Vec<_> =
            process.records(TOPIC.name(), TOPIC.partitions()).await.iter().map(id_of).collect();
        assert_eq!(ids, [id.to_string(), id.to_string()]);
        process.end().await;
    })
    .await;
}

/// X-09, 9.7: a process that is killed between publishing and marking, for real.
#[tokio::test(flavor = "multi_thread")]
async fn relay_after_publish_is_repaired_by_the_next_process() {
    let variables = Variables::of_process();
    if let Some(folder) = variables.get("RELAY_TO_KILL") {
        return be_killed(folder, &variables).await;
    }
    let folder = TempDir::new().unwrap();
    let url = BrokerUrl::Log(folder.path().join("broker.db"));
    let stage = Stage { url, timing: Arc::new(timing()), folder };
    let database = stage.database().await;
    let id = append(&database, "a", "one").await;
    let killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "relaying::relay_after_publish_is_repaired_by_the_next_process"])
        .env("RELAY_TO_KILL", stage.folder.path())
        .env("CRASH_AT", CRASH_POINT)
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let process = stage.process("1").await;
    let ids = async || {
        let records = process.records(TOPIC.name(), TOPIC.partitions()).await;
        records.iter().map(id_of).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, [id.to_string()]);
    process.relay(&database).published(&[id]).await.unwrap();
    assert_eq!(ids().await, [id.to_string(), id.to_string()]);
    process.end().await;
}

async fn be_killed(folder: &str, variables: &Variables) {
    let folder = Path::new(folder);
    let file = DatabaseUrl::Sqlite(folder.join("service.db"));
    let database = Database::open(&file, STEPS).await.unwrap();
    let url = BrokerUrl::Log(folder.join("broker.db"));
    let stage = Stage { url, timing: Arc::new(timing()), folder: TempDir::new().unwrap() };
    let process = stage.process("1").await;
    let crash = Crash::read(&mut variables.reader(), true, &[CRASH_POINT]);
    let bus = Bus { crash, ..process.bus.clone() };
    Relay::new(&bus, &database).run().await;
}

/// with two relays, first publications keep the order of their key, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn x_38_two_relays_keep_the_order_of_each_key() {
    on_each_broker(async |stage: Stage| {
        let database = stage.database().await;
        let (one, two) = (stage.process("1").await, stage.process("2").await);
        let (first, second) = (one.relay(&database), two.relay(&database));
        let mut ids = Vec::new();
        for number in 0..60 {
            ids.push(append(&database, &format!("k{}", number % 3), &number.to_string()).await);
            if number == 30 {
                // The lease passes on.
                sqlx::query("UPDATE relay_lease SET leased_until = '', epoch = 'nobody'")
                    .execute(database.pool())
                    .await
                    .unwrap();
            }
            first.wake();
            second.wake();
        }
        first.published(&ids).await.unwrap();
        second.published(&ids).await.unwrap();
        let mut firsts: HashMap<_, Vec<u32>> = HashMap::new();
        for record in one.records(TOPIC.name(), TOPIC.partitions()).await {
            let titles = firsts.entry(record.key.clone()).or_default();
            let title = title_of(&record).parse().unwrap();
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        assert_eq!(firsts.values().map(Vec::len).sum::<usize>(), 60);
        assert!(firsts.values().all(|titles| titles.is_sorted()), "{firsts:?}");
        one.end().await;
        two.end().await;
    })
    .await;
}

/// P2: a relay whose instance starts anew goes on at once; another waits for the lease to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_left_to_the_next_process_of_an_instance() {
    on_each_broker(async |stage: Stage| {
        let database = stage.database().await;
        sqlx::query(
            "UPDATE relay_lease SET owner = 'planner-1', epoch = 'dead', leased_until = '9999'",
        )
        .execute(database.pool())
        .await
        .unwrap();
        let other = stage.process("2").await;
        let _waits = other.relay(&database);
        let same = stage.process("1").await;
        let id = append(&database, "a", "one").await;
        same.relay(&database).published(&[id]).await.unwrap();
        assert_eq!(other.counted("messages_published_total"), 0);
        assert_eq!(same.counted("messages_published_total"), 1);
        other.end().await;
        same.end().await;
    })
    .await;
}

/// A service that answers each message with one of its own, once.
struct Answering {
    database: Database,
    relay: RelayHandle,
}

impl Handler for Answering {
    const GROUP: &'static str = "answering";
    const TOPICS: &'static [Topic] = &[TOPIC];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        let id = record.envelope.id;
        let known = {
            let mut connection = self.database.pool().acquire().await?;
            inbox::find(&mut connection, Self::GROUP, id).await?
        };
        if let Some(produced) = known {
            return Ok(self.relay.settle(record, &produced).await?);
        }
        let answer = messaging::payload::NotificationEvent {
            event: messaging::payload::NotificationEventKind::Sent,
            notification_id: Uuid::now_v7(),
            source_event_id: id,
            member_id: 42,
            kind: "TRAVEL_PLANNER".to_owned(),
            channel: "EMAIL".to_owned(),
            template_code: "T".to_owned(),
            status: "SENT".to_owned(),
            attempts: 1,
            error: None,
        };
        let draft = messaging::outbox::Draft {
            key: "42",
            correlation_id: &record.envelope.correlation_id,
            causation_id: Some(id),
            member_id: Some(42),
            payload: &answer,
        };
        let mut transaction = self.database.write().await?;
        let now = Timestamp::now();
        let answer = messaging::outbox::append(&mut transaction, draft, now).await?;
        inbox::record(&mut transaction, Self::GROUP, id, &[answer], now).await?;
        transaction.commit().await?;
        Ok(self.relay.published(&[answer]).await?)
    }

    async fn hand_over(&self, _record: &Received, _cause: &Cause) -> Result<(), Trouble> {
        Ok(())
    }
}

/// KF-04, C3: a message that comes twice has one effect and one answer; sent again by an
/// operator its answer is published once more, under its id. The trace goes on from message to answer.
#[tokio::test(flavor = "multi_thread")]
async fn x_13_a_message_that_comes_twice_has_one_effect() {
    on_each_broker(async |stage: Stage| {
        let database = stage.database().await;
        let process = stage.process("1").await;
        let relay = process.relay(&database);
        let consumer = Consumer::new(&process.bus, Answering { database, relay }).unwrap();
        let mut works = tokio::task::JoinSet::new();
        works.spawn(consumer.run());
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let mut message = record("a", "one");
        let mut body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        body["traceparent"] = format!("00-{trace}-00f067aa0ba902b7-01").into();
        message.body = body.to_string().into_bytes();
        process.publish(vec![message.clone(), message.clone()]).await;
        eventually("both are done", async || process.counted("messages_consumed_total") >= 2).await;
        assert_eq!(process.counted("messages_duplicate_total"), 1);
        let answers = async || process.records("NOTIFICATION-EVENT", 3).await;
        let first = answers().await;
        assert_eq!(first.len(), 1);
        assert!(crate::harness::header(&first[0], "traceparent").contains(trace));
        message.headers.push(("redriven-at".to_owned(), Timestamp::now().to_string()));
        process.publish(vec![message]).await;
        eventually("all are done", async || process.counted("messages_consumed_total") >= 3).await;
        let again = answers().await;
        assert_eq!((again.len(), id_of(&again[1])), (2, id_of(&first[0])));
        works.shutdown().await;
        process.end().await;
    })
    .await;
}

/// KF-05: a message is handled soon after the transaction that decided on it, in another process.
#[tokio::test(flavor = "multi_thread")]
async fn kf_05_messages_arrive_soon() {
    on_each_broker(async |stage: Stage| {
        let database = stage.database().await;
        let (sends, receives) = (stage.process("1").await, stage.process("2").await);
        let relay = sends.relay(&database);
        let listener = Listener::content();
        receives.consume(&listener);
        append(&database, "a", "warm").await;
        eventually("the first arrives", async || listener.count() == 1).await;
        for number in 0..100 {
            append(&database, &number.to_string(), "x").await;
            relay.wake();
        }
        eventually("all arrive", async || listener.count() == 101).await;
        let families = receives.registry.gather();
        let family = families.iter().find(|family| family.name() == "message_end_to_end_seconds");
        let histogram = family.unwrap().get_metric()[0].get_histogram();
        let mean = histogram.get_sample_sum()
            / f64::from(u32::try_from(histogram.get_sample_count()).unwrap());
        assert!(mean < 5.0, "{mean} s");
        sends.end().await;
        receives.end().await;
    })
    .await;
}
