//! Results of the payment service, in the order of C2: the inbox, the change, its messages, the
//! steps, and only then the offset.

use messaging::consumer::{Cause, Handler, Received, Trouble};
use messaging::inbox;
use messaging::payload::{PaymentCancelResult, PaymentConfirmResult};
use messaging::topic::Topic;
use uuid::Uuid;

use crate::saga::{Failure, Message, Saga, Said};

/// What became of taking money (KF-03).
#[derive(Debug, Clone)]
pub(crate) struct PaymentResults(pub(crate) Saga);

/// What became of returning it.
#[derive(Debug, Clone)]
pub(crate) struct RefundResults(pub(crate) Saga);

impl Handler for PaymentResults {
    const GROUP: &'static str = "reservation.payment-result";
    const TOPICS: &'static [Topic] = &[Topic::PaymentConfirmResponse];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        let said = Said::Confirm(record.payload::<PaymentConfirmResult>()?);
        self.0.listen(Self::GROUP, record, &said).await
    }

    async fn hand_over(&self, record: &Received, cause: &Cause) -> Result<(), Trouble> {
        let said = Said::Confirm(record.payload::<PaymentConfirmResult>()?);
        self.0.leave(Self::GROUP, (record, cause), &said).await
    }
}

impl Handler for RefundResults {
    const GROUP: &'static str = "reservation.refund-result";
    const TOPICS: &'static [Topic] = &[Topic::PaymentCancelResponse];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        let said = Said::Cancel(record.payload::<PaymentCancelResult>()?);
        self.0.listen(Self::GROUP, record, &said).await
    }

    async fn hand_over(&self, record: &Received, cause: &Cause) -> Result<(), Trouble> {
        let said = Said::Cancel(record.payload::<PaymentCancelResult>()?);
        self.0.leave(Self::GROUP, (record, cause), &said).await
    }
}

impl Saga {
    async fn listen(
        &self,
        group: &'static str,
        record: &Received,
        said: &Said,
    ) -> Result<(), Trouble> {
        let id = record.envelope.id;
        if let Some(produced) = self.heard(group, id).await? {
            self.relay.settle(record, &produced).await?;
            return self.finish_steps(said).await;
        }
        self.crash.pass("reservation.result.after_inbox");
        let produced = match self.hear(&Message { group, id, said }).await {
            Ok(produced) => produced,
            Err(Failure::Taken) => {
                record.mark_duplicate();
                let produced = self.heard(group, id).await?;
                produced.ok_or_else(|| Trouble::Transient(Failure::Taken.into()))?
            }
            Err(Failure::Store(error)) => return Err(error.into()),
            Err(
                failure @ (Failure::Unknown
                | Failure::Raced
                | Failure::Leased
                | Failure::Past
                | Failure::Unreadable(_)),
            ) => return Err(Trouble::Transient(failure.into())),
        };
        self.crash.pass("reservation.result.before_publish");
        self.relay.published(&produced).await?;
        self.crash.pass("reservation.result.before_steps");
        self.finish_steps(said).await?;
        self.crash.pass("reservation.result.before_offset");
        Ok(())
    }

    /// Leaves a result to the worker, as a step (7.6).
    async fn leave(
        &self,
        group: &'static str,
        (record, cause): (&Received, &Cause),
        said: &Said,
    ) -> Result<(), Trouble> {
        let id = record.envelope.id;
        tracing::warn!(%cause, %id, "a result is left to the worker");
        match self.keep(&Message { group, id, said }).await {
            Ok(()) | Err(Failure::Taken) => {
                self.work.notify_one();
                Ok(())
            }
            Err(Failure::Store(error)) => Err(error.into()),
            Err(failure) => Err(Trouble::Transient(failure.into())),
        }
    }

    /// What a message was answered with before, if it was (C3).
    async fn heard(&self, group: &str, id: Uuid) -> Result<Option<Vec<Uuid>>, Trouble> {
        let mut connection = self.database.pool().acquire().await?;
        Ok(inbox::find(&mut connection, group, id).await?)
    }

    /// Carries out the steps; what fails for a while is left to the worker.
    async fn finish_steps(&self, said: &Said) -> Result<(), Trouble> {
        match self.carry_out(&said.order().to_string(), true).await {
            Ok(()) => Ok(()),
            Err(Failure::Store(error)) => Err(error.into()),
            Err(failure) => {
                tracing::warn!(%failure, "the steps are left to the worker");
                self.work.notify_one();
                Ok(())
            }
        }
    }
}
