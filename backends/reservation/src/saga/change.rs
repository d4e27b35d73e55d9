//! One transaction that takes a reservation from one state to the next.

use ::reservation::machine::{Decision, Effect, Event, decide};
use jiff::Timestamp;
use messaging::inbox;
use service::stored::instant;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::results::Said;
use super::{Saga, letters};
use crate::cms::bookings::Held;
use crate::payments::Payment;
use crate::store::answers;
use crate::store::record::{self, Record};
use crate::store::steps::{self, Claim, StepRow};

/// How often a change is tried again when another one came between.
const RACES: usize = 10;

/// What happens to a reservation in the state it is found in; nothing when it does not apply.
pub(super) type Happening<'a> =
    dyn Fn(&Record, Timestamp) -> Result<Option<Event>, sqlx::Error> + Send + Sync + 'a;

/// What happens to a reservation.
pub(super) struct Change<'a> {
    /// Which.
    pub(super) reservation_id: &'a str,
    /// What happens to it.
    pub(super) event: &'a Happening<'a>,
    /// The reservation as it was found a moment ago, if it was. It may have changed since.
    pub(super) found: Option<Box<Record>>,
    /// What is known beside the event.
    pub(super) known: Known<'a>,
}

/// What is known beside an event, and is kept or passed on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// Who did it.
    pub(super) actor: Actor,
    /// The message that is dealt with.
    pub(super) message: Option<&'a Message<'a>>,
    /// The step that is done by it.
    pub(super) step: Option<Claim<'a>>,
    /// Whoever makes the reservation, who must still be the one.
    pub(super) maker: Option<&'a str>,
    /// What the CMS holds.
    pub(super) held: Option<&'a Held>,
    /// What payment told of the payment.
    pub(super) payment: Option<&'a Payment>,
    /// The payment's key.
    pub(super) key: Option<&'a str>,
    /// Code and sentence of a refusal.
    pub(super) refusal: Option<(&'a str, &'a str)>,
    /// What the booker or an operator says about it.
    pub(super) note: Option<&'a str>,
    /// The answer that decides a create, kept under its key.
    pub(super) answer: Option<&'a str>,
}

/// Who did it, as it appears in the history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Actor {
    #[default]
    System,
    Booker,
    Payment,
    Cms,
    Operator,
}

/// A message that is dealt with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Whose inbox it is.
    pub(crate) group: &'static str,
    /// Its id.
    pub(crate) id: Uuid,
    /// What it says, for the results that have to wait.
    pub(crate) said: &'a Said,
}

/// What came of a change.
#[derive(Debug)]
pub(crate) struct Changed {
    /// What was decided; nothing happened when there is none.
    pub(crate) decision: Decision,
    /// The reservation as it is now.
    pub(crate) record: Record,
    /// The rows of the outbox that were written.
    pub(crate) produced: Vec<Uuid>,
    /// The next step, when the change has ended one: taken for the same owner.
    pub(crate) next: Option<StepRow>,
}

/// Why a change did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store did not do it.
    #[error("the store does not do it")]
    Store(#[from] sqlx::Error),
    /// There is no such reservation.
    #[error("there is no such reservation")]
    Unknown,
    /// Others changed the reservation again and again.
    #[error("others change the reservation all the time")]
    Raced,
    /// Somebody else works on it.
    #[error("somebody else works on it")]
    Leased,
    /// The message was dealt with by somebody else.
    #[error("the message was dealt with in the meantime")]
    Taken,
    /// It does not apply any more.
    #[error("it does not apply any more")]
    Past,
    /// What was kept cannot be read.
    #[error("what was kept cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Actor {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::System => "SYSTEM",
            Self::Booker => "BOOKER",
            Self::Payment => "PAYMENT",
            Self::Cms => "CMS",
            Self::Operator => "OPERATOR",
        }
    }
}

impl Saga {
    /// Makes a change, and makes it again when another one came between.
    pub(super) async fn change(&self, mut change: Change<'_>) -> Result<Changed, Failure> {
        let mut found = change.found.take();
        for _ in 0..RACES {
            // What was found a moment ago refuses nothing: only the store does.
            let is_old = found.is_some();
            match self.try_change(&change, found.take()).await {
                Ok(Some(changed)) if !is_old || changed.is_written() => {
                    self.hand_on(&changed);
                    return Ok(changed);
                }
                Ok(_) => {}
                Err(Failure::Leased | Failure::Past) if is_old => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Raced)
    }

    /// Makes a change; nothing when another one was faster.
    async fn try_change(
        &self,
        change: &Change<'_>,
        found: Option<Box<Record>>,
    ) -> Result<Option<Changed>, Failure> {
        let now = self.clock.now();
        let mut transaction = self.database.write().await?;
        let before = if let Some(record) = found {
            record
        } else {
            let stored = record::load(&mut transaction, change.reservation_id).await?;
            Box::new(stored.ok_or(Failure::Unknown)?)
        };
        check_maker(&before, &change.known)?;
        let event = (change.event)(&before, now)?.ok_or(Failure::Past)?;
        let decision = decide(&before.facts()?, event);
        if decision.verdict.refusal().is_some() {
            return Ok(Some(Changed {
                decision,
                record: *before,
                produced: Vec::new(),
                next: None,
            }));
        }
        let mut after = self.apply(&before, &decision, &change.known, now)?;
        if !record::update(&mut transaction, &after).await? {
            return Ok(None);
        }
        after.version += 1;
        if let Some(claim) = change.known.step {
            let gives_back = decision.effects.contains(&Effect::Release);
            if !steps::finish(&mut transaction, claim, gives_back, &instant(now)).await? {
                return Err(Failure::Leased);
            }
        }
        let context =
            letters::Context { before: &before, after: &after, known: &change.known, now };
        context.note(&mut transaction, &decision).await?;
        let produced = context.carry_out(&mut transaction, &decision).await?;
        self.finish(&mut transaction, &after, &change.known, &produced).await?;
        let next = match change.known.step {
            Some(claim) => self.take_step(&mut transaction, after.key(), claim.owner).await?,
            None => None,
        };
        transaction.commit().await?;
        self.metrics.tell(&before, &after, &decision);
        Ok(Some(Changed { decision, record: after, produced, next }))
    }

    /// What belongs to the change whatever was decided: its message, its answer.
    async fn finish(
        &self,
        connection: &mut AnyConnection,
        record: &Record,
        known: &Known<'_>,
        produced: &[Uuid],
    ) -> Result<(), Failure> {
        let now = self.clock.now();
        if let Some(message) = known.message {
            note_message(connection, message, produced, now).await?;
        }
        if let (Some(answer), Some(key), Some(hash)) =
            (known.answer, &record.idempotency_key, &record.request_hash)
        {
            let whose = (record.member_id, key.as_str());
            answers::keep(connection, whose, (hash, answer), &instant(now)).await?;
        }
        Ok(())
    }
}

/// Writes down that a message was dealt with.
pub(super) async fn note_message(
    connection: &mut AnyConnection,
    message: &Message<'_>,
    produced: &[Uuid],
    now: Timestamp,
) -> Result<(), Failure> {
    match inbox::record(connection, message.group, message.id, produced, now).await {
        Ok(()) => Ok(()),
        Err(inbox::RecordError::Taken) => Err(Failure::Taken),
        Err(inbox::RecordError::Store(error)) => Err(Failure::Store(error)),
    }
}

impl Changed {
    /// Whether it is stored: what was refused is not.
    fn is_written(&self) -> bool {
        self.decision.verdict.refusal().is_none()
    }
}

/// Whoever has lost its lease has lost its say.
fn check_maker(record: &Record, known: &Known<'_>) -> Result<(), Failure> {
    match known.maker {
        Some(maker) if record.create_owner.as_deref() != Some(maker) => Err(Failure::Leased),
        Some(_) | None => Ok(()),
    }
}
