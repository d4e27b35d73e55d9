mod model;

use jiff::ToSpan;
use serde_json::json;
use service::app::Registry;
use service::clock::{Clock, Shift};
use service::database::Database;
use service::testing::on_each_database;
use tokio::task::JoinSet;

use super::*;
use crate::data_set::{self, Plan};
use crate::generator::DEFAULT_SEED;
use crate::order::Person;
use crate::{availability, schema};

/// No room is closed at first.
const PLAN: Plan = Plan { seed: DEFAULT_SEED, lodgings: 3, nights: 0 };
const HOLD: Duration = Duration::from_mins(15);

pub(crate) async fn bookings(database: &Database) -> (Bookings, Shift) {
    let (clock, shift) = Clock::shiftable();
    data_set::fill_once(database, PLAN, &clock).await.unwrap();
    let shelf = Shelf::open(database.pool()).await.unwrap();
    let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
    (Bookings { shelf, shared, hold: HOLD }, shift)
}

/// Some nights from tomorrow on.
pub(crate) fn stay(bookings: &Bookings, from: i32, nights: i32) -> Stay {
    let check_in = bookings.shared.clock.today().saturating_add(from.days());
    Stay { check_in, check_out: check_in.saturating_add(nights.days()) }
}

pub(crate) fn order(bookings: &Bookings, id: &str, room_id: i64, stay: Stay) -> Order {
    let catalogue = bookings.shelf.catalogue();
    let (_, room) = catalogue.room(room_id).unwrap();
    Order {
        external_id: id.to_owned(),
        room_id,
        stay,
        guest_count: 1,
        amount: price_of(&catalogue, room, stay),
        client: Person::default(),
        guest: Person::default(),
        hold: None,
    }
}

pub(crate) fn room(bookings: &Bookings, at: usize) -> i64 {
    bookings.shelf.catalogue().lodgings[0].rooms[at].id
}

pub(crate) async fn taken(bookings: &Bookings, room_id: i64, stay: Stay) -> usize {
    let pool = bookings.shared.database.pool();
    availability::exceptions(pool, stay, &[room_id]).await.unwrap().len()
}

pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, Problem>) -> String {
    let problem = outcome.unwrap_err();
    format!("{problem:?}").split("code: \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

pub(crate) fn cancel() -> Ask {
    Ask::Cancel { reason: "changed".to_owned(), code: "CUSTOMER".to_owned() }
}

fn complete(amount: i64) -> Ask {
    let paid_at = "2025-05-01T00:00:00Z".parse().unwrap();
    Ask::Complete { payment_ref: "p".to_owned(), amount, paid_at }
}

/// CM-03 CM-04 CM-05 CM-06
#[tokio::test]
async fn cm_03_to_06_a_hold_becomes_a_booking_that_is_paid_and_can_be_let_go() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let (room, stay) = (room(&bookings, 0), stay(&bookings, 1, 3));
        let wanted = order(&bookings, "a", room, stay);
        let held = bookings.reserve(&wanted, false).await.unwrap();
        assert!(held.is_new);
        assert_eq!((held.booking.status.as_str(), taken(&bookings, room, stay).await), ("HELD", 3));
        let again = bookings.reserve(&wanted, false).await.unwrap();
        assert!(!again.is_new);
        assert_eq!(again.booking.cms_reservation_id, held.booking.cms_reservation_id);

        let paid = complete(wanted.amount);
        assert_eq!(code(bookings.call("a", &paid, false).await), "NOT_APPROVED");
        for _ in 0..2 {
            let approved = bookings.call("a", &Ask::Approve, false).await.unwrap();
            assert_eq!(approved.booking.status, "APPROVED");
        }
        assert_eq!(code(bookings.call("a", &complete(1), false).await), "AMOUNT_MISMATCH");
        for _ in 0..2 {
            assert_eq!(bookings.call("a", &paid, false).await.unwrap().booking.status, "PAID");
        }
        let found = bookings.find("a", false).await.unwrap();
        assert_eq!(found.payment_ref.as_deref(), Some("p"));
        assert_eq!(taken(&bookings, room, stay).await, 3);

        for _ in 0..2 {
            let cancelled = bookings.call("a", &cancel(), false).await.unwrap();
            assert_eq!(cancelled.booking.status, "CANCELLED");
        }
        assert_eq!(taken(&bookings, room, stay).await, 0);
        assert_eq!(code(bookings.call("a", &Ask::Approve, false).await), "RESERVATION_CANCELLED");
        assert_eq!(code(bookings.reserve(&wanted, false).await), "RESERVATION_CANCELLED");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_cannot_be_held_is_refused_and_holds_nothing() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let (room, stay) = (room(&bookings, 0), stay(&bookings, 1, 2));
        let wanted = order(&bookings, "a", room, stay);
        let unknown = Order { room_id: 999_999, ..wanted.clone() };
        assert_eq!(code(bookings.reserve(&unknown, false).await), "ROOM_NOT_FOUND");
        let cheap = Order { amount: wanted.amount - 1, ..wanted.clone() };
        assert_eq!(code(bookings.reserve(&cheap, false).await), "PRICE_CHANGED");
        let crowd = Order { guest_count: 20, ..wanted.clone() };
        assert_eq!(code(bookings.reserve(&crowd, false).await), "INVALID_REQUEST");
        assert_eq!(taken(&bookings, room, stay).await, 0);

        bookings.reserve(&wanted, false).await.unwrap();
        let other = Order { guest_count: 2, ..wanted.clone() };
        assert_eq!(code(bookings.reserve(&other, false).await), "EXTERNAL_ID_CONFLICT");
        let guest = serde_json::from_value(json!({ "name": "B" })).unwrap();
        let other = Order { guest, ..wanted.clone() };
        assert_eq!(code(bookings.reserve(&other, false).await), "EXTERNAL_ID_CONFLICT");
        // One of its nights is taken: none of the others may be.
        let late = Stay { check_in: stay.check_in.tomorrow().unwrap(), ..stay };
        let longer = Stay { check_out: stay.check_out.tomorrow().unwrap(), ..late };
        let overlapping = order(&bookings, "b", room, longer);
        assert_eq!(code(bookings.reserve(&overlapping, false).await), "ROOM_NOT_AVAILABLE");
        assert_eq!(taken(&bookings, room, longer).await, 1);
        assert_eq!(code(bookings.find("b", false).await), "RESERVATION_NOT_FOUND");
        assert_eq!(code(bookings.call("b", &Ask::Approve, false).await), "RESERVATION_NOT_FOUND");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_cancel_that_overtakes_its_reservation_leaves_a_tombstone() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        for _ in 0..2 {
            let buried = bookings.call("a", &cancel(), false).await.unwrap();
            assert_eq!(buried.booking.status, "CANCELLED");
        }
        let (room, stay) = (room(&bookings, 0), stay(&bookings, 1, 2));
        let late = order(&bookings, "a", room, stay);
        assert_eq!(code(bookings.reserve(&late, false).await), "RESERVATION_CANCELLED");
        assert_eq!(taken(&bookings, room, stay).await, 0);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_hold_ends_at_its_deadline_whoever_looks_first() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, shift) = bookings(&database).await;
        let stay = stay(&bookings, 1, 1);
        let ids = ["by-approve", "by-look", "by-sweep", "by-another", "booked"];
        for (at, id) in ids.iter().enumerate() {
            bookings
                .reserve(&order(&bookings, id, room(&bookings, at), stay), false)
                .await
                .unwrap();
        }
        bookings.call("booked", &Ask::Approve, false).await.unwrap();
        shift.set("15m".parse().unwrap());
        assert_eq!(code(bookings.call("by-approve", &Ask::Approve, false).await), "HOLD_EXPIRED");
        assert_eq!(bookings.find("by-look", false).await.unwrap().status, "EXPIRED");
        // What refuses the call keeps what it has found out.
        assert_eq!(taken(&bookings, room(&bookings, 0), stay).await, 0);
        assert_eq!(bookings.sweep().await.unwrap(), 2);
        assert_eq!(bookings.find("booked", false).await.unwrap().status, "APPROVED");
        for (at, left) in [0, 0, 0, 0, 1].into_iter().enumerate() {
            assert_eq!(taken(&bookings, room(&bookings, at), stay).await, left, "{}", ids[at]);
        }
        let cancelled = bookings.call("by-look", &cancel(), false).await.unwrap();
        assert_eq!(cancelled.booking.status, "EXPIRED");
    })
    .await
    .unwrap();
}

/// The second guard: a night that the first one would give away is refused all the same.
#[tokio::test]
async fn a_night_is_not_given_away_even_if_it_looks_open() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let (room, stay) = (room(&bookings, 0), stay(&bookings, 1, 3));
        bookings.reserve(&order(&bookings, "a", room, stay), false).await.unwrap();
        let broken = "UPDATE room_nights SET status = 'OPEN' WHERE reservation_id = 'a'";
        sqlx::query(broken).execute(database.pool()).await.unwrap();
        let other = order(&bookings, "b", room, stay);
        assert_eq!(code(bookings.reserve(&other, false).await), "ROOM_NOT_AVAILABLE");
        assert_eq!(code(bookings.find("b", false).await), "RESERVATION_NOT_FOUND");
        // What is let go can be had again.
        bookings.call("a", &cancel(), false).await.unwrap();
        assert!(bookings.reserve(&other, false).await.unwrap().is_new);
    })
    .await
    .unwrap();
}

/// Who asks again on a later day gets what there is, though nobody could begin that stay any more.
#[tokio::test]
async fn a_repeat_is_the_same_whenever_it_comes() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, shift) = bookings(&database).await;
        let (first, stay) = (room(&bookings, 0), stay(&bookings, 0, 2));
        let wanted = order(&bookings, "a", first, stay);
        bookings.reserve(&wanted, false).await.unwrap();
        bookings.call("a", &Ask::Approve, false).await.unwrap();
        shift.set("72h".parse().unwrap());
        let again = bookings.reserve(&wanted, false).await.unwrap();
        assert_eq!((again.is_new, again.booking.status.as_str()), (false, "APPROVED"));
        let late = order(&bookings, "b", room(&bookings, 1), stay);
        assert_eq!(code(bookings.reserve(&late, false).await), "INVALID_REQUEST");
    })
    .await
    .unwrap();
}

/// X-25 X-26: whatever is asked first, a hold that is told to be over is.
#[tokio::test]
async fn x_26_a_hold_can_be_ended_by_any_call() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let stay = stay(&bookings, 1, 1);
        for (at, call) in ["reserve", "look-up", "approve", "complete", "cancel"].iter().enumerate()
        {
            let wanted = order(&bookings, call, room(&bookings, at), stay);
            bookings.reserve(&wanted, false).await.unwrap();
            let refused = match *call {
                "reserve" => Some(code(bookings.reserve(&wanted, true).await)),
                "look-up" => bookings.find(call, true).await.err().map(|_| String::new()),
                "approve" => Some(code(bookings.call(call, &Ask::Approve, true).await)),
                "complete" => Some(code(bookings.call(call, &complete(wanted.amount), true).await)),
                _ => bookings.call(call, &cancel(), true).await.err().map(|_| String::new()),
            };
            let expected = match *call {
                "reserve" | "approve" => Some("HOLD_EXPIRED"),
                "complete" => Some("NOT_APPROVED"),
                _ => None,
            };
            assert_eq!(refused.as_deref(), expected, "{call}");
            assert_eq!(bookings.find(call, false).await.unwrap().status, "EXPIRED", "{call}");
            assert_eq!(taken(&bookings, wanted.room_id, stay).await, 0, "{call}");
        }
    })
    .await
    .unwrap();
}

/// A-03 X-22
#[tokio::test(flavor = "multi_thread")]
async fn a_03_x_22_of_a_hundred_bookers_exactly_one_has_the_night() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        for round in 0..50 {
            let room = room(&bookings, round % 5);
            let stay = stay(&bookings, 1 + i32::try_from(round / 5).unwrap() * 2, 2);
            let mut bookers = JoinSet::new();
            for number in 0..100 {
                let bookings = bookings.clone();
                let wanted = order(&bookings, &format!("{round}-{number}"), room, stay);
                bookers.spawn(async move { bookings.reserve(&wanted, false).await });
            }
            let outcomes = bookers.join_all().await;
            let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(won, 1, "round {round}");
            for outcome in outcomes.into_iter().filter(Result::is_err) {
                assert_eq!(code(outcome), "ROOM_NOT_AVAILABLE");
            }
            assert_eq!(taken(&bookings, room, stay).await, 2);
        }
    })
    .await
    .unwrap();
}

/// Stays that overlap in every way wait for each other, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn overlapping_stays_do_not_block_each_other() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let room = room(&bookings, 0);
        let mut guests = JoinSet::new();
        for number in 0..60 {
            let bookings = bookings.clone();
            let stay = stay(&bookings, 1 + number % 7, 1 + number % 5);
            let wanted = order(&bookings, &format!("g{number}"), room, stay);
            guests.spawn(async move {
                let outcome = bookings.reserve(&wanted, false).await;
                if outcome.is_ok() && number % 2 == 0 {
                    bookings.call(&wanted.external_id, &cancel(), false).await.unwrap();
                }
                outcome.map(drop)
            });
        }
        for outcome in guests.join_all().await.into_iter().filter(Result::is_err) {
            assert_eq!(code(outcome), "ROOM_NOT_AVAILABLE");
        }
        // Every night that is taken has one living reservation.
        let orphans: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM room_nights n WHERE n.status = 'HELD' AND NOT EXISTS \
             (SELECT 1 FROM reservations r WHERE r.external_id = n.reservation_id \
             AND r.status = 'HELD' AND n.night >= r.check_in AND n.night < r.check_out)",
        )
        .fetch_one(database.pool())
        .await
        .unwrap();
        assert_eq!(orphans, 0);
    })
    .await
    .unwrap();
}

/// The same call from many sides at once has one effect.
#[tokio::test(flavor = "multi_thread")]
async fn repeats_at_the_same_time_have_one_effect() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let (room, stay) = (room(&bookings, 0), stay(&bookings, 1, 2));
        let wanted = order(&bookings, "a", room, stay);
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let (bookings, wanted) = (bookings.clone(), wanted.clone());
            calls.spawn(
                async move { bookings.reserve(&wanted, false).await.map(|done| done.is_new) },
            );
        }
        let outcomes = calls.join_all().await;
        let new = outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
        assert_eq!(new, 1, "{outcomes:?}");
        let history: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM reservations_history")
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert_eq!(history, 1);
    })
    .await
    .unwrap();
}
