//! Carries out steps, each under its lease (4.9.2): whoever stalls or dies is overtaken when the
//! lease is over, and what it writes then is refused.

use ::reservation::machine::{Event, Status, Step};
use jiff::Timestamp;
use service::clock::after;
use service::code::Code;
use service::stored::instant;
use service::timing::delay;
use tokio::time::sleep;

use super::change::{Actor, Change, Happening, Known};
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
    Done,
    /// It has to be tried again.
    Again(String),
}

impl Saga {
    /// Carries out what is open for a reservation, the first step first, until nothing is, or
    /// something has to be left for later. A step is tried `in_place` times more before that.
    pub(crate) async fn carry_out(
        &self,
        reservation_id: &str,
        in_place: bool,
    ) -> Result<(), Failure> {
        while let Some(step) = steps::first_open(self.database.pool(), reservation_id).await? {
            let owner = new_owner();
            let claim = Claim { id: &step.id, owner: &owner };
            if !self.try_step(&step, claim, in_place).await? {
                break;
            }
        }
        Ok(())
    }

    /// Whether the step is done.
    async fn try_step(
        &self,
        step: &StepRow,
        claim: Claim<'_>,
        in_place: bool,
    ) -> Result<bool, Failure> {
        let pauses = if in_place { self.timing.step_retry.as_slice() } else { &[] };
        let mut pauses = pauses.iter();
        loop {
            let now = self.clock.now();
            let times = (instant(now), instant(self.lease_end(now)));
            if !steps::take(self.database.pool(), claim, (&times.0, &times.1)).await? {
                return Ok(false);
            }
            let error = match self.attempt(step, claim).await {
                Ok(Attempt::Done) => return Ok(true),
                Ok(Attempt::Again(error)) => error,
                // Somebody else has done it, or there is nothing to be done.
                Err(Failure::Leased | Failure::Past) => return Ok(false),
                Err(failure) => {
                    let next = instant(after(now, delay(&self.timing.step_retry, 0)));
                    let told = failure.to_string();
                    steps::put_off(self.database.pool(), claim, &next, &told).await?;
                    return Err(failure);
                }
            };
            tracing::warn!(
                reservation_id = step.reservation_id,
                step = step.kind,
                error,
                "a step has to be taken again"
            );
            let Some(pause) = pauses.next() else {
                let attempts = usize::try_from(step.attempts).unwrap_or(usize::MAX);
                let wait = delay(&self.timing.step_retry_later, attempts);
                let next = instant(after(self.clock.now(), wait));
                steps::put_off(self.database.pool(), claim, &next, &error).await?;
                return Ok(false);
            };
            #[expect(clippy::disallowed_methods, reason = "a back-off")]
            sleep(*pause).await;
        }
    }

    async fn attempt(&self, step: &StepRow, claim: Claim<'_>) -> Result<Attempt, Failure> {
        match step.kind()? {
            Kind::ApplyResult => {
                self.apply_kept(&step.content, claim).await?;
                Ok(Attempt::Done)
            }
            Kind::ReleaseRoom => self.release(step, claim).await,
            Kind::CmsApprove => self.book(step, Step::CmsApprove, claim).await,
            Kind::CmsPaymentComplete => self.book(step, Step::CmsPaymentComplete, claim).await,
        }
    }

    async fn load(&self, reservation_id: &str) -> Result<Record, Failure> {
        let mut connection = self.database.pool().acquire().await?;
        let found = record::load(&mut connection, reservation_id).await?;
        found.ok_or(Failure::Unknown)
    }

    async fn release(&self, step: &StepRow, claim: Claim<'_>) -> Result<Attempt, Failure> {
        let record = self.load(&step.reservation_id).await?;
        let expired = record.shown.status == Status::Expired.code();
        let (reason, code) = match record.cancel_reason.as_deref() {
            _ if expired => (WITHDRAWN, "EXPIRED"),
            Some(reason) if !reason.is_empty() => (reason, "CUSTOMER"),
            Some(_) | None if record.shown.cancel_requested_at.is_some() => (WITHDRAWN, "CUSTOMER"),
            Some(_) | None => (WITHDRAWN, "WITHDRAW"),
        };
        self.crash.pass("reservation.step.before_call");
        let answer = self.cms.cancel(&step.reservation_id, reason, code).await;
        self.crash.pass("reservation.step.after_call");
        match answer {
            Ok(booking @ (Booking::Cancelled | Booking::Expired)) => {
                let had_expired = booking == Booking::Expired;
                self.done(step, claim, Step::ReleaseRoom { had_expired }).await
            }
            Ok(booking) => Ok(Attempt::Again(format!("the CMS says {booking:?} to a cancel"))),
            Err(error) => Ok(Attempt::Again(error.to_string())),
        }
    }

    async fn book(
        &self,
        step: &StepRow,
        wanted: Step,
        claim: Claim<'_>,
    ) -> Result<Attempt, Failure> {
        let record = self.load(&step.reservation_id).await?;
        if record.shown.cancel_requested_at.is_some() {
            let event = |_: &Record, _: Timestamp| Ok(Some(Event::StepBegins));
            let known = Known { step: Some(claim), ..Known::default() };
            return self.end(step, &event, known).await;
        }
        self.crash.pass("reservation.step.before_call");
        let answer = match wanted {
            Step::CmsPaymentComplete => self.complete(&record).await,
            Step::CmsApprove | Step::ReleaseRoom { .. } => {
                self.cms.approve(&step.reservation_id).await
            }
        };
        self.crash.pass("reservation.step.after_call");
        match answer {
            Ok(()) => self.done(step, claim, wanted).await,
            Err(error) => self.look_up(step, claim, (&record, wanted, error)).await,
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
        step: &StepRow,
        claim: Claim<'_>,
        (record, wanted, error): (&Record, Step, BookingError),
    ) -> Result<Attempt, Failure> {
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
            return self.give_up(step, claim, (code, detail)).await;
        }
        let is_late = record.confirm_deadline()?.is_some_and(|end| end <= self.clock.now());
        let booking = match self.cms.look_up(&step.reservation_id).await {
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
                self.done(step, claim, wanted).await
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
                self.give_up(step, claim, ("NOT_BOOKED", &known)).await
            }
        }
    }

    /// T16
    async fn give_up(
        &self,
        step: &StepRow,
        claim: Claim<'_>,
        refusal: (&str, &str),
    ) -> Result<Attempt, Failure> {
        let known = Known {
            actor: Actor::Cms,
            step: Some(claim),
            refusal: Some(refusal),
            ..Known::default()
        };
        let event = |_: &Record, _: Timestamp| Ok(Some(Event::BookingImpossible));
        self.end(step, &event, known).await
    }

    async fn done(&self, step: &StepRow, claim: Claim<'_>, done: Step) -> Result<Attempt, Failure> {
        let event = |record: &Record, _: Timestamp| {
            let is_refundable = refund_amount(record) > 0;
            Ok(Some(Event::StepDone { step: done, is_refundable }))
        };
        let known = Known { actor: Actor::Cms, step: Some(claim), ..Known::default() };
        let ended = self.end(step, &event, known).await?;
        if done == Step::CmsApprove {
            self.crash.pass("reservation.step.between");
        }
        Ok(ended)
    }

    /// Brings a step to its end by what it means for its reservation.
    async fn end(
        &self,
        step: &StepRow,
        event: &Happening<'_>,
        known: Known<'_>,
    ) -> Result<Attempt, Failure> {
        self.change(Change { reservation_id: &step.reservation_id, event, known }).await?;
        Ok(Attempt::Done)
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
