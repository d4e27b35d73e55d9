//! Tollgate: an API gateway on Pingora that speaks the Spring Cloud Gateway language.
//!
//! The command line is in [`cli`]. To embed the gateway with routes built in code, see [`builder`]
//! and [`gateway`].

pub mod admin;
pub mod answer;
pub mod auth;
pub mod balance;
pub mod builder;
pub mod cli;
mod clock;
pub mod config;
pub mod drain;
pub mod gateway;
mod ip_text;
pub mod proxy;
pub mod reload;
mod secret_source;
pub mod server;
pub mod snapshot;
pub mod stores;
pub mod telemetry;
pub mod upstream;
