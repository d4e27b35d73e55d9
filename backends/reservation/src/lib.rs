//! What reservations have without the process around them: their rules.
//!
//! [`machine`] decides; it reads no clock and calls nobody, so that tests can walk through every
//! state.

pub mod machine;
