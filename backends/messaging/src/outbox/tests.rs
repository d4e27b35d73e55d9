use jiff::Timestamp;
use service::database::Database;
use service::testing::on_each_database;

use super::*;
use crate::payload::{TravelEvent, TravelEventKind};
use crate::testing::STEPS;

fn event() -> TravelEvent {
    TravelEvent {
        kind: TravelEventKind::StartsTomorrow,
        travel_id: Some(7),
        member_id: 42,
        title: "Busan".to_owned(),
        start_date: "2025-05-02".parse().unwrap(),
        end_date: "2025-05-03".parse().unwrap(),
        region_names: vec!["Busan".to_owned()],
        conflicting_travel_id: None,
    }
}

fn draft<'a>(key: &'a str, payload: &'a TravelEvent) -> Draft<'a, TravelEvent> {
    Draft { key, correlation_id: key, causation_id: None, member_id: Some(42), payload }
}

async fn keys(database: &Database, limit: i64) -> Vec<String> {
    let mut connection = database.pool().acquire().await.unwrap();
    pending(&mut connection, limit).await.unwrap().into_iter().map(|row| row.key).collect()
}

/// the order of a key is the order of its transactions, whatever clocks say.
#[tokio::test]
async fn x_34_the_order_of_a_key_needs_no_clock() {
    let check = async |database: Database| {
        let late: Timestamp = "2025-05-01T00:00:10Z".parse().unwrap();
        let early: Timestamp = "2025-05-01T00:00:00Z".parse().unwrap();
        let event = event();
        let mut ids = Vec::new();
        for (key, at) in [("a", late), ("a", early), ("b", early), ("a", early)] {
            let mut transaction = database.write().await.unwrap();
            ids.push(append(&mut transaction, draft(key, &event), at).await.unwrap().to_string());
            transaction.commit().await.unwrap();
        }
        let mut connection = database.pool().acquire().await.unwrap();
        let rows = pending(&mut connection, 10).await.unwrap();
        let of_a: Vec<_> = rows.iter().filter(|row| row.key == "a").map(|row| &row.id).collect();
        assert_eq!(of_a, [&ids[0], &ids[1], &ids[3]]);
        drop(connection);
        // However little is asked for, no message is there without those before it.
        assert_eq!(keys(&database, 1).await.len(), 1);
        assert_eq!(keys(&database, 2).await, ["b", "a"]);
    };
    on_each_database(STEPS, check).await.unwrap();
}

/// P1, X-08: a message stands and falls with the transaction that decided on it.
#[tokio::test]
async fn p1_what_is_rolled_back_is_not_sent() {
    let check = async |database: Database| {
        let event = event();
        let now = "2025-05-01T00:00:00Z".parse().unwrap();
        let mut transaction = database.write().await.unwrap();
        append(&mut transaction, draft("a", &event), now).await.unwrap();
        transaction.rollback().await.unwrap();
        assert!(keys(&database, 10).await.is_empty());
        let mut transaction = database.write().await.unwrap();
        let id = append(&mut transaction, draft("a", &event), now).await.unwrap();
        transaction.commit().await.unwrap();
        let mut connection = database.pool().acquire().await.unwrap();
        let rows = pending(&mut connection, 10).await.unwrap();
        assert_eq!((rows.len(), rows[0].id.as_str()), (1, id.to_string().as_str()));
        assert_eq!(rows[0].kind, "TravelStartsTomorrow");
        let headers = &rows[0].headers;
        for name in ["event-id", "event-type", "event-version", "correlation-id", "traceparent"] {
            assert!(headers.iter().any(|(known, _)| known == name), "{name} {headers:?}");
        }
    };
    on_each_database(STEPS, check).await.unwrap();
}
