//! What payment does, and what the payment gateway answers to it. A process may die wherever it
//! waits for an answer.

use payment::machine::{
    Asked, CancelAnswer, CancelResult, ConfirmAnswer, ConfirmResult, Decision, Effect, Event, Key,
    Next, Payment, Seen, Status, Verdict, decide,
};
use uuid::Uuid;

use crate::world::{Lie, Message, Money, TOTAL, Time, World};

/// More refusals than this change nothing.
const MOST_REFUSALS: u32 = 3;
const OUTSIDE: Uuid = Uuid::from_u128(99);

type Worlds = Vec<World>;

/// A confirm command arrives.
pub(crate) fn confirm(world: &World) -> Worlds {
    let payment = paid(world);
    let key = if payment.status == Status::Ready { Key::First } else { Key::Same };
    let in_time = world.time == Time::Early;
    let event = Event::Confirm { key, amount: TOTAL, in_time, is_leased: false };
    happen(world, event)
}

/// A cancel command arrives.
pub(crate) fn cancel(world: &World, refund: Uuid) -> Worlds {
    happen(world, Event::Cancel { refund, amount: TOTAL, is_leased: false })
}

/// Time passes for payment.
pub(crate) fn timers(world: &World) -> Vec<(&'static str, Worlds)> {
    let Some(payment) = &world.payment else { return Vec::new() };
    let mut moves = Vec::new();
    match payment.status {
        Status::Ready if world.time >= Time::HoldOver => {
            moves.push(("the payment runs out", happen(world, Event::TimeRanOut)));
        }
        Status::InProgress => {
            moves.push(("payment reconciles", happen(world, Event::ReconcileDue)));
        }
        Status::Done | Status::PartialCanceled => {
            if let Some(refund) = payment.open_refund() {
                let event = Event::RefundDue { refund: refund.id };
                moves.push(("payment tries the refund again", happen(world, event)));
            }
        }
        Status::Ready
        | Status::WaitingForDeposit
        | Status::Canceled
        | Status::Aborted
        | Status::Expired => {}
    }
    if world.gateway.is_to_announce {
        let mut told = world.clone();
        told.gateway.is_to_announce = false;
        let answers = seen(&told, Asked::Hint);
        // An answer that was lost is asked for again.
        let heard = answers.into_iter().filter(|to| {
            to.payment.as_ref().is_some_and(|payment| payment.status == Status::Canceled)
        });
        moves.push(("payment hears of a cancel at the console", heard.collect()));
    }
    moves
}

fn paid(world: &World) -> &Payment {
    world.payment.as_ref().expect("a payment that was made")
}

/// Every way in which something that happens to the payment can go on.
fn happen(world: &World, event: Event) -> Worlds {
    let Decision { payment, effects, next, .. } = decide(paid(world), event);
    let mut to = world.clone();
    to.payment = Some(normal(payment));
    for effect in effects {
        match effect {
            Effect::ConfirmResult(ConfirmResult::Final(Verdict::Approved)) => {
                to.send(Message::Approved);
            }
            Effect::ConfirmResult(ConfirmResult::Final(Verdict::Rejected(_))) => {
                to.send(Message::Rejected);
            }
            Effect::CancelResult(id, CancelResult::Cancelled) => to.send(Message::Returned(id)),
            Effect::CancelResult(id, CancelResult::NothingToRefund) => {
                to.send(Message::Nothing(id));
            }
            Effect::CancelResult(id, CancelResult::Rejected) => {
                to.send(Message::RefundRejected(id));
            }
            // A pending result is only noted, whoever gets it.
            Effect::ConfirmResult(ConfirmResult::Pending)
            | Effect::CancelResult(_, CancelResult::Pending)
            | Effect::Publish(_)
            | Effect::AdoptKey
            | Effect::Alert(_) => {}
        }
    }
    match next {
        Next::Rest => vec![to],
        Next::Confirm => asked_to_confirm(&to),
        Next::Query(asked) => seen(&to, asked),
        Next::Cancel(refund) => asked_to_cancel(&to, refund),
    }
}

/// The number of refusals only has to be told apart from none.
fn normal(mut payment: Payment) -> Payment {
    for refund in &mut payment.refunds {
        refund.n = refund.n.min(MOST_REFUSALS);
    }
    payment
}

fn asked_to_confirm(world: &World) -> Worlds {
    let died = world.clone();
    let mut worlds = vec![died];
    let gateway = world.gateway;
    let is_repeat = gateway.is_confirm_under_way || paid(world).in_doubt;
    let answered = |world: &World, answer| {
        let answer = match (world.lie, answer) {
            (Some(Lie::TimeoutIsRefusal), ConfirmAnswer::Unknown) => ConfirmAnswer::Refused,
            (_, answer) => answer,
        };
        let is_lie = world.lie == Some(Lie::TimeoutIsRefusal);
        let is_repeat = is_repeat && !is_lie;
        happen(world, Event::ConfirmAnswered { answer, is_repeat, for_command: true })
    };
    if world.time < Time::SessionOver && !gateway.has_refused {
        let mut taken = world.clone();
        charge(&mut taken);
        worlds.push(taken.clone());
        worlds.extend(answered(&taken, ConfirmAnswer::Done));
        worlds.extend(answered(&taken, ConfirmAnswer::LookUp));
        worlds.extend(answered(&taken, ConfirmAnswer::Unknown));
        let mut late = world.clone();
        late.gateway.is_confirm_under_way = gateway.status == Money::AtTheBooker;
        worlds.extend(answered(&late, ConfirmAnswer::Unknown));
    }
    if gateway.status == Money::AtTheBooker {
        let mut refused = world.clone();
        refused.gateway.has_refused = true;
        worlds.push(refused.clone());
        worlds.extend(answered(&refused, ConfirmAnswer::Refused));
        worlds.extend(answered(&refused, ConfirmAnswer::Unknown));
    }
    worlds.extend(answered(world, ConfirmAnswer::Unknown));
    worlds.extend(answered(world, ConfirmAnswer::LookUp));
    worlds
}

/// The money is taken, once under a key.
pub(crate) fn charge(world: &mut World) {
    if world.gateway.status == Money::AtTheBooker && !world.gateway.has_refused {
        world.gateway.status = Money::Taken;
        world.gateway.charges += 1;
    }
}

fn seen(world: &World, asked: Asked) -> Worlds {
    let session_over = world.time == Time::SessionOver;
    let truth: &[Seen] = match world.gateway.status {
        Money::AtTheBooker if world.gateway.has_refused => &[Seen::Open, Seen::Aborted],
        Money::AtTheBooker if session_over => &[Seen::Open, Seen::Expired],
        Money::AtTheBooker => &[Seen::Open],
        Money::Taken => &[Seen::Done],
        Money::Returned => &[Seen::Returned],
    };
    let in_time = world.time == Time::Early;
    let session_over = session_over || world.lie == Some(Lie::AbortsEarly);
    let died = world.clone();
    let mut worlds = vec![died];
    for seen in truth.iter().copied().chain([Seen::NoAnswer]) {
        let event = Event::Seen { asked, seen, in_time, session_over, fresh: OUTSIDE };
        worlds.extend(happen(world, event));
    }
    worlds
}

fn asked_to_cancel(world: &World, refund: Uuid) -> Worlds {
    let answered = |world: &World, answer| {
        happen(world, Event::CancelAnswered { refund, answer, fresh: OUTSIDE })
    };
    let died = world.clone();
    let mut worlds = vec![died];
    worlds.extend(answered(world, CancelAnswer::Unknown));
    if world.gateway.status == Money::Taken {
        let mut returned = world.clone();
        returned.gateway.status = Money::Returned;
        worlds.push(returned.clone());
        worlds.extend(answered(&returned, CancelAnswer::Unknown));
        worlds.extend(answered(&returned, CancelAnswer::Returned { balance: 0 }));
        worlds.extend(refused(world, refund));
    } else {
        // The key's first answer, or that there is nothing left.
        worlds.extend(answered(world, CancelAnswer::Returned { balance: 0 }));
        worlds.extend(answered(world, CancelAnswer::Refused));
    }
    worlds
}

/// The payment gateway refuses only so often.
fn refused(world: &World, refund: Uuid) -> Worlds {
    let n = paid(world).refund(refund).map_or(0, |refund| refund.n);
    if n >= MOST_REFUSALS {
        return Vec::new();
    }
    let answer = CancelAnswer::Refused;
    happen(world, Event::CancelAnswered { refund, answer, fresh: OUTSIDE })
}
