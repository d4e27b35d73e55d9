//! The gateway as its clients, its upstreams and its operator see it: every test starts a real
//! gateway on a free port and talks to it over TCP.
#![cfg(test)]

mod support;

mod admin;
mod breaker_admin;
mod breakers;
mod circuit_breaker;
mod connections;
mod deviations;
mod failures;
mod fallback_headers;
mod fallbacks;
mod filters;
mod forwarded;
mod gateway_core;
mod global_filters;
mod http2_clients;
mod metrics;
mod pipeline;
mod proxying;
mod rate_limiter;
mod request_size;
mod retry;
mod retry_budget;
mod routes_in_code;
mod routes_in_file;
mod services;
mod targets;
mod time_limits;
mod timeouts;
mod websocket;
