//! What the tests of this crate share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use service::clock::Clock;
use service::database::SchemaStep;

/// The schema of a service that does nothing but send and receive.
pub(crate) const STEPS: &[SchemaStep] =
    &[SchemaStep { version: 1, name: "messages", sql: crate::schema::SQL }];

/// A clock, and what sets it.
pub(crate) fn settable_clock(at: Timestamp) -> (Clock, impl Fn(Timestamp)) {
    let millis = Arc::new(AtomicI64::new(at.as_millisecond()));
    let told = Arc::clone(&millis);
    let clock = Clock::telling(move || {
        Timestamp::from_millisecond(told.load(Ordering::SeqCst)).unwrap_or_default()
    });
    (clock, move |at: Timestamp| millis.store(at.as_millisecond(), Ordering::SeqCst))
}
