//! Leads reservations to an end: carries out what the machine decides.
//!
//! Whatever happens to a reservation is one [`Change`](change::Change): a transaction that begins with
//! what was found of it, asks the machine, and writes state, history, inbox, steps and outbox. Calls
//! of the CMS are made between two of them, each under the lease of its step.

mod apply;
mod booker;
mod change;
mod create;
mod letters;
mod operator;
mod results;
mod steps;
mod timers;

use std::sync::Arc;

use ::reservation::machine::Row;
use jiff::Timestamp;
use messaging::relay::RelayHandle;
use service::clock::{Clock, after};
use service::crash::Crash;
use service::database::Database;
use service::timing::Timing;
use tokio::sync::Notify;
use uuid::Uuid;

pub(crate) use self::booker::ApprovePayment;
pub(crate) use self::change::{Changed, Failure, Message};
pub(crate) use self::create::{Created, Key};
pub(crate) use self::letters::refund_amount;
pub(crate) use self::operator::SettleError;
pub(crate) use self::results::Said;
use crate::cms::Cms;
use crate::metrics::Metrics;
use crate::payments::Payments;

/// The points at which the process can be told to die.
pub(crate) const CRASH_POINTS: &[&str] = &[
    "reservation.create.before_hold",
    "reservation.create.after_hold",
    "reservation.create.after_payment",
    "reservation.create.before_answer",
    "reservation.approve.before_publish",
    "reservation.result.after_inbox",
    "reservation.result.before_publish",
    "reservation.result.before_steps",
    "reservation.step.before_call",
    "reservation.step.after_call",
    "reservation.step.between",
    "reservation.result.before_offset",
    "reservation.cancel.before_step",
    "reservation.released.before_publish",
    "reservation.compensate.before_publish",
    messaging::relay::CRASH_POINT,
];

/// Whoever leads reservations to an end; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Saga {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) timing: Arc<Timing>,
    pub(crate) cms: Cms,
    pub(crate) payments: Payments,
    pub(crate) relay: RelayHandle,
    pub(crate) crash: Crash,
    pub(crate) metrics: Metrics,
    /// Told when the worker has something to do.
    pub(crate) work: Arc<Notify>,
}

impl Saga {
    /// Hands what a change has written to the relay and to the worker.
    fn hand_on(&self, changed: &Changed) {
        let has = |rows: &[Row]| changed.decision.rows.iter().any(|row| rows.contains(row));
        if has(&[Row::T06]) {
            self.crash.pass("reservation.approve.before_publish");
        }
        if has(&[Row::T16, Row::T31]) {
            self.crash.pass("reservation.compensate.before_publish");
        }
        if has(&[Row::T19, Row::T22]) {
            self.crash.pass("reservation.released.before_publish");
        }
        if has(&[Row::T08, Row::T15b, Row::T18]) {
            self.crash.pass("reservation.cancel.before_step");
        }
        if !changed.produced.is_empty() {
            self.relay.wake();
        }
    }

    /// Until when whoever takes a lease now has it.
    fn lease_end(&self, now: Timestamp) -> Timestamp {
        after(now, self.timing.step_lease)
    }
}

/// A name for whoever takes a lease: nobody else ever has it.
fn new_owner() -> String {
    Uuid::now_v7().to_string()
}
