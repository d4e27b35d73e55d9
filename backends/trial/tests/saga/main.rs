//! The saga through the real binaries over TCP, on embedded parts and on `PostgreSQL` and Kafka.
//!
//! Every scenario has a platform of its own. The programs are those of the same build: a run of the
//! whole workspace makes them; for this package alone, `cargo build --workspace --bins` does.
#![cfg(test)]

mod booking;
mod chaos;
mod crashes;
mod faults;
mod messages;
mod notices;
mod order;
mod stage;
