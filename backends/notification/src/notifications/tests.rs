use serde_json::{Value, json};
use service::code::Code;
use service::database::Database;
use uuid::Uuid;

use crate::code::{Channel, Kind, Status};
use crate::harness::{Client, MEMBER, check_problem, on_stores};

/// A notification as the delivery would have stored it.
struct Stored {
    id: Uuid,
    member: i64,
    kind: Kind,
    status: Status,
    created_at: &'static str,
}

impl Stored {
    fn new(number: u128) -> Self {
        Self {
            id: Uuid::from_u128(number),
            member: MEMBER,
            kind: Kind::Reservation,
            status: Status::Pending,
            created_at: "2025-04-30T01:00:00.000Z",
        }
    }

    async fn insert(&self, database: &Database) {
        sqlx::query(
            "INSERT INTO notifications (notification_id, source_event_id, kind, template_code, \
             channel, member_id, payload, status, attempts, version, created_at, updated_at) \
             VALUES ($1, $1, $2, 'RESERVATION_CONFIRMED', $3, $4, '{}', $5, 0, 1, $6, $6)",
        )
        .bind(self.id.to_string())
        .bind(self.kind.code())
        .bind(Channel::InApp.code())
        .bind(self.member)
        .bind(self.status.code())
        .bind(self.created_at)
        .execute(database.pool())
        .await
        .unwrap();
    }
}

/// Numbers of the notifications of a list, page by page.
async fn walk(client: &Client, query: &str) -> Vec<u128> {
    let mut numbers = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = client.get(&format!("/v1/notification?size=2&{query}{cursor}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let items = answer.json["payload"].as_array().unwrap();
        assert!(items.len() <= 2);
        numbers.extend(items.iter().map(number));
        match answer.json["page"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return numbers,
        }
    }
}

fn number(item: &Value) -> u128 {
    Uuid::try_parse(item["notificationId"].as_str().unwrap()).unwrap().as_u128()
}

#[tokio::test]
async fn the_newest_of_the_members_own_come_first() {
    on_stores(async |client, database| {
        assert_eq!(walk(&client, "").await, [0; 0]);
        let rows = [
            (1, "2025-04-30T01:00:00.000Z"),
            (2, "2025-04-30T02:00:00.000Z"),
            // Only the id tells it from the one before.
            (3, "2025-04-30T02:00:00.000Z"),
            (4, "2025-04-29T01:00:00.000Z"),
            (5, "2025-04-30T01:00:00.500Z"),
        ];
        for (number, created_at) in rows {
            Stored { created_at, ..Stored::new(number) }.insert(&database).await;
        }
        Stored { member: MEMBER + 1, ..Stored::new(6) }.insert(&database).await;
        assert_eq!(walk(&client, "").await, [3, 2, 5, 1, 4]);
    })
    .await;
}

#[tokio::test]
async fn filters_leave_what_fits() {
    on_stores(async |client, database| {
        let rows = [
            (1, Kind::Reservation, Status::Sent),
            (2, Kind::Payment, Status::Sent),
            (3, Kind::Payment, Status::Failed),
            (4, Kind::TravelPlanner, Status::Skipped),
        ];
        for (number, kind, status) in rows {
            Stored { kind, status, ..Stored::new(number) }.insert(&database).await;
        }
        assert_eq!(walk(&client, "kind=PAYMENT").await, [3, 2]);
        assert_eq!(walk(&client, "status=SENT").await, [2, 1]);
        assert_eq!(walk(&client, "kind=PAYMENT&status=SENT").await, [2]);
        assert_eq!(walk(&client, "status=SENDING").await, [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_list_tells_its_faults() {
    on_stores(async |client, database| {
        let answer = client.get("/v1/notification?kind=MAIL&status=sent&size=101").await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let errors = answer.json["errors"].as_array().unwrap();
        let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["kind", "status", "size"]);

        for number in 1..=3 {
            Stored::new(number).insert(&database).await;
        }
        let page = client.get("/v1/notification?size=2").await;
        let cursor = page.json["page"]["nextCursor"].as_str().unwrap();
        let answer = client.get(&format!("/v1/notification?kind=PAYMENT&cursor={cursor}")).await;
        check_problem(&answer, 400, "INVALID_CURSOR");
    })
    .await;
}

/// A cursor can be made up, also one that no database takes.
#[tokio::test]
async fn a_forged_cursor_is_refused() {
    on_stores(async |client, _| {
        let filter = service::cursor::Fingerprint::of([]);
        let id = Uuid::nil().to_string();
        for (key, id) in [("\0", id.as_str()), ("2025-05-01", "\0"), ("2025-05-01", "1")] {
            let cursor = super::Position { key: key.to_owned(), id: id.to_owned() };
            let cursor = cursor.encode(&filter).unwrap();
            let answer = client.get(&format!("/v1/notification?cursor={cursor}")).await;
            check_problem(&answer, 400, "INVALID_CURSOR");
        }
    })
    .await;
}

#[tokio::test]
async fn shows_one_and_when_it_was_read_first() {
    on_stores(async |client, database| {
        let stored = Stored::new(7);
        stored.insert(&database).await;
        let target = format!("/v1/notification/{}", stored.id);
        let fresh = client.get(&target).await;
        let expected = json!({
            "notificationId": stored.id.to_string(), "kind": "RESERVATION",
            "templateCode": "RESERVATION_CONFIRMED", "channel": "IN_APP", "destination": null,
            "title": null, "body": null, "status": "PENDING", "sentAt": null, "readAt": null,
            "createdAt": "2025-04-30T10:00:00.000+09:00"
        });
        assert_eq!(fresh.json["payload"], expected);

        for _ in 0..2 {
            let answer = client.post(&format!("{target}/read"), "").await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        }
        sqlx::query(
            "UPDATE notifications SET rendered_title = '예약', rendered_body = '확정', \
             status = 'SENT', destination = 'a@b.kr', sent_at = '2025-04-30T02:00:00.000Z'",
        )
        .execute(database.pool())
        .await
        .unwrap();
        let later = client.get(&target).await.json["payload"].clone();
        assert_eq!(later["readAt"], "2025-05-01T10:00:00.000+09:00");
        assert_eq!(later["sentAt"], "2025-04-30T11:00:00.000+09:00");
        assert_eq!([&later["title"], &later["body"], &later["status"]], ["예약", "확정", "SENT"]);
    })
    .await;
}

#[tokio::test]
async fn reading_again_changes_nothing() {
    on_stores(async |client, database| {
        let stored = Stored::new(7);
        stored.insert(&database).await;
        sqlx::query("UPDATE notifications SET read_at = '2025-04-30T02:00:00.000Z'")
            .execute(database.pool())
            .await
            .unwrap();
        let target = format!("/v1/notification/{}", stored.id);
        assert_eq!(client.post(&format!("{target}/read"), "").await.status, 204);
        let shown = client.get(&target).await;
        assert_eq!(shown.json["payload"]["readAt"], "2025-04-30T11:00:00.000+09:00");
    })
    .await;
}

#[tokio::test]
async fn those_of_others_do_not_exist() {
    on_stores(async |client, database| {
        let foreign = Stored { member: MEMBER + 1, ..Stored::new(8) };
        foreign.insert(&database).await;
        let missing = Uuid::from_u128(9).to_string();
        for id in [foreign.id.to_string(), missing, "abc".to_owned(), "%00".to_owned()] {
            let target = format!("/v1/notification/{id}");
            check_problem(&client.get(&target).await, 404, "NOTIFICATION_NOT_FOUND");
            let answer = client.post(&format!("{target}/read"), "").await;
            check_problem(&answer, 404, "NOTIFICATION_NOT_FOUND");
        }
        let owner = Some(MEMBER + 1);
        let target = format!("/v1/notification/{}", foreign.id);
        let shown = client.send_as(owner, "GET", &target, "").await;
        assert!(shown.json["payload"]["readAt"].is_null());
    })
    .await;
}

///
#[tokio::test]
async fn a_18_only_members_that_come_through_the_gateway_are_served() {
    on_stores(async |client, database| {
        let stored = Stored::new(1);
        stored.insert(&database).await;
        let one = format!("/v1/notification/{}", stored.id);
        let endpoints = [
            ("GET", "/v1/notification"),
            ("GET", one.as_str()),
            ("POST", &format!("{one}/read")),
            ("GET", "/v1/notification/preferences"),
            ("POST", "/v1/notification/preferences"),
        ];
        for (method, target) in endpoints {
            let answer = client.send_directly(method, target).await;
            check_problem(&answer, 401, "UNTRUSTED_CALLER");
            let answer = client.send_as(None, method, target, "").await;
            check_problem(&answer, 401, "UNTRUSTED_CALLER");
        }
        assert!(client.get(&one).await.json["payload"]["readAt"].is_null());
    })
    .await;
}
