//! Every row of the tables can be reached, and every pair that stands in none changes nothing.

use std::collections::BTreeSet;

use service::code::Code;

use super::*;

const SEEN: [Seen; 7] = [
    Seen::NoAnswer,
    Seen::Open,
    Seen::Done,
    Seen::PartlyReturned { balance: 10_000 },
    Seen::Returned,
    Seen::Aborted,
    Seen::Expired,
];

/// Every event about one refund, each in all its variants.
pub(super) fn events(refund: Uuid) -> Vec<Event> {
    let yes_and_no = [true, false];
    let mut events = vec![Event::ReconcileDue, Event::TimeRanOut, Event::RefundDue { refund }];
    events.push(Event::Settled { refund });
    for is_leased in yes_and_no {
        events.push(Event::Cancel { refund, amount: TOTAL, is_leased });
        for in_time in yes_and_no {
            for key in [Key::First, Key::Same, Key::Other] {
                for amount in [TOTAL, 1] {
                    events.push(Event::Confirm { key, amount, in_time, is_leased });
                }
            }
        }
    }
    for for_command in yes_and_no {
        for answer in [
            ConfirmAnswer::Done,
            ConfirmAnswer::Refused,
            ConfirmAnswer::LookUp,
            ConfirmAnswer::Unknown,
            ConfirmAnswer::Misconfigured,
        ] {
            events.push(Event::ConfirmAnswered { answer, is_repeat: false, for_command });
        }
    }
    for answer in [
        CancelAnswer::Returned { balance: 0 },
        CancelAnswer::Returned { balance: 10_000 },
        CancelAnswer::Refused,
        CancelAnswer::Unknown,
        CancelAnswer::Misconfigured,
    ] {
        events.push(Event::CancelAnswered { refund, answer, fresh: fresh() });
    }
    let for_command = true;
    for asked in [
        Asked::Command,
        Asked::Timer,
        Asked::Hint,
        Asked::LookUp { for_command },
        Asked::Refusal { for_command },
        Asked::Refund(refund),
        Asked::RefundRefusal(refund),
    ] {
        for seen in SEEN {
            for (in_time, session_over) in [(true, false), (false, false), (false, true)] {
                let fresh = fresh();
                events.push(Event::Seen { asked, seen, in_time, session_over, fresh });
            }
        }
    }
    events
}

/// Everything that can come of a new payment, with at most two refunds of ours.
fn reachable() -> (BTreeSet<Payment>, BTreeSet<Row>) {
    let first = create(TOTAL);
    let mut rows: BTreeSet<_> = first.rows.into_iter().collect();
    let mut states = BTreeSet::from([first.payment.clone()]);
    let mut open = vec![first.payment];
    while let Some(state) = open.pop() {
        for event in [1, 2].into_iter().flat_map(|number| events(id(number))) {
            let decision = decide(&state, event);
            rows.extend(decision.rows);
            let mut after = decision.payment;
            // Numbers go on for ever, and what happened outside can happen in any number of parts.
            after.refunds.retain(|refund| refund.origin == Origin::Command);
            for refund in &mut after.refunds {
                refund.n = refund.n.min(2);
            }
            if states.insert(after.clone()) {
                open.push(after);
            }
        }
    }
    (states, rows)
}

#[test]
fn every_row_is_reached() {
    let (states, rows) = reachable();
    let missing: Vec<_> = Row::ALL.iter().filter(|row| !rows.contains(row)).collect();
    assert!(missing.is_empty(), "{missing:?} of {} states", states.len());
}

#[test]
fn every_state_that_is_reached_keeps_the_invariants() {
    let (states, _) = reachable();
    for state in &states {
        assert!((0..=state.total).contains(&state.balance), "{state:?}");
        assert_eq!(state.status == Status::Canceled, state.balance == 0, "{state:?}");
        assert!(!state.in_doubt || state.status == Status::InProgress, "{state:?}");
        let settled = matches!(state.status, Status::Aborted | Status::Expired | Status::Canceled);
        assert!(!settled || state.open_refund().is_none(), "{state:?}");
        let sent = state.refunds.iter().filter(|refund| refund.is_open() && refund.is_sent);
        assert!(sent.count() <= 1, "{state:?}");
        assert_ne!(state.status, Status::WaitingForDeposit);
    }
}

#[test]
fn a_pair_of_no_row_changes_nothing() {
    let (states, _) = reachable();
    for state in &states {
        for event in [1, 2].into_iter().flat_map(|number| events(id(number))) {
            let decision = decide(state, event);
            if decision.rows.is_empty() {
                assert_eq!(decision.payment, *state, "{event:?}");
            }
        }
    }
}
