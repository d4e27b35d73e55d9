//! What operators can do: T31–T33.

use ::reservation::machine::Event;
use jiff::Timestamp;
use messaging::outbox;
use service::peer::PeerError;
use service::stored::instant;
use uuid::Uuid;

use super::change::{Actor, Change, Known};
use super::{Changed, Failure, Saga};
use crate::payments::Settled;
use crate::store::history::{self, Entry};
use crate::store::record::{self, Record};
use crate::store::steps;

/// Why a refund was not settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    /// It is not one that was refused.
    #[error("only a refund that was refused is settled by hand")]
    State,
    /// Payment did not say.
    #[error("payment does not answer")]
    Payment(#[source] PeerError),
    /// The change did not come about.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Saga {
    /// T31
    pub(crate) async fn compensate(
        &self,
        reservation_id: &str,
        note: &str,
    ) -> Result<Changed, Failure> {
        let event = |_: &Record, _: Timestamp| Ok(Some(Event::Compensate));
        let known = Known { actor: Actor::Operator, note: Some(note), ..Known::default() };
        let changed =
            self.change(Change { reservation_id, event: &event, found: None, known }).await?;
        self.work.notify_one();
        Ok(changed)
    }

    /// T32: the open steps of a kind are due at once; how many there are.
    pub(crate) async fn redrive_steps(
        &self,
        reservation_id: &str,
        kind: &str,
    ) -> Result<u64, Failure> {
        let now = instant(self.clock.now());
        let mut transaction = self.database.write().await?;
        let found = record::load(&mut transaction, reservation_id).await?;
        let record = found.ok_or(Failure::Unknown)?;
        let hurried = steps::hurry(&mut transaction, reservation_id, Some(kind), &now).await?;
        if hurried > 0 {
            let note = format!("step {kind}");
            let entry = by_operator(&record, &note, &now);
            history::add(&mut transaction, reservation_id, &entry).await?;
        }
        transaction.commit().await?;
        self.work.notify_one();
        Ok(hurried)
    }

    /// T32: a message is sent again under its id; whether there is such a message.
    pub(crate) async fn redrive_message(&self, message_id: Uuid) -> Result<bool, Failure> {
        let now = instant(self.clock.now());
        let mut transaction = self.database.write().await?;
        let key: Option<String> = sqlx::query_scalar("SELECT record_key FROM outbox WHERE id = $1")
            .bind(message_id.to_string())
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(key) = key else { return Ok(false) };
        outbox::publish_again(&mut transaction, &[message_id]).await?;
        if let Some(record) = record::load(&mut transaction, &key).await? {
            let note = format!("message {message_id}");
            let entry = by_operator(&record, &note, &now);
            history::add(&mut transaction, &key, &entry).await?;
        }
        transaction.commit().await?;
        self.relay.wake();
        Ok(true)
    }

    /// Clears what operators were told of a reservation; whether there was anything.
    pub(crate) async fn clear_alerts(
        &self,
        reservation_id: &str,
        note: &str,
    ) -> Result<bool, Failure> {
        let now = instant(self.clock.now());
        let mut transaction = self.database.write().await?;
        let cleared = history::clear_alerts(&mut transaction, reservation_id, note, &now).await?;
        transaction.commit().await?;
        Ok(cleared > 0)
    }

    /// T33: at payment, which tells so by a message; here only if payment knows nothing of it.
    pub(crate) async fn settle_refund(
        &self,
        reservation_id: &str,
        note: &str,
    ) -> Result<(), SettleError> {
        let mut connection = self.database.pool().acquire().await.map_err(Failure::Store)?;
        let found = record::load(&mut connection, reservation_id).await;
        drop(connection);
        let record = found.map_err(Failure::Store)?.ok_or(Failure::Unknown)?;
        let refund = record.refund().map_err(Failure::Store)?.ok_or(SettleError::State)?;
        match self.payments.settle(refund, note).await.map_err(SettleError::Payment)? {
            Settled::ByPayment => return Ok(()),
            Settled::Refused => return Err(SettleError::State),
            Settled::Unknown => {}
        }
        let event = |_: &Record, _: Timestamp| Ok(Some(Event::SettledByHand));
        let known = Known { actor: Actor::Operator, note: Some(note), ..Known::default() };
        let changed =
            self.change(Change { reservation_id, event: &event, found: None, known }).await?;
        changed.decision.verdict.refusal().map_or(Ok(()), |_| Err(SettleError::State))
    }
}

fn by_operator<'a>(record: &'a Record, note: &'a str, at: &'a str) -> Entry<'a> {
    Entry {
        from: Some(&record.shown.status),
        to: &record.shown.status,
        cause: "T32",
        actor: Actor::Operator.code(),
        message_id: None,
        note: Some(note),
        at,
    }
}
