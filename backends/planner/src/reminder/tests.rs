use jiff::Timestamp;
use messaging::envelope::Envelope;
use serde_json::json;
use service::database::Database;
use service::testing::on_each_database;

use super::*;
use crate::schema;
use crate::testing::Client;

/// Everything that was told, the earliest first.
async fn told(database: &Database) -> Vec<Envelope> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT body FROM outbox ORDER BY created_at, id")
        .fetch_all(database.pool())
        .await
        .unwrap();
    rows.iter().map(|(body,)| serde_json::from_str(body).unwrap()).collect()
}

fn reminder(database: &Database, now: &str) -> Reminder {
    let clock = Clock::fixed(now.parse::<Timestamp>().unwrap());
    Reminder { store: Store::new(database.clone(), clock.clone()), clock }
}

/// NT-03 TP-01: what happens to travels is told in the transaction that makes it happen.
#[tokio::test]
async fn nt_03_a_travel_and_an_overlap_are_told() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database);
        let body = |start: &str, end: &str| {
            json!({ "startDate": start, "endDate": end, "regionNames": ["부산", "경주"] })
        };
        let made = client.post("/v2/travels", &body("2025-05-03", "2025-05-05")).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = &made.json["payload"]["travelId"];
        let refused = client.post("/v2/travels", &body("2025-05-05", "2025-05-06")).await;
        assert_eq!(refused.json["code"], "TRAVEL_OVERLAP", "{}", refused.text);
        let other = client.post("/v2/travels", &body("2025-05-10", "2025-05-11")).await;
        let other = other.json["payload"]["travelId"].clone();
        let schedule = json!({ "startDate": "2025-05-04", "endDate": "2025-05-06" });
        let moved = client.post(&format!("/v2/travels/{other}/schedule"), &schedule).await;
        assert_eq!(moved.json["code"], "TRAVEL_OVERLAP", "{}", moved.text);

        let told = told(&database).await;
        let kinds: Vec<_> = told.iter().map(|envelope| envelope.kind.as_str()).collect();
        let overlap = "TravelOverlapRejected";
        assert_eq!(kinds, ["TravelCreated", overlap, "TravelCreated", overlap]);
        assert_eq!(told[0].payload["travelId"], *id);
        assert_eq!(told[0].payload["title"], "부산, 경주 여행");
        assert_eq!(told[1].payload["travelId"], json!(null));
        assert_eq!(told[1].payload["conflictingTravelId"], *id);
        assert_eq!(told[1].payload["startDate"], "2025-05-05");
        assert_eq!(told[3].payload["travelId"], other);
        assert_eq!(told[3].payload["startDate"], "2025-05-04");
        assert!(told.iter().all(|envelope| envelope.member_id == Some(1)));
    })
    .await
    .unwrap();
}

/// NT-03: the day before is told once, from nine o'clock, and again for another day.
#[tokio::test]
async fn nt_03_the_day_before_is_told_once() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database);
        let body = json!({
            "startDate": "2025-05-03", "endDate": "2025-05-05", "regionNames": ["부산"]
        });
        let made = client.post("/v2/travels", &body).await;
        let id = made.json["payload"]["travelId"].clone();
        let at = async |now: &str| reminder(&database, now).remind().await.unwrap();
        assert_eq!(at("2025-05-01T12:00:00+09:00").await, 0);
        assert_eq!(at("2025-05-02T08:59:59+09:00").await, 0);
        assert_eq!(at("2025-05-02T09:00:00+09:00").await, 1);
        assert_eq!(at("2025-05-02T09:00:30+09:00").await, 0);
        let schedule = json!({ "startDate": "2025-05-06", "endDate": "2025-05-07" });
        let moved = client.post(&format!("/v2/travels/{id}/schedule"), &schedule).await;
        assert_eq!(moved.status, 204, "{}", moved.text);
        assert_eq!(at("2025-05-05T23:00:00+09:00").await, 1);
        let told = told(&database).await;
        let days: Vec<_> = told
            .iter()
            .filter(|envelope| envelope.kind == "TravelStartsTomorrow")
            .map(|envelope| envelope.payload["startDate"].as_str().unwrap())
            .collect();
        assert_eq!(days, ["2025-05-03", "2025-05-06"]);
    })
    .await
    .unwrap();
}
