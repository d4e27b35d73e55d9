mod confirm;
mod properties;
mod refund;
mod rows;
mod seen;

use super::*;

const TOTAL: i64 = 30_000;

/// A refund's id.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The id of refunds from outside.
fn fresh() -> Uuid {
    id(99)
}

/// A payment in a state, as the rows lead to it.
fn payment(status: Status) -> Payment {
    let verdict = match status {
        Status::Done | Status::PartialCanceled | Status::Canceled => Some(Verdict::Approved),
        Status::Ready
        | Status::InProgress
        | Status::WaitingForDeposit
        | Status::Aborted
        | Status::Expired => None,
    };
    let balance = match status {
        Status::Canceled => 0,
        Status::PartialCanceled => 20_000,
        Status::Ready
        | Status::InProgress
        | Status::WaitingForDeposit
        | Status::Done
        | Status::Aborted
        | Status::Expired => TOTAL,
    };
    Payment { status, total: TOTAL, balance, in_doubt: false, verdict, refunds: Vec::new() }
}

fn doubted() -> Payment {
    Payment { in_doubt: true, ..payment(Status::InProgress) }
}

/// A refund of everything that was sent.
fn sent(status: RefundStatus) -> Refund {
    Refund {
        id: id(1),
        origin: Origin::Command,
        amount: TOTAL,
        status,
        n: 1,
        is_sent: true,
        is_answered: false,
        is_by_hand: false,
    }
}

/// A refund that waits for its turn, and was told so.
fn waiting(number: u128) -> Refund {
    let id = id(number);
    Refund { id, is_sent: false, is_answered: true, ..sent(RefundStatus::Requested) }
}

fn with(status: Status, refunds: &[Refund]) -> Payment {
    Payment { refunds: refunds.to_vec(), ..payment(status) }
}

fn confirm() -> Event {
    Event::Confirm { key: Key::Same, amount: TOTAL, in_time: true, is_leased: false }
}

fn first_confirm() -> Event {
    Event::Confirm { key: Key::First, amount: TOTAL, in_time: true, is_leased: false }
}

fn answered(answer: ConfirmAnswer) -> Event {
    Event::ConfirmAnswered { answer, is_repeat: false, for_command: true }
}

fn seen(asked: Asked, seen: Seen) -> Event {
    Event::Seen { asked, seen, in_time: true, session_over: false, fresh: fresh() }
}

fn cancel(number: u128) -> Event {
    Event::Cancel { refund: id(number), amount: TOTAL, is_leased: false }
}

fn cancel_answered(answer: CancelAnswer) -> Event {
    Event::CancelAnswered { refund: id(1), answer, fresh: fresh() }
}

fn approved() -> Effect {
    Effect::ConfirmResult(ConfirmResult::Final(Verdict::Approved))
}

fn rejected(reason: Reason) -> Effect {
    Effect::ConfirmResult(ConfirmResult::Final(Verdict::Rejected(reason)))
}

const PENDING: Effect = Effect::ConfirmResult(ConfirmResult::Pending);

fn told(number: u128, result: CancelResult) -> Effect {
    Effect::CancelResult(id(number), result)
}

/// Rows, state, effects and what comes next, all at once.
#[track_caller]
fn check(
    before: &Payment,
    event: Event,
    rows: &[Row],
    status: Status,
    effects: &[Effect],
    next: Next,
) -> Payment {
    let Decision { rows: found, payment, effects: done, next: then } = decide(before, event);
    assert_eq!((found.as_slice(), payment.status), (rows, status), "{before:?} {event:?}");
    assert_eq!((done.as_slice(), then), (effects, next), "{before:?} {event:?}");
    payment
}

/// The default rule.
#[track_caller]
fn check_unchanged(before: &Payment, event: Event) {
    let decision = decide(before, event);
    assert_eq!(decision, Decision::unchanged(before), "{event:?}");
}
