use jiff::Timestamp;
use service::testing::on_each_database;

use super::*;
use crate::catalogue::Catalogue;
use crate::schema;

const PLAN: Plan = Plan { seed: generator::DEFAULT_SEED, lodgings: 3000, nights: 90 };
const SMALL: Plan = Plan { lodgings: 12, nights: 9, ..PLAN };

fn clock() -> Clock {
    Clock::fixed("2025-05-01T10:00:00+09:00".parse::<Timestamp>().unwrap())
}

async fn count(database: &Database, what: &str) -> i64 {
    let text = AssertSqlSafe(format!("SELECT count(*) FROM {what}"));
    sqlx::query_scalar(text).fetch_one(database.pool()).await.unwrap()
}

/// CM-07 CM-08 CM-09
#[tokio::test]
async fn cm_07_cm_08_an_empty_store_gets_3000_lodgings_with_ten_rooms_each() {
    on_each_database(schema::STEPS, async |database| {
        fill_once(&database, PLAN, &clock()).await.unwrap();
        assert_eq!(count(&database, "lodgings").await, 3_000);
        assert_eq!(count(&database, "rooms").await, 30_000);
        let tens = "(SELECT place_id FROM rooms GROUP BY place_id HAVING count(*) = 10) AS tens";
        assert_eq!(count(&database, tens).await, 3_000);

        let closed = count(&database, "room_nights WHERE status = 'CLOSED'").await;
        assert!((205_000..=227_000).contains(&closed), "{closed} of 2700000");
        let dates = "(SELECT DISTINCT night FROM room_nights) AS dates";
        assert_eq!(count(&database, dates).await, 90);

        let stored = Catalogue::load(database.pool()).await.unwrap();
        let made = (1..=3000).filter_map(|id| generator::lodging(PLAN.seed, id)).collect();
        assert!(stored == Catalogue { seed: PLAN.seed, lodgings: made });
    })
    .await
    .unwrap();
}

/// CM-09
#[tokio::test]
async fn cm_09_a_filled_store_is_left_alone() {
    on_each_database(schema::STEPS, async |database| {
        fill_once(&database, SMALL, &clock()).await.unwrap();
        sqlx::query("UPDATE room_nights SET status = 'OPEN'")
            .execute(database.pool())
            .await
            .unwrap();
        let again = Plan { seed: 7, lodgings: 30, ..SMALL };
        fill_once(&database, again, &clock()).await.unwrap();
        assert_eq!(count(&database, "lodgings").await, 12);
        assert_eq!(count(&database, "room_nights WHERE status = 'CLOSED'").await, 0);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn two_that_start_together_fill_the_store_once() {
    on_each_database(schema::STEPS, async |database| {
        let clock = clock();
        let (one, other) =
            tokio::join!(fill_once(&database, SMALL, &clock), fill_once(&database, SMALL, &clock));
        one.unwrap();
        other.unwrap();
        assert_eq!(count(&database, "lodgings").await, 12);
        assert_eq!(count(&database, "rooms").await, 120);
    })
    .await
    .unwrap();
}
