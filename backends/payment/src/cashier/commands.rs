//! What the reservation service and operators want.

use jiff::Timestamp;
use payment::machine::{Event, Key, Next, create};
use service::clock::after;
use service::code::Code;
use service::stored::instant;
use uuid::Uuid;

use super::calls::Task;
use super::change::{Change, Changed, Facts, Failure, Inbox, Known, Lease};
use super::{Cashier, papers};
use crate::store::write::{self, Step};
use crate::store::{self, By, PaymentRow, Record, RefundRow};

/// A message that is dealt with, and by whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) group: &'static str,
    pub(crate) id: Uuid,
}

/// A command to take money.
#[derive(Debug, Clone)]
pub(crate) struct ConfirmCommand {
    pub(crate) payment_id: Uuid,
    pub(crate) payment_key: String,
    pub(crate) order_id: Uuid,
    pub(crate) member_id: i64,
    pub(crate) amount: i64,
    pub(crate) approve_by: Timestamp,
}

/// A command to return money.
#[derive(Debug, Clone)]
pub(crate) struct CancelCommand {
    pub(crate) refund_id: Uuid,
    pub(crate) payment_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) member_id: i64,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) reason_code: String,
}

/// A payment to be made.
#[derive(Debug)]
pub(crate) struct NewPayment {
    pub(crate) order_id: Uuid,
    pub(crate) order_name: String,
    pub(crate) member_id: i64,
    pub(crate) amount: i64,
    pub(crate) check_in_date: Option<String>,
}

const CONFIRM_PUBLISH: &str = "payment.confirm.before_publish";
const REFUND_PUBLISH: &str = "payment.refund.before_publish";

impl Cashier {
    /// Y01: the payment of an order, and whether it is new.
    pub(crate) async fn create(&self, new: &NewPayment) -> Result<(Record, bool), Failure> {
        let now = self.clock.now();
        let decision = create(new.amount);
        let row = self.new_payment(new, now);
        let mut transaction = self.database.write().await?;
        if !write::insert(&mut transaction, &row).await? {
            transaction.rollback().await?;
            let order = By::Order(new.order_id.to_string());
            let mut connection = self.database.pool().acquire().await?;
            let found = store::load(&mut connection, &order).await?;
            return Ok((found.ok_or(Failure::Raced)?, false));
        }
        let step = Step {
            seq: row.version,
            from: None,
            to: &row.status,
            cause: "Y01",
            actor: "SYSTEM",
            message_id: None,
            note: None,
            at: &row.created_at,
        };
        write::tell_payment(&mut transaction, &row.payment_id, &step).await?;
        let record = Record { payment: row, refunds: Vec::new(), cancels: Vec::new() };
        let letters = papers::created(&record, &decision)?;
        letters.append(&mut transaction, None, now).await?;
        transaction.commit().await?;
        self.relay.wake();
        Ok((record, true))
    }

    fn new_payment(&self, new: &NewPayment, now: Timestamp) -> PaymentRow {
        let vat = vat(new.amount);
        PaymentRow {
            payment_id: Uuid::now_v7().to_string(),
            order_id: new.order_id.to_string(),
            order_name: new.order_name.clone(),
            member_id: new.member_id,
            m_id: self.merchant.to_string(),
            payment_key: None,
            status: payment::machine::Status::Ready.code().to_owned(),
            method: None,
            currency: "KRW".to_owned(),
            total_amount: new.amount,
            balance_amount: new.amount,
            supplied_amount: new.amount - vat,
            vat,
            tax_free_amount: 0,
            tax_exemption_amount: 0,
            requested_at: instant(now),
            expires_at: instant(after(now, self.timing.payment_ttl)),
            approve_by: None,
            approved_at: None,
            last_transaction_key: None,
            failure_code: None,
            failure_message: None,
            details: "{}".to_owned(),
            confirm_attempts: 0,
            last_attempt_at: None,
            in_doubt_since: None,
            leased_until: None,
            lease_owner: None,
            last_pg_error_code: None,
            stored_result: None,
            next_look_at: None,
            looks: 0,
            check_in_date: new.check_in_date.clone(),
            alert: None,
            version: 1,
            created_at: instant(now),
            updated_at: instant(now),
        }
    }

    /// A command to take money; the rows of the outbox that answer it.
    pub(crate) async fn confirm(
        &self,
        command: &ConfirmCommand,
        message: Option<&Message>,
    ) -> Result<Vec<Uuid>, Failure> {
        let owner = Uuid::now_v7().to_string();
        let outcome = async {
            let first = self.begin_confirm(command, message, Lease::Take(&owner), false).await?;
            let task = Task {
                payment_id: command.payment_id,
                owner: &owner,
                message,
                for_command: true,
                cause: message.map(|message| message.id),
                publish_point: CONFIRM_PUBLISH,
            };
            self.drive(task, first).await.map(|last| last.produced)
        };
        match outcome.await {
            Err(Failure::Leased) => self.leave_confirm(command, message).await,
            Err(Failure::Unknown) => self.answer_unknown_confirm(command, message).await,
            outcome => outcome,
        }
    }

    /// Leaves a command to the reconciler: it is written down and answered by PENDING.
    pub(crate) async fn leave_confirm(
        &self,
        command: &ConfirmCommand,
        message: Option<&Message>,
    ) -> Result<Vec<Uuid>, Failure> {
        let owner = Uuid::now_v7().to_string();
        let left = self.begin_confirm(command, message, Lease::Take(&owner), true).await;
        let produced = match left {
            Err(Failure::Unknown) => {
                return self.answer_unknown_confirm(command, message).await;
            }
            left => left?.produced,
        };
        self.publish(CONFIRM_PUBLISH, &produced);
        Ok(produced)
    }

    async fn begin_confirm(
        &self,
        command: &ConfirmCommand,
        message: Option<&Message>,
        lease: Lease<'_>,
        is_left: bool,
    ) -> Result<Changed, Failure> {
        let event = |facts: &Facts<'_>| Event::Confirm {
            key: key(facts, command),
            amount: command.amount,
            in_time: facts.now < command.approve_by,
            is_leased: is_left || facts.is_leased,
        };
        let found = self.own(command.payment_id, command.order_id, command.member_id).await?;
        self.change(Change {
            payment_id: command.payment_id,
            event: &event,
            lease,
            inbox: message.map_or(Inbox::None, Inbox::AtTheEnd),
            found: Some(found),
            known: Known {
                confirm: Some(command),
                cause: message.map(|message| message.id),
                ..Known::default()
            },
        })
        .await
    }

    /// A command to return money; the rows of the outbox that answer it.
    pub(crate) async fn cancel(
        &self,
        command: &CancelCommand,
        message: &Message,
    ) -> Result<Vec<Uuid>, Failure> {
        let owner = Uuid::now_v7().to_string();
        let first = match self.begin_cancel(command, message, &owner, self.is_paused()).await {
            Err(Failure::Unknown) => return self.answer_unknown_cancel(command, message).await,
            first => first?,
        };
        if first.decision.next == Next::Rest {
            self.publish(REFUND_PUBLISH, &first.produced);
            self.work.notify_one();
            return Ok(first.produced);
        }
        let task = Task {
            payment_id: command.payment_id,
            owner: &owner,
            // The row is the hand-over: the message was dealt with when it was written.
            message: None,
            for_command: false,
            cause: Some(message.id),
            publish_point: REFUND_PUBLISH,
        };
        match self.drive(task, first).await {
            Ok(last) => Ok(last.produced),
            // Whoever has the lease now, or the worker, goes on with the row.
            Err(Failure::Leased | Failure::Raced) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// Leaves a command to the worker: it is written down.
    pub(crate) async fn leave_cancel(
        &self,
        command: &CancelCommand,
        message: &Message,
    ) -> Result<Vec<Uuid>, Failure> {
        let owner = Uuid::now_v7().to_string();
        let left = match self.begin_cancel(command, message, &owner, true).await {
            Err(Failure::Unknown) => return self.answer_unknown_cancel(command, message).await,
            left => left?,
        };
        self.publish(REFUND_PUBLISH, &left.produced);
        self.work.notify_one();
        Ok(left.produced)
    }

    async fn begin_cancel(
        &self,
        command: &CancelCommand,
        message: &Message,
        owner: &str,
        is_left: bool,
    ) -> Result<Changed, Failure> {
        let found = self.own(command.payment_id, command.order_id, command.member_id).await?;
        let known = store::find_refund(self.database.pool(), command.refund_id).await?;
        let is_of_another = |row: &RefundRow| row.payment_id != command.payment_id.to_string();
        if known.as_ref().is_some_and(is_of_another) {
            return Err(Failure::Unknown);
        }
        let event = |facts: &Facts<'_>| Event::Cancel {
            refund: command.refund_id,
            amount: command.amount,
            is_leased: is_left || facts.is_leased,
        };
        self.change(Change {
            payment_id: command.payment_id,
            event: &event,
            lease: Lease::Take(owner),
            inbox: Inbox::Now(message),
            found: Some(found),
            known: Known {
                cancel: Some(command),
                cause: Some(message.id),
                refund: Some(command.refund_id),
                ..Known::default()
            },
        })
        .await
    }

    /// RF9: an operator returned the money elsewhere. Whether that was still to be done.
    pub(crate) async fn settle(&self, refund: &RefundRow, note: &str) -> Result<bool, Failure> {
        let id = |text: &str| service::stored::read::<Uuid>(text);
        let refund_id = id(&refund.refund_id)?;
        let owner = Uuid::now_v7().to_string();
        let event = |_: &Facts<'_>| Event::Settled { refund: refund_id };
        let changed = self
            .change(Change {
                payment_id: id(&refund.payment_id)?,
                event: &event,
                lease: Lease::Need(&owner),
                inbox: Inbox::None,
                found: None,
                known: Known { refund: Some(refund_id), note: Some(note), ..Known::default() },
            })
            .await?;
        self.relay.wake();
        Ok(!changed.decision.rows.is_empty())
    }

    /// The payment of a command, which names payment, order and member: together they must be those
    /// of one payment.
    async fn own(
        &self,
        payment_id: Uuid,
        order_id: Uuid,
        member_id: i64,
    ) -> Result<Record, Failure> {
        let mut connection = self.database.pool().acquire().await?;
        let found = store::load(&mut connection, &By::Id(payment_id)).await?;
        let order_id = order_id.to_string();
        let is_own = |record: &Record| {
            record.payment.order_id == order_id && record.payment.member_id == member_id
        };
        found.filter(is_own).ok_or(Failure::Unknown)
    }

    async fn answer_unknown_confirm(
        &self,
        command: &ConfirmCommand,
        message: Option<&Message>,
    ) -> Result<Vec<Uuid>, Failure> {
        let Some(message) = message else { return Err(Failure::Unknown) };
        let letters = papers::unknown_confirm(command);
        self.answer_unknown(letters, message, CONFIRM_PUBLISH).await
    }

    async fn answer_unknown_cancel(
        &self,
        command: &CancelCommand,
        message: &Message,
    ) -> Result<Vec<Uuid>, Failure> {
        let letters = papers::unknown_cancel(command);
        self.answer_unknown(letters, message, REFUND_PUBLISH).await
    }

    /// Answers a command for a payment that does not exist, without a row.
    async fn answer_unknown(
        &self,
        letters: papers::Letters,
        message: &Message,
        point: &str,
    ) -> Result<Vec<Uuid>, Failure> {
        let mut transaction = self.database.write().await?;
        let now = self.clock.now();
        let produced = letters.append(&mut transaction, Some(message.id), now).await?;
        self.note(&mut transaction, message, &produced).await?;
        transaction.commit().await?;
        self.publish(point, &produced);
        Ok(produced)
    }
}

/// How the key of a command compares with what is known.
fn key(facts: &Facts<'_>, command: &ConfirmCommand) -> Key {
    match facts.record.payment.payment_key.as_deref() {
        Some(own) if own == command.payment_key => Key::Same,
        Some(_) => Key::Other,
        None if facts.is_foreign => Key::Other,
        None => Key::First,
    }
}

/// Value-added tax in a sum of nothing tax-free: an eleventh, rounded half up.
fn vat(amount: i64) -> i64 {
    (amount * 2 + 11) / 22
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4.2, invariant 4
    #[test]
    fn a_tenth_is_added_to_what_is_supplied() {
        for (total, expected) in [(15_000, 1_364), (9_026, 821), (30_000, 2_727)] {
            assert_eq!(vat(total), expected);
        }
    }
}
