//! What a file says about rate limits beside the filter itself.

use std::collections::BTreeMap;

use http::HeaderName;

use super::{KeyResolver, Policy};
use crate::Invalid;
use crate::invalid::nearest;
use crate::status::Status;

/// What a file says about rate limits beside the filter itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitSettings {
    /// `key-resolvers`: what `#{@name}` refers to.
    pub key_resolvers: BTreeMap<String, KeyResolver>,
    /// The resolver of a filter that names none: the only declared one, else the one that is
    /// marked, else the member.
    pub default_resolver: KeyResolver,
    /// `filter.request-rate-limiter.deny-empty-key`: whether a request without a key is refused.
    /// Default true.
    pub deny_empty_key: bool,
    /// `filter.request-rate-limiter.empty-key-status-code`: what it is answered then. Default 403.
    pub empty_key_status: u16,
    /// `filter.request-rate-limiter.throw-on-limit`: whether a request above its limit is an
    /// exception, which is answered 500. Default false.
    pub throw_on_limit: bool,
    /// `redis-rate-limiter.*-header`: the headers of an answer; `None` with
    /// `redis-rate-limiter.include-headers: false`.
    pub headers: Option<HeaderNames>,
    /// `redis-rate-limiter.config.<id>`: the limits of routes that write none, by id;
    /// `defaultFilters` stands for every route.
    pub config: BTreeMap<String, Policy>,
    /// The names of `stores`.
    pub stores: Vec<String>,
}

/// `redis-rate-limiter.*-header`: what the headers are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderNames {
    /// How many tokens are left. Default `X-RateLimit-Remaining`.
    pub remaining: String,
    /// How many come back each second. Default `X-RateLimit-Replenish-Rate`.
    pub replenish_rate: String,
    /// How many there may be. Default `X-RateLimit-Burst-Capacity`.
    pub burst_capacity: String,
    /// What a request costs. Default `X-RateLimit-Requested-Tokens`.
    pub requested_tokens: String,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            key_resolvers: BTreeMap::new(),
            default_resolver: KeyResolver::Member,
            deny_empty_key: true,
            empty_key_status: 403,
            throw_on_limit: false,
            headers: Some(HeaderNames::default()),
            config: BTreeMap::new(),
            stores: Vec::new(),
        }
    }
}

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            remaining: "X-RateLimit-Remaining".to_owned(),
            replenish_rate: "X-RateLimit-Replenish-Rate".to_owned(),
            burst_capacity: "X-RateLimit-Burst-Capacity".to_owned(),
            requested_tokens: "X-RateLimit-Requested-Tokens".to_owned(),
        }
    }
}

/// The store of a filter that names none.
pub(crate) const DEFAULT_STORE: &str = "default";

/// The resolvers that need not be declared, by the names that public configurations use.
const BUILT_IN: [&str; 5] = [
    "principalNameKeyResolver",
    "ipKeyResolver",
    "pathKeyResolver",
    "hostKeyResolver",
    "userKeyResolver",
];

/// The resolver that need not be declared under this name.
pub fn key_resolver_named(name: &str) -> Option<KeyResolver> {
    match name {
        "principalNameKeyResolver" => Some(KeyResolver::Member),
        "ipKeyResolver" => Some(KeyResolver::ClientAddress),
        "pathKeyResolver" => Some(KeyResolver::Path),
        "hostKeyResolver" => Some(KeyResolver::Host),
        "userKeyResolver" => Some(KeyResolver::Header(HeaderName::from_static("x-user"))),
        _ => None,
    }
}

impl LimitSettings {
    /// The resolver that `#{@name}` refers to.
    ///
    /// # Errors
    ///
    /// There is none; the problem names those there are.
    pub fn key_resolver(&self, name: &str) -> Result<KeyResolver, Invalid> {
        let known = self.key_resolvers.get(name).cloned();
        known.or_else(|| key_resolver_named(name)).ok_or_else(|| {
            let names: Vec<&str> =
                self.key_resolvers.keys().map(String::as_str).chain(BUILT_IN).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => {
                    format!("declare it under `key-resolvers`, or take one of {}", names.join(", "))
                }
            };
            Invalid::new("unknown-bean", format!("no key resolver `{name}` is known"))
                .with_help(help)
        })
    }

    /// The limit of a route: what its filters say, else what the file says for its id, else for all
    /// (`resilience.md` 1.5).
    pub(crate) fn policy_of(&self, route_id: &str, written: Option<Policy>) -> Option<Policy> {
        let configured = || self.config.get(route_id).or_else(|| self.config.get("defaultFilters"));
        written.or_else(|| configured().copied())
    }

    /// Reads the status of a request without a key: a name, or any number that an answer may have.
    ///
    /// # Errors
    ///
    /// What is neither.
    pub fn parse_empty_key_status(text: &str) -> Result<u16, Invalid> {
        let status = Status::parse(text)?.sendable().filter(|code| *code >= 200);
        status.ok_or_else(|| {
            Invalid::argument("status", format!("`{text}` is not from 200 to 999"))
                .with_help("write a name such as `FORBIDDEN`, or a number")
        })
    }
}
