use serde_json::{Value, json};
use service::testing::on_each_database;
use service::testing::openapi::validate;

use super::*;
use crate::schema::STEPS;
use crate::testing::{Client, check_problem, plan, travel};

/// Every endpoint that is about one travel, with a body it takes.
fn about(travel_id: i64, region_id: i64, plan_id: i64) -> Vec<(&'static str, String, Value)> {
    let travel = format!("/v2/travels/{travel_id}");
    let regions = format!("/v2/travel-regions/{travel_id}/regions");
    let plans = format!("/v2/travel-plans/{travel_id}/plans");
    let days = json!({ "startDate": "2025-05-01", "endDate": "2025-05-02" });
    let day = json!({ "date": "2025-05-01" });
    let place = plan("2025-05-01", 127.0, 37.5);
    vec![
        ("GET", travel.clone(), Value::Null),
        ("POST", format!("{travel}/name"), json!({ "travelName": "봄" })),
        ("POST", format!("{travel}/schedule"), days),
        ("GET", regions.clone(), Value::Null),
        ("POST", regions.clone(), json!({ "regionNames": ["서울"] })),
        ("DELETE", format!("{regions}/{region_id}"), Value::Null),
        ("GET", plans.clone(), Value::Null),
        ("POST", plans.clone(), place.clone()),
        ("DELETE", format!("{plans}?planIds={plan_id}"), Value::Null),
        ("GET", format!("{plans}/{plan_id}"), Value::Null),
        ("POST", format!("{plans}/{plan_id}"), place),
        ("POST", format!("{plans}/{plan_id}/order"), json!({ "planOrder": 1 })),
        ("POST", format!("{plans}/sort-by-distance"), day),
        ("DELETE", format!("{plans}/{plan_id}"), Value::Null),
        ("DELETE", travel, Value::Null),
    ]
}

fn text(body: &Value) -> String {
    if body.is_null() { String::new() } else { body.to_string() }
}

/// What differs between any two answers, left out.
fn comparable(problem: &Value) -> Value {
    let mut problem = problem.clone();
    for name in ["instance", "traceId"] {
        problem.as_object_mut().unwrap().remove(name).unwrap();
    }
    problem
}

#[test]
fn the_document_is_fit_to_be_published() {
    let document = serde_json::to_value(Api::openapi()).unwrap();
    assert_eq!(validate(&document), Vec::<String>::new());
    let operations = document["paths"].as_object().unwrap().values();
    let operations: usize = operations.map(|path| path.as_object().unwrap().len()).sum();
    // Those about one travel, the list and the creation.
    assert_eq!(operations, about(1, 1, 1).len() + 2);
}

/// TP-01 TP-02 TP-03
#[tokio::test]
async fn a_travel_of_somebody_else_is_as_one_that_does_not_exist() {
    on_each_database(STEPS, async |database| {
        let owner = Client::new(&database);
        let body = travel("2025-05-01", "2025-05-02", &["서울", "부산"]);
        let made = owner.post("/v2/travels", &body).await.json["payload"].clone();
        let travel_id = made["travelId"].as_i64().unwrap();
        let region_id = made["regions"][0]["regionId"].as_i64().unwrap();
        let plan_id = owner.plan(travel_id, &plan("2025-05-01", 127.0, 37.5)).await;
        let before = owner.payload(&format!("/v2/travels/{travel_id}")).await;
        let plans = owner.payload(&format!("/v2/travel-plans/{travel_id}/plans")).await;

        let stranger = owner.of_member(2);
        let foreign = about(travel_id, region_id, plan_id);
        let unknown = about(travel_id + 1_000_000, region_id, plan_id);
        for ((method, foreign, body), (_, unknown, _)) in foreign.iter().zip(&unknown) {
            let answer = stranger.send(method, foreign, &text(body)).await;
            check_problem(&answer, 404, "TRAVEL_NOT_FOUND");
            let other = stranger.send(method, unknown, &text(body)).await;
            assert_eq!(comparable(&answer.json), comparable(&other.json), "{method} {foreign}");
        }
        assert_eq!(owner.payload(&format!("/v2/travels/{travel_id}")).await, before);
        assert_eq!(owner.payload(&format!("/v2/travel-plans/{travel_id}/plans")).await, plans);
        assert_eq!(stranger.payload("/v2/travels").await, json!([]));
        // The same requests are fine for the owner.
        for (method, target, body) in foreign {
            let answer = owner.send(method, &target, &text(&body)).await;
            let is_gone = answer.json["code"] == "REGION_NOT_FOUND"
                || answer.json["code"] == "PLAN_NOT_FOUND";
            assert!(answer.status.is_success() || is_gone, "{method} {target}: {}", answer.text);
        }
    })
    .await
    .unwrap();
}

/// TP-04 A-18
#[tokio::test]
async fn tp_04_a_18_nothing_is_served_without_the_gateways_proof() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let travel_id = client.travel("2025-05-01", "2025-05-02").await;
        let mut endpoints: Vec<_> = about(travel_id, 1, 1)
            .into_iter()
            .map(|(method, target, _)| (method, target))
            .collect();
        endpoints.push(("GET", "/v2/travels".to_owned()));
        endpoints.push(("POST", "/v2/travels".to_owned()));
        endpoints.push(("PUT", "/v2/travels".to_owned()));
        for (method, target) in endpoints {
            let answer = client.send_directly(method, &target).await;
            check_problem(&answer, 401, "UNTRUSTED_CALLER");
        }
        assert_eq!(client.payload("/v2/travels").await.as_array().unwrap().len(), 1);
    })
    .await
    .unwrap();
}
