use std::collections::BTreeSet;

use serde_json::{Value, json};
use service::testing::{Answer, on_each_database};
use tokio::task::JoinSet;

use super::*;
use crate::schema::STEPS;
use crate::testing::{
    Client, Dice, check_problem, count, execute, fields, number, plan, travel as body,
};

const TRAVELS: &str = "/v2/travels";
/// As many requests at once as clients are expected to send at worst.
const CROWD: usize = 20;

fn id(answer: &Answer) -> i64 {
    answer.json["payload"]["travelId"].as_i64().unwrap()
}

fn starts(list: &Value) -> Vec<&str> {
    let travels = list.as_array().unwrap().iter();
    travels.map(|travel| travel["startDate"].as_str().unwrap()).collect()
}

/// Sends them all at the same time.
async fn at_once(client: &Client, requests: Vec<(String, Value)>) -> Vec<Answer> {
    let mut sent = JoinSet::new();
    for (target, body) in requests {
        let client = client.clone();
        sent.spawn(async move { client.post(&target, &body).await });
    }
    sent.join_all().await
}

/// TP-01 Q-20
#[tokio::test]
async fn tp_01_a_travel_is_made_shown_changed_and_deleted() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let made = client.post(TRAVELS, &body("2025-05-03", "2025-05-05", &["서울", "부산"])).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let target = format!("{TRAVELS}/{}", id(&made));
        assert_eq!(made.header("location"), format!("/travels/{}", id(&made)));
        let region_ids = made.json["payload"]["regions"].as_array().unwrap();
        let region_ids: Vec<_> = region_ids.iter().map(|region| &region["regionId"]).collect();
        let expected = json!({
            "travelId": id(&made), "travelName": null, "title": "서울, 부산 여행",
            "startDate": "2025-05-03", "endDate": "2025-05-05", "status": "UPCOMING", "dDay": 2,
            "regions": [
                { "regionId": region_ids[0], "regionName": "서울", "regionOrder": 1 },
                { "regionId": region_ids[1], "regionName": "부산", "regionOrder": 2 }
            ],
            "createdAt": "2025-05-01T10:00:00.000+09:00",
            "updatedAt": "2025-05-01T10:00:00.000+09:00"
        });
        assert_eq!(made.json["payload"], expected);
        assert_eq!(made.json["timestamp"], "2025-05-01T10:00:00.000+09:00");
        assert_eq!(client.payload(&target).await, expected);

        let later = Client::at(&database, "2025-05-04T00:00:00+09:00");
        let renamed = later.post(&format!("{target}/name"), &json!({ "travelName": "봄" })).await;
        assert_eq!((renamed.status.as_u16(), renamed.text.as_str()), (204, ""));
        let days = json!({ "startDate": "2025-05-02", "endDate": "2025-05-04" });
        assert_eq!(later.post(&format!("{target}/schedule"), &days).await.status, 204);
        let changed = later.payload(&target).await;
        let told = ["travelName", "title", "startDate", "endDate", "status", "dDay", "updatedAt"];
        let told = told.map(|name| changed[name].as_str().unwrap_or("null"));
        let expected = "봄 봄 2025-05-02 2025-05-04 ONGOING null 2025-05-04T00:00:00.000+09:00";
        assert_eq!(told.join(" "), expected);

        assert_eq!(later.delete(&target).await.status, 204);
        check_problem(&later.get(&target).await, 404, "TRAVEL_NOT_FOUND");
        check_problem(&later.delete(&target).await, 404, "TRAVEL_NOT_FOUND");
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_an_empty_name_gives_way_to_the_regions() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let regions = ["서울", "부산", "제주", "강릉", "여수"];
        let mut wish = body("2025-05-03", "2025-05-05", &regions);
        wish["travelName"] = json!("봄");
        let target = format!("{TRAVELS}/{}", id(&client.post(TRAVELS, &wish).await));
        assert_eq!(client.payload(&target).await["title"], "봄");
        let answer = client.post(&format!("{target}/name"), &json!({ "travelName": "" })).await;
        assert_eq!(answer.status, 204);
        let travel = client.payload(&target).await;
        assert_eq!(travel["title"], "서울, 부산, 제주 외 2곳 여행");
        assert_eq!(travel["travelName"], Value::Null);
        let name = format!("{target}/name");
        for wrong in [json!({}), json!({ "travelName": null }), json!({ "travelName": "  " })] {
            check_problem(&client.post(&name, &wrong).await, 400, "INVALID_REQUEST");
        }
        let longest = json!({ "travelName": "여".repeat(60) });
        assert_eq!(client.post(&name, &longest).await.status, 204);
        let longer = json!({ "travelName": "여".repeat(61) });
        assert_eq!(fields(&client.post(&name, &longer).await), "travelName");
    })
    .await
    .unwrap();
}

/// TP-01 Q-42
#[tokio::test]
async fn tp_01_q_42_a_travel_begins_and_ends_at_midnight_in_korea() {
    on_each_database(STEPS, async |database| {
        let target = format!(
            "{TRAVELS}/{}",
            Client::new(&database).travel("2025-05-02", "2025-05-03").await
        );
        for (now, status, days) in [
            ("2025-05-01T14:59:59Z", "UPCOMING", json!(1)),
            ("2025-05-01T15:00:00Z", "ONGOING", json!(null)),
            ("2025-05-03T14:59:59Z", "ONGOING", json!(null)),
            ("2025-05-03T15:00:00Z", "ENDED", json!(null)),
        ] {
            let travel = Client::at(&database, now).payload(&target).await;
            assert_eq!((&travel["status"], &travel["dDay"]), (&json!(status), &days), "{now}");
        }
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_tells_every_fault_of_a_travel() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let wish = json!({
            "travelName": "\n", "startDate": "2025-02-30", "endDate": "20250501",
            "regionNames": ["서울", "", " ", "x".repeat(101), "a\tb"]
        });
        let answer = client.post(TRAVELS, &wish).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let expected = "travelName startDate endDate regionNames[1] regionNames[2] regionNames[3] \
                        regionNames[4]";
        assert_eq!(fields(&answer), expected);
        assert_eq!(answer.json["errors"][1]["rejected"], "2025-02-30");
        let answer = client.post(TRAVELS, &json!({})).await;
        assert_eq!(fields(&answer), "startDate endDate regionNames");
        let answer = client.post(TRAVELS, &body("2025-05-02", "2025-05-01", &[])).await;
        assert_eq!(fields(&answer), "endDate regionNames");
        let many = ["서울"; 101];
        let answer = client.post(TRAVELS, &body("2025-05-01", "2025-05-01", &many)).await;
        assert_eq!(fields(&answer), "regionNames");
        let answer = client.post(TRAVELS, &body("2025-05-01", "2025-05-01", &many[1..])).await;
        assert_eq!(answer.json["payload"]["regions"].as_array().unwrap().len(), 100);
        check_problem(&client.send("POST", TRAVELS, "{").await, 400, "MALFORMED_JSON");
        let nonsense = json!({ "startDate": 1, "endDate": [], "regionNames": "서울" });
        check_problem(&client.post(TRAVELS, &nonsense).await, 400, "INVALID_REQUEST");
        for travel_id in ["0", "-1", "x", "9223372036854775808", "1.5"] {
            let answer = client.get(&format!("{TRAVELS}/{travel_id}")).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
            assert_eq!(fields(&answer), "travelId");
        }
        assert_eq!(number(&database, "SELECT COUNT(*) FROM travels").await, 1);
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_travels_of_a_member_have_no_day_in_common() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let first = client.travel("2025-05-10", "2025-05-12").await;
        let other = client.travel("2025-05-20", "2025-05-22").await;
        for (start, end) in [
            ("2025-05-10", "2025-05-12"),
            ("2025-05-11", "2025-05-11"),
            ("2025-05-01", "2025-05-10"),
            ("2025-05-12", "2025-05-13"),
            ("2025-05-01", "2025-05-31"),
        ] {
            let answer = client.post(TRAVELS, &body(start, end, &["서울"])).await;
            check_problem(&answer, 409, "TRAVEL_OVERLAP");
            let told = format!("your travel {first} from 2025-05-10 to 2025-05-12 has days");
            assert!(answer.json["detail"].as_str().unwrap().starts_with(&told), "{}", answer.text);
            let days = json!({ "startDate": start, "endDate": end });
            let answer = client.post(&format!("{TRAVELS}/{other}/schedule"), &days).await;
            check_problem(&answer, 409, "TRAVEL_OVERLAP");
        }
        client.travel("2025-05-09", "2025-05-09").await;
        client.travel("2025-05-13", "2025-05-19").await;
        client.of_member(2).travel("2025-05-01", "2025-05-31").await;
        // A travel does not stand in its own way.
        let days = json!({ "startDate": "2025-05-21", "endDate": "2025-05-25" });
        assert_eq!(client.post(&format!("{TRAVELS}/{other}/schedule"), &days).await.status, 204);
        let list = client.payload(TRAVELS).await;
        assert_eq!(starts(&list), ["2025-05-21", "2025-05-13", "2025-05-10", "2025-05-09"]);
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test(flavor = "multi_thread")]
async fn tp_01_of_travels_that_overlap_one_wins_however_many_come_at_once() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        // The first round meets before the member has a calendar.
        for month in 1..=12 {
            // Each begins on a day of its own, so that it is not a key that keeps them apart.
            let requests = (1..=CROWD).map(|day| {
                let (start, end) =
                    (format!("2025-{month:02}-{day:02}"), format!("2025-{month:02}-28"));
                (TRAVELS.to_owned(), body(&start, &end, &["서울"]))
            });
            let answers = at_once(&client, requests.collect()).await;
            assert_eq!(count(&answers, 201), 1, "{answers:?}");
            let refused = answers.iter().filter(|answer| answer.json["code"] == "TRAVEL_OVERLAP");
            assert_eq!(refused.count(), CROWD - 1, "{answers:?}");
        }
        assert_eq!(number(&database, "SELECT COUNT(*) FROM travels").await, 12);
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test(flavor = "multi_thread")]
async fn tp_01_new_travels_and_new_days_never_overlap() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let mut dice = Dice::new(7);
        let mut ids = Vec::new();
        for round in 0..8 {
            let requests = (0..CROWD).map(|_| {
                let day = 1 + dice.throw(24);
                let (start, end) =
                    (format!("2025-05-{day:02}"), format!("2025-05-{:02}", day + dice.throw(6)));
                let moves = !ids.is_empty() && dice.throw(2) == 0;
                let target = if moves {
                    let travel_id: i64 = ids[dice.throw(ids.len())];
                    format!("{TRAVELS}/{travel_id}/schedule")
                } else {
                    TRAVELS.to_owned()
                };
                (target, body(&start, &end, &["서울"]))
            });
            let answers = at_once(&client, requests.collect()).await;
            let made = answers.iter().filter(|answer| answer.status == 201);
            ids.extend(made.map(id));
            for answer in &answers {
                assert!([201, 204, 409].contains(&answer.status.as_u16()), "{}", answer.text);
            }
            let list = client.payload(&format!("{TRAVELS}?size=100")).await;
            let mut travels: Vec<_> = list.as_array().unwrap().iter().collect();
            assert_eq!(travels.len(), ids.len());
            travels.reverse();
            for pair in travels.windows(2) {
                let (end, start) = (pair[0]["endDate"].as_str(), pair[1]["startDate"].as_str());
                assert!(end.unwrap() < start.unwrap(), "round {round}: {pair:?}");
            }
        }
        assert!(ids.len() > 3, "few travels were made: {ids:?}");
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_new_days_must_hold_every_plan() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let travel_id = client.travel("2025-05-10", "2025-05-14").await;
        client.plan(travel_id, &plan("2025-05-11", 127.0, 37.5)).await;
        client.plan(travel_id, &plan("2025-05-13", 127.0, 37.5)).await;
        let target = format!("{TRAVELS}/{travel_id}/schedule");
        for (start, end, day) in [
            ("2025-05-12", "2025-05-14", "2025-05-11"),
            ("2025-05-10", "2025-05-12", "2025-05-13"),
            ("2025-06-01", "2025-06-02", "2025-05-11"),
        ] {
            let answer = client.post(&target, &json!({ "startDate": start, "endDate": end })).await;
            check_problem(&answer, 409, "PLAN_OUT_OF_RANGE");
            let told = format!("a plan on {day} is not within the travel from {start} to {end}");
            assert!(answer.json["detail"].as_str().unwrap().starts_with(&told), "{}", answer.text);
        }
        let travel = client.payload(&format!("{TRAVELS}/{travel_id}")).await;
        assert_eq!(travel["startDate"], "2025-05-10");
        let days = json!({ "startDate": "2025-05-11", "endDate": "2025-05-13" });
        assert_eq!(client.post(&target, &days).await.status, 204);
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_regions_and_plans_go_with_their_travel() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let travel_id = client.travel("2025-05-10", "2025-05-14").await;
        let other = client.travel("2025-05-20", "2025-05-24").await;
        client.plan(travel_id, &plan("2025-05-11", 127.0, 37.5)).await;
        client.plan(other, &plan("2025-05-21", 127.0, 37.5)).await;
        assert_eq!(client.delete(&format!("{TRAVELS}/{travel_id}")).await.status, 204);
        for table in ["travel_regions", "travel_plans"] {
            let rows = number(&database, &format!("SELECT COUNT(*) FROM {table}")).await;
            assert_eq!(rows, 1, "{table}");
        }
        client.travel("2025-05-10", "2025-05-14").await;
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_pages_hold_every_travel_once_the_latest_first() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        for day in [7, 1, 5, 3, 9] {
            let start = format!("2025-05-{day:02}");
            client.travel(&start, &start).await;
        }
        client.of_member(2).travel("2025-05-02", "2025-05-02").await;
        let mut seen = Vec::new();
        let mut page = client.get(&format!("{TRAVELS}?size=2")).await.json;
        loop {
            assert_eq!(page["page"]["size"], 2);
            seen.extend(starts(&page["payload"]).into_iter().map(str::to_owned));
            let Some(cursor) = page["page"]["nextCursor"].as_str().map(str::to_owned) else {
                break;
            };
            assert_eq!(page["page"]["hasNext"], true);
            // What comes and goes before the cursor changes nothing behind it.
            client.travel(&format!("2025-06-{:02}", seen.len()), "2025-06-28").await;
            let newest = client.payload(&format!("{TRAVELS}?size=1")).await[0]["travelId"].clone();
            client.delete(&format!("{TRAVELS}/{newest}")).await;
            page = client.get(&format!("{TRAVELS}?size=2&cursor={cursor}")).await.json;
        }
        assert_eq!(page["page"]["hasNext"], false);
        assert_eq!(seen, [9, 7, 5, 3, 1].map(|day| format!("2025-05-{day:02}")));
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_a_list_leaves_out_what_lies_before_or_after() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        client.travel("2025-05-01", "2025-05-04").await;
        client.travel("2025-05-05", "2025-05-08").await;
        client.travel("2025-05-09", "2025-05-12").await;
        for (query, expected) in [
            ("from=2025-05-04", 3),
            ("from=2025-05-05", 2),
            ("to=2025-05-08", 2),
            ("to=2025-05-04", 1),
            ("from=2025-05-06&to=2025-05-07", 1),
            ("from=2025-05-13", 0),
            ("to=2025-04-30", 0),
        ] {
            let list = client.payload(&format!("{TRAVELS}?{query}")).await;
            assert_eq!(list.as_array().unwrap().len(), expected, "{query}");
        }
        let page = client.get(&format!("{TRAVELS}?size=1&from=2025-05-05")).await.json;
        let cursor = page["page"]["nextCursor"].as_str().unwrap();
        let again = client.payload(&format!("{TRAVELS}?cursor={cursor}&from=2025-05-05")).await;
        assert_eq!(starts(&again), ["2025-05-05"]);
        for query in ["", "&from=2025-05-04", "&from=2025-05-05&to=2025-05-31"] {
            let answer = client.get(&format!("{TRAVELS}?cursor={cursor}{query}")).await;
            check_problem(&answer, 400, "INVALID_CURSOR");
        }
        let answer = client.get(&format!("{TRAVELS}?from=2025-05-02&to=2025-05-01&size=0")).await;
        assert_eq!(fields(&answer), "to size");
        let answer = client.get(&format!("{TRAVELS}?from=today&to=20250501")).await;
        assert_eq!(fields(&answer), "from to");
    })
    .await
    .unwrap();
}

/// TP-01
#[tokio::test]
async fn tp_01_a_cursor_somebody_made_up_is_refused() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let filter = Fingerprint::of([]);
        for key in ["\0", "", "2025-13-01", "'; --", "+002025-05-01"] {
            let cursor = Cursor { key: key.to_owned(), id: 1 }.encode(&filter).unwrap();
            let answer = client.get(&format!("{TRAVELS}?cursor={cursor}")).await;
            check_problem(&answer, 400, "INVALID_CURSOR");
        }
        check_problem(&client.get(&format!("{TRAVELS}?cursor=x")).await, 400, "INVALID_CURSOR");
        let cursor = Cursor { key: "0000-01-01".to_owned(), id: i64::MIN }.encode(&filter).unwrap();
        let list = client.payload(&format!("{TRAVELS}?cursor={cursor}")).await;
        assert_eq!(list, json!([]));
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn rows_the_store_refuses_are_told_apart_from_an_outage() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        client.travel("2025-05-01", "2025-05-01").await;
        execute(&database, "UPDATE last_ids SET last_id = 0 WHERE kind = 'TRAVEL'").await;
        let wish = body("2025-05-02", "2025-05-02", &["서울"]);
        check_problem(&client.post(TRAVELS, &wish).await, 500, "TRAVEL_CREATED_FAIL");
        execute(&database, "UPDATE last_ids SET last_id = 1 WHERE kind = 'TRAVEL'").await;
        assert_eq!(client.post(TRAVELS, &wish).await.status, 201, "nothing was left behind");
        database.close().await;
        check_problem(&client.post(TRAVELS, &wish).await, 503, "STORE_UNAVAILABLE");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn ids_are_not_given_out_again() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            let travel_id = client.travel("2025-05-01", "2025-05-01").await;
            assert!(seen.insert(travel_id));
            client.delete(&format!("{TRAVELS}/{travel_id}")).await;
        }
    })
    .await
    .unwrap();
}
