//! Token buckets in Redis, under the keys and with the script of Spring Cloud Gateway
//! (`resilience.md` 1.6, 1.7), so that gateways of both kinds share them.

use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, RedisError, Script, pipe};
use tollgate_filters::limit::{Buckets, Policy, Taken};
use tollgate_filters::{Failure, Hook};

use super::RedisLink;

/// Buckets in Redis. The server's clock counts, in whole seconds.
#[derive(Debug)]
pub struct RedisBuckets {
    link: Arc<RedisLink>,
    script: Script,
}

/// Fills a bucket, takes the tokens of one request if they are there, and keeps the rest. What is
/// kept ends: Redis takes no more than 9.2e15 seconds.
const TAKE: &str = r"
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local now, requested = tonumber(ARGV[3]), tonumber(ARGV[4])
local ttl = math.min(math.floor(2 * (capacity / rate)), 9e15)
if not now then now = tonumber(redis.call('TIME')[1]) end
local last = tonumber(redis.call('GET', KEYS[1])) or capacity
local before = tonumber(redis.call('GET', KEYS[2])) or 0
local filled = math.min(capacity, last + math.max(0, now - before) * rate)
local allowed = filled >= requested
local left = allowed and filled - requested or filled
if ttl > 0 then
  redis.call('SETEX', KEYS[1], string.format('%.0f', ttl), string.format('%.0f', left))
  redis.call('SETEX', KEYS[2], string.format('%.0f', ttl), string.format('%.0f', now))
end
return {allowed and 1 or 0, left}
";

impl RedisBuckets {
    /// Buckets in the server at `url`. It is connected to by the first request.
    ///
    /// # Errors
    ///
    /// A `url` that is none.
    pub fn open(
        url: &str,
        connect_limit: Duration,
        patience: Duration,
    ) -> Result<Self, RedisError> {
        let link = RedisLink::new(url, Self::scripts().into(), connect_limit, patience)?;
        Ok(Self::on(Arc::new(link)))
    }

    /// Buckets on a connection that has [`RedisBuckets::scripts`].
    pub(crate) fn on(link: Arc<RedisLink>) -> Self {
        let [script] = Self::scripts();
        Self { link, script }
    }

    /// What the connection must have loaded.
    pub(crate) fn scripts() -> [Script; 1] {
        [Script::new(TAKE)]
    }

    /// As [`Buckets::take`], at a time that is not the server's.
    pub fn take_at(&self, route: &str, key: &[u8], policy: &Policy, now: u64) -> Hook<'_, Taken> {
        self.ask(self.commands(route, key, policy, now.to_string()))
    }

    fn commands(&self, route: &str, key: &[u8], policy: &Policy, now: String) -> Pipeline {
        let mut commands = pipe();
        commands
            .cmd("EVALSHA")
            .arg(self.script.get_hash())
            .arg(2)
            .arg(name(route, key, "tokens"))
            .arg(name(route, key, "timestamp"))
            .arg(policy.replenish_rate())
            .arg(policy.burst_capacity())
            .arg(now)
            .arg(policy.requested_tokens());
        commands
    }

    /// A connection that is lost before the answer is there is asked once more: at worst a request
    /// pays twice, and never is one let through for which nothing was paid.
    fn ask(&self, commands: Pipeline) -> Hook<'_, Taken> {
        Hook::Wait(Box::pin(async move {
            let answer = self.link.ask(&commands).await;
            let ((allowed, remaining),): ((bool, i64),) =
                answer.map_err(|error| Failure::LimiterUnavailable(error.to_string()))?;
            Ok(Taken { allowed, remaining })
        }))
    }
}

impl Buckets for RedisBuckets {
    fn take(&self, route: &str, key: &[u8], policy: &Policy) -> Hook<'_, Taken> {
        // Without a time the script takes the server's.
        self.ask(self.commands(route, key, policy, String::new()))
    }
}

/// `request_rate_limiter.{<route>.<key>}.<what>`; what is in braces puts both keys of a bucket on
/// one node of a cluster.
fn name(route: &str, key: &[u8], what: &str) -> Vec<u8> {
    let parts: [&[u8]; 6] =
        [b"request_rate_limiter.{", route.as_bytes(), b".", key, b"}.", what.as_bytes()];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_reference() {
        assert_eq!(name("routeId", b"1", "tokens"), b"request_rate_limiter.{routeId.1}.tokens");
        let expected = b"request_rate_limiter.{routeId.1}.timestamp";
        assert_eq!(name("routeId", b"1", "timestamp"), expected);
    }
}
