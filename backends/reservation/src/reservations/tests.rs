use serde_json::{Value, json};
use service::code::Code;
use service::database::Database;
use service::testing::on_each_database;
use uuid::Uuid;

use crate::harness::{Client, MEMBER, check_problem, nowhere};
use crate::schema;
use ::reservation::machine::Status;
use service::timing::Timing;

/// A reservation as the saga would have stored it.
struct Stored {
    id: Uuid,
    member: i64,
    status: Status,
    check_in: &'static str,
    created_at: &'static str,
}

impl Stored {
    fn new(number: u128) -> Self {
        Self {
            id: Uuid::from_u128(number),
            member: MEMBER,
            status: Status::Requested,
            check_in: "2025-05-02",
            created_at: "2025-04-30T01:00:00.000Z",
        }
    }

    async fn insert(&self, database: &Database) {
        sqlx::query(
            "INSERT INTO reservations (reservation_id, member_id, place_id, place_name, room_id, \
             room_name, check_in_date, check_out_date, guest_count, client_name, \
             client_phone_number, guest_name, guest_phone_number, nightly_prices, total_amount, \
             currency, status, refund_status, cms_status, version, created_at, updated_at) \
             VALUES ($1, $2, 93, '달빛호텔', 921, '달빛호텔_킹_1', $3, '2025-12-31', 2, '김하나', \
             '01000000001', '이둘', '01000000002', '[]', 220000, 'KRW', $4, 'NONE', 'NONE', 1, $5, \
             $5)",
        )
        .bind(self.id.to_string())
        .bind(self.member)
        .bind(self.check_in)
        .bind(self.status.code())
        .bind(self.created_at)
        .execute(database.pool())
        .await
        .unwrap();
    }
}

async fn on_stores(test: impl AsyncFn(Client, Database)) {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database, &nowhere(), &Timing::default()).await;
        test(client, database.clone()).await;
    })
    .await
    .unwrap();
}

/// Numbers of the reservations of a list, page by page.
async fn walk(client: &Client, query: &str) -> Vec<u128> {
    let mut numbers = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = client.get(&format!("/v1/reservation?size=2&{query}{cursor}")).await;
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
    Uuid::try_parse(item["reservationId"].as_str().unwrap()).unwrap().as_u128()
}

/// RS-06
#[tokio::test]
async fn rs_06_a_member_without_reservations_has_an_empty_list() {
    on_stores(async |client, _| {
        let answer = client.get("/v1/reservation").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["payload"], json!([]));
        assert_eq!(
            answer.json["page"],
            json!({ "size": 20, "nextCursor": null, "hasNext": false })
        );
    })
    .await;
}

/// RS-06
#[tokio::test]
async fn rs_06_a_list_holds_every_own_reservation_once_in_every_order() {
    on_stores(async |client, database| {
        // Two pairs that only their ids tell apart.
        let rows = [
            (1, "2025-05-03", "2025-04-30T01:00:00.000Z"),
            (2, "2025-05-02", "2025-04-30T02:00:00.000Z"),
            (3, "2025-05-02", "2025-04-30T02:00:00.000Z"),
            (4, "2025-05-09", "2025-04-29T01:00:00.000Z"),
            (5, "2025-05-09", "2025-04-30T01:00:00.500Z"),
        ];
        for (number, check_in, created_at) in rows {
            Stored { check_in, created_at, ..Stored::new(number) }.insert(&database).await;
        }
        Stored { member: MEMBER + 1, ..Stored::new(6) }.insert(&database).await;
        assert_eq!(walk(&client, "").await, [3, 2, 5, 1, 4]);
        assert_eq!(walk(&client, "sort=createdAt,desc").await, [3, 2, 5, 1, 4]);
        assert_eq!(walk(&client, "sort=checkInDate,asc").await, [2, 3, 1, 4, 5]);
        assert_eq!(walk(&client, "sort=checkInDate,desc").await, [5, 4, 1, 3, 2]);
    })
    .await;
}

/// RS-06
#[tokio::test]
async fn rs_06_filters_leave_what_fits() {
    on_stores(async |client, database| {
        let rows = [
            (1, Status::Confirmed, "2025-05-02"),
            (2, Status::Failed, "2025-05-03"),
            (3, Status::Confirmed, "2025-05-04"),
            (4, Status::Expired, "2025-05-05"),
        ];
        for (number, status, check_in) in rows {
            Stored { status, check_in, ..Stored::new(number) }.insert(&database).await;
        }
        assert_eq!(walk(&client, "status=CONFIRMED").await, [3, 1]);
        assert_eq!(walk(&client, "status=FAILED&status=EXPIRED").await, [4, 2]);
        assert_eq!(walk(&client, "from=2025-05-03&to=2025-05-04").await, [3, 2]);
        assert_eq!(walk(&client, "from=2025-05-03&status=CONFIRMED").await, [3]);
        assert_eq!(walk(&client, "status=CANCELLED").await, [0; 0]);
    })
    .await;
}

/// RS-06
#[tokio::test]
async fn rs_06_a_list_tells_its_faults() {
    on_stores(async |client, database| {
        let target =
            "/v1/reservation?status=DONE&from=2025-05-02&to=2025-05-01&sort=id,desc&size=0";
        let answer = client.get(target).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let errors = answer.json["errors"].as_array().unwrap();
        let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["status", "to", "sort", "size"]);

        for number in 1..=3 {
            Stored::new(number).insert(&database).await;
        }
        let page = client.get("/v1/reservation?size=2").await;
        let cursor = page.json["page"]["nextCursor"].as_str().unwrap();
        for other in ["status=REQUESTED", "sort=checkInDate,asc", "from=2025-05-01"] {
            let answer = client.get(&format!("/v1/reservation?{other}&cursor={cursor}")).await;
            check_problem(&answer, 400, "INVALID_CURSOR");
        }
    })
    .await;
}

/// A cursor can be made up, also one that no database takes.
#[tokio::test]
async fn a_forged_cursor_is_refused() {
    on_stores(async |client, _| {
        let filter = service::cursor::Fingerprint::of([]);
        let id = Uuid::nil().to_string();
        let forged = [("\0", id.as_str()), ("가", &id), ("2025-05-01", "\0"), ("2025-05-01", "1")];
        for (key, id) in forged {
            let cursor = super::Position { key: key.to_owned(), id: id.to_owned() };
            let cursor = cursor.encode(&filter).unwrap();
            let answer = client.get(&format!("/v1/reservation?cursor={cursor}")).await;
            check_problem(&answer, 400, "INVALID_CURSOR");
        }
    })
    .await;
}

/// RS-06
#[tokio::test]
async fn rs_06_shows_what_is_known_of_a_reservation() {
    on_stores(async |client, database| {
        let stored = Stored { check_in: "2025-12-29", ..Stored::new(7) };
        stored.insert(&database).await;
        let target = format!("/v1/reservation/{}", stored.id);
        let fresh = client.get(&target).await;
        assert_eq!(fresh.status, 200, "{}", fresh.text);
        let expected = json!({
            "reservationId": stored.id.to_string(), "status": "REQUESTED", "refundStatus": "NONE",
            "placeId": 93, "placeName": "달빛호텔", "roomId": 921, "roomName": "달빛호텔_킹_1",
            "checkInDate": "2025-12-29", "checkOutDate": "2025-12-31", "nights": 2,
            "guestCount": 2,
            "client": { "name": "김하나", "phoneNumber": "01000000001" },
            "guest": { "name": "이둘", "phoneNumber": "01000000002" },
            "totalAmount": 220_000, "currency": "KRW", "holdExpiresAt": null,
            "cancelRequestedAt": null, "failure": null, "payment": null,
            "createdAt": "2025-04-30T10:00:00.000+09:00",
            "updatedAt": "2025-04-30T10:00:00.000+09:00"
        });
        assert_eq!(fresh.json["payload"], expected);

        sqlx::query(
            "UPDATE reservations SET status = 'CANCELLED', refund_status = 'DONE', \
             payment_id = 'p1', payment_status = 'DONE', payment_method = '카드', \
             payment_approved_at = '2025-04-30T02:00:00.000Z', failure_code = 'OPERATOR', \
             cancel_requested_at = '2025-04-30T03:00:00.000Z'",
        )
        .execute(database.pool())
        .await
        .unwrap();
        let later = client.get(&target).await.json["payload"].clone();
        assert_eq!(later["refundStatus"], "DONE");
        assert_eq!(later["cancelRequestedAt"], "2025-04-30T12:00:00.000+09:00");
        assert_eq!(later["failure"], json!({ "code": "OPERATOR", "message": "" }));
        let payment = json!({
            "paymentId": "p1", "status": "DONE", "method": "카드",
            "approvedAt": "2025-04-30T11:00:00.000+09:00"
        });
        assert_eq!(later["payment"], payment);
    })
    .await;
}

/// RS-06 A-25
#[tokio::test]
async fn rs_06_those_of_others_do_not_exist() {
    on_stores(async |client, database| {
        let foreign = Stored { member: MEMBER + 1, ..Stored::new(8) };
        foreign.insert(&database).await;
        let missing = Uuid::from_u128(9).to_string();
        let ids = [foreign.id.to_string(), missing, "abc".to_owned(), "%00".to_owned()];
        for id in ids {
            let answer = client.get(&format!("/v1/reservation/{id}")).await;
            check_problem(&answer, 404, "RESERVATION_NOT_FOUND");
        }
        assert_eq!(walk(&client, "").await, [0; 0]);
    })
    .await;
}

///
#[tokio::test]
async fn a_18_only_members_that_come_through_the_gateway_are_served() {
    on_stores(async |client, database| {
        let stored = Stored::new(1);
        stored.insert(&database).await;
        for target in ["/v1/reservation", &format!("/v1/reservation/{}", stored.id)] {
            check_problem(&client.get_directly(target).await, 401, "UNTRUSTED_CALLER");
            check_problem(&client.get_as_service(target).await, 401, "UNTRUSTED_CALLER");
            check_problem(&client.get_as(None, target).await, 401, "UNTRUSTED_CALLER");
            assert_eq!(client.get(target).await.status, 200, "{target}");
        }
    })
    .await;
}

/// What another service asks before it lets a member go.
#[tokio::test]
async fn counts_what_is_open() {
    on_stores(async |client, database| {
        let target = format!("/internal/v1/members/{MEMBER}/open-reservations");
        let count = async || client.get_as_service(&target).await.json["payload"].clone();
        assert_eq!(count().await, json!({ "count": 0 }));
        for (number, status) in (1..).zip(Status::ALL) {
            Stored { status: *status, ..Stored::new(number) }.insert(&database).await;
        }
        Stored { member: MEMBER + 1, ..Stored::new(99) }.insert(&database).await;
        assert_eq!(count().await, json!({ "count": 6 }));
        let nonsense = client.get_as_service("/internal/v1/members/x/open-reservations").await;
        check_problem(&nonsense, 400, "INVALID_REQUEST");
        check_problem(&client.get_directly(&target).await, 401, "UNTRUSTED_CALLER");
        check_problem(&client.get(&target).await, 401, "UNTRUSTED_CALLER");
    })
    .await;
}
