//! Commands of the reservation service, in the order of C2: the inbox, the change, the payment
//! gateway, the result, and only when that is published the offset.

use messaging::consumer::{Cause, Handler, Received, Trouble};
use messaging::inbox;
use messaging::payload::{PaymentCancelRequested, PaymentConfirmRequested, RefundReason};
use messaging::topic::Topic;
use uuid::Uuid;

use crate::cashier::{CancelCommand, Cashier, ConfirmCommand, Failure, Message};

/// Takes money (KF-02).
#[derive(Debug, Clone)]
pub(crate) struct Confirms(pub(crate) Cashier);

/// Returns money.
#[derive(Debug, Clone)]
pub(crate) struct Cancels(pub(crate) Cashier);

impl Handler for Confirms {
    const GROUP: &'static str = "payment.confirm";
    const TOPICS: &'static [Topic] = &[Topic::PaymentConfirmRequest];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        let message = Message { group: Self::GROUP, id: record.envelope.id };
        let command = confirm_command(record)?;
        if let Some(produced) = self.0.answered(&message).await? {
            return Ok(self.0.relay.settle(record, &produced).await?);
        }
        self.0.crash.pass("payment.confirm.after_inbox");
        let outcome = self.0.confirm(&command, Some(&message)).await;
        let produced = self.0.at_last(outcome, &message, record).await?;
        self.0.relay.published(&produced).await?;
        self.0.crash.pass("payment.confirm.before_offset");
        Ok(())
    }

    /// Leaves it to the reconciler, and says so (7.6).
    async fn hand_over(&self, record: &Received, cause: &Cause) -> Result<(), Trouble> {
        tracing::warn!(%cause, id = %record.envelope.id, "a confirm is left to the reconciler");
        let message = Message { group: Self::GROUP, id: record.envelope.id };
        let command = confirm_command(record)?;
        let outcome = self.0.leave_confirm(&command, Some(&message)).await;
        let produced = self.0.at_last(outcome, &message, record).await?;
        Ok(self.0.relay.published(&produced).await?)
    }
}

impl Handler for Cancels {
    const GROUP: &'static str = "payment.cancel";
    const TOPICS: &'static [Topic] = &[Topic::PaymentCancelRequest];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        let message = Message { group: Self::GROUP, id: record.envelope.id };
        let command = cancel_command(record)?;
        if let Some(produced) = self.0.answered(&message).await? {
            // A refund that is still open was left to the worker with its row.
            return Ok(self.0.relay.settle(record, &produced).await?);
        }
        let outcome = self.0.cancel(&command, &message).await;
        let produced = self.0.at_last(outcome, &message, record).await?;
        self.0.relay.published(&produced).await?;
        self.0.crash.pass("payment.refund.before_offset");
        Ok(())
    }

    /// Leaves it to the worker: the refund's row is the hand-over.
    async fn hand_over(&self, record: &Received, cause: &Cause) -> Result<(), Trouble> {
        tracing::warn!(%cause, id = %record.envelope.id, "a cancel is left to the worker");
        let message = Message { group: Self::GROUP, id: record.envelope.id };
        let command = cancel_command(record)?;
        let outcome = self.0.leave_cancel(&command, &message).await;
        let produced = self.0.at_last(outcome, &message, record).await?;
        Ok(self.0.relay.published(&produced).await?)
    }
}

impl Cashier {
    /// What a message was answered with before, if it was (C3).
    async fn answered(&self, message: &Message) -> Result<Option<Vec<Uuid>>, Trouble> {
        let mut connection = self.database.pool().acquire().await?;
        Ok(inbox::find(&mut connection, message.group, message.id).await?)
    }

    /// What became of a message, also when another consumer was faster.
    async fn at_last(
        &self,
        outcome: Result<Vec<Uuid>, Failure>,
        message: &Message,
        record: &Received,
    ) -> Result<Vec<Uuid>, Trouble> {
        match outcome {
            Ok(produced) => Ok(produced),
            Err(Failure::Taken) => {
                record.mark_duplicate();
                let produced = self.answered(message).await?;
                produced.ok_or_else(|| Trouble::Transient(Failure::Taken.into()))
            }
            Err(Failure::Store(error)) => Err(error.into()),
            // Nothing can be charged, and nobody is told that it cannot.
            Err(failure @ Failure::Paused) => Err(Trouble::Infrastructure(failure.into())),
            Err(
                failure @ (Failure::Leased
                | Failure::Raced
                | Failure::Unknown
                | Failure::Unwritable(_)),
            ) => Err(Trouble::Transient(failure.into())),
        }
    }
}

fn confirm_command(record: &Received) -> Result<ConfirmCommand, Trouble> {
    let said: PaymentConfirmRequested = record.payload()?;
    Ok(ConfirmCommand {
        payment_id: said.payment_id,
        payment_key: said.payment_key,
        order_id: said.order_id,
        member_id: said.member_id,
        amount: said.total_amount,
        approve_by: said.approve_by,
    })
}

fn cancel_command(record: &Received) -> Result<CancelCommand, Trouble> {
    let said: PaymentCancelRequested = record.payload()?;
    let reason_code = match said.reason_code {
        RefundReason::Customer => "CUSTOMER",
        RefundReason::CmsApproveFailed => "CMS_APPROVE_FAILED",
        RefundReason::LateApproval => "LATE_APPROVAL",
        RefundReason::Operator => "OPERATOR",
    };
    Ok(CancelCommand {
        refund_id: said.refund_id,
        payment_id: said.payment_id,
        order_id: said.order_id,
        member_id: said.member_id,
        amount: said.cancel_amount,
        reason: said.reason,
        reason_code: reason_code.to_owned(),
    })
}
