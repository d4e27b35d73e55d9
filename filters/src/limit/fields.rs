//! The headers that tell a client about its limit.

use http::HeaderValue;

use super::{HeaderNames, Policy, Taken};
use crate::{Exchange, Failure, HeaderField, Invalid, SharedHeaders, header_value};

/// The headers of one filter, made as far as they can be before a request is there.
#[derive(Debug)]
pub(crate) struct LimitFields {
    policy: Policy,
    /// The one that tells how many tokens are left.
    remaining: Option<HeaderField>,
    /// Those that are always the same.
    constant: Vec<(HeaderField, HeaderValue)>,
    /// `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11.
    rate_limit: Option<HeaderField>,
}

/// The largest number of a structured field (RFC 9651 3.3.1).
const LARGEST: u64 = 999_999_999_999_999;

impl LimitFields {
    /// The headers of the reference gateway where it has `names` for them, and those of the IETF
    /// draft if they are wanted.
    ///
    /// # Errors
    ///
    /// A name that no header can have.
    pub(crate) fn new(
        policy: Policy,
        names: Option<&HeaderNames>,
        is_ietf: bool,
        shared: &SharedHeaders,
    ) -> Result<Self, Invalid> {
        let mut constant = Vec::new();
        let mut add = |name: &str, text: &str| {
            let value = header_value(text)
                .map_err(|failure| Invalid::new("invalid-value", format!("`{name}`: {failure}")))?;
            constant.push((shared.field(name)?, shared.value(value)));
            Ok::<(), Invalid>(())
        };
        if let Some(names) = names {
            add(&names.requested_tokens, &policy.requested_tokens().to_string())?;
            add(&names.burst_capacity, &policy.burst_capacity().to_string())?;
            add(&names.replenish_rate, &policy.replenish_rate().to_string())?;
        }
        if is_ietf {
            add("RateLimit-Policy", &quota(&policy))?;
        }
        let remaining = names.map(|names| shared.field(&names.remaining)).transpose()?;
        let rate_limit = is_ietf.then(|| shared.field("RateLimit")).transpose()?;
        Ok(Self { policy, remaining, constant, rate_limit })
    }

    /// Puts the headers on the answer, whoever makes it.
    ///
    /// # Errors
    ///
    /// None that can happen with numbers.
    pub(crate) fn add(&self, exchange: &mut Exchange<'_>, taken: Taken) -> Result<(), Failure> {
        let count = self.constant.len() + 2;
        exchange.state().pending.reserve(count);
        if let Some(name) = &self.remaining {
            exchange.add_to_answer(name, HeaderValue::from(taken.remaining));
        }
        for (name, value) in &self.constant {
            exchange.add_to_answer(name, value.clone());
        }
        // Nobody knows what is left while the store does not answer.
        if let (Some(name), Ok(remaining)) = (&self.rate_limit, u64::try_from(taken.remaining)) {
            let value = HeaderValue::try_from(self.left(remaining)).map_err(|_| odd())?;
            exchange.add_to_answer(name, value);
        }
        Ok(())
    }

    /// How many requests may follow, and in how many seconds there will be room for one more.
    fn left(&self, remaining: u64) -> String {
        let requests = remaining / u64::from(self.policy.requested_tokens());
        let mut text = String::with_capacity(48);
        text.push_str(r#""default";r="#);
        push_number(&mut text, requests);
        if let Some(seconds) = self.policy.wait(remaining) {
            text.push_str(";t=");
            push_number(&mut text, seconds);
        }
        text
    }
}

/// The quota in requests, and the time in which all of it comes back.
fn quota(policy: &Policy) -> String {
    let requests = policy.burst_capacity() / u64::from(policy.requested_tokens());
    let mut text = r#""default";q="#.to_owned();
    push_number(&mut text, requests);
    let window = policy.burst_capacity().div_ceil(policy.replenish_rate().into());
    // A window of nothing is not allowed.
    if window > 0 {
        text.push_str(";w=");
        push_number(&mut text, window);
    }
    text
}

fn push_number(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number.min(LARGEST)));
}

fn odd() -> Failure {
    Failure::Filter("a rate limit that is no header".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(policy: (i32, i64, i32), remaining: u64, expected: [&str; 2]) {
        let policy = Policy::written(policy.0, policy.1, policy.2).unwrap();
        let fields = LimitFields::new(policy, None, true, &SharedHeaders::default()).unwrap();
        assert_eq!([quota(&policy), fields.left(remaining)], expected);
    }

    #[test]
    fn the_fields_of_the_draft_count_requests() {
        check((10, 20, 1), 19, [r#""default";q=20;w=2"#, r#""default";r=19;t=1"#]);
        check((10, 25, 2), 24, [r#""default";q=12;w=3"#, r#""default";r=12"#]);
        check((1, 60, 60), 0, [r#""default";q=1;w=60"#, r#""default";r=0;t=60"#]);
        check((1, 0, 1), 0, [r#""default";q=0"#, r#""default";r=0"#]);
        let most = 1 << 52;
        check(
            (1, 1 << 52, 1),
            most,
            [r#""default";q=999999999999999;w=999999999999999"#, r#""default";r=999999999999999"#],
        );
    }
}
