//! What every backend service needs and none should write twice.
//!
//! | module         | holds                                                              |
//! |----------------|--------------------------------------------------------------------|
//! | [`settings`]   | configuration from the environment, `X` or `X_FILE`                 |
//! | [`server`]     | binding, draining, signals, exit codes                              |
//! | [`app`]        | a service's router with what surrounds it: health, metrics, `OpenAPI` |
//! | [`problem`]    | errors as RFC 9457 documents                                        |
//! | [`envelope`]   | answers that went well: one value, or a page of them                |
//! | [`faults`]     | what a stand-in does wrong when a test wants it to                  |
//! | [`query`]      | query parameters, checked together so all faults are told at once   |
//! | [`hands`]      | what a worker does: a few things at once, none twice at the same time |
//! | [`body`]       | JSON request bodies                                                 |
//! | [`causes`]     | errors with what is behind them                                     |
//! | [`check`]      | the members of a body, checked together                             |
//! | [`code`]       | values that are written as one of a few codes                       |
//! | [`keys`]       | shared secrets, read again when they change                         |
//! | [`proof`]      | who calls: the gateway for a member, or another service             |
//! | [`peer`]       | calls to another service: time limits, retries, errors              |
//! | [`correlation`] | the trace that calls and messages belong to                       |
//! | [`crash`]      | where a process dies when a test wants it to                        |
//! | [`cursor`]     | where the next page begins                                          |
//! | [`database`]   | `SQLite` and `PostgreSQL` behind one pool; migrations               |
//! | [`date`]       | dates as clients write them                                         |
//! | [`stored`]     | values as they stand in a store                                     |
//! | [`clock`]      | the time, and what day it is in Korea                               |
//! | [`timing`]     | how long things may take, in one profile                            |
//! | [`tls`]        | HTTP clients that can speak TLS                                     |
//! | [`metrics`]    | what is counted                                                     |
//! | [`telemetry`]  | logs                                                                |
//! | `testing`      | a router called without a socket, real processes, proofs, databases |
//!
//! It knows nothing of the gateway and nothing of any one service's domain.

pub mod app;
pub mod body;
pub mod causes;
pub mod check;
pub mod clock;
pub mod code;
pub mod correlation;
pub mod crash;
pub mod cursor;
pub mod database;
pub mod date;
mod edge;
pub mod envelope;
pub mod faults;
pub mod hands;
pub mod keys;
pub mod metrics;
pub mod peer;
pub mod problem;
pub mod proof;
pub mod query;
pub mod server;
pub mod settings;
pub mod stored;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timing;
pub mod tls;
