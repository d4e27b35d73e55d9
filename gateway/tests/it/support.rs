//! What the tests are written with: an upstream that shows what reached it, a gateway in this
//! process, and clients that send exactly what they are told.

mod client;
mod deadline;
mod gateway;
mod http2;
mod members;
mod reply;
mod upstream;

pub(crate) use client::{Answer, Client};
pub(crate) use deadline::{DEADLINE, eventually};
pub(crate) use gateway::Gateway;
pub(crate) use http2::Http2;
pub(crate) use members::{log_in, member_service, secrets};
pub(crate) use reply::{Gate, Reply};
pub(crate) use upstream::{Refusing, Seen, Unreachable, Upstream};
