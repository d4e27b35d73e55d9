//! What holds whatever happens, in whatever order.

use proptest::prelude::*;
use proptest::sample::select;

use super::rows::events;
use super::*;

fn walks() -> impl Strategy<Value = Vec<Event>> {
    let all: Vec<_> = [1, 2, 3].into_iter().flat_map(|number| events(id(number))).collect();
    // Each refund from outside has an id of its own, as the service makes them up.
    prop::collection::vec(select(all), 0..40).prop_map(|events| {
        let number = 100..;
        events.into_iter().zip(number).map(|(event, number)| renewed(event, id(number))).collect()
    })
}

fn renewed(event: Event, own: Uuid) -> Event {
    match event {
        Event::Seen { asked, seen, in_time, session_over, fresh: _ } => {
            Event::Seen { asked, seen, in_time, session_over, fresh: own }
        }
        Event::CancelAnswered { refund, answer, fresh: _ } => {
            Event::CancelAnswered { refund, answer, fresh: own }
        }
        Event::Confirm { .. }
        | Event::ConfirmAnswered { .. }
        | Event::Cancel { .. }
        | Event::ReconcileDue
        | Event::RefundDue { .. }
        | Event::TimeRanOut
        | Event::Settled { .. } => event,
    }
}

/// Whether the payment gateway said that the money was taken.
fn tells_of_a_charge(event: Event) -> bool {
    match event {
        Event::ConfirmAnswered { answer, .. } => answer == ConfirmAnswer::Done,
        Event::Seen { seen, .. } => matches!(seen, Seen::Done | Seen::PartlyReturned { .. }),
        Event::Confirm { .. }
        | Event::Cancel { .. }
        | Event::CancelAnswered { .. }
        | Event::ReconcileDue
        | Event::RefundDue { .. }
        | Event::TimeRanOut
        | Event::Settled { .. } => false,
    }
}

/// Whether a command is answered at once, or by what is asked of the payment gateway next.
fn is_answered(decision: &Decision, event: Event) -> bool {
    let has = |wanted: fn(&Effect) -> bool| decision.effects.iter().any(wanted);
    match event {
        Event::Confirm { .. } => {
            has(|effect| matches!(effect, Effect::ConfirmResult(_)))
                || matches!(decision.next, Next::Confirm | Next::Query(Asked::Command))
        }
        Event::Cancel { refund, .. } => {
            has(|effect| matches!(effect, Effect::CancelResult(..)))
                || decision.next == Next::Cancel(refund)
        }
        Event::ConfirmAnswered { for_command: true, .. } => {
            has(|effect| matches!(effect, Effect::ConfirmResult(_)))
                || matches!(decision.next, Next::Query(_))
        }
        Event::Seen {
            asked:
                Asked::Command
                | Asked::LookUp { for_command: true }
                | Asked::Refusal { for_command: true },
            seen: found,
            ..
        } if found != Seen::Returned => {
            has(|effect| matches!(effect, Effect::ConfirmResult(_)))
                || decision.next == Next::Confirm
        }
        Event::ConfirmAnswered { .. }
        | Event::Seen { .. }
        | Event::CancelAnswered { .. }
        | Event::ReconcileDue
        | Event::RefundDue { .. }
        | Event::TimeRanOut
        | Event::Settled { .. } => true,
    }
}

proptest! {
    #[test]
    fn never_two_open_calls_for_refunds(walk in walks()) {
        let mut state = create(TOTAL).payment;
        for event in walk {
            state = decide(&state, event).payment;
            let sent = state.refunds.iter().filter(|refund| refund.is_open() && refund.is_sent);
            prop_assert!(sent.count() <= 1, "{state:?}");
        }
    }

    /// 4.2, invariant 3
    #[test]
    fn the_balance_is_what_was_not_returned(walk in walks()) {
        let mut state = create(TOTAL).payment;
        for event in walk {
            let before = state.balance;
            state = decide(&state, event).payment;
            prop_assert!((0..=before).contains(&state.balance), "{state:?}");
            for refund in state.refunds.iter().filter(|refund| refund.is_open()) {
                prop_assert!(refund.amount <= state.balance, "{state:?}");
            }
        }
    }

    /// 4.2, invariant 6
    #[test]
    fn only_the_payment_gateway_says_that_money_was_taken(walk in walks()) {
        let mut state = create(TOTAL).payment;
        for event in walk {
            let after = decide(&state, event).payment;
            if after.is_charged() && !state.is_charged() {
                prop_assert!(tells_of_a_charge(event), "{event:?}");
            }
            state = after;
        }
    }

    /// 7.6: neither silence nor a fault of ours is ever a refusal.
    #[test]
    fn what_is_in_doubt_is_never_given_up_early(walk in walks()) {
        let mut state = create(TOTAL).payment;
        for event in walk {
            let after = decide(&state, event).payment;
            if state.in_doubt && after.status == Status::Aborted {
                let is_told = matches!(
                    event,
                    Event::Seen { seen: Seen::Aborted, .. }
                        | Event::Seen { seen: Seen::Open, session_over: true, .. }
                        | Event::Seen { seen: Seen::Open, asked: Asked::Refusal { .. }, .. }
                );
                prop_assert!(is_told, "{event:?}");
            }
            state = after;
        }
    }

    #[test]
    fn every_command_is_answered(walk in walks()) {
        let mut state = create(TOTAL).payment;
        for event in walk {
            let decision = decide(&state, event);
            prop_assert!(is_answered(&decision, event), "{state:?} {event:?} {decision:?}");
            state = decision.payment;
        }
    }

    /// A number rises after a definite refusal and a query, never otherwise.
    #[test]
    fn the_key_of_a_refund_changes_after_a_refusal_only(walk in walks()) {
        let mut state = create(TOTAL).payment;
        for event in walk {
            let after = decide(&state, event).payment;
            for refund in &state.refunds {
                let n = after.refund(refund.id).map_or(0, |refund| refund.n);
                let is_refused =
                    matches!(event, Event::Seen { asked: Asked::RefundRefusal(_), .. });
                prop_assert!(n == refund.n || is_refused && n == refund.n + 1, "{event:?}");
            }
            state = after;
        }
    }
}
