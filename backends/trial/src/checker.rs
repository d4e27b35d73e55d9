//! Proves from what is left that nothing was lost, or tells what was.
//!
//! It shares no code with the services: it knows the promises, not how they are kept.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::evidence::{Asked, Booking, Entry, Evidence, Payment, Reservation};

/// A promise that was broken, about one reservation or message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation {
    /// Which promise.
    pub promise: Promise,
    /// What it was broken for, with what was found.
    pub about: String,
}

/// What the platform promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// A reservation is paid for once at most.
    NoDoubleCharge,
    /// No more is returned than was taken.
    NoExcessRefund,
    /// Money is kept only for a room that is booked and paid.
    NoKeptMoney,
    /// A room is held or booked only for a reservation that lives.
    NoHeldRoom,
    /// A night of a room is sold once.
    NoDoubleBooking,
    /// What was answered 201 or 202 exists.
    NoLostReservation,
    /// What was accepted as cancelled does not end as confirmed.
    NoForgottenCancel,
    /// A reservation that has ended agrees with its payment and its booking.
    ConsistentEnd,
    /// An event is told once a template and channel.
    NoDoubleNotice,
    /// Everything ends.
    NothingLeft,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.promise, self.about)
    }
}

/// Every promise that was broken; none when all were kept.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let facts = Facts::of(evidence);
    let mut violations = Violations::default();
    for reservation in &evidence.reservations {
        facts.check_money(reservation, &mut violations);
        facts.check_end(reservation, &mut violations);
    }
    facts.check_orders(&mut violations);
    facts.check_rooms(evidence, &mut violations);
    facts.check_journal(evidence, &mut violations);
    check_notices(evidence, &mut violations);
    for left in &evidence.unfinished {
        violations.add(Promise::NothingLeft, left.clone());
    }
    violations.0
}

#[derive(Debug, Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, promise: Promise, about: String) {
        self.0.push(Violation { promise, about });
    }

    fn add_unless(&mut self, holds: bool, promise: Promise, about: impl FnOnce() -> String) {
        if !holds {
            self.add(promise, about());
        }
    }
}

/// What was found, by reservation.
#[derive(Debug)]
struct Facts<'a> {
    reservations: HashMap<&'a str, &'a Reservation>,
    payments: HashMap<&'a str, &'a Payment>,
    bookings: HashMap<&'a str, &'a Booking>,
    money: HashMap<&'a str, Money>,
}

/// What moved for one order.
#[derive(Debug, Clone, Copy, Default)]
struct Money {
    charges: usize,
    charged: i64,
    returned: i64,
    settled_by_hand: i64,
}

impl Money {
    fn kept(self) -> i64 {
        self.charged - self.returned - self.settled_by_hand
    }
}

impl<'a> Facts<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut money: HashMap<&str, Money> = HashMap::new();
        for Entry { order_id, amount } in &evidence.ledger {
            let entry = money.entry(order_id).or_default();
            if *amount > 0 {
                entry.charges += 1;
                entry.charged += amount;
            } else {
                entry.returned -= amount;
            }
        }
        for (order_id, amount) in &evidence.settled_by_hand {
            money.entry(order_id).or_default().settled_by_hand += amount;
        }
        Self {
            reservations: evidence.reservations.iter().map(|it| (it.id.as_str(), it)).collect(),
            payments: evidence.payments.iter().map(|it| (it.order_id.as_str(), it)).collect(),
            bookings: evidence.bookings.iter().map(|it| (it.external_id.as_str(), it)).collect(),
            money,
        }
    }

    fn money(&self, id: &str) -> Money {
        self.money.get(id).copied().unwrap_or_default()
    }

    fn payment(&self, id: &str) -> &str {
        self.payments.get(id).map_or("none", |payment| payment.status.as_str())
    }

    fn booking(&self, id: &str) -> &str {
        self.bookings.get(id).map_or("none", |booking| booking.status.as_str())
    }

    /// All that is known of one reservation.
    fn told(&self, id: &str) -> String {
        let reservation = self.reservations.get(id);
        let status = reservation.map_or("unknown", |it| it.status.as_str());
        let refund = reservation.map_or("unknown", |it| it.refund_status.as_str());
        let Money { charges, charged, returned, settled_by_hand } = self.money(id);
        format!(
            "reservation {id} is {status} with refund {refund}, payment {}, booking {}, {charges} \
             charges of {charged}, {returned} returned, {settled_by_hand} settled by hand",
            self.payment(id),
            self.booking(id),
        )
    }

    /// Whether it is booked and paid, as all parties see it.
    fn is_sold(&self, reservation: &Reservation) -> bool {
        let id = &reservation.id;
        reservation.status == "CONFIRMED"
            && self.payment(id) == "DONE"
            && self.booking(id) == "PAID"
    }

    fn check_money(&self, reservation: &Reservation, violations: &mut Violations) {
        let expected = if self.is_sold(reservation) { reservation.total_amount } else { 0 };
        let kept = self.money(&reservation.id).kept();
        violations.add_unless(kept == expected, Promise::NoKeptMoney, || {
            format!("{} instead of {expected} are kept: {}", kept, self.told(&reservation.id))
        });
    }

    fn check_end(&self, reservation: &Reservation, violations: &mut Violations) {
        let Reservation { id, status, refund_status, .. } = reservation;
        let (payment, booking) = (self.payment(id), self.booking(id));
        let has_returned = matches!(refund_status.as_str(), "NONE" | "NOTHING" | "DONE");
        let is_consistent = match status.as_str() {
            "CONFIRMED" => self.is_sold(reservation) && refund_status == "NONE",
            "CANCELLED" | "FAILED" | "EXPIRED" => {
                matches!(booking, "CANCELLED" | "EXPIRED" | "none")
                    && matches!(payment, "CANCELED" | "ABORTED" | "EXPIRED" | "READY" | "none")
                        | self.is_settled_by_hand(id)
                    && has_returned
            }
            _ => {
                violations.add(Promise::NothingLeft, self.told(id));
                return;
            }
        };
        violations.add_unless(is_consistent, Promise::ConsistentEnd, || self.told(id));
    }

    fn is_settled_by_hand(&self, id: &str) -> bool {
        self.money(id).settled_by_hand > 0
    }

    fn check_orders(&self, violations: &mut Violations) {
        for (id, money) in &self.money {
            violations.add_unless(money.charges <= 1, Promise::NoDoubleCharge, || self.told(id));
            violations.add_unless(money.kept() >= 0, Promise::NoExcessRefund, || self.told(id));
            let is_known = self.reservations.contains_key(id);
            violations
                .add_unless(is_known || money.kept() == 0, Promise::NoKeptMoney, || self.told(id));
        }
    }

    fn check_rooms(&self, evidence: &Evidence, violations: &mut Violations) {
        let mut nights_of: HashMap<&str, usize> = HashMap::new();
        let mut sold = HashSet::new();
        for night in &evidence.nights {
            *nights_of.entry(&night.external_id).or_default() += 1;
            let is_first = sold.insert((night.room_id, &night.date));
            violations.add_unless(is_first, Promise::NoDoubleBooking, || {
                format!("room {} on {} is sold twice", night.room_id, night.date)
            });
        }
        let holders: HashSet<&str> = nights_of.keys().copied().collect();
        let booked = self.bookings.values().filter(|it| is_active(&it.status));
        let active: HashSet<&str> = booked.map(|it| it.external_id.as_str()).collect();
        for id in holders.union(&active) {
            let is_sold = self.reservations.get(id).is_some_and(|it| self.is_sold(it));
            violations.add_unless(is_sold, Promise::NoHeldRoom, || self.told(id));
            let wanted = self.bookings.get(id).map_or(0, |booking| booking.nights);
            let taken = nights_of.get(id).copied().unwrap_or_default();
            violations.add_unless(wanted == taken, Promise::NoHeldRoom, || {
                format!("{taken} of {wanted} nights are taken: {}", self.told(id))
            });
        }
    }

    fn check_journal(&self, evidence: &Evidence, violations: &mut Violations) {
        for answer in evidence.journal.iter().filter(|it| matches!(it.status, 200..=202)) {
            let id = answer.reservation_id.as_str();
            let Some(reservation) = self.reservations.get(id) else {
                violations.add(Promise::NoLostReservation, format!("{answer:?}"));
                continue;
            };
            let is_forgotten = answer.asked == Asked::Cancel && reservation.status == "CONFIRMED";
            violations.add_unless(!is_forgotten, Promise::NoForgottenCancel, || self.told(id));
        }
    }
}

fn is_active(booking: &str) -> bool {
    matches!(booking, "HELD" | "APPROVED" | "PAID")
}

fn check_notices(evidence: &Evidence, violations: &mut Violations) {
    let mut told = HashSet::new();
    for notice in &evidence.notices {
        let key = (&notice.source_event_id, &notice.template_code, &notice.channel);
        violations.add_unless(told.insert(key), Promise::NoDoubleNotice, || format!("{notice:?}"));
    }
    let mut sent = HashSet::new();
    for id in &evidence.sent {
        violations.add_unless(sent.insert(id), Promise::NoDoubleNotice, || {
            format!("notification {id} was sent twice")
        });
    }
}

#[cfg(test)]
mod tests;
