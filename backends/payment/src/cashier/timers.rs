//! What happens without a message: time passes, or the payment gateway announced something.

use payment::machine::{Asked, Decision, Event, Next};
use uuid::Uuid;

use super::Cashier;
use super::calls::{Glance, Task};
use super::change::{Change, Changed, Facts, Failure, Inbox, Known, Lease};
use crate::store::{self, By, Record};
use service::clock::after;

impl Cashier {
    /// Y09: nobody paid in time.
    pub(crate) async fn expire(&self, payment_id: Uuid) -> Result<(), Failure> {
        let owner = Uuid::now_v7().to_string();
        let event = |_: &Facts<'_>| Event::TimeRanOut;
        self.run(payment_id, &owner, &event, None).await
    }

    /// Y06: asks what became of a payment in progress.
    pub(crate) async fn reconcile(&self, payment_id: Uuid) -> Result<(), Failure> {
        let owner = Uuid::now_v7().to_string();
        let event = |_: &Facts<'_>| Event::ReconcileDue;
        self.run(payment_id, &owner, &event, None).await
    }

    /// RF6, RF8: tries a refund once more.
    pub(crate) async fn refund(&self, payment_id: Uuid, refund: Uuid) -> Result<(), Failure> {
        let owner = Uuid::now_v7().to_string();
        let event = move |_: &Facts<'_>| Event::RefundDue { refund };
        self.run(payment_id, &owner, &event, Some(refund)).await
    }

    async fn run(
        &self,
        payment_id: Uuid,
        owner: &str,
        event: &(dyn Fn(&Facts<'_>) -> Event + Send + Sync),
        refund: Option<Uuid>,
    ) -> Result<(), Failure> {
        let first = self
            .change(Change {
                payment_id,
                event,
                lease: Lease::Need(owner),
                inbox: Inbox::None,
                found: None,
                known: Known { refund, ..Known::default() },
            })
            .await?;
        let is_refund = refund.is_some();
        let point = if is_refund {
            "payment.refund.before_publish"
        } else {
            "payment.confirm.before_publish"
        };
        self.drive(timer_task(payment_id, owner, point), first).await.map(drop)
    }

    /// Y14, Y17: asks about a payment that somebody says has changed. Whether the payment gateway
    /// answered.
    pub(crate) async fn look_into_hint(&self, found: &Record) -> Result<bool, Failure> {
        let is_free = !found.is_leased(self.clock.now());
        let glance = if is_free { self.glance(found).await? } else { Glance::New };
        match glance {
            Glance::Known => Ok(true),
            Glance::New => self.look_into(found.payment.id()?).await,
            Glance::Silent => Ok(false),
        }
    }

    /// Y14, Y17: asks about a payment of which somebody said that it changed, or that was not asked
    /// about for long. Whether the payment gateway answered.
    pub(crate) async fn look_into(&self, payment_id: Uuid) -> Result<bool, Failure> {
        let owner = Uuid::now_v7().to_string();
        if !self.lease_for_look(payment_id, &owner).await? {
            return Err(Failure::Leased);
        }
        let mut connection = self.database.pool().acquire().await?;
        let record = store::load(&mut connection, &By::Id(payment_id)).await?;
        drop(connection);
        let record = record.ok_or(Failure::Unknown)?;
        let decision = Decision {
            rows: Vec::new(),
            payment: record.facts()?,
            effects: Vec::new(),
            next: Next::Query(Asked::Hint),
        };
        let first = Changed { decision, produced: Vec::new(), record, is_silent: false };
        let task = timer_task(payment_id, &owner, "payment.confirm.before_publish");
        self.drive(task, first).await.map(|last| !last.is_silent)
    }

    async fn lease_for_look(&self, payment_id: Uuid, owner: &str) -> Result<bool, Failure> {
        let now = self.clock.now();
        let pool = self.database.pool();
        let id = payment_id.to_string();
        Ok(store::due::take(pool, &id, owner, now, after(now, self.timing.step_lease)).await?)
    }
}

fn timer_task<'a>(payment_id: Uuid, owner: &'a str, publish_point: &'static str) -> Task<'a> {
    Task { payment_id, owner, message: None, for_command: false, cause: None, publish_point }
}
