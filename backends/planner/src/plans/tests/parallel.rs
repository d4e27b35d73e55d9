//! Changes that meet.

use serde_json::json;
use service::testing::on_each_database;
use tokio::task::JoinSet;

use super::{DAY, DAYS, Plans};
use crate::schema::STEPS;
use crate::testing::{Client, Dice, count, number, plan};

/// TP-03
#[tokio::test(flavor = "multi_thread")]
async fn tp_03_parallel_changes_leave_no_gaps() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let mut dice = Dice::new(11);
        for round in 0..6 {
            let ids: Vec<i64> = plans.days().await.into_values().flatten().collect();
            let mut sent = JoinSet::new();
            for number in 0..20 {
                let date = DAYS[dice.throw(DAYS.len())];
                let id = if ids.is_empty() { 0 } else { ids[dice.throw(ids.len())] };
                let kind = if ids.is_empty() { 0 } else { number % 5 };
                let (client, target) = (plans.client.clone(), plans.target.clone());
                let body = plan(date, 127.0, 37.5);
                sent.spawn(async move {
                    match kind {
                        0 => client.post(&target, &body).await,
                        1 => client.delete(&format!("{target}/{id}")).await,
                        2 => client.post(&format!("{target}/{id}"), &body).await,
                        3 => {
                            let order = json!({ "planOrder": 1 });
                            client.post(&format!("{target}/{id}/order"), &order).await
                        }
                        _ => {
                            let day = json!({ "date": date });
                            client.post(&format!("{target}/sort-by-distance"), &day).await
                        }
                    }
                });
            }
            for answer in sent.join_all().await {
                let status = answer.status.as_u16();
                let fits = match status {
                    404 => answer.json["code"] == "PLAN_NOT_FOUND",
                    409 => answer.json["code"] == "CONCURRENT_MODIFICATION",
                    _ => (200..300).contains(&status),
                };
                assert!(fits, "round {round}: {}", answer.text);
            }
            // Checks that each day counts 1, 2, 3 …
            plans.days().await;
        }
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test(flavor = "multi_thread")]
async fn tp_03_parallel_plans_of_one_day_all_get_a_place() {
    on_each_database(STEPS, async |database| {
        let plans = Plans::new(&database).await;
        let mut sent = JoinSet::new();
        for _ in 0..20 {
            let (client, target) = (plans.client.clone(), plans.target.clone());
            sent.spawn(async move { client.post(&target, &plan(DAY, 127.0, 37.5)).await });
        }
        let answers = sent.join_all().await;
        assert_eq!(count(&answers, 201), 20, "{answers:?}");
        let places = answers.iter().map(|answer| answer.json["payload"]["planOrder"].as_i64());
        let mut places: Vec<_> = places.map(Option::unwrap).collect();
        places.sort_unstable();
        assert_eq!(places, (1..=20).collect::<Vec<_>>());
        assert_eq!(plans.day(DAY).await.len(), 20);
    })
    .await
    .unwrap();
}

/// TP-03
#[tokio::test(flavor = "multi_thread")]
async fn tp_03_plans_and_new_days_that_meet_fit_together() {
    on_each_database(STEPS, async |database| {
        let client = Client::new(&database);
        for month in 1..=12 {
            let day = |day: i32| format!("2026-{month:02}-{day:02}");
            let travel_id = client.travel(&day(1), &day(9)).await;
            let mut sent = JoinSet::new();
            for number in 0..20 {
                let client = client.clone();
                // A plan on the first day, or a travel that no longer has that day.
                let (target, body) = if number % 2 == 0 {
                    (format!("/v2/travel-plans/{travel_id}/plans"), plan(&day(1), 127.0, 37.5))
                } else {
                    let days = json!({ "startDate": day(2), "endDate": day(9) });
                    (format!("/v2/travels/{travel_id}/schedule"), days)
                };
                sent.spawn(async move { client.post(&target, &body).await });
            }
            let answers = sent.join_all().await;
            let refused =
                answers.iter().filter(|answer| answer.json["code"] == "PLAN_OUT_OF_RANGE");
            let outcome = (count(&answers, 201), count(&answers, 204), refused.count());
            assert!([(10, 0, 10), (0, 10, 10)].contains(&outcome), "{answers:?}");
        }
        let outside = "SELECT COUNT(*) FROM travel_plans JOIN travels \
                       ON travels.travel_id = travel_plans.travel_id \
                       WHERE plan_date < start_date OR plan_date > end_date";
        assert_eq!(number(&database, outside).await, 0);
    })
    .await
    .unwrap();
}
