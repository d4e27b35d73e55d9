use super::*;
use crate::evidence::{Answer, Night, Notice};

const AMOUNT: i64 = 220_000;

/// One reservation of every end, all as they should be.
fn sound() -> Evidence {
    let mut evidence = Evidence::default();
    for (id, status, refund, payment, booking) in [
        ("sold", "CONFIRMED", "NONE", "DONE", "PAID"),
        ("cancelled", "CANCELLED", "DONE", "CANCELED", "CANCELLED"),
        ("refused", "FAILED", "NONE", "ABORTED", "CANCELLED"),
        ("unpaid", "EXPIRED", "NONE", "EXPIRED", "EXPIRED"),
    ] {
        evidence.reservations.push(Reservation {
            id: id.into(),
            status: status.into(),
            refund_status: refund.into(),
            total_amount: AMOUNT,
        });
        evidence.payments.push(Payment { order_id: id.into(), status: payment.into() });
        evidence.bookings.push(Booking {
            external_id: id.into(),
            status: booking.into(),
            nights: 1,
        });
        evidence.journal.push(answer(id, Asked::Reserve, 201));
    }
    evidence.nights.push(night("sold", 1));
    evidence.ledger =
        vec![entry("sold", AMOUNT), entry("cancelled", AMOUNT), entry("cancelled", -AMOUNT)];
    evidence.journal.push(answer("cancelled", Asked::Cancel, 202));
    evidence.notices.push(notice("IN_APP"));
    evidence.notices.push(notice("EMAIL"));
    evidence.sent.push("n-EMAIL".into());
    evidence
}

fn entry(order: &str, amount: i64) -> Entry {
    Entry { order_id: order.into(), amount }
}

fn night(id: &str, room_id: i64) -> Night {
    Night { room_id, date: "2025-05-01".into(), external_id: id.into() }
}

fn answer(id: &str, asked: Asked, status: u16) -> Answer {
    Answer { reservation_id: id.into(), asked, status }
}

fn notice(channel: &str) -> Notice {
    Notice {
        id: format!("n-{channel}"),
        source_event_id: "event".into(),
        template_code: "RESERVATION_CONFIRMED".into(),
        channel: channel.into(),
    }
}

fn reservation<'a>(evidence: &'a mut Evidence, id: &str) -> &'a mut Reservation {
    evidence.reservations.iter_mut().find(|it| it.id == id).unwrap()
}

/// What is found after one thing was changed.
fn planted(plant: impl FnOnce(&mut Evidence)) -> Vec<Promise> {
    let mut evidence = sound();
    plant(&mut evidence);
    let mut found: Vec<_> = check(&evidence).into_iter().map(|it| it.promise).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn finds_nothing_where_nothing_is_wrong() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn a_second_charge_is_found_even_when_it_was_returned() {
    let again = |evidence: &mut Evidence| {
        evidence.ledger.extend([entry("sold", AMOUNT), entry("sold", -AMOUNT)]);
    };
    assert_eq!(planted(again), [Promise::NoDoubleCharge]);
}

#[test]
fn money_without_a_room_is_found() {
    let without_refund = |evidence: &mut Evidence| drop(evidence.ledger.pop());
    assert_eq!(planted(without_refund), [Promise::NoKeptMoney]);
    let unknown = |evidence: &mut Evidence| evidence.ledger.push(entry("nobody's", AMOUNT));
    assert_eq!(planted(unknown), [Promise::NoKeptMoney]);
    let without_charge = |evidence: &mut Evidence| drop(evidence.ledger.remove(0));
    assert_eq!(planted(without_charge), [Promise::NoKeptMoney]);
}

#[test]
fn a_refund_settled_by_hand_counts() {
    let by_hand = |evidence: &mut Evidence| {
        evidence.ledger.pop();
        evidence.settled_by_hand.push(("cancelled".into(), AMOUNT));
        evidence.payments[1].status = "DONE".into();
    };
    assert_eq!(planted(by_hand), []);
}

#[test]
fn too_much_returned_is_found() {
    let twice = |evidence: &mut Evidence| evidence.ledger.push(entry("cancelled", -AMOUNT));
    assert_eq!(planted(twice), [Promise::NoExcessRefund, Promise::NoKeptMoney]);
}

#[test]
fn a_room_held_for_nobody_is_found() {
    let held = |evidence: &mut Evidence| {
        evidence.bookings[2].status = "HELD".into();
        evidence.nights.push(night("refused", 2));
    };
    assert_eq!(planted(held), [Promise::NoHeldRoom, Promise::ConsistentEnd]);
    let night_only = |evidence: &mut Evidence| evidence.nights.push(night("refused", 2));
    assert_eq!(planted(night_only), [Promise::NoHeldRoom]);
    let unknown = |evidence: &mut Evidence| evidence.nights.push(night("nobody's", 2));
    assert_eq!(planted(unknown), [Promise::NoHeldRoom]);
    let lost = |evidence: &mut Evidence| evidence.nights.clear();
    assert_eq!(planted(lost), [Promise::NoHeldRoom]);
}

#[test]
fn a_night_sold_twice_is_found() {
    let twice = |evidence: &mut Evidence| {
        evidence.bookings[0].nights = 2;
        evidence.nights.push(night("sold", 1));
    };
    assert_eq!(planted(twice), [Promise::NoDoubleBooking]);
}

#[test]
fn what_was_answered_must_exist() {
    let lost = |evidence: &mut Evidence| {
        evidence.journal.push(answer("lost", Asked::Reserve, 201));
    };
    assert_eq!(planted(lost), [Promise::NoLostReservation]);
    let refused = |evidence: &mut Evidence| {
        evidence.journal.push(answer("lost", Asked::Reserve, 409));
    };
    assert_eq!(planted(refused), []);
}

#[test]
fn an_accepted_cancel_must_not_be_forgotten() {
    let forgotten =
        |evidence: &mut Evidence| evidence.journal.push(answer("sold", Asked::Cancel, 202));
    assert_eq!(planted(forgotten), [Promise::NoForgottenCancel]);
}

#[test]
fn ends_that_disagree_are_found() {
    let unpaid = |evidence: &mut Evidence| evidence.bookings[0].status = "APPROVED".into();
    let found = [Promise::NoKeptMoney, Promise::NoHeldRoom, Promise::ConsistentEnd];
    assert_eq!(planted(unpaid), found);
    let open = |evidence: &mut Evidence| {
        reservation(evidence, "cancelled").refund_status = "REQUESTED".into();
    };
    assert_eq!(planted(open), [Promise::ConsistentEnd]);
    let charged = |evidence: &mut Evidence| evidence.payments[2].status = "DONE".into();
    assert_eq!(planted(charged), [Promise::ConsistentEnd]);
}

#[test]
fn what_has_not_ended_is_found() {
    let going_on = |evidence: &mut Evidence| {
        reservation(evidence, "refused").status = "CONFIRMING".into();
    };
    assert_eq!(planted(going_on), [Promise::NothingLeft]);
    let step = |evidence: &mut Evidence| evidence.unfinished.push("a step".into());
    assert_eq!(planted(step), [Promise::NothingLeft]);
}

#[test]
fn what_is_told_twice_is_found() {
    let record = |evidence: &mut Evidence| evidence.notices.push(notice("EMAIL"));
    assert_eq!(planted(record), [Promise::NoDoubleNotice]);
    let message = |evidence: &mut Evidence| evidence.sent.push("n-EMAIL".into());
    assert_eq!(planted(message), [Promise::NoDoubleNotice]);
}
