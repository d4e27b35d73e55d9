//! What is asked of the payment gateway, under the lease of the payment.

use jiff::Timestamp;
use payment::machine::{Asked, CancelAnswer, ConfirmAnswer, Event, Next, Seen, decide};
use service::clock::after;
use service::stored::read;
use uuid::Uuid;

use super::apply::{self, show};
use super::change::{Change, Changed, Facts, Failure, Inbox, Known, Lease};
use super::{Cashier, Message};
use crate::gateway::{Order, Told};
use crate::store::{Record, due};

/// Who asks, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) payment_id: Uuid,
    /// Whose lease it is.
    pub(super) owner: &'a str,
    /// What is dealt with when nothing is left to be asked.
    pub(super) message: Option<&'a Message>,
    /// Whether a confirm command waits for the outcome.
    pub(super) for_command: bool,
    /// The message or request that led to it.
    pub(super) cause: Option<Uuid>,
    /// Where the process may die before its result is published.
    pub(super) publish_point: &'static str,
}

/// What the payment gateway says of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glance {
    /// What is known of it.
    Known,
    /// Something else.
    New,
    /// Nothing.
    Silent,
}

impl Cashier {
    /// Asks the payment gateway until nothing is left to be asked; the last change, with everything
    /// that was written.
    pub(super) async fn drive(&self, task: Task<'_>, first: Changed) -> Result<Changed, Failure> {
        let mut last = first;
        loop {
            let next = match last.decision.next {
                Next::Confirm => self.take(task, &last.record).await?,
                Next::Query(asked) => self.ask(task, asked, &last.record).await?,
                Next::Cancel(refund) => self.give_back(task, refund, &last.record).await?,
                Next::Rest => {
                    self.publish(task.publish_point, &last.produced);
                    return Ok(last);
                }
            };
            let earlier = last.produced;
            last = next;
            last.produced.splice(0..0, earlier);
        }
    }

    /// Takes the money.
    async fn take(&self, task: Task<'_>, record: &Record) -> Result<Changed, Failure> {
        let order = order(record);
        let key = record.payment.payment_key.as_deref().unwrap_or_default();
        self.crash.pass("payment.confirm.before_pg");
        let mut told = self.gateway.confirm(&order, key).await;
        let mut is_repeat = record.payment.confirm_attempts > 1;
        let mut found = Some(record.clone());
        for pause in &self.timing.step_retry {
            if !told.is_transient {
                break;
            }
            #[expect(clippy::disallowed_methods, reason = "a back-off")]
            tokio::time::sleep(*pause).await;
            self.renew_confirm(task).await?;
            (is_repeat, found) = (true, None);
            told = self.gateway.confirm(&order, key).await;
        }
        self.crash.pass("payment.confirm.after_pg");
        self.heed(told.answer == ConfirmAnswer::Misconfigured, &told);
        let (answer, for_command) = (told.answer, task.for_command);
        let event = move |_: &Facts<'_>| Event::ConfirmAnswered { answer, is_repeat, for_command };
        self.change(Change { found, ..task.change(&event, &told) }).await
    }

    /// Asks what became of the payment.
    async fn ask(&self, task: Task<'_>, asked: Asked, record: &Record) -> Result<Changed, Failure> {
        self.renew(task).await?;
        let asked_at = self.clock.now();
        let told = self.gateway.query(&order(record)).await;
        self.heed(told.is_misconfigured, &told);
        let seen = told.answer;
        let event = self.seen(asked, seen, asked_at);
        let mut change = task.change(&event, &told);
        change.known.is_look =
            seen == Seen::NoAnswer || matches!(asked, Asked::Timer | Asked::Hint | Asked::Command);
        change.known.refund = match asked {
            Asked::Refund(refund) | Asked::RefundRefusal(refund) => Some(refund),
            Asked::Command
            | Asked::Timer
            | Asked::Hint
            | Asked::LookUp { .. }
            | Asked::Refusal { .. } => None,
        };
        let changed = self.change(change).await?;
        Ok(Changed { is_silent: seen == Seen::NoAnswer, ..changed })
    }

    /// Asks the payment gateway without a lease, which is enough to learn that there is nothing to
    /// be written down.
    pub(super) async fn glance(&self, record: &Record) -> Result<Glance, Failure> {
        let asked_at = self.clock.now();
        let told = self.gateway.query(&order(record)).await;
        self.heed(told.is_misconfigured, &told);
        if told.answer == Seen::NoAnswer {
            return Ok(Glance::Silent);
        }
        let known = record.facts()?;
        let facts = Facts { record, now: asked_at, is_leased: false, is_foreign: false };
        let decision = decide(&known, self.seen(Asked::Hint, told.answer, asked_at)(&facts));
        let is_over = decision.next == Next::Rest && decision.effects.is_empty();
        let mut row = record.payment.clone();
        show(&mut row, &decision, told.view.as_ref());
        let is_known = is_over && decision.payment == known && row == record.payment;
        Ok(if is_known { Glance::Known } else { Glance::New })
    }

    /// What an answer of the payment gateway means.
    fn seen(
        &self,
        asked: Asked,
        seen: Seen,
        asked_at: Timestamp,
    ) -> impl Fn(&Facts<'_>) -> Event + Send + Sync + '_ {
        let fresh = Uuid::now_v7();
        move |facts| Event::Seen {
            asked,
            seen,
            in_time: is_in_time(facts),
            session_over: self.is_session_over(facts, asked_at),
            fresh,
        }
    }

    /// Returns money.
    async fn give_back(
        &self,
        task: Task<'_>,
        refund: Uuid,
        record: &Record,
    ) -> Result<Changed, Failure> {
        let id = refund.to_string();
        let row = record.refunds.iter().find(|row| row.refund_id == id).ok_or(Failure::Unknown)?;
        self.renew(task).await?;
        self.crash.pass("payment.refund.before_pg");
        let told = self.gateway.cancel(&record.payment, row).await;
        self.crash.pass("payment.refund.after_pg");
        self.heed(told.answer == CancelAnswer::Misconfigured, &told);
        let (answer, fresh) = (told.answer, Uuid::now_v7());
        let event = move |_: &Facts<'_>| Event::CancelAnswered { refund, answer, fresh };
        let mut change = task.change(&event, &told);
        change.known.refund = Some(refund);
        self.change(change).await
    }

    /// Keeps the payment gateway from being asked more when it does not know the merchant.
    fn heed<A>(&self, is_misconfigured: bool, told: &Told<A>) {
        if is_misconfigured {
            self.pause();
            let code = told.refusal.as_ref().map(|refusal| refusal.code.as_str());
            tracing::error!(
                code,
                "the payment gateway does not know the merchant; check PG_SECRET_KEY"
            );
        } else if told.view.is_some() {
            self.go_on();
        }
    }

    async fn renew(&self, task: Task<'_>) -> Result<(), Failure> {
        let until = after(self.clock.now(), self.timing.step_lease);
        let id = task.payment_id.to_string();
        let is_owner = due::renew(self.database.pool(), &id, task.owner, until).await?;
        if is_owner { Ok(()) } else { Err(Failure::Leased) }
    }

    async fn renew_confirm(&self, task: Task<'_>) -> Result<(), Failure> {
        let now = self.clock.now();
        let until = after(now, self.timing.step_lease);
        let id = task.payment_id.to_string();
        let pool = self.database.pool();
        let is_owner = due::renew_confirm(pool, &id, task.owner, now, until).await?;
        if is_owner { Ok(()) } else { Err(Failure::Leased) }
    }

    /// Whether a confirm that was sent last can no longer land.
    fn is_session_over(&self, facts: &Facts<'_>, asked_at: Timestamp) -> bool {
        let last = apply::at(facts.record.payment.last_attempt_at.as_deref()).ok().flatten();
        last.is_some_and(|last| asked_at > after(last, self.timing.safe_abort_wait))
    }
}

impl<'a> Task<'a> {
    fn change<A>(
        self,
        event: &'a (dyn Fn(&Facts<'_>) -> Event + Send + Sync),
        told: &'a Told<A>,
    ) -> Change<'a> {
        Change {
            payment_id: self.payment_id,
            event,
            lease: Lease::Hold(self.owner),
            inbox: self.message.map_or(Inbox::None, Inbox::AtTheEnd),
            found: None,
            known: Known {
                view: told.view.as_ref(),
                refusal: told.refusal.as_ref(),
                cause: self.cause,
                ..Known::default()
            },
        }
    }
}

/// Whether `approveBy` is still to come.
fn is_in_time(facts: &Facts<'_>) -> bool {
    let approve_by = facts.record.payment.approve_by.as_deref();
    approve_by.and_then(|text| read::<Timestamp>(text).ok()).is_some_and(|end| facts.now < end)
}

fn order(record: &Record) -> Order {
    Order {
        payment_id: record.payment.payment_id.clone(),
        id: record.payment.order_id.clone(),
        total: record.payment.total_amount,
    }
}
