//! Many changes in a row, compared with a model that is too simple to be wrong.

use std::collections::BTreeMap;

use serde_json::json;
use service::database::Database;
use service::testing::on_each_database;

use super::{DAYS, Plans};
use crate::schema::STEPS;
use crate::testing::{Client, Dice, plan};

/// What the plans of a travel must be after each change: the plans of each day in order.
#[derive(Debug, Default)]
struct Model(BTreeMap<String, Vec<i64>>);

impl Model {
    fn ids(&self) -> Vec<i64> {
        self.0.values().flatten().copied().collect()
    }

    fn add(&mut self, date: &str, id: i64) {
        self.0.entry(date.to_owned()).or_default().push(id);
    }

    fn remove(&mut self, id: i64) {
        for day in self.0.values_mut() {
            day.retain(|other| *other != id);
        }
        self.0.retain(|_, day| !day.is_empty());
    }

    fn day_of(&self, id: i64) -> String {
        let found = self.0.iter().find(|(_, day)| day.contains(&id));
        found.unwrap().0.clone()
    }

    fn reorder(&mut self, id: i64, order: usize) {
        let day = self.0.get_mut(&self.day_of(id)).unwrap();
        day.retain(|other| *other != id);
        day.insert(order - 1, id);
    }
}

/// TP-03
#[tokio::test]
async fn tp_03_a_random_walk_leaves_what_a_naive_model_says() {
    on_each_database(STEPS, async |database| {
        for seed in 1..=3 {
            walk(&database, seed).await;
        }
    })
    .await
    .unwrap();
}

async fn walk(database: &Database, seed: u64) {
    let client = Client::new(database).of_member(i64::try_from(seed).unwrap());
    let travel_id = client.travel(DAYS[0], DAYS[2]).await;
    let plans = Plans { client, travel_id, target: format!("/v2/travel-plans/{travel_id}/plans") };
    let (mut model, mut dice) = (Model::default(), Dice::new(seed));
    for step in 0..120 {
        let ids = model.ids();
        let date = DAYS[dice.throw(DAYS.len())];
        let id = if ids.is_empty() { 0 } else { ids[dice.throw(ids.len())] };
        match dice.throw(8) {
            _ if ids.is_empty() => model.add(date, plans.add(date).await),
            0..=2 => model.add(date, plans.add(date).await),
            3 => {
                let other = ids[dice.throw(ids.len())];
                assert_eq!(plans.delete(&[id, other]).await.status, 204);
                model.remove(id);
                model.remove(other);
            }
            4 => assert_eq!(plans.delete(&[id, i64::MAX]).await.status, 404),
            5 => {
                let places = model.0[&model.day_of(id)].len();
                let order = 1 + dice.throw(places);
                assert_eq!(plans.reorder(id, i64::try_from(order).unwrap()).await.status, 204);
                model.reorder(id, order);
            }
            6 => {
                assert_eq!(plans.edit(id, &plan(date, 127.0, 37.5)).await.status, 204);
                if model.day_of(id) != date {
                    model.remove(id);
                    model.add(date, id);
                }
            }
            _ => {
                // All plans are at the same place, so the one to begin with comes first and the
                // others keep their order.
                let body = json!({ "date": model.day_of(id), "startPlanId": id });
                assert_eq!(plans.sort(&body).await.status, 200);
                model.reorder(id, 1);
            }
        }
        assert_eq!(plans.days().await, model.0, "seed {seed}, step {step}");
    }
}
