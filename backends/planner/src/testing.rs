//! The service as the gateway calls it, without a socket.

use axum::Router;
use jiff::Timestamp;
use serde_json::{Value, json};
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::testing::{Answer, Signer, call};
use sqlx::AssertSqlSafe;
use utoipa::OpenApi;

use crate::api::{Api, routes};

/// 1 May 2025 in Korea.
pub(crate) const NOW: &str = "2025-05-01T10:00:00+09:00";

/// A member whose requests come through the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    router: Router,
    signer: Signer,
    member_id: i64,
}

impl Client {
    /// Member 1 at [`NOW`].
    pub(crate) fn new(database: &Database) -> Self {
        Self::at(database, NOW)
    }

    pub(crate) fn at(database: &Database, now: &str) -> Self {
        let clock = Clock::fixed(now.parse::<Timestamp>().unwrap());
        let signer = Signer::new().unwrap().at(&clock);
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let app = App::new(routes(signer.keys(), &shared), &Api::openapi(), shared).unwrap();
        Self { router: app.into_router(), signer, member_id: 1 }
    }

    /// Another member of the same service.
    pub(crate) fn of_member(&self, member_id: i64) -> Self {
        Self { member_id, ..self.clone() }
    }

    pub(crate) async fn send(&self, method: &str, target: &str, body: &str) -> Answer {
        let headers = self.signer.gateway(method, target, Some((self.member_id, "USER")));
        call(&self.router, method, target, &headers, body).await.unwrap()
    }

    /// Sends what did not come through the gateway.
    pub(crate) async fn send_directly(&self, method: &str, target: &str) -> Answer {
        let forged = [("x-member-id", "1".to_owned()), ("x-member-role", "ADMIN".to_owned())];
        call(&self.router, method, target, &forged, "").await.unwrap()
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, "").await
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Answer {
        self.send("POST", target, &body.to_string()).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, "").await
    }

    /// What a target shows.
    pub(crate) async fn payload(&self, target: &str) -> Value {
        let answer = self.get(target).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text);
        answer.json["payload"].clone()
    }

    /// Makes a travel to 서울; its id.
    pub(crate) async fn travel(&self, start: &str, end: &str) -> i64 {
        let answer = self.post("/v2/travels", &travel(start, end, &["서울"])).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["payload"]["travelId"].as_i64().unwrap()
    }

    /// Adds a plan to a travel; its id.
    pub(crate) async fn plan(&self, travel_id: i64, plan: &Value) -> i64 {
        let answer = self.post(&format!("/v2/travel-plans/{travel_id}/plans"), plan).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["payload"]["planId"].as_i64().unwrap()
    }
}

pub(crate) fn travel(start: &str, end: &str, regions: &[&str]) -> Value {
    json!({ "startDate": start, "endDate": end, "regionNames": regions })
}

/// A plan on a day, at a point.
pub(crate) fn plan(date: &str, longitude: f64, latitude: f64) -> Value {
    json!({
        "locationName": "경복궁", "longitude": longitude, "latitude": latitude,
        "locationAddress": "서울 종로구 세종로 1-1", "locationRoadAddress": "", "planDate": date
    })
}

#[track_caller]
pub(crate) fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json["code"], code, "{}", answer.text);
}

/// The fields that were rejected.
pub(crate) fn fields(answer: &Answer) -> String {
    let errors = answer.json["errors"].as_array().unwrap();
    let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    fields.join(" ")
}

/// How many of the answers have this status.
pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// One number out of the store.
pub(crate) async fn number(database: &Database, sql: &str) -> i64 {
    let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    query.fetch_one(database.pool()).await.unwrap()
}

pub(crate) async fn execute(database: &Database, sql: &str) {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(database.pool()).await.unwrap();
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub(crate) fn throw(&mut self, sides: usize) -> usize {
        // The constants of Knuth's MMIX; the upper bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}
