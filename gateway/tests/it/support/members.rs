//! A member service, and the secrets of login tokens.

use std::sync::Arc;

use tollgate::reload::Environment;

use super::{Gateway, Reply, Seen, Upstream};

/// A member service that lets everybody in as member 42.
pub(crate) fn member_service() -> Upstream {
    Upstream::answering(|seen: &Seen| {
        if seen.target() == "/v1/login" {
            return Reply::ok("{}")
                .header("X-Auth-Member-Id", "42")
                .header("X-Auth-Member-Role", "USER");
        }
        Reply::ok(r#"{"payload":{"memberId":42,"role":"USER","status":"ACTIVE"}}"#)
    })
}

/// The secrets of login tokens.
pub(crate) fn secrets() -> Environment {
    let key = |letter: &str| {
        let secret = letter.repeat(86);
        format!("{{\"keys\":[{{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"{secret}\"}}]}}")
    };
    Arc::new(move |name: &str| match name {
        "TOKEN_KEYS" => Some(key("A")),
        "GATEWAY_PROOF_KEYS" => Some(key("Q")),
        _ => None,
    })
}

/// The header line of a member who has logged in.
#[track_caller]
pub(crate) fn log_in(gateway: &Gateway) -> String {
    let body = r#"{"memberEmail":"a@example.com","password":"any"}"#;
    let length = body.len();
    let answer = gateway.send_raw(format!(
        "POST /login HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(answer.status, 200, "{}", answer.text());
    format!("Authorization: Bearer {}", answer.header("access-token").unwrap())
}
