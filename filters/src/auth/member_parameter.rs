//! A member's id in the query of a request: it must be the member's own.

use crate::{Exchange, Failure};

/// The query parameter that must not name another member.
const MEMBER_ID: &str = "memberId";

/// A `memberId` in the query must be the member's own; one that is asked for is written.
pub(super) fn check_parameter(
    exchange: &mut Exchange<'_>,
    member_id: i64,
    parameter: Option<&str>,
) -> Result<(), Failure> {
    let own = member_id.to_string();
    let name = parameter.unwrap_or(MEMBER_ID);
    let query = exchange.query().unwrap_or_default().to_owned();
    let mut kept: Vec<&str> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_named = is_decoded(key, name);
        if (is_named || is_decoded(key, MEMBER_ID)) && !is_decoded(value, &own) {
            return Err(Failure::MemberMismatch);
        }
        if !is_named {
            kept.push(pair);
        }
    }
    if parameter.is_none() {
        return Ok(());
    }
    let pair = format!("{name}={own}");
    kept.push(&pair);
    exchange.set_query(Some(&kept.join("&")))
}

/// Whether the query has a pair, however it is escaped.
pub(super) fn has_pair(query: Option<&str>, name: &str, value: &str) -> bool {
    query.unwrap_or_default().split('&').any(|pair| {
        let (key, written) = pair.split_once('=').unwrap_or((pair, ""));
        is_decoded(key, name) && is_decoded(written, value)
    })
}

fn is_decoded(raw: &str, text: &str) -> bool {
    percent_encoding::percent_decode_str(raw).eq(text.bytes())
}
