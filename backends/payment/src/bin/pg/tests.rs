//! What the merchant can rely on, on every kind of store.

mod faults;
mod idempotency;
mod payments;
