//! Everything that can happen next.

use cms::hold::{self, Call, Outcome};
use payment::machine as pay;
use reservation::machine::{Approval, Effect, Event, Seen, Status, Step, Verdict, decide};

use crate::payment_moves;
use crate::world::{Create, Message, Money, Steps, TOTAL, Time, World};

type Move = (&'static str, World);

/// Every world that this one can turn into, and how.
pub(crate) fn all(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    moves.extend(time(world));
    moves.extend(create(world));
    moves.extend(booker(world));
    moves.extend(operator(world));
    moves.extend(outside(world));
    moves.extend(timers(world));
    moves.extend(messages(world));
    moves.extend(steps(world));
    moves.extend(late(world));
    for (how, worlds) in payment_moves::timers(world) {
        moves.extend(worlds.into_iter().map(|to| (how, to)));
    }
    moves.retain(|(_, to)| to != world);
    moves
}

/// Something happens to the reservation; nothing when it changes nothing at all.
fn happen(world: &World, event: Event) -> World {
    let mut to = world.clone();
    let decision = decide(&world.reservation, event);
    if let Verdict::Refused(_) = decision.verdict {
        return to;
    }
    to.reservation = decision.reservation;
    if to.reservation.status != Status::Requested {
        to.create = Create::Over;
    }
    for effect in decision.effects {
        match effect {
            Effect::OpenBookingSteps => {
                to.steps = Steps { approve: true, complete: true, release: false };
            }
            Effect::Release => to.steps = Steps { release: true, ..Steps::default() },
            Effect::Refund(_) => {
                to.refunds += 1;
                let id = to.refund_id();
                to.send(Message::Cancel(id));
            }
            Effect::RepeatRefund => {
                let id = to.refund_id();
                to.send(Message::Cancel(id));
            }
            Effect::RequestConfirm => {
                to.has_key = true;
                to.send(Message::Confirm);
            }
            Effect::AdoptKey => to.has_key = true,
            Effect::KeepResult
            | Effect::Wake
            | Effect::FreeKey
            | Effect::Publish(_)
            | Effect::Alert(_) => {}
        }
    }
    to
}

fn time(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    let next = match world.time {
        Time::Early => Time::TooLateToConfirm,
        Time::TooLateToConfirm => Time::HoldOver,
        Time::HoldOver | Time::SessionOver => Time::SessionOver,
    };
    let mut later = world.clone();
    later.time = next;
    if next == Time::SessionOver {
        // Whatever has not landed by now never will.
        later.gateway.is_confirm_under_way = false;
    }
    moves.push(("time passes", later));
    if world.time >= Time::HoldOver
        && let Some(to) = call(world, Call::Deadline).0
    {
        moves.push(("the CMS lets the hold go", to));
    }
    moves
}

/// The CMS deals with a call: how it stands then, and what it answers.
fn call(world: &World, call: Call) -> (Option<World>, Outcome) {
    let outcome = hold::decide(world.cms, call);
    // Approve looks at the deadline itself.
    let is_expired = world.time >= Time::HoldOver
        && world.cms == Some(hold::Status::Held)
        && call == Call::Approve;
    let outcome = if is_expired { Outcome::Refused(hold::Refusal::HoldExpired) } else { outcome };
    let to = match outcome {
        Outcome::Becomes(status) => {
            let mut to = world.clone();
            to.cms = Some(status);
            Some(to)
        }
        Outcome::Stays | Outcome::Refused(_) => None,
    };
    (to, outcome)
}

fn create(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    match world.create {
        Create::Asking => {
            let (to, outcome) = call(world, Call::Reserve { is_same: true });
            let mut held = to.unwrap_or_else(|| world.clone());
            match outcome {
                Outcome::Becomes(_) | Outcome::Stays => {
                    moves.push(("the answer to the hold is lost", held.clone()));
                    held.create = Create::Held;
                    moves.push(("the nights are held", held));
                }
                Outcome::Refused(_) => {
                    moves.push(("the CMS refuses the hold", happen(world, Event::HoldRefused)));
                }
            }
            if world.cms.is_none() {
                let mut late = world.clone();
                late.late.reserve = true;
                moves.push(("the call for the hold is lost", late));
                moves.push(("the CMS refuses the hold", happen(world, Event::HoldRefused)));
            }
        }
        Create::Held => {
            let mut made = world.clone();
            made.payment.get_or_insert_with(|| pay::create(TOTAL).payment);
            moves.push(("the payment is made", {
                happen(&made, Event::Created { is_hold_over: world.time >= Time::HoldOver })
            }));
            moves.push(("the answer to the payment is lost", {
                happen(&made, Event::PaymentNotCreated)
            }));
            moves.push(("payment is away", happen(world, Event::PaymentNotCreated)));
        }
        Create::Over => {}
    }
    if world.create != Create::Over {
        let mut died = world.clone();
        died.create = Create::Asking;
        moves.push(("whoever makes it dies", died));
        moves.push(("it takes too long", happen(world, Event::CreateTimedOut)));
    }
    moves
}

fn booker(world: &World) -> Vec<Move> {
    let approval = Approval {
        is_our_payment: true,
        is_our_amount: true,
        is_known_key: world.has_key,
        is_hold_long: world.time == Time::Early,
    };
    let approved = happen(world, Event::Approve(approval));
    let cancelled = happen(world, Event::Cancel { is_in_window: true });
    vec![("the booker approves", approved), ("the booker cancels", cancelled)]
}

fn operator(world: &World) -> Vec<Move> {
    vec![("an operator gives it up", happen(world, Event::Compensate))]
}

fn outside(world: &World) -> Vec<Move> {
    if world.was_cancelled_outside || world.gateway.status != Money::Taken {
        return Vec::new();
    }
    let mut to = world.clone();
    to.was_cancelled_outside = true;
    to.gateway.status = Money::Returned;
    to.gateway.is_to_announce = true;
    vec![("somebody cancels at the console", to)]
}

fn timers(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    if world.time >= Time::HoldOver {
        moves.push(("nobody has paid", happen(world, Event::HoldRanOut)));
    }
    let is_asking = world.reservation.status == Status::Approving
        || matches!(
            world.reservation.refund,
            reservation::machine::RefundStatus::Requested
                | reservation::machine::RefundStatus::Failed
        );
    if is_asking {
        let seen = match world.payment.as_ref().map(|payment| payment.status) {
            None => Seen::NotFound,
            Some(pay::Status::Done | pay::Status::PartialCanceled) => {
                Seen::Charged { is_ours: true }
            }
            Some(pay::Status::Aborted | pay::Status::Expired) => Seen::Refused,
            Some(pay::Status::Canceled) => Seen::Returned,
            Some(pay::Status::Ready | pay::Status::InProgress | pay::Status::WaitingForDeposit) => {
                Seen::Open
            }
        };
        moves.push(("payment is asked", happen(world, Event::Seen(seen))));
    }
    moves
}

fn messages(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    for (message, is_received) in &world.sent {
        let mut taken = world.clone();
        taken.sent.remove(&(*message, *is_received));
        // The same message may come once more.
        let mut again = taken.clone();
        if !is_received {
            again.sent.insert((*message, true));
        }
        for to in receive(&taken, *message) {
            moves.push(("a message arrives", to));
        }
        if !is_received {
            for to in receive(&again, *message) {
                moves.push(("a message arrives that will come again", to));
            }
        }
    }
    if world.reservation.status != Status::Requested {
        for message in &world.kept {
            let mut taken = world.clone();
            taken.kept.remove(message);
            moves.extend(receive(&taken, *message).into_iter().map(|to| ("a kept result", to)));
        }
    }
    moves
}

fn receive(world: &World, message: Message) -> Vec<World> {
    let is_ours = |id| id == world.refund_id() && world.refunds > 0;
    let event = match message {
        Message::Confirm => return payment_moves::confirm(world),
        Message::Cancel(refund) => return payment_moves::cancel(world, refund),
        Message::Approved => Event::Approved { is_ours: true },
        Message::Rejected => Event::Rejected { is_our_key: world.has_key },
        Message::Returned(id) => Event::Returned { is_ours: is_ours(id), is_all: true },
        Message::Nothing(id) => Event::NothingToRefund { is_ours: is_ours(id) },
        Message::RefundRejected(id) => Event::RefundRejected { is_ours: is_ours(id) },
    };
    let mut to = happen(world, event);
    if world.reservation.status == Status::Requested {
        to.kept.insert(message);
    }
    vec![to]
}

fn steps(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    let steps = world.steps;
    if steps.approve || steps.complete {
        moves.push(("a step sees the cancel", happen(world, Event::StepBegins)));
        if !matches!(world.cms, Some(hold::Status::Approved | hold::Status::Paid)) {
            let gone = happen(world, Event::BookingImpossible);
            moves.push(("the CMS has not booked by the deadline", gone));
        }
    }
    if steps.approve {
        moves.extend(step(world, Call::Approve, Step::CmsApprove));
        let mut late = world.clone();
        late.late.approve = true;
        moves.push(("the call for the booking is lost", late));
    } else if steps.complete {
        moves.extend(step(world, Call::Complete { is_amount: true }, Step::CmsPaymentComplete));
    } else if steps.release {
        let had_expired = world.cms == Some(hold::Status::Expired);
        moves.extend(step(world, Call::Cancel, Step::ReleaseRoom { had_expired }));
    }
    moves
}

fn step(world: &World, made: Call, step: Step) -> Vec<Move> {
    let (to, outcome) = call(world, made);
    let to = to.unwrap_or_else(|| world.clone());
    match outcome {
        Outcome::Becomes(_) | Outcome::Stays => {
            let mut done = happen(&to, Event::StepDone { step, is_refundable: true });
            match step {
                Step::CmsApprove => done.steps.approve = false,
                Step::CmsPaymentComplete => done.steps.complete = false,
                Step::ReleaseRoom { .. } => done.steps.release = false,
            }
            vec![("the answer to a step is lost", to), ("a step is done", done)]
        }
        Outcome::Refused(_) => {
            vec![("the CMS refuses a step", happen(world, Event::BookingImpossible))]
        }
    }
}

/// Calls that nobody waits for any more.
fn late(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    if world.late.reserve {
        let mut landed =
            call(world, Call::Reserve { is_same: true }).0.unwrap_or_else(|| world.clone());
        landed.late.reserve = false;
        moves.push(("a lost hold lands", landed));
        let mut never = world.clone();
        never.late.reserve = false;
        moves.push(("a lost hold never lands", never));
    }
    if world.late.approve {
        let mut landed = call(world, Call::Approve).0.unwrap_or_else(|| world.clone());
        landed.late.approve = false;
        moves.push(("a lost approval lands", landed));
    }
    if world.gateway.is_confirm_under_way {
        let mut landed = world.clone();
        landed.gateway.is_confirm_under_way = false;
        payment_moves::charge(&mut landed);
        moves.push(("a lost confirm lands", landed));
        let mut never = world.clone();
        never.gateway.is_confirm_under_way = false;
        moves.push(("a lost confirm never lands", never));
    }
    moves
}
