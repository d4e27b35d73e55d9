//! The real binary over TCP: travels with regions and plans, strangers, crashes, two processes at once.
#![cfg(test)]

mod contract;
mod planner;

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use service::testing::Headers;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;

use crate::planner::{BINARY, Planner, url};

/// A travel to 서울 and 부산.
fn travel(start: &str, end: &str) -> Value {
    json!({ "startDate": start, "endDate": end, "regionNames": ["서울", "부산"] })
}

fn plan(date: &str, longitude: f64, latitude: f64) -> Value {
    json!({
        "locationName": "경복궁", "longitude": longitude, "latitude": latitude,
        "locationAddress": "서울 종로구 세종로 1-1", "locationRoadAddress": "", "planDate": date
    })
}

/// TP-01
#[test]
fn tp_01_travels_are_made_listed_changed_and_deleted() {
    let folder = TempDir::new().unwrap();
    let planner = Planner::serving(folder.path());
    let made = planner.change("POST", "/v2/travels", &travel("2025-05-01", "2025-05-03"), 201);
    let target = format!("/v2/travels/{}", made["travelId"]);
    assert_eq!(made["title"], "서울, 부산 여행");
    assert_eq!(made["status"], "ENDED");
    assert_eq!(planner.payload(&target), made);
    assert_eq!(planner.payload("/v2/travels?size=1&to=2025-05-01"), json!([made]));
    let refused = planner.ask("POST", "/v2/travels", &travel("2025-05-03", "2025-05-04"));
    assert_eq!((refused.status.as_u16(), &refused.json["code"]), (409, &json!("TRAVEL_OVERLAP")));
    planner.change("POST", &format!("{target}/name"), &json!({ "travelName": "봄" }), 204);
    let days = json!({ "startDate": "2025-05-02", "endDate": "2025-05-04" });
    planner.change("POST", &format!("{target}/schedule"), &days, 204);
    let changed = planner.payload(&target);
    assert_eq!((&changed["title"], &changed["endDate"]), (&json!("봄"), &json!("2025-05-04")));
    planner.change("DELETE", &target, &Value::Null, 204);
    assert_eq!(planner.ask("GET", &target, &Value::Null).json["code"], "TRAVEL_NOT_FOUND");
    planner.process.signal("TERM").unwrap();
    assert_eq!(planner.process.exit_code().unwrap(), Some(0));
}

/// TP-02
#[test]
fn tp_02_regions_are_listed_replaced_and_deleted() {
    let folder = TempDir::new().unwrap();
    let planner = Planner::serving(folder.path());
    let made = planner.change("POST", "/v2/travels", &travel("2025-05-01", "2025-05-03"), 201);
    let target = format!("/v2/travel-regions/{}/regions", made["travelId"]);
    assert_eq!(planner.payload(&target), made["regions"]);
    planner.change("POST", &target, &json!({ "regionNames": ["제주", "여수"] }), 204);
    let regions = planner.payload(&target);
    assert_eq!(
        (&regions[0]["regionName"], &regions[1]["regionOrder"]),
        (&json!("제주"), &json!(2))
    );
    let first = format!("{target}/{}", regions[0]["regionId"]);
    planner.change("DELETE", &first, &Value::Null, 204);
    let last = format!("{target}/{}", regions[1]["regionId"]);
    let refused = planner.ask("DELETE", &last, &Value::Null);
    assert_eq!((refused.status.as_u16(), &refused.json["code"]), (409, &json!("LAST_REGION")));
}

/// TP-03
#[test]
fn tp_03_plans_are_added_ordered_and_deleted() {
    let folder = TempDir::new().unwrap();
    let planner = Planner::serving(folder.path());
    let made = planner.change("POST", "/v2/travels", &travel("2025-05-01", "2025-05-03"), 201);
    let target = format!("/v2/travel-plans/{}/plans", made["travelId"]);
    let points = [(126.977, 37.579), (129.075, 35.179), (126.988, 37.551)];
    let plans = points.map(|(longitude, latitude)| {
        planner.change("POST", &target, &plan("2025-05-01", longitude, latitude), 201)
    });
    let [palace, busan, tower] = plans.map(|plan| plan["planId"].as_i64().unwrap());
    let ids = || -> Vec<i64> {
        let plans = planner.payload(&format!("{target}?date=2025-05-01"));
        plans.as_array().unwrap().iter().map(|plan| plan["planId"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(), [palace, busan, tower]);
    let day = json!({ "date": "2025-05-01" });
    planner.change("POST", &format!("{target}/sort-by-distance"), &day, 200);
    assert_eq!(ids(), [palace, tower, busan]);
    planner.change("POST", &format!("{target}/{busan}/order"), &json!({ "planOrder": 1 }), 204);
    assert_eq!(ids(), [busan, palace, tower]);
    planner.change("POST", &format!("{target}/{tower}"), &plan("2025-05-02", 127.0, 37.5), 204);
    assert_eq!(planner.payload(&format!("{target}/{tower}"))["planOrder"], 1);
    let both = format!("{target}?planIds={palace},{tower}");
    planner.change("DELETE", &both, &Value::Null, 204);
    let gone = planner.ask("DELETE", &format!("{target}?planIds={busan},{tower}"), &Value::Null);
    assert_eq!((gone.status.as_u16(), &gone.json["code"]), (404, &json!("PLAN_NOT_FOUND")));
    assert_eq!(ids(), [busan]);
}

/// TP-04 A-18
#[test]
fn tp_04_a_18_a_direct_call_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut planner = Planner::serving(folder.path());
    planner.change("POST", "/v2/travels", &travel("2025-05-01", "2025-05-03"), 201);
    let forged: Headers =
        vec![("X-Member-Id", "42".to_owned()), ("X-Member-Role", "ADMIN".to_owned())];
    let document = planner.process.get("/openapi.json").unwrap().json;
    let mut refused = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let target = path.replace("{travelId}", "1").replace("{planId}", "1");
        let target = target.replace("{regionId}", "1");
        for method in methods.as_object().unwrap().keys() {
            for headers in [&[], forged.as_slice()] {
                let method = method.to_uppercase();
                let answer = planner.process.request(&method, &target, headers, "").unwrap();
                assert_eq!(answer.status, 401, "{method} {target}: {}", answer.text);
                assert_eq!(answer.json["code"], "UNTRUSTED_CALLER");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2 * 17);
    // A proof of another request, and one that names nobody.
    for headers in [
        planner.signer.gateway("GET", "/v2/travels/1", Some(planner::MEMBER)),
        planner.signer.gateway("GET", "/v2/travels", None),
    ] {
        let answer = planner.process.request("GET", "/v2/travels", &headers, "").unwrap();
        assert_eq!(answer.json["code"], "UNTRUSTED_CALLER");
    }
    let log = planner.process.wait_for("UNTRUSTED_CALLER").unwrap();
    assert!(log.contains("no proof was sent"), "the operator is not told why: {log}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(planner.process.get(path).unwrap().status, 200, "{path}");
    }
    assert_eq!(planner.payload("/v2/travels").as_array().unwrap().len(), 1);
}

/// MB-04
#[tokio::test]
async fn mb_04_of_members_only_the_id_is_kept() {
    let folder = TempDir::new().unwrap();
    let planner = Planner::serving(folder.path());
    // Nobody told the planner of this member before.
    planner.change("POST", "/v2/travels", &travel("2025-05-01", "2025-05-03"), 201);
    install_default_drivers();
    let mut store = AnyConnection::connect(&url(folder.path())).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT sqlite_master.name, columns.name FROM sqlite_master, \
         pragma_table_info(sqlite_master.name) AS columns \
         WHERE sqlite_master.type = 'table' AND sqlite_master.name NOT LIKE '_sqlx%'",
    )
    .fetch_all(&mut store)
    .await
    .unwrap();
    store.close().await.unwrap();
    let tables: BTreeSet<_> = columns.iter().map(|(table, _)| table.as_str()).collect();
    let messages = ["inbox", "outbox", "outbox_keys", "relay_lease"];
    let expected = ["calendars", "last_ids", "travel_plans", "travel_regions", "travels"];
    assert_eq!(tables, expected.into_iter().chain(messages).collect());
    let of_members = columns.iter().filter(|(_, column)| column.contains("member"));
    let of_members: BTreeSet<_> =
        of_members.map(|(table, column)| (table.as_str(), column.as_str())).collect();
    let expected = [("calendars", "member_id"), ("travels", "member_id")];
    assert_eq!(of_members, BTreeSet::from(expected));
    let of_a_calendar = columns.iter().filter(|(table, _)| table == "calendars");
    let of_a_calendar: Vec<_> = of_a_calendar.map(|(_, column)| column.as_str()).collect();
    assert_eq!(of_a_calendar, ["member_id", "version"]);
}

#[test]
fn what_was_answered_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let planner = Planner::serving(folder.path());
    let made = planner.change("POST", "/v2/travels", &travel("2025-05-01", "2025-05-03"), 201);
    let plans = format!("/v2/travel-plans/{}/plans", made["travelId"]);
    planner.change("POST", &plans, &plan("2025-05-01", 126.977, 37.579), 201);
    planner.change("POST", &plans, &plan("2025-05-01", 129.075, 35.179), 201);
    let targets = ["/v2/travels", plans.as_str()];
    let before = targets.map(|target| planner.payload(target));
    let signer = planner.signer.clone();
    planner.process.kill().unwrap();

    let planner = Planner::behind(&signer, folder.path());
    assert_eq!(targets.map(|target| planner.payload(target)), before);
    let next = planner.change("POST", "/v2/travels", &travel("2025-06-01", "2025-06-03"), 201);
    assert!(next["travelId"].as_i64() > made["travelId"].as_i64(), "ids go on");
}

/// TP-01
#[test]
fn tp_01_a_kill_while_travels_are_made_leaves_no_half_of_one() {
    let folder = TempDir::new().unwrap();
    let planner = Planner::serving(folder.path());
    let signer = planner.signer.clone();
    let sent: Vec<_> = (1..=28)
        .map(|day| {
            let regions: Vec<_> = (0..100).map(|number| format!("지역 {number}")).collect();
            let day = format!("2025-05-{day:02}");
            let body = json!({ "startDate": day, "endDate": day, "regionNames": regions });
            planner.send("POST", "/v2/travels", &body)
        })
        .collect();
    let is_one_made = || planner.payload("/v2/travels?size=1") != json!([]);
    planner.process.wait_until("a travel is made", is_one_made).unwrap();
    planner.process.kill().unwrap();
    drop(sent);

    let planner = Planner::behind(&signer, folder.path());
    let travels = planner.payload("/v2/travels?size=100");
    assert_ne!(travels, json!([]));
    for travel in travels.as_array().unwrap() {
        assert_eq!(travel["regions"].as_array().unwrap().len(), 100, "{travel}");
    }
}

/// TP-01
#[test]
fn tp_01_two_processes_keep_the_travels_of_a_member_apart() {
    let folder = TempDir::new().unwrap();
    let one = Planner::serving(folder.path());
    let other = Planner::behind(&one.signer, folder.path());
    for month in 1..=6 {
        let answers: Vec<_> = thread::scope(|scope| {
            let sent: Vec<_> = (1..=20)
                .map(|day| {
                    let planner = if day % 2 == 0 { &one } else { &other };
                    let (start, end) =
                        (format!("2025-{month:02}-{day:02}"), format!("2025-{month:02}-28"));
                    scope.spawn(move || planner.ask("POST", "/v2/travels", &travel(&start, &end)))
                })
                .collect();
            sent.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let made = answers.iter().filter(|answer| answer.status == 201);
        assert_eq!(made.count(), 1, "{answers:?}");
        let refused = answers.iter().filter(|answer| answer.json["code"] == "TRAVEL_OVERLAP");
        assert_eq!(refused.count(), 19, "{answers:?}");
    }
    assert_eq!(one.payload("/v2/travels"), other.payload("/v2/travels"));
}

#[test]
fn every_fault_of_the_environment_is_told() {
    let output = Command::new(BINARY)
        .env_clear()
        .envs([("LISTEN", "x"), ("DATABASE_URL", "mysql://x")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["`LISTEN`", "`DATABASE_URL`", "`GATEWAY_PROOF_KEYS`"] {
        assert!(text.contains(name), "{text}");
    }
}
