//! Headers that only the platform itself may write.

use http::HeaderName;
use pingora_http::{RequestHeader, ResponseHeader};

/// Deletes what a client must not say: who it is, that a gateway or a service vouches for it, and
/// faults to inject. An underscore counts as a hyphen, because some servers read it as one.
pub(super) fn strip_request(head: &mut RequestHeader) {
    while let Some(name) = head.headers.keys().find(|name| is_claim(name)).cloned() {
        head.remove_header(&name);
    }
}

/// Whether an answer has what a service says to the gateway alone.
pub(super) fn has_internal(head: &ResponseHeader) -> bool {
    head.headers.keys().any(|name| begins(name, "x-auth-"))
}

/// Deletes what a service says to the gateway alone.
pub(super) fn strip_answer(head: &mut ResponseHeader) {
    while let Some(name) = head.headers.keys().find(|name| begins(name, "x-auth-")).cloned() {
        head.remove_header(&name);
    }
}

fn is_claim(name: &HeaderName) -> bool {
    // Most names end here.
    if !begins(name, "x-") {
        return false;
    }
    let is = |text| name.as_str().len() == str::len(text) && begins(name, text);
    begins(name, "x-member-") || begins(name, "x-gateway-") || is("x-service-auth") || is("x-fault")
}

fn begins(name: &HeaderName, start: &str) -> bool {
    let name = name.as_str().as_bytes();
    let same = |(one, other): (&u8, &u8)| one == other || (*one == b'_' && *other == b'-');
    name.len() >= start.len() && name.iter().zip(start.as_bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_spelling() {
        let mut head = RequestHeader::build("GET", b"/", None).unwrap();
        for name in [
            "X-Member-Id",
            "x-member-id",
            "X_Member_Id",
            "X-Member_Role",
            "X-GATEWAY-AUTH",
            "x_gateway_anything",
            "X-Service-Auth",
            "X-Fault",
        ] {
            head.append_header(name, "1").unwrap();
            head.append_header(name, "2").unwrap();
        }
        for name in ["X-Gateway", "X-Memberships", "X-Services", "Accept", "X-Faulty"] {
            head.append_header(name, "kept").unwrap();
        }
        strip_request(&mut head);
        let mut left: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "x-faulty", "x-gateway", "x-memberships", "x-services"]);
    }
}
