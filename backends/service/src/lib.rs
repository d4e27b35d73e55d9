//! What every backend service needs and none should write twice.
//!
//! | module         | holds                                                              |
//! |----------------|--------------------------------------------------------------------|
//! | [`settings`]   | configuration from the environment, `X` or `X_FILE`                 |
//! | [`server`]     | binding, draining, signals, exit codes                              |
//! | [`app`]        | a service's router with what surrounds it: health, metrics, `OpenAPI` |
//! | [`problem`]    | errors as RFC 9457 documents                                        |
//! | [`envelope`]   | answers that went well: one value, or a page of them                |
//! | [`query`]      | query parameters, checked together so all faults are told at once   |
//! | [`body`]       | JSON request bodies                                                 |
//! | [`cursor`]     | where the next page begins                                          |
//! | [`database`]   | `SQLite` and `PostgreSQL` behind one pool; migrations               |
//! | [`clock`]      | the time, and what day it is in Korea                               |
//! | [`telemetry`]  | logs                                                                |
//! | [`testing`]    | a router called without a socket, every database for a test         |
//!
//! It knows nothing of the gateway and nothing of any one service's domain.

pub mod app;
pub mod body;
pub mod clock;
mod correlation;
pub mod cursor;
pub mod database;
mod edge;
pub mod envelope;
mod metrics;
pub mod problem;
pub mod query;
pub mod server;
pub mod settings;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
