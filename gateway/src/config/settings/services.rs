//! `services`: what `lb://name` refers to, and how often a request may be sent again.

mod read;
mod spring;

use std::time::Duration;

use tollgate_filters::Scheme;

pub(super) use read::{read, retry_budget};
pub(in crate::config) use spring::spring_services;

/// `services.<name>`: one service and its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Its name, case kept.
    pub name: String,
    /// `balance`: who gets the next request. Default round robin.
    pub balance: Balance,
    /// `instances`: where it runs.
    pub instances: Vec<InstanceSpec>,
    /// `health`: active checks. `None`, the default: none.
    pub health: Option<HealthCheck>,
    /// `ejection`: instances that fail get no requests for a while.
    pub ejection: Ejection,
}

/// `balance`: which instance gets the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// `round-robin`: one after the other, each as often as its weight says.
    #[default]
    RoundRobin,
    /// `least-requests`: of two that are drawn, the one that has fewer requests for its weight.
    LeastRequests,
}

/// One instance of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSpec {
    /// `id`. Default: host and port.
    pub id: String,
    /// Host name or address literal, IPv6 without brackets.
    pub host: String,
    /// TCP port. `None`: the one of the scheme.
    pub port: Option<u16>,
    /// How to speak to it, whatever the route says. No file says it; a discovery may.
    pub scheme: Option<Scheme>,
    /// Whether it speaks TLS, where neither it nor the route names a scheme.
    pub is_secure: bool,
    /// `weight`: its share of the requests; 0 takes none. Default 1.
    pub weight: u32,
    /// `metadata`.
    pub metadata: Vec<(String, String)>,
}

/// `health`: an instance is asked now and then whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// `path`: what is asked with `GET`; a status of 2xx is well. Default `/healthz`.
    pub path: String,
    /// `interval`. Default 5 s.
    pub interval: Duration,
    /// `timeout`: how long the answer may take. Default 1 s.
    pub timeout: Duration,
    /// `unhealthy-after`: so many checks fail in a row until it is down. Default 2.
    pub unhealthy_after: u32,
    /// `healthy-after`: so many succeed in a row until it is up again. Default 2.
    pub healthy_after: u32,
}

/// `ejection`: what requests tell about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// `consecutive-failures`: so many requests fail in a row (502, 503, 504, no answer in time, a
    /// connection that breaks) until it gets none for a while. 0 never ejects. Default 5.
    pub consecutive_failures: u32,
    /// `time`: how long it gets none. Default 10 s.
    pub time: Duration,
    /// `panic-below`: percent of the instances. If fewer would be left, nobody stays ejected.
    /// Default 50.
    pub panic_below: u8,
}

impl ServiceSettings {
    /// A service without instances.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            balance: Balance::RoundRobin,
            instances: Vec::new(),
            health: None,
            ejection: Ejection::default(),
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: "/healthz".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            unhealthy_after: 2,
            healthy_after: 2,
        }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        Self { consecutive_failures: 5, time: Duration::from_secs(10), panic_below: 50 }
    }
}
