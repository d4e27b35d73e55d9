use service::crash::Crash;
use service::testing::on_each_database;
use tempfile::TempDir;

use super::*;
use crate::broker::{Broker, BrokerUrl, Slot};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::outbox::Draft;
use crate::payload::{TravelEvent, TravelEventKind};
use crate::testing::{STEPS, settable_clock};

async fn bus(folder: &TempDir, instance: &str, clock: service::clock::Clock) -> Bus {
    let timing = service::timing::Timing::default();
    let url = BrokerUrl::Log(folder.path().join("broker.db"));
    Bus {
        service: "planner",
        instance: instance.to_owned(),
        broker: Broker::open(&url, &timing, &clock).await.unwrap(),
        timing: Arc::new(timing),
        clock,
        crash: Crash::default(),
        metrics: Metrics::new(&service::app::Registry::new()).unwrap(),
        health: Health::default(),
    }
}

async fn append(database: &Database, key: &str, title: &str, now: Timestamp) -> Uuid {
    let payload = TravelEvent {
        kind: TravelEventKind::Created,
        travel_id: Some(7),
        member_id: 42,
        title: title.to_owned(),
        start_date: "2025-05-02".parse().unwrap(),
        end_date: "2025-05-03".parse().unwrap(),
        region_names: Vec::new(),
        conflicting_travel_id: None,
    };
    let draft =
        Draft { key, correlation_id: key, causation_id: None, member_id: None, payload: &payload };
    let mut transaction = database.write().await.unwrap();
    let id = outbox::append(&mut transaction, draft, now).await.unwrap();
    transaction.commit().await.unwrap();
    id
}

async fn published(bus: &Bus) -> usize {
    let mut count = 0;
    for partition in 0..3 {
        let slot = Slot { topic: "TRAVEL-EVENT".into(), partition };
        count += bus.broker.read(&slot, 0, 1000).await.unwrap().len();
    }
    count
}

fn start() -> Timestamp {
    "2025-05-01T00:00:00Z".parse().unwrap()
}

/// X-38, P2: a relay whose lease has passed on marks nothing, and publishes nothing more.
#[tokio::test]
async fn x_38_without_the_lease_nothing_is_marked() {
    on_each_database(STEPS, async |database| {
        let folder = TempDir::new().unwrap();
        let (clock, set) = settable_clock(start());
        let (one, two) = (bus(&folder, "1", clock.clone()).await, bus(&folder, "2", clock).await);
        let (mut slow, mut fast) = (Relay::new(&one, &database), Relay::new(&two, &database));
        let mut producer = two.broker.producer("planner-2");
        let id = append(&database, "a", "one", start()).await;
        let batch = slow.take().await.unwrap();
        assert_eq!(batch.len(), 1);
        assert!(matches!(fast.round(&mut producer).await, Ok(Round::Idle)));
        set(start() + Duration::from_secs(6));
        assert!(matches!(fast.round(&mut producer).await, Ok(Round::Published)));
        assert!(!slow.mark(&batch).await.unwrap());
        append(&database, "a", "two", start()).await;
        assert!(slow.take().await.unwrap().is_empty());
        assert!(!store::is_any_pending(database.pool(), &[id]).await.unwrap());
        assert_eq!(published(&one).await, 1);
    })
    .await
    .unwrap();
}

/// P3, P5, 7.6: answers are waited for, and published again under their ids.
#[tokio::test]
async fn p3_messages_are_waited_for_and_can_be_published_again() {
    on_each_database(STEPS, async |database| {
        let folder = TempDir::new().unwrap();
        let (clock, _) = settable_clock(start());
        let bus = bus(&folder, "1", clock).await;
        let relay = Relay::new(&bus, &database);
        let handle = relay.handle();
        let mut works = tokio::task::JoinSet::new();
        works.spawn(relay.run());
        let ids = [
            append(&database, "a", "one", start()).await,
            append(&database, "b", "two", start()).await,
        ];
        handle.published(&ids).await.unwrap();
        assert_eq!(published(&bus).await, 2);
        let mut transaction = database.write().await.unwrap();
        outbox::publish_again(&mut transaction, &ids).await.unwrap();
        transaction.commit().await.unwrap();
        handle.published(&ids).await.unwrap();
        assert_eq!(published(&bus).await, 4);
        handle.published(&[Uuid::now_v7()]).await.unwrap();
        handle.published(&[]).await.unwrap();
        works.shutdown().await;
    })
    .await
    .unwrap();
}

/// P6: what waits is counted, and a process in which it waits for too long is not ready; what is old
/// is deleted.
#[tokio::test]
async fn p6_an_old_outbox_keeps_a_process_from_being_ready() {
    on_each_database(STEPS, async |database| {
        let folder = TempDir::new().unwrap();
        let (clock, set) = settable_clock(start());
        let bus = bus(&folder, "1", clock).await;
        let mut relay = Relay::new(&bus, &database);
        append(&database, "a", "one", start()).await;
        set(start() + Duration::from_secs(30));
        relay.count().await;
        assert_eq!(bus.health.check(), Ok(()));
        set(start() + Duration::from_secs(31));
        relay.count().await;
        let expected = Err("outbox: messages wait to be published".to_owned());
        assert_eq!(bus.health.check(), expected);
        relay.round(&mut bus.broker.producer("planner-1")).await.unwrap();
        relay.count().await;
        assert_eq!(bus.health.check(), Ok(()));
        set(start() + Duration::from_hours(24 * 32));
        append(&database, "b", "two", relay.bus.clock.now()).await;
        relay.purge().await;
        let (rows, keys): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM outbox), (SELECT COUNT(*) FROM outbox_keys)",
        )
        .fetch_one(database.pool())
        .await
        .unwrap();
        assert_eq!((rows, keys), (1, 1), "what waits stays");
    })
    .await
    .unwrap();
}
