//! What can be used without the process around it.
//!
//! [`pg`] calls the payment gateway.

pub mod pg;
