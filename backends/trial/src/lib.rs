//! Puts the platform's saga on trial: real processes that are killed, delayed and lied to, and a
//! checker that proves from what is left that nothing was lost.
//!
//! | module       | holds                                                        |
//! |--------------|--------------------------------------------------------------|
//! | [`evidence`] | what is left: stores, CMS, ledger, the journal of a client   |
//! | [`checker`]  | the promises, and which of them were broken                  |
//! | [`profile`]  | the timings of a trial                                       |

pub mod checker;
pub mod evidence;
pub mod profile;
