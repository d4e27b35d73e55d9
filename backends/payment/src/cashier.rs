//! Takes and returns money: carries out what the machine decides.
//!
//! Whatever happens to a payment is one [`Change`]: a transaction that loads it, asks the machine,
//! and writes state, history, inbox and outbox. What the machine wants to know from the payment
//! gateway is asked between two of them, under the payment's lease.

mod apply;
mod calls;
mod change;
mod commands;
mod papers;
mod timers;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use messaging::relay::RelayHandle;
use service::clock::{Clock, after};
use service::crash::Crash;
use service::database::Database;
use service::timing::{Timing, delay};
use tokio::sync::Notify;
use uuid::Uuid;

pub(crate) use self::change::Failure;
pub(crate) use self::commands::{CancelCommand, ConfirmCommand, Message, NewPayment};
pub(crate) use self::papers::alert_code;
use crate::gateway::Gateway;
use crate::metrics::Metrics;

/// The points at which the process can be told to die.
pub(crate) const CRASH_POINTS: &[&str] = &[
    "payment.create.before_answer",
    "payment.confirm.after_inbox",
    "payment.confirm.before_pg",
    "payment.confirm.after_pg",
    "payment.confirm.before_publish",
    "payment.confirm.before_offset",
    "payment.refund.before_pg",
    "payment.refund.after_pg",
    "payment.refund.before_publish",
    "payment.refund.before_offset",
    "payment.webhook.before_query",
    messaging::relay::CRASH_POINT,
];

/// Whoever takes and returns money; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Cashier {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) timing: Arc<Timing>,
    pub(crate) gateway: Gateway,
    pub(crate) relay: RelayHandle,
    pub(crate) crash: Crash,
    pub(crate) metrics: Metrics,
    pub(crate) merchant: Arc<str>,
    /// Told when the worker has something to do.
    pub(crate) work: Arc<Notify>,
    /// Until when nothing new is sent to the payment gateway, in milliseconds of Unix time.
    pub(crate) paused_until: Arc<AtomicI64>,
}

impl Cashier {
    /// Hands what was written to the relay.
    fn publish(&self, point: &str, produced: &[Uuid]) {
        if !produced.is_empty() {
            self.crash.pass(point);
            self.relay.wake();
        }
    }

    /// Keeps from sending more to a payment gateway that does not know the merchant.
    fn pause(&self) {
        let wait = delay(&self.timing.pause_backoff, usize::MAX);
        let until = after(self.clock.now(), wait).as_millisecond();
        self.paused_until.store(until, Ordering::Relaxed);
        self.metrics.misconfigured.set(1);
    }

    fn go_on(&self) {
        self.metrics.misconfigured.set(0);
    }

    /// Whether it was told so and some of that time is left.
    pub(crate) fn is_paused(&self) -> bool {
        self.clock.now().as_millisecond() < self.paused_until.load(Ordering::Relaxed)
    }
}
