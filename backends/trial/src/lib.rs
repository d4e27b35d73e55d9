//! Puts the platform's saga on trial: real processes that are killed, delayed and lied to, and a
//! checker that proves from what is left that nothing was lost.
//!
//! | module       | holds                                                        |
//! |--------------|--------------------------------------------------------------|
//! | [`evidence`] | what is left: stores, CMS, ledger, the journal of a client   |
//! | [`checker`]  | the promises, and which of them were broken                  |
//! | [`platform`] | the services as processes                                    |
//! | [`backing`]  | embedded parts, or `PostgreSQL` and Kafka                    |
//! | [`profile`]  | the timings of a trial                                       |
//! | [`booker`]   | a customer                                                   |
//! | [`chaos`]    | a while of trouble                                           |
//! | [`loader`]   | reads what is left                                           |
//! | [`throughput`] | how many a second, and what one costs                      |

pub mod backing;
pub mod booker;
pub mod chaos;
pub mod checker;
pub mod evidence;
pub mod loader;
pub mod platform;
pub mod profile;
pub mod throughput;
