//! Carries out steps, each under its lease (4.9.2): whoever stalls or dies is overtaken when the
//! lease is over, and what it writes then is refused.

use ::reservation::machine::{Event, Status, Step};
use std::time::Duration;

use jiff::Timestamp;
use service::clock::after;
use service::code::Code;
use service::stored::instant;
use service::timing::delay;
use sqlx::AnyConnection;
use tokio::time::sleep;

use super::change::{Actor, Change, Changed, Happening, Known};
use super::letters::refund_amount;
use super::{Failure, Saga, new_owner};
use crate::cms::bookings::{Booking, BookingError};
use crate::store::history;
use crate::store::record::{self, Record};
use crate::store::steps::{self, Claim, Kind, StepRow};

/// What the CMS is told when nights are given back.
const WITHDRAWN: &str = "withdrawn by the reservation service";

/// What became of one attempt at a step.
enum Attempt {
    /// It is done, or not needed any more.
    Done(Box<Changed>),
    /// It has to be tried again.
    Again(String),
}

/// A step that was taken, and what is known of its reservation.
struct Taken {
    row: StepRow,
    owner: String,
    record: Record,
}

impl Taken {
    fn claim(&self) -> Claim<'_> {
        Claim { id: &self.row.id, owner: &self.owner }
    }
}

impl Saga {
    /// Carries out what is open for a reservation, the first step first, until nothing is, or
    /// something has to be left for later. A step is tried `in_place` times more before that.
    pub(crate) async fn carry_out(
        &self,
        reservation_id: &str,
        in_place: bool,
    ) -> Result<(), Failure> {
        let mut next = self.take_first(reservation_id).await?;
        while let Some(mut step) = next {
            let Some(changed) = self.try_step(&mut step, in_place).await? else { break };
            let Changed { record, next: row, .. } = changed;
            next = row.map(|row| Taken { row, owner: step.owner, record });
        }
        Ok(())
    }

    async fn take_first(&self, reservation_id: &str) -> Result<Option<Taken>, Failure> {
        let owner = new_owner();
        let mut connection = self.database.pool().acquire().await?;
        let row = self.take_step(&mut connection, reservation_id, &owner).await?;
        let Some(row) = row else { return Ok(None) };
        let record = load(&mut connection, reservation_id).await?;
        Ok(Some(Taken { row, owner, record }))
    }

    /// Takes the first open step of a reservation.
    pub(super) async fn take_step(
        &self,
        connection: &mut AnyConnection,
        reservation_id: &str,
        owner: &str,
    ) -> Result<Option<StepRow>, sqlx::Error> {
        let now = self.clock.now();
        let times = (instant(now), instant(self.lease_end(now)));
        steps::take_first(connection, reservation_id, owner, (&times.0, &times.1)).await
    }

    /// The change that ended the step; nothing when it is left to others, or for later.
    async fn try_step(&self, step: &mut Taken, in_place: bool) -> Result<Option<Changed>, Failure> {
        let pauses = if in_place { self.timing.step_retry.as_slice() } else { &[] };
        let mut pauses = pauses.iter();
        loop {
            let error = match self.attempt(step).await {
                Ok(Attempt::Done(changed)) => return Ok(Some(*changed)),
                Ok(Attempt::Again(error)) => error,
                // Somebody else has done it, or there is nothing to be done.
                Err(Failure::Leased | Failure::Past) => return Ok(None),
                Err(failure) => {
                    let wait = delay(&self.timing.step_retry, 0);
                    self.put_off(step, wait, &failure.to_string()).await?;
                    return Err(failure);
                }
            };
            tracing::warn!(
                reservation_id = step.record.key(),
                step = step.row.kind,
                error,
                "a step has to be taken again"
            );
            let Some(pause) = pauses.next() else {
                let attempts = usize::try_from(step.row.attempts).unwrap_or(usize::MAX);
                let wait = delay(&self.timing.step_retry_later, attempts);
                self.put_off(step, wait, &error).await?;
                return Ok(None);
            };
            #[expect(clippy::disallowed_methods, reason = "a back-off")]
            sleep(*pause).await;
            let until = instant(self.lease_end(self.clock.now()));
            let mut connection = self.database.pool().acquire().await?;
            if !steps::keep(&mut connection, step.claim(), &until).await? {
                return Ok(None);
            }
            // It may have been cancelled meanwhile.
            step.record = load(&mut connection, step.record.key()).await?;
        }
    }

    /// Leaves a step for later.
    async fn put_off(&self, step: &Taken, wait: Duration, error: &str) -> Result<(), sqlx::Error> {
        let next = instant(after(self.clock.now(), wait));
        steps::put_off(self.database.pool(), step.claim(), &next, error).await
    }

    async fn attempt(&self, step: &Taken) -> Result<Attempt, Failure> {
        match step.row.kind()? {
            Kind::ApplyResult => {
                let changed = self.apply_kept(&step.row.content, step.claim()).await?;
                Ok(Attempt::Done(Box::new(changed)))
            }
            Kind::ReleaseRoom => self.release(step).await,
            Kind::CmsApprove => self.book(step, Step::CmsApprove).await,
            Kind::CmsPaymentComplete => self.book(step, Step::CmsPaymentComplete).await,
        }
    }

    async fn release(&self, step: &Taken) -> Result<Attempt, Failure> {
        let record = &step.record;
        let expired = record.shown.status == Status::Expired.code();
        let (reason, code) = match record.cancel_reason.as_deref() {
            _ if expired => (WITHDRAWN, "EXPIRED"),
            Some(reason) if !reason.is_empty() => (reason, "CUSTOMER"),
            Some(_) | None if record.shown.cancel_requested_at.is_some() => (WITHDRAWN, "CUSTOMER"),
            Some(_) | None => (WITHDRAWN, "WITHDRAW"),
        };
        self.crash.pass("reservation.step.before_call");
        let answer = self.cms.cancel(record.key(), reason, code).await;
        self.crash.pass("reservation.step.after_call");
        match answer {
            Ok(booking @ (Booking::Cancelled | Booking::Expired)) => {
                let had_expired = booking == Booking::Expired;
                self.done(step, Step::ReleaseRoom { had_expired }).await
            }
            Ok(booking) => Ok(Attempt::Again(format!("the CMS says {booking:?} to a cancel"))),
            Err(error) => Ok(Attempt::Again(error.to_string())),
        }
    }

    async fn book(&self, step: &Taken, wanted: Step) -> Result<Attempt, Failure> {
        if step.record.shown.cancel_requested_at.is_some() {
            let event = |_: &Record, _: Timestamp| Ok(Some(Event::StepBegins));
            return self.end(step, &event, Known::default()).await;
        }
        self.crash.pass("reservation.step.before_call");
        let answer = match wanted {
            Step::CmsPaymentComplete => self.complete(&step.record).await,
            Step::CmsApprove | Step::ReleaseRoom { .. } => {
                self.cms.approve(step.record.key()).await
            }
        };
        self.crash.pass("reservation.step.after_call");
        match answer {
            Ok(()) => self.done(step, wanted).await,
            Err(error) => self.look_up(step, wanted, error).await,
        }
    }

    async fn complete(&self, record: &Record) -> Result<(), BookingError> {
        let shown = &record.shown;
        let payment = shown.payment_id.as_deref().unwrap_or_default();
        let paid_at = shown.payment_approved_at.as_deref().or(record.charged_at.as_deref());
        let paid_at = paid_at.unwrap_or(&shown.updated_at);
        self.cms.complete(record.key(), payment, shown.total_amount, paid_at).await
    }

    /// what the CMS knows decides; its silence decides nothing.
    async fn look_up(
        &self,
        step: &Taken,
        wanted: Step,
        error: BookingError,
    ) -> Result<Attempt, Failure> {
        let record = &step.record;
        let is_definite = |code: &str| {
            let refusals: &[&str] = match wanted {
                Step::CmsPaymentComplete => &["RESERVATION_NOT_FOUND", "AMOUNT_MISMATCH"],
                Step::CmsApprove | Step::ReleaseRoom { .. } => {
                    &["RESERVATION_NOT_FOUND", "HOLD_EXPIRED", "RESERVATION_CANCELLED"]
                }
            };
            refusals.contains(&code)
        };
        let told = error.to_string();
        if let BookingError::Refused { code, detail } = &error
            && is_definite(code)
        {
            return self.give_up(step, (code, detail)).await;
        }
        let is_late = record.confirm_deadline()?.is_some_and(|end| end <= self.clock.now());
        let booking = match self.cms.look_up(record.key()).await {
            Ok(booking) => booking,
            Err(error) => {
                if is_late {
                    self.alert_silence(record).await?;
                }
                return Ok(Attempt::Again(format!("{told}; {error}")));
            }
        };
        match (booking, wanted) {
            (Some(Booking::Paid), _) | (Some(Booking::Approved), Step::CmsApprove) => {
                self.done(step, wanted).await
            }
            (Some(Booking::Approved), _) => {
                if is_late {
                    self.alert_silence(record).await?;
                }
                Ok(Attempt::Again(told))
            }
            (Some(Booking::Held), _) if !is_late => Ok(Attempt::Again(told)),
            // Approve says so itself, and until the deadline it has the last word.
            (Some(Booking::Cancelled | Booking::Expired) | None, Step::CmsApprove) if !is_late => {
                Ok(Attempt::Again(told))
            }
            (Some(Booking::Held | Booking::Cancelled | Booking::Expired) | None, _) => {
                let known = format!("the CMS knows it as {booking:?}");
                self.give_up(step, ("NOT_BOOKED", &known)).await
            }
        }
    }

    /// T16
    async fn give_up(&self, step: &Taken, refusal: (&str, &str)) -> Result<Attempt, Failure> {
        let known = Known { actor: Actor::Cms, refusal: Some(refusal), ..Known::default() };
        let event = |_: &Record, _: Timestamp| Ok(Some(Event::BookingImpossible));
        self.end(step, &event, known).await
    }

    async fn done(&self, step: &Taken, done: Step) -> Result<Attempt, Failure> {
        let event = |record: &Record, _: Timestamp| {
            let is_refundable = refund_amount(record) > 0;
            Ok(Some(Event::StepDone { step: done, is_refundable }))
        };
        let known = Known { actor: Actor::Cms, ..Known::default() };
        let ended = self.end(step, &event, known).await?;
        if done == Step::CmsApprove {
            self.crash.pass("reservation.step.between");
        }
        Ok(ended)
    }

    /// Brings a step to its end by what it means for its reservation.
    async fn end(
        &self,
        step: &Taken,
        event: &Happening<'_>,
        known: Known<'_>,
    ) -> Result<Attempt, Failure> {
        let known = Known { step: Some(step.claim()), ..known };
        let found = Some(Box::new(step.record.clone()));
        let change = Change { reservation_id: step.record.key(), event, found, known };
        Ok(Attempt::Done(Box::new(self.change(change).await?)))
    }

    /// the CMS says nothing beyond the deadline, and somebody should know.
    async fn alert_silence(&self, record: &Record) -> Result<(), Failure> {
        let mut transaction = self.database.write().await?;
        let alert = ("CMS_SILENT", "the CMS does not fix a paid booking beyond the deadline");
        let now = instant(self.clock.now());
        history::alert(&mut transaction, record.key(), alert, &now).await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn load(connection: &mut AnyConnection, reservation_id: &str) -> Result<Record, Failure> {
    record::load(connection, reservation_id).await?.ok_or(Failure::Unknown)
}
