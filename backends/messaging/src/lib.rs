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
//! | [`inbox`]       | messages that had their effect                                    |
//! | [`broker`]      | where messages go through                                         |
//! | [`consumer`]    | what is done with a message, and with one that cannot be handled  |

pub mod broker;
pub mod consumer;
pub mod envelope;
pub mod inbox;
pub mod outbox;
pub mod payload;
pub mod schema;
#[cfg(test)]
mod testing;
pub mod topic;
pub mod validation;
