//! What happens because time passes: T05, T07, T14, T27. Timers ask; they do not guess (4.9.5).

use ::reservation::machine::{Event, Status};
use jiff::Timestamp;
use service::clock::after;
use service::stored::{instant, read_code};

use super::change::{Change, Known};
use super::{Failure, Saga};
use crate::store::due::{self, DueRow};
use crate::store::record::Record;

impl Saga {
    /// Does what the time of a reservation has come for.
    pub(crate) async fn come_due(&self, row: &DueRow) -> Result<(), Failure> {
        let status: Status = read_code(&row.status)?;
        let wait = match status {
            Status::Requested | Status::PendingPayment => self.timing.step_lease,
            Status::Approving => self.timing.result_timeout,
            Status::Confirming
            | Status::Confirmed
            | Status::Cancelling
            | Status::Cancelled
            | Status::Compensating
            | Status::Failed
            | Status::Expired => self.timing.refund_recheck,
        };
        let next = instant(after(self.clock.now(), wait));
        if !due::put_off(self.database.pool(), row, &next).await? {
            return Ok(());
        }
        match status {
            Status::Requested => self.run_out(row, Event::CreateTimedOut).await,
            Status::PendingPayment => self.run_out(row, Event::HoldRanOut).await,
            Status::Approving
            | Status::Confirming
            | Status::Confirmed
            | Status::Cancelling
            | Status::Cancelled
            | Status::Compensating
            | Status::Failed
            | Status::Expired => self.ask_payment(&row.reservation_id).await,
        }
    }

    /// T05, T07
    async fn run_out(&self, row: &DueRow, event: Event) -> Result<(), Failure> {
        let status = row.status.clone();
        let event = move |record: &Record, now: Timestamp| {
            let is_made = record.is_being_made(&instant(now));
            let is_same = record.shown.status == status;
            Ok((is_same && !is_made).then_some(event))
        };
        let change = Change {
            reservation_id: &row.reservation_id,
            event: &event,
            found: None,
            known: Known::default(),
        };
        match self.change(change).await {
            Ok(_) => {
                self.work.notify_one();
                Ok(())
            }
            // Somebody works on it, or it has gone on.
            Err(Failure::Past) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}
