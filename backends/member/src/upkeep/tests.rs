use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use service::database::Database;
use service::proof::{CallingService, from_services};
use service::testing::on_each_database;
use sqlx::Row;

use super::*;
use crate::schema::STEPS;
use crate::testing::Caller::User;
use crate::testing::{Client, PASSWORD, serve};

const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);
/// A year and a second after the members of these tests signed up.
const YEAR_LATER: &str = "2026-05-01T10:00:01+09:00";

/// What a gateway was told, and what it answers to which member.
#[derive(Clone, Default)]
struct Gateway {
    told: Arc<Mutex<Vec<(String, i64)>>>,
    answers: Arc<Mutex<Vec<(i64, StatusCode)>>>,
}

impl Gateway {
    fn told(&self) -> Vec<i64> {
        let mut told = self.told.lock().unwrap();
        told.drain(..)
            .map(|(service, id)| {
                assert_eq!(service, "member");
                id
            })
            .collect()
    }

    fn answer(&self, answers: &[(i64, StatusCode)]) {
        *self.answers.lock().unwrap() = answers.to_vec();
    }
}

async fn revoke(
    State(gateway): State<Gateway>,
    CallingService(service): CallingService,
    Json(body): Json<Value>,
) -> StatusCode {
    let id = body["memberId"].as_i64().unwrap();
    gateway.told.lock().unwrap().push((service, id));
    let answers = gateway.answers.lock().unwrap();
    let answer = answers.iter().find(|(of, _)| *of == id);
    answer.map_or(StatusCode::NO_CONTENT, |(_, status)| *status)
}

fn upkeep(database: &Database, time: &str, sessions: Option<Sessions>) -> Upkeep {
    Upkeep {
        store: Store::new(database.clone()),
        clock: Clock::fixed(time.parse().unwrap()),
        dormant_after: YEAR,
        sessions,
    }
}

async fn pending(database: &Database) -> Vec<i64> {
    let rows = sqlx::query("SELECT member_id FROM pending_revocations ORDER BY member_id");
    let rows = rows.fetch_all(database.pool()).await.unwrap();
    rows.iter().map(|row| row.try_get(0).unwrap()).collect()
}

#[tokio::test]
async fn who_stays_away_for_a_year_becomes_dormant() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        for number in 1..=3 {
            client.sign_up(number).await;
        }
        Client::at(&database, "2025-05-02T10:00:00+09:00").log_in(2, PASSWORD).await;
        client.send("DELETE", "/v1/members/me", User(3), "").await;
        upkeep(&database, "2026-05-01T10:00:00+09:00", None).sweep().await.unwrap();
        assert_eq!(client.status(1).await, "ACTIVE", "a second is left");
        upkeep(&database, YEAR_LATER, None).sweep().await.unwrap();
        assert_eq!(client.status(1).await, "DORMANT");
        assert_eq!(client.status(2).await, "ACTIVE", "it logged in a day later");
        assert_eq!(client.status(3).await, "WITHDRAWN");
        let profile = client.get("/v1/members/me", User(1)).await;
        assert_eq!(profile.json["payload"]["dormancyDate"], "2026-05-01T10:00:01.000+09:00");
        assert!(pending(&database).await.is_empty(), "nobody is there to be told");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn many_become_dormant_part_by_part() {
    on_each_database(STEPS, async |database| {
        let mut transaction = database.write().await.unwrap();
        for id in 1..=1201_i64 {
            sqlx::query(
                "INSERT INTO members (member_id, member_email, member_name, member_role, \
                 account_type, status, joined_at, modified_at, version) VALUES ($1, $2, 'N', \
                 'USER', 'LOCAL', 'ACTIVE', '2025-01-01T00:00:00.000Z', \
                 '2025-01-01T00:00:00.000Z', 1)",
            )
            .bind(id)
            .bind(format!("m{id}@example.com"))
            .execute(&mut *transaction)
            .await
            .unwrap();
        }
        transaction.commit().await.unwrap();
        upkeep(&database, YEAR_LATER, None).sweep().await.unwrap();
        let left = sqlx::query("SELECT member_id FROM members WHERE status = 'ACTIVE'");
        assert!(left.fetch_all(database.pool()).await.unwrap().is_empty());
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_gateway_is_told_until_it_listens() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        for number in 1..=3 {
            client.sign_up(number).await;
        }
        let gateway = Gateway::default();
        let routes = Router::new().route("/internal/sessions/revoke", post(revoke));
        let routes = routes.with_state(gateway.clone());
        let keys = client.signer.keys();
        let (base, tasks) = serve(from_services(routes, keys, &Clock::system())).await;
        let sessions = Sessions::new(&base, keys.clone(), Clock::system()).unwrap();
        let upkeep = upkeep(&database, YEAR_LATER, Some(sessions));
        upkeep.sweep().await.unwrap();
        assert_eq!(pending(&database).await, [1, 2, 3]);

        // One it will never take, and then no answer at all: the others are not lost.
        gateway.answer(&[(1, StatusCode::NOT_FOUND), (3, StatusCode::SERVICE_UNAVAILABLE)]);
        upkeep.deliver().await.unwrap();
        assert_eq!(gateway.told(), [1, 2, 3]);
        assert_eq!(pending(&database).await, [1, 3]);

        // A gateway that is away is not asked for every member.
        gateway.answer(&[(1, StatusCode::BAD_GATEWAY)]);
        upkeep.deliver().await.unwrap();
        assert_eq!(gateway.told(), [1]);
        assert_eq!(pending(&database).await, [1, 3]);

        gateway.answer(&[]);
        upkeep.deliver().await.unwrap();
        assert_eq!(gateway.told(), [1, 3]);
        assert!(pending(&database).await.is_empty());
        upkeep.deliver().await.unwrap();
        assert!(gateway.told().is_empty());
        drop(tasks);
    })
    .await
    .unwrap();
}

/// A password change and a withdrawal end sessions even if their answers never arrive.
#[tokio::test]
async fn a_change_is_told_before_its_answer_and_kept_if_it_cannot_be() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let (kept, gone) = (client.sign_up(1).await, client.sign_up(2).await);
        let gateway = Gateway::default();
        let routes = Router::new().route("/internal/sessions/revoke", post(revoke));
        let routes = routes.with_state(gateway.clone());
        let keys = client.signer.keys();
        let (base, tasks) = serve(from_services(routes, keys, &Clock::system())).await;
        let sessions = Sessions::new(&base, keys.clone(), Clock::system()).unwrap();
        let client = Client::telling(&database, sessions);
        let change = |from: &str, to: &str| json!({ "currentPassword": from, "newPassword": to });

        gateway.answer(&[(kept, StatusCode::SERVICE_UNAVAILABLE)]);
        let path = "/v1/members/me/password";
        let body = change(PASSWORD, "another password");
        let answer = client.post(path, User(kept), &body).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
        assert_eq!((gateway.told(), pending(&database).await), (vec![kept], vec![kept]));

        gateway.answer(&[]);
        let body = change("another password", "a third password");
        client.post(path, User(kept), &body).await;
        let answer = client.send("DELETE", "/v1/members/me", User(gone), "").await;
        assert_eq!(answer.status, 204, "{}", answer.text);
        assert_eq!(gateway.told(), [kept, gone]);
        assert!(pending(&database).await.is_empty());
        drop(tasks);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_revocation_asked_for_again_stays() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        client.sign_up(1).await;
        let store = Store::new(database.clone());
        let instant = |text: &str| text.parse::<Timestamp>().unwrap();
        let (cutoff, now) = (instant(YEAR_LATER), instant("2027-01-01T00:00:00Z"));
        store.make_dormant(0, cutoff, now, true).await.unwrap();
        let first = store.revocations(0).await.unwrap().remove(0);
        sqlx::query("UPDATE pending_revocations SET requested_at = '2028-01-01T00:00:00.000Z'")
            .execute(database.pool())
            .await
            .unwrap();
        store.delivered(&first).await.unwrap();
        assert_eq!(pending(&database).await, [1]);
    })
    .await
    .unwrap();
}
