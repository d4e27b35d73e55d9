//! Messages between services.
//!
//! | module          | holds                                                             |
//! |-----------------|-------------------------------------------------------------------|
//! | [`topic`]       | the topics: who writes them, partitions, retention                |
//! | [`payload`]     | what messages say                                                 |
//! | [`envelope`]    | what every message says beside that                               |
//! | [`validation`]  | records held against the schemas in `schemas/`                    |
//! | [`schema`]      | the tables of a service that sends or receives                    |
//! | [`outbox`]      | messages to be sent, in the transaction that decides on them      |
//! | [`relay`]       | publishes them                                                    |
//! | [`inbox`]       | messages that had their effect                                    |
//! | [`consumer`]    | what is done with a message, and with one that cannot be handled  |
//! | [`dead_letter`] | messages that nobody can read                                     |
//! | [`broker`]      | where messages go through: the embedded log, or Kafka             |
//! | [`bus`]         | what all of these share in a process                              |
//! | [`health`]      | whether messages flow                                             |
//! | [`metrics`]     | what is counted                                                   |

pub mod broker;
pub mod bus;
pub mod consumer;
pub mod dead_letter;
pub mod envelope;
pub mod health;
pub mod inbox;
mod kafka;
mod log;
pub mod metrics;
pub mod outbox;
pub mod payload;
pub mod relay;
pub mod schema;
#[cfg(test)]
mod testing;
pub mod topic;
pub mod validation;

use std::time::Duration;

use tokio::time::sleep;

#[expect(
    clippy::disallowed_methods,
    reason = "a back-off, or a look at what nobody tells of; never a wait for an event"
)]
async fn pause(duration: Duration) {
    sleep(duration).await;
}

/// `duration` ± 20 %, so that those who wait together do not come back together.
fn spread(duration: Duration) -> Duration {
    duration.mul_f64(0.8 + fastrand::f64() * 0.4)
}
