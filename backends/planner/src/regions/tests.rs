use serde_json::{Value, json};
use service::testing::on_each_database;
use tokio::task::JoinSet;

use crate::schema::STEPS;
use crate::testing::{Client, check_problem, count, execute, fields, number, travel};

fn target(travel_id: i64) -> String {
    format!("/v2/travel-regions/{travel_id}/regions")
}

/// Names and orders as they are listed.
fn told(regions: &Value) -> Vec<(String, i64)> {
    let regions = regions.as_array().unwrap().iter();
    let told = |region: &Value| {
        let name = region["regionName"].as_str().unwrap().to_owned();
        (name, region["regionOrder"].as_i64().unwrap())
    };
    regions.map(told).collect()
}

fn numbered(names: &[&str]) -> Vec<(String, i64)> {
    names.iter().map(|name| (*name).to_owned()).zip(1..).collect()
}

fn id(regions: &Value, at: usize) -> i64 {
    regions[at]["regionId"].as_i64().unwrap()
}

/// A travel with these regions.
async fn made(client: &Client, names: &[&str]) -> i64 {
    let body = travel("2025-05-01", "2025-05-03", names);
    let answer = client.post("/v2/travels", &body).await;
    answer.json["payload"]["travelId"].as_i64().unwrap()
}

/// TP-02
#[tokio::test]
async fn tp_02_lists_regions_in_order_and_replaces_them_all() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let travel_id = made(&client, &["서울", "부산"]).await;
        let regions = target(travel_id);
        let before = client.payload(&regions).await;
        assert_eq!(told(&before), numbered(&["서울", "부산"]));
        let later = Client::at(&database, "2025-05-01T11:00:00+09:00");
        let body = json!({ "regionNames": ["제주", "서울", "제주"] });
        let answer = later.post(&regions, &body).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        let after = client.payload(&regions).await;
        assert_eq!(told(&after), numbered(&["제주", "서울", "제주"]));
        assert!(id(&after, 0) > id(&before, 1), "ids are new");
        let travel = client.payload(&format!("/v2/travels/{travel_id}")).await;
        assert_eq!(travel["title"], "제주, 서울, 제주 여행");
        assert_eq!(travel["regions"], after);
        assert_eq!(travel["updatedAt"], "2025-05-01T11:00:00.000+09:00");
    })
    .await
    .unwrap();
}

/// TP-02
#[tokio::test]
async fn tp_02_a_travel_without_regions_gets_its_first_ones() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let travel_id = made(&client, &["서울"]).await;
        let regions = target(travel_id);
        execute(&database, "DELETE FROM travel_regions").await;
        assert_eq!(client.payload(&regions).await, json!([]));
        let travel = client.payload(&format!("/v2/travels/{travel_id}")).await;
        assert_eq!(travel["title"], "여행");
        let body = json!({ "regionNames": ["부산", "제주"] });
        let answer = client.post(&regions, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(told(&answer.json["payload"]), numbered(&["부산", "제주"]));
        assert_eq!(client.payload(&regions).await, answer.json["payload"]);
        assert_eq!(client.post(&regions, &body).await.status, 204);
    })
    .await
    .unwrap();
}

/// TP-02
#[tokio::test]
async fn tp_02_what_cannot_be_used_replaces_nothing() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let regions = target(made(&client, &["서울", "부산"]).await);
        for (body, faults) in [
            (json!({}), "regionNames"),
            (json!({ "regionNames": null }), "regionNames"),
            (json!({ "regionNames": [] }), "regionNames"),
            (json!({ "regionNames": ["제주", ""] }), "regionNames[1]"),
            (json!({ "regionNames": vec!["제주"; 101] }), "regionNames"),
        ] {
            let answer = client.post(&regions, &body).await;
            check_problem(&answer, 400, "INVALID_REQUEST");
            assert_eq!(fields(&answer), faults);
        }
        let nulls = json!({ "regionNames": ["제주", null] });
        check_problem(&client.post(&regions, &nulls).await, 400, "INVALID_REQUEST");
        assert_eq!(told(&client.payload(&regions).await), numbered(&["서울", "부산"]));
    })
    .await
    .unwrap();
}

/// TP-02
#[tokio::test]
async fn tp_02_a_region_goes_unless_it_is_the_last() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let regions = target(made(&client, &["서울", "부산", "제주"]).await);
        let listed = client.payload(&regions).await;
        let (first, second, third) = (id(&listed, 0), id(&listed, 1), id(&listed, 2));
        assert_eq!(client.delete(&format!("{regions}/{second}")).await.status, 204);
        assert_eq!(told(&client.payload(&regions).await), numbered(&["서울", "제주"]));
        let again = client.delete(&format!("{regions}/{second}")).await;
        check_problem(&again, 404, "REGION_NOT_FOUND");
        assert_eq!(client.delete(&format!("{regions}/{first}")).await.status, 204);
        let last = client.delete(&format!("{regions}/{third}")).await;
        check_problem(&last, 409, "LAST_REGION");
        let gone = client.delete(&format!("{regions}/{first}")).await;
        check_problem(&gone, 404, "REGION_NOT_FOUND");
        assert_eq!(told(&client.payload(&regions).await), numbered(&["제주"]));
        let answer = client.delete(&format!("{regions}/x")).await;
        assert_eq!(fields(&answer), "regionId");
    })
    .await
    .unwrap();
}

/// TP-02
#[tokio::test]
async fn tp_02_a_region_belongs_to_one_travel() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let regions = target(made(&client, &["서울", "부산"]).await);
        let foreign = client.of_member(2);
        let foreign_regions = target(made(&foreign, &["제주", "강릉"]).await);
        let region_id = id(&foreign.payload(&foreign_regions).await, 0);
        let answer = client.delete(&format!("{regions}/{region_id}")).await;
        check_problem(&answer, 404, "REGION_NOT_FOUND");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM travel_regions").await, 4);
    })
    .await
    .unwrap();
}

/// TP-02
#[tokio::test(flavor = "multi_thread")]
async fn tp_02_parallel_changes_leave_regions_of_one_request() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        let regions = target(made(&client, &["서울"]).await);
        let mut sent = JoinSet::new();
        for number in 0..20 {
            let (client, regions) = (client.clone(), regions.clone());
            let body = json!({ "regionNames": vec![format!("{number}"); 1 + number % 5] });
            sent.spawn(async move { client.post(&regions, &body).await });
        }
        let answers = sent.join_all().await;
        assert_eq!(count(&answers, 204), 20, "{answers:?}");
        let listed = told(&client.payload(&regions).await);
        let winner: usize = listed[0].0.parse().unwrap();
        assert_eq!(listed, numbered(&vec![listed[0].0.as_str(); 1 + winner % 5]));
    })
    .await
    .unwrap();
}

/// TP-02
#[tokio::test(flavor = "multi_thread")]
async fn tp_02_when_all_regions_are_deleted_at_once_one_stays() {
    on_each_database(STEPS, async |database| {
        for member_id in 1..=12 {
            let client = Client::new(&database).of_member(member_id);
            let regions = target(made(&client, &["가"; 3]).await);
            let listed = client.payload(&regions).await;
            let mut sent = JoinSet::new();
            for at in 0..3 {
                let (client, region) = (client.clone(), format!("{regions}/{}", id(&listed, at)));
                sent.spawn(async move { client.delete(&region).await });
            }
            let answers = sent.join_all().await;
            assert_eq!((count(&answers, 204), count(&answers, 409)), (2, 1), "{answers:?}");
            assert_eq!(told(&client.payload(&regions).await), numbered(&["가"]));
        }
    })
    .await
    .unwrap();
}
