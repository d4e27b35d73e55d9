mod parallel;
mod walk;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use service::clock::Clock;
use service::database::Database;
use service::testing::{Answer, on_each_database};
use sqlx::Row;

use super::*;
use crate::schema::STEPS;
use crate::store::{Store, TravelKey};
use crate::testing::{Client, NOW, check_problem, fields, number, plan};

const DAY: &str = "2025-05-01";
const NEXT: &str = "2025-05-02";
const DAYS: [&str; 3] = [DAY, NEXT, "2025-05-03"];

/// A travel of three days, and its plans.
struct Plans {
    client: Client,
    travel_id: i64,
    target: String,
}

impl Plans {
    async fn new(database: &Database) -> Self {
        let client = Client::new(database);
        let travel_id = client.travel(DAYS[0], DAYS[2]).await;
        Self { client, travel_id, target: format!("/v2/travel-plans/{travel_id}/plans") }
    }

    /// Adds a plan; its id.
    async fn add(&self, date: &str) -> i64 {
        self.client.plan(self.travel_id, &plan(date, 127.0, 37.5)).await
    }

    async fn add_at(&self, longitude: f64, latitude: f64) -> i64 {
        self.client.plan(self.travel_id, &plan(DAY, longitude, latitude)).await
    }

    async fn delete(&self, ids: &[i64]) -> Answer {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        self.client.delete(&format!("{}?planIds={}", self.target, ids.join(","))).await
    }

    async fn reorder(&self, id: i64, order: i64) -> Answer {
        let target = format!("{}/{id}/order", self.target);
        self.client.post(&target, &json!({ "planOrder": order })).await
    }

    async fn edit(&self, id: i64, body: &Value) -> Answer {
        self.client.post(&format!("{}/{id}", self.target), body).await
    }

    async fn sort(&self, body: &Value) -> Answer {
        self.client.post(&format!("{}/sort-by-distance", self.target), body).await
    }

    /// The plans day by day; each day must count 1, 2, 3 …
    async fn days(&self) -> BTreeMap<String, Vec<i64>> {
        let listed = self.client.payload(&self.target).await;
        let mut days: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for plan in listed.as_array().unwrap() {
            let day = days.entry(plan["planDate"].as_str().unwrap().to_owned()).or_default();
            day.push(plan["planId"].as_i64().unwrap());
            assert_eq!(plan["planOrder"], day.len(), "{listed}");
        }
        days
    }

    async fn day(&self, date: &str) -> Vec<i64> {
        self.days().await.remove(date).unwrap_or_default()
    }
}

/// How often each plan has been written.
async fn versions(database: &Database) -> BTreeMap<i64, i64> {
    let rows = sqlx::query("SELECT plan_id, version FROM travel_plans");
    let rows = rows.fetch_all(database.pool()).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// TP-03
#[tokio::test]
async fn tp_03_a_plan_is_added_shown_changed_and_deleted() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let mut body = json!({
            "locationName": "경복궁", "longitude": 126.977_041_234_567_8, "latitude": 37.0,
            "locationCategory": "관광명소", "locationAddress": "서울 종로구 세종로 1-1",
            "locationRoadAddress": "", "locationTelephone": "02-3700-3900", "planDate": NEXT
        });
        let made = plans.client.post(&plans.target, &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let shown = &made.json["payload"];
        let id = shown["planId"].as_i64().unwrap();
        assert_eq!(
            made.header("location"),
            format!("/travel-plans/{}/plans/{id}", plans.travel_id)
        );
        let mut expected = body.clone();
        expected["planId"] = json!(id);
        expected["travelId"] = json!(plans.travel_id);
        expected["planOrder"] = json!(1);
        assert_eq!(*shown, expected);
        let target = format!("{}/{id}", plans.target);
        assert_eq!(plans.client.payload(&target).await, expected);

        body["locationName"] = json!("창덕궁");
        body["locationCategory"] = Value::Null;
        body["longitude"] = json!(-180);
        body["locationTelephone"] = json!("");
        let edited = plans.edit(id, &body).await;
        assert_eq!((edited.status.as_u16(), edited.text.as_str()), (204, ""));
        let shown = plans.client.payload(&target).await;
        assert_eq!(shown["locationName"], "창덕궁");
        assert_eq!(shown["locationCategory"], Value::Null);
        assert_eq!(shown["longitude"], -180.0);
        assert_eq!(shown["locationTelephone"], "");

        assert_eq!(plans.client.delete(&target).await.status, 204);
        check_problem(&plans.client.get(&target).await, 404, "PLAN_NOT_FOUND");
        check_problem(&plans.client.delete(&target).await, 404, "PLAN_NOT_FOUND");
        check_problem(&plans.edit(id, &body).await, 404, "PLAN_NOT_FOUND");
        check_problem(&plans.reorder(id, 1).await, 404, "PLAN_NOT_FOUND");
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_plans_come_day_by_day_in_the_order_they_were_added() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let second = plans.add(NEXT).await;
        let first = plans.add(DAY).await;
        let third = plans.add(NEXT).await;
        let days = plans.days().await;
        assert_eq!(days[DAY], [first]);
        assert_eq!(days[NEXT], [second, third]);
        let of_next = plans.client.payload(&format!("{}?date={NEXT}", plans.target)).await;
        assert_eq!(of_next.as_array().unwrap().len(), 2);
        let none = plans.client.payload(&format!("{}?date=2025-05-03", plans.target)).await;
        assert_eq!(none, json!([]));
        let answer = plans.client.get(&format!("{}?date=today", plans.target)).await;
        assert_eq!(fields(&answer), "date");
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_tells_every_fault_of_a_plan() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let all = "locationName longitude latitude locationAddress locationRoadAddress planDate";
        assert_eq!(fields(&plans.client.post(&plans.target, &json!({})).await), all);
        let body = json!({
            "locationName": " ", "longitude": 180.5, "latitude": -90.5,
            "locationCategory": "x".repeat(101), "locationAddress": "x".repeat(1001),
            "locationRoadAddress": "\0", "locationTelephone": "0".repeat(51), "planDate": "soon"
        });
        let answer = plans.client.post(&plans.target, &body).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        let all = "locationName longitude latitude locationCategory locationAddress \
                   locationRoadAddress locationTelephone planDate";
        assert_eq!(fields(&answer), all);
        let swapped = plans.client.post(&plans.target, &plan(DAY, 37.5, 127.0)).await;
        assert_eq!(fields(&swapped), "latitude");
        let reason = swapped.json["errors"][0]["reason"].as_str().unwrap();
        assert!(reason.ends_with("longitude and latitude were swapped"), "{reason}");
        let id = plans.add(DAY).await;
        assert_eq!(fields(&plans.edit(id, &body).await), all);
        for date in ["2025-04-30", "2025-05-04"] {
            let outside = plan(date, 127.0, 37.5);
            let answer = plans.client.post(&plans.target, &outside).await;
            check_problem(&answer, 409, "PLAN_OUT_OF_RANGE");
            check_problem(&plans.edit(id, &outside).await, 409, "PLAN_OUT_OF_RANGE");
        }
        assert_eq!(plans.day(DAY).await, [id]);
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_several_plans_are_deleted_together_or_not_at_all() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let mut ids = Vec::new();
        for date in [DAY, DAY, DAY, NEXT, NEXT] {
            ids.push(plans.add(date).await);
        }
        let other = plans.client.travel("2025-06-01", "2025-06-02").await;
        let foreign = plans.client.plan(other, &plan("2025-06-01", 127.0, 37.5)).await;
        for unknown in [foreign, 1_000_000] {
            check_problem(&plans.delete(&[ids[0], unknown]).await, 404, "PLAN_NOT_FOUND");
        }
        assert_eq!(plans.day(DAY).await, ids[..3]);
        let before = versions(&database).await;
        assert_eq!(plans.delete(&[ids[3], ids[1], ids[3]]).await.status, 204);
        let days = plans.days().await;
        assert_eq!(days[DAY], [ids[0], ids[2]]);
        assert_eq!(days[NEXT], [ids[4]]);
        let after = versions(&database).await;
        assert_eq!(after[&ids[0]], before[&ids[0]], "a plan that kept its place was written");
        assert_eq!(after[&ids[2]], before[&ids[2]] + 1);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM travel_plans").await, 4);
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_ids_to_delete_must_be_ids() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let id = plans.add(DAY).await;
        let many = vec!["1"; 101].join(",");
        for query in [
            String::new(),
            "?planIds=".to_owned(),
            format!("?planIds={id},"),
            format!("?planIds={id},x"),
            format!("?planIds=%2B{id}"),
            format!("?planIds=0{id}"),
            format!("?planIds={id}&planIds={id}"),
            format!("?planIds=-{id}"),
            format!("?planIds={many}"),
        ] {
            let answer = plans.client.delete(&format!("{}{query}", plans.target)).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
            assert_eq!(fields(&answer), "planIds", "{query}");
        }
        assert_eq!(plans.day(DAY).await, [id]);
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_a_plan_takes_another_place_and_the_others_move_over() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(plans.add(DAY).await);
        }
        let before = versions(&database).await;
        assert_eq!(plans.reorder(ids[0], 3).await.status, 204);
        assert_eq!(plans.day(DAY).await, [ids[1], ids[2], ids[0], ids[3]]);
        let after = versions(&database).await;
        assert_eq!(after[&ids[3]], before[&ids[3]], "a plan that kept its place was written");
        assert_eq!(plans.reorder(ids[3], 1).await.status, 204);
        assert_eq!(plans.day(DAY).await, [ids[3], ids[1], ids[2], ids[0]]);
        for order in [0, -1, 5] {
            let answer = plans.reorder(ids[0], order).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
            assert_eq!(fields(&answer), "planOrder");
        }
        let target = format!("{}/{}/order", plans.target, ids[0]);
        assert_eq!(fields(&plans.client.post(&target, &json!({})).await), "planOrder");
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_a_plan_of_another_day_comes_last_there() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let mut ids = Vec::new();
        for date in [DAY, DAY, DAY, NEXT] {
            ids.push(plans.add(date).await);
        }
        assert_eq!(plans.edit(ids[1], &plan(NEXT, 127.0, 37.5)).await.status, 204);
        let days = plans.days().await;
        assert_eq!(days[DAY], [ids[0], ids[2]]);
        assert_eq!(days[NEXT], [ids[3], ids[1]]);
        let before = versions(&database).await;
        assert_eq!(plans.edit(ids[0], &plan(DAY, 128.0, 37.5)).await.status, 204);
        assert_eq!(plans.day(DAY).await, [ids[0], ids[2]]);
        assert_eq!(versions(&database).await[&ids[2]], before[&ids[2]]);
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_sorting_by_distance_writes_only_what_changes() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let palace = plans.add_at(126.977, 37.579).await;
        let busan = plans.add_at(129.075, 35.179).await;
        let tower = plans.add_at(126.988, 37.551).await;
        let daejeon = plans.add_at(127.384, 36.350).await;
        let elsewhere = plans.add(NEXT).await;
        let before = versions(&database).await;
        let answer = plans.sort(&json!({ "date": DAY })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let sorted = [palace, tower, daejeon, busan];
        let told: Vec<_> = answer.json["payload"].as_array().unwrap().iter().collect();
        for (at, plan) in told.iter().enumerate() {
            assert_eq!((&plan["planId"], &plan["planOrder"]), (&json!(sorted[at]), &json!(at + 1)));
        }
        assert_eq!(plans.day(DAY).await, sorted);
        let after = versions(&database).await;
        let written: Vec<_> = after.iter().filter(|(id, count)| before[id] != **count).collect();
        assert_eq!(written, [(&busan, &2), (&tower, &2), (&daejeon, &2)]);
        assert_eq!(after[&elsewhere], 1);

        let travel = number(&database, "SELECT version FROM travels").await;
        let again = plans.sort(&json!({ "date": DAY })).await;
        assert_eq!(again.json["payload"], answer.json["payload"]);
        assert_eq!(versions(&database).await, after, "nothing had to be written");
        assert_eq!(number(&database, "SELECT version FROM travels").await, travel);
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_sorting_may_begin_with_any_plan_of_the_day() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let west = plans.add_at(126.0, 37.0).await;
        let middle = plans.add_at(127.0, 37.0).await;
        let east = plans.add_at(128.5, 37.0).await;
        let elsewhere = plans.add(NEXT).await;
        let answer = plans.sort(&json!({ "date": DAY, "startPlanId": east })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(plans.day(DAY).await, [east, middle, west]);
        let answer = plans.sort(&json!({ "date": DAY, "startPlanId": middle })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(plans.day(DAY).await, [middle, west, east]);
        for unknown in [elsewhere, 1_000_000] {
            let answer = plans.sort(&json!({ "date": DAY, "startPlanId": unknown })).await;
            check_problem(&answer, 404, "PLAN_NOT_FOUND");
        }
        let answer = plans.sort(&json!({ "date": "x", "startPlanId": 0 })).await;
        assert_eq!(fields(&answer), "date startPlanId");
        let empty = plans.sort(&json!({ "date": "2025-05-03" })).await;
        assert_eq!(empty.json["payload"], json!([]), "{}", empty.text);
        assert_eq!(fields(&plans.sort(&json!({})).await), "date");
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_what_changed_while_a_day_was_sorted_is_not_overwritten() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let ids = [plans.add(DAY).await, plans.add(DAY).await];
        let store = Store::new(database.clone(), Clock::fixed(NOW.parse().unwrap()));
        let key = TravelKey { member_id: 1, travel_id: plans.travel_id };
        let version = store.version(key).await.unwrap();
        let mut day: Vec<_> =
            store.plans(key, None).await.unwrap().iter().map(Plan::slot).collect();
        day.reverse();
        let third = plans.add(DAY).await;
        let refusal = store.reorder_plans(key, version, &day).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Concurrent), "{refusal}");
        assert_eq!(Problem::from(refusal).into_response().status(), StatusCode::CONFLICT);
        assert_eq!(plans.day(DAY).await, [ids[0], ids[1], third]);
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test]
async fn tp_03_a_travel_has_room_for_500_plans() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let first = plans.add(DAY).await;
        sqlx::query(
            "INSERT INTO travel_plans SELECT plan_id + number, travel_id, location_name, longitude, \
             latitude, location_category, location_address, location_road_address, \
             location_telephone, plan_date, plan_order + number, version, created_at, updated_at \
             FROM travel_plans, (WITH RECURSIVE numbers (number) AS \
             (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 498) \
             SELECT number FROM numbers) AS numbers",
        )
        .execute(database.pool())
        .await
        .unwrap();
        sqlx::query("UPDATE last_ids SET last_id = 1000 WHERE kind = 'PLAN'")
            .execute(database.pool())
            .await
            .unwrap();
        plans.add(DAY).await;
        let answer = plans.client.post(&plans.target, &plan(NEXT, 127.0, 37.5)).await;
        check_problem(&answer, 400, "INVALID_REQUEST");
        assert!(answer.text.contains("has 500 plans, the most there may be"), "{}", answer.text);
        assert_eq!(plans.delete(&[first]).await.status, 204);
        assert_eq!(plans.day(DAY).await.len(), 499);
        plans.add(NEXT).await;
    })
    .await
    .unwrap();
}
