//! `RequestRateLimiter` lets so many requests of one key through, and refuses the others.
//!
//! It has no shortcut: `name: RequestRateLimiter`, and under `args` what a key is (`key-resolver`),
//! how many tokens a second come back to its bucket, how many there may be, and what a request costs
//! (`redis-rate-limiter.replenish-rate`, `.burst-capacity`, `.requested-tokens`). The bucket is that
//! of the route and the key. What is left is in headers of every answer.
//!
//! A limiter without numbers of its own takes those of the last one of the route that has some, then
//! those that the file has for the route or for all.
//!
//! | route | request | client sees |
//! |-------|---------|-------------|
//! | `{ name: RequestRateLimiter, args: { key-resolver: '#{@pathKeyResolver}', redis-rate-limiter.replenish-rate: 1, redis-rate-limiter.burst-capacity: 0 } }` | `/rooms` | `429 ⏎ X-RateLimit-Remaining: 0 ⏎ X-RateLimit-Burst-Capacity: 0 ⏎ RateLimit: "default";r=0` |
//! | `{ name: RequestRateLimiter, args: { redis-rate-limiter.replenish-rate: 1 } }` | `/rooms` | `403 ⏎ -X-RateLimit-Remaining` |

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{ArgValue, Argument, FromArguments, Shortcut, UnitSettings, java_long};
use crate::limit::{
    Buckets, DEFAULT_STORE, Key, KeyResolver, LimitFields, LimitSettings, Policy, Taken,
    WrittenLimit,
};
use crate::status::Status;
use crate::{Entry, Exchange, Failure, Invalid, Parts};

/// Lets so many requests of one key through.
#[derive(Debug)]
pub(super) struct RequestRateLimiter(Box<Limiter>);

#[derive(Debug)]
struct Limiter {
    route: Box<str>,
    /// How the key resolver is called.
    key_name: Box<str>,
    key: KeyResolver,
    policy: Policy,
    /// The status of a request above the limit.
    denied: u16,
    /// The status of a request without a key; `None` lets it through.
    keyless: Option<u16>,
    throws: bool,
    store: Box<str>,
    on_store_loss: OnStoreLoss,
    fields: LimitFields,
    buckets: OnceLock<Arc<dyn Buckets>>,
    local: OnceLock<Arc<dyn Buckets>>,
}

/// `on-store-loss`: what becomes of requests while the store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnStoreLoss {
    /// They are let through.
    Open,
    /// They are refused.
    Closed,
    /// They are counted in the process.
    Local,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Config {
    /// `#{@name}` of a key resolver.
    key_resolver: Option<String>,
    /// `#{@redisRateLimiter}`, if anything.
    rate_limiter: Option<String>,
    /// The name of the status of a request above the limit. Default `TOO_MANY_REQUESTS`.
    status_code: Option<String>,
    /// Whether a request without a key is refused.
    deny_empty_key: Option<bool>,
    /// The status of a request without a key, by name or number.
    empty_key_status: Option<String>,
    /// Whether a request above the limit is an exception.
    throw_on_limit: Option<bool>,
    /// Tokens that come back each second.
    #[serde(rename = "redis-rate-limiter.replenish-rate")]
    replenish_rate: Option<i32>,
    /// The most tokens there may be. Default 1.
    #[serde(rename = "redis-rate-limiter.burst-capacity")]
    burst_capacity: Option<i64>,
    /// What a request costs. Default 1.
    #[serde(rename = "redis-rate-limiter.requested-tokens")]
    requested_tokens: Option<i32>,
    /// The store that counts. Default `default`.
    store: Option<String>,
    /// `open`, `closed` or `local`. Default `open`.
    on_store_loss: Option<String>,
    /// Whether the answer has `RateLimit-Policy` and `RateLimit`. Default as
    /// `redis-rate-limiter.include-headers`.
    rate_limit_fields: Option<bool>,
}

const PREFIX: &str = "redis-rate-limiter";

impl FromArguments for RequestRateLimiter {
    const NAME: &'static str = "RequestRateLimiter";
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    const BEANS: &'static [&'static str] = &["key-resolver", "rate-limiter"];
    type Config = Config;

    fn look_over<'e>(
        entry: &'e Entry,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Cow<'e, Entry>, Invalid> {
        if let Some(argument) = entry.arguments.iter().find(|argument| !argument.has_name()) {
            return Err(shortcut(entry).or_at(argument.span));
        }
        if let Some(argument) = entry.arguments.iter().find(|argument| argument.is_below(BUCKET4J))
        {
            return Err(bucket4j().or_at(argument.span));
        }
        let counts = |argument: &&Argument| !argument.is_below(PREFIX) || is_literal(argument);
        if entry.arguments.iter().all(|argument| counts(&argument)) {
            return Ok(Cow::Borrowed(entry));
        }
        for argument in entry.arguments.iter().filter(|argument| !counts(argument)) {
            settings.refuse_or_warn(misspelling(argument))?;
        }
        let arguments = entry.arguments.iter().filter(counts).cloned().collect();
        Ok(Cow::Owned(Entry { arguments, ..entry.clone() }))
    }

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let limits = settings.limits;
        let policy = policy(&config, limits, settings)?;
        check_rate_limiter(config.rate_limiter.as_deref())?;
        let (key_name, key) = key(config.key_resolver.as_deref(), limits)?;
        let denied = config.status_code.as_deref().map_or(Ok(429), denied_status)?;
        let keyless = config.empty_key_status.as_deref().map(empty_key_status).transpose()?;
        let denies_empty_key = config.deny_empty_key.unwrap_or(limits.deny_empty_key);
        let is_ietf = config.rate_limit_fields.unwrap_or(limits.headers.is_some());
        let headers = limits.headers.as_ref();
        Ok(Self(Box::new(Limiter {
            route: settings.route_id.into(),
            key_name: key_name.into(),
            key,
            policy,
            denied,
            keyless: denies_empty_key.then(|| keyless.unwrap_or(limits.empty_key_status)),
            throws: config.throw_on_limit.unwrap_or(limits.throw_on_limit),
            store: store(config.store, limits)?.into(),
            on_store_loss: config.on_store_loss.as_deref().map_or(Ok(OnStoreLoss::Open), loss)?,
            fields: LimitFields::new(policy, headers, is_ietf, &settings.shared_headers)?,
            buckets: OnceLock::new(),
            local: OnceLock::new(),
        })))
    }
}

/// The numbers of a limiter: those of the route's last one that has some, else what the file says.
fn policy(
    config: &Config,
    limits: &LimitSettings,
    settings: &UnitSettings<'_>,
) -> Result<Policy, Invalid> {
    let written = WrittenLimit {
        replenish_rate: config.replenish_rate,
        burst_capacity: config.burst_capacity,
        requested_tokens: config.requested_tokens,
    };
    // What is written is checked, whether it counts or not.
    let own = written.policy()?;
    limits.policy_of(settings.route_id, settings.route_limit.or(own)).ok_or_else(|| {
        let route = settings.route_id;
        let message = format!("No Configuration found for route {route} or defaultFilters");
        Invalid::new("no-limit", message)
            .with_help(
                "write `redis-rate-limiter.replenish-rate` and `.burst-capacity` under `args`, or \
                 the same under `redis-rate-limiter.config` of the file",
            )
            .per_request()
    })
}

/// The numbers that a filter writes, if it is a limiter, has some, and they can be used.
///
/// The last one of a route decides for all of them, those of `default-filters` among them
/// (`resilience.md` 1.5).
pub fn written_limit(entry: &Entry) -> Option<Policy> {
    if entry.name != RequestRateLimiter::NAME {
        return None;
    }
    let number = |name: &str| {
        let is_it = |argument: &&Argument| is_literal(argument) && argument.is_named(name);
        let argument = entry.arguments.iter().rev().find(is_it)?;
        match &argument.value {
            ArgValue::Text(text) => Some(java_long(text).ok()),
            ArgValue::List(_) => Some(None),
        }
    };
    let int = |name| match number(name) {
        None => Some(None),
        Some(number) => i32::try_from(number?).ok().map(Some),
    };
    let burst_capacity = match number("redis-rate-limiter.burst-capacity") {
        None => None,
        Some(number) => Some(number?),
    };
    let written = WrittenLimit {
        replenish_rate: int("redis-rate-limiter.replenish-rate")?,
        burst_capacity,
        requested_tokens: int("redis-rate-limiter.requested-tokens")?,
    };
    written.policy().ok().flatten()
}

/// Whether the prefix is spelt as the reference gateway looks for it.
fn is_literal(argument: &Argument) -> bool {
    let rest = argument.key.as_deref().and_then(|key| key.strip_prefix(PREFIX));
    rest.is_some_and(|rest| rest.starts_with('.'))
}

fn misspelling(argument: &Argument) -> Invalid {
    let key = argument.key.as_deref().unwrap_or_default();
    let leaf = key.split_once('.').map_or("", |(_, leaf)| leaf);
    Invalid::new("unknown-argument", format!("unknown argument `{key}`"))
        .with_help(format!("write `{PREFIX}.{leaf}`: only that spelling of the prefix counts"))
        .or_at(argument.span)
}

/// What to write in the place of a shortcut, with as much of it as can be understood.
fn shortcut(entry: &Entry) -> Invalid {
    let mut numbers = Vec::new();
    let mut resolver = "#{@ipKeyResolver}";
    for argument in &entry.arguments {
        match &argument.value {
            ArgValue::Text(text) if text.starts_with("#{@") => resolver = text,
            ArgValue::Text(text) if java_long(text).is_ok() => numbers.push(text.as_str()),
            ArgValue::Text(_) | ArgValue::List(_) => {}
        }
    }
    let mut numbers = numbers.into_iter();
    let (rate, burst) = (numbers.next().unwrap_or("10"), numbers.next().unwrap_or("20"));
    Invalid::new("no-shortcut", "it has no shortcut; its arguments would be ignored").with_help(
        format!(
            "write `name: RequestRateLimiter` and `args: {{ key-resolver: \"{resolver}\", \
             redis-rate-limiter: {{ replenish-rate: {rate}, burst-capacity: {burst} }} }}`"
        ),
    )
}

const BUCKET4J: &str = "bucket4j-rate-limiter";

fn bucket4j() -> Invalid {
    Invalid::new("unknown-argument", format!("`{BUCKET4J}` is not supported")).with_help(
        "write `redis-rate-limiter: { replenish-rate: TOKENS, burst-capacity: CAPACITY }` for TOKENS \
         a second; for N a minute `replenish-rate: N`, `requested-tokens: 60` and \
         `burst-capacity: 60 * N`",
    )
}

/// The name in `#{@name}`.
fn bean<'t>(field: &'static str, text: &'t str) -> Result<&'t str, Invalid> {
    let name = text.trim().strip_prefix("#{@").and_then(|rest| rest.strip_suffix('}'));
    name.ok_or_else(|| {
        let help = format!("write `\"#{{@{}}}\"`, in quotes", text.trim());
        Invalid::argument(field, format!("`{text}` is not a reference")).with_help(help)
    })
}

fn check_rate_limiter(text: Option<&str>) -> Result<(), Invalid> {
    let Some(text) = text else { return Ok(()) };
    match bean("rate-limiter", text)? {
        "redisRateLimiter" => Ok(()),
        name => Err(Invalid {
            field: Some("rate-limiter"),
            ..Invalid::new("unknown-bean", format!("no rate limiter `{name}` is known"))
                .with_help("the only one is `#{@redisRateLimiter}`; `store` says where it counts")
        }),
    }
}

fn key(text: Option<&str>, limits: &LimitSettings) -> Result<(String, KeyResolver), Invalid> {
    let Some(text) = text else {
        return Ok(("default".to_owned(), limits.default_resolver.clone()));
    };
    let name = bean("key-resolver", text)?;
    let at = |problem| Invalid { field: Some("key-resolver"), ..problem };
    Ok((name.to_owned(), limits.key_resolver(name).map_err(at)?))
}

fn denied_status(text: &str) -> Result<u16, Invalid> {
    let status = Status::named(text).and_then(Status::sendable).filter(|code| *code >= 200);
    status.ok_or_else(|| {
        Invalid::argument("status-code", format!("`{text}` is not the name of a status"))
            .with_help("write a name such as `TOO_MANY_REQUESTS`; numbers are not taken here")
    })
}

fn empty_key_status(text: &str) -> Result<u16, Invalid> {
    let at = |problem| Invalid { field: Some("empty-key-status"), ..problem };
    LimitSettings::parse_empty_key_status(text).map_err(at)
}

fn store(written: Option<String>, limits: &LimitSettings) -> Result<String, Invalid> {
    let name = written.unwrap_or_else(|| DEFAULT_STORE.to_owned());
    if name == DEFAULT_STORE || limits.stores.contains(&name) {
        return Ok(name);
    }
    let known: Vec<String> = limits.stores.iter().map(|name| format!("`{name}`")).collect();
    let help = if known.is_empty() {
        "add it to `stores`".to_owned()
    } else {
        format!("add it to `stores`, or take {}", known.join(" or "))
    };
    Err(Invalid {
        field: Some("store"),
        ..Invalid::new("unknown-store", format!("there is no store `{name}`")).with_help(help)
    })
}

fn loss(text: &str) -> Result<OnStoreLoss, Invalid> {
    match text.trim().to_ascii_lowercase().as_str() {
        "open" => Ok(OnStoreLoss::Open),
        "closed" => Ok(OnStoreLoss::Closed),
        "local" => Ok(OnStoreLoss::Local),
        _ => {
            let problem = format!("`{text}` is not `open`, `closed` or `local`");
            Err(Invalid::argument("on-store-loss", problem))
        }
    }
}

impl Limiter {
    /// The request's key, or what becomes of it without one.
    fn key(&self, exchange: &Exchange<'_>) -> Result<Key, Flow> {
        self.key.resolve(exchange, &self.route).ok_or_else(|| match self.keyless {
            None => Flow::Continue,
            Some(status) => Flow::Refuse(Box::new(Failure::NoRateLimitKey(status))),
        })
    }

    fn settle(
        &self,
        exchange: &mut Exchange<'_>,
        outcome: Result<Taken, Failure>,
    ) -> Result<Flow, Failure> {
        match outcome {
            Ok(taken) => self.decide(exchange, taken),
            Err(lost) => self.without_store(exchange, lost),
        }
    }

    fn decide(&self, exchange: &mut Exchange<'_>, taken: Taken) -> Result<Flow, Failure> {
        self.fields.add(exchange, taken)?;
        if taken.allowed {
            return Ok(Flow::Continue);
        }
        let retry_after =
            u64::try_from(taken.remaining).ok().and_then(|remaining| self.policy.wait(remaining));
        if self.throws {
            // The reference gateway does not map the exception.
            return Err(Failure::RateLimited { status: 500, retry_after });
        }
        let failure = Failure::RateLimited { status: self.denied, retry_after };
        Ok(Flow::Refuse(Box::new(failure)))
    }

    fn without_store(&self, exchange: &mut Exchange<'_>, lost: Failure) -> Result<Flow, Failure> {
        match self.on_store_loss {
            OnStoreLoss::Open => self.decide(exchange, Taken { allowed: true, remaining: -1 }),
            OnStoreLoss::Closed => Ok(Flow::Refuse(Box::new(lost))),
            OnStoreLoss::Local => match (self.local.get(), self.key(exchange)) {
                (_, Err(flow)) => Ok(flow),
                (None, Ok(_)) => Err(lost),
                (Some(local), Ok(key)) => {
                    match local.take(&self.route, key.as_bytes(), &self.policy) {
                        Hook::Ready(outcome) => self.decide(exchange, outcome?),
                        // What counts in the process waits for nothing.
                        Hook::Wait(_) => Err(lost),
                    }
                }
            },
        }
    }
}

impl Filter for RequestRateLimiter {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        let limiter = &*self.0;
        let Some(buckets) = limiter.buckets.get() else {
            let problem = "the route is not in use".to_owned();
            return Hook::Ready(Err(Failure::Filter(problem)));
        };
        let key = match limiter.key(exchange) {
            Ok(key) => key,
            Err(flow) => return Hook::Ready(Ok(flow)),
        };
        match buckets.take(&limiter.route, key.as_bytes(), &limiter.policy) {
            Hook::Ready(outcome) => Hook::Ready(limiter.settle(exchange, outcome)),
            Hook::Wait(later) => {
                Hook::Wait(Box::pin(async move { limiter.settle(exchange, later.await) }))
            }
        }
    }

    fn prepare(&self, parts: &Parts) {
        let Limiter { buckets, local, store, on_store_loss, .. } = &*self.0;
        buckets.get_or_init(|| parts.buckets.of(store));
        if *on_store_loss == OnStoreLoss::Local {
            local.get_or_init(|| parts.buckets.local());
        }
    }
}

impl fmt::Display for RequestRateLimiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limiter { key_name, policy, .. } = &*self.0;
        write!(
            formatter,
            "RequestRateLimiter keyResolver = '{key_name}', replenishRate = {}, \
             burstCapacity = {}, requestedTokens = {}",
            policy.replenish_rate(),
            policy.burst_capacity(),
            policy.requested_tokens()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_invalid, entry};

    fn with(arguments: &str) -> String {
        format!("{{ name: RequestRateLimiter, args: {{ {arguments} }} }}")
    }

    #[track_caller]
    fn check_written(arguments: &str, expected: Option<(i32, i64, i32)>) {
        let policy =
            expected.map(|(rate, burst, cost)| Policy::written(rate, burst, cost).unwrap());
        assert_eq!(written_limit(&entry(&with(arguments))), policy, "{arguments}");
    }

    #[test]
    fn finds_the_numbers_that_count_for_the_route() {
        let all = "redis-rate-limiter.replenishRate: 0x10, redis-rate-limiter.burst_capacity: 40, \
                   redis-rate-limiter.Requested-Tokens: 3";
        check_written(all, Some((16, 40, 3)));
        check_written("redis-rate-limiter.replenish-rate: 2", Some((2, 1, 1)));
        check_written("redisRateLimiter.replenish-rate: 2", None);
        check_written("redis-rate-limiter.replenish-rate: 1.5", None);
        check_written("redis-rate-limiter.burst-capacity: 5", None);
        check_written("key-resolver: '#{@ipKeyResolver}'", None);
    }

    const RATE: &str = "redis-rate-limiter.replenish-rate: 1";

    #[track_caller]
    fn check_refused(arguments: &str, message: &str) {
        check_invalid(&with(arguments), message);
    }

    #[test]
    fn refuses_what_is_no_reference() {
        check_refused(&format!("{RATE}, key-resolver: ipKeyResolver"), "is not a reference");
        check_refused(&format!("{RATE}, key-resolver: '#{{1+1}}'"), "is an expression");
        check_refused(&format!("{RATE}, status-code: '#{{@x}}'"), "no bean `x`");
        check_refused(&format!("{RATE}, key-resolver: '#{{@ipKeyResolvr}}'"), "no key resolver");
        check_refused(&format!("{RATE}, rate-limiter: '#{{@bucket4j}}'"), "no rate limiter");
    }

    #[test]
    fn refuses_statuses_and_words_it_cannot_use() {
        check_refused(&format!("{RATE}, status-code: 429"), "not the name of a status");
        check_refused(&format!("{RATE}, status-code: continue"), "not the name of a status");
        check_refused(&format!("{RATE}, empty-key-status: NOTHING"), "is not a status");
        check_refused(&format!("{RATE}, empty-key-status: 100"), "not from 200 to 999");
        check_refused(&format!("{RATE}, on-store-loss: shut"), "`open`, `closed` or `local`");
        check_refused(&format!("{RATE}, store: other"), "there is no store `other`");
    }
}
