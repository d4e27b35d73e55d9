//! The gateway as its clients, its upstreams and its operator see it: every test starts a real
//! gateway on a free port and talks to it over TCP.
#![cfg(test)]

mod support;

mod admin;
mod connections;
mod filters;
mod gateway_core;
mod global_filters;
mod pipeline;
mod proxying;
mod routes_in_code;
mod routes_in_file;
mod targets;
