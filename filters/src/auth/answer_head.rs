//! What tokens have to do with the head of an answer: the new token on it, and what the member
//! service tells the gateway in it.

use http::{HeaderValue, header};
use pingora_http::ResponseHeader;

use super::authenticator::IssuedToken;
use super::token::member_id;
use super::{Identity, Role};

const ACCESS_TOKEN: &str = "Access-Token";

const EXPIRES_AT: &str = "Access-Token-Expires-At";

/// Whether an upstream wants all sessions of the member to end.
pub(super) fn asks_to_revoke(head: &ResponseHeader) -> bool {
    head.headers.get_all("x-auth-revoke").iter().any(|value| value == "member")
}

/// Who logged in, as the member service tells in headers for the gateway alone.
pub(super) fn identity_of(head: &ResponseHeader) -> Option<Identity> {
    let text = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let member_id = member_id(text("x-auth-member-id")?)?;
    let role = Role::parse(text("x-auth-member-role")?)?;
    Some(Identity { member_id, role })
}

/// Puts a new token on an answer; `None` when the head is full.
pub(super) fn write_token(
    issued: &IssuedToken,
    echo: bool,
    head: &mut ResponseHeader,
) -> Option<()> {
    head.insert_header(ACCESS_TOKEN, issued.text.clone()).ok()?;
    let millis = issued.expires_at.saturating_mul(1000);
    head.insert_header(EXPIRES_AT, HeaderValue::from(millis)).ok()?;
    head.insert_header(header::CACHE_CONTROL, "no-store").ok()?;
    if !lists(head, "vary", "authorization") {
        head.append_header(header::VARY, "Authorization").ok()?;
    }
    for name in [ACCESS_TOKEN, EXPIRES_AT] {
        if !lists(head, "access-control-expose-headers", name) {
            head.append_header(header::ACCESS_CONTROL_EXPOSE_HEADERS, name).ok()?;
        }
    }
    if echo {
        let text = issued.text.to_str().ok()?;
        head.insert_header(header::AUTHORIZATION, format!("Bearer {text}")).ok()?;
    }
    Some(())
}

/// Whether a header that is a list names `member`, or everything.
fn lists(head: &ResponseHeader, name: &str, member: &str) -> bool {
    let lines = head.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| item.trim().eq_ignore_ascii_case(member))
}
