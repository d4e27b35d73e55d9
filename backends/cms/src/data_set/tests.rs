use jiff::Timestamp;
use service::testing::on_each_database;
use tokio::task::JoinSet;

use super::*;
use crate::bookings::tests::{bookings, cancel, code, order, room, stay};
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

/// what a store is filled with anew is what an empty one gets.
#[tokio::test]
async fn a_21_a_store_is_filled_anew_with_what_an_empty_one_gets() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let held = order(&bookings, "a", room(&bookings, 0), stay(&bookings, 1, 2));
        bookings.reserve(&held, false).await.unwrap();
        let catalogue = refill(&database, SMALL, &clock()).await.unwrap();
        assert!(catalogue == Catalogue::load(database.pool()).await.unwrap());
        let made: Vec<_> = (1..=12).filter_map(|id| generator::lodging(SMALL.seed, id)).collect();
        assert!(catalogue.lodgings == made);
        for what in ["reservations", "reservation_nights", "reservations_history"] {
            assert_eq!(count(&database, what).await, 0, "{what}");
        }
        assert_eq!(count(&database, "room_nights WHERE reservation_id IS NOT NULL").await, 0);
        let dates = "(SELECT DISTINCT night FROM room_nights) AS dates";
        assert_eq!(count(&database, dates).await, 9);
    })
    .await
    .unwrap();
}

/// Those who book wait until the store is filled anew, and it does not wait for ever for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_filled_anew_while_others_book() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let mut guests = JoinSet::new();
        for guest in 0..6 {
            let bookings = bookings.clone();
            guests.spawn(async move {
                let mut faults = Vec::new();
                for at in 0..40 {
                    let stay = stay(&bookings, 1 + at % 3, 3);
                    let wanted =
                        order(&bookings, &format!("{guest}-{at}"), room(&bookings, 0), stay);
                    let held = bookings.reserve(&wanted, false).await;
                    let gone = bookings.call(&wanted.external_id, &cancel(), false).await;
                    faults.extend(held.err().into_iter().chain(gone.err()));
                }
                faults
            });
        }
        let plan = Plan { lodgings: 3, nights: 0, ..PLAN };
        for _ in 0..5 {
            refill(&database, plan, &bookings.shared.clock).await.unwrap();
        }
        for fault in guests.join_all().await.concat() {
            assert_eq!(code::<()>(Err(fault)), "ROOM_NOT_AVAILABLE");
        }
    })
    .await
    .unwrap();
}
