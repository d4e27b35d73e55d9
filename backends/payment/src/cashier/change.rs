//! One transaction that takes a payment from one state to the next.

use messaging::inbox;
use payment::machine::{Decision, Effect, Event, Next, decide};
use service::clock::after;
use service::stored::{instant, is_taken};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Cashier, papers};
use crate::gateway::{Refusal, View};
use crate::store::{self, By, Record, write};

/// How often a change is tried again when another one came between.
const RACES: usize = 10;

/// What happens to a payment.
pub(super) struct Change<'a> {
    /// Which payment.
    pub(super) payment_id: Uuid,
    /// What happens to it, in the state it is found in.
    pub(super) event: &'a (dyn Fn(&Facts<'_>) -> Event + Send + Sync),
    /// Whose lease is needed.
    pub(super) lease: Lease<'a>,
    /// The message that is dealt with, and when.
    pub(super) inbox: Inbox<'a>,
    /// The payment as it was found a moment ago, if it was. It may have changed since.
    pub(super) found: Option<Record>,
    /// What is known beside the event.
    pub(super) known: Known<'a>,
}

/// What an event may depend on.
pub(super) struct Facts<'a> {
    pub(super) record: &'a Record,
    pub(super) now: jiff::Timestamp,
    /// Whether somebody else owns the payment.
    pub(super) is_leased: bool,
    /// Whether the key of the command is known to belong to another payment.
    pub(super) is_foreign: bool,
}

/// How a change goes with the lease of the payment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lease<'a> {
    /// Takes it if something is to be asked of the payment gateway.
    Take(&'a str),
    /// Takes it, or leaves everything as it is.
    Need(&'a str),
    /// Has it, and lets go unless more is to be asked.
    Hold(&'a str),
}

/// How a change goes with the inbox.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inbox<'a> {
    /// No message led to it.
    None,
    /// The message is dealt with once nothing is left to be asked.
    AtTheEnd(&'a super::Message),
    /// The message is dealt with by this.
    Now(&'a super::Message),
}

/// What is known beside the event and is kept or passed on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// The confirm command.
    pub(super) confirm: Option<&'a super::ConfirmCommand>,
    /// The cancel command.
    pub(super) cancel: Option<&'a super::CancelCommand>,
    /// What the payment gateway told of the payment.
    pub(super) view: Option<&'a View>,
    /// Why it refused.
    pub(super) refusal: Option<&'a Refusal>,
    /// The message or request that led to it.
    pub(super) cause: Option<Uuid>,
    /// What an operator says about it.
    pub(super) note: Option<&'a str>,
    /// The refund that is tried.
    pub(super) refund: Option<Uuid>,
    /// Whether the payment gateway was asked because it was time to.
    pub(super) is_look: bool,
}

/// What came of a change.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) decision: Decision,
    /// The rows of the outbox that were written.
    pub(crate) produced: Vec<Uuid>,
    /// The payment as it is now.
    pub(crate) record: Record,
    /// Whether the payment gateway did not say what it was asked.
    pub(crate) is_silent: bool,
}

/// Why a change did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store did not do it.
    #[error("the store does not do it")]
    Store(#[from] sqlx::Error),
    /// There is no such payment.
    #[error("there is no such payment")]
    Unknown,
    /// Others changed the payment again and again.
    #[error("others change the payment all the time")]
    Raced,
    /// Somebody else owns the payment, or does by now.
    #[error("somebody else owns the payment")]
    Leased,
    /// The message was dealt with by somebody else.
    #[error("the message was dealt with in the meantime")]
    Taken,
    /// A result cannot be written, or not be read.
    #[error("a result cannot be written")]
    Unwritable(#[from] serde_json::Error),
    /// The payment gateway does not know the merchant.
    #[error("the payment gateway does not know the merchant")]
    Paused,
}

impl Cashier {
    /// Makes a change, and makes it again when another one came between.
    pub(super) async fn change(&self, mut change: Change<'_>) -> Result<Changed, Failure> {
        let mut found = change.found.take();
        let mut is_key_taken = false;
        for _ in 0..RACES {
            let is_old = found.is_some();
            match self.try_change(&change, found.take(), is_key_taken).await {
                Ok(Some(changed)) => return Ok(changed),
                Ok(None) => {}
                // Somebody may have let go of it since it was found.
                Err(Failure::Leased) if is_old => {}
                // Two payments were to get one key: the next turn sees whose it is.
                Err(Failure::Store(error)) if is_taken(&error) => is_key_taken = true,
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Raced)
    }

    /// Makes a change; nothing when another one was faster.
    async fn try_change(
        &self,
        change: &Change<'_>,
        found: Option<Record>,
        is_key_taken: bool,
    ) -> Result<Option<Changed>, Failure> {
        let now = self.clock.now();
        let mut transaction = self.database.write().await?;
        let before = if let Some(record) = found {
            record
        } else {
            let stored = store::load(&mut transaction, &By::Id(change.payment_id)).await?;
            stored.ok_or(Failure::Unknown)?
        };
        let is_leased = change.lease.is_elsewhere(&before, now)?;
        let known = before.facts()?;
        let facts = Facts { record: &before, now, is_leased, is_foreign: false };
        let mut decision = decide(&known, (change.event)(&facts));
        // No two payments get one key; a key that is not adopted may belong to another one.
        let is_guarded = decision.effects.contains(&Effect::AdoptKey) && !is_key_taken;
        if !is_guarded && is_foreign(&mut transaction, change).await? {
            decision = decide(&known, (change.event)(&Facts { is_foreign: true, ..facts }));
        }
        if decision.next == Next::Confirm && change.known.confirm.is_some() && self.is_paused() {
            return Err(Failure::Paused);
        }
        let applied = self.apply(&before, &decision, change, now)?;
        if !write::update(&mut transaction, &applied.record.payment, before.payment.version).await?
        {
            return Ok(None);
        }
        applied.write(&mut transaction, &before, &decision, change).await?;
        let letters = papers::letters(&applied.record, &decision, change)?;
        let produced = letters.append(&mut transaction, change.known.cause, now).await?;
        self.record_message(&mut transaction, change, &decision, &produced).await?;
        transaction.commit().await?;
        self.metrics.tell(&decision);
        Ok(Some(Changed { decision, produced, record: applied.record, is_silent: false }))
    }

    async fn record_message(
        &self,
        connection: &mut AnyConnection,
        change: &Change<'_>,
        decision: &Decision,
        produced: &[Uuid],
    ) -> Result<(), Failure> {
        let message = match change.inbox {
            Inbox::Now(message) => message,
            Inbox::AtTheEnd(message) if decision.next == Next::Rest => message,
            Inbox::AtTheEnd(_) | Inbox::None => return Ok(()),
        };
        self.note(connection, message, produced).await
    }

    /// Writes down that a message was dealt with.
    pub(super) async fn note(
        &self,
        connection: &mut AnyConnection,
        message: &super::Message,
        produced: &[Uuid],
    ) -> Result<(), Failure> {
        let now = self.clock.now();
        match inbox::record(connection, message.group, message.id, produced, now).await {
            Ok(()) => Ok(()),
            Err(inbox::RecordError::Taken) => Err(Failure::Taken),
            Err(inbox::RecordError::Store(error)) => Err(Failure::Store(error)),
        }
    }

    /// Until when whoever takes the lease now has it.
    pub(super) fn lease_end(&self, now: jiff::Timestamp) -> String {
        instant(after(now, self.timing.step_lease))
    }
}

impl Lease<'_> {
    /// Who wants it or has it.
    pub(super) fn owner(self) -> String {
        match self {
            Self::Take(owner) | Self::Need(owner) | Self::Hold(owner) => owner.to_owned(),
        }
    }

    /// Whether somebody else has it; a failure where that ends the change.
    fn is_elsewhere(self, record: &Record, now: jiff::Timestamp) -> Result<bool, Failure> {
        let is_running = record.is_leased(now);
        match self {
            Self::Hold(owner) if record.payment.lease_owner.as_deref() != Some(owner) => {
                Err(Failure::Leased)
            }
            Self::Need(_) if is_running => Err(Failure::Leased),
            Self::Hold(_) | Self::Need(_) => Ok(false),
            Self::Take(_) => Ok(is_running),
        }
    }
}

/// Whether the key of a confirm command belongs to another payment.
async fn is_foreign(
    connection: &mut AnyConnection,
    change: &Change<'_>,
) -> Result<bool, sqlx::Error> {
    let Some(command) = change.known.confirm else { return Ok(false) };
    let owner: Option<String> =
        sqlx::query_scalar("SELECT payment_id FROM payments WHERE payment_key = $1")
            .bind(command.payment_key.clone())
            .fetch_optional(connection)
            .await?;
    Ok(owner.is_some_and(|owner| owner != change.payment_id.to_string()))
}
