//! Holds and bookings through the real binary: faults, a crash, the batch.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use service::testing::Answer;
use tempfile::TempDir;

use crate::{Cms, KEY};

/// Rooms that are free for a night, with what they cost, room by room.
fn free_rooms(cms: &Cms, wanted: usize) -> Vec<Value> {
    let stay = stay(cms);
    let mut rooms = Vec::new();
    for place in 1..=60 {
        let lodging = cms.payload(&format!("/v1/lodgings/{place}?{stay}"));
        let all = lodging["rooms"].as_array().unwrap();
        rooms.extend(all.iter().filter(|room| room["available"] == true).cloned());
        if rooms.len() >= wanted {
            break;
        }
    }
    rooms
}

/// Ten days from now, as the CMS counts.
fn stay(cms: &Cms) -> String {
    let lodging = cms.payload("/v1/lodgings/1");
    let today: jiff::civil::Date = lodging["checkIn"].as_str().unwrap().parse().unwrap();
    let (from, to) = (today + jiff::Span::new().days(10), today + jiff::Span::new().days(11));
    format!("checkIn={from}&checkOut={to}")
}

/// Holds the `at`th free room; what was asked for.
pub(crate) fn hold(cms: &Cms, id: &str, at: usize) -> Value {
    let rooms = free_rooms(cms, at + 1);
    let wanted = wanted(id, &rooms[at]);
    let answer = cms.post("/v1/reservations", &wanted);
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json["payload"]["status"], "HELD");
    wanted
}

fn wanted(id: &str, room: &Value) -> Value {
    let night: jiff::civil::Date = room["nights"][0]["date"].as_str().unwrap().parse().unwrap();
    json!({
        "externalId": id, "roomId": room["roomId"], "checkIn": night.to_string(),
        "checkOut": night.tomorrow().unwrap().to_string(), "guestCount": 1,
        "amount": room["totalAmount"], "client": { "name": "A", "phoneNumber": "01000000000" },
    })
}

fn admin(cms: &Cms, method: &str, target: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = cms.0.admin(method, target, &body).unwrap();
    assert!(answer.status.is_success(), "{target}: {}", answer.text);
    answer.json
}

fn status(answer: &Answer) -> &str {
    answer.json["payload"]["status"].as_str().unwrap_or_default()
}

/// the answer is lost after the work was done, and the call is sent again.
#[test]
fn a_07_a_lost_answer_is_no_second_effect() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
    let room = free_rooms(&cms, 1).remove(0);
    let wanted = wanted("a", &room);
    let paid = json!({ "paymentRef": "p", "amount": room["totalAmount"], "paidAt": "2025-05-01T00:00:00Z" });
    let cancel = json!({ "reason": "changed", "reasonCode": "CUSTOMER" });
    let calls = [
        ("reserve", "/v1/reservations", &wanted, "HELD"),
        ("approve", "/v1/reservations/a/approve", &json!({}), "APPROVED"),
        ("payment-complete", "/v1/reservations/a/payment-complete", &paid, "PAID"),
        ("cancel", "/v1/reservations/a/cancel", &cancel, "CANCELLED"),
    ];
    for (operation, target, body, expected) in calls {
        let fault = json!({ "operation": operation, "kind": "drop_after", "times": 1 });
        admin(&cms, "POST", "/admin/faults", &fault);
        let key = [("X-Api-Key", KEY.to_owned())];
        let lost = cms.0.request("POST", target, &key, &body.to_string());
        assert!(lost.is_err(), "{operation}: {lost:?}");
        assert_eq!(cms.payload("/v1/reservations/a")["status"], expected);
        let again = cms.post(target, body);
        assert_eq!((again.status.as_u16(), status(&again)), (200, expected), "{}", again.text);
    }
    let made = admin(&cms, "GET", "/admin/calls?externalId=a", &Value::Null);
    let reserved = made.as_array().unwrap().iter().filter(|call| call["operation"] == "reserve");
    assert_eq!(reserved.count(), 2);
}

/// whoever asked for a hold has hung up long before the call is processed. It takes effect late,
/// unless it was cancelled meanwhile.
#[test]
fn x_02_a_call_that_was_given_up_takes_effect_late() {
    let folder = TempDir::new().unwrap();
    let (mut cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
    let rooms = free_rooms(&cms, 2);
    give_up(&mut cms, &wanted("a", &rooms[0]));
    assert_eq!(cms.get("/v1/reservations/a").status, 404, "it came in time");
    let is_held = || cms.get("/v1/reservations/a").status == 200;
    cms.0.wait_until("the late hold", is_held).unwrap();

    give_up(&mut cms, &wanted("b", &rooms[1]));
    let cancel = json!({ "reason": "unknown", "reasonCode": "WITHDRAW" });
    assert_eq!(status(&cms.post("/v1/reservations/b/cancel", &cancel)), "CANCELLED");
    let is_late = || {
        let made = admin(&cms, "GET", "/admin/calls?externalId=b", &Value::Null);
        made.as_array()
            .unwrap()
            .iter()
            .any(|call| call["operation"] == "reserve" && call["ok"] == false)
    };
    cms.0.wait_until("the late call", is_late).unwrap();
    assert!(free_rooms(&cms, 2).contains(&rooms[1]));
}

/// Asks for a hold whose call is processed a second later, and does not wait for it.
fn give_up(cms: &mut Cms, wanted: &Value) {
    let fault = json!({ "operation": "reserve", "kind": "delay", "value": "1s", "times": 1 });
    admin(cms, "POST", "/admin/faults", &fault);
    let wanted = wanted.to_string();
    let head = format!("Content-Type: application/json\r\nContent-Length: {}", wanted.len());
    let request = format!(
        "POST /v1/reservations HTTP/1.1\r\nHost: test\r\nX-Api-Key: {KEY}\r\n{head}\r\n\r\n{wanted}"
    );
    let given_up = cms.0.send(&request).unwrap();
    cms.0.wait_for("a fault strikes").unwrap();
    drop(given_up);
}

/// `cms.call.before_answer`
#[test]
fn a_09_a_crash_before_the_answer_keeps_what_was_done() {
    let folder = TempDir::new().unwrap();
    let crash =
        [("CMS_LODGINGS", "60"), ("TEST_MODE", "1"), ("CRASH_AT", "cms.call.before_answer")];
    let (cms, _) = Cms::serving(folder.path(), &crash);
    let room = free_rooms(&cms, 1).remove(0);
    let wanted = wanted("a", &room);
    let key = [("X-Api-Key", KEY.to_owned())];
    assert!(cms.0.request("POST", "/v1/reservations", &key, &wanted.to_string()).is_err());
    cms.0.ended().unwrap();

    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
    let again = cms.post("/v1/reservations", &wanted);
    assert_eq!((again.status.as_u16(), status(&again)), (200, "HELD"), "{}", again.text);
}

/// A-22 CM-10: fifty ticks change open and closed nights and nothing that is held or booked.
#[test]
fn a_22_cm_10_the_batch_never_touches_what_is_held_or_booked() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
    let rooms = free_rooms(&cms, 200);
    for (number, room) in rooms.iter().take(200).enumerate() {
        let answer = cms.post("/v1/reservations", &wanted(&format!("r{number}"), room));
        assert_eq!(answer.status, 201, "{}", answer.text);
        if number % 2 == 0 {
            let approved = cms.post(&format!("/v1/reservations/r{number}/approve"), &json!({}));
            assert_eq!(status(&approved), "APPROVED");
        }
    }
    let nights = |cms: &Cms| -> BTreeMap<String, i64> {
        serde_json::from_value(admin(cms, "GET", "/admin/stats", &Value::Null)["nights"].clone())
            .unwrap()
    };
    let before = nights(&cms);
    assert_eq!((before["HELD"], before["BOOKED"]), (100, 100));
    let mut moved = 0;
    for _ in 0..50 {
        let report = admin(&cms, "POST", "/admin/batch/tick", &Value::Null);
        moved += report["closed"].as_i64().unwrap() + report["opened"].as_i64().unwrap();
    }
    let after = nights(&cms);
    assert_eq!((after["HELD"], after["BOOKED"]), (100, 100));
    assert!(moved > 20, "only {moved} room-nights moved");
    for number in 0..200 {
        let expected = if number % 2 == 0 { "APPROVED" } else { "HELD" };
        assert_eq!(cms.payload(&format!("/v1/reservations/r{number}"))["status"], expected);
    }
}

/// CM-10: a tick draws the same whenever it runs.
#[test]
fn cm_10_a_tick_is_a_function_of_its_number() {
    let report = |ticks: &[i64]| {
        let folder = TempDir::new().unwrap();
        let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
        let run =
            |tick: &i64| admin(&cms, "POST", &format!("/admin/batch/tick?n={tick}"), &Value::Null);
        ticks.iter().map(run).collect::<Vec<_>>()
    };
    let first = report(&[1, 2, 3]);
    assert_eq!(first, report(&[1, 2, 3]));
    assert_ne!(first[0]["examined"], 0);
}

/// CM-10: what is held beside changes nothing of what a tick draws for other rooms.
#[test]
fn cm_10_a_tick_draws_the_same_beside_any_bookings() {
    let moved = |is_busy: bool| {
        let folder = TempDir::new().unwrap();
        let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60")]);
        if is_busy {
            for (number, room) in free_rooms(&cms, 300).iter().enumerate() {
                cms.post("/v1/reservations", &wanted(&format!("r{number}"), room));
            }
        }
        let (mut changed, mut skipped) = (0, 0);
        for _ in 0..20 {
            let report = admin(&cms, "POST", "/admin/batch/tick", &Value::Null);
            assert_eq!(report["examined"], 90, "three rooms, thirty nights");
            changed += report["closed"].as_i64().unwrap() + report["opened"].as_i64().unwrap();
            skipped += report["skipped"].as_i64().unwrap();
        }
        (changed, skipped)
    };
    let ((quiet, none), (busy, skipped)) = (moved(false), moved(true));
    assert_eq!(none, 0);
    assert!(skipped > 0 && quiet.abs_diff(busy) <= skipped.unsigned_abs(), "{quiet} {busy}");
}

#[test]
fn the_clock_is_set_wrong_in_test_mode_only() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "60"), ("TEST_MODE", "1")]);
    hold(&cms, "a", 0);
    admin(&cms, "POST", "/admin/clock", &json!({ "seconds": 901 }));
    assert_eq!(cms.payload("/v1/reservations/a")["status"], "EXPIRED");
    let (cms, _) = Cms::serving(TempDir::new().unwrap().path(), &[("CMS_LODGINGS", "60")]);
    assert_eq!(cms.0.admin("POST", "/admin/clock", "{\"seconds\": 1}").unwrap().status, 404);
}

/// operators have the store filled anew, with its own data set or another.
#[test]
fn a_21_the_store_is_filled_anew_on_demand() {
    let folder = TempDir::new().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "30")]);
    let lodgings = "/v1/lodgings?size=30";
    let before = cms.payload(lodgings);
    hold(&cms, "a", 0);
    for _ in 0..3 {
        admin(&cms, "POST", "/admin/batch/tick", &Value::Null);
    }
    let counts = admin(&cms, "POST", "/admin/reset", &Value::Null);
    assert_eq!((&counts["lodgings"], &counts["reservations"]), (&json!(30), &json!({})));
    assert_eq!(cms.payload(lodgings), before);
    assert_eq!(cms.get("/v1/reservations/a").status, 404);
    assert_eq!(admin(&cms, "POST", "/admin/batch/tick", &Value::Null)["tick"], 1);
    hold(&cms, "a", 0);

    let counts = admin(&cms, "POST", "/admin/seed", &json!({ "count": 12, "seed": 7 }));
    assert_eq!((&counts["lodgings"], &counts["rooms"]), (&json!(12), &json!(120)));
    let other = cms.payload(lodgings);
    assert_eq!(other.as_array().unwrap().len(), 12);
    assert_ne!(other[0]["placeName"], before[18]["placeName"]);
    for fault in [json!({ "count": 0 }), json!({ "count": 10_001 }), json!({ "seed": -1 })] {
        let answer = cms.0.admin("POST", "/admin/seed", &fault.to_string()).unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.json["code"]),
            (400, &json!("INVALID_REQUEST"))
        );
    }
    // What it was filled with last is what a restart finds.
    cms.0.kill().unwrap();
    let (cms, _) = Cms::serving(folder.path(), &[("CMS_LODGINGS", "30")]);
    assert_eq!(cms.payload(lodgings), other);
}
