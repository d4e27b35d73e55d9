//! What payments have without the process around them: their rules, and the payment gateway.
//!
//! [`machine`] decides; it reads no clock and calls nobody, so that tests can walk through every
//! state. [`pg`] calls the payment gateway.

pub mod machine;
pub mod pg;
