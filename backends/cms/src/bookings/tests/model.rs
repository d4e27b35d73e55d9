//! The store and a naive model of it are asked the same, and have to say the same.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Date;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

const CASES: usize = 40;
/// A hold of 15 minutes is over after two steps, and nowhere near its end after one.
const STEP: &str = "10m";

#[derive(Debug, Clone)]
enum Action {
    Reserve { id: u8, room: usize, from: i32, nights: i32 },
    Approve(u8),
    Complete { id: u8, is_amount: bool },
    Cancel(u8),
    LookUp(u8),
    Wait,
    Sweep,
}

/// What the model knows of a reservation.
#[derive(Debug, Clone)]
struct Known {
    status: &'static str,
    /// Room, first night, number of nights; a tombstone has none.
    content: Option<(usize, i32, i32)>,
    held_at: i32,
}

#[derive(Debug, Default)]
struct Model {
    known: BTreeMap<u8, Known>,
    steps: i32,
}

fn any_action() -> impl Strategy<Value = Action> {
    let id = 0..6_u8;
    prop_oneof![
        6 => (id.clone(), 0..2_usize, 1..5_i32, 1..4_i32)
            .prop_map(|(id, room, from, nights)| Action::Reserve { id, room, from, nights }),
        3 => id.clone().prop_map(Action::Approve),
        3 => (id.clone(), any::<bool>())
            .prop_map(|(id, is_amount)| Action::Complete { id, is_amount }),
        2 => id.clone().prop_map(Action::Cancel),
        1 => id.prop_map(Action::LookUp),
        2 => Just(Action::Wait),
        1 => Just(Action::Sweep),
    ]
}

impl Model {
    /// The state of a reservation or the code of a refusal.
    fn expect(&mut self, action: &Action) -> &'static str {
        if let Action::Reserve { id, .. }
        | Action::Approve(id)
        | Action::Complete { id, .. }
        | Action::Cancel(id)
        | Action::LookUp(id) = action
        {
            self.end_hold(*id);
        }
        match *action {
            Action::Reserve { id, room, from, nights } => self.reserve(id, (room, from, nights)),
            Action::Approve(id) => match self.status(id) {
                "HELD" => self.set(id, "APPROVED"),
                "" => "RESERVATION_NOT_FOUND",
                "EXPIRED" => "HOLD_EXPIRED",
                "CANCELLED" => "RESERVATION_CANCELLED",
                booked => booked,
            },
            Action::Complete { id, is_amount } => match self.status(id) {
                "" => "RESERVATION_NOT_FOUND",
                "APPROVED" | "PAID" if !is_amount => "AMOUNT_MISMATCH",
                "APPROVED" | "PAID" => self.set(id, "PAID"),
                _ => "NOT_APPROVED",
            },
            Action::Cancel(id) => match self.status(id) {
                "" => {
                    let tombstone = Known { status: "CANCELLED", content: None, held_at: 0 };
                    self.known.insert(id, tombstone);
                    "CANCELLED"
                }
                "EXPIRED" => "EXPIRED",
                _ => self.set(id, "CANCELLED"),
            },
            Action::LookUp(id) => match self.status(id) {
                "" => "RESERVATION_NOT_FOUND",
                status => status,
            },
            Action::Wait => {
                self.steps += 1;
                ""
            }
            Action::Sweep => {
                (0..6).for_each(|id| self.end_hold(id));
                ""
            }
        }
    }

    fn reserve(&mut self, id: u8, content: (usize, i32, i32)) -> &'static str {
        match self.status(id) {
            "CANCELLED" => return "RESERVATION_CANCELLED",
            "EXPIRED" => return "HOLD_EXPIRED",
            "" => {}
            _ if self.known[&id].content != Some(content) => return "EXTERNAL_ID_CONFLICT",
            status => return status,
        }
        let taken = self.taken();
        if nights_of(content).iter().any(|night| taken.contains_key(night)) {
            return "ROOM_NOT_AVAILABLE";
        }
        let known = Known { status: "HELD", content: Some(content), held_at: self.steps };
        self.known.insert(id, known);
        "HELD"
    }

    fn end_hold(&mut self, id: u8) {
        let steps = self.steps;
        let known = self.known.get_mut(&id).filter(|known| known.status == "HELD");
        if let Some(known) = known.filter(|known| steps - known.held_at >= 2) {
            known.status = "EXPIRED";
        }
    }

    fn status(&self, id: u8) -> &'static str {
        self.known.get(&id).map_or("", |known| known.status)
    }

    fn set(&mut self, id: u8, status: &'static str) -> &'static str {
        self.known.get_mut(&id).unwrap().status = status;
        status
    }

    /// Who has which room on which night, and how.
    fn taken(&self) -> BTreeMap<(usize, i32), (String, String)> {
        let active = self.known.iter().filter_map(|(id, known)| {
            let status = match known.status {
                "HELD" => "HELD",
                "APPROVED" | "PAID" => "BOOKED",
                _ => return None,
            };
            Some((id, status, known.content?))
        });
        active
            .flat_map(|(id, status, content)| {
                let of = (status.to_owned(), id.to_string());
                nights_of(content).into_iter().map(move |night| (night, of.clone()))
            })
            .collect()
    }
}

fn nights_of((room, from, nights): (usize, i32, i32)) -> Vec<(usize, i32)> {
    (from..from + nights).map(|night| (room, night)).collect()
}

async fn carry_out(bookings: &Bookings, today: Date, action: &Action) -> String {
    let told = |outcome: Result<Booking, Problem>| match outcome {
        Ok(booking) => booking.status,
        Err(problem) => code::<()>(Err(problem)),
    };
    let call = async |id: &u8, ask: Ask| {
        told(bookings.call(&id.to_string(), &ask, false).await.map(|done| done.booking))
    };
    match action {
        Action::Reserve { id, room: at, from, nights } => {
            let check_in = today.saturating_add(from.days());
            let wanted = Stay { check_in, check_out: check_in.saturating_add(nights.days()) };
            let wanted = order(bookings, &id.to_string(), room(bookings, *at), wanted);
            told(bookings.reserve(&wanted, false).await.map(|done| done.booking))
        }
        Action::Approve(id) => call(id, Ask::Approve).await,
        Action::Complete { id, is_amount } => {
            let amount = bookings.find(&id.to_string(), false).await.ok();
            let amount = amount.and_then(|it| it.amount).unwrap_or(1);
            call(id, complete(if *is_amount { amount } else { amount + 1 })).await
        }
        Action::Cancel(id) => call(id, cancel()).await,
        Action::LookUp(id) => told(bookings.find(&id.to_string(), false).await),
        Action::Wait => String::new(),
        Action::Sweep => {
            bookings.sweep().await.unwrap();
            String::new()
        }
    }
}

/// The nights that are not open: in the order of their rows, as in the model; and as the second
/// guard sees them.
async fn stored(bookings: &Bookings, today: Date) -> [BTreeMap<(usize, i32), (String, String)>; 2] {
    let texts = [
        "SELECT room_id, night, status, reservation_id FROM room_nights WHERE status <> 'OPEN'",
        "SELECT n.room_id, n.night, CASE r.status WHEN 'HELD' THEN 'HELD' ELSE 'BOOKED' END, \
         n.external_id FROM reservation_nights n JOIN reservations r \
         ON r.external_id = n.external_id WHERE n.is_active = 1",
    ];
    let mut found = [BTreeMap::new(), BTreeMap::new()];
    for (text, found) in texts.into_iter().zip(&mut found) {
        let rows: Vec<(i64, String, String, String)> =
            sqlx::query_as(text).fetch_all(bookings.shared.database.pool()).await.unwrap();
        for (room_id, night, status, holder) in rows {
            let at = (0..2).find(|at| room(bookings, *at) == room_id).unwrap();
            let night = date::parse(&night).unwrap();
            found.insert((at, (night - today).get_days()), (status, holder));
        }
    }
    found
}

async fn check(bookings: &Bookings, shift: &Shift, actions: &[Action]) {
    for table in ["room_nights", "reservation_nights", "reservations_history", "reservations"] {
        let text = AssertSqlSafe(format!("DELETE FROM {table}"));
        sqlx::query(text).execute(bookings.shared.database.pool()).await.unwrap();
    }
    let mut model = Model::default();
    // The clock goes ahead, and may do so into the next day.
    shift.set(SignedDuration::ZERO);
    let today = bookings.shared.clock.today();
    for action in actions {
        let expected = model.expect(action);
        let step: SignedDuration = STEP.parse().unwrap();
        shift.set(step * model.steps);
        assert_eq!(carry_out(bookings, today, action).await, expected, "{action:?} of {actions:?}");
        let [nights, lines] = stored(bookings, today).await;
        assert_eq!(nights, model.taken(), "{action:?} of {actions:?}");
        assert_eq!(lines, model.taken(), "{action:?} of {actions:?}");
    }
}

/// Whatever is asked in whatever order, the store answers as the table of states does, and has
/// exactly the nights taken that it says.
#[tokio::test]
async fn the_store_does_what_a_naive_model_does() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, shift) = bookings(&database).await;
        let mut runner = TestRunner::new_with_rng(Config::default(), seeded());
        let actions = vec(any_action(), 1..40);
        for _ in 0..CASES {
            let actions = actions.new_tree(&mut runner).unwrap().current();
            check(&bookings, &shift, &actions).await;
        }
    })
    .await
    .unwrap();
}

/// The same sequences in every run, so that one that fails fails again.
fn seeded() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}
