use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use service::database::{Database, DatabaseUrl};
use tempfile::TempDir;
use utoipa::OpenApi;

use crate::api::Api;
use crate::fake_cms::{FakeCms, Reply, listed, refused, shown};
use crate::harness::{Client, check_problem, nowhere};
use crate::schema;
use service::timing::Timing;

/// Every endpoint of places, for a lodging and a room the fake CMS has.
const TARGETS: [&str; 4] =
    ["/v1/place", "/v1/place/93", "/v1/place/93/rooms", "/v1/place/93/rooms/921"];

/// An answer whose end never comes, one that is no JSON, and one that is no lodging.
const LOST: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
const GARBAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage";
const OTHER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"payload\":{}}";

/// What the CMS does; the status and the code that a customer is told; how often the CMS was asked.
type Case = (fn() -> Reply, u16, &'static str, usize);

/// Runs a test beside a CMS at `base`; places are never stored, so one kind of store is enough.
async fn beside(base: &str, timing: Timing, test: impl AsyncFnOnce(Client)) {
    let folder = TempDir::new().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
    let database = Database::open(&url, schema::STEPS).await.unwrap();
    test(Client::new(&database, base, &timing).await).await;
    database.close().await;
}

async fn with_cms(
    reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    test: impl AsyncFnOnce(Client, FakeCms),
) {
    let cms = FakeCms::start(reply);
    beside(&cms.base(), Timing::default(), async |client| test(client, cms.clone()).await).await;
}

fn good(target: &str) -> Reply {
    if target.starts_with("/v1/lodgings?") { listed() } else { shown() }
}

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// RS-01
#[tokio::test]
async fn rs_01_lists_lodgings() {
    with_cms(good, async |client, _| {
        let answer = client.get("/v1/place").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["timestamp"], "2025-05-01T10:00:00.000+09:00");
        let page =
            json!({ "size": 20, "nextCursor": "abc-_9", "hasNext": true, "totalCount": 3000 });
        assert_eq!(answer.json["page"], page);
        let item = json!({
            "placeId": 93, "placeTypeName": "호텔/리조트", "placeName": "달빛호텔",
            "startPrice": 68_200, "availabilityRoomCount": 7, "placeTypeCode": "HOTEL_RESORT",
            "areaCode": 0, "areaName": "서울", "address": "서울 중구 1"
        });
        assert_eq!(answer.json["payload"], json!([item]));
    })
    .await;
}

/// RS-01
#[tokio::test]
async fn rs_01_shows_a_lodging_without_its_rooms() {
    with_cms(good, async |client, _| {
        let answer = client.get("/v1/place/93").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let place = &answer.json["payload"];
        assert_eq!(place["placeName"], "달빛호텔");
        assert_eq!(place["checkOut"], "2025-05-04");
        assert!(place["rooms"].is_null());
    })
    .await;
}

/// RS-02
#[tokio::test]
async fn rs_02_shows_rooms_with_price_and_availability() {
    with_cms(good, async |client, _| {
        let rooms = client.get("/v1/place/93/rooms").await;
        assert_eq!(rooms.status, 200, "{}", rooms.text);
        let room = &rooms.json["payload"][0];
        let expected = "roomId placeId roomName bedType capacity maxCapacity available \
                        totalAmount currency nights";
        assert_eq!(members(room), expected.split(' ').collect());
        assert_eq!(room["totalAmount"], 220_000);
        let night = |date, status| json!({ "date": date, "status": status, "price": 110_000 });
        // A state that nobody knows is not sold.
        let nights = json!([night("2025-05-02", "OPEN"), night("2025-05-03", "CLOSED")]);
        assert_eq!(room["nights"], nights);
        let single = client.get("/v1/place/93/rooms/921").await;
        assert_eq!(single.json["payload"], *room);
    })
    .await;
}

/// RS-02
#[tokio::test]
async fn rs_02_a_room_of_another_lodging_is_not_found() {
    with_cms(good, async |client, _| {
        check_problem(&client.get("/v1/place/93/rooms/922").await, 404, "ROOM_NOT_FOUND");
    })
    .await;
}

/// RS-01 RS-02
#[tokio::test]
async fn an_unknown_lodging_is_not_found() {
    with_cms(
        |_| refused(404, "PLACE_NOT_FOUND"),
        async |client, _| {
            for target in &TARGETS[1..] {
                let answer = client.get(target).await;
                check_problem(&answer, 404, "PLACE_NOT_FOUND");
                assert!(!answer.text.contains("inner words"), "{}", answer.text);
            }
        },
    )
    .await;
}

/// SY-01 SY-02
#[tokio::test]
async fn sy_02_the_cms_is_asked_for_what_the_customer_wants() {
    with_cms(good, async |client, cms| {
        let filter = "area=1&type=MOTEL&type=CAMPING_GLAMPING&keyword=%EB%8B%AC+%26%3D&guests=2\
                      &checkIn=2025-05-02&checkOut=2025-05-04&minPrice=1&maxPrice=2\
                      &availableOnly=true&sort=price,desc&size=7&cursor=abc-_9&unknown=1";
        assert_eq!(client.get(&format!("/v1/place?{filter}")).await.status, 200);
        assert_eq!(client.get("/v1/place?availableOnly=false").await.status, 200);
        let stay = "checkIn=2025-05-02&checkOut=2025-05-04&guests=2";
        assert_eq!(client.get(&format!("/v1/place/93/rooms?{stay}")).await.status, 200);
        let asked: Vec<_> = cms.heads();
        let lines: Vec<_> = asked.iter().map(|head| head.lines().next().unwrap()).collect();
        assert_eq!(
            lines,
            [
                "GET /v1/lodgings?checkIn=2025%2D05%2D02&checkOut=2025%2D05%2D04&type=MOTEL\
                 &type=CAMPING%5FGLAMPING&keyword=%EB%8B%AC%20%26%3D&area=1&guests=2&minPrice=1\
                 &maxPrice=2&availableOnly=true&sort=price%2Cdesc&size=7&cursor=abc%2D%5F9 HTTP/1.1",
                "GET /v1/lodgings?size=20 HTTP/1.1",
                "GET /v1/lodgings/93?checkIn=2025%2D05%2D02&checkOut=2025%2D05%2D04&guests=2 \
                 HTTP/1.1",
            ]
        );
        for head in &asked {
            assert!(head.contains("x-api-key: key-of-the-cms\r\n"), "{head}");
            assert!(!head.contains("x-member-id"), "the CMS learns of no member: {head}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_fault_of_a_search_is_told_and_the_cms_not_asked() {
    with_cms(good, async |client, cms| {
        let answer = client
            .get(
                "/v1/place?area=17&type=HOTEL&keyword=&guests=21&minPrice=2&maxPrice=1\
                 &availableOnly=yes&sort=id,asc&size=101&checkIn=2025-04-30&checkOut=2025-05-01",
            )
            .await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let errors = answer.json["errors"].as_array().unwrap();
        let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        let expected = "area type keyword checkIn guests maxPrice availableOnly sort size";
        assert_eq!(fields.join(" "), expected);
        for target in [
            "/v1/place/0",
            "/v1/place/abc/rooms",
            "/v1/place/93/rooms/-1",
            "/v1/place/93?guests=0",
            "/v1/place/93/rooms?checkIn=2025-05-02",
        ] {
            check_problem(&client.get(target).await, 400, "INVALID_REQUEST");
        }
        assert_eq!(cms.heads(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_another_filter_is_refused() {
    with_cms(
        |_| refused(400, "INVALID_CURSOR"),
        async |client, cms| {
            check_problem(&client.get("/v1/place?cursor=abc").await, 400, "INVALID_CURSOR");
            assert_eq!(cms.heads().len(), 1);
            let long = format!("/v1/place?cursor={}", "a".repeat(513));
            for target in ["/v1/place?cursor=%20", "/v1/place?cursor=a%2Fb", &long] {
                check_problem(&client.get(target).await, 400, "INVALID_CURSOR");
            }
            assert_eq!(cms.heads().len(), 1, "what is no cursor is not passed on");
        },
    )
    .await;
}

/// SY-05
#[tokio::test]
async fn sy_05_a_silent_cms_is_given_up_after_one_more_attempt() {
    let cms = FakeCms::start(|_| Reply::Silence);
    let timing = Timing { cms_timeout: Duration::from_millis(50), ..Timing::default() };
    beside(&cms.base(), timing, async |client| {
        for target in TARGETS {
            let answer = client.get(target).await;
            check_problem(&answer, 504, "UPSTREAM_TIMEOUT");
        }
    })
    .await;
    assert_eq!(cms.heads().len(), 2 * TARGETS.len());
}

/// SY-05
#[tokio::test]
async fn sy_05_a_cms_that_is_away_is_unavailable() {
    beside(&nowhere(), Timing::default(), async |client| {
        for target in TARGETS {
            let answer = client.get(target).await;
            check_problem(&answer, 503, "CMS_UNAVAILABLE");
            assert_eq!(answer.header("retry-after"), "1");
        }
    })
    .await;
}

/// SY-05
#[tokio::test]
async fn sy_05_faults_of_the_cms_are_told_apart() {
    let cases: [Case; 8] = [
        (|| refused(503, "STORE_UNAVAILABLE"), 503, "CMS_UNAVAILABLE", 2),
        (|| refused(500, "INTERNAL_ERROR"), 503, "CMS_UNAVAILABLE", 2),
        (|| Reply::Bytes(LOST), 503, "CMS_UNAVAILABLE", 2),
        (|| Reply::Bytes(b""), 503, "CMS_UNAVAILABLE", 2),
        (|| Reply::Bytes(GARBAGE), 502, "UPSTREAM_PROTOCOL", 1),
        (|| Reply::Bytes(OTHER), 502, "UPSTREAM_PROTOCOL", 1),
        (|| refused(401, "UNTRUSTED_CALLER"), 502, "UPSTREAM_PROTOCOL", 1),
        // A wrong CMS_URL must not read as a lodging that is gone.
        (|| refused(404, "NOT_FOUND"), 502, "UPSTREAM_PROTOCOL", 1),
    ];
    for (reply, status, code, attempts) in cases {
        with_cms(
            move |_| reply(),
            async |client, cms| {
                check_problem(&client.get("/v1/place/93").await, status, code);
                assert_eq!(cms.heads().len(), attempts, "{status} {code}");
            },
        )
        .await;
    }
}

/// SY-05
#[tokio::test]
async fn sy_05_a_second_attempt_helps() {
    let attempts = AtomicUsize::new(0);
    let reply = move |_: &str| {
        let is_first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        if is_first { Reply::Bytes(b"") } else { shown() }
    };
    with_cms(reply, async |client, _| {
        assert_eq!(client.get("/v1/place/93").await.status, 200);
    })
    .await;
}

///
#[tokio::test]
async fn a_18_only_members_that_come_through_the_gateway_are_served() {
    with_cms(good, async |client, cms| {
        for target in TARGETS {
            check_problem(&client.get_directly(target).await, 401, "UNTRUSTED_CALLER");
            check_problem(&client.get_as_service(target).await, 401, "UNTRUSTED_CALLER");
            check_problem(&client.get_as(None, target).await, 401, "UNTRUSTED_CALLER");
            assert_eq!(client.get(target).await.status, 200, "{target}");
        }
        assert_eq!(cms.heads().len(), TARGETS.len());
    })
    .await;
}

#[test]
fn the_document_tells_every_code() {
    let document = serde_json::to_value(Api::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let list = &document["paths"]["/v1/place"]["get"];
    let statuses = members(&list["responses"]);
    assert_eq!(statuses, ["200", "400", "401", "500", "502", "503", "504"].into());
}
