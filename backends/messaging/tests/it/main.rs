//! The contract of messages, on the embedded log and on Kafka.
#![cfg(test)]

mod consuming;
mod harness;
mod outages;
mod relaying;
mod sharing;
