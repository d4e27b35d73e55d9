use std::collections::HashSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use service::app::{App, Registry};
use service::clock::Clock;
use service::database::Database;
use service::testing::{Answer, on_each_database, send};

use super::*;
use crate::data_set::{self, Plan};
use crate::generator::DEFAULT_SEED;
use crate::key::{self, ApiKey};
use crate::{area, schema};

/// Reaches into three areas.
const PLAN: Plan = Plan { seed: DEFAULT_SEED, lodgings: 760, nights: 4 };
const KEY: &str = "key-of-the-cms";
const STAY: &str = "checkIn=2025-05-02&checkOut=2025-05-04";

/// The service as clients see it, on 1 May 2025.
struct Client(Router);

impl Client {
    async fn new(database: &Database) -> Self {
        let clock = Clock::fixed("2025-05-01T10:00:00+09:00".parse().unwrap());
        data_set::fill_once(database, PLAN, &clock).await.unwrap();
        let shelf = Shelf::open(database.pool()).await.unwrap();
        let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
        let cms = Cms { shelf, shared: shared.clone(), calls: Calls::default() };
        let routes = key::guard(routes(cms, &Faults::default()), ApiKey::parse(KEY).unwrap());
        let app = App::new(routes, &Api::openapi(), shared);
        Self(app.unwrap().into_router())
    }

    async fn get(&self, target: &str) -> Answer {
        self.get_with(target, Some(KEY)).await
    }

    async fn get_with(&self, target: &str, key: Option<&str>) -> Answer {
        let request = Request::get(target);
        let request = match key {
            Some(key) => request.header(key::HEADER, key),
            None => request,
        };
        send(&self.0, request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn list(&self, query: &str) -> Value {
        let answer = self.get(&format!("/v1/lodgings?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        answer.json
    }

    /// Every item of a list, page by page.
    async fn walk(&self, query: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut page = self.list(&format!("{query}&size=100")).await;
        loop {
            items.extend(page["payload"].as_array().unwrap().clone());
            let cursor = page["page"]["nextCursor"].as_str().map(str::to_owned);
            assert_eq!(page["page"]["hasNext"], cursor.is_some());
            let Some(cursor) = cursor else { break };
            page = self.list(&format!("{query}&size=100&cursor={cursor}")).await;
        }
        assert_eq!(page["page"]["totalCount"], items.len());
        items
    }
}

fn number(item: &Value, name: &str) -> i64 {
    item[name].as_i64().unwrap()
}

fn ids(items: &[Value]) -> Vec<i64> {
    items.iter().map(|item| number(item, "placeId")).collect()
}

#[track_caller]
fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json["code"], code, "{}", answer.text);
}

/// CM-01
#[tokio::test]
async fn cm_01_lists_the_newest_lodgings_first() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        let list = client.list("").await;
        assert_eq!(list["timestamp"], "2025-05-01T10:00:00.000+09:00");
        assert_eq!(list["page"]["size"], 20);
        assert_eq!(list["page"]["totalCount"], 760);
        let items = list["payload"].as_array().unwrap();
        assert_eq!(ids(items), (741..=760).rev().collect::<Vec<_>>());
        let names: Vec<_> = items[0].as_object().unwrap().keys().cloned().collect();
        let expected = "placeId placeTypeCode placeTypeName placeName areaCode areaName address \
                        startPrice availabilityRoomCount";
        let expected: HashSet<_> = expected.split(' ').collect();
        assert_eq!(names.iter().map(String::as_str).collect::<HashSet<_>>(), expected);
    })
    .await
    .unwrap();
}

/// CM-01
#[tokio::test]
async fn cm_01_pages_hold_every_lodging_once_in_every_order() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        for field in ["id", "price", "name", "availability"] {
            let up = client.walk(&format!("{STAY}&sort={field},asc")).await;
            let down = client.walk(&format!("{STAY}&sort={field},desc")).await;
            assert_eq!(ids(&up).into_iter().collect::<HashSet<_>>().len(), 760, "{field}");
            // Those without a price come last either way.
            let priced = |items: &[Value]| {
                let with_price = items.iter().take_while(|item| !item["startPrice"].is_null());
                ids(&with_price.cloned().collect::<Vec<_>>())
            };
            if field == "price" {
                assert!(priced(&up).len() < 760, "no lodging is sold out");
                let reversed: Vec<_> = priced(&down).into_iter().rev().collect();
                assert_eq!(priced(&up), reversed);
            } else {
                let reversed: Vec<_> = ids(&down).into_iter().rev().collect();
                assert_eq!(ids(&up), reversed, "{field}");
            }
            let key = |item: &Value| match field {
                "price" => item["startPrice"].as_i64().unwrap_or(i64::MAX).to_string(),
                "availability" => item["availabilityRoomCount"].to_string(),
                "name" => item["placeName"].to_string(),
                _ => item["placeId"].to_string(),
            };
            let keys: Vec<_> = up.iter().map(|item| (key(item).len(), key(item))).collect();
            assert!(field == "name" || keys.is_sorted(), "{field}");
        }
    })
    .await
    .unwrap();
}

/// CM-01
#[tokio::test]
async fn cm_01_filters_leave_what_fits() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        let all = client.walk(STAY).await;
        let check = async |query: &str, fits: &dyn Fn(&Value) -> bool| {
            let expected: Vec<_> = all.iter().filter(|item| fits(item)).cloned().collect();
            assert!(!expected.is_empty() && expected.len() < all.len(), "{query} tells nothing");
            assert_eq!(client.walk(&format!("{STAY}&{query}")).await, expected, "{query}");
        };
        check("area=1", &|item| item["areaCode"] == 1).await;
        check("type=MOTEL&type=CAMPING_GLAMPING", &|item| {
            ["MOTEL", "CAMPING_GLAMPING"].contains(&item["placeTypeCode"].as_str().unwrap())
        })
        .await;
        let keyword = "keyword=%EB%8B%AC%EB%B9%9B+%EB%8F%99%EC%AA%BD";
        check(keyword, &|item| item["placeName"].as_str().unwrap().contains("달빛 동쪽")).await;
        check("minPrice=100000&maxPrice=200000", &|item| {
            item["startPrice"].as_i64().is_some_and(|price| (100_000..=200_000).contains(&price))
        })
        .await;
        check("availableOnly=true", &|item| item["availabilityRoomCount"] != 0).await;
        check("area=0&type=MOTEL&availableOnly=true&minPrice=1", &|item| {
            item["areaCode"] == 0
                && item["placeTypeCode"] == "MOTEL"
                && !item["startPrice"].is_null()
        })
        .await;
    })
    .await
    .unwrap();
}

/// CM-01 CM-02
#[tokio::test]
async fn cm_01_cm_02_the_list_says_what_the_rooms_say() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        // A closed lodging among them, wherever the generator put one.
        let sold_out = client.walk(&format!("{STAY}&sort=availability,asc")).await;
        let mut places = vec![number(&sold_out[0], "placeId")];
        places.extend([1, 93, 500, 760]);
        for guests in ["", "&guests=4"] {
            let list = client.walk(&format!("{STAY}{guests}")).await;
            for place in &places {
                let target = format!("/v1/lodgings/{place}?{STAY}{guests}");
                let detail = client.get(&target).await.json;
                let rooms = detail["payload"]["rooms"].as_array().unwrap();
                let is_large = |room: &Value| number(room, "maxCapacity") >= 4;
                assert!(guests.is_empty() || rooms.iter().all(is_large), "{place}");
                let free: Vec<_> = rooms.iter().filter(|room| room["available"] == true).collect();
                let Some(item) = list.iter().find(|item| item["placeId"] == *place) else {
                    assert!(free.is_empty(), "{place} is missing");
                    continue;
                };
                assert_eq!(item["availabilityRoomCount"], free.len(), "{place}");
                let lowest = free.iter().map(|room| number(room, "totalAmount")).min();
                assert_eq!(item["startPrice"], json!(lowest), "{place}");
                for name in ["availabilityRoomCount", "startPrice"] {
                    assert_eq!(detail["payload"][name], item[name], "{place}");
                }
            }
        }
    })
    .await
    .unwrap();
}

/// CM-01
#[tokio::test]
async fn tells_every_fault_of_a_list_request() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        let answer = client
            .get(
                "/v1/lodgings?area=17&type=HOTEL&keyword=&guests=21&minPrice=2&maxPrice=1\
                 &availableOnly=yes&sort=grade,asc&size=101&checkIn=2025-04-30&checkOut=2025-05-01",
            )
            .await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let errors = answer.json["errors"].as_array().unwrap();
        let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        let expected = "area type keyword guests maxPrice availableOnly sort checkIn size";
        assert_eq!(fields.join(" "), expected);
        assert_eq!(errors[0]["rejected"], "17");
        check_problem(&client.get("/v1/lodgings?keyword=%FF").await, 400, "INVALID_REQUEST");
        check_problem(&client.get("/v1/lodgings?area=0&area=1").await, 400, "INVALID_REQUEST");
    })
    .await
    .unwrap();
}

/// CM-01
#[tokio::test]
async fn a_cursor_is_for_one_filter() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        let page = client.list("area=0&type=MOTEL&type=HOTEL_RESORT&size=5").await;
        let cursor = page["page"]["nextCursor"].as_str().unwrap();
        let again = format!("type=HOTEL_RESORT&cursor={cursor}&type=MOTEL&area=0&size=7");
        assert_eq!(client.list(&again).await["payload"].as_array().unwrap().len(), 7);
        for other in ["area=1&type=MOTEL&type=HOTEL_RESORT", "area=0", ""] {
            let answer = client.get(&format!("/v1/lodgings?{other}&cursor={cursor}")).await;
            check_problem(&answer, 400, "INVALID_CURSOR");
        }
        check_problem(&client.get("/v1/lodgings?cursor=x").await, 400, "INVALID_CURSOR");
    })
    .await
    .unwrap();
}

/// CM-02
#[tokio::test]
async fn cm_02_shows_a_lodging_with_rooms_and_nights() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        sqlx::query("DELETE FROM room_nights WHERE room_id <= 10")
            .execute(database.pool())
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO room_nights (night, room_id, status, version) VALUES \
             ('2025-05-02', 1, 'HELD', 1), ('2025-05-03', 2, 'BOOKED', 1), \
             ('2025-05-03', 3, 'OPEN', 2), ('2025-05-04', 4, 'CLOSED', 1)",
        )
        .execute(database.pool())
        .await
        .unwrap();
        let answer = client.get(&format!("/v1/lodgings/1?{STAY}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        let place = &answer.json["payload"];
        assert_eq!(place["placeId"], 1);
        assert_eq!(place["areaName"], "서울");
        assert_eq!(place["availabilityRoomCount"], 8);
        let rooms = place["rooms"].as_array().unwrap();
        assert_eq!(rooms.len(), 10);
        let statuses = |room: usize| -> Vec<_> {
            let nights = rooms[room]["nights"].as_array().unwrap();
            nights.iter().map(|night| night["status"].as_str().unwrap()).collect()
        };
        assert_eq!(statuses(0), ["HELD", "OPEN"]);
        assert_eq!(statuses(1), ["OPEN", "BOOKED"]);
        assert_eq!(statuses(2), ["OPEN", "OPEN"]);
        assert_eq!(statuses(3), ["OPEN", "OPEN"]);
        let available: Vec<_> = rooms.iter().map(|room| room["available"] == true).collect();
        assert_eq!(available[..4], [false, false, true, true]);
        let nights = rooms[0]["nights"].as_array().unwrap();
        let sum: i64 = nights.iter().map(|night| number(night, "price")).sum();
        assert_eq!(rooms[0]["totalAmount"], sum);
        assert_eq!(rooms[0]["currency"], "KRW");
        assert_eq!(nights[1]["date"], "2025-05-03");
    })
    .await
    .unwrap();
}

/// CM-02
#[tokio::test]
async fn cm_02_an_unknown_lodging_is_not_found() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        let answer = client.get("/v1/lodgings/761").await;
        check_problem(&answer, 404, "PLACE_NOT_FOUND");
        assert_eq!(answer.json["instance"], "/v1/lodgings/761");
        for id in ["abc", "0", "-1"] {
            let answer = client.get(&format!("/v1/lodgings/{id}")).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
        }
        for query in ["checkIn=2025-05-02", "guests=0"] {
            let answer = client.get(&format!("/v1/lodgings/1?{query}")).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
        }
    })
    .await
    .unwrap();
}

///
#[tokio::test]
async fn a_18_nobody_without_the_key_is_served() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        for target in ["/v1/lodgings", "/v1/lodgings/1", "/v1/lodgings/abc"] {
            for key in [None, Some(""), Some("key-of-the-cm"), Some("key-of-the-cmS")] {
                let answer = client.get_with(target, key).await;
                check_problem(&answer, 401, "UNTRUSTED_CALLER");
            }
        }
        for target in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
            assert_eq!(client.get_with(target, None).await.status, StatusCode::OK, "{target}");
        }
    })
    .await
    .unwrap();
}

#[test]
fn the_document_names_the_key() {
    let document = serde_json::to_value(Api::openapi()).unwrap();
    let scheme = json!({ "type": "apiKey", "in": "header", "name": "X-Api-Key" });
    assert_eq!(document["components"]["securitySchemes"]["apiKey"], scheme);
    assert_eq!(document["security"], json!([{ "apiKey": [] }]));
}

#[test]
fn the_document_and_the_parser_know_the_same_parameters() {
    let document = serde_json::to_value(Api::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let parameters = document["paths"]["/v1/lodgings"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<_> = parameters.iter().map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(names, [parameters::FILTER, &["size", "cursor"]].concat());
    assert_eq!(parameters[0]["schema"]["maximum"], area::ALL.last().unwrap().code);
}

/// RS-08: whoever knows only the room is shown it with its lodging.
#[tokio::test]
async fn rs_08_a_room_is_found_by_its_id_alone() {
    on_each_database(schema::STEPS, async |database| {
        let client = Client::new(&database).await;
        let answer = client.get(&format!("/v1/rooms/921?{STAY}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let lodging = &answer.json["payload"];
        let rooms = lodging["rooms"].as_array().unwrap();
        assert_eq!((rooms.len(), &rooms[0]["roomId"]), (1, &json!(921)));
        assert_eq!(rooms[0]["placeId"], lodging["placeId"]);
        let place = format!("/v1/lodgings/{}?{STAY}", lodging["placeId"]);
        let listed = client.get(&place).await.json["payload"]["rooms"].as_array().unwrap().clone();
        assert!(listed.contains(&rooms[0]), "{listed:?}");
        let answer = client.get("/v1/rooms/999999999").await;
        assert_eq!((answer.status.as_u16(), &answer.json["code"]), (404, &json!("ROOM_NOT_FOUND")));
    })
    .await
    .unwrap();
}
