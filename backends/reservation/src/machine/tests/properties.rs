//! What holds for every state that can be reached, whatever happens in whatever order.

use std::collections::BTreeSet;

use super::*;

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::HoldRefused,
        Event::PaymentNotCreated,
        Event::CreateTimedOut,
        Event::HoldRanOut,
        Event::Pending,
        Event::RefundPending,
        Event::BookingImpossible,
        Event::StepBegins,
        Event::Compensate,
        Event::SettledByHand,
    ];
    for yes in [true, false] {
        events.extend([
            Event::Created { is_hold_over: yes },
            Event::Cancel { is_in_window: yes },
            Event::Approved { is_ours: yes },
            Event::Rejected { is_our_key: yes },
            Event::NothingToRefund { is_ours: yes },
            Event::RefundRejected { is_ours: yes },
            Event::Seen(Seen::Charged { is_ours: yes }),
            Event::Approve(Approval { is_hold_long: yes, ..approval() }),
            Event::Approve(Approval { is_known_key: yes, ..approval() }),
            Event::StepDone { step: Step::CmsApprove, is_refundable: yes },
            Event::StepDone { step: Step::CmsPaymentComplete, is_refundable: yes },
        ]);
        for also in [true, false] {
            let step = Step::ReleaseRoom { had_expired: also };
            events.push(Event::Returned { is_ours: yes, is_all: also });
            events.push(Event::StepDone { step, is_refundable: yes });
        }
    }
    let seen = [Seen::NoAnswer, Seen::NotFound, Seen::Open, Seen::Refused, Seen::Returned];
    events.extend(seen.map(Event::Seen));
    events
}

fn is_leaving(status: Status) -> bool {
    status.is_terminal() || matches!(status, Status::Cancelling | Status::Compensating)
}

/// Whether it can come about: only a step that is open is carried out.
fn can_be(from: &Reservation, event: Event) -> bool {
    let Event::StepDone { step, .. } = event else { return true };
    match step {
        Step::CmsApprove | Step::CmsPaymentComplete => from.status == Status::Confirming,
        Step::ReleaseRoom { .. } => is_leaving(from.status) && !from.is_released,
    }
}

/// Every change that can come about, from a state that can be reached.
fn changes() -> Vec<(Reservation, Event, Decision)> {
    let start = request().reservation;
    let mut known = BTreeSet::from([start.clone()]);
    let mut to_do = vec![start];
    let mut changes = Vec::new();
    while let Some(from) = to_do.pop() {
        for event in events().into_iter().filter(|event| can_be(&from, *event)) {
            let decision = decide(&from, event);
            if known.insert(decision.reservation.clone()) {
                to_do.push(decision.reservation.clone());
            }
            changes.push((from.clone(), event, decision));
        }
    }
    changes
}

/// 4.1, invariants 4, 5, 7 and 8; KF-12 TS-04: there is one way to give a room back.
#[test]
fn every_change_keeps_the_invariants() {
    let changes = changes();
    assert!(changes.len() > 2_000, "{}", changes.len());
    for (from, event, decision) in &changes {
        let to = &decision.reservation;
        let about = format!("{from:?} {event:?} {decision:?}");
        let has = |effect| decision.effects.contains(&effect);
        if to.status == Status::Confirmed {
            assert!(to.is_charged && to.cms == CmsStatus::Paid, "{about}");
            assert!(!to.is_cancel_requested, "{about}");
        }
        // A cancellation that was accepted stays accepted, a charge that is known stays known, and
        // an end is an end.
        assert!(to.is_cancel_requested >= from.is_cancel_requested, "{about}");
        assert!(to.is_charged >= from.is_charged, "{about}");
        assert!(!from.status.is_terminal() || to.status == from.status, "{about}");
        // Whoever leaves the way to a booking gives the room back, and does so once.
        let leaves = is_leaving(to.status) && !is_leaving(from.status);
        assert_eq!(has(Effect::Release), leaves, "{about}");
        assert!(from.status == to.status || !decision.rows.is_empty(), "{about}");
        let is_told = |effect: &&Effect| matches!(effect, Effect::Publish(_));
        if to.status.is_terminal() && !from.status.is_terminal() {
            assert_eq!(decision.effects.iter().filter(is_told).count(), 1, "{about}");
        }
        let is_new = to.status == Status::Confirmed && from.status != Status::Confirmed;
        assert_eq!(has(Effect::Publish(Announcement::Confirmed)), is_new, "{about}");
    }
}

/// 4.1, invariant 5: money that is known to be taken is on its way back in every end.
#[test]
fn no_end_keeps_money() {
    for (from, event, decision) in changes() {
        let to = &decision.reservation;
        // Unless the policy returns nothing.
        let keeps = matches!(event, Event::StepDone { is_refundable: false, .. });
        if to.status.is_terminal() && from.status != to.status && to.is_charged && !keeps {
            assert_ne!(to.refund, RefundStatus::None, "{from:?} {event:?}");
            assert_ne!(to.refund, RefundStatus::Nothing, "{from:?} {event:?}");
        }
    }
}

/// Default rule: the same event a second time opens and asks for nothing new.
#[test]
fn nothing_is_done_twice() {
    let is_once = |effect: &&Effect| {
        matches!(
            effect,
            Effect::Release
                | Effect::OpenBookingSteps
                | Effect::RequestConfirm
                | Effect::Refund(_)
                | Effect::Publish(_)
        )
    };
    for (from, event, decision) in changes() {
        let again = decide(&decision.reservation, event);
        let first: BTreeSet<_> = decision.effects.iter().filter(is_once).collect();
        let second: BTreeSet<_> = again.effects.iter().filter(is_once).collect();
        assert!(first.is_disjoint(&second), "{from:?} {event:?} {first:?} {second:?}");
    }
}

/// Every row can come about.
#[test]
fn every_row_is_reached() {
    let reached: BTreeSet<Row> =
        changes().into_iter().flat_map(|(_, _, decision)| decision.rows).collect();
    // T01 is where it begins, and T32 changes nothing here.
    let is_elsewhere = |row: &Row| matches!(row, Row::T01 | Row::T32);
    let missing: Vec<_> = Row::ALL.iter().filter(|row| !reached.contains(row)).collect();
    assert!(missing.iter().all(|row| is_elsewhere(row)), "{missing:?}");
}
