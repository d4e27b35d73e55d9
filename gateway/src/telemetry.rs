//! What the gateway tells about itself: metrics and the access log.

pub mod access_log;
mod breakers;
mod families;
pub mod metrics;
mod services;
pub mod timer;
