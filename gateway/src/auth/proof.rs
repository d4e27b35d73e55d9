//! Proofs that the gateway, or a service, made a request (`domain.md` 6.10).
//!
//! ```text
//! X-Gateway-Auth: v1;kid=K;t=UNIX;sig=S   S = HMAC-SHA256 over
//!     v1⏎{t}⏎{METHOD}⏎{path and query}⏎{member id or -}⏎{role or -}⏎
//! X-Service-Auth: v1;svc=NAME;kid=K;t=UNIX;sig=S   S = HMAC-SHA256 over
//!     v1⏎{t}⏎{METHOD}⏎{path and query}⏎{NAME}⏎{hex SHA-256 of the body}⏎
//! ```
//!
//! `⏎` is one line feed, S is base64url without padding.

use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method};
use pingora_http::RequestHeader;
use sha2::{Digest, Sha256};
use tollgate_filters::auth::{Identity, KeySet};

use super::hex;

/// Keys of proofs, ready for use.
pub struct Proofs(Vec<ProofKey>);

struct ProofKey {
    id: String,
    /// Keyed once; every proof begins with a copy.
    mac: Hmac<Sha256>,
}

/// A request of a service, as its proof says.
#[derive(Debug, Clone, Copy)]
pub struct ServiceProof<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// How far the clocks of both sides may differ, in seconds.
const CLOCK_WINDOW: i64 = 60;

const MEMBER_ID: &str = "X-Member-Id";
const MEMBER_ROLE: &str = "X-Member-Role";
const GATEWAY_AUTH: &str = "X-Gateway-Auth";

impl Proofs {
    /// Prepares the keys of a set.
    pub fn new(set: &KeySet) -> Self {
        let keys = set.keys().iter().filter_map(|key| {
            let mac = Hmac::new_from_slice(&key.secret).ok()?;
            Some(ProofKey { id: key.id.clone(), mac })
        });
        Self(keys.collect())
    }

    /// Writes who sent a request, and that the gateway vouches for it, in the place of what was
    /// there.
    pub(crate) fn vouch(
        &self,
        request: &mut RequestHeader,
        identity: Option<Identity>,
        now: i64,
    ) -> Option<()> {
        let id = identity.map(|identity| identity.member_id.to_string());
        let id = id.as_deref();
        let role = identity.map(|identity| identity.role.name());
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let last = [id.unwrap_or("-"), role.unwrap_or("-")];
        let proof = self.sign("", now, &request.method, target, last)?;
        request.remove_header(MEMBER_ID);
        request.remove_header(MEMBER_ROLE);
        if let (Some(id), Some(role)) = (id, role) {
            request.insert_header(MEMBER_ID, id).ok()?;
            request.insert_header(MEMBER_ROLE, role).ok()?;
        }
        request.insert_header(GATEWAY_AUTH, proof).ok()
    }

    /// The value of `X-Service-Auth` for a request without a body.
    pub(crate) fn service(
        &self,
        service: &str,
        method: &Method,
        target: &str,
        now: i64,
    ) -> Option<HeaderValue> {
        let body = hex(&Sha256::digest(b""));
        self.sign(&format!("svc={service};"), now, method, target, [service, &body])
    }

    fn sign(
        &self,
        more: &str,
        now: i64,
        method: &Method,
        target: &str,
        last: [&str; 2],
    ) -> Option<HeaderValue> {
        let key = self.0.first()?;
        let signature = key.over(now, method.as_str(), target, last).finalize().into_bytes();
        let mut value = String::with_capacity(128);
        write!(value, "v1;{more}kid={};t={now};sig=", key.id).ok()?;
        URL_SAFE_NO_PAD.encode_string(signature, &mut value);
        HeaderValue::try_from(value).ok()
    }

    /// The name of the service that made a request; `None` unless its proof is good.
    pub fn verify_service(
        &self,
        value: &str,
        request: ServiceProof<'_>,
        now: i64,
    ) -> Option<String> {
        let mut fields = value.split(';');
        let mut field = |name: &str| fields.next()?.strip_prefix(name);
        field("v1")?;
        let service = field("svc=")?;
        let key_id = field("kid=")?;
        let time = field("t=")?;
        let time: i64 = time.parse().ok().filter(|_| time.bytes().all(|b| b.is_ascii_digit()))?;
        let signature = URL_SAFE_NO_PAD.decode(field("sig=")?).ok()?;
        if fields.next().is_some() || now.abs_diff(time) > CLOCK_WINDOW.unsigned_abs() {
            return None;
        }
        let key = self.0.iter().find(|key| key.id == key_id)?;
        let body = hex(&Sha256::digest(request.body));
        let mac = key.over(time, request.method, request.target, [service, &body]);
        mac.verify_slice(&signature).ok()?;
        Some(service.to_owned())
    }
}

impl ProofKey {
    fn over(&self, time: i64, method: &str, target: &str, last: [&str; 2]) -> Hmac<Sha256> {
        let mut text = String::with_capacity(64 + target.len());
        let [first, second] = last;
        // Writing to a text cannot fail.
        let _written = write!(text, "v1\n{time}\n{method}\n{target}\n{first}\n{second}\n");
        self.mac.clone().chain_update(text)
    }
}

/// Names only.
impl fmt::Debug for Proofs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_filters::auth::Role;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn proofs() -> Proofs {
        let secret: Vec<u8> = (0..64).collect();
        let set = format!(
            "{{\"keys\":[{{\"kty\":\"oct\",\"kid\":\"k1\",\"k\":\"{}\"}}]}}",
            URL_SAFE_NO_PAD.encode(secret)
        );
        Proofs::new(&KeySet::from_json(&set, 32).unwrap())
    }

    fn vouched(identity: Option<Identity>) -> RequestHeader {
        let mut head = RequestHeader::build("GET", b"/v1/members/me?x=1", None).unwrap();
        head.append_header("X-Member-Id", "1").unwrap();
        head.append_header("X-Member-Id", "2").unwrap();
        head.append_header("X-Member-Role", "ADMIN").unwrap();
        proofs().vouch(&mut head, identity, NOW).unwrap();
        head
    }

    /// The services check the same texts.
    #[test]
    fn signs_what_services_expect() {
        let signature = |head: &RequestHeader| {
            let proof = head.headers["x-gateway-auth"].to_str().unwrap();
            proof.strip_prefix("v1;kid=k1;t=1700000000;sig=").unwrap().to_owned()
        };
        let known = vouched(Some(Identity { member_id: 42, role: Role::User }));
        assert_eq!(signature(&known), "0x8z2xCqd_nDIZYS2csEf7Ou0G1H0An1WiHYfEnmHto");
        assert_eq!(signature(&vouched(None)), "OK1xwhk4etWXT65xBDhC9gDJvuUJlUIPI6IgFMRw3nk");
        let value =
            "v1;svc=member;kid=k1;t=1700000000;sig=s-bW4fCH2yl6q7myh1_NF1SklcV1iqpU-E-OJbg-K-k";
        let body = b"{\"memberId\":42}";
        let request = ServiceProof { method: "POST", target: "/internal/x", body };
        assert_eq!(proofs().verify_service(value, request, NOW).unwrap(), "member");
    }

    #[test]
    fn an_identity_replaces_what_was_there() {
        let head = vouched(Some(Identity { member_id: 42, role: Role::User }));
        assert_eq!(head.headers.get_all("x-member-id").iter().collect::<Vec<_>>(), ["42"]);
        assert_eq!(head.headers["x-member-role"], "USER");
        assert_eq!(head.headers.get_all("x-gateway-auth").iter().count(), 1);
    }

    #[test]
    fn without_an_identity_nobody_is_named() {
        let head = vouched(None);
        assert!(!head.headers.contains_key("x-member-id"));
        assert!(!head.headers.contains_key("x-member-role"));
    }

    #[test]
    fn a_service_is_believed_for_its_own_request_only() {
        let proofs = proofs();
        let value = proofs.service("member", &Method::POST, "/internal/x", NOW).unwrap();
        let value = value.to_str().unwrap();
        let request = ServiceProof { method: "POST", target: "/internal/x", body: b"" };
        assert_eq!(proofs.verify_service(value, request, NOW + 60).unwrap(), "member");
        assert_eq!(proofs.verify_service(value, request, NOW + 61), None);
        assert_eq!(proofs.verify_service(value, request, NOW - 61), None);
        let other = [
            ServiceProof { method: "GET", ..request },
            ServiceProof { target: "/internal/y", ..request },
            ServiceProof { body: b"{}", ..request },
        ];
        for request in other {
            assert_eq!(proofs.verify_service(value, request, NOW), None, "{request:?}");
        }
        let tampered = [
            value.replace("member", "payment"),
            value.replace("kid=k1", "kid=k2"),
            value.replace("v1;", "v2;"),
            format!("{value};x"),
            value.replace("t=17", "t=+17"),
            String::new(),
        ];
        for value in tampered {
            assert_eq!(proofs.verify_service(&value, request, NOW), None, "{value}");
        }
    }
}
