//! The rules of payments and refunds, without the process around them.
//!
//! [`machine`] decides; it reads no clock and calls nobody, so that tests can walk through every
//! state.

pub mod machine;
