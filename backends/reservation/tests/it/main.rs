//! The real binary over TCP, beside a CMS that does as it is told.
#![cfg(test)]

mod contract;
#[path = "../../src/fake_cms.rs"]
mod fake_cms;

use std::process::Command;

use messaging::broker::{Broker, BrokerUrl, Record};
use messaging::topic::Topic;
use serde_json::{Value, json};
use service::clock::Clock;
use service::testing::{Answer, Process, Signer};
use service::timing::Timing;
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;
use uuid::Uuid;

use crate::fake_cms::{FakeCms, Reply, listed, refused, shown};

const BINARY: &str = env!("CARGO_BIN_EXE_reservation");
const MEMBER: (i64, &str) = (42, "USER");

/// One running service with its data in a folder of its own.
struct Reservation {
    process: Process,
    signer: Signer,
    database: String,
    folder: TempDir,
}

impl Reservation {
    fn beside(cms: &FakeCms) -> Self {
        let folder = TempDir::new().unwrap();
        let database = format!("sqlite://{}", folder.path().join("reservation.db").display());
        let broker = format!("sqlite://{}", folder.path().join("broker.db").display());
        let signer = Signer::new().unwrap();
        let variables = [
            ("DATABASE_URL", database.as_str()),
            ("GATEWAY_PROOF_KEYS", signer.jwks()),
            ("CMS_URL", &cms.base()),
            ("CMS_API_KEY", "key-of-the-cms"),
            // Payment is played by the same server.
            ("PAYMENT_URL", &cms.base()),
            ("BROKER_URL", &broker),
        ];
        let process = Process::serving(BINARY, &variables).unwrap();
        Self { process, signer, database, folder }
    }

    /// Stores what no endpoint makes yet.
    async fn store(&self, sql: &'static str) {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Puts a message that nobody can read among the dead letters of a topic.
    async fn bury(&self, topic: Topic) {
        let url = BrokerUrl::Log(self.folder.path().join("broker.db"));
        let broker = Broker::open(&url, &Timing::default(), &Clock::system()).await.unwrap();
        let letter = Record {
            topic: topic.dead_letters(),
            key: None,
            headers: Vec::new(),
            body: b"{ half a message".to_vec(),
        };
        broker.publish(vec![letter]).await.unwrap();
    }

    fn get(&self, target: &str) -> Answer {
        let headers = self.signer.gateway("GET", target, Some(MEMBER));
        self.process.request("GET", target, &headers, "").unwrap()
    }
}

/// A room that is free, as the CMS says it.
fn free_room() -> Reply {
    let Reply::Json(status, mut answer) = shown() else { panic!("the CMS shows no lodging") };
    answer["payload"]["rooms"][0]["available"] = json!(true);
    Reply::Json(status, answer)
}

/// Knows lodging 93 and no other, holds and gives back whatever is wanted, and makes payments.
fn good(target: &str) -> Reply {
    let payload = |payload: Value| Reply::Json(200, json!({ "timestamp": "", "payload": payload }));
    match target.split('?').next() {
        Some("/v1/rooms/921") => free_room(),
        Some("/v1/reservations") => payload(json!({
            "cmsReservationId": "c1", "status": "HELD", "holdExpiresAt": "2999-01-01T00:00:00Z"
        })),
        Some("/v1/payments") => payload(json!({
            "paymentId": Uuid::new_v4(), "orderName": "달빛호텔_킹_1", "totalAmount": 220_000,
            "status": "READY", "paymentKey": null, "method": null, "approvedAt": null
        })),
        Some(path) if path.starts_with("/v1/rooms/") => refused(404, "ROOM_NOT_FOUND"),
        Some(path) if path.ends_with("/settle") => refused(404, "REFUND_NOT_FOUND"),
        Some(path) if path.ends_with("/cancel") => payload(json!({ "status": "CANCELLED" })),
        Some("/v1/lodgings") if target.contains("cursor=") => refused(400, "INVALID_CURSOR"),
        Some("/v1/lodgings") => listed(),
        Some("/v1/lodgings/93") => shown(),
        _ => refused(404, "PLACE_NOT_FOUND"),
    }
}

#[track_caller]
fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.json["code"], code, "{}", answer.text);
}

/// RS-01 RS-02 SY-01 SY-02
#[test]
fn rs_01_rs_02_searches_lodgings_and_looks_rooms_up() {
    let cms = FakeCms::start(good);
    let service = Reservation::beside(&cms);
    let list = service.get("/v1/place?area=0&guests=2");
    assert_eq!(list.status, 200, "{}", list.text);
    for name in ["placeId", "placeTypeName", "placeName", "startPrice", "availabilityRoomCount"] {
        assert!(!list.json["payload"][0][name].is_null(), "{name}: {}", list.text);
    }
    let room = service.get("/v1/place/93/rooms/921");
    assert_eq!(room.json["payload"]["totalAmount"], 220_000, "{}", room.text);
    assert_eq!(room.json["payload"]["available"], false);
    check_problem(&service.get("/v1/place/94/rooms"), 404, "PLACE_NOT_FOUND");
    check_problem(&service.get("/v1/place/93/rooms/1"), 404, "ROOM_NOT_FOUND");
    let heads = cms.heads();
    assert!(heads[0].starts_with("GET /v1/lodgings?area=0&guests=2&size=20 "), "{}", heads[0]);
    assert!(heads.iter().all(|head| head.contains("x-api-key: key-of-the-cms\r\n")));
    assert!(heads.iter().all(|head| head.contains("traceparent: 00-")));
}

/// RS-06
#[test]
fn rs_06_a_member_sees_its_own_reservations_only() {
    let service = Reservation::beside(&FakeCms::start(good));
    let list = service.get("/v1/reservation");
    assert_eq!(list.status, 200, "{}", list.text);
    assert_eq!(list.json["payload"], json!([]));
    let target = "/v1/reservation/01968a3e-0000-7000-8000-000000000000";
    check_problem(&service.get(target), 404, "RESERVATION_NOT_FOUND");
}

/// SY-05
#[test]
fn sy_05_a_hung_cms_gives_504_and_everything_else_goes_on() {
    let cms = FakeCms::start(|_| Reply::Silence);
    let service = Reservation::beside(&cms);
    check_problem(&service.get("/v1/place"), 504, "UPSTREAM_TIMEOUT");
    assert_eq!(cms.heads().len(), 2);
    assert_eq!(service.get("/v1/reservation").status, 200);
    assert_eq!(service.process.get("/readyz").unwrap().status, 200);
}

/// SY-05
#[test]
fn sy_05_garbage_of_the_cms_is_told_and_logged() {
    let cms = FakeCms::start(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"));
    let mut service = Reservation::beside(&cms);
    check_problem(&service.get("/v1/place/93"), 502, "UPSTREAM_PROTOCOL");
    service.process.wait_for("answered with something else than was asked for").unwrap();
}

///
#[test]
fn a_18_nobody_is_served_directly() {
    let cms = FakeCms::start(good);
    let service = Reservation::beside(&cms);
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(service.process.get(path).unwrap().status, 200, "{path}");
    }
    for path in [
        "/v1/place",
        "/v1/place/93/rooms/921",
        "/v1/reservation",
        "/internal/v1/members/42/open-reservations",
    ] {
        check_problem(&service.process.get(path).unwrap(), 401, "UNTRUSTED_CALLER");
        let forged = [("X-Member-Id", "42".to_owned()), ("X-Member-Role", "USER".to_owned())];
        let answer = service.process.request("GET", path, &forged, "").unwrap();
        check_problem(&answer, 401, "UNTRUSTED_CALLER");
    }
    assert_eq!(cms.heads(), Vec::<String>::new());
    assert!(!service.process.log().contains("key-of-the-cms"));
    service.process.signal("TERM").unwrap();
    assert_eq!(service.process.exit_code().unwrap(), Some(0));
}

#[test]
fn every_fault_of_the_environment_is_told() {
    let output = Command::new(BINARY)
        .env_clear()
        .envs([("LISTEN", "x"), ("CMS_URL", "cms"), ("TIMING_CMS_TIMEOUT", "2")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["LISTEN", "GATEWAY_PROOF_KEYS", "CMS_URL", "CMS_API_KEY", "TIMING_CMS_TIMEOUT"] {
        assert!(text.contains(&format!("`{name}`")), "{text}");
    }
}
